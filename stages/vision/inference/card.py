"""The model card: all that is known about a model, so that no preprocessing constant lives anywhere else.

    name: emotion
    file: emotion.tflite         # beside the card: .tflite, .onnx, .keras, .h5, .hdf5, or a SavedModel folder
    sha256: 9f2c…                # of the file; of a folder: `file_sha256`
    task: classes                # classes | age | regression
    input: {width: 64, height: 64, channels: 1, dtype: float32, range: [-1, 1]}
    crop: {scale: 1.3}
    output_name: emotion         # which output, of a net with several
    outputs: logits              # logits | probabilities (default); two labels: also one sigmoid, for the second
    labels: [angry, happy, …]    # in the order of the net's outputs; age: the centres of its bins in years, ascending
    keep: [angry, happy]         # shown and renormalised over these
    groups: {child: 0, young: 13}    # age: names of ages in place of years, and the year in which each begins
    temperature: 1.18
    golden: {scores: [0.9, …], tolerance: 0.01}    # what `Model.answers` gives for `golden.picture`
    runtime: auto                # of a .onnx: auto | onnxruntime | opencv
    trained: {…}                 # for the reader, as are figures and limits

Of `input`: `range` is where pixels 0 to 255 are mapped to; in its place `mean` and `std` give (pixel - mean) / std, in
pixel values 0 to 255, one number or one for each channel in the order of the net. `order: rgb` turns the crop's BGR
around; the default is bgr. uint8 nets get the pixels as they are, int8 nets the pixels minus 128, as quantised nets for
pictures have it. `layout` is the order of the net's axes: nhwc, the channels last, or nchw, the channels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...answers import KINDS
from ...frames import CropGeometry
from ...protocol import limits
from .fields import CardError, Fields, between, list_of, number, one_of, positive, read_card, sha256, text, whole

OUTPUTS = ("probabilities", "logits")
DTYPES = ("float32", "uint8", "int8")
ORDERS = ("bgr", "rgb")
LAYOUTS = ("nhwc", "nchw")
ONNX_RUNTIMES = ("auto", "onnxruntime", "opencv")
LARGEST_SIDE = limits.CROP_SIDE
MOST_LABELS = 1024
MOST_SHOWN = 64  # what the header of a message has room for


@dataclass(frozen=True, slots=True)
class Input:
    """How the pixels of a crop become the numbers of the net: pixel * scale + offset."""

    dtype: str  # float32 | uint8 | int8
    order: str  # bgr | rgb
    scale: tuple[float, ...]  # one per channel, in the order of the net
    offset: tuple[float, ...]
    layout: str = "nhwc"  # nhwc | nchw: the order of the net's axes


@dataclass(frozen=True, slots=True)
class Golden:
    """What the model must say about the test picture."""

    scores: tuple[float, ...]  # one row of `Model.answers`
    tolerance: float


@dataclass(frozen=True, slots=True)
class Card:
    """A model card that was read and checked; its model was not opened."""

    path: Path  # of the card
    name: str
    file: Path  # the weights
    sha256: str | None
    task: str  # one of `KINDS`
    input: Input
    geometry: CropGeometry  # the crop that the model wants
    outputs: str  # logits | probabilities; no meaning without labels
    labels: tuple[str, ...] | tuple[float, ...]  # classes: words; age: bin centres in years; others: none
    keep: tuple[str, ...]  # () for all
    temperature: float
    golden: Golden | None
    runs_code: bool = False  # whether program code in the file may run: Lambda layers
    groups: tuple[tuple[str, float], ...] = ()  # age: names of ages with the year in which each begins; () for years
    output_name: str | None = None  # of the net's outputs; None: it has one
    runtime: str = "auto"  # of a .onnx: one of `ONNX_RUNTIMES`

    @property
    def shown(self) -> tuple[str, ...]:
        """What the columns of `Model.answers` are."""
        return tuple(name for name, _ in self.groups) or KINDS[self.task].names or self.keep or self.labels


def load_card(path: Path) -> Card:
    """Read a card; CardError names the first mistake. Neither opens the model nor looks whether it is there."""
    path = Path(path)
    fields, task = read_card(
        path,
        ("name", "file", "sha256", "task", "input", "crop", "outputs", "labels", "keep", "groups", "temperature")
        + ("golden", "trained", "figures", "limits", "runs_code", "output_name", "runtime"),
        tuple(KINDS),
        " or ".join(KINDS),
    )
    if task != "classes":
        fields.refuse(["keep"], f"task: {task}")
    if task != "age":
        fields.refuse(["groups"], f"task: {task}")
    if not KINDS[task].has_labels:
        fields.refuse(["labels", "outputs", "temperature"], f"task: {task}")
    given_input, geometry = _input(fields)
    labels = _labels(fields, task)
    card = Card(
        path=path,
        name=fields.get("name", text, "a short name"),
        file=path.parent / fields.get("file", text, "the path of the weights, relative to the card"),
        sha256=fields.get("sha256", sha256, "the 64 hexadecimal digits, in quotes, or leave it out", None),
        task=task,
        input=given_input,
        geometry=geometry,
        outputs=fields.get("outputs", one_of(OUTPUTS), " or ".join(OUTPUTS), "probabilities"),
        labels=labels,
        keep=_keep(fields, labels),
        temperature=fields.get("temperature", positive, "a number above 0", 1.0),
        golden=_golden(fields),
        runs_code=fields.get("runs_code", one_of((True, False)), "true or false", False),
        groups=fields.get(
            "groups", _groups, "names with the year in which each begins, such as {child: 0, adult: 18}", ()
        ),
        output_name=fields.get("output_name", text, "the name of one of the net's outputs, or leave it out", None),
        runtime=fields.get("runtime", one_of(ONNX_RUNTIMES), " or ".join(ONNX_RUNTIMES), "auto"),
    )
    if card.file.suffix.lower() != ".onnx":
        fields.refuse(["runtime"], f"file: {card.file.name}; only a .onnx has more than one")
    if card.runs_code and card.sha256 is None:
        raise fields.error("runs_code", "is true, but the file may be any; write its sha256 too")
    if len(card.shown) > MOST_SHOWN:
        raise fields.error("labels", f"are {len(labels)}; write at most {MOST_SHOWN}, or name those to show with keep")
    if card.golden and len(card.golden.scores) != len(card.shown):
        found = f"has {len(card.golden.scores)} numbers; write {len(card.shown)}, for {_few(card.shown)}"
        raise fields.error("golden.scores", found)
    return card


def input_shape(card: Card) -> tuple[int, ...]:
    """What the net of a card is given for one face: (1, H, W, C), or (1, C, H, W) with layout nchw."""
    crop = card.geometry
    if card.input.layout == "nchw":
        return (1, crop.channels, crop.height, crop.width)
    return (1, crop.height, crop.width, crop.channels)


def chosen_output(card: Card, names: list[str]) -> int:
    """Which of the outputs of a net the card means; CardError if it names none of several, or one that is not there."""
    if card.output_name is None and len(names) == 1:
        return 0
    if card.output_name in names:
        return names.index(card.output_name)
    several = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    if card.output_name is None:
        raise CardError(
            f"{card.path}: {card.file.name} has {len(names)} outputs; write output_name: one of {several or 'none'}."
        )
    raise CardError(
        f"{card.path}: output_name is {card.output_name!r}, but {card.file.name} has the outputs {several or 'none'};"
        " write one of them."
    )


def unchecked(card: Card) -> str | None:
    """One line that says what is not checked because the card leaves it out; None if everything is."""
    what = {
        "sha256": (card.sha256, "whether the file is the right one"),
        "golden": (card.golden, "whether it answers right"),
    }
    missing = {key: unknown for key, (given, unknown) in what.items() if given is None}
    if not missing:
        return None
    return f"{card.path}: {' and '.join(missing)} left out, so nobody checks {' or '.join(missing.values())}."


def _input(fields: Fields) -> tuple[Input, CropGeometry]:
    keys = ("width", "height", "channels", "dtype", "range", "mean", "std", "order", "layout")
    given = fields.section("input", keys, "{width: 64, height: 64, channels: 1, range: [-1, 1]}")
    side, pixels = whole(1, LARGEST_SIDE), f"pixels from 1 to {LARGEST_SIDE}"
    width, height = given.get("width", side, pixels), given.get("height", side, pixels)
    channels = given.get("channels", one_of((1, 3)), "1 for grey or 3 for colour")
    dtype = given.get("dtype", one_of(DTYPES), " or ".join(DTYPES), "float32")
    layout = given.get("layout", one_of(LAYOUTS), " or ".join(LAYOUTS), "nhwc")
    if channels == 1:
        given.refuse(["order"], "channels: 1")
    order = given.get("order", one_of(ORDERS), " or ".join(ORDERS), "bgr")
    scale, offset = _scaling(given, channels, dtype)
    crop = fields.section("crop", ["scale"], "{scale: 1.3}", {})
    wide = crop.get("scale", between(0.1, 10), "a number from 0.1 to 10", 1.0)
    return Input(dtype, order, scale, offset, layout), CropGeometry(width, height, channels, wide)


def _scaling(given: Fields, channels: int, dtype: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of every channel."""
    if dtype != "float32":
        given.refuse(["range", "mean", "std"], f"dtype: {dtype}, which takes the pixels as they are")
        return (1.0,) * channels, (-128.0 if dtype == "int8" else 0.0,) * channels
    if "mean" in given or "std" in given:
        given.refuse(["range"], "mean and std")
        per_channel = f"one number, or {channels} in the order of the channels, in pixel values 0 to 255"
        mean = given.get("mean", _for_channels(number, channels), per_channel)
        std = given.get("std", _for_channels(positive, channels), f"{per_channel}, above 0")
        return tuple(1 / s for s in std), tuple(-m / s for m, s in zip(mean, std, strict=True))
    low, high = given.get("range", _interval, "[low, high], such as [-1, 1], or mean and std in its place")
    return ((high - low) / 255,) * channels, (low,) * channels


