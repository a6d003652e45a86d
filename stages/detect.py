"""The faces of every frame: boxes for render, and the crops that the attribute stages ask for."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from stages.core import limits
from stages.core.frames import CropGeometry, Detections
from stages.core.messages import Crops, CutCrops, Faces, Frame, boxes_hash
from stages.detectors import make_detector, settings_hash
from stages.detectors.detector import Detector
from stages.detectors.framing import cut_all
from stages.detectors.quality import marks_of
from stages.runtime.chaos import disorder_of
from stages.runtime.curve import security_of
from stages.runtime.process import Launcher, Settings, run_stage
from stages.runtime.worker import Answer, Identity, serve


def main(settings: Settings, launcher: Launcher) -> None:
    options = settings.detector
    detector = make_detector(**options)
    identity = Identity.of(settings, settings_hash(**options))
    serve(
        identity,
        settings.render,
        settings.captures,
        answerer(identity, detector),
        launcher,
        once=settings.once,
        security=security_of(settings),
        fits=is_frame,
        disorder=disorder_of(settings),
    )


def answerer(identity: Identity, detector: Detector) -> Callable[[list[Frame]], list[Answer]]:
    """What this stage does with pieces of work."""
    return lambda pieces: [_answer(identity, detector, piece) for piece in pieces]


def is_frame(piece: Frame | Crops) -> bool:
    """Whether a piece of work is one for detect."""
    return isinstance(piece, Frame)


def _answer(identity: Identity, detector, piece: Frame) -> Answer:
    started_s = time.perf_counter()
    pixels = piece.arrays[0]
    found, capped = most_certain(detector.detect(pixels), most_faces(piece.geometries))
    crops = [cut_all(pixels, found, CropGeometry(*asked[:4])) for asked in piece.geometries if len(found.boxes)]
    rectangles, rolls, marks = found.boxes.tolist(), found.rolls.tolist(), marks_of(pixels, found)
    spent = {identity.stage: time.perf_counter() - started_s}
    common = {
        "run": piece.run,
        "epoch": piece.epoch,
        "source": piece.source,
        "frame": piece.frame,
        "attempt": piece.attempt,
        "grant": piece.grant,
        "boxes": boxes_hash(rectangles, rolls),
        "spent": spent,
    }
    return Answer(
        to_render=Faces(
            replica=identity.replica,
            incarnation=identity.incarnation,
            rectangles=rectangles,
            scores=found.scores.tolist(),
            capped=capped,
            landmarks=[mark.landmarks for mark in marks],
            poses=[mark.pose for mark in marks],
            qualities=[mark.quality for mark in marks],
            **common,
        ),
        to_capture=CutCrops(faces=len(rectangles), arrays=tuple(crops), **common),
    )


def most_faces(geometries: list) -> int:
    """How many faces of a frame are cut: all that are allowed, unless the crops asked for are very large."""
    bytes_a_face = sum(width * height * channels for width, height, channels, _, _ in geometries)
    return max(1, min(limits.FACES, limits.CROP_BYTES // max(1, bytes_a_face)))


def most_certain(found: Detections, most: int) -> tuple[Detections, int]:
    """At most so many faces, those with the highest scores, in their old order; and how many were left out."""
    if len(found.boxes) <= most:
        return found, 0
    keep = np.sort(np.argsort(-found.scores, kind="stable")[:most])
    return found.where(keep), len(found.boxes) - most


if __name__ == "__main__":
    run_stage(main)
