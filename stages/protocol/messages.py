"""Every message of the pipeline: what it carries, how it is packed, and how it is checked on arrival.

A message is a multipart: part 0 is the header in msgpack, [version, map]; the parts after it are raw buffers of pixels,
which are sent and received without a copy. `pack` and `unpack` are the only two functions that know this. The types of
the fields are the checks on arrival: msgspec makes them while it decodes, so that nothing is allocated for a value that
is not allowed, and no buffer is touched that the header does not describe exactly.

No `annotations` from the future: msgspec would evaluate each of the texts, at the start of every process.
"""

import hashlib
import math
import re
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Annotated, ClassVar, Literal

import msgpack
import msgspec
import numpy as np
from msgspec import Meta, Struct, field
from msgspec.structs import asdict, replace

from ..errors import FacepipeError
from . import limits

VERSION = 1

RAW = "raw"
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


# --- The types of header values. No number may be NaN or infinite: it is outside of every range. ---

_MOST = sys.float_info.max


def _list_of(kind: object, longest: int, shortest: int = 0) -> object:
    return Annotated[list[kind], Meta(min_length=shortest, max_length=longest)]


Name = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARACTERS)]
Names = _list_of(Name, 64)
RunName = Annotated[str, Meta(max_length=limits.NAME_CHARACTERS)]
FileName = Annotated[str, Meta(min_length=1, max_length=4096)]
Text = Annotated[str, Meta(max_length=limits.TEXT_CHARACTERS)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9A-Za-z]{0,64}\Z")]
Grant = Annotated[str, Meta(max_length=limits.NAME_CHARACTERS)]  # see stages/delivery/grants.py
Token = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Count = Annotated[int, Meta(ge=0, le=limits.COUNT)]
FromOne = Annotated[int, Meta(ge=1, le=limits.COUNT)]
FaceCount = Annotated[int, Meta(ge=0, le=limits.FACES)]
Side = Annotated[int, Meta(ge=1, le=limits.CROP_SIDE)]
Number = Annotated[float, Meta(ge=-_MOST, le=_MOST)]
NotNegative = Annotated[float, Meta(ge=0, le=_MOST)]
Scale = Annotated[float, Meta(ge=0.01, le=_MOST)]
Share = Annotated[float, Meta(ge=0, le=1)]
Clock = Annotated[float, Meta(ge=0, le=limits.CLOCK_S)]
Spent = Annotated[dict[Name, NotNegative], Meta(max_length=64)]
Boxes = _list_of(_list_of(Number, 4, shortest=4), limits.FACES)
Scores = _list_of(Number, limits.FACES)
Landmarks = _list_of(_list_of(Number, 10), limits.FACES)
Poses = _list_of(_list_of(Number, 3), limits.FACES)
Qualities = _list_of(Share | None, limits.FACES)
Answers = _list_of(_list_of(Number, 1024), limits.FACES)
# width, height, channels, scale of a crop and the attribute stages that want it
Geometries = _list_of(tuple[Side, Side, Literal[1, 3], Scale, Names], 64)
MissingParts = _list_of(tuple[Count, Names], 100_000)
# frame, stage and worker of an answer that was not taken, and why
Refusals = _list_of(tuple[Count, Name, Count, Text], limits.REFUSALS)
Ends = _list_of(tuple[Count, Literal["exit", "hang", "killed"]], limits.ENDS)
# where the memory lies that a process shares: its ID, a descriptor, and 16 bytes to know it by
RingAddress = tuple[FromOne, Count, Token]
Works = _list_of(tuple[Count, NotNegative], 100_000)


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """How the header describes one buffer."""

    encoding: Literal[RAW, *ENCODINGS, SHARED]
    shape: Annotated[list[Annotated[int, Meta(ge=0, le=limits.PART_BYTES)]], Meta(max_length=4)]
    dtype: Literal["uint8"] = "uint8"


# --- The messages. `arrays` are uint8 pixels, one per buffer behind the header. ---


