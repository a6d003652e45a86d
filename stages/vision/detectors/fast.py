"""The detector that comes with facepipe: its own small net, whose card says how to read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...config.schema import Detect
from ...project import PROJECT
from .card import DetectorCard, check_file, load_detector_card
from .detector import Found, said_of
from .face_net import FaceNet

CARD = PROJECT / "models" / "faces.yaml"

# Pixels of the shorter side of a picture; in a larger one a face that fills it is none to the net, whose cells see too
# little of it: from 240 pixels on it finds eyes rather than faces. So it looks at halves of the picture, too.
REACH = 256
LARGE = 0.35  # of REACH: smaller faces of a half are found better in the picture before
MOSTLY = 0.8  # of a box that lies in another one


class FastBackend:
    """A face net on a colour picture; raises `CardError` where the card is wrong, or its file is another one."""

    colour = True
    min_face = 16.0  # of faces of 12 to 16 pixels it finds one in ten

    def __init__(self, settings: Detect) -> None:
        card = _card(settings)
        # One for each copy: a net that has to change its size from look to look takes twice the time.
        self._nets = [FaceNet(card) for _ in range(1 + _halvings(settings.longest_side))]
        self._threshold = settings.threshold
        self.box_normalization = card.box_normalization

    @classmethod
    def threshold(cls, settings: Detect) -> float:
        """The score from which on a box is a face."""
        return _card(settings).score if settings.threshold is None else float(settings.threshold)

    @classmethod
    def means(cls, settings: Detect) -> list:
        """What its card says, and the content of the file."""
        card, threshold = _card(settings), cls.threshold(settings)
        return [
            said_of(card.box_normalization),
            threshold,
            card.overlap,
            card.order,
            REACH,
            LARGE,
            MOSTLY,
            check_file(card),
        ]

    def find(self, pixels: np.ndarray, smallest: float) -> Found:
        """The net's boxes, as people draw them around faces, its scores and landmarks."""
        seen, looks = pixels, [self._look(0, pixels)]
        while min(seen.shape[:2]) > REACH:
            seen = cv2.resize(seen, (seen.shape[1] // 2, seen.shape[0] // 2), interpolation=cv2.INTER_AREA)
            boxes, scores, landmarks = self._look(len(looks), seen)
            large = boxes[:, 2:].max(axis=1, initial=0) > LARGE * REACH
            scale = np.array(pixels.shape[1::-1]) / seen.shape[1::-1]
            looks.append(Found(boxes[large] * np.tile(scale, 2), scores[large], landmarks[large] * scale))
        return _without_parts(Found(*map(np.concatenate, zip(*looks, strict=True)))) if looks[1:] else looks[0]

    def _look(self, halvings: int, seen: np.ndarray) -> Found:
        """What the net finds in the picture, or in a smaller copy, in pixels of that."""
        boxes, landmarks, scores = self._nets[halvings].find(seen, self._threshold)
        return Found(boxes, scores, landmarks)


def _halvings(longest_side: int) -> int:
    """How many smaller copies are looked at, at most, of a picture that is no larger than this."""
    return 0 if longest_side <= REACH else 1 + _halvings(longest_side // 2)


def _without_parts(found: Found) -> Found:
    """Without what lies in the box of a surer find: its eyes, or the same face once more."""
    low, high = found.boxes[:, None, :2], found.boxes[:, None, :2] + found.boxes[:, None, 2:]
    inside = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
    shares = inside.clip(0).prod(axis=2) / found.boxes[:, None, 2:].prod(axis=2)
    surer = found.scores[None] > found.scores[:, None]
    kept = ~((shares > MOSTLY) & surer).any(axis=1)
    return Found(found.boxes[kept], found.scores[kept], found.landmarks[kept])


def _card(settings: Detect) -> DetectorCard:
    return load_detector_card(CARD if settings.model is None else Path(settings.model).expanduser())
