"""How many machines a large archive takes, for how long, and what is used up first: arithmetic from measured figures.

    python -m bench.scale                                the table of docs/scale.md: 100,000 hours
    python -m bench.scale --hours 5000 --cores 16 --network-gbit 1 --store-mb 400
    python -m bench.scale --figures mine.json            with figures of your own machine and films
    python -m bench.scale --measure FILM > mine.json     measures these figures, in one process on one core

bench/scale.json holds the figures. What is not measured, the size of the cluster and the rates of its network and
store, is an option. Times are those of the processor, so that other work on the machine counts little. The formulas:

    core seconds of an hour = index + frames of an hour / frames a core second + join + tables + digest
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

PART_S = 300.0  # of film, in a part
Made = TypeVar("Made")
FIGURES = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with one kind of film on one kind of core."""

    film: str  # which
    measured: str  # how, where and when
    fps: float
    frames_per_core_second: float  # read, decoded and analysed
    index_s: float  # core seconds of an hour of film: finding where it can be divided
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
        return self.parts_s + self.serial_s

    @property
    def parts_s(self) -> float:
        """Of these what any number of cores can do at once."""
        return 3600 * self.fps / self.frames_per_core_second

    @property
    def serial_s(self) -> float:
        """And what one core does for one film, before and after all its parts."""
        return self.index_s + self.join_s + self.tables_s + self.digest_s

    @property
    def read_bytes(self) -> float:
        """From the store, of an hour: the film, once more to find where it can be divided, and the parts."""
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
    found = limits(figures, cluster)
    scarce, cores = next(iter(found.items()))
    rows = []
    for count in machines:
        busy = count * cluster.cores * cluster.efficiency
        waits = max(1.0, busy / cores)
        taken_h = waits * hours_taken(figures, cluster, hours, count)
        moved_mb = busy / waits * figures.moved_bytes_per_core_second / 1e6
        limit = "the processors" if waits == 1 else f"{scarce}: {waits:.1f} times as many cores as it feeds"
        rows.append(f"| {count} | {_time(taken_h)} | {moved_mb:,.0f} MB/s | {limit} |")
    per_hour = [
        ("decode and analyse", f"{figures.parts_s:,.0f} core s, {figures.frames_per_core_second:.1f} frames a core s"),
        ("index and join", f"{figures.index_s + figures.join_s:.1f} core s"),
        ("tables and digest", f"{figures.tables_s + figures.digest_s:.1f} core s"),
        ("film", _bytes(figures.film_bytes)),
        ("answers of parts, until they are joined", _bytes(figures.parts_bytes)),
        ("results", _bytes(figures.results_bytes)),
        ("data set", _bytes(figures.dataset_bytes)),
    ]
    return "\n".join(
        [
            f"**{figures.film}.** Measured with {figures.measured}.",
            "",
            "| of an hour of film | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in per_hour),
            "",
            f"| machines of {cluster.cores} cores | {hours:,.0f} hours take | the store gives and takes | limited by |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "| what is shared | feeds at most |",
            "| --- | --- |",
            f"| the network of a machine | {cores_fed_by_network(figures, cluster):,.0f} of its own cores |",
            *(
                f"| {name} | {count:,.0f} cores, {count / cluster.cores:,.0f} machines |"
                for name, count in found.items()
            ),
            "",
            f"All of it: {_bytes(hours * figures.film_bytes)} of film,"
            f" {_bytes(hours * figures.results_bytes)} of results, {_bytes(hours * figures.dataset_bytes)} of data set,"
            f" {hours * figures.core_s / 3600:,.0f} core hours. However many machines there are, they take"
            f" {_time(hours * figures.core_s / 3600 / cores)}.",
        ]
    )


def measured(film: Path) -> Figures:
    """What an archive of one film takes, by the functions that its workers call."""
    from stages.archive import analysing, joining
    from stages.archive.dataset import Tables
    from stages.archive.film import index, parts_of
    from stages.plan import read_pipeline
    from stages.reading.lines import results_in
    from stages.report.digest import digest_of

    pipeline, folder = read_pipeline(None, ["render.annotated=false"])
    analyst, tables = analysing.analyst_for(pipeline, folder), Tables.of(pipeline, folder)
    clock = Clock()
    found = clock.timed("index", lambda: index(film, pipeline))
    analysing.analyse(film, parts_of(found, 2.0)[0], analyst)  # What is done once in a process is not of an hour.
    parts = clock.timed("parts", lambda: [analysing.analyse(film, part, analyst) for part in parts_of(found, PART_S)])
    with tempfile.TemporaryDirectory() as made:
        run, dataset = Path(made, "run"), Path(made, "dataset")
        clock.timed("join", lambda: joining.join(film, found, parts, pipeline, folder, run))
        paths = clock.timed("tables", lambda: tables.add(run, "film", dataset))
        digest = clock.timed("digest", lambda: digest_of(results_in(run)))
        hours = digest.seconds / 3600
        return Figures(
            film=f"{found.width} x {found.height} at {8e-6 * film.stat().st_size / digest.seconds:.1f} Mbit/s,"
            f" {digest.faces / digest.frames:.1f} faces a frame",
            measured=f"{digest.frames:,} frames in one process on one core, {time.strftime('%Y-%m-%d')}",
            fps=digest.frames / digest.seconds,
            frames_per_core_second=digest.frames / clock.spent_s["parts"],
            index_s=clock.spent_s["index"] / hours,
            join_s=clock.spent_s["join"] / hours,
            tables_s=clock.spent_s["tables"] / hours,
            digest_s=clock.spent_s["digest"] / hours,
            film_bytes=film.stat().st_size / hours,
            parts_bytes=sum(map(len, parts)) / hours,
            results_bytes=sum(path.stat().st_size for path in run.glob("*.json*")) / hours,
            dataset_bytes=sum((dataset / path).stat().st_size for path in paths) / hours,
        )


class Clock:
    """Seconds of processor time of this process, by what was done."""

    def __init__(self):
        self.spent_s: dict[str, float] = {}

    def timed(self, what: str, work: Callable[[], Made]) -> Made:
        """Do it; returns what it gives."""
        before_s = time.process_time()
        made = work()
        self.spent_s[what] = time.process_time() - before_s
        return made


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def _bytes(count: float) -> str:
    unit = next(unit for unit in (1e15, 1e12, 1e9, 1e6) if count >= unit or unit == 1e6)
    return f"{count / unit:,.3g} {({1e15: 'PB', 1e12: 'TB', 1e9: 'GB', 1e6: 'MB'})[unit]}"


def main(argv: list[str] | None = None) -> int:
    """Print the tables, or what was measured of films."""
    options = _options(argv)
    if options.measure:
        print(json.dumps([asdict(measured(film)) for film in options.measure], indent=1))
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
    parser.add_argument("--part-minutes", type=float, default=PART_S / 60, help="of film in a part")
    parser.add_argument("--measure", type=Path, nargs="+", metavar="FILM", help="measure figures with these films")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
