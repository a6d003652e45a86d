"""events.jsonl: the same bytes whenever its writer dies, and read by others while it grows."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.areas import Areas
from stages.people.events import EventMachine, events_of
from stages.people.log import EventLog, NotAnEvent, follow
from stages.results.errors import ForeignFile
from stages.results.manifest import Manifest
from tests.people.material import seen, walk

LEFT = Areas({"left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))})
LINES = [*walk(1, *[80] * 4, *[20] * 5, *[80] * 2), *walk(2, *[20] * 5, first=11), *[seen(n) for n in range(16, 30)]]
WHOLE = b"".join(event.to_line() for event in events_of(LINES, 1.0, LEFT))
MACHINE = EventMachine(1.0, LEFT)
STOPPED = b"".join(event.to_line() for line in LINES[:14] for event in MACHINE.step(line))


def log(folder) -> EventLog:
    return EventLog(folder / "events.jsonl", Manifest(folder), EventMachine(1.0, LEFT))


def events_in(folder) -> bytes:
    return (folder / "events.jsonl").read_bytes()


def taken(folder, lines=LINES, ended: bool = True) -> bytes:
    writer = log(folder)
    for line in lines:
        writer.take(line)
    writer.close(ended)
    return events_in(folder)


def test_it_has_the_events_of_the_lines_and_of_the_end(tmp_path):
    assert taken(tmp_path) == WHOLE
    assert len(WHOLE.splitlines()) == 8
    assert Manifest(tmp_path).is_ours(tmp_path / "events.jsonl")


def test_nobody_leaves_a_run_that_was_stopped_and_goes_on(tmp_path):
    assert taken(tmp_path, LINES[:14], ended=False) == STOPPED
    assert WHOLE.startswith(STOPPED) and b'"event": "left"' not in STOPPED


@given(st.integers(0, len(LINES)), st.integers(0, len(WHOLE) + 20), st.booleans())
def test_wherever_its_writer_was_killed_the_file_comes_out_the_same(tmp_path_factory, lines, cut, is_gone):
    folder = tmp_path_factory.mktemp("run")
    first = log(folder)
    for line in LINES:  # More than is left of it: results.jsonl may have been cut back.
        first.take(line)
    with (folder / "events.jsonl").open("r+b") as file:
        file.truncate(cut)  # In the middle of a line, or behind the end: zeros, as after a power cut.
    if is_gone:
        os.unlink(folder / "events.jsonl")
    second = log(folder)
    for line in LINES[:lines]:
        second.replay(line)
    for line in LINES[lines:]:
        second.take(line)
    second.close(has_ended=True)
    assert events_in(folder) == WHOLE


def test_pictures_alone_have_no_file(tmp_path):
    writer = log(tmp_path)
    writer.take(seen(0), plays=False)
    writer.close(has_ended=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "events.jsonl").write_text("mine")
    with pytest.raises(ForeignFile, match="was not written by facepipe"):
        log(tmp_path)
    assert events_in(tmp_path) == b"mine"


def test_a_reader_is_given_each_event_once_with_the_position_to_go_on_from(tmp_path):
    path = tmp_path / "events.jsonl"
    assert list(follow(path)) == []
    position, came = 0, []
    for size in range(0, len(WHOLE) + 1, 7):
        path.write_bytes(WHOLE[:size])
        more = list(follow(path, position))
        came += [event for _, event in more]
        position = more[-1][0] if more else position
    path.write_bytes(WHOLE)
    came += [event for _, event in follow(path, position)]
    assert came == [json.loads(line) for line in WHOLE.splitlines()]
    assert list(follow(path, len(WHOLE))) == []


@pytest.mark.parametrize("text", [b"nonsense\n", b"[1]\n", b'{"frame": 1}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_event_is_refused(tmp_path, text):
    (tmp_path / "events.jsonl").write_bytes(text)
    with pytest.raises(NotAnEvent, match="at byte 0"):
        list(follow(tmp_path / "events.jsonl"))
