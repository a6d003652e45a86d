"""Import a pretrained MobileNet from files of TensorFlow.js.

    python -m train.borrow faceres.json --card nets             nets/faceres.tflite and its card, for train.probe
    python -m train.borrow faceres.json --run runs/faceres --recipe side=104     a run to start from, with --from

Such models are published for browsers: NAME.json with the graph and NAME.bin with the weights next to it. Only the
MobileNet (Howard et al. 2017) of Keras is supported, by the names that Keras gives its layers.

The converter to TensorFlow.js folds batch normalisation into kernels and biases. The card uses the weights as they are.
For a run, batch normalisation is restored: its statistics are measured on training pictures, and its parameters are set
so that the model gives the same answers as before.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from pathlib import Path

import numpy as np
import yaml

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers

from stages.errors import FacepipeError
from train.augment import plain
from train.data import DataError, load
from train.export import converted
from train.files import disk_errors, whole, write_text
from train.nets import build, mobilenet
from train.provenance import RUNS, save_origin
from train.recipe import RECIPES, Recipe, save_recipe, settings_in, words_for

BLOCKS = 13  # of the whole MobileNet
MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet's pixels, which such nets subtract
SIDE = 224  # pixels that they were trained with
MEASURED = 300  # training pictures of each data set, on which batch normalisation is measured
DTYPES = {"float16": np.float16, "float32": np.float32, "int32": np.int32}

Convolution = tuple[np.ndarray, np.ndarray]  # kernel as Keras has it, and what is added to its output, by channel


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.borrow",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="NAME.json")
    parser.add_argument(
        "--card", type=Path, metavar="FOLDER", help="write a feature model and its card into this folder"
    )
    parser.add_argument("--run", type=Path, help="write a run folder with the weights of the model")
    parser.add_argument("--task", choices=RECIPES, default="gender", help="task of the run (gender)")
    parser.add_argument("--data", default="data", help="the folder of the caches of train.prepare (data)")
    parser.add_argument("--recipe", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    say = functools.partial(print, flush=True)
    try:
        given = convolutions(options.file)
        if options.card:
            with disk_errors(options.card):
                say(f"{write_card(given, options.file, options.card)}: a card for train.probe --net")
        if options.run:
            usual = RECIPES[options.task].with_changes({"architecture": "mobilenet"})
            recipe = usual.with_changes(settings_in(options.settings) | {"data": options.data})
            with disk_errors(options.run):
                write_run(given, recipe, options.run)
            words = ["train.borrow", options.file.name, "--task", recipe.task, *words_for(recipe, usual)]
            made_by = " ".join(["python -m", *words, f"--run {RUNS / options.run.name}"])
            save_origin(options.run, made_by, [about(options.file)])
            say(f"{options.run}: a run to start from, with --from")
        if not options.card and not options.run:
            raise DataError("Nothing to do: say --card FOLDER, --run RUN or both.")
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def about(file: Path) -> str:
    return f"{file.stem}: {read_graph(file).get('generatedBy') or 'nothing is said of where it comes from'}"


def read_graph(file: Path) -> dict:
    """The topology and the list of weights; DataError if it is none."""
    try:
        graph = json.loads(file.read_text(encoding="utf-8"))
        if graph["format"] != "graph-model":
            raise ValueError(f"format {graph['format']!r}")
        return graph
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); name the .json of a net.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: is not a graph model of TensorFlow.js ({error}); name the .json of one.") from error


def read_weights(file: Path, graph: dict) -> dict[str, np.ndarray]:
    """All weights by name, from the binary files that the list names; DataError where they do not fit it."""
    weights = {}
    try:
        for group in graph["weightsManifest"]:
            stored = b"".join((file.parent / path).read_bytes() for path in group["paths"])
            start = 0
            for entry in group["weights"]:
                dtype = np.dtype(DTYPES[entry.get("quantization", entry)["dtype"]])
                count = int(np.prod(entry["shape"]))
                values = np.frombuffer(stored, dtype, count, start).reshape(entry["shape"])
                weights[entry["name"]] = values.astype(DTYPES[entry["dtype"]])
                start += count * dtype.itemsize
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); put it beside {file.name}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: does not fit its weights ({error}); download both again.") from error
    return weights


def convolutions(file: Path) -> list[Convolution]:
    """Kernels and shifts of the stem and of every block's two convolutions, in their order."""
    graph = read_graph(file)
    weights = read_weights(file, graph)
    names = ["conv1", *(f"conv_{kind}_{block + 1}" for block in range(BLOCKS) for kind in ("dw", "pw"))]
    try:
        nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
        found = []
        for name in names:
            folded = weights[nodes[f"{name}_bn/batchnorm_1/mul_1"]["input"][1]]
            shift = weights[nodes[f"{name}_bn/batchnorm_1/add_1"]["input"][1]].ravel()
            if "_dw_" in name:  # Of depthwise ones the factor stands apart.
                folded = weights[nodes[f"{name}/depthwise"]["input"][1]] * folded.reshape(1, 1, -1, 1)
            found.append((folded, shift))
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"{file}: is not a MobileNet as Keras builds it (no {error}); only those are taken.") from error
    return found


