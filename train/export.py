"""Turn a run into weights and a card that the stages can use.

    python -m train.export runs/emotion --name emotion           models/emotion.tflite and models/emotion.yaml
    python -m train.export runs/age --name age --precision float32

Weights are stored as float16 and computed with as float32. The card gets the temperature that fits the validation part,
the answer for the test picture, and figures on the test parts. Nothing is written unless the exported file gives
the answers of the Keras model.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np
import yaml

from stages.core.errors import FacepipeError
from stages.inference import load_model
from stages.inference.card import load_card
from stages.inference.golden import picture
from train.augment import plain
from train.data import DataError, Faces
from train.evaluate import faces_of, figures_of, group_figures
from train.fit import Progress, parts_of, scaled
from train.measures import best_temperature
from train.provenance import DATA, FIGURES_ON, LICENCES, LIMITS
from train.recipe import Recipe, read_recipe
from train.targets import probabilities

PRECISIONS = ("float16", "float32")
# Rounding weights to float16 moves probabilities by a thousandth or so; a converter that lost a layer moves them far.
LARGEST_DIFFERENCE = {"float16": 0.02, "float32": 0.001}  # of a probability
LARGEST_DIFFERENCE_YEARS = {"float16": 0.2, "float32": 0.01}
GOLDEN_TOLERANCE = {"classes": 0.01, "age": 0.1}  # of a probability; years
CHECKED = 256  # validation pictures on which the exported file must agree


class ExportError(FacepipeError):
    """The exported file does not do what the trained model does, or cannot be written."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True, help="of the card and its weights")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--precision", choices=PRECISIONS, default="float16", help="of the stored weights")
    parser.add_argument("--data", type=Path, help="where the caches are (as in the run)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        export(options.run, options.name, options.models, options.precision, options.data, say=print)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def export(run: Path, name: str, models: Path, precision: str, data: Path | None, say: Callable[[str], None]) -> None:
    """Write models/NAME.tflite and models/NAME.yaml from RUN/best.keras; ExportError if they do not agree."""
    recipe = read_recipe(run)
    if data is not None:
        recipe = recipe.with_changes({"data": str(data)})
    model = trained_model(run)
    validation = parts_of(recipe, "validation")
    logits, truth = validation_answers(model, recipe, validation)
    content = converted(model, recipe, precision)
    card = {
        "name": name,
        "file": f"{name}.tflite",
        "sha256": hashlib.sha256(content).hexdigest(),
        **contract(recipe),
        "temperature": best_temperature(logits, truth),
    }
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".export-") as folder:
        draft = Path(folder) / f"{name}.yaml"
        (Path(folder) / card["file"]).write_bytes(content)
        draft.write_text(written(card), encoding="utf-8")
        difference = check_agreement(draft, model, recipe, validation, precision, card["temperature"])
        card["golden"] = golden(draft, recipe)
        card["trained"] = provenance(run, recipe, precision)
        card["figures"] = figures(draft, recipe, f"{models.name}/{name}.yaml")
        card["limits"] = LIMITS[recipe.task]
        draft.write_text(written(card), encoding="utf-8")
        load_model(load_card(draft))  # the stages' own check, before anything in models/ changes
        (Path(folder) / card["file"]).replace(models / card["file"])
        draft.replace(models / f"{name}.yaml")
    say(
        f"{models / card['file']}: {len(content) / 1e6:.2f} MB, {precision} weights, temperature "
        f"{card['temperature']}, differs from Keras by at most {difference:.4f} on {min(CHECKED, len(truth))} pictures"
    )
    for title, row in card["figures"].items():
        say(
            f"  {title}: "
            + ", ".join(f"{key} {value}" for key, value in row.items() if key not in ("command", "groups"))
        )


def trained_model(run: Path):
    path = run / "best.keras"
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be loaded ({error}); is the run at its end?") from error


