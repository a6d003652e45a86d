"""How many machines a fleet of cameras takes, from what one camera costs; which resource ends first.

python -m bench.fleet --cameras 1000 --cores 2 16 64: reads bench/camera-costs.json, which `python -m bench.cameras
--costs bench/camera-costs.json` has measured, and prints a table for each size of pictures. A machine of the fleet is
then played frame by frame, also with one machine lost, whose cameras the others take: how late frames are, and how many
are dropped. The play knows the processor only, and a frame as one job of half to one and a half times the usual.

A run has one render, so its cameras are at most what one core renders; a larger machine has several runs.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from bench.options import BenchError
from bench.table import markdown
from stages.config.schema import Pipeline
from stages.errors import FacepipeError
from stages.project import PROJECT

COSTS = PROJECT / "bench" / "camera-costs.json"
USED = 0.7  # of each resource, so that live frames, which come unevenly, and the cameras of a lost machine find room
PLAYED_S = 60.0
RESOURCES = ("processor", "memory", "network", "disk")
UNEVEN = 0.5  # a frame takes up to so much more or less than the usual one, by its faces


@dataclass(frozen=True, slots=True)
class Costs:
    """What one camera costs, as measured."""

    measured: str  # when and where
    picture: str
    cpu_ms_a_frame: float  # of one core, of all processes
    render_ms_a_frame: float  # of it what the one process takes that a run has once
    memory_mb_a_camera: float
    memory_mb_a_run: float  # of the processes that its cameras share
    network_kb_a_frame: float  # from the camera
    disk_kb_a_frame: float

    @classmethod
    def read(cls, path: Path) -> dict[str, Costs]:
        """What `write` has left, by the width of the pictures; raises `BenchError`."""
        try:
            return {width: cls(**costs) for width, costs in json.loads(path.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, TypeError) as error:
            raise BenchError(
                f"{path} cannot be read ({error}); measure it with python -m bench.cameras --costs {path}."
            ) from None

    def write(self, path: Path, width: int) -> None:
        """Put them into a file, beside those of other widths; raises `BenchError`."""
        others = self.read(path) if path.exists() else {}
        every = {**others, str(width): self}
        in_order = {key: asdict(every[key]) for key in sorted(every, key=int)}
        path.write_text(json.dumps(in_order, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Node:
    """What one machine has."""

    cores: int
    memory_gb: float
    network_mbit_s: float
    disk_mb_s: float


def cameras_of_a_run(costs: Costs, rate: float) -> int:
    """How many cameras of so many frames a second the render of one run keeps up with, at least one."""
    return max(1, int(USED * 1000 / (rate * costs.render_ms_a_frame)))


def cameras_by_resource(node: Node, costs: Costs, rate: float) -> dict[str, int]:
    """How many cameras of so many frames a second each resource of a machine is enough for."""
    mb_a_camera = costs.memory_mb_a_camera + costs.memory_mb_a_run / cameras_of_a_run(costs, rate)
    return {
        "processor": int(USED * node.cores * 1000 / (rate * costs.cpu_ms_a_frame)),
        "memory": int(USED * node.memory_gb * 1000 / mb_a_camera),
        "network": int(USED * node.network_mbit_s * 1000 / 8 / (rate * costs.network_kb_a_frame)),
        "disk": int(USED * node.disk_mb_s * 1000 / (rate * costs.disk_kb_a_frame)),
    }


def nodes(cameras: int, held: dict[str, int]) -> int:
    """How many machines so many cameras take; raises `BenchError` where one holds none."""
    if not min(held.values()):
        raise BenchError(f"a machine has not enough {min(held, key=held.get)} for one camera; name a larger one.")
    return ceil(cameras / min(held.values()))


@dataclass(frozen=True, slots=True)
class Played:
    """How a machine does that is played."""

    latency_ms_p95: float
    dropped: float  # share of the frames


def play(cameras: int, rate: float, cores: int, ms_a_frame: float, window: int, seed: int = 1) -> Played:
    """A minute of a machine with so many cameras.

    Each camera begins at a moment of its own; frames wait for the next free core in the order in which they come. A
    camera that has `window` frames unfinished drops the next one.
    """
    chance = random.Random(seed)
    arrivals = sorted(
        (first + number / rate, camera)
        for camera, first in enumerate(chance.uniform(0, 1 / rate) for _ in range(cameras))
        for number in range(int(PLAYED_S * rate))
    )
    free = [0.0] * cores  # when each core is, as a heap
    unfinished: list[deque[float]] = [deque() for _ in range(cameras)]  # when the frames of a camera will be finished
    latencies = []
    for at, camera in arrivals:
        own = unfinished[camera]
        while own and own[0] <= at:
            own.popleft()
        if len(own) >= window:
            continue
        took = ms_a_frame / 1000 * chance.uniform(1 - UNEVEN, 1 + UNEVEN)
        finished = max(at, heapq.heappop(free)) + took
        heapq.heappush(free, finished)
        own.append(finished)
        latencies.append(finished - at)
    p95 = sorted(latencies)[int(0.95 * len(latencies))]
    return Played(1000 * p95, 1 - len(latencies) / len(arrivals))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--cameras", metavar="N", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--rate", metavar="R", type=float, default=5.0, help="frames a second (default: 5)")
    parser.add_argument("--cores", metavar="N", type=int, nargs="+", default=[2, 16, 64], help="of a machine")
    parser.add_argument("--memory", metavar="GB", type=float, help="of a machine (default: 4 for each core)")
    parser.add_argument("--network", metavar="MBIT", type=float, default=1000.0, help="a second (default: 1000)")
    parser.add_argument("--disk", metavar="MB", type=float, default=200.0, help="written a second (default: 200)")
    parser.add_argument("--costs", metavar="FILE", type=Path, default=COSTS, help=f"(default: {COSTS.name})")
    given = parser.parse_args(argv)
    try:
        for width, costs in Costs.read(given.costs).items():
            title = f"{width} pixels wide"
            rows = [
                (
                    title,
                    *RESOURCES,
                    "machines",
                    "runs on each",
                    "95 % of frames within",
                    "dropped",
                    "with one machine lost",
                )
            ]
            for count in given.cores:
                node = Node(count, given.memory or 4 * count, given.network, given.disk)
                rows.append(_row(node, given.cameras, costs, given.rate))
            print(f"\n{given.cameras} cameras of {given.rate:g} frames a second; {costs.measured}; {costs.picture}\n")
            print(markdown(rows))
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def _row(node: Node, cameras: int, costs: Costs, rate: float) -> tuple[str, ...]:
    held = cameras_by_resource(node, costs, rate)
    machines = nodes(cameras, held)
    last = min(held, key=held.get)

    def played(on: int) -> Played:
        return play(ceil(cameras / on), rate, node.cores, costs.cpu_ms_a_frame, Pipeline().window)

    usual = played(machines)
    lost = "-"
    if machines > 1:
        after = played(machines - 1)
        lost = f"{after.latency_ms_p95:.0f} ms, {100 * after.dropped:.1f} %"
    return (
        f"{node.cores} cores, {node.memory_gb:g} GB",
        *(f"**{held[name]}**" if name == last else str(held[name]) for name in RESOURCES),
        str(machines),
        str(ceil(cameras / machines / cameras_of_a_run(costs, rate))),
        f"{usual.latency_ms_p95:.0f} ms",
        f"{100 * usual.dropped:.1f} %",
        lost,
    )


if __name__ == "__main__":
    sys.exit(main())
