"""Recreate a run from a model that has a card, if the original run is lost.

    python -m train.again models/gender.yaml --task gender --run runs/gender      a run to start from, with --from
    python -m train.again models/age.yaml --task age --run runs/age               or to export again, stored differently

Weights are read from the .tflite file, with its precision. Only MobileNet is supported, as in the included models for
gender and age. Batch normalisation is measured on training pictures and set so that the model answers as before.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

from stages.errors import FacepipeError
from stages.vision.inference.card import Card, load_card
from stages.vision.inference.fields import read_mapping
from stages.vision.inference.litert import without_greeting
from train.borrow import Convolution, measure_on_training, take_over
from train.data import DataError
from train.files import disk_errors, whole
from train.nets import build
from train.provenance import RUNS, save_origin
from train.recipe import RECIPES, Recipe, save_recipe, settings_in


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.again",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("card", type=Path, metavar="CARD")
    parser.add_argument("--task", choices=("gender", "age"), required=True)
    parser.add_argument("--run", type=Path, required=True, help="write a run folder with the weights of the model")
    parser.add_argument("--data", default="data", help="the folder of the caches of train.prepare (data)")
    parser.add_argument("--recipe", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    try:
        card = load_card(options.card)
        recipe = recipe_of(card, options.task, settings_in(options.settings) | {"data": options.data})
        with disk_errors(options.run):
            write_run(card, recipe, options.run)
        print(f"{options.run}: a run to start from, with --from")
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def recipe_of(card: Card, task: str, changes: dict) -> Recipe:
    """The task's recipe for a net that is given what the card's is given."""
    given = {"architecture": "mobilenet", "side": card.geometry.width, "crop_scale": card.geometry.scale}
    return RECIPES[task].with_changes(given | changes)


def write_run(card: Card, recipe: Recipe, run: Path) -> None:
    """Write a run folder whose net answers as the card's does; origin.json has what the card says of its training."""
    given, head = weights_in(card)
    net = build(recipe)
    answers = net.get_layer(recipe.what.heads[0].name)
    if head[0].shape[1] != answers.units:
        raise DataError(f"{card.path}: answers with {head[0].shape[1]} numbers, {recipe.task} has {answers.units}.")
    outputs = take_over(net, grown(given, net))
    answers.set_weights([np.pad(head[0], ((0, answers.kernel.shape[0] - len(head[0])), (0, 0))), head[1]])
    measure_on_training(keras.Model(net.input, outputs), net, recipe)
    run.mkdir(parents=True, exist_ok=True)
    with whole(run / "best.keras") as unfinished:
        net.save(unfinished)
    save_recipe(recipe, run)
    trained = read_mapping(card.path).get("trained", {})
    save_origin(
        run, f"{trained.get('command', '')} --out {RUNS / run.name}", trained.get("nets of others", []), trained
    )


def weights_in(card: Card) -> tuple[list[Convolution], tuple[np.ndarray, np.ndarray]]:
    """Kernels and shifts of all convolutions in their order, and of the last layer; DataError if it has others."""
    try:
        with without_greeting():
            # Without a delegate: it would take the place of the operations.
            resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            opened = Interpreter(model_path=str(card.file), num_threads=1, experimental_op_resolver_type=resolver)
            opened.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{card.file}: is not a LiteRT model ({' '.join(str(error).split())}).") from error
    operations = opened._get_ops_details()
    tensors = {int(tensor["index"]): tensor for tensor in opened.get_tensor_details()}
    stored = {int(o["outputs"][0]): int(o["inputs"][0]) for o in operations if o["op_name"] == "DEQUANTIZE"}

    def values(index: int) -> np.ndarray:
        place = stored.get(int(index), int(index))
        return as_float(opened.get_tensor(place), tensors[place]["quantization_parameters"])

    found, head = [], None
    for operation in operations:
        kernel, shift = operation["inputs"][1:3] if len(operation["inputs"]) == 3 else (None, None)
        if operation["op_name"] == "CONV_2D" or operation["op_name"] == "DEPTHWISE_CONV_2D":
            found.append((values(kernel).transpose(1, 2, 3, 0), values(shift)))
        elif operation["op_name"] == "FULLY_CONNECTED":
            head = values(kernel).T, values(shift)
    if not found or head is None:
        raise DataError(f"{card.file}: has no convolutions with a last layer after them; only MobileNet is taken.")
    return found, head


def as_float(stored: np.ndarray, quantised: dict) -> np.ndarray:
    """What whole numbers stand for, by the scale of their channel; other numbers as they are."""
    scales = quantised["scales"]
    if not len(scales):
        return stored.astype(np.float32)
    shape = [1] * stored.ndim
    shape[quantised["quantized_dimension"]] = len(scales)
    return ((stored.astype(np.float64) - quantised["zero_points"].reshape(shape)) * scales.reshape(shape)).astype(
        np.float32
    )


def grown(given: list[Convolution], net: keras.Model) -> list[Convolution]:
    """With features that say nothing in the place of those that an export has left out."""
    last = [layer for layer in net.layers if isinstance(layer, layers.Conv2D)][-1]
    kernel, shift = given[-1]
    missing = (0, last.filters - len(shift))
    return [*given[:-1], (np.pad(kernel, ((0, 0), (0, 0), (0, 0), missing)), np.pad(shift, missing))]


if __name__ == "__main__":
    sys.exit(main())
