"""Which face is which from frame to frame: each gets a number that stays with it, also while it is hidden for a moment.

A pure object that is given times and boxes, as they stand in results.jsonl, and nothing else: replaying the file brings
it into the very state that it was in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from ..protocol import limits

Box = tuple[float, float, float, float]  # x, y, width, height

# A face is looked for where its motion leads it, within so many sides of its box, more for each second out of sight.
_REACH, _REACH_A_SECOND, _FARTHEST = 0.6, 0.5, 1.0
# What else makes two boxes unlike, in sides: that one is e times as large, and a second out of sight. The second lets
# a face that was seen in the last frame go before one that has been hidden behind it.
_OTHER_SIZE, _OUT_OF_SIGHT = 0.7, 0.5
_MOTION_S = 0.25  # over which a face's velocity is averaged: detectors' boxes tremble by some hundredths of their side
_COASTING_S = 0.7  # after which a face out of sight is hardly expected to have moved on; people turn and stop
_TRUST = 0.7  # in a new box, the rest in the place that was expected


class Tracker:
    """Numbers the faces of one source. Numbers count from 1 and are never given twice."""

    def __init__(self, coast_s: float, most: int = limits.TRACKS):
        """A face out of sight for longer than `coast_s` is forgotten; beyond `most`, those seen longest ago are."""
        self.forgotten = 0  # faces forgotten because there were too many
        self._coast_s, self._most = coast_s, most
        self._tracks: list[_Track] = []  # in the order of their numbers
        self._next_id = 1
        self._now_s = -math.inf

    def update(self, time_s: float, boxes: Sequence[Box]) -> list[int]:
        """The numbers of the faces of one frame, in the order of their boxes, in pixels.

        Times are seconds that ascend; one that does not is another beginning, as after a camera was opened anew.
        """
        if time_s < self._now_s:
            self.forget()
        self._now_s = time_s
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= self._coast_s]
        found = _matches(self._tracks, boxes, time_s)
        ids = []
        for place, box in enumerate(boxes):
            track = found.get(place)
            if track is None:
                track = _Track(self._next_id, *_square(box), time_s)
                self._next_id += 1
                self._tracks.append(track)
            else:
                track.move(box, time_s)
            ids.append(track.id)
        self._forget_beyond_the_limit()
        return ids

    def forget(self) -> None:
        """What comes next shows other faces, such as the next video of a folder; numbers go on."""
        self._tracks = []
        self._now_s = -math.inf

    @property
    def ids(self) -> list[int]:
        """Who may come back: everyone in sight, and those not yet forgotten."""
        return [track.id for track in self._tracks]

    def out_of_sight(self, wider: float = 1.0, wider_a_second: float = 0.0) -> list[Box]:
        """Where those who were not found in the last frame should be by now.

        `wider`: the sides of these boxes, in units of what they were; `wider_a_second`: more for each second since.
        """
        hidden = [track for track in self._tracks if track.seen_s < self._now_s]
        return [track.around(self._now_s, wider + wider_a_second * (self._now_s - track.seen_s)) for track in hidden]

    def to_json(self) -> dict:
        """All that it knows, for `take_up` of another one."""
        tracks = [astuple(track) for track in self._tracks]
        now_s = self._now_s if math.isfinite(self._now_s) else None
        return {"next_id": self._next_id, "now_s": now_s, "forgotten": self.forgotten, "tracks": tracks}

    def take_up(self, said: dict) -> None:
        """Go on from what another one knew."""
        self._next_id, self.forgotten = int(said["next_id"]), int(said["forgotten"])
        self._now_s = -math.inf if said["now_s"] is None else float(said["now_s"])
        self._tracks = [_Track(*track) for track in said["tracks"]]

    def _forget_beyond_the_limit(self) -> None:
        if (excess := len(self._tracks) - self._most) > 0:
            self.forgotten += excess
            kept = sorted(self._tracks, key=lambda track: (track.seen_s, track.id))[excess:]
            self._tracks = sorted(kept, key=lambda track: track.id)


@dataclass(slots=True)
class _Track:
    id: int
    x: float  # of its centre, pixels
    y: float
    side: float
    seen_s: float
    right_s: float = 0.0  # velocity, pixels a second
    down_s: float = 0.0
    seen: int = 1  # in so many frames

    def expected(self, time_s: float) -> tuple[float, float]:
        """Where its centre should be, if its motion goes on and dies away."""
        path_s = _COASTING_S * (1 - math.exp(-(time_s - self.seen_s) / _COASTING_S))
        return self.x + self.right_s * path_s, self.y + self.down_s * path_s

    def around(self, time_s: float, wider: float) -> Box:
        """A box around where it should be."""
        x, y = self.expected(time_s)
        side = wider * self.side
        return x - side / 2, y - side / 2, side, side

    def move(self, box: Box, time_s: float) -> None:
        x, y, side = _square(box)
        expected_x, expected_y = self.expected(time_s)
        if passed_s := time_s - self.seen_s:
            # The first step is all that is known of the motion; later ones count by the time they took.
            weight = 1.0 if self.seen == 1 else 1 - math.exp(-passed_s / _MOTION_S)
            self.right_s += weight * (x - expected_x) / passed_s
            self.down_s += weight * (y - expected_y) / passed_s
        self.x = expected_x + _TRUST * (x - expected_x)
        self.y = expected_y + _TRUST * (y - expected_y)
        self.side += _TRUST * (side - self.side)
        self.seen_s, self.seen = time_s, self.seen + 1


def _square(box: Box) -> tuple[float, float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2, max(1.0, (width + height) / 2)


def _matches(tracks: list[_Track], boxes: Sequence[Box], time_s: float) -> dict[int, _Track]:
    """The track of each box, by its place; the likest pair is matched first, and what is too unlike is left out."""
    pairs = []
    places = [(place, *_square(box)) for place, box in enumerate(boxes)]
    for number, track in enumerate(tracks):
        expected_x, expected_y = track.expected(time_s)
        hidden_s = time_s - track.seen_s
        reach = min(_REACH + _REACH_A_SECOND * hidden_s, _FARTHEST)
        for place, x, y, side in places:
            farthest = reach * max(side, track.side)
            if abs(x - expected_x) <= farthest and abs(y - expected_y) <= farthest:
                distance = math.hypot(x - expected_x, y - expected_y) / max(side, track.side)
                unlike = distance + _OTHER_SIZE * abs(math.log(side / track.side))
                if unlike <= reach:
                    pairs.append((unlike + _OUT_OF_SIGHT * hidden_s, number, place))
    found: dict[int, _Track] = {}
    taken: set[int] = set()
    for _, number, place in sorted(pairs):
        if number not in taken and place not in found:
            taken.add(number)
            found[place] = tracks[number]
    return found
