"""What is said about one face, made steady over time: labels that do not flicker and ages that do not jump.

Pure, like the tracker, and for the same reason: it is given times and answers as they stand in results.jsonl.

Every estimate is a weighted mean over the past, in which what is older by a time constant counts 1/e of it. An answer
counts by the time that it stands for, so that the frame rate does not matter, and by the quality of its picture: a face
half turned away says less than one that looks into the camera. The mean is not made surer by the number of frames:
frames of one face are hardly different pictures, and a net that is wrong about one is wrong about them all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..answers import Answer, answer_from

_FIRST_S = 0.04  # what the first answer counts as, for nothing came before it
_LONGEST_S = 0.2  # an answer after a gap is one look at a face, and does not stand for all the time before it
_LEAST_COUNTS = 1e-3  # of an answer about the poorest picture: as long as there is no better one, it is what is known
_MOMENTARY = {"emotion"}  # what comes and goes; others, such as gender, are one truth seen through noise


class Smoother:
    """Everything that is said about one face."""

    def __init__(self, over_s: Mapping[str, float], hold_s: float):
        """`over_s`: the time constant of each stage, in the order of the answers given back.

        What a stage said last is given on for up to `hold_s` seconds where an answer is missing.
        """
        self._over_s, self._hold_s = over_s, hold_s
        self._means: dict[str, _Mean] = {}

    def update(self, time_s: float, answers: Mapping[str, Answer], counts: float = 1.0) -> dict[str, Answer]:
        """Take what is said about the face at a time; return it smoothed, rounded as it is written.

        `counts`: how much these answers do, in [0, 1], beside others: the quality of the picture that they are about.
        What is averaged, and how much one answer counts beside another, is known to each kind of answer.
        """
        for stage, answer in answers.items():
            numbers = answer.to_average(stage in _MOMENTARY)
            if stage in self._over_s and all(map(math.isfinite, numbers)):
                mean = self._means.setdefault(stage, _Mean(answer))
                mean.add(answer, numbers, answer.weight * max(counts, _LEAST_COUNTS), time_s, self._over_s[stage])
        held = {stage: m for stage in self._over_s if (m := self._means.get(stage)) and m.is_held(time_s, self._hold_s)}
        return {s: m.last.from_average(m.numbers, s in _MOMENTARY).rounded() for s, m in held.items()}

    def to_json(self) -> dict:
        """All that it knows, for `take_up` of another one."""
        return {stage: [m.last.to_json(), m.numbers, m.weight, m.time_s] for stage, m in self._means.items()}

    def take_up(self, said: dict) -> Smoother:
        """Go on from what another one knew; returns itself."""
        self._means = {stage: _Mean(answer_from(last), *known) for stage, (last, *known) in said.items()}
        return self


@dataclass(slots=True)
class _Mean:
    last: Answer  # the newest one: what kind of answer it is, and its labels
    numbers: list[float] = field(default_factory=list)
    weight: float = 0.0
    time_s: float = 0.0

    def add(self, answer: Answer, numbers: Sequence[float], weight: float, time_s: float, over_s: float) -> None:
        if not self.weight or over_s <= 0:
            self.numbers, self.weight = list(numbers), weight * _counts(_FIRST_S, over_s)
        else:
            passed_s = time_s - self.time_s
            old = self.weight * math.exp(-passed_s / over_s)
            new = weight * _counts(min(passed_s, _LONGEST_S), over_s)
            self.weight = max(old + new, 1e-30)  # After hours out of sight nothing would be left to divide by.
            share = new / self.weight
            self.numbers = [a + share * (b - a) for a, b in zip(self.numbers, numbers, strict=True)]
        self.last, self.time_s = answer, time_s

    def is_held(self, time_s: float, hold_s: float) -> bool:
        return time_s - self.time_s <= hold_s


def _counts(seconds: float, over_s: float) -> float:
    """The weight of an answer that stands for so many seconds."""
    return 1 - math.exp(-seconds / over_s) if over_s > 0 else 1.0
