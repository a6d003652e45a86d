"""What the net's answers should be, and what it costs that they are not.

Which cells answer for a face is decided by the answers themselves (SimOTA, Ge et al. 2021): of the nine cells around
its centre on each grid, those that place its box best, as many as their overlaps add up to. Their score is to be that
overlap (quality focal loss, Li et al. 2020), that of all others zero, so that of two boxes for a face the better one
wins. All is written in Keras's own operations and runs on any backend.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from stages.vision.detectors.cells import STRIDES, USUAL, cell_table
from train.data import DataError
from train.detection.crops import FACE

NEIGHBOURS = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32)
# Sides of a face, in cells, that a grid may answer for: the ranges of grids twice as coarse overlap by half.
LEAST, MOST = 0.7, 14.0
MOST_CELLS = 10
BOX_WEIGHT, POINTS_WEIGHT = 2.0, 0.5


def loss_for(side: int, head_weights: dict[str, float] | None = None):
    """The loss of answers (N, cells, 15) for square pictures of `side` pixels against what `packed` made.

    `head_weights`: "points", how much the landmarks count; 1 if it is not there. Raises `DataError` for another name.
    """
    head_weights = head_weights or {}
    if unknown := head_weights.keys() - {"points"}:
        raise DataError(f"head_weights: there is no head {min(unknown)}; write points.")
    points_weight = POINTS_WEIGHT * head_weights.get("points", 1.0)
    strides, grids = level_table(side)
    centres = ops.convert_to_tensor(cell_table(side, side))  # x, y, stride of every cell
    count = len(centres)

    def loss(wanted, answers):
        counted = wanted[:, :count]
        faces = ops.reshape(wanted[:, count:], (ops.shape(wanted)[0], -1, FACE))
        cells, allowed = candidates(faces, strides, grids)
        batch, held = ops.shape(cells)[0], ops.shape(cells)[1]
        flat = ops.reshape(cells, (batch, -1, 1))
        theirs = ops.reshape(ops.take_along_axis(answers, flat, axis=1), (batch, held, -1, answers.shape[-1]))
        places = ops.take(centres, cells, axis=0)
        boxes, points = decoded(theirs, places)
        overlap, generalised = overlaps(boxes, faces[:, :, None, 1:5])
        chosen = assigned(ops.stop_gradient(theirs[..., 0]), ops.stop_gradient(overlap), allowed, places, faces)
        quality, chosen = undisputed(chosen, ops.stop_gradient(overlap), cells, count)
        positives = ops.maximum(ops.sum(chosen), 1.0)
        score = ops.sum(quality_focal(answers[..., 0], quality) * counted)
        # A badly placed box of a small face must not count less than the fine placing of a large one: all count alike.
        place = ops.sum((1 - generalised) * chosen)
        known = chosen * faces[:, :, None, 15]
        size = ops.sqrt(faces[:, :, None, 3:4] * faces[:, :, None, 4:5]) + 1e-3
        misplaced = ops.mean(smooth((points - faces[:, :, None, 5:15]) / size), axis=-1)
        return (score + BOX_WEIGHT * place + points_weight * ops.sum(misplaced * known)) / positives

    return loss


def level_table(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Strides, and of each grid its width and the number of its first cell."""
    widths = np.array([side // stride for stride in STRIDES])
    firsts = np.concatenate([[0], np.cumsum(widths**2)[:-1]])
    return np.array(STRIDES, np.float32), np.stack([widths, firsts], axis=1)


def candidates(faces, strides: np.ndarray, grids: np.ndarray):
    """Numbers of the cells around the centre of each face, int (N, G, 27), and which of them may answer for it."""
    middle = faces[..., 1:3] + faces[..., 3:5] / 2
    side = ops.sqrt(ops.maximum(faces[..., 3] * faces[..., 4], 1e-6))
    numbers, allowed = [], []
    for stride, (width, first) in zip(strides, grids, strict=True):
        at = ops.floor(middle / stride)[:, :, None, :] + NEIGHBOURS
        inside = ops.all((at >= 0) & (at < width), axis=-1)
        at = ops.cast(ops.clip(at, 0, width - 1), "int32")
        numbers.append(at[..., 1] * int(width) + at[..., 0] + int(first))
        fits = (side / stride >= LEAST) & (side / stride <= MOST) & (faces[..., 0] > 0)
        allowed.append(inside & fits[..., None])
    return ops.concatenate(numbers, axis=-1), ops.concatenate(allowed, axis=-1)


def decoded(answers, places):
    """Boxes x, y, width, height and points of answers (..., 15) of cells (..., 3), in pixels."""
    stride = places[..., 2:3]
    size = ops.exp(ops.clip(answers[..., 3:5], -5, 5)) * (USUAL * stride)
    corner = places[..., :2] + answers[..., 1:3] * stride - size / 2
    points = answers[..., 5:15] * stride + ops.tile(places[..., :2], (1,) * (len(answers.shape) - 1) + (5,))
    return ops.concatenate([corner, size], axis=-1), points


def overlaps(boxes, faces):
    """Intersection over union of boxes, and the generalised one (Rezatofighi et al. 2019)."""
    low, high = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
    face_low, face_high = faces[..., :2], faces[..., :2] + faces[..., 2:]
    shared = ops.maximum(ops.minimum(high, face_high) - ops.maximum(low, face_low), 0)
    around = ops.maximum(high, face_high) - ops.minimum(low, face_low)
    shared, around = shared[..., 0] * shared[..., 1], around[..., 0] * around[..., 1]
    union = boxes[..., 2] * boxes[..., 3] + faces[..., 2] * faces[..., 3] - shared
    overlap = shared / ops.maximum(union, 1e-6)
    return overlap, overlap - (around - union) / ops.maximum(around, 1e-6)


def assigned(scores, overlap, allowed, places, faces):
    """Which cells answer for which face, float (N, G, 27) of 0 and 1."""
    allowed = ops.cast(allowed, "float32")
    wrong = ops.softplus(scores) - scores * overlap
    side = ops.sqrt(ops.maximum(faces[..., 3] * faces[..., 4], 1e-6))
    # While all boxes are bad their sizes would decide at random: a grid is preferred by what it is there for.
    strange = ops.abs(ops.log(side[..., None] / (USUAL * places[..., 2])))
    cost = wrong - 3 * ops.log(overlap + 1e-6) + strange + 1e4 * (1 - allowed)
    count = ops.sum(ops.top_k(overlap * allowed, MOST_CELLS)[0], axis=-1, keepdims=True)
    count = ops.clip(ops.floor(count), 1, MOST_CELLS)
    rank = ops.argsort(ops.argsort(cost, axis=-1), axis=-1)
    return ops.cast(ops.cast(rank, "float32") < count, "float32") * allowed


def undisputed(chosen, overlap, cells, count: int):
    """The score that every cell should have (N, cells), and `chosen` without the cells that fit another face better."""
    batch = ops.shape(cells)[0]
    numbers = ops.reshape(cells + ops.arange(batch)[:, None, None] * count, (-1,))
    offered = chosen * ops.maximum(overlap, 1e-3)
    most = ops.segment_max(ops.reshape(offered, (-1,)), numbers, batch * count)
    most = ops.maximum(most, 0)
    kept = ops.reshape(ops.take(most, numbers), ops.shape(offered)) <= offered
    return ops.reshape(most, (batch, count)), chosen * ops.cast(kept, "float32")


def quality_focal(logits, quality):
    share = ops.sigmoid(logits)
    return ops.square(ops.stop_gradient(ops.abs(quality - share))) * (ops.softplus(logits) - logits * quality)


def smooth(difference):
    """Huber's loss from a twentieth of the face on."""
    size = ops.abs(difference)
    return ops.where(size < 0.05, size * size / 0.1, size - 0.025)
