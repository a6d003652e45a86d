"""What all detectors share: the size at which they look, one box normalization, one box per face, one order."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import cv2
import numpy as np

from ...config.schema import Detect
from ...errors import FacepipeError
from ...frames import Detections
from ..crop import BoxNormalization
from .landmarks import upright
from .views import Views

FEWEST_PIXELS = 8  # side of a normalised box below which there is too little of a face to enlarge the picture for
SAME_FACE = 0.5  # two normalised boxes that overlap by more than this (intersection over union) frame one face
DOUBTFUL = 64  # of a picture at most, the surest
_NOTHING = np.zeros((0, 4)), np.zeros(0)
OWN_POINTS = 0.2  # landmarks whose square overlaps less than this with the normalised box are none of that face


class DetectorError(FacepipeError):
    """A detector that does not exist, or whose model file is missing or not one."""


class Found(NamedTuple):
    """What a backend sees, in pixels of what it was given: overlaps, order and nonsense are seen to by the caller."""

    boxes: np.ndarray  # (N, 4): x, y, width, height, by its own idea of a face
    scores: np.ndarray  # (N,)
    landmarks: np.ndarray | None = None  # (N, 5, 2), as in `Detections`


class DetectorBackend(Protocol):
    """What one detector does in its own way."""

    # from its boxes to normalised ones, by `python -m stages.vision.detectors.measure` or by its card
    box_normalization: BoxNormalization
    colour: ClassVar[bool]  # whether it looks at BGR, else at grey
    min_face: ClassVar[float]  # pixels: side of the smallest face that it can find at all, by its own boxes

    def __init__(self, settings: Detect) -> None:
        """Load what it needs, by settings that are `resolved`; raises `DetectorError` where the model file is missing
        or not one.
        """

    @classmethod
    def means(cls, settings: Detect) -> list:
        """All of its own that decides what is found, as JSON has it: framing, threshold, content of its file.

        Raises `DetectorError` where that is missing.
        """

    def find(self, pixels: np.ndarray, smallest: float) -> Found | tuple[np.ndarray, np.ndarray]:
        """The faces of uint8 (H, W, 3) BGR or (H, W) grey; those below `smallest` pixels by its own boxes are unwanted.

        A pair of boxes and scores is as good where there are no landmarks.
        """


class Detector:
    """Makes a `FaceDetector` of a backend."""

    def __init__(
        self, backend: DetectorBackend, settings: Detect, told_from: float | None = None, views: Views | None = None
    ) -> None:
        """`told_from`: the score from which on a box is told as a face; others are `doubtful`, and so is all that is
        found in `views`. None: all are told.
        """
        # With several threads OpenCV collects Haar's hits in the order in which the threads come by, and means of them
        # differ in the last digits. One thread per process is what the pipeline wants in any case.
        cv2.setNumThreads(1)
        self._backend = backend
        self._settings, self._told_from, self._views = settings, told_from, views

    def detect(self, pixels: np.ndarray) -> Detections:
        """Find the faces of one picture, uint8 (H, W, 3) BGR."""
        height, width = pixels.shape[:2]
        smallest = self._settings.smallest_face * min(height, width)  # of a normalised box, pixels of the frame
        scale = self._scale(height, width, smallest)
        seen = _resized(pixels, scale) if self._backend.colour else _grey(pixels, scale)
        if min(seen.shape[:2]) < self._backend.min_face / 2:
            # No face has room in so thin a strip, on which a net either fails or answers at random. Half, because
            # backends also see faces that reach beyond the edge, and some a little smaller than they promise.
            return normalized_faces(Found(*_NOTHING), self._backend.box_normalization)
        smallest_seen = smallest * scale / self._backend.box_normalization.side
        # Sides are rounded to whole pixels on their own, so each has its own ratio.
        to_frame = np.array([width / seen.shape[1], height / seen.shape[0]])
        faces = self._faces(Found(*self._backend.find(seen, smallest_seen)), to_frame, smallest)
        if self._told_from is None:
            return faces
        in_views = Found(*self._views.find(seen, smallest_seen)) if self._views else Found(*_NOTHING)
        return self._told(faces, self._faces(in_views, to_frame, smallest))

    def _faces(self, found: Found, to_frame: np.ndarray, smallest: float) -> Detections:
        """In pixels of the frame, from what was found in a copy of it."""
        found = _sound(found)
        points = None if found.landmarks is None else found.landmarks * to_frame
        found = Found(found.boxes * np.tile(to_frame, 2), found.scores, points)
        return one_per_face(normalized_faces(found, self._backend.box_normalization), smallest)

    def _told(self, faces: Detections, in_views: Detections) -> Detections:
        # A surer box is never left out for a less sure one, so those that are told do not depend on the others.
        is_told = faces.scores >= self._told_from
        told, unsure = faces.where(is_told), faces.where(~is_told)
        doubtful = [*zip(unsure.boxes, unsure.scores, strict=True)]
        for box, score in zip(in_views.boxes, in_views.scores, strict=True):
            known = np.array([*told.boxes, *(other for other, _ in doubtful)]).reshape(-1, 4)
            if not len(known) or overlaps(box, known).max() <= SAME_FACE:
                doubtful.append((box, score))
        boxes, scores = np.array([box for box, _ in doubtful]).reshape(-1, 4), np.array([s for _, s in doubtful])
        surest = np.sort(np.argsort(-scores, kind="stable")[:DOUBTFUL])
        return replace(told, doubtful=boxes[surest])

    def _scale(self, height: int, width: int, smallest: float) -> float:
        """From the frame to what the backend sees.

        A large picture shrinks to `longest_side`. A small one grows, at most to `longest_side`, where the smallest face
        wanted would be too small for this backend: what a detector can find is up to the settings, not to its window.
        """
        largest = self._settings.longest_side / max(height, width)
        wanted = self._backend.min_face * self._backend.box_normalization.side / max(smallest, FEWEST_PIXELS)
        return min(largest, max(1.0, wanted))


def normalized_faces(found: Found, box_normalization: BoxNormalization) -> Detections:
    """The normalised square of every face: the upright one around its landmarks, else the one that its box leads to.

    Both are centred on the same part of a face and have the same size, so that whoever cuts need not ask which it is.
    """
    boxes, rolls, landmarks = box_normalization.normalised(found.boxes), np.zeros(len(found.boxes)), found.landmarks
    if landmarks is not None:
        squares, turns = upright(landmarks)
        is_own = overlaps(squares, boxes) >= OWN_POINTS
        boxes, rolls = np.where(is_own[:, None], squares, boxes), np.where(is_own, turns, rolls)
        landmarks = np.where(is_own[:, None, None], landmarks, np.nan)
    return Detections(boxes, found.scores, rolls, landmarks)


def one_per_face(faces: Detections, smallest: float = 0.0) -> Detections:
    """Order faces left to right, then top to bottom by their normalised boxes, and keep the most certain box of each.

    Drops boxes with a side below `smallest`; takes scores beyond [0, 1] to the nearer end.
    """
    faces = faces.where(faces.boxes[:, 2] >= smallest)
    boxes, scores = faces.boxes, np.clip(faces.scores, 0.0, 1.0)
    kept: list[int] = []
    # Equally certain boxes compete in the order of their places, lest the detector's own order decides.
    for i in np.lexsort((boxes[:, 2], boxes[:, 1], boxes[:, 0], -scores)):
        if not kept or overlaps(boxes[i], boxes[kept]).max() <= SAME_FACE:
            kept.append(i)
    order = np.lexsort((scores[kept], boxes[kept, 2], boxes[kept, 1], boxes[kept, 0]))
    return replace(faces, scores=scores).where(np.array(kept, int)[order])


def overlap(one, other) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    return float(overlaps(np.asarray(one, np.float64), np.asarray([other], np.float64))[0])


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,), or one for each (N, 4), and each of `others` (N, 4): float64 (N,)."""
    ends = np.minimum(box[..., :2] + box[..., 2:], others[:, :2] + others[:, 2:])
    common = np.clip(ends - np.maximum(box[..., :2], others[:, :2]), 0, None).prod(axis=1)
    return common / (box[..., 2] * box[..., 3] + others[:, 2] * others[:, 3] - common)


