"""Faces from the answers of the face net: three grids of cells, each with a score, a box and five points.

The net itself gives plain numbers; what they mean stands here alone, for the stage, for training and for evaluation.
"""

from __future__ import annotations

import functools

import numpy as np

STRIDES = (8, 16, 32)  # pixels of a cell's side, of each grid; the net's picture is a multiple of the last
MOST_FACES = 500  # that are told of one picture
FARTHEST = 1e4  # cells: farther off nothing is in any picture, and products stay finite
ANSWERS = 15  # numbers of a cell: 1 score (a logit), 4 of the box, 5 points
LEAST = 1e-6  # what scores of 0 and 1 are taken for, which no logit has
USUAL = 4.0  # side of a face, in cells, for which the net says 0


@functools.lru_cache(maxsize=16)
def cell_table(height: int, width: int) -> np.ndarray:
    """Centre x, y and stride of every cell in pixels, float32 (N, 3), in the order of the net's answers."""
    grids = []
    for stride in STRIDES:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride]
        grids.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full(x.shape, stride)], axis=-1))
    table = np.concatenate([grid.reshape(-1, 3) for grid in grids]).astype(np.float32)
    table.setflags(write=False)
    return table


def padded(pixels: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) with black to the right and below, so that its sides are multiples of the coarsest stride."""
    missing = [-side % STRIDES[-1] for side in pixels.shape[:2]]
    return np.pad(pixels, [(0, missing[0]), (0, missing[1]), (0, 0)]) if any(missing) else pixels


def found(answers: np.ndarray, height: int, width: int, certain: float, same: float = 0.45, most: int = MOST_FACES):
    """The faces in what the net said of a picture: answers float32 (cells, 15) -> boxes, points, scores.

    Boxes (N, 4) x, y, width, height and points (N, 5, 2) in pixels of the net's picture, scores (N,), the surest first.
    Of boxes that overlap by more than `same` the surest stays. Numbers that are not finite are no face.
    """
    logits, certain = answers[:, 0], min(max(certain, LEAST), 1 - LEAST)
    likely = np.flatnonzero(logits > np.log(certain / (1 - certain)))
    likely = likely[np.isfinite(answers[likely]).all(axis=1)]
    likely = likely[np.argsort(-logits[likely], kind="stable")][: 8 * most]
    told, cells = answers[likely].clip(-FARTHEST, FARTHEST), cell_table(height, width)[likely]
    stride = cells[:, 2:]
    size = USUAL * stride * np.exp(np.clip(told[:, 3:5], -5, 5))
    boxes = np.concatenate([cells[:, :2] + told[:, 1:3] * stride - size / 2, size], axis=1)
    kept = surest(boxes, same, most)
    points = told[:, 5:].reshape(-1, 5, 2) * stride[:, None] + cells[:, None, :2]
    return boxes[kept], points[kept], 1 / (1 + np.exp(-told[kept, 0]))


def surest(boxes: np.ndarray, same: float, most: int) -> np.ndarray:
    """Indices of the boxes (N, 4), the surest first, that no surer one of them overlaps by more than `same`."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    areas = boxes[:, 2] * boxes[:, 3]
    left = np.arange(len(boxes))
    kept = []
    while len(left) and len(kept) < most:
        one, left = left[0], left[1:]
        kept.append(one)
        shared = np.minimum(high[left], high[one]) - np.maximum(low[left], low[one])
        shared = np.maximum(shared, 0).prod(axis=1)
        left = left[shared <= same * (areas[left] + areas[one] - shared)]
    return np.array(kept, int)
