"""Packing, and what is refused on arrival."""

from __future__ import annotations

import re

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stages.protocol import limits
from stages.protocol.messages import (
    TO_CAPTURE,
    TO_RENDER,
    TO_WORKER,
    VERSION,
    Ack,
    Attribute,
    Crops,
    Encoded,
    FaceCrops,
    Faces,
    Frame,
    FramePicture,
    Heartbeat,
    Refused,
    SourceHello,
    WorkerHello,
    hash_of_boxes,
    kinds,
    pack,
    unpack,
)

CAPTURE, WORKER, RENDER = kinds(*TO_CAPTURE), kinds(*TO_WORKER), kinds(*TO_RENDER)
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
FRAME = Frame(
    run="r",
    epoch=7,
    source="clip.mp4",
    frame=3,
    seq=1,
    attempt=1,
    skip=[],
    geometries=[(64, 64, 1, 1.0, ["emotion"])],
    arrays=(PICTURE,),
)


def header_of(message) -> dict:
    return msgpack.unpackb(pack(message)[0])[1]


def with_header(message, **changes) -> list:
    return [packed({**header_of(message), **changes}), *pack(message)[1:]]


def packed(header: dict) -> bytes:
    return msgpack.packb([VERSION, header])


def test_a_frame_arrives_as_it_was_sent():
    came = unpack(pack(FRAME), WORKER)
    assert (came.source, came.frame, came.seq, came.geometries) == ("clip.mp4", 3, 1, [(64, 64, 1, 1.0, ["emotion"])])
    assert np.array_equal(came.arrays[0], PICTURE)


def test_pixels_are_neither_copied_on_packing_nor_on_unpacking():
    parts = pack(FRAME)
    assert parts[1] is PICTURE
    assert np.shares_memory(unpack([parts[0], memoryview(PICTURE)], WORKER).arrays[0], PICTURE)


def test_a_picture_between_machines_travels_encoded_and_crops_never_do():
    picture = Encoded("jpeg", (480, 640, 3), b"a JPEG")
    came = unpack(pack(replace(FRAME, arrays=(picture,))), WORKER)
    [array] = came.arrays
    assert (array.encoding, array.shape, bytes(array.buffer)) == ("jpeg", (480, 640, 3), b"a JPEG")
    crops = Encoded("png", (1, 64, 64, 1), b"a PNG")
    cut = FaceCrops(
        run="r", epoch=1, source="s", frame=0, attempt=1, boxes_hash="ab", faces=1, spent={}, arrays=(crops,)
    )
    with pytest.raises(Refused, match="not raw uint8"):
        unpack(pack(cut), CAPTURE)


def test_a_hello_of_a_worker_and_one_of_a_source_are_told_apart_by_who_hears_them():
    worker = WorkerHello(run="r", stage="age", host="desk", replica=0, incarnation=5, card="ab")
    source = SourceHello(run="", source="camera0", epoch=5, live=True)
    assert isinstance(unpack(pack(worker), CAPTURE), WorkerHello)
    assert isinstance(unpack(pack(source), RENDER), SourceHello)


names = st.text(min_size=1, max_size=limits.NAME_CHARACTERS)
counts = st.integers(0, limits.COUNT)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
spent = st.dictionaries(names, st.floats(0, 1e6), max_size=3)
boxes = st.lists(st.lists(numbers, min_size=4, max_size=4), max_size=5)


@given(
    st.builds(
        Faces,
        run=names,
        epoch=counts,
        source=names,
        frame=counts,
        attempt=st.integers(1, 9),
        replica=counts,
        incarnation=counts,
        boxes_hash=st.text("0123456789abcdef", max_size=16),
        boxes=boxes,
        scores=st.lists(numbers, max_size=5),
        landmarks=st.lists(st.lists(numbers, min_size=10, max_size=10) | st.just([]), max_size=2),
        poses=st.lists(st.lists(numbers, min_size=3, max_size=3) | st.just([]), max_size=2),
        qualities=st.lists(st.floats(0, 1) | st.none(), max_size=2),
        capped=counts,
        spent=spent,
        arrays=st.just(()),
    )
)
def test_what_detect_says_arrives_bit_for_bit(faces):
    came = unpack(pack(faces), RENDER)
    assert came == faces


