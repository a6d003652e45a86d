"""What a stage is told survives the journey through the pipe."""

from __future__ import annotations

import json

from stages.config.schema import Attribute, Detect, Haar, Pipeline, Render
from stages.config.settings import CardSettings, Machines, Settings, SourceSettings
from stages.sources.stamps import apart_in

PIPELINE = Pipeline(
    sources={"door": 0, "yard": "yard.mp4"},
    window=8,
    window_memory=10_000_000,
    deadline=0.5,
    stages={"detect": Detect(detector="yunet", model="y.onnx"), "glasses": Attribute(model="glasses.yaml")},
    render=Render(display="none"),
    zones={"door": {"step": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]}},
)
SETTINGS = Settings(
    stage="capture",
    replica=1,
    pipeline=PIPELINE,
    render="ipc:///r",
    captures=("ipc:///c0", "ipc:///c1"),
    sources=(SourceSettings(0, "door", False), SourceSettings("yard.mp4", "yard", True)),
    models={"detect": "/m/y.onnx", "glasses": "/m/glasses.yaml"},
    cards={
        "glasses": CardSettings(
            "ab12", 64, 48, 1, 1.3, "mine", "age", ("young", "old"), (("young", 0.0), ("old", 60.0))
        )
    },
    output="/out",
    once=True,
    binds=("ipc:///c1", "tcp://192.168.7.10:5602"),
    machines=Machines("desk", "/keys", {"tcp://192.168.7.20:5600": "shed"}),
)


def test_settings_are_the_same_after_a_round_trip_through_json():
    assert Settings.from_json(json.loads(json.dumps(SETTINGS.to_json()))) == SETTINGS


def test_a_capture_finds_its_source_and_its_address():
    assert SETTINGS.source == SourceSettings("yard.mp4", "yard", True)
    assert SETTINGS.binds == ("ipc:///c1", "tcp://192.168.7.10:5602")


def test_the_detector_is_asked_for_with_the_model_file_that_was_found():
    assert SETTINGS.detector == Detect(
        detector="yunet", longest_side=640, smallest_face=0.08, threshold=0.7, model="/m/y.onnx", haar=Haar(step=1.2)
    )


def test_which_names_are_kept_apart_is_known_from_the_files_that_the_run_was_begun_with():
    shots = ["shots", [["A.jpg", 1, 2], ["a.jpg", 1, 2], ["b.jpg", None, None]]]
    assert apart_in({"source shots/": shots, "stages.age": "f00"}) == {"a.jpg"}
    several = {"source door": [0, None], "source yard": shots}
    assert (apart_in(several, "yard"), apart_in(several, "door"), apart_in(several)) == ({"a.jpg"}, set(), set())


def test_a_run_file_that_says_something_else_keeps_no_names_apart():
    for said in (None, 7, [], ["shots"], ["shots", 7], ["shots", [[1, 2, 3]]], ["clip.mp4", [10, 20]]):
        assert apart_in({"source shots": said}, "shots") == set()
