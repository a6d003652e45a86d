"""Records in which anything may stand: the command says what came of it, or in a sentence what is wrong."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import msgpack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import replay
from stages.core import flow, join
from stages.core.errors import FacepipeError
from stages.core.flow import Flow, Rules
from stages.core.join import Join
from stages.core.messages import Crops
from stages.runtime.tape import MAGIC, Record, Tape
from stages.runtime.worker import Answer
from tests.fuzz import trees
from tests.report.test_fuzz_report import places, put
from tests.runtime.test_tape import attribute, crops

RULES = Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, hang_s={"age": 5.0})
TO_FLOW = [
    flow.Read(100),
    flow.WorkerCame("d", "detect", ("desk", 0), 1, "D", 1, ((0, "hang"),)),
    flow.WorkerBeat("d", 2, 0),
    flow.CropsCame("d", 0, 1, "ab", 1, 10),
    flow.WorkerCame("a", "age", ("desk", 0), 1, "A"),
    flow.WorkerBeat("a", 2, 0),
    flow.Read(100),
    flow.WorkerFailed("a", 0, "no"),
    flow.Acked(1, 1, 0, {0: frozenset({"age", "picture"})}, False, 1, 1),
    flow.WorkerEnded("age", ("desk", 0), 1, "hang"),
    flow.WorkerGone("a"),
    flow.ReadAll(),
    flow.Tick(),
    flow.Acked(1, 2, 2, {}, True, None, 2),
]
TO_JOIN = [
    join.SourceStarted(1),
    join.PictureCame(0, "pixels"),
    join.FacesCame(0, 1, "ab", 1, "faces"),
    join.AttributeCame(0, 1, "ab", "age", "answers"),
    join.Dropped(1, 2, "detect", "late"),
    join.GivenUp(3, "detect", "why"),
    join.PictureCame(3, "pixels"),
    join.SourceEnded(4),
]


def good(path: Path) -> bytes:
    """A record of everything that can be in one."""
    capture, render = Tape(path, "capture-0/0"), Tape(path, "render/0")
    core = Flow(RULES)
    capture.began("capture", "", RULES, 0)
    for number, event in enumerate(TO_FLOW):
        capture.heard("", event, core.step(event, number / 10), number / 10)
    core = Join(("age",))
    render.began("render", "clip.mp4", ("age",), 0)
    for event in TO_JOIN:
        render.heard("clip.mp4", event, core.step(event), None)
    for number in range(2):
        capture.keep("age", crops(number))
        render.keep("age", attribute(number))
    capture.close()
    render.close()
    return path.read_bytes()


with tempfile.TemporaryDirectory() as made_in:
    GOOD = good(Path(made_in) / "tape")


def records(tape: bytes) -> Iterator[tuple[dict, bytes]]:
    """Every head of a good record, and the bytes of the parts after it."""
    while tape:
        [size] = struct.unpack("<I", tape[4:8])
        head = msgpack.unpackb(tape[8 : 8 + size])
        end = 8 + size + sum(head.get("sizes", []))
        yield head, tape[8 + size : end]
        tape = tape[end:]


RECORDS = list(records(GOOD))
near = st.sampled_from([0, 1, -1, 2**62, 0.5, "", "age", "d", "Tick", "Rules", [], ["list"], ["dict", [1]], {}, None])


def played(tape: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape"
        path.write_bytes(tape)
        for whose in ("capture", "render"):
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                status = replay.main([str(path), "--only", whose])
            assert status in (0, 1, 2)
            assert (err.getvalue().count("\n"), bool(out.getvalue())) == ((1, False) if status == 2 else (0, True))
            assert ": ." not in err.getvalue()
        try:
            replay.told(replay.replay(Record(path), "age", as_then, lambda piece: isinstance(piece, Crops), False))
        except FacepipeError as error:
            assert str(error).endswith(".")


def as_then(pieces: list[Crops]) -> list[Answer]:
    return [Answer(to_render=attribute(piece.frame)) for piece in pieces]


def test_a_good_record_is_played_as_it_was(tmp_path, capsys):
    (tmp_path / "tape").write_bytes(GOOD)
    for whose, steps in (("capture", len(TO_FLOW)), ("render", len(TO_JOIN))):
        assert replay.main([str(tmp_path / "tape"), "--only", whose]) == 0
        assert capsys.readouterr().out == f"{steps} steps; 0 are decided otherwise.\n"


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_head_it_is_played_or_refused(data):
    number = data.draw(st.integers(0, len(RECORDS) - 1))
    changed = list(RECORDS)
    head, parts = changed[number]
    changed[number] = (put(head, data.draw(st.sampled_from(places(head))), data.draw(near | trees)), parts)
    packed = [(msgpack.packb(head), parts) for head, parts in changed]
    played(b"".join(MAGIC + struct.pack("<I", len(head)) + head + parts for head, parts in packed))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=12), st.integers(0, 12))
def test_whatever_bytes_there_are_they_are_played_or_refused(at, others, length):
    played(GOOD[:at] + others + GOOD[at + length :])


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_were_never_a_record_are_refused(content):
    played(content)
    played(MAGIC + struct.pack("<I", len(content)) + content)


def test_crops_for_another_model_are_a_sentence(tmp_path, capsys):
    tape = Tape(tmp_path / "tape", "capture-0/0")
    tape.keep("age", replace(crops(7), arrays=(np.zeros((1, 9, 9, 1), np.uint8),)))
    tape.close()
    assert replay.main([str(tmp_path / "tape"), "--only", "age"]) == 2
    assert "frame 7 of clip.mp4 was cut for another model than age has" in capsys.readouterr().err