@given(
    st.lists(st.tuples(counts, st.lists(names, max_size=3)), max_size=6),
    st.one_of(st.none(), counts),
    st.booleans(),
)
def test_an_acknowledgement_arrives_as_it_was_said(missing_parts, preview, clean):
    ack = Ack(
        run="r",
        source="s",
        epoch=1,
        incarnation=2,
        number=3,
        acked_up_to=4,
        missing_parts=missing_parts,
        clean=clean,
        preview=preview,
    )
    came = unpack(pack(ack), kinds(Ack))
    assert (came.missing_parts, came.preview, came.clean, came.worked) == (missing_parts, preview, clean, [])


def test_crops_of_several_geometries_arrive_in_their_order():
    arrays = (np.zeros((2, 64, 64, 1), np.uint8), np.ones((2, 48, 48, 3), np.uint8))
    cut = FaceCrops(run="r", epoch=1, source="s", frame=0, attempt=1, boxes_hash="ab", faces=2, spent={}, arrays=arrays)
    assert [a.shape for a in unpack(pack(cut), CAPTURE).arrays] == [(2, 64, 64, 1), (2, 48, 48, 3)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "frames"}, "not spoken here"),
        ({"kind": ["frame"]}, "not spoken here"),
        ({"frame": -1}, "whose frame is -1"),
        ({"frame": 2**60}, "whose frame is 1152921504606846976"),
        ({"frame": True}, "whose frame is True"),
        ({"frame": "3"}, "whose frame is '3'"),
        ({"source": ""}, "whose source is ''"),
        ({"source": "x" * 201}, "whose source is"),
        ({"attempt": 0}, "whose attempt is 0"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"v": 1}, "unknown key 'v'"),
        ({"geometries": [[0, 64, 1, 1.0, []]]}, "whose geometries[0][0] is 0, not int >= 1"),
        ({"geometries": [[64, 64, 2, 1.0, []]]}, "whose geometries[0][2] is 2"),
        ({"geometries": [[64, 64, True, 1.0, []]]}, "whose geometries[0][2] is True"),
        ({"geometries": [[64, 513, 1, 1.0, []]]}, "whose geometries[0][1] is 513"),
        ({"geometries": [[64, 64, 1, 1.0]]}, "whose geometries[0] is list"),
        ({"parts": []}, "does not describe"),
        ({"parts": [{"encoding": "webp", "shape": [2, 3, 3], "dtype": "uint8"}]}, "parts[0].encoding is 'webp'"),
        ({"parts": [{"encoding": ["jpeg"], "shape": [2, 3, 3], "dtype": "uint8"}]}, "parts[0].encoding is list"),
        ({"parts": [{"encoding": "png", "shape": [20_000, 20_000, 3], "dtype": "uint8"}]}, "with pictures of shape"),
        ({"parts": [{"encoding": "jpeg", "shape": [2, 0, 3], "dtype": "uint8"}]}, "with pictures of shape"),
        ({"parts": [{"encoding": "jpeg", "shape": [2, 3, 1], "dtype": "uint8"}]}, "pictures of 1 channels"),
        ({"parts": [{"encoding": "raw", "shape": [2, 3, 3], "dtype": "float32"}]}, "dtype is 'float32'"),
        ({"parts": [{"encoding": "raw", "shape": [2, 3, 4], "dtype": "uint8"}]}, "pictures of 4 channels"),
        ({"parts": [{"encoding": "raw", "shape": [6, 3, 1], "dtype": "uint8"}]}, "pictures of 1 channels"),
        ({"parts": [{"encoding": "raw", "shape": [2, 4, 3], "dtype": "uint8"}]}, "bytes for the shape"),
        ({"parts": [{"encoding": "raw", "shape": [-2, -3, 3], "dtype": "uint8"}]}, "parts[0].shape[0] is -2"),
        (
            {"parts": [{"encoding": "raw", "shape": [2**40, 2**40, 3], "dtype": "uint8"}]},
            "parts[0].shape[0] is 1099511627776",
        ),
        ({"parts": [{"encoding": "raw", "shape": [18], "dtype": "uint8"}]}, "a buffer of shape"),
        ({"parts": [{"shape": [2, 3, 3]}]}, "without parts[0].encoding"),
        ({"parts": [{"encoding": "raw", "shape": [2, 3, 3], "dtype": "uint8", "more": 1}]}, "key 'parts[0].more'"),
    ],
)
def test_a_frame_that_is_not_what_it_says_is_refused_with_the_reason(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        unpack(with_header(FRAME, **changes), WORKER)


ONE_FACE = Faces(
    run="r",
    epoch=1,
    source="s",
    frame=0,
    attempt=1,
    replica=0,
    incarnation=1,
    boxes_hash="ab",
    boxes=[[0.0, 0.0, 1.0, 1.0]],
    scores=[1.0],
    capped=0,
    spent={},
)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1", None])
def test_a_box_that_is_not_a_place_is_refused(value):
    with pytest.raises(Refused, match="boxes"):
        unpack(pack(replace(ONE_FACE, boxes=[[0.0, 0.0, value, 1.0]])), RENDER)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("landmarks", [[1.0] * 9]),
        ("landmarks", [[1.0] * 9 + [float("nan")]]),
        ("landmarks", [[[1.0, 2.0]] * 5]),
        ("landmarks", [None]),
        ("landmarks", [[1.0] * 10] * (limits.FACES + 1)),
        ("poses", [[0.0, 0.0]]),
        ("poses", [[0.0, 0.0, float("inf")]]),
        ("qualities", [1.5]),
        ("qualities", [-0.1]),
        ("qualities", [float("nan")]),
        ("qualities", ["good"]),
    ],
)
def test_landmarks_poses_and_qualities_that_can_be_of_no_face_are_refused(key, value):
    with pytest.raises(Refused, match=key):
        unpack(with_header(ONE_FACE, **{key: value}), RENDER)


