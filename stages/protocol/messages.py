"""Every message of the pipeline: what it carries, how it is packed, and how it is checked on arrival.

A message is a multipart: part 0 is a msgpack map, the header; the parts after it are raw buffers of pixels, which are
sent and received without a copy. `pack` and `unpack` are the only two functions that know this. Nothing is allocated
for a message before its header has been checked, and no buffer is touched that its header does not describe exactly.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Annotated, ClassVar

import msgpack
import numpy as np

from ..errors import FacepipeError
from . import limits

VERSION = 1

_DIGEST = re.compile("[0-9A-Za-z]{0,64}")

ENCODINGS = ("jpeg", "png")  # besides raw, between machines
SHARED = "shared"  # within a machine: the buffer says where the pixels lie, see stages/transport/ring.py


class Refused(FacepipeError):
    """A message that is not what the protocol allows; the receiver counts it and goes on."""

    header: dict | None = None  # what it said, where that could be read


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture on its way, in place of its array; `images` and `ring` in stages/transport make and open it."""

    encoding: str  # one of ENCODINGS, or SHARED
    shape: tuple[int, int, int]  # of the array: height, width, 3
    buffer: bytes | memoryview


# --- The types of header values: each is a Python type with the check that it gets on arrival. ---


def _whole(low: int, high: int = limits.COUNT) -> Callable:
    return lambda value: type(value) is int and low <= value <= high


def _text(longest: int, shortest: int = 0) -> Callable:
    return lambda value: type(value) is str and shortest <= len(value) <= longest


def _number(low: float = -math.inf, high: float = math.inf) -> Callable:
    return lambda value: type(value) in (float, int) and math.isfinite(value) and low <= value <= high


def _list_of(check: Callable, longest: int, length: int | None = None) -> Callable:
    if length is None:
        return lambda value: type(value) is list and len(value) <= longest and all(map(check, value))
    return lambda value: type(value) is list and len(value) == length and all(map(check, value))


def _or_none(check: Callable) -> Callable:
    return lambda value: value is None or check(value)


def _none_or(count: int) -> Callable:
    """A list of so many numbers, or of none."""
    return lambda value: type(value) is list and len(value) in (0, count) and all(map(_number(), value))


def _geometry(value: object) -> bool:
    """width, height, channels, scale of a crop and the attribute stages that want it."""
    if type(value) is not list or len(value) != 5:
        return False
    size, (channels, scale, stages) = value[:2], value[2:]
    if not (all(map(_whole(1, limits.CROP_SIDE), size)) and type(channels) is int and channels in (1, 3)):
        return False
    return _number(0.01)(scale) and _names(stages)


def _refusal(value: object) -> bool:
    """Frame, stage and worker of an answer that was not taken, and why."""
    if type(value) is not list or len(value) != 4:
        return False
    frame, stage, worker, reason = value
    return _whole(0)(frame) and _name(stage) and _whole(0)(worker) and _text(limits.TEXT_CHARACTERS)(reason)


def _is_ring(process: object, descriptor: object, token: object) -> bool:
    """Where the memory lies that a process shares: its ID, a descriptor, and 16 bytes to know it by."""
    return (
        _whole(1)(process)
        and _whole(0)(descriptor)
        and type(token) is str
        and re.fullmatch("[0-9a-f]{32}", token) is not None
    )


_name = _text(limits.NAME_CHARACTERS, shortest=1)
_names = _list_of(_name, 64)


def _pair(first: Callable, second: Callable) -> Callable:
    return lambda value: type(value) is list and len(value) == 2 and first(value[0]) and second(value[1])


