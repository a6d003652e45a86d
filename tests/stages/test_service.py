"""Where a start of a service goes on, after whatever has ended the one before."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stages import service
from stages.config.schema import Host, Pipeline, Render
from stages.plan import DEFAULT_CONFIG, Plan
from stages.project import PROJECT
from stages.results.errors import DamagedState
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from stages.running.job import RunOptions
from stages.service import Choice, chosen, serve

WHOLE = b'{"source": "0", "frame": 0, "time": 0.0, "width": 4, "height": 4, "faces": []}\n'
INPUTS = {"source 0": ["0", None]}


@pytest.fixture
def door(tmp_path) -> Path:
    return tmp_path / "door"


def left(folder: Path, ended: str | None = None, inputs: dict = INPUTS, lines: str = '{"frame": 0}\n') -> None:
    """What an earlier run has left."""
    folder.mkdir(exist_ok=True)
    RunFile("a1", inputs, 1, ended).write(folder)
    (folder / "results.jsonl").write_text(lines)


def camera(**keys) -> Pipeline:
    return replace(Pipeline(), source=0, **keys)


@pytest.mark.parametrize("made", [False, True])
def test_it_begins_in_a_folder_without_results(door, made):
    if made:
        (door / "logs").mkdir(parents=True)
    assert chosen(door, camera(), INPUTS) == Choice(door, goes_on=False)


@pytest.mark.parametrize("ended", [None, "stopped"])
def test_it_goes_on_with_a_run_that_was_broken_off_or_stopped(door, ended):
    left(door, ended)
    assert chosen(door, camera(), INPUTS) == Choice(door, goes_on=True)


def test_with_other_settings_it_begins_the_next_folder_and_goes_on_with_that_one_later(door):
    left(door)
    others = {"source 0": ["0", None], "render.blur": "blur"}
    choice = chosen(door, camera(), others)
    assert (choice.path, choice.goes_on) == (door.with_name("door-2"), False)
    assert choice.sentence.startswith("render.blur is not what the run in ")
    assert choice.sentence.endswith("door-2")
    left(choice.path, inputs=others)
    assert chosen(door, camera(), others) == Choice(door.with_name("door-2"), goes_on=True)
    assert chosen(door, camera(), INPUTS).path == door.with_name("door-3")


@pytest.mark.parametrize("content", [None, b"", b'{"run": "a1", "inp', b"[]", b"\0" * 200])
def test_where_run_json_cannot_be_read_the_results_stay_and_the_next_folder_is_begun(door, content):
    left(door)
    (door / "run.json").unlink()
    if content is not None:
        (door / "run.json").write_bytes(content)
    choice = chosen(door, camera(), INPUTS)
    assert (choice.path, choice.goes_on) == (door.with_name("door-2"), False)
    assert "run.json" in choice.sentence and "it stays as it is, and this run begins" in choice.sentence


def test_a_finished_run_of_a_camera_is_followed_by_another_and_that_of_a_file_is_not(door):
    left(door, "finished")
    assert chosen(door, camera(), INPUTS).path == door.with_name("door-2")
    film = replace(Pipeline(), source="film.mp4")
    assert chosen(door, film, INPUTS) == Choice(door, goes_on=True)  # Which says that there is nothing to go on with.


# --- The command, with a run in its place that only says what it was given ---


@pytest.fixture
def runs(monkeypatch):
    """Stands for `run`; gives the pipelines and the folders, and what each is to do and to end with."""
    runs: list[tuple[Pipeline, bool]] = []
    runs_end = {"with": [0]}

    def run(pipeline, folder, options):
        runs.append((pipeline, options.resume))
        status = runs_end["with"][len(runs) - 1]
        return status() if callable(status) else status

    monkeypatch.setattr(service, "run", run)
    runs_end["runs"] = runs
    return runs_end


def in_door(door: Path, **keys) -> Pipeline:
    return camera(render=Render(output=str(door)), **keys)


def inputs_of(pipeline: Pipeline) -> dict:
    return Plan.of(pipeline, DEFAULT_CONFIG.parent).inputs


def test_the_source_is_waited_for_as_long_as_it_takes_unless_another_time_is_named(runs, door):
    assert serve(in_door(door), DEFAULT_CONFIG.parent, RunOptions()) == 0
    runs["with"] = [0, 0]
    serve(in_door(door, reconnect=5.0), DEFAULT_CONFIG.parent, RunOptions())
    assert [pipeline.reconnect for pipeline, _ in runs["runs"]] == ["forever", 5.0]


@pytest.mark.parametrize(("ended_with", "status"), [(143, 0), (130, 130), (0, 0), (1, 1), (2, 2)])
def test_sigterm_is_no_failure(runs, door, ended_with, status):
    runs["with"] = [ended_with]
    assert serve(in_door(door), DEFAULT_CONFIG.parent, RunOptions()) == status


def test_results_that_cannot_be_gone_on_with_stay_and_the_next_folder_is_begun_at_once(runs, door, capsys):
    pipeline = in_door(door)
    left(door, inputs=inputs_of(pipeline))
    runs["with"] = [1, 128 + signal.SIGTERM]
    assert serve(pipeline, DEFAULT_CONFIG.parent, RunOptions()) == 0
    assert [(Path(p.render.output).name, resume) for p, resume in runs["runs"]] == [("door", True), ("door-2", True)]
    assert "door could not be continued; it stays as it is, and this run begins" in capsys.readouterr().err


@pytest.mark.parametrize("told", ["by a stage", "before any stage is started"])
def test_damaged_results_that_a_run_refuses_stay_and_the_next_folder_is_begun_at_once(runs, door, told):
    pipeline = in_door(door)
    left(door, inputs=inputs_of(pipeline), lines="{}\n")

    def refuses() -> int:
        if told == "by a stage":
            return 2
        raise DamagedState("results.jsonl was changed since it was written.")

    runs["with"] = [refuses, 0]
    assert serve(pipeline, DEFAULT_CONFIG.parent, RunOptions()) == 0
    assert [Path(p.render.output).name for p, _ in runs["runs"]] == ["door", "door-2"]
    assert (door / "results.jsonl").read_text() == "{}\n"


def test_a_mistake_in_the_configuration_begins_no_folder(runs, door):
    pipeline = in_door(door)
    left(door, inputs=inputs_of(pipeline))
    (door / "results.jsonl").unlink()
    Manifest(door).write(door / "results.jsonl", WHOLE)
    runs["with"] = [2]
    assert serve(pipeline, DEFAULT_CONFIG.parent, RunOptions()) == 2
    assert len(runs["runs"]) == 1


def test_a_run_that_went_on_before_it_failed_is_gone_on_with_the_next_time(runs, door):
    pipeline = in_door(door)
    left(door, inputs=inputs_of(pipeline))

    def goes_on_and_fails() -> int:
        with (door / "results.jsonl").open("a") as results:
            results.write('{"frame": 1}\n')
        return 1

    runs["with"] = [goes_on_and_fails]
    assert serve(pipeline, DEFAULT_CONFIG.parent, RunOptions()) == 1
    assert chosen(door, pipeline, inputs_of(pipeline)) == Choice(door, goes_on=True)


def test_a_machine_that_only_helps_has_no_results_to_choose(runs, door):
    machines = {"desk": Host(address="192.0.2.1"), "fast": Host(address="192.0.2.2")}
    assert serve(in_door(door, hosts=machines), DEFAULT_CONFIG.parent, RunOptions(host="fast")) == 0
    assert runs["runs"][0][1] is False and not door.parent.joinpath("door-2").exists()


# --- The unit ---


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd")
def test_the_unit_is_one_that_systemd_takes(tmp_path):
    unit = (PROJECT / "docs/facepipe.service").read_text()
    python = tmp_path / "python"  # Where it is to be, nothing is on this machine.
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    placed = tmp_path / "facepipe.service"
    placed.write_text(unit.replace("/opt/facepipe/.venv/bin/python", str(python)))
    checked = subprocess.run(["systemd-analyze", "verify", str(placed)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
