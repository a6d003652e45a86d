"""A stream as HLS (RFC 8216): MPEG-TS segments of a second or two and a playlist, for any web server and any player.

Not FFmpeg's muxer of that name, which goes on after an error of the disk and would list a segment that is cut short.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import av

from ..sinks.segments import TIME_BASE
from .folder import StreamFolder
from .output import KEY_S, Format, Output
from .playlist import Segment, time_of_day

_OPTIONS = {
    "flush_packets": "1",  # A packet is in the file before the next one comes, which may belong to the next file.
    # Each file begins with the tables that a decoder needs; and the counters of packets begin anew, as is said.
    "mpegts_flags": "pat_pmt_at_frames+initial_discontinuity",
}


_TIMES = 1 << 33  # of MPEG-TS: after 26.5 hours they begin anew, which players know


class HlsOutput(Output):
    """Writes segments, and a playlist that goes on from the one that is there."""

    def __init__(self, folder: StreamFolder, format: Format, wall_clock: Callable[[], float] = time.time):
        self._folder, self._wall_clock = folder, wall_clock
        self._playlist = folder.playlist()
        # Counted from the clock where nothing is known of an earlier playlist: players want numbers that never go back,
        # and segments of a second use them up no faster than it goes.
        self._number = self._playlist.next_number or int(wall_clock())
        self._is_break = bool(self._playlist.segments)
        # Times are those of the day: players that know no breaks, such as FFmpeg, see a gap, and nothing goes back.
        self._offset = round(wall_clock() / TIME_BASE) % _TIMES
        self._content = _Written()
        self._began: int | None = None  # the time of the first packet of the segment
        self._began_at = self._last = 0
        self._frame_ticks = round(1 / (format.rate * TIME_BASE))  # how long the last picture is shown
        super().__init__(av.open(self._content, "w", format="mpegts", container_options=_OPTIONS), format)

    def close(self, has_ended: bool) -> None:
        super().close(has_ended)
        if self._began is not None:
            self._end_segment(self._last + self._frame_ticks, has_ended)
        elif has_ended and self._playlist.segments:
            self._folder.write_playlist(self._playlist, has_ended)

    def _mux(self, packet: av.Packet) -> None:
        pts = packet.pts
        if self._began is not None and packet.is_keyframe and (pts - self._began) * TIME_BASE >= KEY_S:
            self._end_segment(pts)
        if self._began is None:
            self._began, self._began_at = pts, self._wall_clock()
        self._last = pts
        packet.pts, packet.dts = packet.pts + self._offset, packet.dts + self._offset
        super()._mux(packet)

    def _end_segment(self, pts: int, has_ended: bool = False) -> None:
        duration_s = float((pts - self._began) * TIME_BASE)
        self._folder.write_segment(self._number, self._content.taken())
        segment = Segment(self._number, duration_s, time_of_day(self._began_at), self._is_break)
        self._playlist = self._playlist.with_segment(segment)
        self._folder.write_playlist(self._playlist, has_ended)
        self._number, self._is_break, self._began = self._number + 1, False, None


class _Written(io.RawIOBase):
    """What the muxer has written since it was asked last."""

    def __init__(self):
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