@pytest.mark.parametrize("digest", ["ab\n", "../ab", "a" * 65, "é", 7, None])
def test_a_hash_is_of_letters_and_digits(digest):
    with pytest.raises(Refused, match="a faces whose boxes_hash is "):
        unpack(with_header(ONE_FACE, boxes_hash=digest), RENDER)


def test_the_hash_of_the_boxes_covers_how_each_is_turned():
    box = [1.0, 2.0, 3.0, 4.0]
    assert hash_of_boxes([box]) == hash_of_boxes([box], [0.0])
    assert hash_of_boxes([box], [1.0]) != hash_of_boxes([box])
    turned = replace(ONE_FACE, boxes=[box, box], poses=[[5.0, 6.0, 7.0], []])
    assert turned.expected_hash == hash_of_boxes([box, box], [7.0, 0.0])


def test_more_faces_than_the_limit_are_refused():
    answers = [[0.5]] * (limits.FACES + 1)
    said = Attribute(
        run="r",
        epoch=1,
        source="s",
        frame=0,
        attempt=1,
        stage="age",
        replica=0,
        incarnation=1,
        boxes_hash="ab",
        answers=answers,
        spent={},
    )
    with pytest.raises(Refused, match="answers"):
        unpack(pack(said), RENDER)


def test_a_key_that_is_missing_is_named():
    header = header_of(Heartbeat(run="r", stage="age", replica=0, incarnation=1, credit=2, finished=0))
    del header["stage"]
    with pytest.raises(Refused, match="a heartbeat without stage"):
        unpack([packed(header)], CAPTURE)


