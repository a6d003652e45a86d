"""Charts of one face's answers over time, as small pictures: uint8 (H, W, 3) BGR."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...answers import Answer
from .labels import LABEL_COLOURS, NEUTRAL
from .text import line_height, text_mask

GROUND = (52, 52, 52)  # BGR, of a chart
_BAND, _CURVE = (110, 92, 70), (250, 200, 120)
_GAP_S, _HOLDS_S = 1.0, 0.5  # without a sample for the first the face was away, from the second after its last sample
_OTHERS = ((200, 160, 90), (120, 190, 130), (110, 140, 220), (190, 130, 190), (90, 190, 200))  # of labels without one


def chart(
    times: Sequence[float],
    answers: Sequence[Answer],
    span: tuple[float, float],
    size: tuple[int, int],
    capital: int,
) -> np.ndarray:
    """The answers of one stage, all of a kind and finite, at these times, ascending.

    Classes are shares stacked upon each other, numbers a curve, with a band from `low` to `high` where there is one.
    span: first and last time of the axis; size: width and height; capital: height of the capitals at the axis.
    """
    width, height = size
    at = np.linspace(*span, width)
    nearest, is_known = _nearest(np.array(times), at)
    if answers[0].shares:
        shares = np.array([list(answer.shares.values()) for answer in answers])
        colours = [label_colour(label, place) for place, label in enumerate(answers[0].shares)]
        image = _stacked(shares[nearest], colours, height)
        image[:, ~is_known] = GROUND
        return image
    return _curve([answer.numbers for answer in answers], nearest, is_known, height, capital)


def label_colour(label: str, place: int) -> tuple[int, int, int]:
    """The colour, BGR, of a class in a chart: its own, or that of its place among the classes."""
    return LABEL_COLOURS.get(label) or _OTHERS[place % len(_OTHERS)]


def _nearest(times: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each column the sample that holds there, int (W,), and whether there is one, bool (W,)."""
    before = np.searchsorted(times, at, side="right") - 1
    after = np.minimum(before + 1, len(times) - 1)
    nearest = np.maximum(before, 0)
    to_next = times[after] - times[nearest]
    since = at - times[nearest]
    return nearest, (before >= 0) & (since <= np.where(to_next <= _GAP_S, _GAP_S, _HOLDS_S))


def _stacked(shares: np.ndarray, colours: list[tuple[int, int, int]], height: int) -> np.ndarray:
    """Shares, float (W, L), as a picture of columns."""
    upper_ends = np.cumsum(shares, axis=1) / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    rows = (np.arange(height)[::-1, None, None] + 0.5) / height
    label = (rows > upper_ends[None]).sum(axis=2).clip(max=len(colours) - 1)
    return np.array(colours, np.uint8)[label]


def _curve(
    numbers: list[dict[str, float]], nearest: np.ndarray, is_known: np.ndarray, height: int, capital: int
) -> np.ndarray:
    name = next(iter(numbers[0]))
    middle, low, high = (
        np.array([each.get(key, each[name]) for each in numbers], float) for key in (name, "low", "high")
    )
    bottom, top = _axis(low.min(), high.max())
    image = np.full((height, len(nearest), 3), GROUND, np.uint8)
    below, centre, above = ((height - 1) * (top - values[nearest]) / (top - bottom) for values in (low, middle, high))
    rows = np.arange(height)[:, None]
    if (low < high).any():
        image[(rows >= above - 0.5) & (rows <= below + 0.5) & is_known] = _BAND
    points = np.stack([np.arange(len(nearest)), np.rint(centre)], axis=1).astype(np.int32)
    for begin, end in _stretches(is_known):
        cv2.polylines(image, [points[begin:end, None]], False, _CURVE, 2, cv2.LINE_AA)
    write(image, (0, 0), f"{top:.4g}", capital)
    write(image, (0, height - line_height(capital)), f"{bottom:.4g}", capital)
    return image


def _axis(least: float, most: float) -> tuple[float, float]:
    """Round numbers below and above."""
    step = 10 ** np.floor(np.log10(max(most - least, 1e-3 * abs(most), 1e-6)))
    bottom, top = np.floor(least / step) * step, np.ceil(most / step) * step
    return bottom, max(top, bottom + step)


def _stretches(is_known: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_known, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def write(image: np.ndarray, corner: tuple[int, int], text: str, capital: int) -> None:
    """Write onto uint8 (H, W, 3) BGR from a left upper corner on; what reaches beyond the edges is cut off."""
    mask = text_mask(text, capital)
    left, top = max(0, corner[0]), max(0, corner[1])
    region = image[top : top + mask.shape[0], left : left + mask.shape[1]]
    share = mask[: region.shape[0], : region.shape[1], None] / 255.0
    region[:] = (region * (1 - share) + np.array(NEUTRAL) * share).astype(np.uint8)
