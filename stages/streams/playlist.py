"""The playlist of an HLS stream (RFC 8216): the newest segments by name, older ones left out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

LISTED = 8  # segments: players begin three before the end, and may be some behind
KEPT = 2 * LISTED  # files: a segment stays for the length of the playlist after it has left that (RFC 8216, 6.2.2)
TARGET_S = 2  # what a segment lasts at most, as it is said; longer ones, of a source with few frames, raise it

_NUMBER = re.compile(r"#EXT-X-(MEDIA|DISCONTINUITY)-SEQUENCE:([0-9]{1,18})")
_DURATION = re.compile(r"#EXTINF:([0-9]{1,6}(?:\.[0-9]{1,9})?),.*")
_DATE = "#EXT-X-PROGRAM-DATE-TIME:"
_BREAK = "#EXT-X-DISCONTINUITY"


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the stream."""

    number: int  # its media sequence number, which is in its name
    duration_s: float
    began: str  # the time of day of its first frame, ISO 8601
    is_break: bool = False  # its times do not go on from those of the segment before


@dataclass(frozen=True, slots=True)
class Playlist:
    """What players are told; `parse` reads what `text` writes."""

    segments: tuple[Segment, ...] = ()
    breaks: int = 0  # how many have left the list with their segments

    @property
    def first(self) -> int:
        """The number of the oldest segment that is listed; there is one."""
        return self.segments[0].number

    @property
    def next_number(self) -> int | None:
        """The number of the segment that comes next; None where the list is empty, and any will do."""
        return self.segments[-1].number + 1 if self.segments else None

    def with_segment(self, segment: Segment) -> Playlist:
        """The playlist after one more segment."""
        kept = (*self.segments, segment)[-LISTED:]
        gone = self.segments[: len(self.segments) + 1 - len(kept)]
        return replace(self, segments=kept, breaks=self.breaks + sum(one.is_break for one in gone))

    def text(self, name: str, has_ended: bool = False) -> str:
        """The file; `name`: of the stream, with which the names of its segments begin."""
        target_s = max([TARGET_S, *(round(segment.duration_s) for segment in self.segments)])
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{target_s}", "#EXT-X-INDEPENDENT-SEGMENTS"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{self.first}", f"{_BREAK}-SEQUENCE:{self.breaks}"]
        for segment in self.segments:
            lines += [_BREAK] * segment.is_break
            lines += [f"{_DATE}{segment.began}", f"#EXTINF:{segment.duration_s:.6f},", file_name(name, segment.number)]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if has_ended else []), ""])

    @classmethod
    def parse(cls, text: str) -> Playlist:
        """The inverse of `text`; an empty one of what is none, or was torn by a power cut."""
        lines = text.splitlines()
        numbers = {found[1]: int(found[2]) for line in lines if (found := _NUMBER.fullmatch(line))}
        durations = [float(found[1]) for line in lines if (found := _DURATION.fullmatch(line))]
        dates = [line.removeprefix(_DATE) for line in lines if line.startswith(_DATE)]
        if not lines or lines[0] != "#EXTM3U" or len(numbers) < 2 or len(durations) != len(dates):
            return cls()
        before = [line for line in lines if line == _BREAK or line.startswith(_DATE)]
        breaks = [place > 0 and before[place - 1] == _BREAK for place, line in enumerate(before) if line != _BREAK]
        rows = zip(durations, dates, breaks, strict=True)
        segments = tuple(Segment(numbers["MEDIA"] + place, *row) for place, row in enumerate(rows))
        return cls(segments[-LISTED:], numbers["DISCONTINUITY"])


def file_name(name: str, number: int) -> str:
    """The file of a segment, beside the playlist."""
    return f"{name}-{number}.ts"


def number_of(file: str, name: str) -> int | None:
    """The number of a segment by its file; None for a file that is no segment of this stream."""
    found = re.fullmatch(rf"{re.escape(name)}-([0-9]{{1,18}})\.ts", file)
    return int(found[1]) if found else None


def time_of_day(seconds: float) -> str:
    """Seconds since 1970 as a playlist says them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
