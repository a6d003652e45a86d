"""What is shown in the window beside the picture, and never in what is written: the keys, how the run goes, a face."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...answers import Answer
from ...answers.base import percent
from ...protocol.rates import Snapshot
from ..track_history import Sample
from .label_box import LabelBox, draw_label_box, lay_out
from .labels import NEUTRAL, Bar, Line, colour_of
from .text import line_height, text_mask
from .timeline import chart, label_colour, write

MARGIN = (32, 32, 32)  # BGR, of what is beside the picture
_CALM, _BUSY = (120, 200, 120), (80, 160, 255)  # BGR
_FULL = 0.9  # of the time: a stage that has more to do is the limit
_CHART_WIDTH, _CHART_HEIGHT, _CHART_HEIGHT_OF_TWO = 15, 4, 1.5  # in capitals; the last of two classes
_LEGEND = 3  # of more classes that are named below their chart
_ANY_SIZE = 100_000

Block = LabelBox | np.ndarray  # text, or a chart, uint8 (H, W, 3) BGR


class Panel(Protocol):
    """Something to be shown beside the picture."""

    def blocks(self, capital: int) -> list[Block]:
        """What it consists of, from top to bottom, with capitals of so many pixels."""


@dataclass(frozen=True, slots=True)
class LinesPanel:
    lines: tuple[Line | Bar, ...]

    def blocks(self, capital: int) -> list[Block]:
        label_box = lay_out(self.lines, capital, _ANY_SIZE, _ANY_SIZE)
        return [label_box] if label_box else []


@dataclass(frozen=True, slots=True)
class KeysPanel:
    keys: tuple[tuple[str, str], ...]  # each with what it does

    def blocks(self, capital: int) -> list[Block]:
        pad, step = _pad(capital), line_height(capital) + round(capital * 0.3)
        widths = [max(text_mask(row[column], capital).shape[1] for row in self.keys) for column in (0, 1)]
        image = np.full((len(self.keys) * step + pad, sum(widths) + 2 * pad, 3), MARGIN, np.uint8)
        for number, (key, does) in enumerate(self.keys):
            write(image, (0, pad + number * step), key, capital)
            write(image, (widths[0] + pad + pad // 2, pad + number * step), does, capital)
        return [image]


@dataclass(frozen=True, slots=True, eq=False)
class FacePanel:
    """The answers about one face over time."""

    title: Line
    now: Mapping[str, Answer]  # by stage, as the picture says it
    samples: Sequence[Sample]  # oldest first, at least one
    until: float  # seconds: the end of the axis

    def blocks(self, capital: int) -> list[Block]:
        blocks = LinesPanel((self.title,)).blocks(capital)
        stages = dict.fromkeys([*self.now, *(stage for sample in self.samples for stage in sample.answers)])
        for stage in stages:
            blocks += self._stage_blocks(stage, capital)
        return blocks

    def _stage_blocks(self, stage: str, capital: int) -> list[Block]:
        said = [(sample.time, sample.answers[stage]) for sample in self.samples if stage in sample.answers]
        when, newest = ("now", self.now[stage]) if stage in self.now else ("last", said[-1][1])
        caption = LinesPanel((Line(f"{when}: {newest.text(stage)}", colour_of(newest)),)).blocks(capital)
        known = [(time, answer) for time, answer in said if all(map(math.isfinite, answer.numbers.values()))]
        if not known:
            return caption
        times, answers = zip(*known, strict=True)
        begin = self.samples[0].time
        height = _CHART_HEIGHT_OF_TWO if len(answers[-1].shares) == 2 else _CHART_HEIGHT
        size = round(_CHART_WIDTH * capital), round(height * capital)
        small = max(8, round(capital * 0.7))
        end = max(self.until, begin + 1.0)
        timeline = chart(times, answers, (begin, end), size, small)
        return [*caption, timeline, *LinesPanel(_legend(answers, end - begin)).blocks(capital)]


def numbers(snapshot: Snapshot, processes: Mapping[str, int]) -> tuple[Line | Bar, ...]:
    """The lines of the panel: frames a second and latency; for each stage how busy it is, and its queue.

    Busy is the share of the time for which its processes were at work, 100 % where all of them always were;
    `processes`: how many there are, where there are several.
    """
    latency = "" if snapshot.latency_s is None else f"   {1000 * snapshot.latency_s:.0f} ms"
    # Work is noted when it is finished: over a short time it may come to more than there was time for.
    busy = {load.stage: min(1.0, load.work / processes.get(load.stage, 1)) for load in snapshot.loads}
    stages = (
        Bar(
            load.stage,
            _BUSY if busy[load.stage] >= _FULL else _CALM,
            busy[load.stage],
            f"{100 * busy[load.stage]:.0f} %  {load.queue} in queue",
        )
        for load in snapshot.loads
    )
    return (Line(f"{snapshot.frames_s:.1f} frames/s{latency}", NEUTRAL), *stages)


def size_of(blocks: Sequence[Block], capital: int) -> tuple[int, int]:
    """Width and height of blocks below each other, with a margin on both sides and below."""
    sizes = [_size(block) for block in blocks]
    return max(width for width, _ in sizes) + 2 * _pad(capital), sum(height for _, height in sizes) + _pad(capital)


def draw_blocks(canvas: np.ndarray, corner: tuple[int, int], blocks: Sequence[Block], capital: int) -> None:
    """Draw blocks below each other onto uint8 (H, W, 3) BGR, from their upper left corner on."""
    left, top = corner[0] + _pad(capital), corner[1]
    for block in blocks:
        if isinstance(block, LabelBox):
            draw_label_box(canvas, (left, top), block)
        else:
            height, width = block.shape[:2]
            canvas[top : top + height, left : left + width] = block
        top += _size(block)[1]


def _size(block: Block) -> tuple[int, int]:
    return block.size if isinstance(block, LabelBox) else block.shape[1::-1]


def _pad(capital: int) -> int:
    return max(2, round(capital * 0.5))


def _legend(answers: Sequence[Answer], over_s: float) -> tuple[Line | Bar, ...]:
    """The classes with the largest mean shares over the time; nothing for numbers and for two classes."""
    labels = list(answers[-1].shares)
    if len(labels) <= 2:
        return ()
    means = {label: float(np.mean([answer.shares[label] for answer in answers])) for label in labels}
    largest = sorted(means, key=means.get, reverse=True)[:_LEGEND]
    bars = (
        Bar(label, label_colour(label, place), means[label], percent(means[label]))
        for place, label in enumerate(labels)
        if label in largest
    )
    return (Line(f"mean of {over_s:.0f} s:", MARGIN), *bars)
