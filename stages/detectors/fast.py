"""The detector that comes with facepipe: its own small net, whose card says how to read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.detectors.card import DetectorCard, check_file, load_detector_card
from stages.detectors.detector import Found, Settings, said_of
from stages.detectors.face_net import FaceNet

CARD = Path(__file__).resolve().parents[2] / "models" / "faces.yaml"


class FastFinder:
    """A face net on a colour picture; raises `CardError` where the card is wrong, or its file is another one."""

    colour = True
    least = 16.0  # of faces of 12 to 16 pixels it finds one in ten

    def __init__(self, settings: Settings) -> None:
        card = _card(settings)
        self._net, self._threshold = FaceNet(card), settings.threshold
        self.framing = card.framing

    @classmethod
    def means(cls, settings: Settings) -> list:
        """What its card says, and the content of the file."""
        card = _card(settings)
        threshold = card.score if settings.threshold is None else float(settings.threshold)
        return [said_of(card.framing), threshold, card.overlap, card.order, check_file(card)]

    def find(self, pixels: np.ndarray, smallest: float) -> Found:
        """The net's boxes, as people draw them around faces, its scores and landmarks."""
        boxes, landmarks, scores = self._net.find(pixels, self._threshold)
        return Found(boxes, scores, landmarks)


def _card(settings: Settings) -> DetectorCard:
    return load_detector_card(CARD if settings.model is None else Path(settings.model).expanduser())
