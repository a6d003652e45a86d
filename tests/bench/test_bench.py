"""The measurements, on clips of a few frames: that they measure what they say, not how fast this machine is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psutil
import pytest

from bench import delivery, encodings, latency, memory, messages, spans, start, throughput, web
from bench.clips import HEIGHT, RATE, WIDTH, long_clip, portrait_clip
from bench.loops import loop
from bench.options import Options, command, commands
from bench.pipeline import run
from bench.table import figure, table
from stages.sources import open_source

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


def said_by(measurement, capsys, argv: list[str]) -> str:
    """What a measurement prints."""
    assert command(measurement.measure, measurement.TITLE, argv) == 0
    printed = capsys.readouterr()
    assert all(
        line.endswith(" s so far") for line in printed.err.splitlines()
    )  # On a slow machine it shows signs of life.
    assert f"| {measurement.TITLE} " in printed.out
    return printed.out


def test_encodings_tell_size_and_time_and_what_becomes_of_the_answers(small, capsys, tmp_path):
    clip = portrait_clip(tmp_path / "portrait.mp4", 8)
    said = said_by(encodings, capsys, [*small, "--clip", str(clip)])
    for row in ("raw: size", "jpeg 90: size", "jpeg 90: encode", "jpeg 90: faces no longer found", "png: decode"):
        assert f"| {row} " in said
    assert re.search(r"\| png: another emotion +\| 0.00 %", said)
    assert re.search(r"\| png: faces no longer found +\| 0.00 % .* 0 others instead", said)


def test_throughput_compares_the_pipeline_with_plain_loops_and_draws_it(small, capsys, tmp_path):
    chart = tmp_path / "speeds.png"
    said = said_by(throughput, capsys, [*small, "--chart", str(chart)])
    for row in (
        "pipeline / one-thread loops side by side",
        "pipeline / best single loop",
        "loop, one thread, processor",
    ):
        assert f"| {row}" in said
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_what_the_messages_cost_is_told_as_a_whole_one_by_one_and_by_stage(small, capsys):
    said = said_by(messages, capsys, small)
    assert "beyond the loops'; 1.00 faces a frame" in said
    for row in ("at full load", "paced at 30 a second", "by itself: ack", "in the stages: detect: work answer"):
        assert f"| {row}" in said


def test_latency_is_measured_on_a_live_source(small, capsys):
    said = said_by(latency, capsys, [*small, "--frames", "30"])
    for row in ("added latency p50", "added latency p95", "load by the pipeline", "faces"):
        assert f"| {row}" in said


def test_the_start_is_told_as_a_whole_by_process_and_by_import(small, capsys):
    said = said_by(start, capsys, small)
    for row in ("the first line of results.jsonl", "render-0 ready", "emotion-0 ready", "imports of capture"):
        assert f"| {row}" in said


@pytest.mark.long
def test_memory_and_what_delivery_costs_are_told(small, capsys):
    assert commands({m.TITLE: m.measure for m in (memory, delivery)}, small) == 0
    said = capsys.readouterr().out
    for row in (
        "emotion-0, when ready",
        "render-0, over 8 frames",
        "frames a second, sure / without beats",
        "delivery of all processor time",
        "acknowledgements",
    ):
        assert f"| {row}" in said


@pytest.mark.long
def test_what_the_page_costs_is_told_for_nobody_and_for_several_browsers(small, capsys):
    said = said_by(web, capsys, [*small, "--frames", "40", "--set", "pace=true"])
    for row in (
        "no page: processor",
        "a page, nobody looks: speed",
        "one browser: pictures",
        "four browsers: processor",
    ):
        assert f"| {row}" in said
    [pictures] = re.findall(r"\| four browsers: pictures +\| (\d+)", said)
    assert int(pictures) > 0


def test_the_loop_does_the_very_work_of_the_pipeline(options):
    clip = portrait_clip(options.folder / "clip.mp4", 8)
    ran, looped = run(options, clip), loop(options, clip)
    assert (ran.frames, looped.frames) == (8, 8)
    written = {path.parent.name.partition("-")[0]: path.read_bytes() for path in options.folder.glob("*/results.jsonl")}
    assert written["run"] == written["loop"]
    faces = [face for line in written["run"].splitlines() for face in json.loads(line)["faces"]]
    assert len(faces) == 8
    assert all({"gender", "emotion", "age"} <= face["smoothed"].keys() for face in faces)


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


def test_a_table_tells_the_median_the_range_and_the_aim():
    figures = [figure("speed", [30.0, 10.0, 14.0], "frames/s", "15"), figure("cost", 1.5, "ms", note="of one")]
    assert table("what", figures).splitlines() == [
        "| what  | median        | from .. to   | aim |        |",
        "| ----- | ------------- | ------------ | --- | ------ |",
        "| speed | 14.0 frames/s | 10.0 to 30.0 | 15  |        |",
        "| cost  | 1.50 ms       |              |     | of one |",
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--clip", "nowhere.mp4"], "There is no file or folder nowhere.mp4"),
        (["--set", "stages.emotion.model=nowhere.yaml"], "stages.emotion.model is 'nowhere.yaml'"),
        (["--set", "windw=3"], "windw"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(given, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command(memory.measure, memory.TITLE, [*QUICK, *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith("facepipe: ")
    assert sentence in said
    assert list(Path(tmp_path).iterdir()) == []


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
