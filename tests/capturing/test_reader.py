"""How a source is read: ahead, again, at its own pace, and not without end."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from stages.capturing.reader import AHEAD, AHEAD_BYTES, KEPT, Reader
from stages.frames import Picture
from stages.sources.base import SourceError
from stages.transport.sockets import Transport

PIXELS = np.zeros((2, 2, 3), np.uint8)


class Clip:
    """A source of two files with three pictures each, 0.05 s apart."""

    name, live = "clips", False

    def __init__(self):
        self.closed = False
        self.readings: list[int] = []  # the frame that each began with

    def pictures(self, start: int = 0):
        self.readings.append(start)
        for number in range(start, 6):
            yield Picture(PIXELS, number % 3 * 0.05, 20.0, "ab"[number // 3] + ".mp4")

    def close(self) -> None:
        self.closed = True


class Camera(Clip):
    """One that breaks after its first picture."""

    live = True

    def pictures(self, start: int = 0):
        yield Picture(PIXELS, 5.0, 20.0)
        raise SourceError("the camera was unplugged.")


class Stream(Clip):
    """One that has sent three pictures before anybody could look at them."""

    live = True

    def __init__(self):
        super().__init__()
        self.looked_at = threading.Event()
        self.waits = threading.Event()

    def pictures(self, start: int = 0):
        for number in range(3):
            yield Picture(PIXELS, float(number), 20.0)
        self.waits.set()
        assert self.looked_at.wait(10)
        yield Picture(PIXELS, 3.0, 20.0)


def test_what_came_before_anybody_could_look_is_let_go():
    stream, transport = Stream(), Transport()
    reader = Reader(stream, transport.waker(), paced=False)
    try:
        reader.read_from(0)
        while not stream.waits.is_set():
            reader.discard()
        reader.discard()
        stream.looked_at.set()
        while (picture := reader.take()) is None:
            transport.wait(5)
            reader.clear_wakes()
        assert picture.time == 3.0
    finally:
        reader.close()
        transport.close()


def taken(source, paced: bool) -> list[tuple[str, float]]:
    """All pictures of a source: the file, and when it was given out."""
    transport = Transport()
    reader = Reader(source, transport.waker(), paced)
    reader.read_from(0)
    came = []
    try:
        while not reader.ended:
            transport.wait(5)
            reader.clear_wakes()
            while (picture := reader.take()) is not None:
                came.append((picture.file, time.monotonic()))
    finally:
        reader.close()
        transport.close()
    return came


def test_pictures_come_in_order_and_the_source_is_closed():
    clip = Clip()
    assert [file for file, _ in taken(clip, paced=False)] == ["a.mp4"] * 3 + ["b.mp4"] * 3
    assert clip.closed


def test_what_was_given_lately_is_given_again_and_anything_else_is_read_anew():
    clip, transport = Clip(), Transport()
    reader = Reader(clip, transport.waker(), paced=False)

    def take(count: int) -> list[Picture]:
        taken = []
        while len(taken) < count:
            if (picture := reader.take()) is not None:
                taken.append(picture)
            else:
                transport.wait(5)
                reader.clear_wakes()
        return taken

    try:
        reader.read_from(0)
        first = take(6)
        while not reader.ended:
            reader.take()
        reader.forget(acked_up_to=6)
        reader.read_from(6 - KEPT)  # As after the death of a render whose video lacked the last two.
        assert not reader.ended
        assert take(KEPT) == first[-KEPT:] and clip.readings == [0]
        assert reader.ended
        reader.read_from(2)
        assert [(p.file, p.time) for p in take(4)] == [(p.file, p.time) for p in first[2:]]
        assert clip.readings == [0, 2]
    finally:
        reader.close()
        transport.close()


class Small(Clip):
    """A file of small pictures that tells how many have been decoded."""

    pixels = PIXELS

    def __init__(self):
        super().__init__()
        self.decoded = threading.Semaphore(0)

    def pictures(self, start: int = 0):
        for number in range(20):
            self.decoded.release()
            yield Picture(self.pixels, float(number), 20.0)


class Large(Small):
    """One whose pictures take five million bytes each."""

    pixels = np.empty((1000, 1667, 3), np.uint8)


@pytest.mark.parametrize(("clip", "ahead"), [(Large, AHEAD_BYTES // 5_000_000), (Small, AHEAD)])
def test_a_file_is_decoded_a_few_pictures_ahead_and_fewer_of_large_ones(clip, ahead):
    clip, transport = clip(), Transport()
    reader = Reader(clip, transport.waker(), paced=False)
    try:
        reader.read_from(0)
        transport.wait(10)
        assert reader.take().time == 0.0
        for _ in range(1 + ahead + 1):  # The last one waits for room.
            assert clip.decoded.acquire(timeout=10)
        assert not clip.decoded.acquire(timeout=0.1)
        assert reader.take().time == 1.0
        assert clip.decoded.acquire(timeout=10) and not clip.decoded.acquire(timeout=0.1)
    finally:
        reader.close()
        transport.close()


def test_nobody_is_woken_for_a_picture_that_there_is_no_room_for_yet():
    clip, transport = Small(), Transport()
    reader = Reader(clip, transport.waker(), paced=False)
    try:
        reader.read_from(0)
        transport.wait(10)  # It is told of the first.
        reader.clear_wakes()
        assert reader.take() is not None
        for _ in range(AHEAD + 2):
            assert clip.decoded.acquire(timeout=10)
        asked_s = time.monotonic()
        transport.wait(0.2)
        assert time.monotonic() - asked_s >= 0.2
        while reader.take() is not None:
            pass
        transport.wait(10)
        assert reader.take() is not None
    finally:
        reader.close()
        transport.close()


def test_a_file_that_is_shown_keeps_its_own_pace_each_file_anew():
    came = taken(Clip(), paced=True)
    assert came[2][1] - came[0][1] >= 0.09 and came[5][1] - came[3][1] >= 0.09


class Stuck(Clip):
    """One whose decoder stands still at its third picture, until it is told to go on."""

    def __init__(self, live: bool = False):
        super().__init__()
        self.live = live
        self.is_stuck, self.goes_on = threading.Event(), threading.Event()

    def pictures(self, start: int = 0):
        yield from (Picture(PIXELS, float(number), 20.0) for number in range(2))
        self.is_stuck.set()
        assert self.goes_on.wait(10)


@pytest.mark.parametrize("live", [False, True], ids=["file", "camera"])
def test_a_decoder_that_stands_still_is_noticed_and_a_camera_that_is_silent_is_none(live):
    clip, transport = Stuck(live), Transport()
    reader = Reader(clip, transport.waker(), paced=False)
    try:
        reader.read_from(0)
        while not clip.is_stuck.is_set():
            assert not reader.has_stood_still(5)
            reader.take()
        since_s = time.monotonic()
        while not reader.has_stood_still(0.05) and time.monotonic() < since_s + (0.2 if live else 10):
            transport.wait(0.01)
        assert reader.has_stood_still(0.05) is not live
        clip.passed()  # On its way to a later frame it has decoded one more.
        assert not reader.has_stood_still(5)
    finally:
        clip.goes_on.set()
        reader.close()
        transport.close()


def test_what_the_source_raises_reaches_the_loop():
    with pytest.raises(SourceError, match="unplugged"):
        taken(Camera(), paced=True)
