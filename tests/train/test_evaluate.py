"""What `python -m train.evaluate` makes of the figures by group."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from stages.frames import CropGeometry  # noqa: E402
from train.data import Faces  # noqa: E402
from train.evaluate import gaps, main, rolled_figures  # noqa: E402
from train.questions import Question  # noqa: E402


def told(kinds, figures):
    question = SimpleNamespace(faces=SimpleNamespace(groups=dict.fromkeys(kinds)))
    return list(gaps(question, figures))


def test_the_gap_is_from_the_best_group_to_the_worst_of_its_kind():
    shares = {"race Black": 0.817, "race White": 0.921, "race Indian": 0.897, "gender man": 0.5, "gender woman": 0.9}
    figures = {title: (100, "accuracy", share) for title, share in shares.items()}
    (line,) = told(("race", "gender", "also_in_training"), figures)
    assert line == "largest gap by race: accuracy 10.4 points, from race White (92.1%) to race Black (81.7%)"


def test_of_years_that_an_age_is_off_fewer_are_better():
    years = {"ages 0-9": 1.7, "ages 10-19": 4.7, "ages 60+": 9.3}
    (line,) = told(("ages",), {title: (9, "mean absolute error (years)", off) for title, off in years.items()})
    assert line.endswith("mean absolute error (years) 7.60, from ages 0-9 (1.70) to ages 60+ (9.30)")


class Brightness:
    """A model that takes a face for a man whose upper third is brighter than its lower one."""

    card = SimpleNamespace(geometry=CropGeometry(24, 24, 3, 1.0))

    def answers(self, crops):
        man = crops[:, :8].mean(axis=(1, 2, 3)) > crops[:, -8:].mean(axis=(1, 2, 3))
        return np.stack([man, ~man], axis=1).astype(float)


def test_rolled_pictures_are_told_roll_by_roll_upright_and_level(astronaut, peers):
    faces = Faces(np.ascontiguousarray(astronaut[0:224, 110:334])[None], np.float32([[70, 75, 95, 95]]), {})
    card = SimpleNamespace(shown=("man", "woman"))
    asked = Question("", faces, np.zeros(1, int), "classes", ("man", "woman"))
    model = str(peers / "face_detection_yunet_2023mar.onnx")
    lines = list(rolled_figures(card, Brightness(), asked, "yunet", model))
    assert [line.split(":")[0] for line in lines] == [f"  rolled by {degrees} degrees" for degrees in (0, 15, 30, 45)]
    assert lines[0].split("; ")[0].endswith("found 100.0% of 1")
    assert "accuracy" in lines[0] and "upright" in lines[0] and "level" in lines[0]


def test_rolled_without_a_detector_is_refused_in_a_sentence(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["models/gender.yaml", "utkface", "--rolled"])
    assert ended.value.code == 2
    assert "--detector" in capsys.readouterr().err
