"""Everything that decides what a training run comes to, with units; saved beside the weights as recipe.json."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stages.frames import CropGeometry
from train.data import TASKS, DataError, Head, Task
from train.files import write_text

SMALL = "mobile"  # the architecture where none is named


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of one run."""

    task: str
    epochs: int
    seconds: int | None = None  # of training, over all its resumptions; None: as long as the epochs take
    batch: int = 64  # pictures
    architecture: str = SMALL  # a line of train.nets.ARCHITECTURES
    width: float = 1.0  # factor of the architecture's channels
    side: int = 64  # pixels of the net's input
    crop_scale: float = 1.0  # side of the crop, in units of the normalised box
    precision: str = "float32"  # of the arithmetic in training: float32 | mixed_bfloat16
    dropout: float = 0.2  # before the last layer

    optimizer: str = "adamw"  # a line of train.optimize.OPTIMIZERS
    schedule: str = "cosine"  # a line of train.optimize.SCHEDULES
    learning_rate: float = 2e-3  # at its peak
    warm_up: float = 0.04  # of the run, in which the learning rate rises
    weight_decay: float = 0.02
    average: float = 0.02  # of the run, over which weights are averaged (exponentially); 0: the last ones count
    patience: int = 0  # epochs without a smaller validation error after which the run ends; 0: it does not
    tensorboard: bool = False  # leave a log for TensorBoard, too
    frozen: int = 0  # epochs in which only what follows a pretrained backbone learns
    fixed: int = 0  # first convolutions that learn nothing in the whole run, as good as their start has made them

    head_weights: dict[str, float] = field(default_factory=dict)  # how much a head's loss counts; none: 1
    smoothing: float = 0.0  # of class labels
    class_weights: bool = False  # rare classes count more, by the root of how rare they are
    even: str = ""  # a kind of group, such as ages: in every such group the classes count alike; none: as they come
    mixup: float = 0.0  # share of pictures that are mixed with another one
    strength: float = 1.0  # factor of the probabilities with which pictures are made worse
    turned: float = 0.35  # faces: share of the crops that are turned
    points_from: float = 0.0  # faces: side in the crop, in pixels, from which on the landmarks of a face are learned

    sources: dict[str, float] = field(default_factory=dict)  # data set: how often an epoch goes through it; none: once
    unlabelled: dict[str, float] = field(default_factory=dict)  # likewise, of faces that only the teachers name
    teachers: tuple[str, ...] = ()  # run folders whose averaged answers are learned, too
    teaching: float = 0.7  # share of the teachers' answers in what is learned
    labels: tuple[str, ...] = ()  # of an attribute of one's own
    channels: int | None = None  # of the net's input; None: the task's

    seed: int = 1
    data: str = "data"
    start: str | None = None  # run folder whose weights are taken over

    @property
    def what(self) -> Task:
        if self.task in TASKS:
            return TASKS[self.task]
        return Task(self.task, (Head(self.task, "classes", self.labels, (self.task,)),), 3, (self.task,))

    @property
    def geometry(self) -> CropGeometry:
        return CropGeometry(self.side, self.side, self.channels or self.what.channels, self.crop_scale)

    @property
    def repeats(self) -> dict[str, float]:
        """For every labelled data set how often an epoch goes through it."""
        return self.sources or dict.fromkeys(self.what.sources, 1.0)

    def with_changes(self, changes: dict) -> Recipe:
        """The recipe with other settings; DataError for one that does not exist or cannot have that value."""
        kinds = {field.name: field.type for field in dataclasses.fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise DataError(f"{name!r} is not a setting; write one of {', '.join(kinds)}.")
            if not _fits(kinds[name], value):
                raise DataError(f"{name} is {value!r}; write {WORDS[kinds[name]]}.")
        changed = dataclasses.replace(self, **changes)
        for name, (low, high) in RANGES.items():
            value = getattr(changed, name)
            if value is not None and not low <= value <= high:
                raise DataError(f"{name} is {value:g}; write a number from {low:g} to {high:g}.")
        return changed


WORDS = {
    "str": "a word",
    "str | None": "a word",
    "int": "a whole number",
    "int | None": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple[str, ...]": "a list of words",
    "dict[str, float]": "names with numbers, such as {utkface: 1.5}",
}
RANGES = {
    "epochs": (1, 100_000),
    "seconds": (1, 10_000_000),
    "batch": (1, 65_536),
    "width": (0.05, 16),
    "side": (16, 512),
    "crop_scale": (0.1, 10),
    "dropout": (0, 0.95),
    "learning_rate": (1e-8, 10),
    "warm_up": (0, 0.9),
    "weight_decay": (0, 1),
    "average": (0, 1),
    "frozen": (0, 100_000),
    "fixed": (0, 1_000),
    "patience": (0, 100_000),
    "smoothing": (0, 0.9),
    "mixup": (0, 1),
    "strength": (0, 4),
    "turned": (0, 1),
    "points_from": (0, 512),
    "teaching": (0, 1),
}


def _fits(kind: str, value: object) -> bool:
    if value is None:
        return kind.endswith("None")
    if kind.startswith("bool"):
        return isinstance(value, bool)
    if kind.startswith("int"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.startswith("tuple"):
        return isinstance(value, tuple) and all(isinstance(word, str) for word in value)
    if kind.startswith("dict"):
        return isinstance(value, dict) and all(_fits("float", n) and n > 0 for n in value.values())
    return isinstance(value, str)


FACES = Recipe(
    "faces",
    epochs=240,
    batch=16,
    side=256,
    learning_rate=1.5e-3,
    schedule="late",
    warm_up=0.01,
    weight_decay=0.01,
    average=0.01,
    sources={"faces_boxes": 0.5, "no_faces": 0.3},
)
RECIPES = {
    "emotion": Recipe("emotion", epochs=60, side=48, mixup=0.3),
    "gender": Recipe("gender", epochs=20, smoothing=0.05, mixup=0.2),
    "age": Recipe("age", epochs=30),
    "person": Recipe("person", epochs=30, smoothing=0.05),
    "faces": FACES,
}
# What train.probe changes in them: features stand still, so there is nothing to augment, and much to drop out.
PROBE = {"epochs": 30, "batch": 256, "learning_rate": 1e-3, "dropout": 0.5, "weight_decay": 0.05}
ATTRIBUTE = Recipe("attribute", epochs=30, smoothing=0.05)  # of a user's own; its name becomes the task


def settings_in(words: list[str]) -> dict[str, object]:
    """Settings given as KEY=VALUE on a command line, the last of a key; DataError for one that cannot be read."""
    given = dict(word.partition("=")[::2] for word in words)
    return {name: _value_of(name, text) for name, text in given.items()}


def _value_of(name: str, text: str) -> object:
    """What a text on the command line means, as in YAML; lists become tuples."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f"{name}={text} cannot be read; write a number, a word, a list or {{name: number}}.") from error
    if isinstance(value, str):
        try:
            return float(value)  # 1e-3, which YAML takes for a word
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value


def words_for(recipe: Recipe, usual: Recipe) -> list[str]:
    """The settings in which a recipe is not the usual one, as words of a command line."""
    given, before = dataclasses.asdict(recipe), dataclasses.asdict(usual)
    return [
        f"--recipe {name}={shlex.quote(json.dumps(value, separators=(',', ':')))}"
        for name, value in given.items()
        if value != before[name] and name not in ("task", "data", "labels")
    ]


def save_recipe(recipe: Recipe, run: Path) -> None:
    write_text(run / "recipe.json", json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run folder; DataError if there is none or it is of another version."""
    path = Path(run) / "recipe.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        tuples = {name: tuple(settings[name]) for name in ("teachers", "labels")}
        return Recipe(**{**settings, **tuples})
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); is {run} a run of python -m train?") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: is not a recipe of this version ({error}); train again.") from error