def said_of(box_normalization: BoxNormalization) -> list[float]:
    """A framing as `DetectorBackend.means` tells it."""
    return [box_normalization.side, box_normalization.right, box_normalization.down]


def sha256_of(file: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def users_file(model: str | None, detector: str, where: str) -> Path:
    """The file that the user has to bring for a detector; raises `DetectorError`, saying where there is one."""
    if model is None:
        raise DetectorError(
            f"detector {detector} needs a model file: get {where}, and add --set stages.detect.model=FILE."
        )
    file = Path(os.path.expanduser(model))
    if not os.path.isfile(file):
        raise DetectorError(
            f"stages.detect.model is {model!r}, where there is no file; detector {detector} needs {where}."
        )
    return file


def not_a_model(file: Path, detector: str, where: str) -> DetectorError:
    """What to say about a file that does not load."""
    return DetectorError(f"{file} is not a model for detector {detector}, which needs {where}.")


def _sound(found: Found) -> Found:
    """The faces whose boxes and scores are finite and that have an area, as float64."""
    boxes = np.asarray(found.boxes, dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(found.scores, dtype=np.float64).reshape(-1)
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (boxes[:, 2:] > 0).all(axis=1)
    points = found.landmarks
    points = None if points is None else np.asarray(points, dtype=np.float64).reshape(-1, 5, 2)[sound]
    return Found(boxes[sound], scores[sound], points)


def _grey(pixels: np.ndarray, scale: float) -> np.ndarray:
    return cv2.cvtColor(_resized(pixels, scale), cv2.COLOR_BGR2GRAY)


def _resized(pixels: np.ndarray, scale: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pixels
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
