"""Faces as a real detector finds them, in place of where the data set says they are."""

from __future__ import annotations

import cv2
import numpy as np

from stages.detectors import make_detector
from train.augment import colour
from train.data import Faces

LONGEST_SIDE = 320  # pixels to which a picture is enlarged for the detector
SURROUND = 0.5  # of the box's side, on every side of it, that a detector wants to see
SETTINGS = {"smallest_face": 0.2, "step": 1.1, "neighbours": 4}  # of the longer side


def with_detected_boxes(faces: Faces, detector: str) -> tuple[Faces, np.ndarray]:
    """The faces that the detector finds, with its boxes, and which those are, bool (N,).

    The detector looks at the whole picture, and at nothing else where the face has surround there. Cropped faces fill
    theirs, and detectors want to see some: around these a border of half the side is repeated. Of several boxes the one
    nearest to the data set's counts.
    """
    found, boxes = np.zeros(len(faces), bool), faces.boxes.copy()
    finder = make_detector(detector, longest_side=LONGEST_SIDE, **SETTINGS)
    for i, picture in enumerate(faces.pictures):
        box = box_in(colour(picture), faces.boxes[i], finder)
        if box is not None:
            found[i], boxes[i] = True, box
    chosen = faces.where(found)
    return Faces(chosen.pictures, boxes[found], chosen.labels, chosen.groups), found


def box_in(picture: np.ndarray, expected: np.ndarray, finder) -> np.ndarray | None:
    """The normalised box, float (4,) in pixels of the picture, nearest to the expected one; None if none is near."""
    border = 0 if has_surround(picture, expected) else picture.shape[0] // 2
    wide = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE)
    factor = LONGEST_SIDE / max(wide.shape[:2])
    large = cv2.resize(wide, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    boxes = finder.detect(large).boxes / factor - np.array([border, border, 0, 0])
    overlaps = [overlap(box, expected) for box in boxes]
    return boxes[int(np.argmax(overlaps))] if overlaps and max(overlaps) > 0.2 else None


def has_surround(picture: np.ndarray, box: np.ndarray) -> bool:
    """Whether there is at least SURROUND of the box's side between it and each edge of the picture."""
    x, y, width, height = box
    room = min(x, y, picture.shape[1] - x - width, picture.shape[0] - y - height)
    return bool(room >= SURROUND * max(width, height))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    sides = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - np.maximum(one[:2], other[:2])
    both = max(0.0, sides[0]) * max(0.0, sides[1])
    return float(both / (one[2] * one[3] + other[2] * other[3] - both))
