"""The sound track of a source, for the annotated video: its packets as they are, nothing encoded again."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.stream import Disposition

from ..errors import reason
from ..sources.container import OPTIONS, Laps, first_stamp_s, formats_of, streams_of_pictures

COPIED = "sound copied"  # all of it
_HELD_BY_MP4 = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"}


class Sound:
    """The sound of a video file between two times, in seconds from its first picture."""

    def __init__(self, source: Path, start: Fraction, end: Fraction):
        # What became of it, final when the packets have been taken; None where there is no sound that could be missed.
        self.said: str | None = COPIED
        self._source, self._start, self._end = source, start, end
        self._damaged = 0  # packets that mp4 would not take

    def damaged(self) -> None:
        """One of the packets is not what its stream says that it is, and is left out."""
        self._damaged += 1
        self.said = f"sound copied, but for {self._damaged} damaged {'packet' if self._damaged == 1 else 'packets'}"

    def packets(self, joined: av.container.OutputContainer) -> Iterator[av.Packet]:
        """Give `joined` a stream for the sound, if there is one to copy; return its packets, timed from `start` on.

        The packets are to be taken when `joined` has begun to be written: they count in the units of its stream.
        """
        try:
            container = _open(self._source)
        except (OSError, av.FFmpegError) as error:
            self.said = f"sound not copied: cannot read {self._source.name} ({error.strerror})"
            return iter(())
        # The one that players take, where there are several; else the first.
        tracks = container.streams.audio
        track = max(tracks, key=lambda track: bool(track.disposition & Disposition.default), default=None)
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
        tick, last = stream.time_base, None
        with container:
            try:
                zero_s = self._start + first_picture_s(self._source)
                laps = Laps(formats_of(container))
                for begins_s, lasts_s, packet in _going_on(container.demux(track), laps, self._source):
                    if begins_s + 2 * lasts_s <= zero_s:
                        continue  # One packet before the first picture stays: a decoder needs it to begin cleanly.
                    if begins_s - zero_s >= self._end - self._start:
                        return
                    # Sound has no order of its own, and mp4 takes no time twice; damaged files repeat them, and a tick
                    # of the source may be less than one here.
                    time = round((begins_s - zero_s) / tick)
                    last = time if last is None else max(time, last + 1)
                    packet.pts = packet.dts = last
                    packet.duration, packet.time_base, packet.stream = round(lasts_s / tick), tick, stream
                    yield packet
            except (OSError, av.FFmpegError) as error:
                self.said = f"sound copied as far as {self._source.name} could be read ({reason(error)})"
                return
            if last is None:
                self.said = None


def _open(source: Path) -> av.container.InputContainer:
    return av.open(str(source.absolute()), options=OPTIONS)


def first_picture_s(source: Path) -> Fraction:
    """When the first picture of a file is shown, in its own time: what the frames' times are counted from."""
    with _open(source) as container:
        return first_stamp_s(container, streams_of_pictures(container)[0])


def _going_on(packets: Iterator[av.Packet], laps: Laps, source: Path) -> Iterator[tuple[Fraction, Fraction, av.Packet]]:
    """Each packet with its time and duration in seconds. Where times jump back, in files that were made of several,
    they go on: the sound of each part stays with its pictures.
    """
    ends_s = last_s = None
    shift_s, overlaps, moves = Fraction(0), False, None
    for packet in packets:
        if not packet.size:
            continue  # The last one: it tells a decoder to give out what it holds.
        lasts_s = (packet.duration or 0) * packet.time_base
        begins_s = ends_s or Fraction(0)
        if packet.pts is not None:
            begins_s = shift_s + laps.of(packet.pts * packet.time_base)
        if last_s is not None and begins_s < last_s - max(lasts_s, _JITTER_S):
            moves = _moves(source) if moves is None else moves
            own_s = begins_s - shift_s
            shift_s = next(moves, ends_s - own_s)
            begins_s, overlaps = own_s + shift_s, True
        # The sound of a part may be longer than its pictures: it is heard, and not what the next part has meanwhile.
        overlaps = overlaps and begins_s < ends_s - lasts_s / 2
        if overlaps:
            continue
        last_s, ends_s = begins_s, begins_s + lasts_s
        yield begins_s, lasts_s, packet


_JITTER_S = Fraction(1, 50)


def _moves(source: Path) -> Iterator[Fraction]:
    """By how much the pictures of each part but the first are late, so that they go on where the part before ends."""
    with _open(source) as container:
        track, formats = streams_of_pictures(container)[0], formats_of(container)
        decoding, showing = Laps(formats), Laps(formats)
        frame_s = 1 / Fraction(track.average_rate or track.guessed_rate or 25)
        shift_s, last_s, ends_s = Fraction(0), None, Fraction(0)
        for packet in container.demux(track):
            if packet.pts is None or packet.dts is None:
                continue
            decoded_s = decoding.of(packet.dts * packet.time_base)
            shown_s = showing.of(packet.pts * packet.time_base)
            if last_s is not None and decoded_s < last_s:
                shift_s = ends_s - shown_s
                yield shift_s
            last_s, ends_s = decoded_s, max(ends_s, shown_s + shift_s + frame_s)
