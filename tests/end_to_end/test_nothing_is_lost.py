"""Whatever dies, stands still or is started again: the results are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from stages.protocol.messages import FaceCrops, Faces
from stages.trace.history import CoreStep, restored
from stages.trace.recorder import TraceReader
from tests.chaos.killing import STAGES, Comparison, compare, disturb
from tests.end_to_end.command import SUBTITLES, Ran, eventually, raw
from tests.end_to_end.material import FACES, scene, write_clip, write_picture
from tests.sinks.clips import frames_in

PACED = "--set=pace=true"
QUICKLY = "--set=hang=2"


def assert_same(ran: Ran, calm: Ran) -> None:
    assert ran.status == 0, ran.err
    assert ran.results == calm.results
    assert ran.events == calm.events
    assert frames_in(ran.output / "annotated/slow.mp4") == len(FACES)
    assert {path.name for path in (ran.output / "annotated").iterdir()} - {"slow.vtt"} == {"slow.mp4"}


# --- The promise ---


def test_kills_of_every_stage_and_a_hang_change_nothing(place, astronaut, tmp_path):
    clip = write_clip(tmp_path / "slow.mp4", [scene(astronaut, number % len(FACES)) for number in range(220)])
    came = compare(place, clip, QUICKLY, PACED, "--detector=fast", seed=3, kills=8, every_s=0.5, stops=1, timeout_s=110)
    assert came.disturbed.status == 0, came.disturbed.err
    assert came.differences == 0
    assert came.disturbed.events == came.calm.events
    assert frames_in(came.disturbed.output / "annotated/slow.mp4") == 220
    assert sum(came.kills.values()) >= 7 and set(came.kills | came.stops) == set(STAGES)
    assert came.restarts >= 8
    [source] = came.disturbed.summary["sources"]
    assert (source["captured"], source["rendered"], source["dropped"]) == (220, 220, [])
    assert source["faces"] > 100 and source["faces"] == came.calm.summary["sources"][0]["faces"]


def test_all_stages_killed_at_once(place, slow_film, calm):
    run = place.start(slow_film, QUICKLY).until_lines(6)
    for process in [process for stage in run.stages().values() for process in stage]:
        process.kill()
    assert_same(run.end(), calm)


def test_render_killed_at_the_end_while_it_joins_the_video_or_just_after(place, slow_film, calm):
    run = place.start(slow_film, SUBTITLES, "--set=pace=false", QUICKLY)
    for count in (len(FACES) // 2, len(FACES) - 1):
        run.until_lines(count).stages()["render"][0].kill()
    ran = run.end()
    assert_same(ran, calm)
    subtitles = "annotated/slow.vtt"
    assert subtitles in calm.summary["outputs"]
    assert (ran.output / subtitles).read_bytes() == (calm.output / subtitles).read_bytes()
    assert (ran.output / subtitles).read_text().count(" --> ") >= 2


def test_a_source_that_is_replaced_while_it_is_read_stops_the_run(place, slow_film, tmp_path):
    clip = shutil.copy(slow_film, tmp_path / "clip.mp4")
    run = place.start(clip, PACED).until_lines(4)
    other = shutil.copy(slow_film, tmp_path / "other.mp4")
    os.replace(other, clip)
    ran = run.end()
    assert ran.status == 1
    assert "clip.mp4 was changed while it was read" in ran.err
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    refused = place.run(clip, "--resume")
    assert refused.status == 2
    assert "is not what the run in" in refused.complaint


@pytest.mark.long
def test_detect_killed_between_its_two_answers_changes_nothing(place, film, shown: Ran):
    trace = place.folder / "trace"
    chaos = "--set=chaos={detect: {crash_between: [6], once: true}}"
    ran = place.run(film, chaos, "--set=stages.detect.replicas=1", "--record", str(trace)).succeeded()
    assert ran.results == shown.results
    assert came(trace, "capture", FaceCrops, 6) == [1, 2]  # the tries: the crops of the first one had been sent,
    assert came(trace, "render", Faces, 6) == [2]  # its faces had not.


def came(trace: Path, core: str, kind: type, frame: int) -> list[int]:
    """The tries of detect at this frame whose answer of this kind has come."""
    heard = [restored(line.event) for line in TraceReader(trace).history(core) if isinstance(line, CoreStep)]
    said = [getattr(event, "message", event) for event in heard]
    return [message.attempt for message in said if isinstance(message, kind) and message.frame == frame]


@pytest.mark.long
def test_a_picture_of_48_megapixels_among_kills(place, astronaut):
    folder = place.folder / "album"
    folder.mkdir()
    canvas = np.full((6000, 8000, 3), 120, np.uint8)
    canvas[500:5500, 1000:6000] = cv2.resize(astronaut[:280, 80:360], (5000, 5000))
    for number in range(24):
        write_picture(folder / f"{number}.jpg", canvas if number in (8, 16) else scene(astronaut, number))
    disturbed = compare(place, folder, seed=5, kills=10, every_s=0.2, stops=0, timeout_s=150)
    assert disturbed.disturbed.status == 0, disturbed.disturbed.err
    assert disturbed.differences == 0 and sum(disturbed.kills.values()) >= 8
    names = [
        sorted(p.name for p in (ran.output / "annotated").iterdir()) for ran in (disturbed.calm, disturbed.disturbed)
    ]
    assert names[0] == names[1] and len(names[0]) == 24


# --- A frame that is too much for a stage ---


def test_a_poison_frame_is_marked_and_the_run_goes_on(place, film, shown: Ran):
    chaos = "--set=chaos={age: {crash_at: [9]}, detect: {fail_at: [20, 21]}}"
    ran = place.run(film, chaos, "--set=stages.detect.replicas=1").succeeded()
    marked = [
        (n, line.get("missing"), line.get("error"))
        for n, line in enumerate(ran.lines)
        if {"missing", "error"} & line.keys()
    ]
    reason = "detect failed 3 times at this frame: RuntimeError: chaos asks for a failure at this frame"
    assert marked == [(9, ["age"], None), (20, None, reason), (21, None, reason)]
    said = [raw(line) for line in ran.lines], [raw(line) for line in shown.lines]
    clean = [(a, b) for n, (a, b) in enumerate(zip(*said, strict=True)) if n not in (9, 20, 21)]
    assert all(a == b for a, b in clean)
    assert frames_in(ran.output / "annotated/film.mp4") == len(FACES)
    account = [json.loads(line) for line in (ran.output / "account.jsonl").read_text().splitlines()]
    assert {loss["what"] for loss in account} == {"given up"}
    assert sorted((loss["first"], loss["stage"]) for loss in account) == [(9, "age"), (20, "detect"), (21, "detect")]
    assert ran.out.startswith("32 frames, ") and "; 1 answer missing, see account.jsonl, 2 frames not" in ran.out


@pytest.mark.parametrize("stage", ["capture", pytest.param("render", marks=pytest.mark.long)])
def test_a_frame_that_always_ends_capture_or_render_stops_the_run_which_names_it(place, film, stage):
    ran = place.run(film, f"--set=chaos={{{stage}: {{crash_at: [9]}}}}")
    assert ran.status == 1
    assert f"facepipe: {stage} was killed by SIGABRT" in ran.err
    assert f", 3 times at frame 9 of film.mp4 ({ran.output}/logs/{stage}.log).\n" in ran.err
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    assert len(ran.lines) <= 9


@pytest.mark.long
def test_a_decoder_that_hangs_inside_capture_is_found_and_what_it_read_is_read_again(place, slow_film, calm):
    ran = place.run(slow_film, "--set=chaos={capture: {hang_at: [9], once: true}}", QUICKLY, "--set=pace=false")
    assert "capture hung; it is started again" in ran.err
    assert_same(ran, calm)


@pytest.mark.long
def test_a_frame_at_which_the_decoder_always_hangs_stops_the_run_which_names_it(place, film):
    ran = place.run(film, "--set=chaos={capture: {hang_at: [9]}}", "--set=hang=1")
    assert ran.status == 1
    assert f"facepipe: capture hung, 3 times at frame 9 of film.mp4 ({ran.output}/logs/capture.log).\n" in ran.err
    assert [line["frame"] for line in ran.lines] == list(range(9))


# --- The launcher itself ---


def test_a_run_whose_launcher_was_killed_goes_on_where_its_outputs_end(place, slow_film, calm):
    stopped = place.start(slow_film, PACED).until_lines(4).signal(signal.SIGINT).end()
    assert (stopped.status, stopped.summary["status"]) == (130, 130)
    run = place.start(slow_film, PACED, "--resume").until_lines(9)
    if sys.platform == "linux":  # There also one ends that stands still, and hears nothing.
        run.stages()["emotion"][0].suspend()
    killed = run.signal(signal.SIGKILL).end(alone=False)
    eventually(lambda: not place.processes(), "every stage has noticed that its launcher is gone")
    assert len(killed.lines) < len(FACES)
    assert not (killed.output / "summary.json").exists()  # of its earlier end
    refused = place.run(slow_film, replace=False)
    assert refused.status == 2
    assert "holds a run that was broken off; --resume continues it, --replace replaces it" in refused.complaint
    other = place.run(slow_film, "--resume", "--detector", "dlib")
    assert other.status == 2
    assert "stages.detect is not what the run in" in other.complaint
    assert other.results == killed.results
    started = json.loads((run.output / "run.json").read_text())["started"]
    resumed = place.run(slow_film, "--resume")
    assert_same(resumed, calm)
    assert resumed.summary["started"] == started
    continues = re.search(rf"^facepipe: {slow_film.name} continues at frame (\d+)$", resumed.err, re.MULTILINE)
    before = int(continues[1])
    assert resumed.summary["sources"][0]["before"] == before
    assert resumed.out.startswith(f"{len(FACES)} frames, ")
    assert f"; {len(FACES) - before} frames now and {before} before" in resumed.out
    again = place.run(slow_film, "--resume")
    assert (again.status, again.results) == (0, calm.results)
    assert "is finished; there is nothing to resume" in again.err


def test_a_damaged_folder_is_replaced_if_that_is_asked_for_and_what_was_changed_is_kept(place, slow_film, calm):
    out, damaged = place.folder / "out", {"run-changed.json": b'{"run": "ab1', "results-changed.jsonl": b'{"source'}
    shutil.copytree(calm.output, out)
    for kept, content in damaged.items():
        (out / kept.replace("-changed", "")).write_bytes(content)
    (out / "notes.txt").write_text("mine")
    replaced = place.run(slow_film, "--replace")
    assert_same(replaced, calm)
    assert "run.json was changed since it was written; it is kept as run-changed.json" in replaced.err
    assert {name: (out / name).read_bytes() for name in damaged} == damaged
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.long
def test_a_damaged_line_is_refused_by_resume_without_a_restart_and_stays(place, slow_film):
    place.start(slow_film, PACED).until_lines(9).signal(signal.SIGINT).end()
    results = place.folder / "out/results.jsonl"
    results.write_bytes(results.read_bytes() + b"\n")
    written = results.read_bytes()
    refused = place.run(slow_film, "--resume")
    assert refused.status == 2
    assert "is no line of results; the" in refused.complaint and "lines before it are whole" in refused.complaint
    assert "restarted" not in refused.err and "started again" not in refused.err
    assert refused.results == written


@pytest.mark.long
def test_results_that_are_removed_while_a_run_writes_them_are_noticed(place, slow_film):
    run = place.start(slow_film, PACED).until_lines(5)
    (run.output / "results.jsonl").unlink()
    ran = run.end()
    assert ran.status == 1
    assert "results.jsonl was removed or moved away while it was written" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.long
def test_a_frame_that_hangs_a_stage_is_given_up_too(place, film):
    ran = place.run(film, "--set=chaos={gender: {hang_at: [6]}}", QUICKLY).succeeded()
    assert [line["frame"] for line in ran.lines if "missing" in line] == [6]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_stage_stopped_for_half_a_minute_is_found_and_started_again(place, slow_film, calm):
    run = place.start(slow_film, PACED).until_lines(6)
    run.stages()["detect"][0].suspend()
    run.until(lambda: "detect-0 hung; it is started again" in run.err, "the restart")
    assert_same(run.end(), calm)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_memory_descriptors_and_threads_stay_as_they_are_however_often_stages_die(place, astronaut, tmp_path):
    clip = write_clip(tmp_path / "slow.mp4", [scene(astronaut, number % len(FACES)) for number in range(1500)])
    run = place.start(clip, QUICKLY).until_lines(100)
    launcher, before = psutil.Process(run.pid), None
    comparison = Comparison(None, None)
    for seed in range(6):
        disturb(run, comparison, seed, kills=6, every_s=0.7)
        now = (launcher.memory_info().rss, launcher.num_fds(), launcher.num_threads())
        before = before or now
        assert now[0] < before[0] + 10_000_000, f"the launcher grew from {before[0]} to {now[0]} bytes"
        # A thread that hears a process that has just died may still be there.
        assert now[1] <= before[1] + 4 and now[2] <= before[2] + 4, (before, now)
    ran = run.end(300).succeeded()
    assert len(ran.lines) == 1500


@pytest.mark.long
def test_resume_begins_a_run_where_there_is_none(place, slow_film, calm):
    assert_same(place.run(slow_film, "--resume"), calm)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no shared memory without a name on this system")
def test_pictures_go_through_memory_that_ends_with_the_run(place, film, shown):
    run = place.start(film, "--set=pace=true").until_lines(1)

    def sharing() -> set[str]:
        return {
            stage
            for stage, processes in run.stages().items()
            for process in processes
            for file in Path(f"/proc/{process.pid}/fd").iterdir()
            if os.readlink(file).startswith("/memfd:facepipe")
        }

    assert sharing() == {"capture", "detect", "render"}
    assert run.end().results == shown.results
