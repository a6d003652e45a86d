from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras  # noqa: E402

from tests.train.conftest import write_utkface  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.data import DataError  # noqa: E402
from train.fit import Progress, fit, let_down, new_model  # noqa: E402
from train.prepare import prepare  # noqa: E402
from train.recipe import RECIPES  # noqa: E402

TINY = {"side": 24, "widths": (8, 12), "batch": 16, "epochs": 2}


def quiet(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The folder of UTKFace's cache."""
    folder = tmp_path_factory.mktemp("faces")
    write_utkface(folder / "sets")
    list(prepare(folder / "sets", [], folder / "data"))
    return str(folder / "data")


@pytest.fixture(scope="module")
def age_run(faces, tmp_path_factory):
    """A run of two epochs that nothing disturbed."""
    run = tmp_path_factory.mktemp("age") / "run"
    fit(RECIPES["age"].with_changes({**TINY, "data": faces}), run, False, quiet)
    return run


def weights(run):
    return keras.saving.load_model(run / "best.keras", compile=False).get_weights()


def test_a_run_leaves_everything_that_explains_it(fer2013, tmp_path):
    list(prepare(fer2013, [], tmp_path / "data"))
    lines = []
    recipe = RECIPES["emotion"].with_changes({**TINY, "data": str(tmp_path / "data")})
    fit(recipe, tmp_path / "run", False, lines.append)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    wanted = {"recipe.json", "log.csv", "curves.png", "confusion.png", "best.keras", "last-2.keras", "state.json"}
    assert names == wanted
    with open(tmp_path / "run/log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert lines[0].startswith("emotion: 56 pictures to train on, 14 to validate, ")
    assert lines[-1].startswith("emotion: best validation accuracy ")


def test_a_run_broken_off_and_resumed_ends_like_one_that_was_not(age_run, faces, tmp_path, monkeypatch):
    recipe = RECIPES["age"].with_changes({**TINY, "data": faces})
    keep = Progress.keep

    def keep_and_die(self, model, row):
        keep(self, model, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "keep", keep_and_die)
        fit(recipe, tmp_path / "broken", False, quiet)
    fit(recipe, tmp_path / "broken", True, quiet)
    whole, broken = Progress.read(age_run).history, Progress.read(tmp_path / "broken").history
    assert [row["epoch"] for row in broken] == [1, 2]
    assert [row["loss"] for row in broken] == pytest.approx([row["loss"] for row in whole], rel=1e-4)
    for mine, other in zip(weights(age_run), weights(tmp_path / "broken"), strict=True):
        assert np.allclose(mine, other, atol=1e-4)


def test_a_run_can_start_from_the_weights_of_another_one(age_run):
    gender = RECIPES["gender"].with_changes({**TINY, "start": str(age_run)})
    started = new_model(gender).get_weights()
    assert len(started) == len(weights(age_run))
    same = [np.array_equal(a, b) for a, b in zip(started, weights(age_run), strict=True)]
    assert same == [True] * (len(same) - 2) + [False] * 2  # all but kernel and bias of the last layer
    wider = gender.with_changes({"widths": (8, 16)})
    with pytest.raises(DataError, match=r"does not fit this net .*; train without --from"):
        new_model(wider)


def test_a_gender_net_is_not_trained_while_one_of_its_data_sets_is_missing(faces, tmp_path):
    recipe = RECIPES["gender"].with_changes({**TINY, "data": faces})
    with pytest.raises(DataError, match=r"fairface.npz: no such file"):
        fit(recipe, tmp_path / "run", False, quiet)


def test_a_run_is_never_overwritten(age_run, faces):
    recipe = RECIPES["age"].with_changes({**TINY, "data": faces})
    with pytest.raises(DataError, match=r"holds a run already; add --resume"):
        fit(recipe, age_run, False, quiet)


def test_the_time_limit_ends_a_run_before_its_epochs_do(faces, tmp_path):
    recipe = RECIPES["age"].with_changes({**TINY, "data": faces, "epochs": 1000, "seconds": 1})
    fit(recipe, tmp_path / "run", False, quiet)
    assert Progress.read(tmp_path / "run").epoch < 1000


def test_the_learning_rate_rises_then_falls_to_almost_nothing():
    factors = [let_down(share, warm_up=0.1) for share in (0, 0.05, 0.1, 0.55, 1.0, 1.2)]
    assert factors == pytest.approx([0.02, 0.5, 1.001, 0.501, 0.001, 0.001])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["age", "--data", "nowhere"], "nowhere/utkface.npz: no such file; write it with: python -m train.prepare"),
        (["age", "--resume"], "runs/age/state.json: is not the state of a run to resume"),
    ],
)
def test_a_wrong_start_is_said_in_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1
