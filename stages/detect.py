"""The faces of every frame: boxes for render, and the crops that the attribute stages ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .frames import CropGeometry, Detections
from .program import run_stage
from .protocol import limits
from .protocol.messages import Crops, FaceCrops, Faces, Frame, hash_of_boxes
from .supervision.stage import ControlChannel, Settings
from .supervision.worker import Answer, Identity, serve
from .vision.crop import crop_faces
from .vision.detectors import FaceDetector, make_detector, settings_hash
from .vision.detectors.quality import Marks, marks_of


class FoundFaces(NamedTuple):
    """What is found in one picture."""

    faces: Detections
    capped: int  # how many more faces were left out, the least certain first
    crops: list[np.ndarray]  # for each geometry uint8 (N, height, width, channels); nothing where N is 0
    marks: list[Marks]  # of each face; nothing where the detector gives no landmarks


def main(settings: Settings, control: ControlChannel) -> None:
    detector = make_detector(settings.detector)
    identity = Identity.of(settings, settings_hash(settings.detector))
    serve(settings, control, identity, answerer(identity, detector), is_frame)


def answerer(identity: Identity, detector: FaceDetector) -> Callable[[list[Frame]], list[Answer]]:
    """What this stage does with tasks."""
    return lambda tasks: [_answer(identity, detector, task) for task in tasks]


def is_frame(task: Frame | Crops) -> bool:
    """Whether a task is one for detect."""
    return isinstance(task, Frame)


def find_faces(detector: FaceDetector, pixels: np.ndarray, geometries: Sequence[CropGeometry]) -> FoundFaces:
    """Find the faces of one picture, uint8 (H, W, 3) BGR, and cut each in these geometries."""
    faces, capped = most_certain(detector.detect(pixels), most_faces(geometries))
    crops = [crop_faces(pixels, faces, geometry) for geometry in geometries if len(faces.boxes)]
    return FoundFaces(faces, capped, crops, marks_of(pixels, faces))


def _answer(identity: Identity, detector: FaceDetector, task: Frame) -> Answer:
    started_s = time.perf_counter()
    geometries = [CropGeometry(*asked[:4]) for asked in task.geometries]
    found, capped, crops, marks = find_faces(detector, task.arrays[0], geometries)
    boxes, rolls = found.boxes.tolist(), found.rolls.tolist()
    spent = {identity.stage: time.perf_counter() - started_s}
    common = {
        "run": task.run,
        "epoch": task.epoch,
        "source": task.source,
        "frame": task.frame,
        "attempt": task.attempt,
        "grant": task.grant,
        "boxes_hash": hash_of_boxes(boxes, rolls),
        "spent": spent,
    }
    return Answer(
        to_render=Faces(
            replica=identity.replica,
            incarnation=identity.incarnation,
            boxes=boxes,
            scores=found.scores.tolist(),
            capped=capped,
            landmarks=[mark.landmarks for mark in marks],
            poses=[mark.pose for mark in marks],
            qualities=[mark.quality for mark in marks],
            **common,
        ),
        to_capture=FaceCrops(faces=len(boxes), arrays=tuple(crops), **common),
    )


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


if __name__ == "__main__":
    run_stage(main)