def _interval(value: object) -> tuple[float, float] | None:
    pair = list_of(number, 2, 2)(value)
    return pair if pair and pair[0] < pair[1] else None


def _for_channels(check, channels: int):
    return lambda value: list_of(check, channels, channels)(value if isinstance(value, list) else [value] * channels)


def _labels(fields: Fields, task: str) -> tuple:
    if task == "classes":
        words = f"a list of 2 to {MOST_LABELS} different words in the order of the net's outputs (numbers in quotes)"
        return fields.get("labels", _different(list_of(text, 2, MOST_LABELS)), words)
    if task == "age":
        return fields.get(
            "labels", _ascending, "the centres of the bins in years, a list of ascending numbers from 0 on"
        )
    return ()


def _different(check):
    return lambda value: v if (v := check(value)) and len(set(v)) == len(v) else None


def _ascending(value: object) -> tuple[float, ...] | None:
    years = list_of(number, 2, MOST_LABELS)(value)
    if years is None or years[0] < 0 or any(b <= a for a, b in zip(years, years[1:], strict=False)):
        return None
    return years


def _keep(fields: Fields, labels: tuple) -> tuple[str, ...]:
    check = _different(list_of(one_of(labels), 2, MOST_LABELS))
    return fields.get("keep", check, f"a list of 2 or more of the labels {_few(labels)}, each once", ())


def _groups(value: object) -> tuple[tuple[str, float], ...] | None:
    if not isinstance(value, dict) or len(value) < 2 or not all(text(name) for name in value):
        return None
    starts = _ascending(list(value.values()))
    return tuple(zip(value, starts, strict=True)) if starts else None


def _golden(fields: Fields) -> Golden | None:
    if "golden" not in fields:
        return None
    golden = fields.section("golden", ["scores", "tolerance"], "{scores: [0.9, 0.1], tolerance: 0.01}")
    scores = golden.get(
        "scores", list_of(number, 1, MOST_LABELS), "a list of what the model answers to the test picture"
    )
    return Golden(scores, golden.get("tolerance", positive, "a number above 0"))


def _few(words: Sequence) -> str:
    return ", ".join(map(str, words[:10])) + (", …" if len(words) > 10 else "")
