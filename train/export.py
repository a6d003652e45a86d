"""Export a run as weights and a card for the stages.

    python -m train.export runs/emotion --name emotion           models/emotion.tflite and models/emotion.yaml
    python -m train.export runs/emotion --name votes --votes 1   answers like FER+'s ten people, not like FER2013
    python -m train.export runs/person --name gender --head gender  one head of a model with several
    python -m train.export runs/age --name age --precision int8 --features 640
    python -m train.export runs/age --name life --groups child=0,young=13,middle=36,old=61
    python -m train.export old.hdf5 --keras old.keras            converts a file of Keras 2 that Keras 3 rejects

Weights are stored as float16 and computed as float32, unless --precision says otherwise. With int8 all arithmetic uses
integers, so the answers are identical on every processor. The export makes float32, float16 and int8, measures them on
the validation part and lists the figures in the card. The card also gets the temperature that fits the validation part,
the answer for the test picture, and figures on the test parts. Nothing is written unless the exported file gives the
answers of the Keras model.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
import yaml

from stages.errors import FacepipeError
from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.golden import picture
from train.augment import plain
from train.data import DataError, Head, load, majority
from train.detection.export import export as export_detector
from train.evaluate import answered, corrupted_figures, group_figures
from train.files import disk_errors
from train.legacy import convert
from train.measures import best_temperature
from train.nets import build, trained_net
from train.provenance import FIGURES_ON, LIMITS, learned_from, nets_of_others, origin, weakest
from train.pruned import with_features
from train.questions import questions
from train.recipe import Recipe, read_recipe
from train.rounded import head_moved, heads_clipped
from train.stored import apart, mean_outputs, stored
from train.targets import probabilities

PRECISIONS = ("float32", "float16", "int8")
# Rounding weights to float16 moves probabilities by a thousandth or so; a converter that lost a layer moves them far.
LARGEST_DIFFERENCE = {"float32": 0.001, "float16": 0.02, "int8": 0.3}  # of a probability
LARGEST_DIFFERENCE_YEARS = {"float32": 0.02, "float16": 0.5, "int8": 8.0}
GOLDEN_TOLERANCE = {"classes": 0.01, "age": 0.1}  # of a probability; years
CHECKED = 256  # validation pictures on which the exported file must agree
CALIBRATED = 500  # training pictures, about, that int8's ranges are taken from


class ExportError(FacepipeError):
    """The exported file does not do what the trained model does, or what was asked for cannot be."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of a run."""

    name: str  # of the card and its weights
    precision: str = "float16"
    head: str | None = None  # of a net with several; None: the one that has the task's name
    votes: float = 0.0  # share of FER+'s votes in the answer, the rest is FER2013's label
    groups: tuple[tuple[str, int], ...] = ()  # names of ages with the year in which each begins: classes, no years
    features: int | None = None  # how many of the net's features are kept; None: all

    def heads(self, recipe: Recipe) -> list[Head]:
        """The heads that answer: one, or FER2013's and FER+'s."""
        by_name = {head.name: head for head in recipe.what.heads}
        name = self.head or recipe.what.heads[0].name
        if name not in by_name:
            raise ExportError(f"The run has no head {name!r}; name one of {', '.join(by_name)} with --head.")
        if not 0 <= self.votes <= 1:
            raise ExportError(f"--votes is {self.votes:g}; write a share from 0 to 1.")
        if self.votes and "votes" not in by_name:
            raise ExportError("--votes is for emotion alone: no other net has learned from votes.")
        if self.groups and by_name[name].kind != "age":
            raise ExportError("--groups is for ages alone.")
        return [by_name[name], by_name["votes"]] if self.votes else [by_name[name]]

    def group_of_bin(self, years: np.ndarray) -> np.ndarray:
        """Index of the group int (N,) of ages float (N,); younger ones than the first begins with belong to it."""
        starts = [start for _, start in self.groups]
        return (np.searchsorted(starts, years, side="right") - 1).clip(0)


