"""Write the model card of an ONNX file: `python -m stages.card mine/glasses.onnx`.

What the file says is filled in. The rest comes from the options. On a terminal you are asked for what is still
missing. Elsewhere the card says TODO in its place, and is refused, also by run_pipeline.py --check, until you have
replaced every TODO. A card without TODO is checked against the model, and gets the model's answer to the test picture
as `golden`. Nothing is overwritten.

    python -m stages.card gender-v1.onnx --labels woman,man --order rgb --scaling=-1,1 --crop-scale 1.2
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from .answers import KINDS
from .errors import FacepipeError, reason, way_out
from .exit_status import ExitStatus
from .names import printable
from .project import command
from .results.atomic import create, write_all
from .supervision.arguments import Arguments
from .supervision.command import run, say
from .vision.inference import load_model
from .vision.inference.card import LAYOUTS, MOST_LABELS, ORDERS, OUTPUTS, Card, load_card
from .vision.inference.fields import CardError
from .vision.inference.golden import picture
from .vision.inference.onnx_file import OnnxFile, Tensor, declared_dtype, picture_input, read

TODO = "TODO"
LABELS_IN = ("labels", "names", "classes", "class_names")  # metadata, as exporters of others name them
TOLERANCE, TOLERANCE_YEARS = 0.01, 0.1  # of golden: of a probability, of an age

Ask = Callable[[str], str]


class WriteError(FacepipeError):
    """A card cannot be written."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a card says and a person may have to."""

    option: str
    asks: str  # for a person, with what is allowed
    parse: Callable[[str], object]  # None for what is not allowed


@dataclass(slots=True)
class Draft:
    """The keys of a card in their order, with remarks for the reader."""

    given: dict[str, str]  # option -> what was written after it
    ask: Ask | None  # None: nobody can be asked
    keys: dict = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def set(self, key: str, value: object, remark: str = "") -> None:
        """`key` is that of a card, such as input.order."""
        section, _, last = key.rpartition(".")
        (self.keys.setdefault(section, {}) if section else self.keys)[last] = value
        if remark or value == TODO:
            self.remarks[key] = remark

    def find(self, item: Item, known: object = None) -> object:
        """From the options, else what the file says, else from the person, else `TODO`."""
        text = self.given.get(item.option)
        if text is not None:
            if (value := item.parse(text)) is None:
                raise WriteError(f"{item.option} is {text!r}; write {item.asks}.")
            return value
        if known is not None:
            return known
        value = None
        while self.ask and value is None:
            value = item.parse(self.ask(f"{item.option.removeprefix('--')}: {printable(item.asks)}? ").strip())
        return TODO if value is None else value


def main(argv: list[str] | None = None) -> int:
    """Write a card; returns 0, or 2 where none is written."""
    options = parser().parse_args(argv)
    given = {"--" + key.replace("_", "-"): text for key, text in vars(options).items() if isinstance(text, str)}
    path = options.card or options.file.with_suffix(".yaml")
    is_watched = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        if os.path.lexists(path):
            raise WriteError(f"{path} is there already; name another card with --card, or delete it.")
        if options.file.suffix.lower() != ".onnx":
            raise WriteError(f"{options.file} is no .onnx; write its card by hand, see docs/model-cards.md.")
        file = read(options.file)
        draft = drafted(file, options.file, path, Draft(given, input if is_watched else None))
        missing = [key for key in draft.remarks if _value(draft.keys, key) == TODO]
        lines = [] if missing else _checked(draft, path, options.file)
        _write(path, text_of(draft))
        say(f"Wrote {path}.", *lines, *([f"Replace TODO in it: {', '.join(missing)}."] if missing else []))
    except EOFError:
        print("\nfacepipe: an answer is missing; nothing was written.", file=sys.stderr)
        return ExitStatus.REFUSED
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED
    return ExitStatus.DONE


def drafted(file: OnnxFile, path: Path, card: Path, draft: Draft) -> Draft:
    """Fill a draft for the file at `path`; `card`: where the card is to lie. Raises `FacepipeError`."""
    taken, output = picture_input(path, file), _output(file, draft)
    count = _count(file, output)
    draft.set("name", draft.find(_NAME, path.stem))
    draft.set("file", os.path.relpath(path, card.parent))
    draft.set("sha256", hashlib.sha256(file.content).hexdigest())
    task = _task(draft, file, output, count)
    _input(draft, taken)
    draft.set("crop.scale", draft.find(_CROP_SCALE), "side of the crop in units of the box around the face")
    if len(file.outputs) > 1:
        several = ", ".join(one.name for one in file.outputs)
        draft.set("output_name", output, several if output == TODO else "")
    if KINDS[task].has_labels:
        step = file.made_by.get(output)
        known = "probabilities" if step in ("Softmax", "Sigmoid") else "logits" if step else None
        draft.set("outputs", draft.find(_OUTPUTS, known), f"the last step of the net is {step}" if step else "")
        draft.set("labels", draft.find(_labels(task, count), _labels_said(file, task, count)), _in_order(count))
    return draft


