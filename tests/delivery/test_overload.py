"""More cameras than there is time for: what can be done is done, in time and for all; the rest is dropped. Pure."""

from __future__ import annotations

import pytest

from stages.delivery.congestion import CongestionWindow
from tests.delivery.house import House, Service

WARM_S, RUN_S = 8.0, 20.0
DEADLINE_S = 1.0
RECENT = 20  # frames of a camera


@pytest.mark.parametrize(
    ("cameras", "rate", "service", "capacity"),
    [
        (16, 5.0, Service(detect_s=0.1), 20),
        (50, 5.0, Service(detect_s=0.05), 40),
        (32, 5.0, Service(detect_s=0.015), 133),
        (50, 5.0, Service(detect_s=0.015), 133),
        (8, 5.0, Service(detect_s=0.06), 33),
        (2, 30.0, Service(detect_s=0.1), 20),
    ],
)
def test_cameras_that_are_too_many_together_get_what_the_detects_can_do(cameras, rate, service, capacity):
    house = House(service, **{f"camera{n}": rate for n in range(cameras)}).run(WARM_S)
    before = [len(camera.latencies_s) for camera in house.sources]
    house.run(RUN_S)
    finished = [len(camera.latencies_s) - b for camera, b in zip(house.sources, before, strict=True)]
    assert sum(finished) > 0.9 * capacity * (RUN_S - WARM_S)
    assert max(finished) < 4 + 1.25 * min(finished)
    latencies_s = [s for camera, b in zip(house.sources, before, strict=True) for s in camera.latencies_s[b:]]
    assert sorted(latencies_s)[int(0.95 * len(latencies_s))] < DEADLINE_S


def test_cameras_that_are_few_enough_again_lose_nothing_any_more():
    house = House(Service(), **{f"camera{n}": 5.0 for n in range(32)}).run(WARM_S)
    house.service = Service(detect_s=0.005)  # another machine helps
    house.run(WARM_S + 5.0)
    dropped = sum(len(camera.dropped) for camera in house.sources)
    house.run(RUN_S)
    assert sum(len(camera.dropped) for camera in house.sources) == dropped


def test_a_detector_that_is_slow_by_itself_is_given_no_frame_that_would_be_late():
    """A frame takes nearly half of the deadline, so that a second one behind it would take all of it."""
    camera = House(Service(detect_s=0.45), camera=5.0).run(RUN_S)["camera"]
    assert len(camera.latencies_s) > 0.75 * 2 / 0.45 * (RUN_S - 1.0)


def test_answers_that_attributes_owe_cost_no_frame():
    """That stage is too slow, and it is given less to do; see `LivePolicy.shed`."""
    camera = House(Service(attribute_s=0.2), camera=30.0).run(RUN_S)["camera"]
    assert len(camera.dropped) < 2 and len(camera.given_up) > 1000  # one, before it is known how slow that stage is


@pytest.mark.parametrize(("cameras", "rate", "render_s"), [(16, 5.0, 0.025), (4, 30.0, 0.02)])
def test_cameras_that_are_too_many_for_render_are_shown_near_the_deadline(cameras, rate, render_s):
    house = House(Service(render_s=render_s), **{f"camera{n}": rate for n in range(cameras)}).run(RUN_S)
    finished = [len(camera.latencies_s) for camera in house.sources]
    assert sum(finished) > 0.9 * RUN_S / render_s and max(finished) < 1.1 * min(finished)
    latencies_s = sorted(s for camera in house.sources for s in camera.latencies_s[-RECENT:])
    assert latencies_s[int(0.95 * len(latencies_s))] < 1.5 * DEADLINE_S


def test_one_late_frame_halves_the_window_once_and_as_many_in_time_as_it_has_make_it_one_larger():
    window = CongestionWindow(16, DEADLINE_S)
    assert window.frames(0.0) == 16
    window.late(5.0)
    window.late(5.9)  # handed out before the first was late
    assert window.frames(0.0) == 8
    for _ in range(9):
        window.in_time()
    assert window.frames(0.0) == 9
    for at_s in range(6, 20):
        window.late(float(at_s))
    assert (window.frames(3.9), window.frames(4.0)) == (0, 1)  # less than one: one, and then a pause
