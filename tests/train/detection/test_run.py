"""A run of the detector from prepared photographs to a card, on a net so narrow that it takes seconds."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras  # noqa: E402
import yaml  # noqa: E402

from stages.vision.detectors.card import load_detector_card  # noqa: E402
from stages.vision.detectors.face_net import FaceNet  # noqa: E402
from stages.vision.inference.fields import CardError  # noqa: E402
from train.__main__ import main as train  # noqa: E402
from train.evaluate import main as evaluate  # noqa: E402
from train.export import main as export  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
TINY = ["--epochs", "2", "--batch", "4", "--workers", "0"]
SETTINGS = ["side=64", "width=0.25", "sources={drawn: 12, empty: 2}"]
WORDS = ["faces", *TINY, *(word for setting in SETTINGS for word in ("--recipe", setting))]


def trained(photographs, run, *more):
    return train([*WORDS, "--data", str(photographs), "--out", str(run), *more])


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "faces"
    assert trained(photographs, folder) == 0
    return folder


@pytest.fixture(scope="module")
def models(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    assert export([str(run), "--name", "faces", "--models", str(folder)]) == 0
    return folder


def test_a_run_leaves_what_explains_it(run):
    assert {"recipe.json", "state.json", "best.keras", "log.csv", "log.md", "curves.png"} <= set(
        path.name for path in run.iterdir()
    )
    history = json.loads((run / "state.json").read_text())["history"]
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(np.isfinite(row["loss"]) and 0 <= row["faces on drawn"] <= 1 for row in history)


def test_a_run_that_is_resumed_ends_like_one_that_was_not_broken_off(run, photographs, tmp_path, monkeypatch):
    from train.state import Progress

    keep = Progress.keep

    def keep_one(self, row):
        keep(self, row)
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "keep", keep_one)
    with pytest.raises(KeyboardInterrupt):
        trained(photographs, tmp_path / "run")
    monkeypatch.undo()
    assert train(["faces", "--out", str(tmp_path / "run"), "--resume", "--workers", "0"]) == 0
    undisturbed, resumed = (np.load(folder / "last-2.npz", allow_pickle=False) for folder in (run, tmp_path / "run"))
    for name in undisturbed.files:
        assert np.allclose(undisturbed[name], resumed[name], atol=1e-5), name


def test_the_card_holds_the_file_to_what_it_finds_in_the_test_picture(models):
    net = FaceNet(load_detector_card(models / "faces.yaml"))
    boxes, points, scores = net.find(np.zeros((50, 70, 3), np.uint8))
    assert boxes.shape == (len(scores), 4) and points.shape == (len(scores), 5, 2)
    card = yaml.safe_load((models / "faces.yaml").read_text())
    card["golden"]["score"] = 0.999
    (models / "other.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(
        CardError, match=r"other\.yaml: faces\.tflite finds .* in the test picture, the card says 0\.9990"
    ):
        FaceNet(load_detector_card(models / "other.yaml"))


def test_answers_are_those_of_keras_for_pictures_of_any_shape_whatever_was_seen_before(run, models):
    net, rng = FaceNet(load_detector_card(models / "faces.yaml")), np.random.default_rng(0)
    by_keras = keras.saving.load_model(run / "best.keras", compile=False)
    for height, width in ((64, 96), (32, 256), (64, 96)):
        pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        wanted = np.asarray(by_keras(pixels[None, :, :, ::-1].astype(np.float32), training=False))[0]
        assert np.allclose(net.answers(pixels), wanted, atol=0.05)


def test_strips_and_specks_have_answers_too(models):
    net = FaceNet(load_detector_card(models / "faces.yaml"))
    for shape in ((1, 1, 3), (1, 4000, 3), (700, 2, 3)):
        assert np.isfinite(net.find(np.zeros(shape, np.uint8), score=0.01)[0]).all()


def test_every_detector_that_is_there_has_a_row_in_one_table(models, photographs, capsys):
    words = [str(models / "faces.yaml"), "drawn", "--part", "validation", "--data", str(photographs), "--corrupted"]
    assert evaluate(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("drawn validation: 4 pictures, 8 faces marked")
    titles = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert titles[:3] == ["detector and settings", "---", "faces, longest_side 320, every score"]
    assert "haar" in titles
    assert any(line.startswith("  rolled by 45 degrees: average precision 0.") for line in lines)


def test_with_yunet_a_second_table_has_the_recall_of_each_by_yaw(models, photographs, peers, capsys):
    yunet = str(peers / "face_detection_yunet_2023mar.onnx")
    words = [str(models / "faces.yaml"), "drawn", "--part", "validation", "--data", str(photographs)]
    assert evaluate([*words, "--yunet", yunet]) == 0
    lines = capsys.readouterr().out.splitlines()
    second = lines[lines.index("recall where 90% of the boxes are faces, by the yaw of the face:") + 1 :]
    assert second[0].count(" faces |") == 4
    assert {"fast", "haar", "dlib", "yunet"} <= {line.split("|")[1].strip() for line in second}


def test_a_net_of_another_width_cannot_start_from_this_one(run, photographs, tmp_path, capsys):
    assert trained(photographs, tmp_path / "run", "--from", str(run), "--recipe", "width=0.5") == 2
    assert "does not fit this net" in capsys.readouterr().err
