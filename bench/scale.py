"""How many machines a large archive takes, for how long, and what is used up first: arithmetic from measured figures.

    python -m bench.scale                                the table of docs/scale.md: 100,000 hours
    python -m bench.scale --hours 5000 --cores 16 --network-gbit 1 --store-mb 400
    python -m bench.scale --figures mine.json            with figures of your own machine and films
    python -m bench.scale --of RUN --film FILM           measures what the results of a run take, in bytes and time

bench/scale.json holds the figures. What is not measured, the size of the cluster and the rates of its network and
store, is an option. The formulas, of which each function here is one:

    core seconds of an hour = frames of an hour / frames a core second + join + tables + digest
    hours on N machines     = hours of film x core seconds of an hour / 3600 / (N x cores x efficiency)
    bytes a core second     = bytes read and written for an hour of film / core seconds of an hour
    cores that a rate feeds = rate / bytes a core second
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

FIGURES = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with one kind of film on one kind of core."""

    film: str  # which
    measured: str  # how, where and when
    fps: float
    frames_per_core_second: float  # read, decoded and analysed, in one process on one core
    join_s: float  # core seconds of an hour of film: following, smoothing, writing the results
    tables_s: float  # the data set
    digest_s: float
    film_bytes: float  # of an hour
    parts_bytes: float  # the answers of the parts, until they are joined
    results_bytes: float
    dataset_bytes: float

    @property
    def core_s(self) -> float:
        """Core seconds of an hour of film."""
        return 3600 * self.fps / self.frames_per_core_second + self.serial_s

    @property
    def serial_s(self) -> float:
        """Of these what one core does for one film, after all its parts."""
        return self.join_s + self.tables_s + self.digest_s

    @property
    def read_bytes(self) -> float:
        """From the store, of an hour: the film, twice for the index that finds the key frames, and the parts."""
        return 2 * self.film_bytes + self.parts_bytes

    @property
    def written_bytes(self) -> float:
        """To the store, of an hour."""
        return self.parts_bytes + self.results_bytes + self.dataset_bytes

    @property
    def moved_bytes_per_core_second(self) -> float:
        """What one busy core reads and writes in a second."""
        return (self.read_bytes + self.written_bytes) / self.core_s


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to compute with; all of it assumed."""

    cores: int  # of a machine
    efficiency: float  # of many cores, against one: the share of the time in which they work
    network_bytes: float  # a second, of a machine
    store_bytes: float  # a second, of the store that all read and write
    tasks: float  # a second, that one driver hands out
    part_s: float  # seconds of film


def hours_taken(figures: Figures, cluster: Cluster, hours: float, machines: int) -> float:
    """By the clock, for so many hours of film."""
    return hours * figures.core_s / 3600 / (machines * cluster.cores * cluster.efficiency)


def limits(figures: Figures, cluster: Cluster) -> dict[str, float]:
    """How many busy cores each shared thing can feed, the scarcest first."""
    per_core = figures.moved_bytes_per_core_second
    parts_per_core_second = 3600 / cluster.part_s / figures.core_s
    found = {
        "the store that all share": cluster.store_bytes / per_core,
        "the driver, which hands out the parts": cluster.tasks / parts_per_core_second,
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def cores_fed_by_network(figures: Figures, cluster: Cluster) -> float:
    """How many cores of one machine its network can feed."""
    return cluster.network_bytes / figures.moved_bytes_per_core_second


def report(figures: Figures, cluster: Cluster, hours: float, machines: list[int]) -> str:
    """The tables, in Markdown."""
    scarce, cores = next(iter(limits(figures, cluster).items()))
    rows = []
    for count in machines:
        taken_h = hours_taken(figures, cluster, hours, count)
        busy = count * cluster.cores * cluster.efficiency
        moved_mb = busy * figures.moved_bytes_per_core_second / 1e6
        is_fed = "" if busy <= cores else f"{busy / cores:.1f} x what {scarce} gives"
        rows.append(f"| {count} | {_time(taken_h)} | {moved_mb:,.0f} | {is_fed} |")
    per_hour = [
        ("decode and analyse", f"{3600 * figures.fps / figures.frames_per_core_second:,.0f} core s"),
        ("join", f"{figures.join_s:.1f} core s"),
        ("tables and digest", f"{figures.tables_s + figures.digest_s:.1f} core s"),
        ("film", _bytes(figures.film_bytes)),
        ("answers of parts, until they are joined", _bytes(figures.parts_bytes)),
        ("results", _bytes(figures.results_bytes)),
        ("data set", _bytes(figures.dataset_bytes)),
    ]
    found = limits(figures, cluster)
    return "\n".join(
        [
            f"{figures.film}. {figures.measured}.",
            "",
            "| of an hour of film | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in per_hour),
            "",
            f"| machines of {cluster.cores} cores | {hours:,.0f} hours take | store, MB/s | |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "| what is shared | feeds at most |",
            "| --- | --- |",
            f"| the network of a machine | {cores_fed_by_network(figures, cluster):,.0f} of its cores |",
            *(f"| {name} | {count:,.0f} cores |" for name, count in found.items()),
            "",
            f"All of it: {_bytes(hours * figures.film_bytes)} of film,"
            f" {_bytes(hours * figures.results_bytes)} of results, {_bytes(hours * figures.dataset_bytes)} of data set,"
            f" {hours * figures.core_s / 3600:,.0f} core hours.",
        ]
    )


def measured_of(run: Path, film: Path) -> dict[str, float]:
    """What the results of a run over a film take, for each hour of it."""
    from stages.archive.dataset import Tables
    from stages.plan import read_pipeline
    from stages.reading.lines import results_in
    from stages.report.digest import digest_of

    tables, results = Tables.of(*read_pipeline(None)), results_in(run)
    digest = digest_of(results)
    hours = digest.seconds / 3600
    with tempfile.TemporaryDirectory() as folder:
        paths = tables.add(run, "film", Path(folder))
        dataset_bytes = sum((Path(folder) / path).stat().st_size for path in paths)
        tables_s = _core_s(lambda: tables.add(run, "film", Path(folder)))
    return {
        "fps": digest.frames / digest.seconds,
        "film_bytes": film.stat().st_size / hours,
        "results_bytes": sum(path.stat().st_size for path in run.glob("*.json*")) / hours,
        "dataset_bytes": dataset_bytes / hours,
        "tables_s": tables_s / hours,
        "digest_s": _core_s(lambda: digest_of(results)) / hours,
    }


def _core_s(work: Callable[[], object]) -> float:
    """Seconds of processor time of this process."""
    before_s = time.process_time()
    work()
    return time.process_time() - before_s


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def _bytes(count: float) -> str:
    unit = next(unit for unit in (1e15, 1e12, 1e9, 1e6) if count >= unit or unit == 1e6)
    return f"{count / unit:,.3g} {({1e15: 'PB', 1e12: 'TB', 1e9: 'GB', 1e6: 'MB'})[unit]}"


def main(argv: list[str] | None = None) -> int:
    """Print the tables, or what was measured of a run."""
    options = _options(argv)
    if options.of is not None:
        print(json.dumps(measured_of(options.of, options.film), indent=1))
        return 0
    cluster = Cluster(
        options.cores,
        options.efficiency,
        options.network_gbit * 1e9 / 8,
        options.store_mb * 1e6,
        options.tasks,
        options.part_minutes * 60,
    )
    every = msgspec.json.decode(options.figures.read_bytes(), type=list[Figures])
    print("\n\n".join(report(one, cluster, options.hours, options.machines) for one in every))
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--figures", type=Path, default=FIGURES, metavar="FILE")
    parser.add_argument("--hours", type=float, default=100_000, help="of film")
    parser.add_argument("--machines", type=int, nargs="+", default=[10, 30, 100, 300])
    parser.add_argument("--cores", type=int, default=32, help="of a machine")
    parser.add_argument("--efficiency", type=float, default=0.95, help="of many cores, against one")
    parser.add_argument("--network-gbit", type=float, default=10, help="a second, of a machine")
    parser.add_argument("--store-mb", type=float, default=2000, help="a second, of the store that all share")
    parser.add_argument("--tasks", type=float, default=100, help="that one driver hands out in a second")
    parser.add_argument("--part-minutes", type=float, default=5, help="of film in a part")
    parser.add_argument("--of", type=Path, metavar="RUN", help="measure the results in this folder")
    parser.add_argument("--film", type=Path, help="of which they are")
    options = parser.parse_args(argv)
    if options.of is not None and options.film is None:
        parser.error("--of needs --film, whose size is one of the figures")
    return options


if __name__ == "__main__":
    sys.exit(main())
