"""A disk that is full, or that does not let us write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from matplotlib.figure import Figure  # noqa: E402

from train import export as exporting  # noqa: E402
from train.__main__ import main as train  # noqa: E402
from train.callbacks import Best  # noqa: E402
from train.files import WriteError, whole, write_text  # noqa: E402
from train.prepare import main as prepare  # noqa: E402
from train.recipe import RECIPES, save_recipe  # noqa: E402
from train.report import draw_curves  # noqa: E402
from train.state import Progress  # noqa: E402

FULL = OSError(28, "No space left on device")


def full(*_, **__):
    raise FULL


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_there_whole_or_as_it_was_before(tmp_path):
    write_text(tmp_path / "log.md", "before")
    with pytest.raises(WriteError) as error, whole(tmp_path / "log.md") as unfinished:
        unfinished.write_text("hal")
        raise FULL
    expected = f"{tmp_path}/log.md: could not be written (No space left on device); free some space or write elsewhere"
    assert str(error.value) == f"{expected}, then try again."
    assert names_in(tmp_path) == ["log.md"] and (tmp_path / "log.md").read_text() == "before"


def test_a_full_disk_never_leaves_half_of_the_best_weights(tmp_path):
    class HalfWritten:
        def save(self, path):
            path.write_bytes(b"half")
            raise OSError("Can't write data (file write failed, as h5py says it)")

    best = Best(Progress(tmp_path), HalfWritten())
    with pytest.raises(WriteError, match=r"best.keras: could not be written \(Can't write data"):
        best.on_epoch_end(0, {"val_error": 0.5})
    assert names_in(tmp_path) == []


def test_a_full_disk_never_leaves_half_of_a_picture(tmp_path, monkeypatch):
    def half(_figure, path, **_):
        path.write_bytes(b"half")
        raise FULL

    monkeypatch.setattr(Figure, "savefig", half)
    row = {"epoch": 1, "loss": 1.0, "learning_rate": 0.1, "age on utkface": 0.5}
    with pytest.raises(WriteError, match=r"curves.png: could not be written"):
        draw_curves([row], "age", tmp_path / "curves.png")
    assert names_in(tmp_path) == []


def test_a_run_that_could_not_note_its_recipe_can_be_begun_again(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    command = ["age", "--data", str(tmp_path / "none"), "--out", str(run), "--workers", "0"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert train(command) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{run}/recipe.json: could not be written (No space left on device)")
    assert said.count("\n") == 1
    assert train(command) == 2
    assert "none/utkface.npz: no such file" in capsys.readouterr().err  # and no word of a run that is there already


@pytest.mark.parametrize("command", ["train", "prepare", "export"])
def test_a_folder_that_cannot_be_made_is_a_sentence(command, tmp_path, fer2013, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    inside = str(tmp_path / "file/inside")
    monkeypatch.setattr(exporting, "export", lambda *arguments, **_: arguments[2].mkdir())
    commands = {
        "train": lambda: train(["age", "--out", inside, "--workers", "0"]),
        "prepare": lambda: prepare([str(fer2013), "fer2013", "--out", inside]),
        "export": lambda: exporting.main(["run", "--name", "age", "--models", inside]),
    }
    assert commands[command]() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{inside}: could not be read or written (Not a directory); free some space")
    assert said.count("\n") == 1


def test_an_export_onto_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch, capsys):
    run, models = tmp_path / "run", tmp_path / "models"
    run.mkdir(), models.mkdir()
    save_recipe(RECIPES["emotion"], run)
    (models / "emotion.tflite").write_bytes(b"before")
    crops = np.zeros((7, 48, 48, 1), np.uint8)
    for name, value in (
        ("trained_net", None),
        ("calibrating", crops),
        ("answering", None),
        ("validation_of", (crops, np.arange(7))),
        ("logits_of", np.eye(7)),
        ("content_of", b"weights"),
    ):
        monkeypatch.setattr(exporting, name, lambda *_, value=value: value)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert exporting.main([str(run), "--name", "emotion", "--models", str(models)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{models}: could not be read or written (No space left on device)")
    assert names_in(models) == ["emotion.tflite"] and (models / "emotion.tflite").read_bytes() == b"before"
