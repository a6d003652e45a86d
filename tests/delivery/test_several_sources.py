"""Sources that share workers and render: a busy one takes what is left over, and a quiet one goes as if it were alone.

Pure: the real dispatchers, sessions, turns and joiners, by a clock that is driven by hand. See `house`.
"""

from __future__ import annotations

import pytest

from tests.delivery.house import House, Service, Source

RUN_S = 7.0
WORK_S = 0.015 + 0.002 + 0.002 + 0.004  # of a frame in detect, an attribute stage, render, and on the wire
SLOW_RENDER = Service(render_s=0.015)


def p95_s(source: Source) -> float:
    latencies_s = sorted(source.latencies_s)
    return latencies_s[int(0.95 * len(latencies_s))]


@pytest.mark.parametrize("service", [Service(), SLOW_RENDER, Service(detects=1), Service(attribute_s=0.012)], ids=str)
@pytest.mark.parametrize(
    "others",
    [{"busy": 100.0}, {"film": None}, {"film": None, "busy": 100.0}, dict.fromkeys(["a", "b", "c", "d"])],
    ids=lambda others: " ".join(others),
)
def test_a_camera_of_2_frames_a_second_gets_its_due_beside_busy_sources(service, others):
    alone = House(service, quiet=2.0).run(RUN_S)["quiet"]
    quiet = House(service, quiet=2.0, **others).run(RUN_S)["quiet"]
    assert (quiet.dropped, quiet.given_up) == (set(), set())
    assert len(quiet.latencies_s) == len(alone.latencies_s)
    # At every place it waits for what is under way there, and for one piece of work of each other source.
    waits = 1 + len(others)
    assert p95_s(quiet) < p95_s(alone) + waits * (service.detect_s + 8 * service.attribute_s + service.render_s)


def test_a_busy_source_uses_all_that_a_quiet_one_leaves():
    together = House(film=None, quiet=2.0).run(RUN_S)
    alone = House(film=None).run(RUN_S)
    left = len(together["film"].latencies_s) + len(together["quiet"].latencies_s)
    assert left > 0.95 * len(alone["film"].latencies_s)


def test_films_and_a_busy_camera_share_what_there_is():
    house = House(film=None, other=None, busy=100.0).run(RUN_S)
    rates = [len(source.latencies_s) / RUN_S for source in house.sources]
    assert min(rates) > 0.8 * max(rates)


def test_sixteen_cameras_spread_over_all_detects():
    house = House(**{f"camera{n}": 5.0 for n in range(16)}).run(RUN_S)
    worked_s = [worker.worked_s for worker in house.workers if worker.stage == "detect"]
    assert min(worked_s) > 0.9 * max(worked_s)
    assert all(p95_s(camera) < 0.25 and not camera.dropped for camera in house.sources)


def test_a_source_that_joins_a_busy_run_gets_its_due_too():
    house = House(film=None).run(5.0)
    house.add("quiet", 2.0)
    house.run(RUN_S)
    assert not house["quiet"].dropped and p95_s(house["quiet"]) < 3 * WORK_S


def test_a_busy_camera_gets_what_fifteen_quiet_ones_leave():
    quiet = {f"quiet{n}": 0.2 for n in range(15)}
    house = House(Service(detect_s=0.1), busy=30.0, **quiet).run(RUN_S + 10)
    assert max(len(house[name].dropped) for name in quiet) <= 1  # They all begin at once.
    assert len(house["busy"].latencies_s) > 0.6 * (RUN_S + 9) * house.service.detects / house.service.detect_s
