"""What results are made of, by which `--resume` knows whether a run can be gone on with."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from stages.config.schema import Attribute, Capture, Detect, Haar, Pipeline, Render
from stages.plan import DEFAULT_CONFIG, Plan
from stages.results.run_file import RunFile
from stages.vision.detectors.card import load_detector_card
from stages.vision.detectors.fast import CARD

# Of each key that decides what is written, another value than its own.
DECIDES = {
    "detect": {
        "detector": "haar",
        "model": "models/faces-other.yaml",  # its content counts, in place of its path
        "longest_side": 320,
        "smallest_face": 0.1,
        "threshold": 0.6,
    },
    "gender": {"model": "models/gender-small.yaml", "device": "gpu", "every": 2},
    "render": {
        "style": "plain",
        "blur": "blur",
        "track": False,
        "coast": 2.0,
        "smooth": {"gender": 1.0},
        "unsure_below": 0.5,
        "annotated": False,
        "rotate": "1h",
    },
    "capture": {"start": 1.0, "end": 2.0, "fps": 5.0, "loop": True},
}
# Of these the results are the same; `haar` is nothing to the default detector.
DECIDES_NOTHING = {
    "detect": {"haar", "replicas", "host"},
    "gender": {"kind", "replicas", "host"},
    "render": {
        "display",
        "web",
        "web_host",
        "web_record",
        "show",
        "delay",
        "output",
        "publish",
        "events",
        "portraits",
        "snapshot",
        "subtitles",
        "encoder",
        "keep",
        "stream",
        "host",
    },
    "capture": {"host"},
}
SECTIONS = {"detect": Detect, "gender": Attribute, "render": Render, "capture": Capture}
CHANGES = [(section, key) for section, keys in DECIDES.items() for key in keys if (section, key) != ("detect", "model")]


def inputs_of(pipeline: Pipeline) -> dict:
    return Plan.of(replace(pipeline, source="demo"), DEFAULT_CONFIG.parent).inputs


def changed(section: str, **keys) -> Pipeline:
    usual = Pipeline()
    if section in usual.stages:
        stages = {n: replace(stage, **keys) if n == section else stage for n, stage in usual.stages.items()}
        return replace(usual, stages=stages)
    return replace(usual, **{section: replace(getattr(usual, section), **keys)})


@pytest.mark.parametrize(("section", "key"), CHANGES)
def test_a_run_is_not_gone_on_with_after_a_setting_that_decides_what_is_written_has_changed(section, key):
    begun = RunFile("a1", inputs_of(Pipeline()), 1, None)
    difference = begun.difference(inputs_of(changed(section, **{key: DECIDES[section][key]})))
    assert difference and difference.split(".")[-1] in (key, section)


def test_of_every_key_it_is_known_whether_it_decides_what_is_written():
    for section, of in SECTIONS.items():
        assert {field.name for field in fields(of)} == DECIDES[section].keys() | DECIDES_NOTHING[section]


def test_a_run_is_not_gone_on_with_after_its_zones_have_changed():
    begun = RunFile("a1", inputs_of(Pipeline()), 1, None)
    with_zone = replace(Pipeline(), zones={"door": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]})
    assert begun.difference(inputs_of(with_zone)) == "zones"


def test_what_is_said_in_other_words_is_the_same_run():
    card = load_detector_card(CARD)
    said = changed("detect", longest_side=448, smallest_face=0.04, threshold=card.score, haar=Haar(step=1.5))
    stages = {name: replace(s, every=1 if name == "emotion" else 3) for name, s in said.attributes().items()}
    assert inputs_of(replace(said, stages={"detect": said.detect, **stages})) == inputs_of(Pipeline())
