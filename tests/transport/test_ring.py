"""Pictures in shared memory: what is read is what was written, or it counts as lost."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol.messages import SHARED, Encoded, FramePicture, Refused, kinds, pack, unpack
from stages.transport.images import decoded
from stages.transport.ring import Ring, RingReader

pytestmark = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="no shared memory without a name on this system"
)
PLENTY = 100_000_000


@pytest.fixture
def ring():
    ring = Ring(4, PLENTY)
    yield ring
    ring.close()


@pytest.fixture
def reader():
    reader = RingReader()
    yield reader
    reader.close()


def picture(number: int, height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)


def message(pixels: np.ndarray | Encoded, frame: int = 0) -> FramePicture:
    return FramePicture(
        run="r", epoch=1, source="s", frame=frame, file=None, time=0.0, rate=None, asked=[], arrays=(pixels,)
    )


def arrived(said: FramePicture, reader: RingReader) -> np.ndarray:
    """What the receiver of this message sees."""
    parts = [bytes(part) for part in pack(said)]
    return decoded(unpack(parts, kinds(FramePicture)), reader.read).arrays[0]


def test_what_is_read_is_what_was_written_round_after_round(ring, reader):
    assert reader.open(ring.address)
    for number in range(50):
        said = ring.shared(message(picture(number)))
        assert said.arrays[0].encoding == SHARED
        assert np.array_equal(arrived(said, reader), picture(number))


def test_as_many_pictures_as_the_window_has_can_wait_to_be_read(ring, reader):
    reader.open(ring.address)
    said = [ring.shared(message(picture(number))) for number in range(20)][-4:]
    for number, each in enumerate(said, 16):
        assert np.array_equal(arrived(each, reader), picture(number))


def test_one_that_was_written_over_counts_as_lost(ring, reader):
    reader.open(ring.address)
    late = ring.shared(message(picture(0)))
    for number in range(1, 10):
        ring.shared(message(picture(number)))
    with pytest.raises(Refused, match="not fetched in time"):
        arrived(late, reader)


def test_the_same_picture_for_two_receivers_is_written_once(ring):
    pixels = picture(1)
    assert ring.shared(message(pixels)).arrays[0].buffer == ring.shared(message(pixels)).arrays[0].buffer


@pytest.mark.parametrize(
    "pixels", [picture(1, 8, 8), picture(1, 4000, 4000)], ids=["small", "larger than there is room"]
)
def test_other_pictures_travel_through_the_socket(pixels):
    ring = Ring(4, 10_000_000)
    assert ring.shared(message(pixels)).arrays[0] is pixels
    ring.close()


def test_what_is_read_stays_when_its_writer_is_killed(reader):
    code = (
        "import os, sys, numpy as np; from stages.transport.ring import Ring; from tests.transport.test_ring import *\n"
        "ring = Ring(4, PLENTY); said = ring.shared(message(picture(7)))\n"
        "print(*ring.address, said.arrays[0].buffer.hex(), flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid, descriptor, token, place = writer.stdout.readline().split()
    assert reader.open([int(pid), int(descriptor), token])
    writer.kill()
    writer.communicate()
    assert np.array_equal(reader.read(Encoded(SHARED, picture(7).shape, bytes.fromhex(place))), picture(7))
    assert not RingReader().open([int(pid), int(descriptor), token])  # Who comes later finds nothing.


@pytest.mark.parametrize(
    "address", [[1, 0, "00" * 16], [2**60, 1, "00" * 16], None], ids=["not ours", "nobody", "cannot be shared"]
)
def test_what_is_no_ring_is_not_opened(reader, address):
    assert not reader.open(address)


def test_a_file_under_another_name_is_not_opened(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open(os.open(tmp_path / "pipe", os.O_RDWR), "rb") as pipe:
        assert not reader.open([os.getpid(), pipe.fileno(), "00" * 16])


@given(st.binary(max_size=40), st.integers(0, 2**64 - 1))
def test_nonsense_for_a_place_is_refused(nonsense, position):
    ring, reader = Ring(4, PLENTY), RingReader()
    reader.open(ring.address)
    honest = ring.shared(message(picture(3))).arrays[0]
    try:
        for place in (nonsense, honest.buffer[:16] + position.to_bytes(8, "little")):
            try:
                pixels = reader.read(Encoded(SHARED, (120, 160, 3), place))
            except Refused:
                continue
            assert pixels.shape == (120, 160, 3)
        with pytest.raises(Refused):
            RingReader().read(honest)  # It has not opened it.
    finally:
        ring.close()
        reader.close()
