"""What capture asks of detect."""

from __future__ import annotations

from stages.capturing.in_flight import asked_for
from stages.frames import CropGeometry

GREY, COLOUR = CropGeometry(64, 64, 1, 1.0), CropGeometry(64, 64, 3, 1.2)


def test_crops_that_two_stages_want_alike_are_asked_for_once():
    asked = asked_for({"gender": COLOUR, "emotion": GREY, "age": COLOUR})
    assert asked == {COLOUR: ["gender", "age"], GREY: ["emotion"]}