def parser() -> Arguments:
    """The options of the command."""
    prog = command("card")
    options = Arguments(
        prog=prog,
        description=__doc__.replace("python -m stages.card", prog).replace("run_pipeline.py --check", command("check")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("file", type=Path, metavar="FILE.onnx", help="the model")
    options.add_argument("--card", type=Path, metavar="FILE", help="the card to write (default: FILE.yaml)")
    for item in (_NAME, _TASK, _OUTPUT_NAME, _LAYOUT, _SIZE, _CHANNELS, _ORDER, _SCALING, _CROP_SCALE, _OUTPUTS):
        options.add_argument(item.option, metavar="VALUE", help=item.asks)
    options.add_argument("--labels", metavar="A,B,...", help="the classes, or the years, in the order of the outputs")
    return options


def _output(file: OnnxFile, draft: Draft) -> str:
    names = [one.name for one in file.outputs]
    item = replace(
        _OUTPUT_NAME, asks=f"one of {', '.join(names[:20])}", parse=lambda text: text if text in names else None
    )
    return draft.find(item, names[0] if len(names) == 1 else None)


def _count(file: OnnxFile, output: str) -> int | None:
    """How many numbers the output has for one face; None if the file does not say."""
    shape = next((one.shape for one in file.outputs if one.name == output), None)
    sides = (shape or ())[1:]
    return None if not sides or None in sides else math.prod(sides)


def _task(draft: Draft, file: OnnxFile, output: str, count: int | None) -> str:
    is_a_number = count == 1 and file.made_by.get(output) != "Sigmoid" and "--labels" not in draft.given
    guess = "regression" if is_a_number else "classes"
    task = draft.find(_TASK, guess)
    draft.set("task", task, "" if "--task" in draft.given else f"a guess; {' or '.join(KINDS)}")
    return task


def _input(draft: Draft, taken: Tensor) -> None:
    shape = taken.shape or (None,) * 4
    layout = draft.find(_LAYOUT, _layout_of(shape))
    at = (1, 2, 3) if layout == "nchw" else (3, 1, 2)
    channels, height, width = (shape[axis] for axis in at)
    if width is None or height is None:
        width, height = size if (size := draft.find(_SIZE)) != TODO else (TODO, TODO)
    dtype = declared_dtype(taken)
    draft.set("input.width", width, "pixels" if width == TODO else "")
    draft.set("input.height", height, "pixels" if height == TODO else "")
    draft.set("input.channels", draft.find(_CHANNELS, channels), "1 for grey, 3 for colour" if channels is None else "")
    draft.set("input.dtype", dtype)
    draft.set("input.layout", layout)
    if draft.keys["input"]["channels"] != 1:
        draft.set("input.order", draft.find(_ORDER), "of the colours: rgb or bgr")
    if dtype == "float32":
        scaling = draft.find(_SCALING)
        if scaling == TODO:
            scaling = {"range": TODO}
        for key, value in scaling.items():
            draft.set(
                f"input.{key}", value, "[low, high] that 0 and 255 become, or mean and std" if value == TODO else ""
            )


def _layout_of(shape: tuple[int | None, ...]) -> str | None:
    """By where the number of channels can be; None where it can be at both ends, or at none."""
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    return None if first == last else "nchw" if first else "nhwc"


def _labels(task: str, count: int | None) -> Item:
    many = f"{count} of them" if count else "all of them"

    def parse(text: str) -> list | None:
        first, dash, last = text.partition("-")
        if task == "age" and dash and first.isdecimal() and last.isdecimal() and int(last) < MOST_LABELS:
            text = ",".join(map(str, range(int(first), int(last) + 1)))
        words = [word.strip() for word in text.split(",")]
        if count is not None and len(words) != count and not (count == 1 and len(words) == 2):
            return None
        if len(words) < 2 or len(set(words)) != len(words) or "" in words:
            return None
        return _numbers(text) if task == "age" else words

    kind = "the years, such as 0-100 or 5,15,25," if task == "age" else "the classes"
    return Item("--labels", f"{kind} in the order of the outputs, {many}, with commas between", parse)


def _labels_said(file: OnnxFile, task: str, count: int | None) -> list | None:
    """From what the author wrote into the file: a list or a mapping as Python or JSON have it, or words with commas."""
    for key in LABELS_IN:
        text = file.metadata.get(key, "")
        try:
            found = ast.literal_eval(text) if text[:1] in ("[", "{", "(") else text.replace("\n", ",").split(",")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        words = [str(word).strip() for word in _by_output(found)]
        if task == "classes" and len(words) == count and len(words) <= MOST_LABELS and "" not in words:
            return words if len(set(words)) == len(words) else None
    return None


def _by_output(found: object) -> list:
    """The names in the order of the outputs; of a mapping from numbers to names or, as torchvision has it, back.

    Empty where that is not said, as by a set.
    """
    if isinstance(found, dict):
        if not all(isinstance(name, str) for name in found.values()):
            found = {number: name for name, number in found.items()}
        numbers = {str(number): name for number, name in found.items()}
        found = [numbers.get(str(number)) for number in range(len(numbers))]
    return list(found) if isinstance(found, list | tuple) and None not in found else []


def _in_order(count: int | None) -> str:
    return f"{count} in the order of the outputs" if count else "in the order of the outputs"


def _checked(draft: Draft, path: Path, file: Path) -> list[str]:
    """Ask the model about the test picture, and add its answer as golden; lines for the person."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / path.name
        written.write_text(text_of(draft), encoding="utf-8")
        try:
            card = replace(load_card(written), file=file)
            row = load_model(card).answers(picture(card.geometry)[None])[0]
        except CardError as error:  # There is no card yet that the sentence could be about.
            what = re.sub(rf"^{re.escape(str(written))}(:\d+)?: ", "", str(error))
            raise WriteError(f"{file}: no card is written: {what.replace(str(written), str(path))}") from error
    draft.set("golden.scores", [round(float(number), 5) for number in row])
    draft.set("golden.tolerance", TOLERANCE_YEARS if card.task == "age" else TOLERANCE)
    return [f"The answer to the test picture, a drawn face, is {_said(card, row)}; see that it makes sense."]


def _said(card: Card, row) -> str:
    return ", ".join(f"{name} {number:.3g}" for name, number in zip(card.shown[:8], row[:8], strict=True))


def text_of(draft: Draft) -> str:
    """The card as YAML, with remarks."""
    lines = []
    for key, value in draft.keys.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [_line(f"  {inner}", one, draft.remarks.get(f"{key}.{inner}")) for inner, one in value.items()]
        else:
            lines.append(_line(key, value, draft.remarks.get(key)))
    return "\n".join(lines) + "\n"


def _line(key: str, value: object, remark: str | None) -> str:
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return f"{key}: {dumped.removesuffix('...' + chr(10)).rstrip()}" + (f"    # {printable(remark)}" if remark else "")


def _value(keys: dict, key: str) -> object:
    section, _, last = key.rpartition(".")
    return (keys[section] if section else keys)[last]


def _write(path: Path, text: str) -> None:
    try:
        descriptor = create(path)
        try:
            write_all(descriptor, text.encode("utf-8"))
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {reason(error)}; {way_out(error, 'name another card')}."
        ) from error


def _one_of(words) -> Callable[[str], str | None]:
    return lambda text: text if text in words else None


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(number) if "." in number or "e" in number else int(number) for number in text.split(",")]
    except ValueError:
        return None


def _size(text: str) -> tuple[int, int] | None:
    width, _, height = text.partition("x")
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None


def _scaling(text: str) -> dict | None:
    """-1,1 -> range; 123,117,104 / 58 -> mean and std."""
    mean, slash, std = text.partition("/")
    pairs = {"mean": _numbers(mean), "std": _numbers(std)} if slash else {"range": _numbers(text)}
    if None in pairs.values() or (not slash and len(pairs["range"]) != 2):
        return None
    return {key: values[0] if len(values) == 1 else values for key, values in pairs.items()}


def _crop_scale(text: str) -> float | None:
    numbers = _numbers(text)
    return numbers[0] if numbers and len(numbers) == 1 and 0.1 <= numbers[0] <= 10 else None


_NAME = Item("--name", "a short name (default: that of the file)", lambda text: text or None)
_TASK = Item("--task", " or ".join(KINDS), _one_of(KINDS))
_OUTPUT_NAME = Item("--output-name", "the name of one of the outputs, where there are several", str)
_LAYOUT = Item("--layout", "nhwc, the channels last, or nchw, the channels first", _one_of(LAYOUTS))
_SIZE = Item("--size", "width and height of the crop in pixels, such as 64x64", _size)
_CHANNELS = Item("--channels", "1 for grey, 3 for colour", lambda text: {"1": 1, "3": 3}.get(text))
_ORDER = Item("--order", "of the colours: rgb or bgr", _one_of(ORDERS))
_SCALING = Item(
    "--scaling",
    "the values that pixels 0 and 255 become, such as -1,1; or mean / std in pixel values, such as 123,117,104 / 58",
    _scaling,
)
_CROP_SCALE = Item("--crop-scale", "side of the crop in units of the box around the face, such as 1.3", _crop_scale)
_OUTPUTS = Item("--outputs", " or ".join(OUTPUTS), _one_of(OUTPUTS))


if __name__ == "__main__":
    run(main)
