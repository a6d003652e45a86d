"""Sources that come, go and fail while others of the same run go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.end_to_end.command import Ran, Running, Workplace, eventually

LOOP = ("--set=capture.loop=true", "--set=pace=true", "--set=stages.detect.replicas=1")


def lines_of(folder: Path, name: str) -> list[dict]:
    """The lines of a source, without its name."""
    path = folder / name / "results.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [{**json.loads(line), "source": ""} for line in text.splitlines(keepends=True) if line.endswith("\n")]


def source(place: Workplace, *words: object) -> tuple[int, str]:
    """`facepipe source` about the run in this place: its exit status, and what it says."""
    command = [sys.executable, "-m", "facepipe", "source", *map(str, words), "--output", str(place.folder / "out")]
    said = subprocess.run(command, cwd=PROJECT, env=place.environment, capture_output=True, text=True, timeout=120)
    return said.returncode, (said.stdout + said.stderr).strip()


def begun(place: Workplace, sources: dict[str, object], *options: str) -> Running:
    """A run of these sources, each of which has results."""
    config = place.folder / "house.yaml"
    write(config, sources)
    run = place.start(None, *LOOP, *options, config=config, replace="--resume" not in options)
    return run.until(lambda: all(lines_of(run.output, name) for name in sources), f"lines of {', '.join(sources)}")


def write(config: Path, sources: dict[str, object], **more: object) -> None:
    """The configuration file, replaced as a whole as editors do."""
    part = config.with_suffix(".part")
    part.write_text(json.dumps({"sources": {name: str(spec) for name, spec in sources.items()}, **more}))
    os.replace(part, config)


def stopped(run: Running) -> Ran:
    return run.signal(signal.SIGINT).end()


def test_sources_are_added_and_removed_and_the_others_go_on(place, slow_film):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    before = {process.pid for processes in run.stages().values() for process in processes}

    assert source(place, "add", "gate", slow_film)[0] == 0
    run.until(lambda: len(lines_of(run.output, "gate")) > 4, "lines of the added source")
    status, said = source(place, "remove", "yard")
    assert (status, "yard" in said) == (0, True)
    yard = (run.output / "yard/results.jsonl").read_bytes()
    assert [line.split()[0] for line in source(place, "list")[1].splitlines()] == ["door", "gate"]

    # One process has come and one has gone. All others are those that were there.
    run.until(lambda: len(run.stages()["capture"]) == 2, "the end of the removed capture")
    after = {process.pid for processes in run.stages().values() for process in processes}
    assert len(before - after) == len(after - before) == 1

    ran = stopped(run)
    assert (ran.output / "yard/results.jsonl").read_bytes() == yard
    door, *others = (lines_of(run.output, name) for name in ("door", "yard", "gate"))
    shared = min(map(len, others))
    assert [lines[:shared] for lines in others] == [door[:shared]] * 2
    accounts = {each["source"]: each for each in ran.summary["sources"]}
    assert {name: each["rendered"] for name, each in accounts.items()} == {
        name: len(lines_of(run.output, name)) for name in ("door", "yard", "gate")
    }
    assert all(each["captured"] == each["rendered"] and each["failure"] is None for each in accounts.values())

    # The configuration still names the removed one, and not the added one: the run that goes on knows better.
    config = place.folder / "house.yaml"
    on = place.start(None, *LOOP, "--resume", config=config)
    more = {name: len(lines_of(run.output, name)) + 4 for name in ("door", "gate")}
    on.until(lambda: all(len(lines_of(run.output, name)) > count for name, count in more.items()), "more lines")
    assert source(place, "add", "yard", slow_film)[0] == 0  # It goes on where its results end.
    on.until(lambda: len(lines_of(run.output, "yard")) > len(yard.splitlines()), "more lines of yard")
    stopped(on)
    assert (ran.output / "yard/results.jsonl").read_bytes().startswith(yard)
    assert [line["frame"] for line in lines_of(run.output, "yard")] == list(range(len(lines_of(run.output, "yard"))))


@pytest.mark.long
@pytest.mark.parametrize("added_before", [False, True])
def test_after_a_removal_a_source_comes_back_and_new_ones_come_in_the_same_life(place, slow_film, film, added_before):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    names = ["door", "yard"]
    if added_before:
        names.append("lane")
        assert source(place, "add", "lane", slow_film)[0] == 0
    assert source(place, "remove", "door")[0] == 0
    status, said = source(place, "add", "door", film)
    assert (status, "choose another name" in said) == (2, True)  # Its results are of another film.
    door = len(lines_of(run.output, "door"))
    for name in ("door", "gate"):
        assert source(place, "add", name, slow_film) == (0, f"{name} is read from now on: {slow_film}.")
    run.until(lambda: len(lines_of(run.output, "door")) > door, "more lines of the source that came back")
    run.until(lambda: len(lines_of(run.output, "gate")) > 4, "lines of the added source")

    # A capture that was there before the removal is started again as well as one that came after it.
    captures = [process.pid for process in run.stages()["capture"]]
    for capture in captures:
        os.kill(capture, signal.SIGKILL)
    run.until(lambda: len({p.pid for p in run.stages().get("capture", [])} - {*captures}) == len(names) + 1, "captures")
    counts = {name: len(lines_of(run.output, name)) + 4 for name in (*names, "gate")}
    run.until(lambda: all(len(lines_of(run.output, n)) > count for n, count in counts.items()), "more lines of each")
    status, said = source(place, "add", "away", "http://127.0.0.1:9/video")
    assert (status, "not there yet" in said, "60 s" in said) == (0, True, True)
    ran = stopped(run)
    assert ran.summary["restarts"] == {"capture": len(captures)}
    assert [line["frame"] for line in lines_of(ran.output, "door")] == list(range(len(lines_of(ran.output, "door"))))


@pytest.mark.long
def test_what_cannot_be_added_or_removed_is_one_sentence_and_changes_nothing(place, slow_film):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    run_file = (run.output / "run.json").read_bytes()
    notes = place.folder / "notes.mp4"
    notes.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 9)  # Only opening it tells that it is no video.
    refused = {
        ("add", "yard", place.folder / "other.mp4"): "this run has a source yard already",
        ("add", "Yard", slow_film): "this run has a source yard already",
        ("add", "gate", place.folder / "nothing.mp4"): "There is no file or folder",
        ("add", "gate", notes): str(notes),
        ("add", "run.json", slow_film): "rename it",
        ("add", "gate"): "add NAME SOURCE",
        ("remove", "gate"): "this run has no source gate; it has door, yard",
        ("list", "gate"): "source list",
    }
    for words, part in refused.items():
        status, said = source(place, *words)
        assert (status, said.count("\n"), part in said) == (2, 0, True), (words, said)
        assert said.startswith("facepipe: ")
    assert (run.output / "run.json").read_bytes() == run_file
    assert source(place, "remove", "door")[0] == 0
    status, said = source(place, "remove", "yard")
    assert (status, "the only source that is left" in said) == (2, True)
    assert not (run.output / "gate").exists() and not list(run.output.glob("logs/capture-[2-9]*"))
    stopped(run)
    status, said = source(place, "list")
    assert (status, "no run is writing to" in said) == (2, True)


def test_a_changed_configuration_adds_and_removes_sources_with_their_zones(place, slow_film):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    config = place.folder / "house.yaml"
    zone = {"gate": {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]}}
    write(config, {"door": slow_film, "gate": slow_film}, zones=zone)
    run.until(lambda: len(lines_of(run.output, "gate")) > 8, "lines of the added source")
    run.until(lambda: len(run.stages()["capture"]) == 2, "the end of the removed capture")
    write(config, {"door": slow_film, "gate": place.folder / "nothing.mp4"}, window=8)
    run.until(lambda: "gate is another source now" in run.err, "a sentence about what cannot be done")
    assert "it only adds and removes sources" in run.err
    config.write_text("sources: [")
    run.until(lambda: "The run continues as it is" in run.err, "a sentence about the mistake")
    write(config, {"door": slow_film, "gate": slow_film}, zones=zone)
    ran = stopped(run)
    events = [json.loads(line) for line in (ran.output / "gate/events.jsonl").read_text().splitlines()]
    assert "all" in [event.get("zone") for event in events]
    assert json.loads((ran.output / "run.json").read_text())["changes"]["removed"].keys() == {"yard"}
    on = place.start(None, *LOOP, "--resume", config=config)
    count = len(lines_of(run.output, "gate"))
    stopped(on.until(lambda: len(lines_of(run.output, "gate")) > count, "more lines"))


def test_a_source_that_fails_ends_alone_with_its_reason_in_the_account(place, slow_film, film):
    copy = shutil.copy(film, place.folder / "copy.mp4")
    config = place.folder / "house.yaml"
    write(config, {"door": slow_film, "yard": copy})
    run = place.start(None, "--set=pace=true", config=config)
    run.until(lambda: lines_of(run.output, "yard"), "lines of the source")
    os.utime(copy, (0, 0))  # As one does who replaces it.
    ran = run.end()
    assert ran.status == 1
    assert "The other sources continue." in ran.err and "copy.mp4 was changed while it was read" in ran.err
    accounts = {each["source"]: each for each in ran.summary["sources"]}
    assert (accounts["door"]["rendered"], accounts["door"]["failure"]) == (32, None)
    assert "was changed while it was read" in accounts["yard"]["failure"]
    assert accounts["yard"]["rendered"] == len(lines_of(ran.output, "yard"))
    assert len(list((ran.output / "yard/annotated").glob("*.mp4"))) == 1  # Closed, as that of any other.


def test_a_capture_that_is_killed_is_started_again_alone(place, slow_film):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    capture = run.stages()["capture"][0].pid
    os.kill(capture, signal.SIGKILL)
    run.until(lambda: len(run.stages().get("capture", [])) == 2, "another capture")
    counts = {name: len(lines_of(run.output, name)) + 4 for name in ("door", "yard")}
    run.until(lambda: all(len(lines_of(run.output, n)) > count for n, count in counts.items()), "more lines of both")
    ran = stopped(run)
    assert ran.summary["restarts"] == {"capture": 1}
    shared = min(len(lines_of(run.output, name)) for name in ("door", "yard"))
    assert lines_of(run.output, "door")[:shared] == lines_of(run.output, "yard")[:shared]


@pytest.mark.long
def test_a_render_that_dies_while_sources_come_and_go_costs_nothing(place, slow_film):
    run = begun(place, {"door": slow_film, "yard": slow_film})
    assert source(place, "add", "gate", slow_film)[0] == 0
    os.kill(run.stages()["render"][0].pid, signal.SIGKILL)
    assert source(place, "remove", "yard")[0] == 0
    count = len(lines_of(run.output, "gate")) + 4
    run.until(lambda: len(lines_of(run.output, "gate")) > count, "more lines")
    ran = stopped(run)
    accounts = {each["source"]: each["rendered"] for each in ran.summary["sources"]}
    assert accounts == {name: len(lines_of(run.output, name)) for name in ("door", "yard", "gate")}
    eventually(lambda: not place.processes(), "the end of all processes")
