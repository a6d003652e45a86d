"""A record is whole, or says that it is not."""

from __future__ import annotations

import resource
import struct
import tracemalloc

import msgpack
import numpy as np
import pytest

from stages.core.limits import PART_BYTES
from stages.core.messages import Attribute, Crops
from stages.runtime.tape import MAGIC, Record, Tape, TapeError

NEAR = {"run": "r", "epoch": 1, "source": "clip.mp4", "attempt": 1, "boxes": "ab", "spent": {}}


def crops(frame: int) -> Crops:
    return Crops(frame=frame, seq=1, arrays=(np.full((2, 8, 8, 1), frame, np.uint8),), **NEAR)


def attribute(frame: int) -> Attribute:
    return Attribute(frame=frame, stage="age", replica=0, incarnation=1, answers=[[30.0, 20.0, 40.0]] * 2, **NEAR)


def recorded(path, frames: int = 3, ends: bool = True):
    capture, render = Tape(path, "capture-0/0"), Tape(path, "render/0")
    for frame in range(frames):
        capture.keep("age", crops(frame))
        render.keep("age", attribute(frame))
    if ends:
        capture.close()
        render.close()
    return path


def test_what_two_processes_kept_comes_back_in_order(tmp_path):
    record = Record(recorded(tmp_path / "tape"))
    kept = list(record.messages())
    assert [(type(k.message).__name__, k.stage, k.message.frame) for k in kept] == [
        (kind, "age", frame) for frame in range(3) for kind in ("Crops", "Attribute")
    ]
    assert (kept[4].message.arrays[0] == 2).all() and kept[5].message.answers == attribute(2).answers
    assert record.incomplete is None


def test_a_record_whose_process_was_killed_says_so(tmp_path):
    record = Record(recorded(tmp_path / "tape", ends=False))
    assert len(list(record.messages())) == 6
    assert record.incomplete == "capture-0/0, render/0 did not come to its end"


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_record_that_breaks_off_says_so(tmp_path, cut):
    path = recorded(tmp_path / "tape", ends=False)
    path.write_bytes(path.read_bytes()[:-cut])
    record = Record(path)
    assert len(list(record.messages())) == 5
    assert record.incomplete == "it breaks off in the middle of a record"


HEARD = {"who": "capture-0/0", "of": "", "now": 0.0, "heard": [["Tick"], []]}
KEPT = {"who": "capture-0/0", "at": 0.0, "stage": "age", "sizes": [1]}


def written(path, *heads, tail: bytes = b"") -> Record:
    packed = [head if isinstance(head, bytes) else msgpack.packb(head) for head in heads]
    path.write_bytes(b"".join(MAGIC + struct.pack("<I", len(head)) + head for head in packed) + tail)
    return Record(path)


@pytest.mark.parametrize(
    "head",
    [
        b"\xc1",
        b"\x91" * 100_000,
        7,
        {},
        {"who": ["x"]},
        HEARD | {"heard": [5]},
        HEARD | {"heard": 5},
        HEARD | {"now": "soon"},
        HEARD | {"of": 7},
        {"who": "capture-0/0", "began": "capture", "of": ""},
        KEPT | {"sizes": 5},
        KEPT | {"sizes": [-1]},
        KEPT | {"sizes": [2**62]},
        KEPT | {"at": float("nan")},
        KEPT | {"at": 1e300},
    ],
)
def test_a_head_that_no_version_has_written_is_a_sentence(tmp_path, head):
    with pytest.raises(TapeError, match=r"tape is not a record of this version, or is damaged; make one with run_pip"):
        list(written(tmp_path / "tape", head, tail=b"x").messages())


def test_a_record_that_says_it_is_larger_than_memory_breaks_off(tmp_path):
    for tail, head in ((b"x", KEPT | {"sizes": [PART_BYTES]}), (MAGIC + b"\xff\xff\xff\xff", {"who": "render/0"})):
        record = written(tmp_path / "tape", head, tail=tail)
        tracemalloc.start()
        assert list(record.messages()) == []
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
        tracemalloc.stop()
        assert record.incomplete == "it breaks off in the middle of a record"


def test_another_file_is_refused_and_an_empty_one_too(tmp_path):
    for text in ("", "Dear diary"):
        (tmp_path / "notes.txt").write_text(text)
        with pytest.raises(TapeError, match="is not a record of this version, or is damaged"):
            list(Record(tmp_path / "notes.txt").messages())
    with pytest.raises(TapeError, match="cannot be read"):
        list(Record(tmp_path / "nothing").messages())


def test_a_record_that_a_disk_has_no_room_for_ends_with_a_note_and_can_be_read_so_far(tmp_path):
    said: list[str] = []
    path = tmp_path / "run.fpt"
    tape = Tape(path, "render/0", said.append)
    tape.began("render", "clip", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        for _ in range(3):
            tape.began("render", "clip", "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    tape.close()
    [note] = said
    assert note.startswith(f"{path} is kept no further by render/0: ") and "the results are whole" in note
    record = Record(path)
    assert [began.arguments for began in record.history("render")] == [[1]]
    assert record.incomplete == "render/0 did not come to its end"


def test_a_record_that_cannot_be_opened_is_a_mistake_at_first_and_later_a_note(tmp_path):
    with pytest.raises(TapeError, match="cannot be written: Is a directory; choose another file with --record"):
        Tape(tmp_path, "render/0")
    said: list[str] = []
    tape = Tape(tmp_path, "render/1", said.append, is_first=False)
    tape.began("render", "clip")
    tape.close()
    assert len(said) == 1
