"""Random messages for the fuzz tests: any bytes, and messages that are well formed but say anything."""

from __future__ import annotations

import msgpack
import numpy as np
from hypothesis import strategies as st
from msgspec.structs import fields

from stages.protocol import limits
from stages.protocol import messages as m
from stages.protocol.messages import Message, pack

names = st.sampled_from(["s", "detect", "gender", "age", "picture", "x" * limits.NAME_CHARACTERS, "\0", "é"])
counts = st.sampled_from([0, 1, 2, 3, 15, 16, 17, 10_000, limits.COUNT - 1, limits.COUNT]) | st.integers(
    0, limits.COUNT
)
small = st.integers(0, 20)
finite = st.floats(allow_nan=False, allow_infinity=False)
sides = st.integers(1, limits.CROP_SIDE)
positive = st.floats(0, allow_infinity=False, allow_nan=False)

# A strategy for every type that a field of a message has; each gives only what passes its check.
TYPES = {
    m.Name: names,
    m.Name | None: st.none() | names,
    m.Names: st.lists(names, max_size=4),
    m.RunName: st.just("r"),
    m.FileName | None: st.none() | st.sampled_from(["a.jpg", "../../b", "\0"]),
    m.Text: st.text(max_size=40) | st.just("x" * limits.TEXT_CHARACTERS),
    m.Digest: st.sampled_from(["", "ab", "f" * 64]),
    m.Grant: st.just("") | st.just("x" * limits.NAME_CHARACTERS),
    m.Refusals: st.lists(st.tuples(counts, names, counts, st.text(max_size=9)), max_size=3),
    m.FaceCount: st.integers(0, limits.FACES),
    m.Count: small | counts,
    m.FromOne: st.integers(1, 5) | st.just(limits.COUNT),
    m.Count | None: st.none() | counts,
    bool: st.booleans(),
    m.Number: finite,
    m.NotNegative | None: st.none() | positive,
    m.Clock | None: st.none() | st.floats(0, limits.CLOCK_S),
    m.Spent: st.dictionaries(names, positive, max_size=3),
    m.Boxes: st.lists(st.lists(finite, min_size=4, max_size=4), max_size=4),
    m.Scores: st.lists(finite, max_size=4),
    m.Landmarks: st.lists(st.lists(finite, min_size=10, max_size=10) | st.just([]), max_size=4),
    m.Poses: st.lists(st.lists(finite, min_size=3, max_size=3) | st.just([]), max_size=4),
    m.Qualities: st.lists(st.none() | st.floats(0, 1), max_size=4),
    m.Answers: st.lists(st.lists(finite, max_size=8), max_size=4),
    m.MissingParts: st.lists(st.tuples(counts, st.lists(names, max_size=3)), max_size=3),
    m.Ends: st.lists(st.tuples(counts, st.sampled_from(["exit", "hang", "killed"])), max_size=3),
    m.Works: st.lists(st.tuples(counts, positive), max_size=3),
    m.RingAddress | None: st.none() | st.tuples(st.integers(1, 2**53), counts, st.just("00" * 16)),
    m.Geometries: st.lists(
        st.tuples(sides, sides, st.sampled_from([1, 3]), st.floats(0.01, 1e9), st.just(["age"])), max_size=3
    ),
}


@st.composite
def arrays(draw, message: type[Message]) -> tuple[np.ndarray, ...]:
    """Buffers as such a message may have them."""
    fewest, most = message.buffers
    sides = st.integers(1, 40)
    last = st.sampled_from([1, 3])
    made = []
    for _ in range(draw(st.integers(fewest, min(most, 3)))):
        shape = (draw(sides), draw(sides), draw(last) if message.dimensions == 4 else 3)
        shape = (draw(st.integers(0, 3)), *shape) if message.dimensions == 4 else shape
        made.append(np.full(shape, draw(st.integers(0, 255)), np.uint8))
    return tuple(made)


@st.composite
def well_formed(draw, messages: tuple[type[Message], ...], **known) -> Message:
    """A message of one of these kinds that passes every check; `known`: what its fields are if it has them."""
    message = draw(st.sampled_from(messages))
    names_ = [f for f in fields(message) if f.name != "arrays"]
    values = {f.name: draw(known.get(f.name, TYPES[f.type])) for f in names_}
    return message(arrays=draw(arrays(message)), **values)


numbers = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
scalars = st.none() | numbers | st.text(max_size=9) | st.binary(max_size=9)
keys = st.text(max_size=8) | st.integers(0, 9)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@st.composite
def damaged(draw, messages: tuple[type[Message], ...]) -> list[bytes]:
    """Parts that were those of a message, until something happened to them."""
    parts = [bytes(part) for part in pack(draw(well_formed(messages)))]
    version, header = msgpack.unpackb(parts[0])
    match draw(st.integers(0, 6)):
        case 0:  # another value somewhere
            header[draw(st.sampled_from(sorted(header)))] = draw(trees)
        case 1:  # a key too few
            del header[draw(st.sampled_from(sorted(header)))]
        case 2:  # one too many
            header[draw(st.text(max_size=5))] = draw(trees)
        case 3:  # cut off
            return [parts[0][: draw(st.integers(0, len(parts[0]) - 1))], *parts[1:]]
        case 4:  # a buffer too few, too many, or of another length
            return [parts[0], *draw(st.lists(st.binary(max_size=50), max_size=4))]
        case 5:  # buffers that are described differently
            shape = st.lists(st.integers(-1, 2**40), max_size=5)
            part = st.fixed_dictionaries(
                {"encoding": st.sampled_from(["raw", "jpeg", "png", "", 5]), "shape": shape, "dtype": scalars}
            )
            header["parts"] = draw(st.lists(part | trees, max_size=3))
        case 6:  # another version
            version = draw(trees)
    return [msgpack.packb([version, header]), *parts[1:]]


anything = st.lists(st.binary(max_size=300), min_size=1, max_size=6)
monsters = st.sampled_from(
    [
        [b"\x91" * 100_000],  # a list in a list in a list
        [b"\x81\xa1a" * 50_000],
        [b"\xdf\xff\xff\xff\xff"],  # a map that says it has four billion keys
        [b"\xdd\xff\xff\xff\xff"],
        [b"\xc6\xff\xff\xff\xff"],
        [b"\xdc\xff\xff" + b"\x80" * 65_535],
        [b"\x80" * 10_000_000],  # 10 MB of empty maps
        [b"\x90"] * 2000,
    ]
)
