"""Every layout in which a data set is read goes all the way to what a net learns from, or is measured on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow")

from tests.conftest import PROJECT  # noqa: E402
from tests.train.conftest import drawn_face, write_aaf, write_fairface, write_imdb, write_web  # noqa: E402
from train.data import TASKS  # noqa: E402
from train.evaluate import main as evaluate  # noqa: E402
from train.feed import Feed  # noqa: E402
from train.fit import wanted  # noqa: E402
from train.prepare import main as prepare  # noqa: E402
from train.recipe import Recipe  # noqa: E402
from train.targets import target_width  # noqa: E402


def face(seed):
    return drawn_face(np.random.default_rng(seed), 96, seed % 7 - 3)


def fairface(folder):
    write_fairface(folder)


def web(folder):
    genders = (("man", "Male"), ("woman", "Female"))
    write_web(folder, [[f"{name}/{i}.png", gender, "cvlib", "train"] for name, gender in genders for i in range(2)])


def aaf(folder):
    faces = {name: (cv2.resize(face(i), (220, 220)), 80, 0) for i, name in enumerate(("00001A20", "09000A61"))}
    write_aaf(folder / "All-Age-Faces Dataset", faces)


def imdb(folder):
    write_imdb(folder, [(20, 0.0, 3.2, float("nan")), (61, 1.0, 3.2, float("nan"))])


def fer2013(folder):
    for number, emotion in enumerate(("angry", "happy", "sad")):
        for part, count in (("train", 10), ("test", 1)):
            path = folder / "fer2013" / part / emotion
            path.mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(path / f"{i}.png"), np.roll(face(number)[::2, ::2], (3 * i, 5 * i), (0, 1)))


@pytest.mark.parametrize(
    ("task", "write", "arguments", "expected"),
    [
        # For each head what its targets sum up to, over the pictures of the training part.
        ("person", fairface, ["."], {"gender": [0, 1], "age group 20-29": 3}),
        ("gender", web, ["."], {"gender": [2, 2]}),
        ("person", aaf, ["."], {"gender": [1, 1], "years": 2}),
        ("person", imdb, ["imdb", "--mat", "imdb.mat"], {"gender": [1, 1], "years": 2}),
        ("emotion", fer2013, ["."], {"emotion": [9, 0, 0, 9, 9, 0, 0]}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_batch_of_every_layout_has_pictures_and_what_is_to_be_learned_of_them(
    task, write, arguments, expected, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    assert prepare([*arguments, "--out", "data"]) == 0
    recipe = Recipe(task, 1, side=24, batch=64, sources={write.__name__: 1.0}, data="data")
    feed = Feed(recipe, workers=0)
    feed.set_targets([wanted(recipe, faces) for faces in feed.sets])
    crops, targets = next(feed.batches(0))
    heads = TASKS[task].heads
    assert crops.shape == (len(feed), 24, 24, TASKS[task].channels) and crops.dtype == np.uint8
    assert all(crop.std() > 5 for crop in crops)
    assert targets.shape == (len(feed), sum(map(target_width, heads))) and targets.dtype == np.float32
    assert learned(heads, targets) == expected


def learned(heads, targets):
    """What a batch teaches each head, in all; without what is nothing."""
    sums, first, said = targets.sum(axis=0), 0, {}
    for head in heads:
        mine = sums[first : first + target_width(head)]
        first += target_width(head)
        if head.kind == "age":
            said |= {"years": round(float(mine[: len(head.labels)].sum()), 4)}
            said |= {"age group 20-29": round(float(mine[len(head.labels) + 3]), 4)}
        else:
            said |= {head.name: [round(float(value), 4) for value in mine]}
    return {name: value for name, value in said.items() if np.any(value)}


def test_jaffe_is_measured_by_the_models_that_come_with_facepipe(tmp_path, capsys, astronaut):
    (tmp_path / "jaffe").mkdir()
    for name in ("KA.HA1.29.tiff", "KA.SA1.33.tiff"):
        cv2.imwrite(str(tmp_path / "jaffe" / name), astronaut[0:256, 96:352])
    assert prepare([str(tmp_path), "--out", str(tmp_path / "data")]) == 0
    assert evaluate([str(PROJECT / "models/emotion.yaml"), "jaffe", "--data", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert "emotion on jaffe test: 2 pictures" in said
    assert "recall of happy: 100.0%" in said and "recall of sad: 0.0%" in said  # she smiles
