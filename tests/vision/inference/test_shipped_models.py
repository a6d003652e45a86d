from __future__ import annotations

from pathlib import Path

import pytest

from stages.vision.detectors.card import load_detector_card
from stages.vision.detectors.face_net import FaceNet
from stages.vision.inference import load_model
from stages.vision.inference.card import load_card, unchecked
from stages.vision.inference.fields import read_mapping
from tests.vision.inference.test_litert import assert_independent_of_batches

MODELS = Path(__file__).resolve().parents[3] / "models"
ALL = sorted([*MODELS.glob("*.yaml"), *(MODELS / "variants").glob("*.yaml")])
DETECTORS = [path for path in ALL if read_mapping(path).get("task") == "faces"]
CARDS = [path for path in ALL if path not in DETECTORS]


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_card_of_ours_is_complete_and_its_model_answers_bit_for_bit_alike(path):
    card = load_card(path)
    assert unchecked(card) is None
    assert_independent_of_batches(load_model(card))


@pytest.mark.parametrize("path", DETECTORS, ids=lambda path: path.stem)
def test_a_detector_of_ours_is_small_and_its_card_complete(path):
    card = load_detector_card(path)
    assert card.sha256 and card.golden
    assert card.file.stat().st_size <= 400_000
    FaceNet(card)  # finds in the test picture what the card says
