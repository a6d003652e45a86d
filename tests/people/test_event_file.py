"""The events of a source in pieces are read as if they were in one file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stages.people.event_file import EventFile, Place, follow
from tests.connect.run_folder import WrittenRun, appeared


def text(number: int) -> bytes:
    return json.dumps(appeared(number)).encode() + b"\n"


def written(folder: Path, *pieces: list[int]) -> list[Path]:
    """A folder with events about these people in its pieces; returns those of the pieces."""
    return WrittenRun(folder).in_pieces(*([appeared(number) for number in one] for one in pieces))


def ids(events: list) -> list[int]:
    return [event.fields["id"] for event in events]


def everything(file: EventFile) -> list:
    read = []
    while events := file.read(2, 0.0):
        read += events
    return read


def test_one_piece_is_read_after_the_other_and_lines_are_counted_through(tmp_path):
    written(tmp_path / "run", [1, 2, 3], [], [4], [5, 6])
    file = EventFile(tmp_path / "run", Place())
    events = everything(file)
    assert ids(events) == [1, 2, 3, 4, 5, 6] and [event.number for event in events] == [0, 1, 2, 3, 4, 5]
    assert EventFile(tmp_path / "run", Place()).waiting(lambda event: True) == 6
    for event in events:
        assert ids(everything(EventFile(tmp_path / "run", event.after))) == list(range(event.fields["id"] + 1, 7))


def test_a_piece_that_is_begun_meanwhile_is_read_when_the_one_before_is_at_its_end(tmp_path):
    written(tmp_path / "run", [1, 2])
    file = EventFile(tmp_path / "run", Place())
    assert ids(everything(file)) == [1, 2]
    shutil.rmtree(tmp_path / "run")
    written(tmp_path / "run", [1, 2, 3], [4])
    assert ids(everything(file)) == [3, 4] and not file.began_again and not file.deleted


@pytest.mark.parametrize(("read", "deleted"), [(0, 5), (2, 3), (3, 2), (5, 0)])
def test_events_that_are_gone_with_their_pieces_are_counted(tmp_path, read, deleted):
    first, second, _ = written(tmp_path / "run", [1, 2, 3], [4, 5], [6])
    places = [Place(), *(event.after for event in everything(EventFile(tmp_path / "run", Place())))]
    shutil.rmtree(first)
    shutil.rmtree(second)
    file = EventFile(tmp_path / "run", places[read])
    events = everything(file)
    assert (ids(events), events[0].number, file.deleted) == ([6], 5, deleted)


def test_positions_of_a_program_that_follows_count_the_bytes_of_all_pieces(tmp_path):
    first, *_ = written(tmp_path / "run", [1, 2, 3], [4, 5], [6])
    joined = b"".join(map(text, range(1, 7)))
    read = list(follow(tmp_path / "run"))
    assert [event["id"] for _, event in read] == [1, 2, 3, 4, 5, 6] and read[-1][0] == len(joined)
    shutil.rmtree(first)
    for position, event in read[2:]:
        assert [later["id"] for _, later in follow(tmp_path / "run", position)] == list(range(event["id"] + 1, 7))
    assert [event["id"] for _, event in follow(tmp_path / "run")] == [4, 5, 6]
