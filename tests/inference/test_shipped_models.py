from __future__ import annotations

from pathlib import Path

import pytest

from stages.inference import load_model
from stages.inference.card import load_card, unchecked
from tests.inference.test_litert import assert_independent_of_batches

MODELS = Path(__file__).resolve().parents[2] / "models"
CARDS = sorted([*MODELS.glob("*.yaml"), *(MODELS / "variants").glob("*.yaml")])


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_card_of_ours_is_complete_and_its_model_answers_bit_for_bit_alike(path):
    card = load_card(path)
    assert unchecked(card) is None
    assert_independent_of_batches(load_model(card))