def groups_in(text: str) -> tuple[tuple[str, int], ...]:
    """child=0,young=13 -> (("child", 0), ("young", 13)); ExportError for anything else."""
    pairs = [word.partition("=") for word in text.split(",")]
    if len(pairs) < 2 or not all(name and start.isdigit() for name, _, start in pairs):
        raise ExportError(f"--groups is {text!r}; write two or more, such as child=0,young=13,middle=36,old=61.")
    groups = tuple((name, int(start)) for name, _, start in pairs)
    if [start for _, start in groups] != sorted({start for _, start in groups}):
        raise ExportError(f"--groups is {text!r}; write them from the youngest to the oldest.")
    return groups


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="a run folder, or with --keras a file of Keras 2")
    parser.add_argument("--name", help="name of the card and its weights")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--precision", choices=PRECISIONS, default="float16", help="precision of the stored weights")
    parser.add_argument("--head", help="the head to export, of a model with several")
    parser.add_argument("--votes", type=float, default=0.0, help="share of FER+'s votes in an emotion (0)")
    parser.add_argument(
        "--features", type=int, help="keep this number of features, those with the largest effect (all)"
    )
    parser.add_argument("--groups", help="age groups instead of years: child=0,young=13,middle=36,old=61")
    parser.add_argument("--data", type=Path, help="the folder of the caches (that of the run)")
    parser.add_argument("--keras", type=Path, help="only convert a file of Keras 2 to this .keras file")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        if options.keras:
            with disk_errors(options.keras):
                print(convert(options.run, options.keras))
        elif options.name is None:
            raise ExportError("--name is missing; write the name of the card.")
        else:
            groups = groups_in(options.groups) if options.groups else ()
            wanted = Wanted(options.name, options.precision, options.head, options.votes, groups, options.features)
            with disk_errors(options.models):
                export(options.run, wanted, options.models, options.data, say=print)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def export(run: Path, wanted: Wanted, models: Path, data: Path | None, say: Callable[[str], None]) -> None:
    """Write models/NAME.tflite and models/NAME.yaml from RUN/best.keras; ExportError if they do not agree."""
    recipe = read_recipe(run)
    if recipe.task == "faces":
        export_detector(run, wanted.name, models, data, say)
        return
    if data is not None:
        recipe = recipe.with_changes({"data": str(data)})
    heads = wanted.heads(recipe)
    few = calibrating(recipe)
    net = answering(trained_net(run / "best.keras"), recipe, wanted, heads, few)
    crops, truth = validation_of(recipe, wanted, heads[0])
    limits = LIMITS.get(
        "votes" if wanted.votes > 0.5 else heads[0].name,
        "Not written yet: say what it is worse at, and what it is not for.",
    )
    if wanted.groups:
        heads = [dataclasses.replace(heads[0], kind="classes", labels=tuple(name for name, _ in wanted.groups))]
    logits = logits_of(net, crops)
    temperature = best_temperature(logits, truth)
    contents = {precision: content_of(net, precision, few, heads) for precision in PRECISIONS}
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".export-") as folder:
        drafts = {
            precision: draft(Path(folder), wanted.name, precision, content, recipe, heads[0], temperature)
            for precision, content in contents.items()
        }
        path = drafts[wanted.precision]
        difference = check_agreement(path, logits, crops, wanted.precision, temperature)
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
        card["golden"] = golden(path)
        card["trained"] = provenance(run, recipe, wanted)
        on_tests = {} if wanted.groups else figures(path, recipe, f"{models.name}/{wanted.name}.yaml", heads[0])
        card["figures"] = {
            **on_tests,
            "stored as, validation part": {p: stored(drafts[p], crops, truth, is_int8=p == "int8") for p in PRECISIONS},
        }
        card["limits"] = " ".join(filter(None, (limits, weakest(on_tests))))
        path.write_text(written(card), encoding="utf-8")
        load_model(load_card(path))  # the stages' own check, before anything in models/ changes
        (path.parent / card["file"]).replace(models / card["file"])
        path.replace(models / f"{wanted.name}.yaml")
    say(
        f"{models / card['file']}: {len(contents[wanted.precision]) / 1e6:.2f} MB, {wanted.precision} weights, "
        f"temperature {temperature}, off Keras by at most {difference:.4f} on {min(CHECKED, len(truth))} pictures"
    )
    for title, row in card["figures"].items():
        say(f"  {title}: " + ", ".join(f"{key} {value}" for key, value in row.items() if not isinstance(value, dict)))


