"""Cameras, played by a fake in the place of OpenCV's capture, and by files in the place of devices."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from stages.sources import base, camera
from stages.sources.base import SourceAway, SourceError
from stages.sources.camera import Camera, list_cameras
from stages.sources.opening import open_source


class FakeCapture:
    """Gives pictures 0, 1, 2 ... of 8 x 6 pixels, as many as it has."""

    def __init__(self, pictures: int, rate: float = 15.0, opens: bool = True):
        self.pictures, self.rate, self.opens = pictures, rate, opens
        self.given, self.released = 0, threading.Event()

    def isOpened(self) -> bool:  # noqa: N802  OpenCV's name
        return self.opens

    def get(self, _: int) -> float:
        return self.rate

    def read(self):
        if self.given == self.pictures:
            return False, None
        self.given += 1
        return True, np.full((6, 8, 3), self.given - 1, np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Folders in the place of /dev and of /sys, and patience of a moment."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(camera, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(camera, "_DESCRIPTIONS", tmp_path / "sys")
    monkeypatch.setattr(camera, "_SILENT_FOR_S", 0.2)
    monkeypatch.setattr(camera, "_ASK_AGAIN_S", 0.01)
    (tmp_path / "dev").mkdir()

    def add(number: int, name: str | None = None, index: int = 0) -> None:
        (tmp_path / "dev" / f"video{number}").touch()
        if name is not None:
            (tmp_path / "sys" / f"video{number}").mkdir(parents=True)
            (tmp_path / "sys" / f"video{number}" / "name").write_text(name + "\n")
            (tmp_path / "sys" / f"video{number}" / "index").write_text(f"{index}\n")

    add.dev = tmp_path / "dev"
    return add


def test_cameras_are_listed_by_number_without_their_metadata_devices(devices):
    devices(10, "Desk camera")
    devices(2, "Integrated Camera")
    devices(3, "Integrated Camera", index=1)
    devices(4)
    assert list_cameras() == [
        f"2: Integrated Camera ({devices.dev}/video2)",
        f"4: {devices.dev}/video4",
        f"10: Desk camera ({devices.dev}/video10)",
    ]


def test_without_cameras_the_list_is_empty(devices):
    assert list_cameras() == []


def test_a_camera_is_live_and_gives_what_comes(devices):
    devices(0)
    capture = FakeCapture(pictures=5)
    source = Camera(0, lambda number: capture)
    assert (source.name, source.description, source.live, source.frames) == (
        "camera0",
        "8 x 6 at 15 frames/s",
        True,
        None,
    )
    pictures = list(source.pictures(start=3))
    assert [p.pixels[0, 0, 0] for p in pictures] == [1, 2, 3, 4]  # The first was read to see that it works.
    assert {p.rate for p in pictures} == {15.0}
    times = [p.time for p in pictures]
    assert times == sorted(times) and times[0] >= 0
    assert source.notes == ["Camera 0 gave 4 frames and then nothing for 0.2 s."]
    source.close()
    assert capture.released.is_set()


@pytest.mark.parametrize("told", [0.0, -1.0, float("nan"), 90000.0])
def test_a_camera_that_tells_no_rate_has_the_usual_one_and_none_is_claimed(devices, told):
    devices(0)
    source = Camera(0, lambda number: FakeCapture(2, rate=told))
    assert source.description == "8 x 6"
    assert next(source.pictures()).rate == 30.0


def test_a_camera_that_was_unplugged_is_found_again(devices, monkeypatch):
    monkeypatch.setattr(base, "PAUSE_S", 0.01)
    devices(0)
    opened, told = [], []

    def plugged_in(number: int) -> FakeCapture:
        opened.append(FakeCapture(3, opens=len(opened) != 1))  # The second time it is not there yet.
        return opened[-1]

    source = Camera(0, plugged_in)
    source.reconnect_s, source.tell = 5.0, told.append
    pictures = source.pictures()
    assert [int(next(pictures).pixels[0, 0, 0]) for _ in range(4)] == [1, 2, 1, 2]
    assert (source.reconnections, len(opened), source.discarded) == (1, 3, 2)  # Each opening has taken one.
    assert told == ["camera 0 is lost; looking for it for 5 s", "camera 0 is back"]
    source.close()


def test_a_camera_that_stays_away_ends_the_reading(devices, monkeypatch):
    monkeypatch.setattr(base, "PAUSE_S", 0.01)
    devices(0)
    captures = iter([FakeCapture(3)])
    source = Camera(0, lambda number: next(captures, FakeCapture(0, opens=False)))
    source.reconnect_s = 0.1
    assert len(list(source.pictures())) == 2
    assert source.notes[-1].startswith("Camera 0 gave 2 frames and then nothing for")


def test_a_closed_camera_opens_again(devices):
    devices(0)
    source = Camera(0, lambda number: FakeCapture(pictures=3))
    next(source.pictures())
    source.close()
    assert next(source.pictures()).pixels[0, 0, 0] == 1
    source.close()


def test_a_camera_that_does_not_open_names_those_there_are(devices):
    devices(1, "Desk camera")
    with pytest.raises(SourceError) as error:
        Camera(1, lambda number: FakeCapture(0, opens=False))
    assert str(error.value) == (
        f"Camera 1 does not open, another program may have it; there are: 1: Desk camera ({devices.dev}/video1)."
    )
    with pytest.raises(SourceError, match="There is no camera 7; there are: 1: Desk camera"):
        open_source(7)


def test_a_camera_that_may_come_yet_is_waited_for(devices):
    with pytest.raises(SourceAway) as error:
        open_source(7)
    assert error.value.so_far == "no camera 7 yet"
    devices(1, "Desk camera")
    with pytest.raises(SourceAway) as error:
        open_source(7)
    assert error.value.so_far == f"no camera 7 yet (there are: 1: Desk camera ({devices.dev}/video1))"
    with pytest.raises(SourceAway) as error:
        Camera(1, lambda number: FakeCapture(0, opens=False))
    assert error.value.so_far == "camera 1 does not open yet, another program may have it"
    with pytest.raises(SourceAway) as error:
        Camera(1, lambda number: FakeCapture(0))
    assert error.value.so_far == "camera 1 gives no picture yet"


def test_a_camera_without_pictures_is_given_up_and_given_back(devices):
    devices(0)
    capture = FakeCapture(pictures=0)
    with pytest.raises(SourceError, match="Camera 0 opens but gave no picture in 0.2 s"):
        Camera(0, lambda number: capture)
    assert capture.released.wait(10)


def test_a_camera_that_hangs_is_given_up(devices):
    devices(0)
    unblocked = threading.Event()

    class Hanging(FakeCapture):
        def read(self):
            unblocked.wait(30)
            return False, None

    capture = Hanging(pictures=0)
    with pytest.raises(SourceError, match="gave no picture in 0.2 s"):
        Camera(0, lambda number: capture)
    unblocked.set()
    assert capture.released.wait(10)


def test_auto_takes_the_first_camera_that_works(devices, monkeypatch):
    for number in (0, 2, 4):
        devices(number)
    monkeypatch.setattr(camera, "open_capture", lambda number: FakeCapture(9, opens=number != 0))
    monkeypatch.setattr(Camera.__init__, "__defaults__", (camera.open_capture,))
    source = open_source("auto")
    assert source.name == "camera2"
    assert source.chosen.startswith("camera2 opens, so it is the source; ")
    source.close()
