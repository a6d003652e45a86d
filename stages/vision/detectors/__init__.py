"""Face detectors behind one interface: each finds faces in its own way, all return the same boxes for them.

A new detector is one file with a `DetectorBackend` and one line in `DETECTORS`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import replace
from typing import Protocol

import numpy as np

from ...config.schema import THOROUGH, Detect
from ...frames import Detections
from .detector import Detector, DetectorBackend, DetectorError
from .landmarks import DEPTHS, POINTS
from .quality import ENOUGH_DETAIL, ENOUGH_SIDE, NOISE
from .views import Views

# Modules by name, so that a detector's library is imported only where that detector is used.
DETECTORS = {
    "fast": ".fast:FastBackend",
    "haar": ".haar:HaarBackend",
    "dlib": ".dlib_hog:DlibHogBackend",
    "dlib-cnn": ".dlib_cnn:DlibCnnBackend",
    "yunet": ".yunet:YuNetBackend",
}


class FaceDetector(Protocol):
    """What the stage `detect` needs of a detector."""

    def detect(self, pixels: np.ndarray) -> Detections:
        """Find the faces of one picture, uint8 (H, W, 3) BGR; the same picture gives the same answer, bit for bit."""


def make_detector(settings: Detect, doubts: bool = False) -> FaceDetector:
    """Load a detector; `settings.model` is a path that is there, if it is one at all. `doubts`: whether it also gives
    what may be a face (`Detections.doubtful`), if the detector can tell.

    Sets OpenCV to one thread in this process, which the sameness of the answers needs. Raises `DetectorError` where the
    name is unknown or the model file is missing or not one, and `CardError` where a card is wrong.
    """
    backend = backend_class(settings.detector)
    resolved = settings.resolved()
    if doubts and (least := THOROUGH.get(settings.detector)) is not None:
        told_from = backend.threshold(resolved)
        doubting = replace(resolved, threshold=min(least["doubtful"], told_from))
        same_size, smaller = backend(doubting), backend(doubting)
        views = Views(same_size, smaller, min(least["doubtful_in_views"], told_from))
        return Detector(same_size, resolved, told_from, views)
    return Detector(backend(resolved), resolved)


def settings_hash(settings: Detect) -> str:
    """Name what the detector computes, in 64 hexadecimal digits, for two hosts to compare.

    Settings, box normalization, what is made of landmarks and content of the model's file count; where it lies and the
    builds of the libraries do not, as little as for the cards of the other models. Loads no model. Raises
    `DetectorError` as `make_detector` does, but for a file that is there and is no model.
    """
    backend = backend_class(settings.detector)
    resolved = settings.resolved()
    described = {
        "detector": resolved.detector,
        "longest_side": resolved.longest_side,
        "smallest_face": float(resolved.smallest_face),
        "upright": [POINTS.tolist(), DEPTHS.tolist()],
        "quality": [ENOUGH_SIDE, ENOUGH_DETAIL, NOISE],
        "own": backend.means(resolved),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def backend_class(name: str) -> type[DetectorBackend]:
    """The class behind a name of `DETECTORS`; raises `DetectorError` for any other name."""
    if name not in DETECTORS:
        raise DetectorError(f"stages.detect.detector is {name!r}; write one of {', '.join(DETECTORS)}.")
    module, _, class_name = DETECTORS[name].partition(":")
    return getattr(importlib.import_module(module, __package__), class_name)
