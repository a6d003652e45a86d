"""Data sets made up of drawn faces, in the layouts of the real ones, small enough to train on in seconds."""

from __future__ import annotations

import csv
import sys
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.feed import Feed
from train.prepare import prepare
from train.recipe import Recipe
from train.state import begin

EMOTION_COUNT = 7


def drawn_face(rng, side: int, mouth: int, shade: int = 170) -> np.ndarray:
    """A face uint8 (side, side) whose mouth bends by `mouth` (-3 to 3) and whose skin is `shade`."""
    picture = np.full((side, side), 40, np.uint8)
    unit = side / 48
    cv2.ellipse(picture, at(24, 26, unit), at(18, 22, unit), 0, 0, 360, int(shade), -1)
    for x in (15, 33):
        cv2.circle(picture, at(x, 14, unit), max(1, round(3 * unit)), 20, -1)
    bend = [at(14 + 5 * i, 36 - mouth * (2 - abs(i - 2)) * 1.5, unit) for i in range(5)]
    cv2.polylines(picture, [np.array(bend)], False, 20, max(1, round(2 * unit)))
    return (picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)


def at(x: float, y: float, unit: float) -> tuple[int, int]:
    return round(x * unit), round(y * unit)


def fer_row(picture: np.ndarray, emotion: object, usage: str) -> list[str]:
    return [str(emotion), " ".join(map(str, picture.ravel())), usage]


def write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_fer2013(data_dir: Path, extra_rows: list[list] = ()) -> None:
    """84 pictures: 56 Training, 14 PublicTest, 14 PrivateTest; the mouth tells the emotion."""
    rng = np.random.default_rng(0)
    rows = []
    for usage, each in (("Training", 8), ("PublicTest", 2), ("PrivateTest", 2)):
        for emotion in range(EMOTION_COUNT):
            rows += [fer_row(drawn_face(rng, 48, emotion - 3), emotion, usage) for _ in range(each)]
    write_csv(data_dir / "fer2013/fer2013.csv", ["emotion", "pixels", "Usage"], [*rows, *extra_rows])


def write_votes(data_dir: Path, votes: list[list[object]]) -> None:
    """FER+'s table: for each row the votes for neutral, happiness, surprise, sadness, anger, disgust, fear.

    Those for contempt, unknown and NF may follow.
    """
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"]
    rows = [["Training", f"fer{i:07}.png", *row, *[0] * (10 - len(row))] for i, row in enumerate(votes)]
    write_csv(data_dir / "fer2013/fer2013new.csv", ["Usage", "Image name", *names], rows)


def write_utkface(data_dir: Path, count: int = 60) -> None:
    """Ages 10 to 69, the older the darker; the even ones men with a smile, the odd ones women without."""
    rng = np.random.default_rng(1)
    folder = data_dir / "UTKFace"
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        age = 10 + i * 60 // count
        name = f"{age}_{i % 2}_{i % 5}_2017{i:04}.png"
        face = drawn_face(rng, 96, 3 if i % 2 == 0 else -3, shade=230 - 2 * age)
        cv2.imwrite(str(folder / name), cv2.cvtColor(face, cv2.COLOR_GRAY2BGR))
        rows.append([name, "", ("train", "train", "train", "validation", "test")[i % 5]])
    write_csv(folder / "split.csv", ["file", "dup_group", "part"], rows)


def write_fairface(data_dir: Path) -> None:
    """A man and a woman in `val`, two men in `train`, all from 20 to 29."""
    rng = np.random.default_rng(2)
    rows = {"val": [], "train": []}
    for part, genders in (("val", ["Male", "Female"]), ("train", ["Male", "Male"])):
        (data_dir / f"fairface/{part}").mkdir(parents=True)
        for number, gender in enumerate(genders):
            name = f"{part}/{number}.png"
            cv2.imwrite(str(data_dir / "fairface" / name), drawn_face(rng, 96, 0))
            rows[part].append([name, "20-29", gender, "Indian"])
        labels = data_dir / f"fairface/fairface_label_{part}.csv"
        write_csv(labels, ["file", "age", "gender", "race"], rows[part])
    write_csv(data_dir / "fairface/split.csv", ["file", "part"], [["val/0.png", "test"], ["val/1.png", "train"]])


