"""A record is whole, or says that it is not."""

from __future__ import annotations

import resource
import struct
import tracemalloc

import msgpack
import numpy as np
import pytest

from stages.protocol.limits import PART_BYTES
from stages.protocol.messages import Attribute, Crops
from stages.trace.recorder import MAGIC, TraceError, TraceReader, TraceRecorder

NEAR = {"run": "r", "epoch": 1, "source": "clip.mp4", "attempt": 1, "boxes_hash": "ab", "spent": {}}


def crops(frame: int) -> Crops:
    return Crops(frame=frame, seq=1, arrays=(np.full((2, 8, 8, 1), frame, np.uint8),), **NEAR)


def attribute(frame: int) -> Attribute:
    return Attribute(frame=frame, stage="age", replica=0, incarnation=1, answers=[[30.0, 20.0, 40.0]] * 2, **NEAR)


def recorded(path, frames: int = 3, ends: bool = True):
    capture, render = TraceRecorder(path, "capture-0/0"), TraceRecorder(path, "render/0")
    for frame in range(frames):
        capture.record_message("age", crops(frame))
        render.record_message("age", attribute(frame))
    if ends:
        capture.close()
        render.close()
    return path


def test_what_two_processes_kept_comes_back_in_order(tmp_path):
    record = TraceReader(recorded(tmp_path / "trace"))
    kept = list(record.messages())
    assert [(type(k.message).__name__, k.stage, k.message.frame) for k in kept] == [
        (kind, "age", frame) for frame in range(3) for kind in ("Crops", "Attribute")
    ]
    assert (kept[4].message.arrays[0] == 2).all() and kept[5].message.answers == attribute(2).answers
    assert record.incomplete is None


def test_a_record_whose_process_was_killed_says_so(tmp_path):
    record = TraceReader(recorded(tmp_path / "trace", ends=False))
    assert len(list(record.messages())) == 6
    assert record.incomplete == "capture-0/0, render/0 did not come to its end"


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_record_that_breaks_off_says_so(tmp_path, cut):
    path = recorded(tmp_path / "trace", ends=False)
    path.write_bytes(path.read_bytes()[:-cut])
    record = TraceReader(path)
    assert len(list(record.messages())) == 5
    assert record.incomplete == "it breaks off in the middle of a record"


HEARD = {"who": "capture-0/0", "of": "", "now": 0.0, "heard": [["Tick"], []]}
TRACED = {"who": "capture-0/0", "at": 0.0, "stage": "age", "sizes": [1]}


def written(path, *heads, tail: bytes = b"") -> TraceReader:
    packed = [head if isinstance(head, bytes) else msgpack.packb(head) for head in heads]
    path.write_bytes(b"".join(MAGIC + struct.pack("<I", len(head)) + head for head in packed) + tail)
    return TraceReader(path)


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
        TRACED | {"sizes": 5},
        TRACED | {"sizes": [-1]},
        TRACED | {"sizes": [2**62]},
        TRACED | {"at": float("nan")},
        TRACED | {"at": 1e300},
    ],
)
def test_a_head_that_no_version_has_written_is_a_sentence(tmp_path, head):
    with pytest.raises(
        TraceError, match=r"trace is not a record of this version, or is damaged; make one with run_pip"
    ):
        list(written(tmp_path / "trace", head, tail=b"x").messages())


def test_a_record_that_says_it_is_larger_than_memory_breaks_off(tmp_path):
    for tail, head in ((b"x", TRACED | {"sizes": [PART_BYTES]}), (MAGIC + b"\xff\xff\xff\xff", {"who": "render/0"})):
        record = written(tmp_path / "trace", head, tail=tail)
        tracemalloc.start()
        assert list(record.messages()) == []
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
        tracemalloc.stop()
        assert record.incomplete == "it breaks off in the middle of a record"


def test_another_file_is_refused_and_an_empty_one_too(tmp_path):
    for text in ("", "Dear diary"):
        (tmp_path / "notes.txt").write_text(text)
        with pytest.raises(TraceError, match="is not a record of this version, or is damaged"):
            list(TraceReader(tmp_path / "notes.txt").messages())
    with pytest.raises(TraceError, match="cannot be read"):
        list(TraceReader(tmp_path / "nothing").messages())


def test_a_record_that_a_disk_has_no_room_for_ends_with_a_note_and_can_be_read_so_far(tmp_path):
    said: list[str] = []
    path = tmp_path / "run.fpt"
    trace = TraceRecorder(path, "render/0", said.append)
    trace.record_start("render", "clip", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        for _ in range(3):
            trace.record_start("render", "clip", "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    trace.close()
    [note] = said
    assert note.startswith(f"{path} is kept no further by render/0: ") and "the results are whole" in note
    record = TraceReader(path)
    assert [began.arguments for began in record.history("render")] == [[1]]
    assert record.incomplete == "render/0 did not come to its end"


def test_a_record_that_cannot_be_opened_is_a_mistake_at_first_and_later_a_note(tmp_path):
    with pytest.raises(TraceError, match="cannot be written: Is a directory; choose another file with --record"):
        TraceRecorder(tmp_path, "render/0")
    said: list[str] = []
    trace = TraceRecorder(tmp_path, "render/1", said.append, is_first=False)
    trace.record_start("render", "clip")
    trace.close()
    assert len(said) == 1