def answering(trained: keras.Model, recipe: Recipe, wanted: Wanted, heads: list[Head], few: np.ndarray) -> keras.Model:
    """The trained net in float32, one face a call, with the one output that is wanted: logits."""
    net = build(recipe)  # anew: a net trained in half precision would be converted with all its casts
    net.set_weights(trained.get_weights())
    if wanted.features:
        net = with_features(net, [head.name for head in heads], wanted.features, few)
    outputs = [net.get_layer(head.name).output for head in heads]
    if len(outputs) == 2:
        labels, votes = (keras.layers.Softmax()(output) for output in outputs)
        outputs = [keras.ops.log((1 - wanted.votes) * labels + wanted.votes * votes + 1e-7)]
    if wanted.groups:
        group = np.eye(len(wanted.groups), dtype=np.float32)[wanted.group_of_bin(np.array(heads[0].labels))]
        outputs = [keras.ops.log(keras.ops.matmul(keras.layers.Softmax()(outputs[0]), group) + 1e-7)]
    geometry = recipe.geometry
    one_face = keras.Input(batch_shape=(1, geometry.height, geometry.width, geometry.channels), name="crop")
    return keras.Model(one_face, keras.Model(net.input, outputs[0])(one_face))


def validation_of(recipe: Recipe, wanted: Wanted, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Crops and the true index int (N,) of all validation parts; an age is the bin that it is nearest to."""
    crops, truth = [], []
    for source in recipe.repeats:
        try:
            faces = load(recipe.what, source, "validation", Path(recipe.data))
        except DataError:
            continue
        column = "votes" if wanted.votes > 0.5 else head.columns[0]
        if column not in faces.labels:
            continue
        labels = majority(faces) if column == "votes" else np.rint(faces.labels[column]).astype(int)
        crops.append(plain(faces, recipe.geometry)[labels >= 0])
        known = labels[labels >= 0].clip(0, len(head.labels) - 1)
        truth.append(wanted.group_of_bin(known) if wanted.groups else known)
    if not crops:
        raise DataError(f"{recipe.data}: no validation part has labels for {head.name}; prepare the data sets again.")
    return np.concatenate(crops), np.concatenate(truth)


def logits_of(net: keras.Model, crops: np.ndarray) -> np.ndarray:
    batches = keras.Model(net.layers[-1].input, net.layers[-1].output)  # the same without the limit to one face
    return np.asarray(batches.predict(crops.astype(np.float32), batch_size=256, verbose=0))


def calibrating(recipe: Recipe) -> np.ndarray:
    """Crops of training pictures, evenly spread, as many of each data set."""
    found = []
    for source in recipe.repeats:
        faces = load(recipe.what, source, "train", Path(recipe.data))
        spread = np.arange(0, len(faces), max(1, len(faces) * len(recipe.repeats) // CALIBRATED))
        found.append(plain(faces.where(spread), recipe.geometry))
    return np.concatenate(found)


def content_of(net: keras.Model, precision: str, few: np.ndarray, heads: list[Head]) -> bytes:
    """What `answering` made, as a .tflite file; int8's ranges are those of `few` crops."""
    if precision != "int8":
        return converted(net, precision, few)
    expected = logits_of(net, few).mean(axis=0)
    with heads_clipped(net.layers[-1], [head.name for head in heads], few):
        content = converted(net, precision, few)
        found = apart(mean_outputs, content, few)
        if found is None or len(heads) > 1 or len(found) != net.layers[-1].get_layer(heads[0].name).units:
            return content  # it cannot be run, or its answers are not those of one head
        with head_moved(net.layers[-1], heads[0].name, expected - found):
            return converted(net, precision, few)


def converted(net: keras.Model, precision: str, few: np.ndarray) -> bytes:
    """The net as a .tflite file of one face a call; the runtime decides how it batches."""
    import tensorflow as tf

    # from_keras_model: from_concrete_functions gave a file without weights with TensorFlow 2.21.
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        shown = few.astype(np.float32)
        shown[0].flat[:2] = 0, 255  # so that a step of the input is one of a pixel: what the card calls int8
        converter.representative_dataset = lambda: ([crop[None]] for crop in shown)
        converter.inference_input_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):  # fifty lines about its own tensors
        content = converter.convert()
    smallest = net.count_params() * {"float32": 4, "float16": 2, "int8": 1}[precision] * 0.8
    if len(content) < smallest:
        raise ExportError(
            f"The converted file has {len(content)} bytes, too few to hold the weights; nothing is written."
        )
    return content


