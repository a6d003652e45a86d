"""Measure the model of a card on a data set, with the same crop, scaling and temperature as the stages.

python -m train.evaluate models/emotion.yaml fer2013             the test part
python -m train.evaluate models/gender.yaml fairface --part validation
python -m train.evaluate models/age.yaml utkface --corrupted     also on degraded pictures, one row per kind
python -m train.evaluate models/gender.yaml utkface --detector haar --ten-crop
python -m train.evaluate models/gender.yaml fairface_wide --part validation --detector haar    in whole pictures
python -m train.evaluate models/gender.yaml utkface --part validation --detector yunet --detector-model FILE --rolled
python -m train.evaluate mine/glasses.yaml glasses --data data
python -m train.evaluate models/faces.yaml faces_boxes --part validation --yunet FILE     all detectors, in one table

Accepts the files of every runtime: .tflite, .onnx, .keras, .h5, SavedModel.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.errors import FacepipeError
from stages.vision.detectors import DETECTORS
from stages.vision.inference import load_model
from stages.vision.inference.card import Card, load_card
from stages.vision.inference.fields import read_mapping
from train.augment import moved, plain
from train.corruptions import CORRUPTIONS, corrupted
from train.data import PARTS, Faces
from train.detected import rolled, with_detected_boxes
from train.detection.evaluate import evaluate as of_detectors
from train.measures import in_years
from train.questions import Question, questions

HELD_OUT_NAMES = {"fer2013": {"validation": "PublicTest", "test": "PrivateTest"}}
CORRUPTED = 1000  # pictures for each kind of corruption, evenly spread; up to 1,999, because every n-th is taken
ROLLED = 1000  # pictures for each roll, chosen alike
ROLLS = (0, 15, 30, 45)  # degrees
# Ten-crop: the middle and four places around it, each also in the mirror.
SHIFTS = ((0, 0), (-0.06, -0.06), (0.06, -0.06), (-0.06, 0.06), (0.06, 0.06))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("dataset", help="a cache in --data: utkface, fairface_wide, ... or one of your own")
    parser.add_argument("--part", choices=PARTS, default="test")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="the folder of the caches of train.prepare (data)"
    )
    parser.add_argument("--detector", choices=DETECTORS, help="find the faces instead of using the data set's boxes")
    parser.add_argument("--detector-model", metavar="FILE", help="model file of a detector that needs one")
    parser.add_argument(
        "--rolled", action="store_true", help="measure in tilted pictures, with upright and level squares"
    )
    parser.add_argument("--ten-crop", action="store_true", help="average over five crops and their mirror images")
    parser.add_argument("--corrupted", action="store_true", help="also measure the first figure on degraded pictures")
    parser.add_argument("--yunet", metavar="FILE", help="for the card of a detector: YuNet's model, for the table")
    parser.add_argument("--dlib-cnn", metavar="FILE", help="the same with the model of dlib's CNN detector")
    options = parser.parse_args(arguments)
    if options.rolled and not options.detector:
        parser.error("--rolled measures what a detector makes of tilted faces; say which, with --detector")
    cv2.setNumThreads(1)
    try:
        detector = read_mapping(options.card).get("task") == "faces"
        for line in of_detectors(options) if detector else evaluate(options):
            print(line, flush=True)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def evaluate(options: argparse.Namespace) -> Iterator[str]:
    """Lines to print: figures over the whole part, over each of its groups, and over what was made worse."""
    card = load_card(options.card)
    model = load_model(card)
    held_out = HELD_OUT_NAMES.get(options.dataset, {}).get(options.part, options.part)
    for question in questions(card, options.dataset, options.part, options.data):
        if options.rolled:
            yield f"{card.name} on {options.dataset} {held_out}, by {options.detector}:"
            yield from rolled_figures(card, model, question, options.detector, options.detector_model)
            continue
        if options.detector:
            faces, found = with_detected_boxes(question.faces, options.detector, options.detector_model)
            yield f"{options.detector} found a face in {found.mean():.1%} of {len(found)} pictures; only these count"
            question = dataclasses.replace(question.where(found), faces=faces)
        answers, milliseconds = answered(model, question.faces, options.ten_crop)
        title = f"{options.dataset} {held_out}{f', {question.title}' if question.title else ''}"
        yield f"{card.name} on {title}: {len(question.truth)} pictures, {milliseconds:.2f} ms of one core a face"
        yield from (f"  {name}: {formatted(name, value)}" for name, value in question.figures(card, answers).items())
        groups = group_figures(card, question, answers)
        for group, (count, name, value) in groups.items():
            yield f"  {group}, {count} pictures: {name} {formatted(name, value)}"
        yield from (f"  {line}" for line in gaps(question, groups))
        if options.corrupted:
            for kind, (name, value) in corrupted_figures(card, model, question).items():
                yield f"  {kind}: {name} {formatted(name, value)}"


def answered(model, faces: Faces, ten_crop: bool = False) -> tuple[np.ndarray, float]:
    """`Model.answers` float (N, K) for all faces, and the milliseconds of a processor's time that one takes."""
    geometry = model.card.geometry
    if not ten_crop:
        crops = plain(faces, geometry)
        started = time.process_time()
        answers = model.answers(crops)
        return answers, 1000 * (time.process_time() - started) / len(faces)
    started, views = time.process_time(), []
    for shift in SHIFTS:
        boxes = np.array([moved(box, np.array(shift), 1.0) for box in faces.boxes])
        crops = plain(dataclasses.replace(faces, boxes=boxes), geometry)
        views += [model.answers(crops), model.answers(np.ascontiguousarray(crops[:, :, ::-1]))]
    return np.mean(views, axis=0), 1000 * (time.process_time() - started) / len(faces)


