"""The detector and the nets of a configuration in one process: a picture in, what the stages say about it out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from msgspec import Struct

from .config.schema import Pipeline
from .frames import Face
from .plan import find_models, read_cards
from .vision.detectors import make_detector
from .vision.detectors.quality import Marks
from .vision.faces import faces_of
from .vision.finding import find_faces
from .vision.inference import load_model
from .vision.inference.card import Card
from .vision.inference.model import rows_of


class Answers(Struct, frozen=True, array_like=True):
    """What the stages say about one picture, N faces: as in the messages `Faces` and `Attribute`."""

    boxes: list[list[float]]  # N x 4: x, y, width, height in pixels
    scores: list[float]
    capped: int  # faces that were left out, because there were too many
    doubtful: list[list[float]]  # boxes of what may be a face
    marks: list[tuple[list[float], list[float], float | None]]  # of each face; nothing without landmarks
    rows: dict[str, list[list[float]]]  # by stage that was asked, (N, K); nothing of a picture without faces

    def faces(self, cards: dict[str, Card]) -> list[Face]:
        """The faces as they were found: neither followed nor smoothed."""
        return faces_of(self.boxes, self.scores, [Marks(*mark) for mark in self.marks], self.rows, cards)


class Analyst:
    """The detector and the nets of one configuration, loaded. Not for several threads at once."""

    def __init__(self, pipeline: Pipeline, folder: Path, doubts: bool = False):
        """`folder`: what the paths of its models count from; `doubts`: whether what may be a face is looked for.

        Raises `ConfigError`, `CardError`, `DetectorError`.
        """
        models = find_models(pipeline, folder)
        self.pipeline = pipeline
        self.cards = read_cards(pipeline, models)
        self.spent_s: Counter[str] = Counter()  # seconds of work, by stage
        self._detector = make_detector(pipeline.detect.resolved(models.get("detect")), doubts=doubts)
        attributes = pipeline.attributes()
        self._models = {stage: load_model(card, attributes[stage].device) for stage, card in self.cards.items()}

    def answers(self, pixels: np.ndarray, asked: Iterable[str] | None = None) -> Answers:
        """About one picture, uint8 (H, W, 3) BGR; `asked`: the stages that are asked, None for all."""
        asked = self.cards if asked is None else tuple(asked)
        # Equal crops are cut once, in the order of the cards, as for the stages.
        geometries = list(dict.fromkeys(card.geometry for stage, card in self.cards.items() if stage in asked))
        with self._timed("detect"):
            found = find_faces(self._detector, pixels, geometries)
        crops = dict(zip(geometries, found.crops, strict=False))  # There are none of no face.
        rows = {}
        for stage in asked if crops else ():
            with self._timed(stage):
                rows[stage] = rows_of(self._models[stage], crops[self.cards[stage].geometry]).tolist()
        faces = found.faces
        doubtful = [] if faces.doubtful is None else faces.doubtful.tolist()
        return Answers(faces.boxes.tolist(), faces.scores.tolist(), found.capped, doubtful, found.marks, rows)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began_s = time.perf_counter()
        yield
        self.spent_s[stage] += time.perf_counter() - began_s


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV computes on one thread within, as in the stages; then on as many as the caller had."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