Name = Annotated[str, _name]
MaybeName = Annotated[str | None, _or_none(_name)]
Names = Annotated[list, _names]
Text = Annotated[str, _text(limits.TEXT_CHARACTERS)]
Digest = Annotated[str, lambda value: type(value) is str and _DIGEST.fullmatch(value) is not None]
Grant = Annotated[str, _text(limits.NAME_CHARACTERS)]  # see `grants`
Count = Annotated[int, _whole(0)]
FaceCount = Annotated[int, _whole(0, limits.FACES)]
Attempt = Annotated[int, _whole(1)]
MaybeCount = Annotated[int | None, _or_none(_whole(0))]
Flag = Annotated[bool, lambda value: type(value) is bool]
Seconds = Annotated[float, _number()]
MaybeSeconds = Annotated[float | None, _or_none(_number(0))]
MaybeRate = Annotated[float | None, _or_none(_number(0))]
MaybeClock = Annotated[float | None, _or_none(_number(0, limits.CLOCK_S))]
Spent = Annotated[
    dict, lambda v: type(v) is dict and len(v) <= 64 and all(map(_name, v)) and all(map(_number(0), v.values()))
]
Boxes = Annotated[list, _list_of(_list_of(_number(), 4, length=4), limits.FACES)]
Scores = Annotated[list, _list_of(_number(), limits.FACES)]
Landmarks = Annotated[list, _list_of(_none_or(10), limits.FACES)]
Poses = Annotated[list, _list_of(_none_or(3), limits.FACES)]
Qualities = Annotated[list, _list_of(_or_none(_number(0, 1)), limits.FACES)]
Answers = Annotated[list, _list_of(_list_of(_number(), 1024), limits.FACES)]
Geometries = Annotated[list, _list_of(_geometry, 64)]
MissingParts = Annotated[list, _list_of(_pair(_whole(0), _names), 100_000)]
Refusals = Annotated[list, _list_of(_refusal, limits.REFUSALS)]
Ends = Annotated[list, _list_of(_pair(_whole(0), lambda value: value in ("exit", "hang", "killed")), limits.ENDS)]
Ring = Annotated[list | None, _or_none(lambda value: type(value) is list and len(value) == 3 and _is_ring(*value))]
Works = Annotated[list, _list_of(_pair(_whole(0), _number(0)), 100_000)]


