"""The measurements, on clips of a few frames: that they measure what they say, not how fast this machine is."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench import (
    before,
    delivery,
    detectors,
    encodings,
    latency,
    memory,
    messages,
    spans,
    start,
    steps,
    throughput,
    web,
)
from bench.clips import HEIGHT, RATE, WIDTH, long_clip, pair_clip, portrait_clip, sample_clip
from bench.loops import Cost, loop
from bench.options import MEASURED, Options, command, renew
from bench.pipeline import run
from bench.table import aims, figure, table
from bench.trees import Tree
from stages.plan import Plan, read_pipeline
from stages.project import PROJECT
from stages.sources.opening import open_source
from stages.vision.detectors import make_detector

QUICK = ("--frames", "8", "--rounds", "1", "--skip", "today", "--skip", "pinned")
LIGHT = ("stages.detect.longest_side=320", "stages.detect.smallest_face=0.2", "stages.detect.replicas=1")


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before  # What was there before may have ended.


@pytest.fixture
def options(tmp_path) -> Options:
    return Options(None, LIGHT, None, 8, 1, frozenset({"today", "pinned"}), None, tmp_path)


@pytest.fixture
def small(tmp_path) -> list[str]:
    """The options for a pipeline of few processes: starting them is what takes the time here."""
    config = tmp_path / "small.yaml"
    config.write_text("stages: {emotion: {}}")
    return [*QUICK, "--config", str(config), *(argument for key in LIGHT for argument in ("--set", key))]


def said_by(measure, title: str, capsys, argv: list[str]) -> str:
    """What a measurement prints."""
    assert command(measure, title, argv) == 0
    printed = capsys.readouterr()
    assert all(line.endswith(" s so far") for line in printed.err.splitlines())  # Signs of life on a slow machine.
    assert f"| {title} " in printed.out
    return printed.out


@pytest.mark.long
@pytest.mark.parametrize(
    ("measure", "title", "more", "rows"),
    [
        (throughput.measure, throughput.TITLE, [],
         ["pipeline / one-thread loops side by side", "pipeline / best single loop", "loop, one thread, processor"]),
        (messages.measure, messages.TITLE, [],
         ["at full load", "paced at 30 a second", "by itself: ack", "in the stages: detect: work answer"]),
        (latency.measure, latency.TITLE, ["--frames", "30"],
         ["added latency p50", "added latency p95", "load by the pipeline", "faces"]),
        (latency.measure_large, latency.TITLE_LARGE, ["--frames", "60"], ["added latency p95", "faces", "dropped"]),
        (start.measure, start.TITLE, [],
         ["the first line of results.jsonl", "render-0 ready", "emotion-0 ready", "imports of capture"]),
        (memory.measure, memory.TITLE, [], ["emotion-0, when ready", "render-0, over 8 frames"]),
        (delivery.measure, delivery.TITLE, [],
         ["frames a second, sure / without heartbeats", "delivery of all processor time", "acknowledgements"]),
        (web.measure, web.TITLE, ["--frames", "40", "--set", "pace=true"],
         ["no page: processor", "a page, nobody looks: speed", "one browser: pictures", "four browsers: processor"]),
    ],
)  # fmt: skip
def test_a_measurement_tells_what_it_promises(small, capsys, measure, title, more, rows):
    said = said_by(measure, title, capsys, [*small, *more])
    assert [row for row in rows if f"| {row}" not in said] == []


@pytest.mark.long
def test_encodings_tell_what_becomes_of_the_answers(small, capsys, tmp_path):
    clip = portrait_clip(tmp_path / "portrait.mp4", 8)
    said = said_by(encodings.measure, encodings.TITLE, capsys, [*small, "--clip", str(clip)])
    for row in ("raw: size", "jpeg 90: size", "jpeg 90: encode", "jpeg 90: faces no longer found", "png: decode"):
        assert f"| {row} " in said
    assert re.search(r"\| png: another emotion +\| 0.00 %", said)
    assert re.search(r"\| png: faces no longer found +\| 0.00 % .* 0 others instead", said)


@pytest.mark.long
def test_the_time_of_a_frame_is_told_step_by_step_before_and_now(small, capsys):
    title, measure = next(iter(steps.MEASUREMENTS.items()))
    assert command(measure, title, [*small, "--before", str(PROJECT)]) == 0
    said = capsys.readouterr().out
    for row in ("decode", "detect", "crop", "emotion", "follow", "draw", "encode", "results.jsonl", "all else"):
        assert re.search(rf"\| {row} +\| [\d.]+ ms +\| [\d.]+ ms +\|", said), row
    assert re.search(r"faces a frame: before (\d\.\d\d) and now \1", said)
    for row in ("the work, in a loop", steps.MESSAGES, "the whole, in the pipeline"):
        assert f"| {row} " in said


def test_the_steps_and_what_is_in_none_of_them_are_all_the_work():
    costs = {"now": [Cost(10, 1.0, 0.5, 20, {"draw": 0.1, "detect": 0.2}, {"detect": 0.15})]}
    whole = {"now": [Cost(10, 0.4, 0.7, 20)]}
    figures = steps.figures(costs, whole)
    assert [figure.note for figure in figures[:2]] == ["15.00 ms of it in the detector itself", ""]
    told = {figure.what: figure.value for figure in figures}
    assert list(told) == [
        "detect",
        "draw",
        "all else",
        "the work, in a loop",
        steps.MESSAGES,
        "the whole, in the pipeline",
    ]
    assert list(told.values()) == pytest.approx([20, 10, 20, 50, 20, 70])


def test_an_older_checkout_is_measured_in_turn_with_this_one(options, monkeypatch, tmp_path):
    older, asked = tmp_path / "older", []
    (older / "bench").mkdir(parents=True)
    (older / "bench/pipeline.py").touch()

    def measured(tree, options, clip, *overrides):
        asked.append(tree.folder)
        return Cost(8, 2.0 if tree.folder == older else 0.5, 1.0, 16)

    monkeypatch.setattr(Tree, "pipeline", measured)
    monkeypatch.setattr(before, "model_of", lambda detector: None)
    small, large = before.measure(replace(options, before=older, rounds=2))
    assert small.compared_row == (
        "640 x 360 with two faces: by default", "4.00 frames/s", "16.0 frames/s", "4.00 x", "3",
        "faces a frame: before 2.00, now 2.00",
    )  # fmt: skip
    assert (small.verdict, large.what) == ("reached", "the demo, 1280 x 720: by default")
    assert asked == [older, PROJECT, PROJECT, older] * 2


@pytest.mark.long
def test_each_detector_and_a_package_that_people_install_have_a_row(small, capsys, monkeypatch, tmp_path):
    peer = _fake_peer(tmp_path / "peer")
    monkeypatch.setattr(detectors, "DETECTORS", dict.fromkeys(("haar", "yunet")))
    monkeypatch.setattr(detectors, "PEERS", tmp_path)
    said = said_by(detectors.measure, detectors.TITLE, capsys, [*small, "--peer", str(peer)])
    assert re.search(r"\| facepipe, haar +\| [\d.]+ frames/s .* faces a frame, [\d.]+ ms to find them", said)
    assert re.search(r"\| facepipe, yunet .* not measured: it needs face_detection_yunet_2023mar.onnx in ", said)
    assert re.search(r"\| fer, haar +\| [\d.]+ frames/s .* 2.00 faces a frame", said)
    assert re.search(r"\| fer, mtcnn +\| [\d.]+ frames/s .* 3.00 faces a frame", said)


def _fake_peer(folder: Path) -> Path:
    """An environment whose package finds two faces in every picture, or three with MTCNN."""
    package, python = folder / "fer", folder / "bin/python"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "fer.py").write_text(
        "class FER:\n    def __init__(self, mtcnn):\n        self.faces = 3 if mtcnn else 2\n"
        "    def detect_emotions(self, picture):\n        return [{}] * self.faces\n"
    )
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return folder


def test_the_loop_does_the_very_work_of_the_pipeline(options):
    clip = portrait_clip(options.folder / "clip.mp4", 8)
    ran, looped = run(options, clip), loop(options, clip)
    assert (ran.frames, looped.frames) == (8, 8)
    written = {path.parent.name.partition("-")[0]: path.read_bytes() for path in options.folder.glob("*/results.jsonl")}
    assert written["run"] == written["loop"]
    faces = [face for line in written["run"].splitlines() for face in json.loads(line)["faces"]]
    assert len(faces) == 8
    assert all({"gender", "emotion", "age"} <= face["smoothed"].keys() for face in faces)


@pytest.mark.long
def test_a_bare_run_writes_the_same(options):
    clip = portrait_clip(options.folder / "clip.mp4", 8)
    sure, bare = run(options, clip), run(options, clip, bare=True)
    lines = [(ran.output / "results.jsonl").read_bytes() for ran in (sure, bare)]
    assert lines[0] == lines[1] and lines[0].count(b"\n") == 8
    assert sorted(sure.stages) == sorted(bare.stages)
    assert (bare.output / "annotated/clip.mp4").stat().st_size > 0


def test_the_cost_of_a_run_is_that_of_all_its_processes(options):
    ran = run(options, portrait_clip(options.folder / "clip.mp4", 4), spans=True)
    assert sorted(ran.stages) == ["age-0", "capture-0", "detect-0", "emotion-0", "gender-0", "render-0"]
    assert ran.cpu_s == pytest.approx(ran.launcher_s + sum(notes["cpu_s"] for notes in ran.stages.values()))
    for notes in ran.stages.values():
        assert notes["began_s"] < notes["imported_s"] < notes["ready_s"]
        assert sum(seconds for _, seconds in notes["spans"].values()) <= notes["main_s"] <= notes["cpu_s"]
    assert ran.stages["detect-0"]["spans"]["work answer"][0] == 4
    assert ran.stages["render-0"]["spans"]["unpack attribute"][0] == 8  # two frames of all three, two of emotion


def test_a_clip_has_the_frames_that_were_asked_for(tmp_path):
    source = open_source(str(long_clip(tmp_path / "clip.mp4", 5)))
    pictures = list(source.pictures())
    assert [picture.pixels.shape for picture in pictures] == [(HEIGHT, WIDTH, 3)] * 5
    assert [round(picture.time * RATE) for picture in pictures] == [0, 1, 2, 3, 4]


def test_a_pair_is_two_faces_in_every_frame(tmp_path):
    haar = make_detector(Plan.of(*read_pipeline(None, ("stages.detect.detector=haar",))).settings("detect", 0).detector)
    pictures = list(open_source(str(pair_clip(tmp_path / "pair.mp4", 20))).pictures())
    assert [len(haar.detect(picture.pixels).boxes) for picture in pictures] == [2] * 20


def test_who_is_slow_is_given_frames_of_the_whole_clip(tmp_path):
    clip = long_clip(tmp_path / "clip.mp4", 7)
    pictures, some = (
        list(open_source(str(path)).pictures()) for path in (clip, sample_clip(tmp_path / "s.mp4", clip, 3))
    )
    assert len(some) == 3
    for kept, original in zip(some, pictures[::3], strict=True):
        assert np.abs(kept.pixels.astype(int) - original.pixels).mean() < 3  # It was encoded once more.


def test_a_video_is_repeated_until_there_are_enough_frames(tmp_path):
    short = long_clip(tmp_path / "short.mp4", 3)
    assert len(list(open_source(str(long_clip(tmp_path / "long.mp4", 7, str(short)))).pictures())) == 7


def test_a_function_is_charged_without_what_it_calls(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(spans.time, "thread_time", lambda: now_s[0])

    class Stage:
        def inner(self):
            now_s[0] += 2

        def outer(self):
            now_s[0] += 1
            self.inner()
            self.inner()

    measured = spans.Spans()
    measured.around(Stage, "outer", lambda *_: "outer")
    measured.around(Stage, "inner", lambda *_: "inner")
    Stage().outer()
    assert measured.report() == {"outer": (1, 1.0), "inner": (2, 4.0)}


def test_a_table_tells_median_range_aim_what_was_before_and_how_much_is_gained():
    figures = [figure("speed", [30.0, 10.0, 14.0], "frames/s", "15"), figure("cost", 1.5, "ms", note="of one")]
    assert table("what", figures).splitlines()[2:] == [
        "| speed | 14.0 frames/s | 10.0 to 30.0 | 15  |        |",
        "| cost  | 1.50 ms       |              |     | of one |",
    ]
    figures = [
        figure("speed", [30.0, 20.0], "frames/s", "2.5", before=[10.0, 10.0]),
        figure("cost", [2.0, 2.0], "ms", before=[4.0, 4.0], note="of one"),
        figure("new", [2.0], "ms", before=[0.0]),
    ]
    assert table("what", figures).splitlines()[2:] == [
        "| speed | 10.0 frames/s | 25.0 frames/s | 2.50 x (2.00 to 3.00) | 2.5             |        |",
        "| cost  | 4.00 ms       | 2.00 ms       | 2.00 x                |                 | of one |",
        "| new   | 0.00 ms       | 2.00 ms       |                       |                 |        |",
    ]


def test_aims_are_reached_from_below_or_above_as_their_unit_asks():
    figures = [
        figure("speed", [30.0], "frames/s", "3", before=[10.0]),
        figure("ratio", 0.9, "x", "0.92 (floor 0.85)"),
        figure("cost", 1.5, "ms", "1.5"),
        figure("dropped", 0.1, "%", "0"),
        figure("no aim", 1.0, "ms"),
    ]
    assert aims("aims", {"a frame": figures[:3], "a camera": figures[3:]}).splitlines()[2:] == [
        "| speed, now / before | a frame  | 3.00 x   |            | 3                 | reached                 |",
        "| ratio               | a frame  | 0.90 x   |            | 0.92 (floor 0.85) | missed, above the floor |",
        "| cost                | a frame  | 1.50 ms  |            | 1.5               | reached                 |",
        "| dropped             | a camera | 0.10 %   |            | 0                 | missed                  |",
    ]


def test_a_page_gets_the_tables_that_it_has_anew_and_keeps_the_rest(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Costs\n{MEASURED} an old machine.\n\n| speed | a |\n| --- | --- |\n| old | 1 |\n\nWords.\n")
    renew(page, f"{MEASURED} a new one.", {"speed": "| speed | b |\n| new | 2 |", "memory": "| memory | c |"})
    assert page.read_text() == f"# Costs\n{MEASURED} a new one.\n\n| speed | b |\n| new | 2 |\n\nWords.\n"


@pytest.mark.parametrize(
    ("measurement", "given", "sentence"),
    [
        (before, ["--before", "nowhere"], "--before nowhere is not a checkout of this project"),
        (detectors, ["--peer", "nowhere"], "--peer nowhere is no virtual environment; make it: make peer PEER=nowhere"),
        (memory, ["--clip", "nowhere.mp4"], "There is no file or folder nowhere.mp4"),
        (memory, ["--set", "stages.emotion.model=nowhere.yaml"], "stages.emotion.model is 'nowhere.yaml'"),
        (memory, ["--set", "windw=3"], "windw"),
        (memory, ["--page", "nowhere.md"], "the page nowhere.md cannot be read"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(measurement, given, sentence, capsys):
    assert command(measurement.measure, measurement.TITLE, [*QUICK, *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith("facepipe: ") and sentence in said
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.long
def test_a_stage_that_refuses_its_model_is_named(options, capsys):
    card = Path(options.folder / "other.yaml")
    weights = options.folder / "other.tflite"
    weights.write_bytes(b"not a model")
    card.write_text(
        "name: other\nfile: other.tflite\ntask: classes\nlabels: [a, b]\n"
        "input: {width: 64, height: 64, channels: 1, dtype: float32, range: [-1, 1]}\ncrop: {scale: 1.0}\n"
    )
    assert command(memory.measure, memory.TITLE, [*QUICK, "--set", f"stages.emotion.model={card}"]) == 2
    assert "is not a LiteRT model" in capsys.readouterr().err
