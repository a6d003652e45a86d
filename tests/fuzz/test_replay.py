"""Records in which anything may stand: the command says what came of it, or in a sentence what is wrong."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import msgpack
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stages import replay
from stages.delivery import events
from stages.delivery.dispatcher import Dispatcher
from stages.delivery.joiner import Joiner
from stages.delivery.rules import Rules
from stages.errors import FacepipeError
from stages.protocol.messages import Crops
from stages.supervision.worker import Answer
from stages.trace.recorder import MAGIC, TraceReader, TraceRecorder
from tests.delivery import said
from tests.fuzz.strategies import trees
from tests.fuzz.test_report import places, put
from tests.trace.test_recorder import attribute, crops

RULES = Rules(attributes=("age",), cards={"detect": "D", "age": "A"}, hang_s={"age": 5.0})
TO_DISPATCHER = [
    events.Read(100),
    said.hello("d", "detect", ended=((0, "hang"),), session_id=1),
    said.heartbeat("d"),
    events.FromWorker("d", said.crops(0)),
    said.hello("a", "age"),
    said.heartbeat("a"),
    events.Read(100),
    said.failed("a", 0),
    said.acked(1, 0, {0: ["age", "picture"]}, preview=1, heard=1),
    events.WorkerExited("age", ("desk", 0), 1, "hang"),
    events.WorkerDisconnected("a"),
    events.ReadAll(),
    events.Tick(),
    said.acked(2, 2, clean=True, heard=2),
]
TO_JOINER = [
    said.source(1),
    said.picture(0),
    said.found(0),
    said.answer(0),
    said.dropped(1, 2, "detect", "late"),
    said.given_up(3, "detect", "why"),
    said.picture(3),
    said.end(4),
]


def good(path: Path) -> bytes:
    """A record of everything that can be in one."""
    capture, render = TraceRecorder(path, "capture-0/0"), TraceRecorder(path, "render/0")
    core = Dispatcher(RULES)
    capture.record_start("capture", "", RULES, 0)
    for number, event in enumerate(TO_DISPATCHER):
        capture.record_step("", event, core.step(event, number / 10), number / 10)
    core = Joiner(("age",))
    render.record_start("render", "clip.mp4", ("age",), 0)
    for event in TO_JOINER:
        render.record_step("clip.mp4", event, core.step(event), None)
    for number in range(2):
        capture.record_message("age", crops(number))
        render.record_message("age", attribute(number))
    capture.close()
    render.close()
    return path.read_bytes()


with tempfile.TemporaryDirectory() as made_in:
    GOOD = good(Path(made_in) / "trace")


def records(trace: bytes) -> Iterator[tuple[dict, bytes]]:
    """Every head of a good record, and the bytes of the parts after it."""
    while trace:
        [size] = struct.unpack("<I", trace[4:8])
        head = msgpack.unpackb(trace[8 : 8 + size])
        end = 8 + size + sum(head.get("sizes", []))
        yield head, trace[8 + size : end]
        trace = trace[end:]


RECORDS = list(records(GOOD))
near = st.sampled_from([0, 1, -1, 2**62, 0.5, "", "age", "d", "Tick", "Rules", [], ["list"], ["dict", [1]], {}, None])


def played(trace: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_bytes(trace)
        for whose in ("capture", "render"):
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                status = replay.main([str(path), "--only", whose])
            assert status in (0, 1, 2)
            assert (err.getvalue().count("\n"), bool(out.getvalue())) == ((1, False) if status == 2 else (0, True))
            assert ": ." not in err.getvalue()
        try:
            replay.told(replay.replay(TraceReader(path), "age", as_then, lambda task: isinstance(task, Crops), False))
        except FacepipeError as error:
            assert str(error).endswith(".")


def as_then(tasks: list[Crops]) -> list[Answer]:
    return [Answer(to_render=attribute(task.frame)) for task in tasks]


def test_a_good_record_is_played_as_it_was(tmp_path, capsys):
    (tmp_path / "trace").write_bytes(GOOD)
    for whose, steps in (("capture", len(TO_DISPATCHER)), ("render", len(TO_JOINER))):
        assert replay.main([str(tmp_path / "trace"), "--only", whose]) == 0
        assert capsys.readouterr().out == f"{steps} steps; 0 are decided otherwise.\n"


@given(st.data())
def test_whatever_stands_in_a_head_it_is_played_or_refused(data):
    number = data.draw(st.integers(0, len(RECORDS) - 1))
    changed = list(RECORDS)
    head, parts = changed[number]
    changed[number] = (put(head, data.draw(st.sampled_from(places(head))), data.draw(near | trees)), parts)
    packed = [(msgpack.packb(head), parts) for head, parts in changed]
    played(b"".join(MAGIC + struct.pack("<I", len(head)) + head + parts for head, parts in packed))


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=12), st.integers(0, 12))
def test_whatever_bytes_there_are_they_are_played_or_refused(at, others, length):
    played(GOOD[:at] + others + GOOD[at + length :])


@given(st.binary(max_size=60))
def test_bytes_that_were_never_a_record_are_refused(content):
    played(content)
    played(MAGIC + struct.pack("<I", len(content)) + content)


def test_crops_for_another_model_are_a_sentence(tmp_path, capsys):
    trace = TraceRecorder(tmp_path / "trace", "capture-0/0")
    trace.record_message("age", replace(crops(7), arrays=(np.zeros((1, 9, 9, 1), np.uint8),)))
    trace.close()
    assert replay.main([str(tmp_path / "trace"), "--only", "age"]) == 2
    assert "frame 7 of clip.mp4 was cut for another model than age has" in capsys.readouterr().err
