"""A kind of answer that the project does not have: everything that takes answers takes it too, by its class alone."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from stages.answers import KINDS, Answer
from stages.report.__main__ import main
from stages.results.jsonl import line, lines_of
from stages.sinks.subtitles import subtitles
from stages.view.overlay.labels import everything_about, lines_about
from stages.view.web.charts import ChartSamples
from stages.vision.inference.answers import answer, row_of
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError
from stages.vision.smoothing import Smoother
from tests.report.material import written
from tests.results.frames import face, frame
from tests.vision.inference.conftest import EMOTION


@dataclass(frozen=True, slots=True)
class Affect(Answer):
    """How pleasant and how lively a face looks, in [-1, 1]."""

    task: ClassVar[str] = "affect"
    key: ClassVar[str] = "valence"
    names: ClassVar[tuple[str, ...]] = ("valence", "arousal")

    valence: float
    arousal: float

    def text(self, stage: str) -> str:
        return f"{stage} {self.valence:+.1f} {self.arousal:+.1f}"

    def sentence(self, stage: str) -> tuple[str, str, str]:
        return f"{stage} ", f"{self.valence:+.1f}", " of 1"


@pytest.fixture(autouse=True)
def affect(monkeypatch):
    monkeypatch.setitem(KINDS, "affect", Affect)


ONE = replace(face(10, 10, 20, affect=Affect(0.25, -0.5)), id=1)


def card_of_affect(tmp_path, **changes):
    import yaml

    keys = {key: value for key, value in EMOTION.items() if key not in ("labels", "outputs")}
    (tmp_path / "affect.yaml").write_text(yaml.safe_dump(keys | {"task": "affect"} | changes))
    return load_card(tmp_path / "affect.yaml")


def test_a_card_has_it_as_task_and_its_net_gives_it(tmp_path):
    card = card_of_affect(tmp_path)
    assert card.shown == ("valence", "arousal")
    assert answer(card, row_of(card, [0.25, -0.5])) == Affect(0.25, -0.5)
    with pytest.raises(CardError, match="labels.* task: affect"):
        card_of_affect(tmp_path, labels=["a", "b"])


def test_a_line_of_the_results_has_it_and_is_read_again(tmp_path):
    (tmp_path / "results.jsonl").write_bytes(line(frame(0, faces=[replace(ONE, smoothed={"affect": Affect(0.1, 0)})])))
    [read] = next(lines_of(tmp_path / "results.jsonl")).faces
    assert (read.answers["affect"], read.smoothed["affect"]) == (Affect(0.25, -0.5), Affect(0.1, 0.0))


def test_it_is_smoothed():
    smoother = Smoother({"affect": 1.0}, hold_s=1.0)
    smoother.update(0.0, {"affect": Affect(0.0, 1.0)})
    smoothed = smoother.update(0.04, {"affect": Affect(1.0, 0.0)})["affect"]
    assert 0 < smoothed.valence < 1 and smoothed.valence == pytest.approx(1 - smoothed.arousal)


def test_overlay_subtitle_and_chart_show_it():
    only = replace(ONE, answers={"affect": Affect(0.25, -0.5)})
    assert [said.text for said in lines_about(only, None)] == ["#1  affect +0.2 -0.5"]
    assert everything_about(only, None)[1].text == "affect +0.2 -0.5"
    assert "#1 affect +0.2 -0.5\n" in "".join(subtitles([(0.0, [only])]))
    charts = ChartSamples()
    charts.finished(frame(0, faces=[only]), 0.0)
    assert charts.labels == {"affect": ["valence", "arousal"]}
    assert charts.since(0)[0]["faces"][0][3] == {"affect": [0.25, -0.5]}


def test_report_and_table_have_it(tmp_path):
    folder = written(tmp_path, [frame(number, faces=[ONE]) for number in range(3)])
    assert main([str(folder), "--html", "--csv"]) == 0
    assert "affect <strong>+0.2</strong> of 1" in (folder / "report.html").read_text(encoding="utf-8")
    with (folder / "faces.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["affect"], row["affect_arousal"]) == ("0.25", "-0.5")
