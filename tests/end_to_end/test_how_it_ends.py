"""However a run ends, what was written is whole and no process is left."""

from __future__ import annotations

import shutil
import signal

import psutil
import pytest

from tests.end_to_end.command import Ran, asked, labels
from tests.end_to_end.material import FACES, watch

SIX = {"capture", "detect", "gender", "emotion", "age", "render"}
ONE_DETECT = "--set=stages.detect.replicas=1"
PACED = "--set=pace=true"


def assert_whole(ran: Ran, fewest: int) -> None:
    """The lines are complete and in order, and the video has the same frames, or the one before the last line's."""
    lines = ran.lines
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert fewest <= len(lines) < len(FACES)
    assert all(asked(line["frame"], every=2) == labels(face) for line in lines for face in line["faces"])
    videos = list((ran.output / "annotated").rglob("*.mp4"))
    assert len(videos) == 1, videos
    assert len(watch(videos[0]).times) in (len(lines), len(lines) - 1)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
)
def test_a_signal_in_the_middle_ends_it_in_order_within_five_seconds(place, slow_film, number, status):
    run = place.start(slow_film, PACED, ONE_DETECT).until_lines(6)
    assert {stage: len(processes) for stage, processes in run.stages().items()} == dict.fromkeys(SIX, 1)
    children = psutil.Process(run.pid).children(recursive=True)
    assert len(children) == 6, [child.cmdline() for child in children]
    ran = run.signal(number).end()  # It looks for processes that are left.
    assert (ran.status, ran.took_s < 5) == (status, True)
    assert_whole(ran, fewest=6)
    assert watch(ran.output / "annotated/slow.mp4").times == pytest.approx([n / 4 for n in range(len(ran.lines))])
    assert ran.summary["status"] == status
    [source] = ran.summary["sources"]
    assert source["captured"] == source["rendered"] == len(ran.lines)
    stopped, found, *_ = ran.out.splitlines()
    assert stopped.startswith("Stopped.") and found.startswith(f"{len(ran.lines)} frames, ")
    assert ran.err.count("\n") <= 5 and "Traceback" not in ran.err


def test_ctrl_c_twice_while_the_stages_are_starting(place, slow_film):
    run = place.start(slow_film)
    run.until(lambda: len(place.stages()) >= 2, "two stages")
    ran = run.signal(signal.SIGINT).signal(signal.SIGINT).end()
    assert (ran.status, ran.took_s < 6) == (130, True)
    assert "Traceback" not in ran.err


@pytest.mark.long
def test_ctrl_c_while_all_wait_for_a_stage_leaves_what_an_earlier_run_has_left(place, film, shown: Ran):
    shutil.copytree(shown.output, place.folder / "out")
    left = {
        path: path.read_bytes()
        for path in (place.folder / "out").rglob("*")
        if path.is_file() and path.suffix != ".log" and path.name != ".facepipe.manifest"
    }
    run = place.start(film, "--only", "capture", "render", "detect", "gender")
    run.until(lambda: "still waiting for emotion, age" in run.err, "that it waits")
    assert run.signal(signal.SIGINT).end().status == 130
    assert {path: path.read_bytes() for path in left} == left


# --- A launcher or a stage that dies: test_nothing_is_lost.py. ---


@pytest.mark.long
def test_a_launcher_that_stood_still_blames_nobody(place, slow_film):
    run = place.start(slow_film, PACED, "--set=hang=2").until_lines(3)
    launcher = psutil.Process(run.pid)
    launcher.suspend()
    run.until_lines(14)  # Nearly three seconds later: the stages go on by themselves.
    launcher.resume()
    run.until_lines(18)
    ran = run.signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    assert_whole(ran, fewest=18)
