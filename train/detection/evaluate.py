"""All detectors of the pipeline on photographs with boxes, in one table, and one detector on pictures made worse."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from stages.config.schema import Detect
from stages.vision.detectors import backend_class, make_detector
from stages.vision.detectors.card import load_detector_card
from stages.vision.detectors.detector import Detector, DetectorBackend
from stages.vision.detectors.face_net import FaceNet
from train.corruptions import CORRUPTIONS
from train.detection.crops import turned
from train.detection.data import Labels, Photographs, load
from train.detection.score import BANDS, PRECISION, SMALLEST, Matches, matched
from train.detection.yaw import PRECISION as PRECISION_OF_YAW
from train.detection.yaw import by_yaw, kinds_of

USUAL = 640  # pixels of the longest side in which sizes of faces are told
SIDES = (320, 640)  # pixels of the longest side at which a net is measured
MOST = 100  # boxes of a picture, the surest, as in COCO's evaluation
EVERY = 0.02  # score of the least sure boxes that average precision takes into account
# From a normalised box to one as people draw them around faces, in units of the normalised side: width, height, how far
# the centre lies to the right and below. Medians over the training part.
DRAWN = (0.875, 1.117, -0.010, -0.062)
# Each detector of the pipeline as it comes, and at two sizes of picture, with small faces.
WAYS: tuple[dict[str, float], ...] = ({}, *({"longest_side": side, "smallest_face": 0.03} for side in SIDES))

Find = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # a picture to boxes (N, 4) and scores (N,)
Change = Callable[[np.ndarray, Labels], tuple[np.ndarray, Labels]]  # a picture with its faces to another one


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What a detector said of all pictures, in pixels of pictures whose longest side is USUAL."""

    answers: list[tuple[np.ndarray, np.ndarray]]
    labels: list[Labels]
    milliseconds: float  # of a core for a picture

    @property
    def matches(self) -> Matches:
        return matched(self.answers, self.labels, (SMALLEST, np.inf))

    def figures(self) -> dict[str, float]:
        matches = self.matches
        return {
            "average precision": matches.average_precision(),
            "recall": matches.recall(),
            f"recall at {PRECISION:.0%} precision": matches.recall_at(PRECISION),
            **{band: matched(self.answers, self.labels, sizes).recall() for band, sizes in BANDS.items()},
            "ms": self.milliseconds,
        }


def evaluate(options: argparse.Namespace) -> Iterator[str]:
    """Lines of one table: the card's net at two sizes, then the pipeline's detectors, `fast` with this card."""
    net = FaceNet(load_detector_card(options.card))
    photographs = load(options.dataset, options.part, options.data)
    faces = sum(int((~labels.ignored).sum()) for labels in photographs.labels)
    yield f"{options.dataset} {options.part}: {len(photographs)} pictures, {faces} faces marked"
    yield f"(faces of at least {SMALLEST:.0f} pixels count, in pictures whose longest side is {USUAL})"
    table = {}
    for title, find in rows(net, options.yunet, options.dlib_cnn):
        table[title] = answered(find, photographs)
        figures = table[title].figures()
        if len(table) == 1:
            yield from heading(figures)
        yield f"| {title} | " + " | ".join(map(cell, figures, figures.values())) + " |"
    if options.yunet:
        yield from yaw_table(table, kinds_of(photographs, options.yunet))
    if options.corrupted:
        for kind, figures in corrupted_figures(net, photographs):
            yield f"  {kind}: average precision {figures['average precision']:.3f}, recall {figures['recall']:.3f}"


def heading(columns: Iterable[str]) -> Iterator[str]:
    yield "| detector and settings | " + " | ".join(columns) + " |"
    yield "| --- |" + " --- |" * len(list(columns))


def yaw_table(table: dict[str, Answered], kinds: list[np.ndarray]) -> Iterator[str]:
    """Recall by the yaw of the faces, of every row of the first table."""
    yield f"recall where {PRECISION_OF_YAW:.0%} of the boxes are faces, by the yaw of the face:"
    for number, (title, answers) in enumerate(table.items()):
        found = by_yaw(answers.answers, answers.labels, kinds)
        if not number:
            yield from heading([f"{kind}, {faces} faces" for kind, (faces, _) in found.items()])
        yield f"| {title} | " + " | ".join(cell(kind, recall) for kind, (_, recall) in found.items()) + " |"


def cell(name: str, value: float) -> str:
    return f"{value:.1f}" if name == "ms" else f"{value:.3f}".lstrip("0")


def rows(net: FaceNet, yunet: str | None, dlib_cnn: str | None) -> Iterator[tuple[str, Find]]:
    for side in SIDES:
        yield f"{net.card.name}, longest_side {side}, every score", by_net(net, side, EVERY)
        yield f"{net.card.name}, longest_side {side}", by_net(net, side, net.card.score)
    if yunet:
        make_detector(Detect(detector="yunet", model=yunet))  # says what is wrong
        for side in SIDES:
            yield f"yunet, longest_side {side}, its own boxes, every score", by_yunet(yunet, side)
    models = {"fast": str(net.card.path), "haar": None, "dlib": None, "yunet": yunet, "dlib-cnn": dlib_cnn}
    for name, model in models.items():
        if name in ("yunet", "dlib-cnn") and not model:
            continue
        for changes in WAYS:
            title = ", ".join([name, *(f"{key} {value:g}" for key, value in changes.items())])
            yield title, by_pipeline(Detect(detector=name, model=model, **changes))


