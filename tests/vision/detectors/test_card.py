from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stages.vision.detectors.card import check_file, load_detector_card
from stages.vision.detectors.face_net import FaceNet
from stages.vision.inference.fields import CardError

CARD = {
    "name": "faces",
    "file": "faces.tflite",
    "sha256": "ab" * 32,
    "task": "faces",
    "input": {"dtype": "float32", "range": [0, 255], "order": "bgr"},
    "strides": [8, 16, 32],
    "score": 0.5,
    "overlap": 0.45,
    "framing": {"side": 0.85, "right": 0.01, "down": 0.13},
    "golden": {"score": 0.9, "box": [40, 40, 80, 90], "tolerance": 0.02},
}


def card(tmp_path, **changes):
    path = tmp_path / "faces.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (CARD | changes).items() if value is not None}))
    return path


def test_a_card_says_how_a_file_is_to_be_read(tmp_path):
    read = load_detector_card(card(tmp_path))
    assert (read.name, read.file, read.order, read.score, read.overlap) == (
        "faces",
        tmp_path / "faces.tflite",
        "bgr",
        0.5,
        0.45,
    )
    assert read.box_normalization.side == 0.85 and read.golden.box == (40, 40, 80, 90)


def test_hash_and_test_picture_may_be_left_out(tmp_path):
    read = load_detector_card(card(tmp_path, sha256=None, golden=None))
    assert (read.sha256, read.golden) == (None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "classes"}, "task is 'classes'; write faces"),
        ({"score": 1.5}, "score is 1.5; write a number between 0 and 1"),
        ({"score": None}, "score is missing; write a number between 0 and 1"),
        ({"overlap": "much"}, "overlap is 'much'; write"),
        ({"strides": [4, 8, 16]}, r"strides is \[4, 8, 16\]; write \[8, 16, 32\]"),
        ({"input": {"range": [0, 1]}}, r"input.range is \[0, 1\]; write \[0, 255\]"),
        ({"framing": {"side": 0, "right": 0, "down": 0}}, "framing.side is 0; write a number from 0.1 to 10"),
        ({"framing": {"side": 1e-300, "right": 0, "down": 0}}, "framing.side is 1e-300; write a number from 0.1 to 10"),
        ({"framing": {"side": 1.0, "right": 3, "down": 0}}, "framing.right is 3; write a number from -1 to 1"),
        ({"golden": {"score": 0.9, "box": [1, 2], "tolerance": 0.1}}, r"golden.box is \[1, 2\]; write x, y"),
        ({"labels": ["face"]}, "labels is not a key of a model card"),
    ],
)
def test_a_wrong_card_is_one_sentence_with_the_key_and_what_to_write(tmp_path, changes, sentence):
    with pytest.raises(CardError, match=rf"faces\.yaml: {sentence}"):
        load_detector_card(card(tmp_path, **changes))


def test_a_file_that_is_not_there_or_not_the_cards_is_refused(tmp_path):
    path = card(tmp_path)
    with pytest.raises(CardError, match=r"faces\.tflite, which does not exist; put the model there\.$"):
        FaceNet(load_detector_card(path))
    (tmp_path / "faces.tflite").write_bytes(b"no model")
    with pytest.raises(CardError, match="has the SHA-256 .* the card says abab"):
        FaceNet(load_detector_card(path))
    with pytest.raises(CardError, match=r"is no \.tflite file, or is damaged; put the right file there"):
        FaceNet(load_detector_card(card(tmp_path, sha256=None)))


def test_a_net_that_looks_at_one_face_is_no_detector(tmp_path):
    weights = Path(__file__).parents[3] / "models/emotion.tflite"
    (tmp_path / "faces.tflite").write_bytes(weights.read_bytes())
    with pytest.raises(CardError, match=r"of the shapes \[\[1, 48, 48, 1\], \[1, 7\]\]; a face net takes"):
        FaceNet(load_detector_card(card(tmp_path, sha256=None)))


def test_a_folder_is_no_detectors_file(tmp_path):
    (tmp_path / "home").mkdir()
    with pytest.raises(CardError, match=r"file names .*home, which is a folder; put the right file there\."):
        FaceNet(load_detector_card(card(tmp_path, file="home")))


@pytest.mark.parametrize("content", [b"", b"no model", bytes(3000)])
def test_a_file_that_is_no_net_is_refused_before_anything_runs(tmp_path, content):
    (tmp_path / "faces.tflite").write_bytes(content)
    with pytest.raises(CardError, match=r"faces\.tflite is no \.tflite file, or is damaged; put the right file"):
        check_file(load_detector_card(card(tmp_path, sha256=None)))