def validation_answers(model, recipe: Recipe, validation: list[Faces]) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 (N, K) and the true index int (N,); an age is the bin that it is nearest to."""
    crops = np.concatenate([plain(faces, recipe.geometry) for faces in validation])
    labels = np.concatenate([faces.labels for faces in validation])
    truth = np.rint(labels).clip(0, len(recipe.what.labels) - 1).astype(int)
    return keras_logits(model, recipe, crops), truth


def keras_logits(model, recipe: Recipe, crops: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(scaled(crops, recipe), batch_size=256, verbose=0))


def converted(model, recipe: Recipe, precision: str) -> bytes:
    """The model as a .tflite file of one face a call; the runtime decides how it batches."""
    import tensorflow as tf

    shape = (1, recipe.side, recipe.side, recipe.what.channels)
    one_face = keras.Input(batch_shape=shape, name="crop")
    # from_keras_model: from_concrete_functions gave a file without weights with TensorFlow 2.21.
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(one_face, model(one_face)))
    if precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(io.StringIO()):  # fifty lines about its own tensors
        content = converter.convert()
    smallest = model.count_params() * (2 if precision == "float16" else 4) * 0.9
    if len(content) < smallest:
        raise ExportError(
            f"The converted file has {len(content)} bytes, too few to hold the weights; nothing is written."
        )
    return content


def contract(recipe: Recipe) -> dict:
    """What the stages must do to a face before the net and with its answer after it."""
    task = recipe.what
    labels = [int(label) for label in task.labels] if task.kind == "age" else list(task.labels)
    size = {"width": recipe.side, "height": recipe.side, "channels": task.channels}
    scaling = {"dtype": "float32", "range": [recipe.low, recipe.high]}
    if task.channels == 3:
        scaling["order"] = "bgr"
    return {
        "task": task.kind,
        "input": {**size, **scaling},
        "crop": {"scale": recipe.crop_scale},
        "outputs": "logits",
        "labels": labels,
    }


def check_agreement(draft: Path, model, recipe: Recipe, validation: list[Faces], precision: str, temperature: float):
    """The largest difference between the card's answers and Keras's own; ExportError if it is too large."""
    crops = np.concatenate(
        [plain(faces.where(np.arange(len(faces)) < CHECKED), recipe.geometry) for faces in validation]
    )
    crops = crops[:CHECKED]
    answers = load_model(load_card(draft)).answers(crops)
    expected = probabilities(keras_logits(model, recipe, crops), temperature)
    allowed = LARGEST_DIFFERENCE[precision]
    if recipe.what.kind == "age":
        expected = (expected @ np.array(recipe.what.labels))[:, None]
        answers = answers[:, :1]
        allowed = LARGEST_DIFFERENCE_YEARS[precision]
    difference = float(np.abs(answers - expected).max())
    if not difference <= allowed:
        raise ExportError(
            f"The exported {precision} file differs from the Keras model by {difference:.3f}, more than {allowed}; "
            "nothing is written. Try --precision float32."
        )
    return difference


def golden(draft: Path, recipe: Recipe) -> dict:
    """The answer for the picture that the stages draw at their start."""
    card = load_card(draft)
    answer = load_model(card).answers(picture(card.geometry)[None])[0]
    return {"scores": [round(float(v), 5) for v in answer], "tolerance": GOLDEN_TOLERANCE[recipe.what.kind]}


def provenance(run: Path, recipe: Recipe, precision: str) -> dict:
    sources = list(recipe.what.sources)
    if recipe.start is not None:  # its weights come from what the other run was trained on, too
        start = read_recipe(Path(recipe.start))
        sources += [source for source in start.what.sources if source not in sources]
    return {
        "data": [DATA[source] for source in sources],
        "licence": "; ".join(LICENCES[source] for source in sources),
        "command": command(recipe),
        "run": ended(run),
        "weights": f"stored as {precision}, computed with as float32",
    }


def ended(run: Path) -> str:
    """How long the run took and where it got; a run with --seconds comes to fewer epochs on a slower machine."""
    history = Progress.read(run).history
    best = min(history, key=lambda row: row["error"])
    took = f"{len(history)} epochs in {history[-1]['seconds']:.0f} s"
    return f"{took}, best on the validation part after epoch {best['epoch']}"


def command(recipe: Recipe) -> str:
    """The command that trains this again, after those of the runs that it starts from."""
    words = ["python -m train", recipe.task, f"--epochs {recipe.epochs}", f"--seed {recipe.seed}"]
    words.append(f"--learning-rate {recipe.learning_rate:g}")
    if recipe.seconds is not None:
        words.append(f"--seconds {recipe.seconds}")
    if recipe.start is None:
        return " ".join(words)
    start = Path(recipe.start)
    return f"{command(read_recipe(start))} --out runs/{start.name} && {' '.join(words)} --from runs/{start.name}"


def figures(draft: Path, recipe: Recipe, card_name: str) -> dict:
    """Figures on the test part of every data set of FIGURES_ON whose cache is there, each with its command."""
    card = load_card(draft)
    model = load_model(card)
    found = {}
    for dataset in FIGURES_ON[recipe.task]:
        if not (Path(recipe.data) / f"{dataset}.npz").is_file():
            continue
        faces, is_grouped = faces_of(recipe.what, dataset, "test", Path(recipe.data))
        answers = model.answers(plain(faces, recipe.geometry))
        row = rounded(figures_of(card, recipe.what, answers, faces, is_grouped))
        groups = group_figures(card, recipe.what, answers, faces, is_grouped)
        row["groups"] = rounded({title: value for title, (_, _, value) in groups.items()})  # of the first figure
        row["pictures"] = len(faces)
        row["command"] = f"python -m train.evaluate {card_name} {dataset}"
        found[f"{dataset}, test part"] = row
    return found


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def written(card: dict) -> str:
    return yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


if __name__ == "__main__":
    sys.exit(main())