def by_net(net: FaceNet, side: int, score: float) -> Find:
    def find(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shown, back = scaled(pixels, side)
        boxes, _, scores = net.find(shown, score, MOST)
        return boxes * back, scores

    return find


def by_yunet(file: str, side: int) -> Find:
    detector = cv2.FaceDetectorYN.create(file, "", (64, 64), EVERY, 0.3, 5000)

    def find(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shown, back = scaled(pixels, side)
        detector.setInputSize((shown.shape[1], shown.shape[0]))
        _, found = detector.detect(shown)
        found = np.zeros((0, 15)) if found is None else found
        return found[:, :4] * back, found[:, 14]

    return find


def by_pipeline(settings: Detect) -> Find:
    resolved = settings.resolved()
    return by_level_squares(backend_class(settings.detector)(resolved), resolved)


def by_level_squares(backend: DetectorBackend, settings: Detect) -> Find:
    """By the squares of its boxes, whether or not it gives landmarks.

    Those by landmarks follow a head that turns to its front, and people draw boxes around all of it: from a yaw of 45
    degrees on, many of them overlap such a box by less than a half, the more the better the landmarks are.
    """
    detector = Detector(_WithoutLandmarks(backend), settings)

    def find(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = detector.detect(pixels)
        return as_drawn(found.boxes), found.scores

    return find


class _WithoutLandmarks:
    """A backend, of whose answers only boxes and scores are left."""

    def __init__(self, backend: DetectorBackend) -> None:
        self._backend = backend
        self.colour, self.min_face = backend.colour, backend.min_face
        self.box_normalization = backend.box_normalization

    def find(self, pixels: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores, *_ = self._backend.find(pixels, smallest)
        return boxes, scores


def as_drawn(boxes: np.ndarray) -> np.ndarray:
    """Normalised boxes as people would have drawn them."""
    width, height, right, down = DRAWN
    side = boxes[:, 2:3]
    middle = boxes[:, :2] + side / 2 + side * [right, down]
    size = side * [width, height]
    return np.concatenate([middle - size / 2, size], axis=1)


def scaled(pixels: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture with this longest side, and what takes boxes back."""
    scale = side / max(pixels.shape[:2])
    size = [max(1, round(edge * scale)) for edge in pixels.shape[1::-1]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    back = np.array([pixels.shape[1] / size[0], pixels.shape[0] / size[1]] * 2)
    return cv2.resize(pixels, size, interpolation=way), back


def answered(find: Find, photographs: Photographs, change: Change | None = None) -> Answered:
    """What is found in every picture, as it is or changed."""
    answers, labels, spent_s = [], [], 0.0
    for index in range(len(photographs)):
        pixels, truth = np.array(photographs.picture(index)), photographs.labels[index]
        if change:
            pixels, truth = change(pixels, truth)
        before_s = time.process_time()
        boxes, scores = find(pixels)
        spent_s += time.process_time() - before_s
        scale = USUAL / max(pixels.shape[:2])
        answers.append((np.asarray(boxes).reshape(-1, 4) * scale, np.asarray(scores)))
        labels.append(Labels(truth.boxes * scale, truth.ignored, truth.points * scale))
    return Answered(answers, labels, 1000 * spent_s / len(photographs))


def corrupted_figures(net: FaceNet, photographs: Photographs) -> Iterator[tuple[str, dict[str, float]]]:
    """Figures at a longest side of 640 over whole pictures turned, dark, blurred, compressed or with covered faces."""
    for kind, change in WORSE.items():
        yield kind, answered(by_net(net, USUAL, EVERY), photographs, change).figures()


def rolled(degrees: float) -> Change:
    def change(pixels: np.ndarray, truth: Labels) -> tuple[np.ndarray, Labels]:
        height, width = pixels.shape[:2]
        side = int(np.ceil(np.hypot(width, height)))
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        matrix[:, 2] += (side - np.array([width, height])) / 2
        shown = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR)
        boxes = turned(truth.boxes, matrix, 1.0, degrees)
        points = truth.points @ matrix[:, :2].T + matrix[:, 2]
        return shown, Labels(boxes, truth.ignored, points)

    return change


def made_worse(kind: str) -> Change:
    def change(pixels: np.ndarray, truth: Labels) -> tuple[np.ndarray, Labels]:
        return CORRUPTIONS[kind].change(pixels, np.random.default_rng(1)), truth

    return change


def masked(pixels: np.ndarray, truth: Labels) -> tuple[np.ndarray, Labels]:
    """The lower half of every face painted over."""
    shown = pixels.copy()
    for x, y, w, h in truth.boxes.round().astype(int):
        shown[max(0, y + h // 2) : max(0, y + h), max(0, x) : max(0, x + w)] = (200, 190, 170)
    return shown, truth


WORSE: dict[str, Change | None] = {
    "as it is": None,
    "rolled by 15 degrees": rolled(15),
    "rolled by 30 degrees": rolled(30),
    "rolled by 45 degrees": rolled(45),
    "lower half of the face covered": masked,
    **{
        kind: made_worse(kind)
        for kind in ("grey", "a fifth of the light, noise", "noise, 15 of 255", "JPEG, quality 15")
    },
    "blurred by 2 pixels": lambda pixels, truth: (cv2.GaussianBlur(pixels, (0, 0), 2.0), truth),
}