class _Kind:
    """What the header calls a message, of the class as of each message."""

    def __get__(self, message: Struct | None, owner: type[Struct]) -> str:
        return owner.__struct_config__.tag


class Message(Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True):
    """What all messages have; a message of another run is ignored and counted.

    They compare by their headers: two arrays do not compare to one bool.
    """

    kind: ClassVar[str] = _Kind()
    buffers: ClassVar[tuple[int, int]] = (0, 0)  # fewest and most buffers, and the dimensions of each:
    dimensions: ClassVar[int] = 0
    may_be_encoded: ClassVar[bool] = False

    run: RunName  # "" from a worker that has not been welcomed yet
    arrays: tuple[Part, ...] = field(default=(), name="parts")  # a `Part` in the header only: np.ndarray or `Encoded`

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and asdict(self) | {"arrays": ()} == asdict(other) | {"arrays": ()}

    def __ne__(self, other: object) -> bool:  # Struct has one of its own, which would compare the arrays.
        return not self == other


class WorkerHello(Message, tag="hello"):
    """A worker identifies itself, in answer to a welcome."""

    stage: Name
    host: Name
    replica: Count
    incarnation: Count
    card: Digest  # hash of the model card, for detect of its settings and model file
    epoch: Count = 0  # of the welcome that this answers, and its session: what was said to an older one is void
    session_id: Count = 0
    ended: Ends = []  # [incarnation, cause] of its former lives, as its launcher saw them end
    reads_ring: bool = False  # it can read the ring of the welcome

    @property
    def worker(self) -> tuple[str, int]:
        """Host and replica: who it is within its stage, in each of its lives."""
        return self.host, self.replica


class Heartbeat(Message, tag="heartbeat"):
    """A worker states how many tasks it can hold in total, and the number of the last one that it has finished."""

    stage: Name
    replica: Count
    incarnation: Count
    credit: Count = 0
    finished: Count = 0


class Isolated(Message, tag="isolated"):
    """A worker has finished its tasks and waits for the one task in isolation."""

    epoch: Count
    source: Name
    incarnation: Count


class Failed(Message, tag="failed"):
    """A worker could not answer one task."""

    epoch: Count
    source: Name
    frame: Count
    stage: Name
    incarnation: Count
    seq: Count
    reason: Text


class FaceCrops(Message, tag="crops"):
    """Detect gives capture the crops of a frame: one array (faces, height, width, channels) per geometry asked for."""

    buffers: ClassVar = (0, limits.PARTS)
    dimensions: ClassVar = 4
    epoch: Count
    source: Name
    frame: Count
    attempt: FromOne
    boxes_hash: Digest  # hash of boxes and rolls: only what was cut along equal ones is joined
    faces: FaceCount
    spent: Spent
    grant: Grant = ""

    @property
    def size(self) -> int:
        """Bytes of the crops."""
        return sum(array.nbytes for array in self.arrays)


class Welcome(Message, tag="welcome"):
    """Capture or render answers the first message of a connection."""

    epoch: Count = 0  # of a capture; 0 from render
    source: Name | None = None  # of a capture
    session_id: Count = 0  # names this connection at this capture: with a new one the worker's session starts anew
    credit: Count = limits.CREDIT  # the most tasks that this capture gives to one worker
    ring: RingAddress | None = None  # of a capture: where its pictures lie for processes of its machine
    incarnation: Count = 0  # of render


class WorkerRefused(Message, tag="refused"):
    """Capture or render does not accept the peer, for example a worker with another card than the run's."""

    reason: Text


class Frame(Message, tag="frame"):
    """A task for detect: one picture, and the crops that the attribute stages need from it."""

    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count
    seq: Count
    attempt: FromOne
    skip: Names
    geometries: Geometries
    grant: Grant = ""


