"""What a run that is gone on with reads, after sources were added and removed; and requests that are none."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

import pytest

from stages.config.load import read_config
from stages.config.schema import ConfigError, Pipeline
from stages.config.settings import Settings, SourceChanges, SourceSettings
from stages.errors import FacepipeError
from stages.layout import LOCK, REQUESTS
from stages.locks import locked
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from stages.running.job import Job, RunOptions
from stages.running.requests import ConfigWatch, ask, heard
from stages.running.sources import RunAdmission, as_changed, inputs_as_changed
from stages.supervision.run_sources import Request, RunSources

ZONE = {"mat": [[0, 0], [1, 0], [1, 1]]}
BEGUN = Pipeline(sources={"door": 0, "yard": 1}, zones={"yard": ZONE})
BEGUN_INPUTS = {"source door": ["0", None], "source yard": ["1", None], "zones": {"yard": ZONE}}
# yard was removed, and gate was added.
CHANGED = RunFile(
    "run",
    {"source door": ["0", None], "source gate": ["2", None]},
    changes=SourceChanges({"gate": 2}, {"yard": ["1", None, ZONE, {}]}),
)


def left(folder, run: RunFile) -> None:
    folder.mkdir(exist_ok=True)
    Manifest(folder)
    run.write(folder)


def test_a_run_that_is_gone_on_with_reads_the_sources_that_it_had_last(tmp_path):
    left(tmp_path, CHANGED)
    pipeline, changes = as_changed(BEGUN, tmp_path)
    assert (pipeline.sources, pipeline.zones, changes) == ({"door": 0, "gate": 2}, {}, CHANGED.changes)
    assert CHANGED.difference(inputs_as_changed(BEGUN_INPUTS, CHANGED)) is None


def test_a_configuration_that_was_changed_in_the_same_way_says_the_same(tmp_path):
    left(tmp_path, CHANGED)
    in_file = Pipeline(sources={"door": 0, "gate": 2})
    assert as_changed(in_file, tmp_path) == (in_file, CHANGED.changes)
    assert CHANGED.difference(inputs_as_changed(CHANGED.inputs, CHANGED)) is None


def test_another_source_of_a_removed_name_is_another_source(tmp_path):
    left(tmp_path, CHANGED)
    others = Pipeline(sources={"door": 0, "yard": 7})
    assert as_changed(others, tmp_path)[0].sources == {"door": 0, "yard": 7, "gate": 2}
    inputs = {"source door": ["0", None], "source yard": ["7", None]}
    assert CHANGED.difference(inputs_as_changed(inputs, CHANGED)) == "source yard"


def test_a_source_whose_address_has_a_secret_is_to_be_written_into_the_configuration(tmp_path):
    inputs = {**CHANGED.inputs, "source lane": ["rtsp://10.0.0.9/1", None]}
    left(tmp_path, RunFile("run", inputs, changes=SourceChanges({"lane": None}, {})))
    with pytest.raises(ConfigError, match="the source lane.* under sources"):
        as_changed(BEGUN, tmp_path)
    written = Pipeline(sources={**BEGUN.sources, "lane": "rtsp://me:secret@10.0.0.9/1"})
    assert as_changed(written, tmp_path)[0] == written


@contextmanager
def hearing(folder):
    """A run in this folder, without any processes; gives what it is asked."""
    asked: SimpleQueue = SimpleQueue()
    with locked(folder / LOCK), heard(folder, BEGUN, None, asked.put):
        while not (folder / REQUESTS).is_dir():
            pass
        yield asked


def test_a_request_is_heard_once_and_nothing_is_left_of_it(tmp_path):
    with hearing(tmp_path) as asked:
        request = tmp_path / REQUESTS / "1.json"
        request.with_suffix(".part").write_text(json.dumps({"action": "add", "name": "gate", "spec": 2}))
        request.with_suffix(".part").rename(request)
        came = asked.get(timeout=10)
        assert (came.action, came.name, came.spec) == ("add", "gate", 2)
        came.answer(True, ["gate is read from now on: 2."])
        while not request.with_suffix(".answer").exists():
            pass
        assert json.loads(request.with_suffix(".answer").read_text())["done"]
    assert not (tmp_path / REQUESTS).exists()


@pytest.mark.parametrize(
    "text", ['{"action": "end", "name": "door", "spec": 0}', "[]", "{}", '{"action": []}', "[" * 5000, "\0"]
)
def test_a_request_that_is_none_is_answered_and_asks_for_nothing(tmp_path, text):
    with hearing(tmp_path) as asked:
        request = tmp_path / REQUESTS / "1.json"
        request.with_suffix(".part").write_text(text)
        request.with_suffix(".part").rename(request)
        while not request.with_suffix(".answer").exists():
            assert asked.empty()
        assert not json.loads(request.with_suffix(".answer").read_text())["done"]


def test_a_run_that_is_none_or_has_one_source_cannot_be_asked(tmp_path):
    with pytest.raises(FacepipeError, match="no run is writing to"):
        ask(tmp_path, "list")
    with locked(tmp_path / LOCK), pytest.raises(FacepipeError, match="has one source"):
        ask(tmp_path, "list")


def test_sources_come_and_go_in_any_order_and_one_that_is_refused_is_in_nobodys_way(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    pipeline = Pipeline(sources={"door": 0, "yard": 1})
    job = Job(pipeline, tmp_path, RunOptions(), {})
    given = tuple(SourceSettings(spec, name, False) for name, spec in pipeline.sources.items())
    inputs = {"source door": ["0", None], "source yard": ["1", None]}
    told = {
        f"capture-{place}": Settings(
            "capture", place, pipeline, "", ("", ""), given, {}, {}, "", inputs=inputs, has_folders=True
        )
        for place in (0, 1)
    }
    with ExitStack() as held:
        sources, started, answers = RunSources(told, RunAdmission(job, held)), [], []

        def asked(action: str, name: str, spec: int = 0) -> None:
            request = Request(action, lambda done, _: answers.append((action, name, spec, done)), name, spec)
            sources.asked(request, lambda _, settings: started.append(settings), {})

        def add(name: str, spec: int) -> None:
            asked("add", name, spec)
            sources.is_there(f"capture-{started[-1].replica}")

        asked("remove", "door")
        sources.ended("capture-0", None)
        asked("add", "YARD", 1)
        asked("add", "door", 7)  # It has results of another one.
        add("door", 0)
        add("gate", 2)
        asked("remove", "yard")
        sources.ended("capture-1", None)
        add("yard", 1)
    assert [each for each in answers if not each[3]] == [("add", "YARD", 1, False), ("add", "door", 7, False)]
    assert [(s.replica, s.source.name, s.source.spec) for s in started] == [
        (2, "door", 0),
        (3, "gate", 2),
        (4, "yard", 1),
    ]
    assert list(sources.told()["pipeline"].sources) == ["door", "gate", "yard"]
    assert len({settings.binds for settings in started}) == 3


@contextmanager
def following(folder, path):
    """A run in this folder that follows the sources of a file, without any processes; gives what it is asked."""
    asked: SimpleQueue = SimpleQueue()
    watch = ConfigWatch(path, lambda: read_config(path.read_text(), path.name), lambda sentence: None)
    with locked(folder / LOCK), heard(folder, read_config(path.read_text(), path.name), watch, asked.put):
        yield asked


def replaced(path, **sources: int) -> None:
    path.with_suffix(".new").write_text(json.dumps({"sources": sources}))
    path.with_suffix(".new").replace(path)


def test_a_file_that_changes_while_a_source_comes_or_goes_is_what_the_run_reads_in_the_end(tmp_path):
    path = tmp_path / "house.yaml"
    replaced(path, door=0, yard=1)
    with following(tmp_path, path) as asked:
        replaced(path, door=0, yard=1, gate=2)
        add = asked.get(timeout=10)
        replaced(path, door=0)  # gate is not open yet
        remove = asked.get(timeout=10)
        assert [(each.action, each.name) for each in (add, remove)] == [("add", "gate"), ("remove", "yard")]
        add.answer(True, ["gate is read from now on: 2."])
        back = asked.get(timeout=10)
        assert (back.action, back.name) == ("remove", "gate")
        replaced(path, door=0, yard=1)  # yard is not finished yet
        remove.answer(True, ["yard is not read any more; its results are whole."])
        back.answer(True, ["gate is not read any more; its results are whole."])
        again = asked.get(timeout=10)
        assert (again.action, again.name, again.spec) == ("add", "yard", 1)


def test_a_source_that_is_refused_is_asked_for_again_only_when_the_file_changes(tmp_path):
    path = tmp_path / "house.yaml"
    replaced(path, door=0, yard=1)
    with following(tmp_path, path) as asked:
        replaced(path, door=0, yard=1, gate=2, lane=3)
        gate, lane = asked.get(timeout=10), asked.get(timeout=10)
        gate.answer(False, ["no camera 2."])
        lane.answer(True, ["lane is read from now on: 3."])
        replaced(path, door=0, yard=1, gate=2)
        remove, gate = sorted((asked.get(timeout=10), asked.get(timeout=10)), key=lambda each: each.action != "remove")
        assert [(each.action, each.name) for each in (remove, gate)] == [("remove", "lane"), ("add", "gate")]
    assert asked.empty()


def test_a_change_while_the_processes_start_counts(tmp_path):
    path = tmp_path / "house.yaml"
    replaced(path, door=0, yard=1)
    watch = ConfigWatch(path, lambda: read_config(path.read_text(), path.name), lambda sentence: None)
    asked: SimpleQueue = SimpleQueue()
    replaced(path, door=0, yard=1, gate=2)
    with locked(tmp_path / LOCK), heard(tmp_path, BEGUN, watch, asked.put):
        came = asked.get(timeout=10)
        assert (came.action, came.name) == ("add", "gate")


def test_a_file_may_replace_every_source_of_the_run(tmp_path):
    path = tmp_path / "house.yaml"
    replaced(path, door=0)
    with following(tmp_path, path) as asked:
        replaced(path, gate=2)
        remove, add = asked.get(timeout=10), asked.get(timeout=10)
        remove.answer(False, ["door is the only source that is left; end the run instead."])
        add.answer(True, ["gate is read from now on: 2."])
        again = asked.get(timeout=10)
        assert (again.action, again.name) == ("remove", "door")