# --- The messages. `arrays` are uint8 pixels, one per buffer behind the header. ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What all messages have; a message of another run is ignored and counted.

    They compare by their headers: two arrays do not compare to one bool.
    """

    kind: ClassVar[str]
    buffers: ClassVar[tuple[int, int]] = (0, 0)  # fewest and most buffers, and the dimensions of each:
    dimensions: ClassVar[int] = 0
    may_be_encoded: ClassVar[bool] = False

    run: Annotated[str, _text(limits.NAME_CHARACTERS)]  # "" from a worker that has not been welcomed yet
    arrays: tuple[np.ndarray | Encoded, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHello(Message):
    """A worker says who it is, in answer to a welcome."""

    kind: ClassVar[str] = "hello"
    stage: Name
    host: Name
    replica: Count
    incarnation: Count
    card: Digest  # hash of the model card, for detect of its settings and model file
    epoch: Count = 0  # of the welcome that this answers, and its session: what was said to an older one is void
    session_id: Count = 0
    ended: Ends = field(default_factory=list)  # [incarnation, cause] of its former lives, as its launcher saw them end
    reads_ring: Flag = False  # it can read the ring of the welcome

    @property
    def worker(self) -> tuple[str, int]:
        """Host and replica: who it is within its stage, in each of its lives."""
        return self.host, self.replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Message):
    """A worker's statement: how many tasks it can hold in all, and the highest that it has finished."""

    kind: ClassVar[str] = "heartbeat"
    stage: Name
    replica: Count
    incarnation: Count
    credit: Count = 0
    finished: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated(Message):
    """A worker has finished all that it held and waits for the one task that it is isolated for."""

    kind: ClassVar[str] = "isolated"
    epoch: Count
    source: Name
    incarnation: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Message):
    """A worker could not answer one task."""

    kind: ClassVar[str] = "failed"
    epoch: Count
    source: Name
    frame: Count
    stage: Name
    incarnation: Count
    seq: Count
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceCrops(Message):
    """Detect gives capture the crops of a frame: one array (faces, height, width, channels) per geometry asked for."""

    kind: ClassVar[str] = "crops"
    buffers: ClassVar = (0, limits.PARTS)
    dimensions: ClassVar = 4
    epoch: Count
    source: Name
    frame: Count
    attempt: Attempt
    boxes_hash: Digest  # hash of boxes and rolls: only what was cut along equal ones is joined
    faces: FaceCount
    spent: Spent
    grant: Grant = ""

    @property
    def size(self) -> int:
        """Bytes of the crops."""
        return sum(array.nbytes for array in self.arrays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(Message):
    """Capture or render to a connection that it has not heard before."""

    kind: ClassVar[str] = "welcome"
    epoch: Count = 0  # of a capture; 0 from render
    source: MaybeName = None  # of a capture
    session_id: Count = 0  # names this connection at this capture: with a new one the worker's session starts anew
    credit: Count = limits.CREDIT  # the most tasks that this capture gives to one worker
    ring: Ring = None  # of a capture: where its pictures lie for processes of its machine
    incarnation: Count = 0  # of render


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRefused(Message):
    """Capture does not take this worker: it has another card than the run's."""

    kind: ClassVar[str] = "refused"
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame(Message):
    """A task for detect: one picture, and what the attribute stages want cut out of it."""

    kind: ClassVar[str] = "frame"
    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count
    seq: Count
    attempt: Attempt
    skip: Names
    geometries: Geometries
    grant: Grant = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops(Message):
    """A task for an attribute stage: the crops of one frame, one array (faces, height, width, channels)."""

    kind: ClassVar[str] = "crops"
    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 4
    epoch: Count
    source: Name
    frame: Count
    seq: Count
    attempt: Attempt
    boxes_hash: Digest
    spent: Spent
    grant: Grant = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolate(Message):
    """Capture asks a worker to finish what it holds and to take one quarantined task in isolation."""

    kind: ClassVar[str] = "isolate"
    epoch: Count
    source: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish(Message):
    """Capture needs nothing more: its workers forget this source and epoch, and render knows that it has heard all."""

    kind: ClassVar[str] = "finish"
    epoch: Count
    source: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHello(Message):
    """Capture tells render which source it reads, in which incarnation, and how late frames were lately."""

    kind: ClassVar[str] = "hello"
    source: Name
    epoch: Count
    live: Flag
    is_complete: Flag = True  # every stage has a worker: before, an earlier run's results are left alone
    key: Digest = ""  # that grants of this epoch are signed with; no worker is told
    latency: MaybeSeconds = None  # in the middle, of what was acknowledged since the last hello; None: nothing
    ring: Ring = None  # where its pictures lie for processes of its machine


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePicture(Message):
    """The picture of a frame, for render."""

    kind: ClassVar[str] = "picture"
    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count
    file: Annotated[str | None, _or_none(_text(4096, shortest=1))]
    time: Seconds
    rate: MaybeRate
    asked: Names  # the attribute stages that are asked about it
    clock: MaybeClock = None  # of a live source: when it came, in seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Message):
    """The newest picture of a live source, shown at once with the newest labels; it may be lost."""

    kind: ClassVar[str] = "preview"
    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Message):
    """Capture dropped the frames first to last, both included."""

    kind: ClassVar[str] = "drop"
    epoch: Count
    source: Name
    first: Count
    last: Count
    stage: Name
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Message):
    """Capture no longer waits for what one stage has to say about one frame."""

    kind: ClassVar[str] = "given_up"
    epoch: Count
    source: Name
    frame: Count
    stage: Name
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Message):
    """The source has ended after so many frames."""

    kind: ClassVar[str] = "end"
    epoch: Count
    source: Name
    frames: Count
    is_stopped: Flag = False  # it was not read to its end: a person has ended the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces(Message):
    """Detect gives render the boxes of a frame: x, y, width, height in pixels of the frame, and a score for each.

    Where the detector gives landmarks, also what follows from them; a face without has an empty list or None there.
    """

    kind: ClassVar[str] = "faces"
    epoch: Count
    source: Name
    frame: Count
    attempt: Attempt
    replica: Count
    incarnation: Count
    boxes_hash: Digest
    boxes: Boxes
    scores: Scores
    capped: Count  # faces beyond the limit, left out
    spent: Spent
    grant: Grant = ""
    landmarks: Landmarks = field(default_factory=list)  # of each face x, y of five points; no list at all: of none
    poses: Poses = field(default_factory=list)  # of each face yaw, pitch, roll in degrees
    qualities: Qualities = field(default_factory=list)  # of each face in [0, 1]

    @property
    def cut(self) -> tuple[str, int]:
        """What answers are joined by: the hash of the boxes and their number, so that there is an answer for each."""
        return self.boxes_hash, len(self.boxes)

    @property
    def expected_hash(self) -> str:
        """The hash of what the crops were cut along."""
        return hash_of_boxes(self.boxes, [pose[2] if pose else 0.0 for pose in self.poses])


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Message):
    """An attribute stage gives render one row of numbers per face; what they mean stands in its card."""

    kind: ClassVar[str] = "attribute"
    epoch: Count
    source: Name
    frame: Count
    attempt: Attempt
    stage: Name
    replica: Count
    incarnation: Count
    boxes_hash: Digest
    answers: Answers
    spent: Spent
    grant: Grant = ""

    @property
    def cut(self) -> tuple[str, int]:
        """The hash of the boxes that the crops were cut along, and the number of answers: see `Faces.cut`."""
        return self.boxes_hash, len(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(Message):
    """Render tells capture what is in the outputs and what it is missing; the highest number of an incarnation
    counts."""

    kind: ClassVar[str] = "ack"
    source: Name
    epoch: Count
    incarnation: Count
    number: Count
    acked_up_to: Count  # every frame below it is in the outputs
    # [frame, [what it wants]] of every frame at or above `acked_up_to` that render has heard of
    missing_parts: MissingParts
    clean: Flag  # the source has ended and its outputs are closed
    heard: Count = 0  # one more than the highest frame heard of, in any epoch
    time: MaybeSeconds = None  # of the last frame in the outputs, which those of a live source count on from
    preview: MaybeCount = None  # one more than the newest preview's frame, 0 before the first; None: none are wanted
    refused: Refusals = field(default_factory=list)  # [frame, stage, worker, reason] of answers that were not taken
    worked: Works = field(default_factory=list)  # [frame, seconds of work on its longest path], for the account
    reads_ring: Flag = False  # render can read the ring of the source's hello


TO_CAPTURE = (WorkerHello, Heartbeat, FaceCrops, Isolated, Failed)
TO_WORKER = (Welcome, WorkerRefused, Frame, Crops, Isolate, Finish)
TO_RENDER = (SourceHello, FramePicture, Preview, Drop, GivenUp, End, Finish, Faces, Attribute, Heartbeat)
FROM_RENDER = (Welcome, Ack, WorkerRefused)
ALL = (*TO_CAPTURE, *TO_WORKER, *TO_RENDER, Ack)


def kinds(*classes: type[Message]) -> dict[str, type[Message]]:
    """The table that one receiver unpacks with: the kinds that it listens to."""
    return {message.kind: message for message in classes}


def pack(message: Message) -> list:
    """The parts to send: the header's bytes, then the buffers themselves, not copied (C-contiguous uint8)."""
    header = {name: getattr(message, name) for name in _FIELDS[type(message)]}
    header["v"] = VERSION
    header["kind"] = message.kind
    if message.arrays:
        header["parts"] = [_description(array) for array in message.arrays]
    return [msgpack.packb(header), *(a.buffer if type(a) is Encoded else a for a in message.arrays)]


def unpack(parts: Sequence, listens_to: dict[str, type[Message]]) -> Message:
    """Check a multipart and make it a message; raises `Refused` with the reason.

    `parts` are bytes-like. The arrays of the message are views of the buffers, read-only where these are, or `Encoded`:
    nothing is decoded here.
    """
    if not parts:
        raise Refused("a message without a header")
    header = _header(parts[0])
    try:
        return _message(dict(header), parts, listens_to)
    except Refused as refusal:
        refusal.header = header
        raise


def _message(header: dict, parts: Sequence, listens_to: dict[str, type[Message]]) -> Message:
    if header.pop("v", None) != VERSION:
        raise Refused(f"a message of another protocol than version {VERSION}")
    kind = header.pop("kind", None)
    message = listens_to.get(kind) if type(kind) is str else None
    if message is None:
        raise Refused(f"a message of kind {_short(kind)}, which is not spoken here")
    arrays = _arrays(message, header.pop("parts", []), parts[1:])
    _check_values(message, header)
    return message(arrays=arrays, **header)


def _description(array: np.ndarray | Encoded) -> dict:
    encoding = array.encoding if type(array) is Encoded else "raw"
    return {"encoding": encoding, "shape": list(array.shape), "dtype": "uint8"}


def hash_of_boxes(boxes: Iterable[Sequence[float]], rolls: Sequence[float] = ()) -> str:
    """A name for these very boxes, each turned by its roll, bit for bit: 16 hexadecimal digits. No rolls: none is."""
    turned = zip(boxes, rolls, strict=True) if rolls else ((box, 0.0) for box in boxes)
    values = [float(value) for box, roll in turned for value in (*box, roll)]
    return hashlib.blake2b(struct.pack(f"<{len(values)}d", *values), digest_size=8).hexdigest()


def _header(part) -> dict:
    part = memoryview(part)
    if part.nbytes > limits.HEADER_BYTES:
        raise Refused(f"a header of {part.nbytes} bytes; at most {limits.HEADER_BYTES} are taken")
    try:
        header = msgpack.unpackb(part, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise Refused(f"a header that is not msgpack ({type(error).__name__})") from error
    if type(header) is not dict or not all(type(key) is str for key in header):
        raise Refused("a header that is not a map of names")
    return header


def _check_values(message: type[Message], header: dict) -> None:
    checks = _CHECKS[message]
    for name, value in header.items():
        check = checks.get(name)
        if check is None:
            raise Refused(f"a {message.kind} with the unknown key {_short(name)}")
        if not check(value):
            raise Refused(f"a {message.kind} whose {name} is {_short(value)}")
    if not header.keys() >= _REQUIRED[message]:
        raise Refused(f"a {message.kind} without {', '.join(sorted(_REQUIRED[message] - header.keys()))}")


def _arrays(message: type[Message], described: object, buffers: Sequence) -> tuple[np.ndarray | Encoded, ...]:
    fewest, most = message.buffers
    if type(described) is not list or len(described) != len(buffers) or not fewest <= len(buffers) <= most:
        raise Refused(f"a {message.kind} with {len(buffers)} buffers that its header does not describe")
    return tuple(_array(message, part, memoryview(buffer)) for part, buffer in zip(described, buffers, strict=True))


def _array(message: type[Message], part: object, buffer: memoryview) -> np.ndarray | Encoded:
    if type(part) is not dict or part.keys() != {"encoding", "shape", "dtype"}:
        raise Refused(f"a {message.kind} with a buffer that is not described")
    encoding = part["encoding"]
    known = encoding == "raw" or (message.may_be_encoded and encoding in (*ENCODINGS, SHARED))
    if not known or part["dtype"] != "uint8":
        raise Refused(f"a {message.kind} with pixels as {_short(encoding)} {_short(part['dtype'])}, not raw uint8")
    shape = part["shape"]
    if type(shape) is not list or len(shape) != message.dimensions or not all(map(_whole(0, limits.PART_BYTES), shape)):
        raise Refused(f"a {message.kind} with a buffer of shape {_short(shape)}")
    if not 0 < math.prod(shape[-3:-1]) <= limits.PICTURE_PIXELS:
        raise Refused(f"a {message.kind} with pictures of shape {_short(shape)}")
    if shape[-1] not in ((3,) if message.dimensions == 3 else (1, 3)):
        raise Refused(f"a {message.kind} with pictures of {shape[-1]} channels")
    if encoding != "raw":
        return Encoded(encoding, tuple(shape), buffer)
    if math.prod(shape) != buffer.nbytes:
        raise Refused(f"a {message.kind} with {buffer.nbytes} bytes for the shape {_short(shape)}")
    return np.frombuffer(buffer, np.uint8).reshape(shape)


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."


def _header_fields(message: type[Message]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(message) if f.name != "arrays")


def _checks(message: type[Message]) -> dict[str, Callable]:
    return {f.name: _check(f.type) for f in fields(message) if f.name != "arrays"}


@cache  # A dozen types for a hundred keys: typing.get_type_hints takes 10 ms for them, in every process.
def _check(annotation: str) -> Callable:
    return eval(annotation, globals()).__metadata__[0]


def _required(message: type[Message]) -> frozenset[str]:
    optional = {f.name for f in fields(message) if f.default is not MISSING or f.default_factory is not MISSING}
    return frozenset(_header_fields(message)) - optional


_FIELDS = {message: _header_fields(message) for message in ALL}
_CHECKS = {message: _checks(message) for message in ALL}
_REQUIRED = {message: _required(message) for message in ALL}