def test_a_missing_buffer_and_one_too_many_are_refused():
    header, pixels = pack(FRAME)
    for parts in ([header], [header, pixels, pixels], []):
        with pytest.raises(Refused):
            unpack(parts, WORKER)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x00",
        b"\xc1",
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x80" * 1000,
        b"\x81\x01\x02",
        b"\x81\xa1v\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x90" * 10_000_000,
        msgpack.packb([1, 2, 3]),
        msgpack.packb(header_of(FRAME)),
        packed({"kind": "frame", "frame": msgpack.Timestamp(1, 2)}),
        packed({}),
        packed({1: 2}),
        b"\x92\x01\x81\xa4kind" + b"\x91" * 100_000,
        b"\x92\x01\x82\xa4kind\xa5frame\xaageometries\xdd\xff\xff\xff\xff",
        b"\x92\x01\x82\xa4kind\xa5frame\xa6source\xa1\xff",
    ],
    ids=lambda header: f"{header[:6].hex()}x{len(header)}",
)
def test_hostile_headers_are_refused(header):
    with pytest.raises(Refused):
        unpack([header], WORKER)


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("geometries", [[0, 64, 1, 1.0, []]], 7),
        ("geometries", [[64, 64, 1, 1.0, [7]]], []),
        ("parts", [{"encoding": "webp"}], {"encoding": 1}),
        ("frame", -1, None),
        ("kind", "frame", "\x1b[31m"),
        ("kind", "frame", ["frame"]),
    ],
)
def test_a_key_that_is_there_twice_is_refused_in_words_that_do_no_harm(key, first, last):
    header = b"\x92\x01\x83" + b"".join(map(msgpack.packb, (key, first, key, last, "attempt", -1)))
    with pytest.raises(Refused) as refused:
        unpack([header], WORKER)
    assert str(refused.value).isprintable()


@given(st.lists(st.binary(max_size=200), max_size=4), st.sampled_from((CAPTURE, WORKER, RENDER)))
def test_random_bytes_are_refused_and_nothing_else_happens(parts, listens_to):
    with pytest.raises(Refused):
        unpack(parts, listens_to)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=10),
        st.binary(max_size=9),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)


@given(st.data())
def test_a_wild_value_anywhere_is_refused_or_is_one_that_the_protocol_allows(data):
    good = [
        FRAME,
        Crops(
            run="r", epoch=1, source="s", frame=0, seq=1, attempt=1, boxes_hash="a", spent={}, arrays=(PICTURE[None],)
        ),
    ]
    message = data.draw(st.sampled_from(good))
    header = header_of(message)
    header[data.draw(st.sampled_from(sorted(header)))] = data.draw(values)
    parts = [packed(header), *pack(message)[1:]]
    try:
        came = unpack(parts, WORKER)
    except Refused:
        return
    assert type(came) is type(message)


def test_another_version_of_the_protocol_is_named_before_anything_else_is_looked_at():
    for header in ([2, {"kind": "frame"}], ["1", {}], [True, header_of(FRAME)], [None, {}]):
        with pytest.raises(Refused, match="another protocol than version 1"):
            unpack([msgpack.packb(header)], WORKER)


def test_the_hash_of_boxes_tells_apart_what_differs_in_the_last_bit():
    box = [1.0, 2.0, 3.0, 4.0]
    assert hash_of_boxes([box]) == hash_of_boxes([[1, 2, 3, 4]])
    assert hash_of_boxes([box]) != hash_of_boxes([[1.0, 2.0, 3.0, np.nextafter(4.0, 5.0)]])
    assert hash_of_boxes([]) != hash_of_boxes([box])


def test_a_picture_says_which_file_it_is_of_or_none():
    picture = FramePicture(
        run="r", epoch=1, source="s", frame=0, file=None, time=0.0, rate=None, asked=[], arrays=(PICTURE,)
    )
    assert unpack(pack(picture), RENDER).file is None
