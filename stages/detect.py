"""The faces of every frame: boxes for render, and the crops that the attribute stages ask for."""

from __future__ import annotations

import time
from collections.abc import Callable

from .frames import CropGeometry
from .program import run_stage
from .protocol.messages import Crops, FaceCrops, Faces, Frame, hash_of_boxes
from .supervision.stage import ControlChannel, Settings
from .supervision.worker import Answer, Identity, serve
from .vision.detectors import FaceDetector, make_detector, settings_hash
from .vision.finding import find_faces


def main(settings: Settings, control: ControlChannel) -> None:
    detector = make_detector(settings.detector, doubts=settings.pipeline.render.blur != "none")
    identity = Identity.of(settings, settings_hash(settings.detector))
    serve(settings, control, identity, answerer(identity, detector), is_frame)


def answerer(identity: Identity, detector: FaceDetector) -> Callable[[list[Frame]], list[Answer]]:
    """What this stage does with tasks."""
    return lambda tasks: [_answer(identity, detector, task) for task in tasks]


def is_frame(task: Frame | Crops) -> bool:
    """Whether a task is one for detect."""
    return isinstance(task, Frame)


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
            doubtful=[] if found.doubtful is None else found.doubtful.tolist(),
            landmarks=[mark.landmarks for mark in marks],
            poses=[mark.pose for mark in marks],
            qualities=[mark.quality for mark in marks],
            **common,
        ),
        to_capture=FaceCrops(faces=len(boxes), arrays=tuple(crops), **common),
    )


if __name__ == "__main__":
    run_stage(main)
