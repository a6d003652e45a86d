"""The faces of one picture: found, cut for the nets, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..frames import CropGeometry, Detections
from ..protocol import limits
from .crop import crop_faces
from .detectors.quality import Marks, marks_of

if TYPE_CHECKING:
    from .detectors import FaceDetector


class FoundFaces(NamedTuple):
    """What is found in one picture."""

    faces: Detections
    capped: int  # how many more faces were left out, the least certain first
    crops: list[np.ndarray]  # for each geometry uint8 (N, height, width, channels); nothing where N is 0
    marks: list[Marks]  # of each face; nothing where the detector gives no landmarks


def find_faces(detector: FaceDetector, pixels: np.ndarray, geometries: Sequence[CropGeometry]) -> FoundFaces:
    """Find the faces of one picture, uint8 (H, W, 3) BGR, and cut each in these geometries."""
    faces, capped = most_certain(detector.detect(pixels), most_faces(geometries))
    crops = [crop_faces(pixels, faces, geometry) for geometry in geometries if len(faces.boxes)]
    return FoundFaces(faces, capped, crops, marks_of(pixels, faces))


def most_faces(geometries: Sequence[CropGeometry]) -> int:
    """How many faces of a frame are cut: all that are allowed, unless the crops asked for are very large."""
    bytes_a_face = sum(crop.width * crop.height * crop.channels for crop in geometries)
    return max(1, min(limits.FACES, limits.CROP_BYTES // max(1, bytes_a_face)))


def most_certain(found: Detections, most: int) -> tuple[Detections, int]:
    """At most so many faces, those with the highest scores, in their old order; and how many were left out."""
    if len(found.boxes) <= most:
        return found, 0
    keep = np.sort(np.argsort(-found.scores, kind="stable")[:most])
    return found.where(keep), len(found.boxes) - most
