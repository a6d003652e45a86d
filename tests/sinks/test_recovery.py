"""What a killed process has left is cut back to the last frame that all outputs hold, and gone on with from there."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from stages.results.drops import DropLog
from stages.results.errors import ForeignFile
from stages.results.manifest import Manifest
from stages.sinks import joining
from stages.sinks.recorder import Recorder
from tests.results.frames import flat, frame
from tests.sinks.clips import frames_in
from tests.sinks.recording import recording

FOLDER = ["a.jpg", "b.mp4", "b.mp4", "b.mp4", "c.png", "d.mp4", "d.mp4"]


def begun(folder: Path, continuing: bool = False) -> Recorder:
    return recording(folder, continuing=continuing)


KILLED: list[Recorder] = []


def write(recorder: Recorder, numbers, files: list[str] | None = None) -> None:
    for number in numbers:
        file = files[number] if files else None
        rate = None if file and not file.endswith("mp4") else 25.0
        picture = flat(64, 48, 10 * number % 250)
        recorder.write(frame(number, picture, file=file, rate=rate), picture)


def killed(recorder: Recorder) -> None:
    """Leave the files as they are: nothing is closed, nothing joined."""
    KILLED.append(recorder)  # Or the collection of garbage might close its files.


class Killed(BaseException):
    """What stands for the end of a process."""


def die(*_: object) -> None:
    raise Killed


def numbers(folder: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in (folder / "results.jsonl").read_text().splitlines()]


def whole(folder: Path) -> bytes:
    """The results of seven frames of a video that nobody disturbed."""
    recorder = begun(folder)
    write(recorder, range(7))
    recorder.close()
    return (folder / "results.jsonl").read_bytes()


@pytest.mark.parametrize(("end", "written"), [(killed, 5), (Recorder.close, 4)])
def test_a_video_is_gone_on_with_where_line_and_picture_are_both_there(tmp_path, end, written):
    first = begun(tmp_path)
    write(first, range(written))
    end(first)
    # Of one that was killed the fragment of the last frame is not complete: its line is cut off, and it comes again.
    second = begun(tmp_path, continuing=True)
    assert (second.restored.position, numbers(tmp_path)) == (4, [0, 1, 2, 3])
    assert second.restored.counts["rendered"] == 4
    write(second, range(4, 7))
    second.close()
    assert (tmp_path / "results.jsonl").read_bytes() == whole(tmp_path / "whole")
    assert frames_in(tmp_path / "annotated/clip.mp4") == 7
    assert os.listdir(tmp_path / "annotated") == ["clip.mp4"]


def test_a_torn_line_is_dropped(tmp_path):
    first = begun(tmp_path)
    write(first, range(3))
    first.close()
    Manifest(tmp_path).opens_again(tmp_path / "results.jsonl")  # As a run does that is killed soon after.
    with (tmp_path / "results.jsonl").open("ab") as results:
        results.write(b'{"source": "clip.mp4", "fra')
    assert begun(tmp_path, continuing=True).restored.position == 3
    assert numbers(tmp_path) == [0, 1, 2]


def test_any_number_of_deaths_leaves_each_frame_once(tmp_path):
    recorder, position = begun(tmp_path), 0
    for until in (3, 3, 4, 6, 7):
        write(recorder, range(position, until))
        killed(recorder)
        recorder = begun(tmp_path, continuing=True)
        position = recorder.restored.position
    write(recorder, range(position, 7))
    recorder.close()
    assert (tmp_path / "results.jsonl").read_bytes() == whole(tmp_path / "whole")
    assert frames_in(tmp_path / "annotated/clip.mp4") == 7


@pytest.mark.parametrize("until", range(1, len(FOLDER) + 1))
def test_in_a_folder_every_file_is_closed_before_the_next_begins(tmp_path, until):
    first = begun(tmp_path)
    write(first, range(until), FOLDER)
    killed(first)
    second = begun(tmp_path, continuing=True)
    position = second.restored.position
    assert until - 1 <= position <= until
    write(second, range(position, len(FOLDER)), FOLDER)
    second.close()
    assert numbers(tmp_path) == list(range(len(FOLDER)))
    made = [path.relative_to(tmp_path).as_posix() for path in second.paths]
    assert sorted(made) == ["annotated/a.jpg", "annotated/b.mp4", "annotated/c.png", "annotated/d.mp4", "results.jsonl"]
    assert (frames_in(tmp_path / "annotated/b.mp4"), frames_in(tmp_path / "annotated/d.mp4")) == (3, 2)


def test_a_picture_that_did_not_come_to_be_takes_its_line_with_it(tmp_path):
    first = begun(tmp_path)
    write(first, range(1), FOLDER)
    killed(first)
    (tmp_path / "annotated/a.jpg").unlink()
    assert begun(tmp_path, continuing=True).restored.position == 0


def test_killed_between_joining_a_video_and_deleting_its_segments_it_is_joined_again(tmp_path, monkeypatch):
    first = begun(tmp_path)
    write(first, range(5))
    killed(first)
    with monkeypatch.context() as at_death:
        at_death.setattr(joining, "delete_segments", die)
        with pytest.raises(Killed):
            begun(tmp_path, continuing=True).close()
    assert sorted(os.listdir(tmp_path / "annotated")) == [".clip.mp4.parts", "clip.mp4"]
    second = begun(tmp_path, continuing=True)
    assert second.restored.position == 4
    second.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == 4
    assert os.listdir(tmp_path / "annotated") == ["clip.mp4"]


@pytest.mark.parametrize("dies", ["move_folder", "remove"])
def test_killed_while_deleting_the_segments_the_joined_video_counts(tmp_path, monkeypatch, dies):
    first = begun(tmp_path)
    write(first, range(5))
    moves = Manifest.move_folder
    with monkeypatch.context() as at_death:
        at_death.setattr(Manifest, dies, (lambda *given: die(moves(*given))) if dies == "move_folder" else die)
        with pytest.raises(Killed):
            first.close()
    assert sorted(os.listdir(tmp_path / "annotated")) == [".clip.mp4.done", "clip.mp4"]
    second = begun(tmp_path, continuing=True)
    assert second.restored.position == 5
    second.close()
    assert os.listdir(tmp_path / "annotated") == ["clip.mp4"]


def test_a_folder_of_somebody_else_with_the_name_of_one_of_parts_stays_where_it_is(tmp_path):
    theirs = tmp_path / "annotated/.clip.mp4.parts/00000000.mp4"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    first = begun(tmp_path)
    with pytest.raises(ForeignFile, match="was not written by facepipe"):
        write(first, range(1))
    first.close()
    assert theirs.read_text() == "mine"


def test_without_annotated_outputs_the_lines_alone_count(tmp_path):
    first = recording(tmp_path, annotated=False)
    write(first, range(3))
    killed(first)
    assert recording(tmp_path, annotated=False, continuing=True).restored.position == 3


def test_what_was_dropped_below_the_position_is_counted_and_what_was_above_is_open_again(tmp_path):
    first = recording(tmp_path, annotated=False)
    write(first, [0, 1, 4])
    losses = DropLog(tmp_path / "account.jsonl")
    losses.dropped(2, 3, "detect", "queue full")
    losses.given_up(4, "age", "late")
    losses.dropped(5, 9, "detect", "late")
    killed(first)
    restored = recording(tmp_path, annotated=False, continuing=True).restored
    assert (restored.position, dict(restored.dropped)) == (5, {("detect", "queue full"): 2})
    left = [json.loads(line) for line in (tmp_path / "account.jsonl").read_text().splitlines()]
    assert left == [
        {"what": "dropped", "first": 2, "last": 3, "stage": "detect", "reason": "queue full"},
        {"what": "given up", "first": 4, "last": 4, "stage": "age", "reason": "late"},
    ]


def test_where_there_is_nothing_it_begins_at_the_beginning(tmp_path):
    recorder = begun(tmp_path, continuing=True)
    assert recorder.restored.position == 0
    recorder.close()


def test_a_long_run_is_gone_on_with_in_as_little_memory_as_a_short_one(tmp_path):
    recorder = recording(tmp_path, annotated=False)
    write(recorder, range(5000))
    killed(recorder)
    tracemalloc.start()
    try:
        restored = recording(tmp_path, annotated=False, continuing=True).restored
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert restored.position == 5000 and restored.counts["rendered"] == 5000
    assert peak_bytes < 200_000
