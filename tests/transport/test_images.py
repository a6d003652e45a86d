"""Pictures between machines: what arrives is what was sent, and what is anything else is not opened."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol.messages import Encoded, FramePicture, Refused
from stages.transport.images import decoded, encoded


def opened(picture: Encoded) -> np.ndarray:
    """The picture as render would see it."""
    message = FramePicture(
        run="r", epoch=1, source="s", frame=0, file=None, time=0.0, rate=None, asked=[], arrays=(picture,)
    )
    return decoded(message).arrays[0]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height + width).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 640), (480, 641)])
def test_png_changes_nothing(size):
    assert np.array_equal(opened(encoded(noise(*size), "png", 90)), noise(*size))


@pytest.mark.parametrize("quality", [1, 50, 90, 100])
def test_jpeg_keeps_the_size_and_most_of_the_picture(astronaut, quality):
    came = opened(encoded(astronaut, "jpeg", quality))
    assert came.shape == astronaut.shape
    assert np.abs(came.astype(int) - astronaut).mean() < (30 if quality == 1 else 6)


def test_a_message_without_encoded_pictures_stays_as_it_is():
    message = FramePicture(
        run="r", epoch=1, source="s", frame=0, file=None, time=0.0, rate=None, asked=[], arrays=(noise(2, 3),)
    )
    assert decoded(message) is message


def test_a_jpeg_of_which_a_part_is_missing_is_refused(astronaut):
    whole = encoded(astronaut, "jpeg", 90)
    file = bytes(whole.buffer)
    for cut in (0, 1, 2, 20, 200, len(file) // 2, len(file) - 1):
        with pytest.raises(Refused, match="a jpeg that is not the picture that was announced"):
            opened(Encoded("jpeg", whole.shape, file[:cut]))


def test_a_png_of_which_a_part_is_missing_or_changed_is_refused():
    whole = encoded(noise(40, 50), "png", 90)
    file = bytearray(bytes(whole.buffer))
    for cut in (0, 8, 30, len(file) // 2, len(file) - 1):
        with pytest.raises(Refused, match="a png that is not the picture that was announced"):
            opened(Encoded("png", whole.shape, bytes(file[:cut])))


def png(height: int, width: int, pixels: bytes, bits: int = 8, kind: int = 2, more: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def test_a_picture_that_is_larger_than_announced_is_refused_without_being_allocated():
    huge = png(20_000, 20_000, b"\0" * 1000)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            opened(Encoded("png", (480, 640, 3), huge))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_pictures_that_ours_does_not_write_are_refused(astronaut):
    done, progressive = cv2.imencode(".jpg", astronaut, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    grey = cv2.imencode(".jpg", astronaut[:, :, 0])[1]
    with_alpha = cv2.imencode(".png", np.dstack([astronaut, astronaut[:, :, :1]]))[1]
    plain = astronaut.shape
    strange = [
        ("jpeg", progressive),
        ("jpeg", grey),
        ("png", with_alpha),
        ("png", encoded(astronaut, "jpeg", 90).buffer),
        ("jpeg", encoded(astronaut, "png", 90).buffer),
        ("png", png(512, 512, b"\0" * (512 * 3 + 1) * 512, more=struct.pack(">I", 0) + b"tEXt" + b"\0\0\0\0")),
        ("png", png(512, 512, b"\0" * 512 * 7 * 512, bits=16)),
        ("jpeg", b"GIF89a" * 100),
    ]
    for encoding, file in strange:
        with pytest.raises(Refused):
            opened(Encoded(encoding, plain, file))


def test_a_size_that_is_not_the_announced_one_is_refused():
    for encoding in ("jpeg", "png"):
        file = encoded(noise(40, 50), encoding, 90).buffer
        for shape in ((50, 40, 3), (40, 51, 3), (41, 50, 3)):
            with pytest.raises(Refused):
                opened(Encoded(encoding, shape, file))


JPEG, PNG = (bytes(encoded(noise(8, 12), encoding, 90).buffer) for encoding in ("jpeg", "png"))


@given(st.sampled_from([("jpeg", JPEG), ("png", PNG)]), st.data())
def test_whatever_is_done_to_a_picture_it_is_refused_or_has_the_size_that_was_announced(picture, data):
    encoding, file = picture
    changed = bytearray(file)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(Refused):
        assert opened(Encoded(encoding, (8, 12, 3), bytes(changed))).shape == (8, 12, 3)
