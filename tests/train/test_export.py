"""From a made-up data set to weights and a card that the stages take."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import yaml  # noqa: E402

from stages.inference import load_model  # noqa: E402
from stages.inference.card import load_card  # noqa: E402
from tests.train.conftest import write_fer2013, write_utkface  # noqa: E402
from train import export as exporting  # noqa: E402
from train.augment import plain  # noqa: E402
from train.data import TASKS, DataError, load  # noqa: E402
from train.evaluate import evaluate  # noqa: E402
from train.evaluate import main as evaluate_main  # noqa: E402
from train.export import ExportError, export  # noqa: E402
from train.fit import fit  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.recipe import RECIPES  # noqa: E402

TINY = {"side": 24, "widths": (8, 12), "batch": 16, "epochs": 1}


def quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with caches in data/, runs/emotion, runs/age and their exports in models/."""
    folder = tmp_path_factory.mktemp("place")
    write_fer2013(folder / "sets")
    write_utkface(folder / "sets")
    list(prepare(folder / "sets", [], folder / "data"))
    for task in ("emotion", "age"):
        recipe = RECIPES[task].with_changes({**TINY, "data": str(folder / "data")})
        fit(recipe, folder / "runs" / task, False, quiet)
        export(folder / "runs" / task, task, folder / "models", "float16", None, quiet)
    return folder


def card_of(place, name):
    return yaml.safe_load((place / f"models/{name}.yaml").read_text(encoding="utf-8"))


def test_an_export_is_weights_and_a_card_and_nothing_else(place):
    names = sorted(path.name for path in (place / "models").iterdir())
    assert names == ["age.tflite", "age.yaml", "emotion.tflite", "emotion.yaml"]


def test_the_card_says_what_the_stages_need_to_know(place):
    card = card_of(place, "emotion")
    weights = (place / "models/emotion.tflite").read_bytes()
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert card["labels"] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert card["input"] == {"width": 24, "height": 24, "channels": 1, "dtype": "float32", "range": [-1.0, 1.0]}
    assert card_of(place, "age")["input"]["order"] == "bgr"
    assert card["crop"] == {"scale": 1.0}
    assert 0.5 <= card["temperature"] <= 4
    assert card["trained"]["command"] == "python -m train emotion --epochs 1 --seed 1 --learning-rate 0.002"


def test_the_stages_take_the_exports_and_check_them_against_the_golden_answer(place):
    for name, columns in (("emotion", 7), ("age", 3)):
        model = load_model(load_card(place / f"models/{name}.yaml"))
        assert len(model.card.golden.scores) == columns
        assert model.answers(np.zeros((2, 24, 24, model.card.geometry.channels), np.uint8)).shape == (2, columns)


def test_the_answers_are_those_of_keras(place):
    from train.targets import probabilities

    recipe = RECIPES["emotion"].with_changes(TINY)
    crops = plain(load(TASKS["emotion"], "fer2013", "test", place / "data"), recipe.geometry)
    logits = exporting.keras_logits(exporting.trained_model(place / "runs/emotion"), recipe, crops)
    model = load_model(load_card(place / "models/emotion.yaml"))
    expected = probabilities(logits, card_of(place, "emotion")["temperature"])
    assert np.abs(model.answers(crops) - expected).max() < 0.005


def test_the_figures_of_the_card_are_what_its_command_prints(place):
    (row,) = card_of(place, "emotion")["figures"].values()
    assert row["command"] == "python -m train.evaluate models/emotion.yaml fer2013"
    lines = evaluate(place / "models/emotion.yaml", "fer2013", "test", place / "data")
    assert lines[0].startswith("emotion on fer2013 PrivateTest: 14 pictures")
    assert f"  accuracy: {row['accuracy']:.1%}" in lines


def test_evaluation_goes_by_the_names_of_the_labels_not_their_places(place):
    """A card whose labels are turned around along with nothing else must change every answer it gives."""
    card = card_of(place, "emotion")
    card["labels"].reverse()
    card["file"] = os.path.join(place / "models", card["file"])
    (place / "turned.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    faces = load(TASKS["emotion"], "fer2013", "test", place / "data")
    crops = plain(faces, RECIPES["emotion"].with_changes(TINY).geometry)
    called = load_model(load_card(place / "models/emotion.yaml")).answers(crops).argmax(1)
    lines = evaluate(place / "turned.yaml", "fer2013", "test", place / "data")
    assert f"  accuracy: {(6 - called == faces.labels).mean():.1%}" in lines


def test_age_is_measured_in_years_and_by_group(place):
    lines = evaluate(place / "models/age.yaml", "utkface", "test", place / "data")
    assert lines[1].startswith("  mean absolute error (years): ")
    assert sum("race " in line for line in lines) == 1  # the made-up test part has one race
    assert "  ages 10-19, 2 pictures: mean absolute error (years) " in "\n".join(lines)
    (row,) = card_of(place, "age")["figures"].values()
    assert set(row["groups"]) == {"race others", "ages 10-19", "ages 20-39", "ages 40-59", "ages 60+"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models/none.yaml", "fer2013"], "models/none.yaml"),
        (["models/emotion.yaml", "utkface"], "data/utkface.npz: has no labels for emotion; use one of fer2013."),
        (["models/emotion.yaml", "web"], "data/web.npz: no such file"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_sentence(arguments, sentence, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert evaluate_main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1


def test_a_conversion_that_changes_the_answers_is_refused_and_leaves_the_old_export(place, monkeypatch):
    before = (place / "models/emotion.tflite").read_bytes()
    real = exporting.keras_logits
    monkeypatch.setattr(exporting, "keras_logits", lambda *arguments: real(*arguments) + np.arange(7))
    with pytest.raises(ExportError, match=r"differs from the Keras model by .*; nothing is written"):
        export(place / "runs/emotion", "emotion", place / "models", "float16", None, quiet)
    assert (place / "models/emotion.tflite").read_bytes() == before
    assert len(list((place / "models").iterdir())) == 4


def test_a_run_without_weights_is_refused(place, tmp_path):
    recipe = (place / "runs/emotion/recipe.json").read_text()
    (tmp_path / "recipe.json").write_text(recipe)
    with pytest.raises(DataError, match=r"best.keras: cannot be loaded"):
        export(tmp_path, "emotion", tmp_path / "models", "float16", None, quiet)
    with pytest.raises(DataError, match=r"recipe.json: cannot be read"):
        export(tmp_path / "nowhere", "emotion", tmp_path / "models", "float16", None, quiet)
