"""Capture, render and the workers are told anything that is well formed: they go on, and keep within their bounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.attribute import are_crops_for
from stages.capture import Capture
from stages.config.schema import Attribute as AttributeStage
from stages.config.schema import Detect, Pipeline
from stages.config.settings import CardSettings, Settings, SourceSettings
from stages.delivery.grants import Assignment, Grants
from stages.detect import _answer, is_frame
from stages.frames import CropGeometry, Picture
from stages.people.events import Event, EventMachine
from stages.protocol import limits
from stages.protocol.messages import (
    FROM_RENDER,
    TO_CAPTURE,
    TO_RENDER,
    TO_WORKER,
    Ack,
    Attribute,
    Boxes,
    Crops,
    FaceCrops,
    Faces,
    Frame,
    FramePicture,
    Heartbeat,
    SourceHello,
    Welcome,
    WorkerHello,
    hash_of_boxes,
)
from stages.rendering.extra import Extra
from stages.rendering.outputs import SourceOutputs
from stages.rendering.screens import Screens
from stages.rendering.source import RenderedSource
from stages.results.jsonl import record
from stages.sinks.recovery import Restored
from stages.supervision.worker import Identity
from stages.view.postprocess import PostProcessor
from stages.vision.detectors import make_detector
from stages.vision.finding import most_faces
from tests.fuzz.strategies import TYPES, small, well_formed

SAME = {"run": st.just("r"), "source": st.just("s"), "epoch": st.just(7)}
KEY = "5ecret"
WINDOW = 4
# Of a worker that was given one of the first frames and may say anything about it.
any_grant = st.builds(
    lambda *assignment: granted(*assignment),
    st.sampled_from(["detect", "gender", "age", "x"]),
    small,
    st.integers(0, 3),
    st.sampled_from(["", "ab", "cd"]),
)


class Peers:
    """A socket on which everything goes well."""

    refused: Counter = Counter()

    def send(self, *message) -> bool:
        return True

    def share(self, ring: object) -> None:
        pass

    def reads_ring(self, *connection_and_whether: object) -> None:
        pass

    def open_ring(self, connection: str, address: list | None) -> bool:
        return False

    def is_beyond(self, connection: str) -> bool:
        return False


class Paper:
    """An output that writes lines as results.jsonl has them."""

    draws, paths, notes = True, (), ()

    def __init__(self):
        self.frames: list[int] = []
        self.closed = False
        self.restored, self.drop_log = Restored(), self

    def dropped(self, *loss) -> None:
        assert loss[0] <= loss[1]

    def given_up(self, *loss) -> None:
        assert len(loss) == 3

    def write(self, frame, drawn) -> None:
        assert drawn.shape[:2] == frame.picture.pixels.shape[:2]
        assert record(frame)
        self.frames.append(frame.frame)

    def check(self) -> None:
        """Nobody takes it away."""

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def cards():
    from stages.vision.inference.card import load_card

    folder = Path(__file__).resolve().parents[2] / "models"
    if not (folder / "age.yaml").exists():
        pytest.skip("needs models/age.yaml, which training leaves")
    return {stage: load_card(folder / f"{stage}.yaml") for stage in ("gender", "age")}


def whole(frame: int, boxes: list, pixels: np.ndarray, quality: float | None) -> list:
    """All that is said about one frame, with these boxes, and with landmarks where there is a quality."""
    known = ([1.0] * 10, [9.0, -9.0, 0.0], quality) if quality is not None else ([], [], None)
    marks = {name: [value] * len(boxes) for name, value in zip(("landmarks", "poses", "qualities"), known, strict=True)}
    near = {"run": "r", "source": "s", "epoch": 7, "frame": frame}
    spoken = {**near, "attempt": 1, "boxes_hash": hash_of_boxes(boxes), "replica": 0, "incarnation": 1, "spent": {}}
    shown = {"gender": [0.5, 0.5], "age": [30.0, 20.0, 40.0]}
    grants = {stage: granted(stage, frame, len(boxes), hash_of_boxes(boxes)) for stage in shown}
    return [
        FramePicture(file=None, time=0.0, rate=None, asked=list(shown), arrays=(pixels,), **near),
        Faces(boxes=boxes, scores=[0.5] * len(boxes), capped=0, grant=granted("detect", frame), **spoken, **marks),
        *(
            Attribute(stage=stage, answers=[row] * len(boxes), grant=grants[stage], **spoken)
            for stage, row in shown.items()
        ),
    ]


def granted(stage: str, frame: int, faces: int = 0, boxes: str = "", attempt: int = 1, key: str = KEY) -> str:
    return Grants(key, 7).sign(Assignment(1, frame, attempt, faces, boxes, stage))


wholes = st.builds(
    whole,
    st.integers(0, 5),
    TYPES[Boxes],
    st.builds(np.zeros, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)), st.just(np.uint8)),
    st.none() | st.floats(0, 1),
)


frames_near = {
    "grant": any_grant,
    "frame": small,
    "first": small,
    "last": small,
    "frames": small,
    "boxes_hash": st.sampled_from(["ab", "cd"]),
}


class Events:
    """The events of the frames, written nowhere."""

    def __init__(self):
        self._machine = EventMachine(1.0)

    def take(self, line, plays: bool) -> list[Event]:
        return self._machine.step(line) if plays else []

    def close(self, *_) -> None:
        pass


@given(st.lists(wholes, max_size=8), st.lists(well_formed(TO_RENDER, **SAME, **frames_near), max_size=20), st.randoms())
def test_render_writes_each_frame_once_and_in_order_whatever_it_is_told(cards, frames, others, random):
    said = [*(message for frame in frames for message in frame), *others]
    random.shuffle(said)
    paper = Paper()
    events = Extra("events", Events())
    outputs = SourceOutputs(
        paper, PostProcessor(Pipeline()), Screens().of("s", previews=False), events, Extra("streams", None)
    )
    source = RenderedSource("s", "r", 1, cards, outputs, Peers())
    source.start("c", SourceHello(run="r", source="s", epoch=7, live=False, key=KEY))
    for message in said:
        if isinstance(message, SourceHello):
            source.start("c", message)
        elif hasattr(message, "epoch"):
            source.hear(message)
        source.acknowledge()
    assert paper.frames == sorted(set(paper.frames)) and events.note is None
    source.close()
    source.report()


class Pictures:
    """A source and its reader in one: ten pictures, which are there at once."""

    name, description, chosen, frames, live, skipped, notes = "s", "ten pictures", None, 10, False, 0, ()
    cut_short = 0

    is_reading, taken = True, False

    def __init__(self):
        self._picture, self._next, self._forgotten = Picture(np.zeros((4, 4, 3), np.uint8), 0.0, None), 0, 0

    @property
    def ended(self) -> bool:
        return self._next >= 10

    @property
    def next_size(self) -> int:
        return 0 if self.ended else self._picture.pixels.nbytes

    def read_from(self, frame: int) -> None:
        self._next = frame

    def has_first(self) -> bool:
        return True

    def clear_wakes(self) -> None:
        pass

    def forget(self, acked_up_to: int) -> None:
        self._forgotten = acked_up_to

    def has_stood_still(self, for_s: float) -> bool:
        return False

    def take(self) -> Picture | None:
        if self.ended:
            return None
        assert self._next - self._forgotten < WINDOW
        self._next += 1
        self.taken = True
        return self._picture


class Over(Exception):
    """Everything is said."""


class Inbox(Peers):
    """A socket on which a message is there for the next who looks."""

    def __init__(self):
        self.messages: list = []

    def receive(self) -> list:
        came, self.messages = self.messages, []
        return came

    def malformed(self) -> list:
        return []


class Script:
    """A transport that brings one message a turn, (connection, message) or, of render, (None, message)."""

    def __init__(self, said: list):
        self._said, self._workers, self._render = iter(said), Inbox(), Inbox()

    def bind(self, *_) -> Inbox:
        return self._workers

    def connect(self, *_) -> Inbox:
        return self._render

    def wait(self, timeout_s: float) -> None:
        connection, message = next(self._said, (None, None))
        if message is None:
            raise Over
        if connection is None:
            self._render.messages.append(message)
        else:
            self._workers.messages.append((connection, message))


class Quiet:
    stop_requested = leave_requested = False

    def gone(self) -> list:
        return []

    def __getattr__(self, name):
        return lambda *said, **known: None


def cut(frame: int, faces: int) -> FaceCrops:
    """The crops of a frame as detect sends them."""
    arrays = (np.zeros((faces, 8, 8, 1), np.uint8),) if faces else ()
    known = {"run": "r", "source": "s", "epoch": 7, "frame": frame, "attempt": 1, "boxes_hash": "ab", "spent": {}}
    return FaceCrops(faces=faces, arrays=arrays, grant=granted("detect", frame), **known)


crops = st.builds(cut, st.integers(0, 10), st.integers(0, 3))
of_workers = well_formed(TO_CAPTURE, **SAME, frame=small, card=st.sampled_from(["ab", "x"]))
to_capture = crops | of_workers | well_formed(FROM_RENDER, **SAME, acked_up_to=small)
SETTINGS = Settings(
    stage="capture",
    replica=0,
    pipeline=Pipeline(stages={"detect": Detect(), "age": AttributeStage(model="age.yaml")}, window=WINDOW),
    render="ipc:///r",
    captures=("ipc:///c",),
    sources=(SourceSettings("s", None, False),),
    models={},
    cards={"age": CardSettings("ab", 8, 8, 1, 1.0, "age", "age", ("years", "low", "high"), ())},
    output="/out",
    binds=("ipc:///c",),
    incarnation=7,
    detector_hash="D",
)


@given(st.lists(st.tuples(st.sampled_from(["0-aa", "0-bb", "0-cc"]), to_capture), max_size=40))
def test_capture_reads_no_more_than_its_window_whatever_it_is_told(said):
    known = {"run": "r", "replica": 0, "incarnation": 1}
    script: list = [(None, Welcome(run="r", epoch=7, source="s"))]
    for connection, stage, card in (("0-aa", "detect", "D"), ("0-bb", "age", "ab")):
        script.append((connection, WorkerHello(stage=stage, host="here", card=card, epoch=7, **known)))
        script.append((connection, Heartbeat(stage=stage, credit=2, **known)))
    first = Ack(run="r", source="s", epoch=7, incarnation=0, number=1, acked_up_to=0, missing_parts=[], clean=False)
    script += [(None, first), *((None if isinstance(message, Ack) else who, message) for who, message in said)]
    pictures = Pictures()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Over):
        patch.setattr("secrets.token_hex", lambda size: KEY)
        Capture(SETTINGS, Quiet(), pictures, pictures, Script(script)).run()
    assert pictures.taken


@pytest.fixture(scope="module")
def detector():
    return make_detector(SETTINGS.detector)


@given(well_formed(TO_WORKER, **SAME))
def test_detect_answers_any_picture_and_passes_over_what_is_no_work_for_it(detector, message):
    if isinstance(message, (Frame, Crops)) and is_frame(message):
        answer = _answer(Identity("detect", "h", 0, 1, "ab"), detector, message)
        assert len(answer.to_capture.arrays) in (0, len(message.geometries))


def test_crops_that_the_model_cannot_take_are_told_from_those_that_it_can():
    geometry = CropGeometry(8, 6, 1, 1.0)

    def crops(*shape: int) -> Crops:
        pixels = np.zeros(shape, np.uint8)
        known = {
            "run": "r",
            "epoch": 1,
            "source": "s",
            "frame": 0,
            "seq": 1,
            "attempt": 1,
            "boxes_hash": "ab",
            "spent": {},
        }
        return Crops(**known, arrays=(pixels,))

    assert are_crops_for(geometry, crops(2, 6, 8, 1))
    assert not any(are_crops_for(geometry, crops(*shape)) for shape in ((0, 6, 8, 1), (1, 8, 6, 1), (1, 6, 8, 3)))


def test_very_large_crops_are_cut_for_fewer_faces():
    side = limits.CROP_SIDE
    assert most_faces([]) == most_faces([CropGeometry(64, 64, 1, 1.0)]) == limits.FACES
    assert most_faces([CropGeometry(side, side, 3, 1.0)] * 64) == limits.CROP_BYTES // (side * side * 3 * 64)