def group_figures(card: Card, question: Question, answers: np.ndarray) -> dict[str, tuple[int, str, float]]:
    """For each group its number of pictures and the first figure: (count, name, value)."""
    found = {}
    for title, chosen in question.groups():
        figures = question.where(chosen).figures(card, answers[chosen])
        found[title] = (int(chosen.sum()), *next(iter(figures.items())))
    return found


def gaps(question: Question, figures: dict[str, tuple[int, str, float]]) -> Iterator[str]:
    """A line for each kind of group that has three or more: how far the best and the worst are apart."""
    for kind in question.faces.groups:
        of_kind = {title: row for title, row in figures.items() if title.startswith(f"{kind} ")}
        if len(of_kind) < 3:
            continue
        name = next(iter(of_kind.values()))[1]
        ordered = sorted((value, title) for title, (_, _, value) in of_kind.items())
        best, worst = (ordered[0], ordered[-1]) if in_years(name) else (ordered[-1], ordered[0])
        difference = abs(best[0] - worst[0])
        apart = f"{difference:.2f}" if in_years(name) else f"{100 * difference:.1f} points"
        ends = " to ".join(f"{title} ({formatted(name, value)})" for value, title in (best, worst))
        yield f"largest gap by {kind}: {name} {apart}, from {ends}"


def corrupted_figures(card: Card, model, question: Question) -> dict[str, tuple[str, float]]:
    """The first figure over about CORRUPTED pictures as they are, and made worse in every way: (name, value)."""
    few = some_of(question, CORRUPTED)
    found = {}
    for kind in CORRUPTIONS:
        crops = corrupted(few.faces, card.geometry, kind, seed=1)
        found[kind] = next(iter(few.figures(card, model.answers(crops)).items()))
    return found


def rolled_figures(card: Card, model, question: Question, detector: str, file: str | None) -> Iterator[str]:
    """For each roll the first figure over about ROLLED faces, cut upright and level, in a line."""
    few = some_of(question, ROLLED)
    for degrees in ROLLS:
        faces, found = with_detected_boxes(rolled(few.faces, degrees), detector, file)
        heading = f"  rolled by {degrees} degrees: found {found.mean():.1%} of {len(found)}"
        if not found.any():
            yield heading
            continue
        ways, asked = {"upright": faces, "level": dataclasses.replace(faces, rolls=None)}, few.where(found)
        said = {
            way: next(iter(asked.figures(card, answered(model, cut_so)[0]).items())) for way, cut_so in ways.items()
        }
        figures = ", ".join(f"{formatted(name, value)} {way}" for way, (name, value) in said.items())
        yield f"{heading}; {said['upright'][0]} {figures}"


def some_of(question: Question, count: int) -> Question:
    """About so many of the pictures, evenly spread."""
    step = max(1, len(question.truth) // count)
    return question.where(np.arange(0, len(question.truth), step))


def formatted(name: str, value: float) -> str:
    return f"{value:.2f}" if in_years(name) else f"{value:.1%}"


if __name__ == "__main__":
    sys.exit(main())