def draft(
    place: Path, name: str, precision: str, content: bytes, recipe: Recipe, head: Head, temperature: float
) -> Path:
    """Weights and a card that says how to use them, in a folder of their own: the path of the card."""
    folder = place / precision
    folder.mkdir()
    (folder / f"{name}.tflite").write_bytes(content)
    card = {
        "name": name,
        "file": f"{name}.tflite",
        "sha256": hashlib.sha256(content).hexdigest(),
        **contract(recipe, head, precision),
        "temperature": temperature,
    }
    path = folder / f"{name}.yaml"
    path.write_text(written(card), encoding="utf-8")
    return path


def contract(recipe: Recipe, head: Head, precision: str) -> dict:
    """What the stages must do to a face before the net and with its answer after it."""
    geometry = recipe.geometry
    labels = [int(label) for label in head.labels] if head.kind == "age" else list(head.labels)
    size = {"width": geometry.width, "height": geometry.height, "channels": geometry.channels}
    # The net scales pixels itself.
    scaling = {"dtype": "int8"} if precision == "int8" else {"dtype": "float32", "range": [0, 255]}
    if geometry.channels == 3:
        scaling["order"] = "bgr"
    return {
        "task": "age" if head.kind == "age" else "classes",
        "input": {**size, **scaling},
        "crop": {"scale": recipe.crop_scale},
        "outputs": "logits",
        "labels": labels,
    }


def check_agreement(path: Path, logits: np.ndarray, crops: np.ndarray, precision: str, temperature: float) -> float:
    """The largest difference between the card's answers and Keras's own; ExportError if it is too large."""
    card = load_card(path)
    few = np.linspace(0, len(crops) - 1, min(CHECKED, len(crops))).astype(int)
    answers = load_model(card).answers(crops[few])
    expected, allowed = probabilities(logits[few], temperature), LARGEST_DIFFERENCE[precision]
    if card.task == "age":
        expected = (expected @ np.array(card.labels))[:, None]
        answers, allowed = answers[:, :1], LARGEST_DIFFERENCE_YEARS[precision]
    difference = float(np.abs(answers - expected).max())
    if not difference <= allowed:
        raise ExportError(
            f"The exported {precision} file differs from the Keras model by {difference:.3f}, more than {allowed}; "
            "nothing is written. Try --precision float32."
        )
    return difference


def golden(path: Path) -> dict:
    """The answer for the picture that the stages draw at their start."""
    card = load_card(path)
    answer = load_model(card).answers(picture(card.geometry)[None])[0]
    return {"scores": [round(float(v), 5) for v in answer], "tolerance": GOLDEN_TOLERANCE[card.task]}


def provenance(run: Path, recipe: Recipe, wanted: Wanted) -> dict:
    found = {**learned_from(run, recipe), "weights": stored_as(wanted)}
    if nets := origin(run).get("nets", []) + nets_of_others(recipe):
        found["nets of others"] = list(dict.fromkeys(nets))
    if wanted.votes:
        found["answer"] = f"{wanted.votes:.0%} FER+'s votes, the rest FER2013's label"
    return found


def stored_as(wanted: Wanted) -> str:
    computed = "int8" if wanted.precision == "int8" else "float32"
    features = f"; {wanted.features} of its features, those that its head hears most" if wanted.features else ""
    return f"stored as {wanted.precision}, computed with as {computed}{features}"


def figures(path: Path, recipe: Recipe, card_name: str, head: Head) -> dict:
    """Figures on the test part of every data set of FIGURES_ON whose cache is there, each with its command."""
    card = load_card(path)
    model = load_model(card)
    found = {}
    for dataset in FIGURES_ON.get(head.name, (recipe.task,)):
        if not (Path(recipe.data) / f"{dataset}.npz").is_file():
            continue
        for question in questions(card, dataset, "test", Path(recipe.data)):
            answers, _ = answered(model, question.faces)
            row = rounded(question.figures(card, answers))
            row["pictures"] = len(question.truth)
            row["groups"] = rounded({t: v for t, (_, _, v) in group_figures(card, question, answers).items()})
            worse = corrupted_figures(card, model, question)
            row["made worse"] = rounded({kind: value for kind, (_, value) in worse.items()})
            row["command"] = f"python -m train.evaluate {card_name} {dataset} --corrupted"
            found[f"{dataset}, test part{f', {question.title}' if question.title else ''}"] = row
    return found


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def written(card: dict) -> str:
    return yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


if __name__ == "__main__":
    sys.exit(main())