class Crops(Message, tag="crops"):
    """A task for an attribute stage: the crops of one frame, one array (faces, height, width, channels)."""

    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 4
    epoch: Count
    source: Name
    frame: Count
    seq: Count
    attempt: FromOne
    boxes_hash: Digest
    spent: Spent
    grant: Grant = ""


class Isolate(Message, tag="isolate"):
    """Capture asks a worker to finish its tasks and then to take one quarantined task in isolation."""

    epoch: Count
    source: Name


class Finish(Message, tag="finish"):
    """Capture needs nothing more: its workers forget this source and epoch, and for render the source is complete."""

    epoch: Count
    source: Name


class SourceHello(Message, tag="hello"):
    """Capture tells render which source it reads, in which incarnation, and the latency of recent frames."""

    source: Name
    epoch: Count
    live: bool
    is_complete: bool = True  # every stage has a worker: before, an earlier run's results are left alone
    key: Digest = ""  # that grants of this epoch are signed with; no worker is told
    latency: NotNegative | None = None  # in the middle, of what was acknowledged since the last hello; None: nothing
    ring: RingAddress | None = None  # where its pictures lie for processes of its machine


class FramePicture(Message, tag="picture"):
    """The picture of a frame, for render."""

    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count
    file: FileName | None
    time: Number
    rate: NotNegative | None
    asked: Names  # the attribute stages that are asked about it
    cut: bool = False  # it begins a shot of its video
    clock: Clock | None = None  # of a live source: when it came, in seconds since 1970


class Preview(Message, tag="preview"):
    """The newest picture of a live source, shown at once with the newest labels; it may be lost."""

    buffers: ClassVar = (1, 1)
    dimensions: ClassVar = 3
    may_be_encoded: ClassVar = True
    epoch: Count
    source: Name
    frame: Count


class Drop(Message, tag="drop"):
    """Capture dropped the frames first to last, both included."""

    epoch: Count
    source: Name
    first: Count
    last: Count
    stage: Name
    reason: Text


class GivenUp(Message, tag="given_up"):
    """Capture no longer waits for the answer of one stage about one frame."""

    epoch: Count
    source: Name
    frame: Count
    stage: Name
    reason: Text


class End(Message, tag="end"):
    """The source has ended after this number of frames."""

    epoch: Count
    source: Name
    frames: Count
    is_stopped: bool = False  # it was not read to its end: a person has ended the run


class Faces(Message, tag="faces"):
    """Detect gives render the boxes of a frame: x, y, width, height in pixels of the frame, and a score for each.

    Where the detector gives landmarks, also what follows from them; a face without has an empty list or None there.
    """

    epoch: Count
    source: Name
    frame: Count
    attempt: FromOne
    replica: Count
    incarnation: Count
    boxes_hash: Digest
    boxes: Boxes
    scores: Scores
    capped: Count  # faces beyond the limit, left out
    spent: Spent
    grant: Grant = ""
    landmarks: Landmarks = []  # of each face x, y of five points; no list at all: of none
    poses: Poses = []  # of each face yaw, pitch, roll in degrees
    qualities: Qualities = []  # of each face in [0, 1]
    doubtful: Boxes = []  # of what may be a face, only with `render.blur`: it is hidden, and nothing is said about it

    def __post_init__(self):
        for name, numbers in (("landmarks", 10), ("poses", 3)):
            if not all(len(of_face) in (0, numbers) for of_face in getattr(self, name)):
                raise ValueError(f"{name} of another length than 0 or {numbers}")

    @property
    def cut(self) -> tuple[str, int]:
        """What answers are joined by: the hash of the boxes and their number, so that there is an answer for each."""
        return self.boxes_hash, len(self.boxes)

    @property
    def expected_hash(self) -> str:
        """The hash of what the crops were cut along."""
        return hash_of_boxes(self.boxes, [pose[2] if pose else 0.0 for pose in self.poses])


class Attribute(Message, tag="attribute"):
    """An attribute stage gives render one row of numbers per face; its card says what they mean."""

    epoch: Count
    source: Name
    frame: Count
    attempt: FromOne
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