def write_card(given: list[Convolution], file: Path, folder: Path) -> Path:
    """Write the whole net up to its features, 1024 numbers, as a LiteRT model with a card; returns the card."""
    pixels = keras.Input((SIDE, SIDE, 3), name="crop")
    net = keras.Model(pixels, mobilenet(pixels, 1.0, BLOCKS))
    take_over(net, given)
    folder.mkdir(parents=True, exist_ok=True)
    content = converted(net, "float32", np.empty((0, SIDE, SIDE, 3), np.uint8))
    with whole(folder / f"{file.stem}.tflite") as unfinished:
        unfinished.write_bytes(content)
    card = {
        "name": file.stem,
        "file": f"{file.stem}.tflite",
        "task": "regression",
        "input": {"width": SIDE, "height": SIDE, "channels": 3, "mean": list(MEAN_BGR), "std": 1},
        "crop": {"scale": 1.05},
        "trained": about(file).partition(": ")[2],
    }
    path = folder / f"{file.stem}.yaml"
    write_text(path, yaml.safe_dump(card, sort_keys=False, allow_unicode=True))
    return path


def write_run(given: list[Convolution], recipe: Recipe, run: Path) -> None:
    """Write a run folder whose net says, before its new head, what the given one says of the recipe's crops."""
    net = build(recipe)
    kernel, shift = given[0]
    # Ours is given pixels in [-1, 1], the other one pixels less a mean.
    shift = shift + np.einsum("hwio,i->o", kernel, 127.5 - np.array(MEAN_BGR, np.float32))
    outputs = take_over(net, [(kernel * 127.5, shift), *given[1:]])
    measure_on_training(keras.Model(net.input, outputs), net, recipe)
    run.mkdir(parents=True, exist_ok=True)
    with whole(run / "best.keras") as unfinished:
        net.save(unfinished)
    save_recipe(recipe, run)


def take_over(net: keras.Model, given: list[Convolution]) -> list:
    """Give a net of MobileNet's blocks the kernels and shifts, as many as it has; returns what normalisation gets."""
    kinds = (layers.Conv2D, layers.DepthwiseConv2D)
    mine = [layer for layer in net.layers if isinstance(layer, kinds)]
    for layer, norm, (kernel, shift) in zip(mine, normalisations(net), given, strict=False):
        if layer.kernel.shape != kernel.shape:
            raise DataError(f"{layer.name} has {layer.kernel.shape}, the other net {kernel.shape}; leave width at 1.")
        layer.set_weights([kernel])
        flat = np.ones_like(shift)
        norm.set_weights([flat * np.sqrt(1 + norm.epsilon), shift, 0 * flat, flat])
    return [layer.output for layer in mine]


def normalisations(net: keras.Model) -> list:
    return [layer for layer in net.layers if isinstance(layer, layers.BatchNormalization)]


def measure_on_training(before: keras.Model, net: keras.Model, recipe: Recipe) -> None:
    """As `measure`, on some training pictures of each of the recipe's data sets."""
    pictures = []
    rng = np.random.default_rng(recipe.seed)
    for source in recipe.repeats:
        faces = load(recipe.what, source, "train", Path(recipe.data))
        chosen = rng.permutation(len(faces))[:MEASURED]
        pictures.append(plain(faces.where(chosen), recipe.geometry))
    measure(before, net, np.concatenate(pictures))


def measure(before: keras.Model, net: keras.Model, crops: np.ndarray) -> None:
    """Set every normalisation's mean and variance to those of `before` on the crops, and the rest to undo them."""
    sums = None
    for start in range(0, len(crops), 100):
        outputs = [np.asarray(values, np.float64) for values in before(crops[start : start + 100].astype(np.float32))]
        found = [np.stack([values.sum((0, 1, 2)), (values**2).sum((0, 1, 2))]) for values in outputs]
        sums = found if sums is None else [a + b for a, b in zip(sums, found, strict=True)]
    for norm, output, (total, squares) in zip(normalisations(net), before.outputs, sums, strict=True):
        count = len(crops) * output.shape[1] * output.shape[2]
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 1e-6)
        shift = norm.get_weights()[1]
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean + shift, mean, variance])


if __name__ == "__main__":
    sys.exit(main())
