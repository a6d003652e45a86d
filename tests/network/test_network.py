"""Three machines in a network of their own: capture and render on one, detect on another, the nets on the third.

The short tests are part of `make test`; `make test-network` runs the long ones too.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack

import pytest

from tests.end_to_end.command import Ran, somewhere
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera
from tests.network.network import network

NAMES = ("desk", "fast", "nets")
STAGES = "stages: {detect: {host: fast, replicas: 1}, gender: {host: nets}, emotion: {host: nets}, age: {host: nets}}"
LOSSLESS = f"{STAGES}\nframes: {{encoding: png}}"


@pytest.fixture(scope="module")
def alone(slow_film, tmp_path_factory) -> Ran:
    """The same film on one machine."""
    with somewhere(tmp_path_factory.mktemp("alone")) as here:
        return here.run(slow_film)


def assert_undisturbed(ran: Ran, helped: list[Ran], alone: Ran) -> None:
    assert (ran.status, [helper.status for helper in helped]) == (0, [0, 0]), [ran.err, *(h.err for h in helped)]
    assert ran.results == alone.results


def pause(seconds: float) -> None:
    """Let the others go on: what is waited for here is that nothing happens."""
    threading.Event().wait(seconds)


def test_a_run_over_three_machines_is_that_on_one_although_a_cable_is_pulled(tmp_path, slow_film, alone):
    with network(tmp_path, LOSSLESS, *NAMES) as (net, machines):
        helpers = [machines[name].run("--once") for name in ("fast", "nets")]
        run = machines["desk"].run("--set=pace=true", source=slow_film).until_lines(3)
        net.pull("fast")
        before = run.line_count
        pause(3)
        assert run.line_count <= before + 16  # what was under way; nothing new can come
        net.plug_in("fast")
        ran = run.end(alone=False)
        ended = [helper.end() for helper in helpers]
    assert_undisturbed(ran, ended, alone)
    assert ran.summary["refused"] == {}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("cut", ["fast", "nets"])
def test_a_cable_cut_for_a_minute_stalls_the_run_with_bounded_memory_and_costs_nothing(tmp_path, slow_film, alone, cut):
    with network(tmp_path, LOSSLESS, *NAMES) as (net, machines):
        helpers = [machines[name].run("--once") for name in ("fast", "nets")]
        run = machines["desk"].run("--set=pace=true", source=slow_film).until_lines(6)
        net.pull(cut)
        pause(10)
        stalled, memory = run.line_count, [p.memory_info().rss for ps in run.stages().values() for p in ps]
        pause(50)
        assert run.line_count == stalled
        later = [p.memory_info().rss for ps in run.stages().values() for p in ps]
        assert sum(later) < sum(memory) + 20_000_000
        net.plug_in(cut)
        back_s = time.monotonic()
        run.until(lambda: run.line_count > stalled, "the run going on")
        print(f"went on {time.monotonic() - back_s:.1f} s after the cable was plugged in")
        ran = run.end(alone=False, timeout_s=120)
        ended = [helper.end() for helper in helpers]
    assert_undisturbed(ran, ended, alone)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("gone", ["fast", "nets"])
def test_a_machine_that_vanishes_and_returns_costs_nothing(tmp_path, slow_film, alone, gone):
    with network(tmp_path, LOSSLESS, *NAMES) as (net, machines):
        helpers = {name: machines[name].run("--once") for name in ("fast", "nets")}
        run = machines["desk"].run("--set=pace=true", source=slow_film).until_lines(6)
        net.pull(gone)  # First, so that no last words and no end of a connection can be heard.
        machines[gone].crash()
        assert helpers[gone].end(alone=False).status == -signal.SIGKILL
        pause(5)
        net.plug_in(gone)
        helpers[gone] = machines[gone].run("--once")
        ran = run.end(alone=False, timeout_s=120)
        ended = [helper.end() for helper in helpers.values()]
    assert_undisturbed(ran, ended, alone)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_slow_line_that_loses_packets_costs_time_only(tmp_path, slow_film, alone):
    with network(tmp_path, LOSSLESS, *NAMES) as (net, machines):
        for name in NAMES:
            net.spoil(name, delay_ms=40, loss=0.02)
        helpers = [machines[name].run("--once") for name in ("fast", "nets")]
        ran = machines["desk"].run(source=slow_film).end(alone=False, timeout_s=200)
        ended = [helper.end() for helper in helpers]
    assert_undisturbed(ran, ended, alone)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_camera_may_be_the_one_that_is_cut_off(tmp_path, slow_film, alone):
    config = "stages: {detect: {}, gender: {}, emotion: {}, age: {}}\ncapture: {host: door}\nframes: {encoding: png}"
    with network(tmp_path, config, "desk", "door") as (net, machines):
        door = machines["door"].run("--set=pace=true", source=slow_film)
        run = machines["desk"].run(source=slow_film).until_lines(6)
        net.pull("door")
        pause(20)
        net.plug_in("door")
        ran, read = run.end(timeout_s=150), door.end(timeout_s=60)
    assert (ran.status, read.status) == (0, 0), ran.err + read.err
    assert ran.results == alone.results


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_camera_goes_on_without_the_answers_of_a_machine_that_is_cut_off_and_with_them_afterwards(
    tmp_path, astronaut
):
    def answered(run) -> int:
        lines = (run.output / "results.jsonl").read_bytes().splitlines()[:-1]
        return sum(b'"age"' in line and b'"missing"' not in line for line in lines)

    quick = STAGES.replace("replicas: 1", "replicas: 1, longest_side: 320, smallest_face: 0.2")
    with network(tmp_path, quick, *NAMES) as (net, machines), ExitStack() as opened:
        with net.within("desk"):
            door = opened.enter_context(camera(lambda number: scene(astronaut, number), rate=6))
        helpers = [machines[name].run("--once") for name in ("fast", "nets")]
        run = machines["desk"].run(source=door.url).until_lines(40)
        assert answered(run) > 0
        net.pull("nets")
        pause(3)  # What had been answered before is written by now.
        before, had = run.line_count, answered(run)
        pause(10)
        assert run.line_count > before + 20  # The deadline is a second: nobody is waited for longer.
        assert answered(run) == had
        net.plug_in("nets")
        run.until(lambda: answered(run) > had + 10, "answers again")
        ran, ended = run.signal(signal.SIGINT).end(alone=False), [helper.end() for helper in helpers]
    assert (ran.status, [helper.status for helper in ended]) == (130, [0, 0]), [ran.err, *(h.err for h in ended)]
    [source] = ran.summary["sources"]
    dropped = sum(drop["count"] for drop in source["dropped"])
    assert source["captured"] == source["rendered"] + dropped + source["unaccounted"]
    assert source["missing"] > 0


@pytest.mark.long
def test_a_stopped_run_ends_on_its_own_machine_and_the_others_wait_for_the_next(tmp_path, slow_film, alone):
    with network(tmp_path, LOSSLESS, *NAMES) as (_, machines):
        helpers = [machines[name].run() for name in ("fast", "nets")]
        first = machines["desk"].run("--set=pace=true", source=slow_film).until_lines(6).signal(signal.SIGINT)
        assert first.end().status == 130
        assert not any(helper.is_over for helper in helpers)
        ran = machines["desk"].run("--resume", source=slow_film).end(alone=False)
        assert (ran.status, ran.results) == (0, alone.results), ran.err
        assert [helper.signal(signal.SIGTERM).end().status for helper in helpers] == [143, 143]