class Ack(Message, tag="ack"):
    """Render tells capture what is in the outputs and what it is missing; the highest number of an incarnation
    counts."""

    source: Name
    epoch: Count
    incarnation: Count
    number: Count
    acked_up_to: Count  # every frame below it is in the outputs
    # [frame, [what it wants]] of every frame at or above `acked_up_to` that render has heard of
    missing_parts: MissingParts
    clean: bool  # the source has ended and its outputs are closed
    heard: Count = 0  # one more than the highest frame heard of, in any epoch
    time: NotNegative | None = None  # of the last frame in the outputs, which those of a live source count on from
    preview: Count | None = None  # one more than the newest preview's frame, 0 before the first; None: none are wanted
    refused: Refusals = []  # [frame, stage, worker, reason] of answers that were not taken
    worked: Works = []  # [frame, seconds of work on its longest path], for the account
    reads_ring: bool = False  # render can read the ring of the source's hello


TO_CAPTURE = (WorkerHello, Heartbeat, FaceCrops, Isolated, Failed)
TO_WORKER = (Welcome, WorkerRefused, Frame, Crops, Isolate, Finish)
TO_RENDER = (SourceHello, FramePicture, Preview, Drop, GivenUp, End, Finish, Faces, Attribute, Heartbeat)
FROM_RENDER = (Welcome, Ack, WorkerRefused)
ALL = (*TO_CAPTURE, *TO_WORKER, *TO_RENDER, Ack)


Kinds = msgspec.msgpack.Decoder  # of one receiver


def kinds(*classes: type[Message]) -> Kinds:
    """What one receiver unpacks with: the messages that it listens to, no two of one kind."""
    return Kinds(tuple[Literal[VERSION], reduce(or_, classes)])


_encoder = msgspec.msgpack.Encoder()


def pack(message: Message) -> list:
    """The parts to send: the header's bytes, then the buffers themselves, not copied (C-contiguous uint8)."""
    arrays = message.arrays
    if arrays:
        message = replace(message, arrays=tuple(map(_part, arrays)))
    return [_encoder.encode((VERSION, message)), *(a.buffer if type(a) is Encoded else a for a in arrays)]


def unpack(parts: Sequence, listens_to: Kinds) -> Message:
    """Check a multipart and make it a message; raises `Refused` with the reason.

    `parts` are bytes-like. The arrays of the message are views of the buffers, read-only where these are, or `Encoded`:
    nothing is decoded here.
    """
    if not parts:
        raise Refused("a message without a header")
    header, *buffers = map(memoryview, parts)
    if header.nbytes > limits.HEADER_BYTES:
        raise Refused(f"a header of {header.nbytes} bytes; at most {limits.HEADER_BYTES} are taken")
    try:
        _, message = listens_to.decode(header)
    except (ValueError, RecursionError) as error:
        raise _refused(header, error) from error
    try:
        arrays = _arrays(message, buffers)
    except Refused as refusal:
        refusal.header = _plain(header)
        raise
    return replace(message, arrays=arrays) if arrays else message


def hash_of_boxes(boxes: Iterable[Sequence[float]], rolls: Sequence[float] = ()) -> str:
    """A name for these very boxes, each turned by its roll, bit for bit: 16 hexadecimal digits. No rolls: none is."""
    turned = zip(boxes, rolls, strict=True) if rolls else ((box, 0.0) for box in boxes)
    values = [float(value) for box, roll in turned for value in (*box, roll)]
    return hashlib.blake2b(struct.pack(f"<{len(values)}d", *values), digest_size=8).hexdigest()


def _part(array: np.ndarray | Encoded) -> Part:
    return Part(array.encoding if type(array) is Encoded else RAW, list(array.shape))


def _arrays(message: Message, buffers: list[memoryview]) -> tuple[np.ndarray | Encoded, ...]:
    fewest, most = message.buffers
    if len(message.arrays) != len(buffers) or not fewest <= len(buffers) <= most:
        raise Refused(f"a {message.kind} with {len(buffers)} buffers that its header does not describe")
    return tuple(_array(message, part, buffer) for part, buffer in zip(message.arrays, buffers, strict=True))


