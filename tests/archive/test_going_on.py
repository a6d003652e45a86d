"""An archive that is ended after any of its tasks goes on: the same results, nothing twice, nothing left over."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.archive.driver import ArchiveStopped, Driver
from stages.archive.finding import films_of
from stages.archive.joining import unused_keys
from stages.archive.ledger import FilmState, Ledger
from stages.archive.outcome import Failed, Trouble, outcome_of
from stages.archive.progress import ArchiveView, Progress
from stages.archive.storage import StorageError, storage_at
from stages.archive.tasks import Setup, WrongMachine, check_machine, inputs_of
from stages.config.schema import ConfigError
from stages.plan import read_pipeline
from tests.archive.archives import face_film, hashes, in_progress, manifest, states

PIPELINE, FOLDER = read_pipeline(None, ["render.annotated=false"])


class HereAtOnce:
    """Does tasks in this process, in any order, until the process is ended: after `most` of them."""

    cores = 2

    def __init__(self, most: int | None = None, seed: int = 0):
        self.done: list[tuple[str, str, tuple]] = []
        self._most, self._random, self._tasks = most, random.Random(seed), []

    @property
    def running(self) -> int:
        return len(self._tasks)

    def submit(self, label: Any, function: Callable, *given: object) -> None:
        self._tasks.append((label, function, given))

    def finished(self, within_s: float) -> Iterator[tuple[Any, object]]:
        if len(self.done) == self._most:
            raise KeyboardInterrupt
        label, function, given = self._tasks.pop(self._random.randrange(len(self._tasks)))
        outcome = outcome_of(function, *given)
        self.done.append((function.__name__, label.film.film.name, label.given[1:]))
        yield label, outcome


def start(films: Path, output: Path, workers: HereAtOnce, part_s: float = 0.8, pipeline=PIPELINE) -> list[FilmState]:
    ledger = Ledger(storage_at(str(output)))
    root, found = films_of([f"{films}/*"], ledger.root)
    inputs = inputs_of(pipeline, FOLDER)
    ledger.refuse_other(inputs)
    setup = Setup(ledger.name, ledger.storage, pipeline, FOLDER, inputs, part_s, 10**9, dataset=True)
    found = ledger.begin(root, inputs, found)
    ledger.save(found)
    Driver(found, ledger, workers, setup, ArchiveView(io.StringIO(), quiet=True)).work()
    ledger.save(found)
    return found


@pytest.fixture(scope="module")
def films(tmp_path_factory, astronaut) -> Path:
    folder = tmp_path_factory.mktemp("films")
    face_film(folder / "1.mp4", astronaut, 45)
    face_film(folder / "2.mp4", astronaut, 20)
    (folder / "3.mp4").write_text("no film")
    return folder


@pytest.fixture(scope="module")
def whole(films, tmp_path_factory) -> tuple[dict[str, str], int]:
    """The results of an archive that nothing has ended, and the number of its tasks."""
    output, workers = tmp_path_factory.mktemp("whole") / "output", HereAtOnce()
    start(films, output, workers)
    assert states(output) == {"1.mp4": "done", "2.mp4": "done", "3.mp4": "failed"}
    return hashes(output), len(workers.done)


@pytest.mark.long
def test_ended_after_any_task_it_goes_on_and_does_nothing_twice(films, whole, tmp_path):
    expected, tasks = whole
    for most in range(tasks):
        output, before, after = tmp_path / str(most), HereAtOnce(most, seed=most), HereAtOnce(seed=most + 1)
        with pytest.raises(KeyboardInterrupt):
            start(films, output, before)
        start(films, output, after)
        assert hashes(output) == expected and in_progress(output) == []
        times = Counter(before.done + after.done)
        # The film that cannot be read is looked at again: a person may have mended its disk.
        assert {task for task, count in times.items() if count > 1} <= {("look", "3.mp4", ())}


def test_another_length_of_parts_goes_on_with_what_is_there(films, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start(films, tmp_path / "output", HereAtOnce(most=4))
    start(films, tmp_path / "output", HereAtOnce(), part_s=100.0)
    assert hashes(tmp_path / "output") == whole[0]


def test_a_film_that_was_changed_is_analysed_anew_and_the_others_are_not(films, astronaut, tmp_path):
    folder, output = tmp_path / "films", tmp_path / "output"
    face_film(folder / "1.mp4", astronaut, 20)
    face_film(folder / "2.mp4", astronaut, 20, phase=1.0)
    start(folder, output, HereAtOnce())
    before, workers = hashes(output), HereAtOnce()
    face_film(folder / "2.mp4", astronaut, 20, phase=2.0)
    start(folder, output, workers)
    assert {film for _, film, _ in workers.done} == {"2.mp4"}
    assert hashes(output)["1.mp4"] == before["1.mp4"] and hashes(output)["2.mp4"] != before["2.mp4"]


def test_a_film_that_is_changed_while_the_archive_is_made_never_has_results_of_two_versions(
    films, whole, astronaut, tmp_path
):
    class Changing(HereAtOnce):
        def finished(self, within_s: float):
            yield from super().finished(within_s)
            if len(self.done) == self.changes_after:
                face_film(folder / "2.mp4", astronaut, 20)

    folder = tmp_path / "films"
    for changes_after in (1, 2, 3):  # It is looked through, and both its parts are analysed.
        face_film(folder / "2.mp4", astronaut, 20, phase=2.0)
        output, workers = tmp_path / str(changes_after), Changing(seed=changes_after)
        workers.changes_after = changes_after
        [state] = start(folder, output, workers, part_s=0.3)
        if state.done is None:
            assert "was changed while it was analysed; start the command again" in state.failed
        start(folder, output, HereAtOnce())
        assert hashes(output) == {"2.mp4": whole[0]["2.mp4"]} and in_progress(output) == []


def test_what_a_house_needs_and_a_film_does_not_changes_nothing_and_is_named(films, whole, tmp_path):
    house = (
        "source=0",
        "hosts={desk: {address: 127.0.0.1}}",
        "render.rotate=1s",
        "render.keep=1h",
        "render.display=web",
    )
    pipeline, _ = read_pipeline(None, ["render.annotated=false", *house])
    assert unused_keys(pipeline) == ["source", "hosts", "render.display", "render.rotate", "render.keep"]
    start(films, tmp_path / "output", HereAtOnce(), pipeline=pipeline)
    assert hashes(tmp_path / "output") == whole[0]
    again = HereAtOnce()
    start(films, tmp_path / "output", again)
    assert again.done == [("look", "3.mp4", ())] and unused_keys(PIPELINE) == []


@pytest.mark.parametrize("file", ["run.json", "results.jsonl"])
def test_results_that_were_removed_are_made_again_and_the_files_of_others_stay(films, whole, tmp_path, file):
    start(films, tmp_path / "output", HereAtOnce())
    film = tmp_path / "output" / "2.mp4"
    (film / file).unlink()
    (film / "mine").mkdir()
    (film / "mine" / "notes.txt").write_text("mine")
    start(films, tmp_path / "output", HereAtOnce())
    assert hashes(tmp_path / "output") == whole[0]
    assert (film / "mine" / "notes.txt").read_text() == "mine"


def test_a_film_that_cannot_be_read_is_listed_until_it_is_removed(films, tmp_path):
    folder, output = tmp_path / "films", tmp_path / "output"
    folder.mkdir()
    shutil.copy(films / "2.mp4", folder)
    shutil.copy(films / "3.mp4", folder)
    start(folder, output, HereAtOnce())
    assert states(output) == {"2.mp4": "done", "3.mp4": "failed"}
    (folder / "3.mp4").unlink()
    start(folder, output, HereAtOnce())
    assert states(output) == {"2.mp4": "done"}


@pytest.mark.parametrize("changed", ["stages.emotion.every=2", "render.events=false"])
def test_another_configuration_is_refused_by_the_name_of_what_differs(films, tmp_path, changed):
    start(films, tmp_path / "output", HereAtOnce())
    other, _ = read_pipeline(None, ["render.annotated=false", changed])
    name = re.escape(changed.partition("=")[0])
    with pytest.raises(ConfigError, match=f"begun with another {name}; choose another --output"):
        start(films, tmp_path / "output", HereAtOnce(), pipeline=other)


def test_a_machine_with_another_version_of_facepipe_is_refused(tmp_path):
    inputs = inputs_of(PIPELINE, FOLDER)
    setup = Setup("another", storage_at(str(tmp_path)), PIPELINE, FOLDER, inputs, 1.0, 10**9, version="0.0.1")
    with pytest.raises(WrongMachine, match=r"has facepipe .*, and the machine of the command 0\.0\.1; install that"):
        check_machine(setup)


def test_a_folder_that_holds_something_else_is_refused(films, tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ConfigError, match=r"holds thesis\.txt and no archive\.json"):
        start(films, tmp_path, HereAtOnce())
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_the_lock_of_a_command_that_was_killed_before_it_wrote_anything_is_in_nobodys_way(films, whole, tmp_path):
    (tmp_path / "output" / ".archive").mkdir(parents=True)
    (tmp_path / "output" / ".archive" / "lock").write_text("facepipe 1\n")
    start(films, tmp_path / "output", HereAtOnce())
    assert hashes(tmp_path / "output") == whole[0]


def test_a_folder_that_has_the_name_of_a_new_film_is_not_replaced(films, astronaut, tmp_path):
    folder, output = tmp_path / "films", tmp_path / "output"
    face_film(folder / "1.mp4", astronaut, 5)
    start(folder, output, HereAtOnce())
    face_film(folder / "2.mp4", astronaut, 5)
    (output / "2.mp4").mkdir()
    (output / "2.mp4" / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match=r"2\.mp4 is not of this archive, .* move it away"):
        start(folder, output, HereAtOnce())
    assert (output / "2.mp4" / "thesis.txt").read_text() == "years"
    (output / "2.mp4").rename(tmp_path / "away")
    start(folder, output, HereAtOnce())
    assert states(output) == {"1.mp4": "done", "2.mp4": "done"}


def test_an_archive_that_another_command_has_begun_since_is_not_written_over(films, tmp_path):
    late = Ledger(storage_at(str(tmp_path / "output")))
    start(films, tmp_path / "output", HereAtOnce())
    before = (tmp_path / "output" / "archive.json").read_bytes()
    root, found = films_of([f"{films}/*"])
    with pytest.raises(ConfigError, match="another command has written"):
        late.begin(root, inputs_of(PIPELINE, FOLDER), found)
    assert (tmp_path / "output" / "archive.json").read_bytes() == before


def one_part_more(plan: bytes) -> bytes:
    said = json.loads(plan)
    return json.dumps(said | {"parts": [*said["parts"], 1.0]}).encode()


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        pytest.param("-00000.part", lambda was: b"torn", id="part torn"),
        pytest.param("-00000.part", lambda was: was[:-1] + bytes([was[-1] ^ 1]), id="a bit of a part"),
        pytest.param(".index", lambda was: was[:-9], id="index torn"),
        pytest.param(".index", None, id="index removed"),
        pytest.param("plan.json", lambda was: b"torn", id="plan torn"),
        pytest.param("plan.json", one_part_more, id="plan of another division"),
    ],
)
def test_what_is_damaged_on_the_disk_costs_one_film_another_start(films, whole, tmp_path, which, damage):
    output = tmp_path / "output"
    with pytest.raises(KeyboardInterrupt):
        start(films, output, HereAtOnce(most=5))
    for damaged in [path for path in in_progress(output) if path.name.endswith(which)]:
        damaged.write_bytes(damage(damaged.read_bytes())) if damage else damaged.unlink()
    start(films, output, HereAtOnce())
    assert set(states(output).values()) <= {"done", "failed"}  # The others were analysed all the same.
    start(films, output, HereAtOnce())
    assert hashes(output) == whole[0] and in_progress(output) == []


def test_the_part_of_another_film_is_not_taken_for_that_of_this_one(films, whole, tmp_path):
    output = tmp_path / "output"
    with pytest.raises(KeyboardInterrupt):
        start(films, output, HereAtOnce(most=5))
    parts = [path for path in in_progress(output) if path.name.endswith(".part")]
    for one, other in zip(parts, [*parts[1:], parts[0]], strict=True):
        one.rename(other.with_suffix(".moved"))
    for moved in [path for path in in_progress(output) if path.suffix == ".moved"]:
        moved.rename(moved.with_suffix(".part"))
    for _ in range(len(parts) + 1):
        start(films, output, HereAtOnce())
    assert len(parts) > 1 and hashes(output) == whole[0]


@pytest.mark.parametrize("changed", [{"films": [{"film": 5}]}, {"archive": ""}, {"root": None}, {"inputs": []}])
def test_a_manifest_that_is_damaged_is_refused(films, tmp_path, changed):
    output = tmp_path / "output"
    with pytest.raises(KeyboardInterrupt):
        start(films, output, HereAtOnce(most=0))
    (output / "archive.json").write_text(json.dumps(manifest(output) | changed))
    with pytest.raises(StorageError, match=r"archive\.json is damaged; put it back, or choose another --output"):
        start(films, output, HereAtOnce())


def test_a_name_may_be_as_long_as_a_file_can_have_and_a_longer_one_fails_that_film_alone(astronaut, tmp_path):
    film = face_film(tmp_path / "films" / f"{'x' * 251}.mp4", astronaut, 5)
    # In the name of its results are six characters for each byte that is no text.
    shutil.copyfile(film, tmp_path / "films" / os.fsdecode(b"\xff" * 60 + b".mp4"))
    for _ in range(2):
        found = start(tmp_path / "films", tmp_path / "output", HereAtOnce())
        assert sorted(states(tmp_path / "output").values()) == ["done", "failed"]
        assert "File name too long" in next(state.failed for state in found if state.failed)


def test_an_output_that_cannot_be_written_ends_it(films, tmp_path, monkeypatch):
    class Full(HereAtOnce):
        def finished(self, within_s: float):
            for label, _ in super().finished(within_s):
                yield label, Failed(Trouble.ARCHIVE, "cannot write x: No space left on device; make room.")

    with pytest.raises(ArchiveStopped, match="make room"):
        start(films, tmp_path / "output", Full())


def test_progress_says_films_hours_speed_and_what_is_left():
    said = Progress(films=80, finished=12, failed=2, done_s=31.2 * 3600, total_s=74.1 * 3600, speed=38.0)
    assert next(said.texts()) == "12/80 films  2 failed  31 h 12 min of 74 h 6 min  38 × real time  1 h 7 min left"
    for done_s, total_s in ((60.0, 60.0), (0.1 + (0.2 + 0.3), (0.1 + 0.2) + 0.3)):  # The parts in another order.
        joining = Progress(films=2, finished=1, failed=0, done_s=done_s, total_s=total_s, speed=2.0)
        assert next(joining.texts()).endswith("2 × real time  finishing")


def test_the_total_is_estimated_by_size_until_all_films_were_looked_through(films, tmp_path):
    ledger = Ledger(storage_at(str(tmp_path / "output")))
    _, found = films_of([f"{films}/[12].mp4"])
    one, two = ledger.begin(str(films), {}, found)
    assert Progress.of([one, two], None).total_s is None
    start(films, tmp_path / "other", HereAtOnce())
    known = Ledger(storage_at(str(tmp_path / "other"))).begin(str(films), inputs_of(PIPELINE, FOLDER), found)[0]
    assert Progress.of([known, two], None).total_s == pytest.approx(1.8 * (1 + two.film.size / one.film.size))
