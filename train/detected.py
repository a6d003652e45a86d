"""Faces as a real detector finds them, in place of where the data set says they are."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from stages.config.schema import Detect, Haar
from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from stages.vision.detectors import FaceDetector, make_detector
from stages.vision.detectors.detector import overlaps
from train.augment import colour
from train.data import Faces

LONGEST_SIDE = 320  # pixels to which a picture is enlarged for the detector
SURROUND = 0.5  # of the box's side, on every side of it, that a detector wants to see
SETTINGS = {"smallest_face": 0.2, "threshold": None, "haar": Haar(step=1.1, neighbours=4)}  # of the longer side
ROLLED = 2.2  # side of a picture that is rolled, in units of the box's: surround, and room for the box's corners
FARTHEST = 0.2  # least overlap of a box with the data set's for both to be about one face


def with_detected_boxes(faces: Faces, detector: str, model: str | None = None) -> tuple[Faces, np.ndarray]:
    """The faces that the detector finds, with its boxes and rolls, and which those are, bool (N,).

    The detector looks at the whole picture, and at nothing else where the face has surround there. Cropped faces fill
    theirs, and detectors want to see some: around these a border of half the side is repeated. Of several boxes the one
    nearest to the data set's counts.
    """
    found, boxes, rolls = np.zeros(len(faces), bool), faces.boxes.copy(), np.zeros(len(faces), np.float32)
    finder = make_detector(Detect(detector=detector, longest_side=LONGEST_SIDE, model=model, **SETTINGS))
    for i, picture in enumerate(faces.pictures):
        face = face_in(colour(picture), faces.boxes[i], finder)
        if face is not None:
            found[i], (boxes[i], rolls[i]) = True, face
    return dataclasses.replace(faces, boxes=boxes, rolls=rolls).where(found), found


def face_in(picture: np.ndarray, expected: np.ndarray, finder: FaceDetector) -> tuple[np.ndarray, float] | None:
    """The normalised box, float (4,) in pixels of the picture, nearest to the expected one, and its roll in degrees.

    None if none is near.
    """
    border = 0 if has_surround(picture, expected) else picture.shape[0] // 2
    wide = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE)
    factor = LONGEST_SIDE / max(wide.shape[:2])
    large = cv2.resize(wide, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    found = finder.detect(large)
    boxes = found.boxes / factor - np.array([border, border, 0, 0])
    shares = overlaps(np.asarray(expected, np.float64), boxes)
    if not len(boxes) or shares.max() <= FARTHEST:
        return None
    nearest = int(shares.argmax())
    return boxes[nearest], float(found.rolls[nearest])


def rolled(faces: Faces, degrees: float) -> Faces:
    """The faces in wider pictures that are turned clockwise around them, as heads tilt.

    Beyond a picture's edge its border is repeated, so that nothing of a face is lost at the corners of its square.
    """
    inner = round(float(np.median(faces.boxes[:, 2])))
    side = round(ROLLED * inner)
    geometry = CropGeometry(side, side, faces.pictures.shape[3], side / inner)
    each = enumerate(zip(faces.pictures, faces.boxes, strict=True))
    pictures = [crop_face(colour(picture), box, geometry, faces.roll(i) - degrees) for i, (picture, box) in each]
    boxes = np.tile(np.float32([(side - inner) / 2] * 2 + [inner] * 2), (len(faces), 1))
    return dataclasses.replace(faces, pictures=np.stack(pictures), boxes=boxes, rolls=None)


def has_surround(picture: np.ndarray, box: np.ndarray) -> bool:
    """Whether there is at least SURROUND of the box's side between it and each edge of the picture."""
    x, y, width, height = box
    room = min(x, y, picture.shape[1] - x - width, picture.shape[0] - y - height)
    return bool(room >= SURROUND * max(width, height))