def _array(message: Message, part: Part, buffer: memoryview) -> np.ndarray | Encoded:
    shape = part.shape
    if part.encoding != RAW and not message.may_be_encoded:
        raise Refused(f"a {message.kind} with pixels as {part.encoding!r}, not raw uint8")
    if len(shape) != message.dimensions:
        raise Refused(f"a {message.kind} with a buffer of shape {shape}")
    if not 0 < math.prod(shape[-3:-1]) <= limits.PICTURE_PIXELS:
        raise Refused(f"a {message.kind} with pictures of shape {shape}")
    if shape[-1] not in ((3,) if message.dimensions == 3 else (1, 3)):
        raise Refused(f"a {message.kind} with pictures of {shape[-1]} channels")
    if part.encoding != RAW:
        return Encoded(part.encoding, tuple(shape), buffer)
    if math.prod(shape) != buffer.nbytes:
        raise Refused(f"a {message.kind} with {buffer.nbytes} bytes for the shape {shape}")
    return np.frombuffer(buffer, np.uint8).reshape(shape)


# --- What is wrong with a header that was not taken. ---

_SPOKEN = {message.kind for message in ALL}
_MISSING = re.compile("Object missing required field `(.+)`")
_UNKNOWN = re.compile("Object contains unknown field `(.+)`", re.DOTALL)
_EXPECTED = re.compile("Expected (.+?)(, got .+)?", re.DOTALL)


def _refused(header: memoryview, error: Exception) -> Refused:
    if not isinstance(error, msgspec.ValidationError):
        return Refused(f"a header that is not msgpack ({type(error).__name__})")
    said = _plain(header)
    refusal = Refused("a header that is not a version and a map" if said is None else _sentence(said, str(error)))
    refusal.header = said
    return refusal


def _plain(header: memoryview) -> dict | None:
    """The map of a header without any check, for what may be wrong with it; None where there is none.

    By the package msgpack: it takes keys of texts only, and leaves out none of the values that msgspec has refused.
    """
    try:
        _, said = msgpack.unpackb(header, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError):
        return None
    return said if type(said) is dict and all(type(key) is str for key in said) else None


def _sentence(said: dict, words: str) -> str:
    """What msgspec found wrong, in our words: "a frame whose attempt is 0, not int >= 1"."""
    words, _, place = words.rpartition(" - at ")
    place = place.split("`")[-2]  # "`key` in `$[1].spent`"
    if place == "$[0]":
        return f"a message of another protocol than version {VERSION}"
    path, kind = place.removeprefix("$[1]").removeprefix("."), said.get("kind")
    if path == "kind" or type(kind) is not str or kind not in _SPOKEN:
        return f"a message of kind {_short(kind)}, which is not spoken here"
    if missing := _MISSING.fullmatch(words):
        return f"a {kind} without {'.'.join(filter(None, (path, missing[1])))}"
    if unknown := _UNKNOWN.fullmatch(words):
        return f"a {kind} with the unknown key {_short('.'.join(filter(None, (path, unknown[1]))))}"
    if not path:
        return f"a {kind} with {words}"
    expected = _EXPECTED.fullmatch(words)
    is_not = f", not {expected[1].replace('`', '')}" if expected else ""
    return f"a {kind} whose {path} is {_short(_value_at(said, path))}{is_not}"


def _value_at(said: dict, path: str) -> object:
    """What stands at a path such as `geometries[0][2]`; what is above it, where the path does not lead further."""
    value: object = said
    # A key that is there twice is another one for msgpack than for msgspec.
    with suppress(AttributeError, LookupError, TypeError, ValueError):
        for step in re.findall(r"\w+", path):
            value = value[int(step)] if isinstance(value, list) else value.get(step)
    return value


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."