def write_web(data_dir: Path, rows: list[list[str]]) -> None:
    """Of rows (file, gender, source, part) the tables, and a picture for each that has none."""
    for number, (file, *_) in enumerate(rows):
        path = data_dir / "web" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            cv2.imwrite(str(path), drawn_face(np.random.default_rng(number), 72, number % 7 - 3))
    write_csv(data_dir / "web/labels.csv", ["file", "gender", "source"], [row[:3] for row in rows])
    write_csv(data_dir / "web/split.csv", ["file", "part"], [[row[0], row[3]] for row in rows])


def write_imdb(folder: Path, rows: list[tuple], part: str = "imdb") -> None:
    """PART.mat, imdb or wiki, of rows (age, gender, face score, second face score), each with a picture."""
    scipy_io = pytest.importorskip("scipy.io")
    kinds = [
        (name, object) for name in ("dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score")
    ]
    table = np.zeros((1, 1), kinds)
    paths = np.array([f"01/nm{i:07}_rm1_1970.jpg" for i in range(len(rows))], object)
    born = [date(2000 - age, 1, 1).toordinal() + 366 for age, *_ in rows]
    columns = [born, [2000] * len(rows), paths, *zip(*[row[1:] for row in rows], strict=True)]
    for (name, _), values in zip(kinds, columns, strict=True):
        table[name][0, 0] = np.array([values], object if name == "full_path" else float)
    (folder / "01").mkdir(parents=True, exist_ok=True)
    for path in paths:
        cv2.imwrite(str(folder / path), drawn_face(np.random.default_rng(0), 90, 0))
    scipy_io.savemat(folder / f"{part}.mat", {part: table})


def write_aaf(folder: Path, faces: dict[str, tuple]) -> None:
    """For each name a picture uint8 (H, W, 3) and the distance, in pixels, that its eyes have around (100, 80)."""
    for part in ("original images", "key points"):
        (folder / part).mkdir(parents=True)
    for name, (picture, apart, roll) in faces.items():
        cv2.imwrite(str(folder / f"original images/{name}.jpg"), picture)
        along = apart / 2 * np.array([np.cos(np.radians(roll)), np.sin(np.radians(roll))])
        points = np.zeros((49, 2))
        points[19:25], points[25:31] = (100, 80) - along, (100, 80) + along
        points[31:49] = (100, 80) + apart * np.array([-np.sin(np.radians(roll)), np.cos(np.radians(roll))])
        np.savetxt(folder / f"key points/{name}.txt", points)


def write_folders(folder: Path, each: int = 40) -> None:
    """Class folders `off` and `on`: the same kind of face, dark and light."""
    rng = np.random.default_rng(4)
    for label, shade in (("off", 90), ("on", 210)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            face = drawn_face(rng, 60 + number % 7, int(rng.integers(-3, 4)), shade)
            # Stripes of its own, so that no two pictures are near copies.
            face[:: int(rng.integers(3, 9)), : int(rng.integers(10, 50))] //= 2
            face = np.roll(face, tuple(rng.integers(-9, 10, 2)), (0, 1))
            cv2.imwrite(str(folder / label / f"{number:03}.png"), face)


def trained(recipe: Recipe, run: Path, resume: bool = False, say=lambda line: None) -> Path:
    """Train in this process, without workers; the run folder."""
    from train.fit import fit

    progress, recipe = begin(recipe, run, resume)
    fit(recipe, progress, Feed(recipe, workers=0), say)
    return run


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Trains without a report's pictures, and step by step: a graph for four batches costs more than the batches."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:  # Nothing is trained in this module.
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.fit.report", lambda *_: None)
        tensorflow.config.run_functions_eagerly(True)
        yield
        tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def as_people_train(quickly, monkeypatch):
    """With pictures, and with graphs."""
    from train.report import report

    monkeypatch.setattr("train.fit.report", report)
    config = sys.modules["tensorflow"].config
    config.run_functions_eagerly(False)
    yield
    config.run_functions_eagerly(True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder of the caches of a made-up FER2013 and UTKFace."""
    folder = tmp_path_factory.mktemp("faces")
    write_fer2013(folder / "sets")
    write_utkface(folder / "sets")
    list(prepare(folder / "sets", [], folder / "data"))
    return folder / "data"


@pytest.fixture
def fer2013(tmp_path) -> Path:
    write_fer2013(tmp_path / "sets")
    return tmp_path / "sets"


@pytest.fixture
def utkface(tmp_path) -> Path:
    write_utkface(tmp_path / "sets")
    return tmp_path / "sets"
