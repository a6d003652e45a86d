"""The sound track of a source, for the annotated video: its packets as they are, nothing encoded again."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

_HELD_BY_MP4 = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"}


class Sound:
    """The sound of a video file between two times, in seconds from its first picture."""

    def __init__(self, source: Path, start: Fraction, end: Fraction):
        # What became of it, final when the packets have been taken; None where there is no sound that could be missed.
        self.said: str | None = "sound copied"
        self._source, self._start, self._end = source, start, end

    def packets(self, joined: av.container.OutputContainer) -> Iterator[av.Packet]:
        """Give `joined` a stream for the sound, if there is one to copy; return its packets, timed from `start` on."""
        try:
            container = av.open(str(self._source.absolute()))
        except (OSError, av.FFmpegError) as error:
            self.said = f"sound not copied: cannot read {self._source.name} ({error.strerror})"
            return iter(())
        track = next(iter(container.streams.audio), None)
        if track is None:
            self.said = None
        elif track.codec.canonical_name not in _HELD_BY_MP4:
            self.said = f"sound not copied: mp4 does not hold {track.codec.canonical_name}"
        else:
            return self._copied(container, track, joined.add_stream_from_template(track))
        container.close()
        return iter(())

    def _copied(
        self, container: av.container.InputContainer, track: av.AudioStream, stream: av.AudioStream
    ) -> Iterator[av.Packet]:
        with container:
            zero_s = self._start + self._first_picture_s()
            last = None
            try:
                for packet in container.demux(track):
                    if packet.pts is None:
                        continue
                    zero = round(zero_s / packet.time_base)
                    if packet.pts + 2 * (packet.duration or 1) <= zero:
                        continue  # One packet before the first picture stays: a decoder needs it to begin cleanly.
                    if (packet.pts - zero) * packet.time_base >= self._end - self._start:
                        return
                    packet.pts -= zero
                    packet.dts = packet.pts if last is None else max(packet.pts, last + 1)
                    packet.pts = last = packet.dts  # Sound has no order of its own; damaged files repeat times.
                    packet.stream = stream
                    yield packet
            except (OSError, av.FFmpegError) as error:
                self.said = f"sound copied as far as {self._source.name} could be read ({error.strerror})"
                return
            if last is None:
                self.said = None

    def _first_picture_s(self) -> Fraction:
        """When the first picture of the source is shown, in its own time: what the frames' times are counted from."""
        with av.open(str(self._source.absolute())) as container:
            for picture in container.decode(video=0):
                return picture.pts * picture.time_base if picture.pts is not None else Fraction(0)
        return Fraction(0)
