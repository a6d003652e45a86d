"""A record is whole, or says that it is not."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.messages import Attribute, Crops
from stages.runtime.tape import Record, Tape, TapeError

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


def test_another_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("Dear diary")
    with pytest.raises(TapeError, match="is not a record, or is damaged"):
        list(Record(tmp_path / "notes.txt").messages())
    with pytest.raises(TapeError, match="cannot be read"):
        list(Record(tmp_path / "nothing").messages())
