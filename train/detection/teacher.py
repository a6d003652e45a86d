"""What a detector that others have trained adds to labels: the five points of a face, and faces that have no label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from train.data import DataError
from train.detection.data import Labels

SAME = 0.4  # intersection over union from which a found face is the labelled one; boxes of two sets differ in style
UNLABELLED = 0.7  # score from which a face without a label is left out of the learning
DOUBTED = 0.5  # score from which a picture does not count as one without faces
SIDES = (640,)  # pixels of the longest side; smaller faces than it finds there are too small to place their points


class YuNetTeacher:
    """YuNet on a picture in several sizes."""

    def __init__(self, file: Path):
        try:
            self._net = cv2.FaceDetectorYN.create(str(file), "", (64, 64), 0.3, 0.3, 5000)
            self.find(
                np.zeros((64, 64, 3), np.uint8)
            )  # any ONNX file loads; only a picture shows whether it is this one
        except cv2.error as error:
            raise DataError(f"{file}: is not YuNet's model; get face_detection_yunet_2023mar.onnx.") from error

    def find(self, pixels: np.ndarray, sides: tuple[int, ...] = SIDES) -> np.ndarray:
        """Rows of x, y, width, height, ten coordinates of points, score; float32 (N, 15), the surest first."""
        rows = []
        for side in sides:
            scale = side / max(pixels.shape[:2])
            size = [max(64, round(edge * scale)) for edge in (pixels.shape[1], pixels.shape[0])]
            self._net.setInputSize(size)
            _, found = self._net.detect(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR))
            if found is not None:
                back = np.array([pixels.shape[1] / size[0], pixels.shape[0] / size[1]] * 7 + [1])
                rows.append(found * back)
        rows = np.concatenate(rows) if rows else np.zeros((0, 15))
        rows = rows[np.argsort(-rows[:, 14], kind="stable")]
        kept = []
        for row in rows:
            if not kept or overlaps(row[None, :4], np.array(kept)[:, :4]).max() < SAME:
                kept.append(row)
        return np.array(kept, np.float32).reshape(-1, 15)


def taught(
    photographs: Iterable[tuple[str, str, np.ndarray, Labels]], teacher: YuNetTeacher
) -> Iterator[tuple[str, str, np.ndarray, Labels]]:
    """The training pictures' labels with what the teacher adds; those that are measured by stay what they are."""
    for name, part, pixels, labels in photographs:
        yield name, part, pixels, with_taught(labels, teacher.find(pixels)) if part == "train" else labels


def faceless(photographs: Iterable, teacher: YuNetTeacher, skipped: Counter) -> Iterator:
    """Those in which the teacher finds hardly anything like a face; that little does not count either way."""
    for name, part, pixels, _ in photographs:
        found = teacher.find(pixels)
        if len(found) and found[0, 14] >= DOUBTED:
            skipped["picture with a face, says the teacher"] += 1
            continue
        points = found[:, 4:14].reshape(-1, 5, 2)
        yield name, part, pixels, Labels(found[:, :4], np.ones(len(found), bool), points)


def with_taught(labels: Labels, found: np.ndarray) -> Labels:
    """The labels with the teacher's points, and with what it is sure of beside them as faces to ignore."""
    points = labels.points.copy()
    if len(found) and len(labels.boxes):
        same = overlaps(labels.boxes, found[:, :4])
        best = same.argmax(axis=1)
        theirs = (same.max(axis=1) >= SAME) & np.isnan(points).any(axis=(1, 2))
        points[theirs] = found[best[theirs], 4:14].reshape(-1, 5, 2)
        alone = same.max(axis=0) < SAME
    else:
        alone = np.ones(len(found), bool)
    others = found[alone & (found[:, 14] >= UNLABELLED)]
    return Labels(
        np.concatenate([labels.boxes.reshape(-1, 4), others[:, :4]]).astype(np.float32),
        np.concatenate([labels.ignored, np.ones(len(others), bool)]),
        np.concatenate([points, others[:, 4:14].reshape(-1, 5, 2)]).astype(np.float32),
    )


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes x, y, width, height (N, 4) and (M, 4), (N, M)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum((some[:, :2] + some[:, 2:4])[:, None], (others[:, :2] + others[:, 2:4])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = some[:, 2:4].prod(axis=1)[:, None] + others[:, 2:4].prod(axis=1)[None] - shared
    return shared / np.maximum(areas, 1e-9)
