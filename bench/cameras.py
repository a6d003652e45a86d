"""What a camera costs, and how many of them this machine holds: simulated cameras, and the command as one gives it.

python -m bench.cameras --cameras 16 --minutes 2: prints a table for each number of cameras. The cameras are motion JPEG
over HTTP from a process of their own, which is not counted; they show the demo, or another video, at `--rate` frames a
second. What happens while the stages start is not measured. `--costs FILE` writes down what a camera costs, which
`python -m bench.fleet` reads. The exit status is 1 where memory has grown.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice, pairwise, product
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import cv2
import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.clips import write_clip
from bench.fleet import Costs
from bench.live import MOST_FRAMES, camera
from bench.options import BenchError, machine
from bench.table import Figure, figure, table
from bench.usage import Usage, usage
from stages.config.settings import cores
from stages.errors import FacepipeError
from stages.project import PROJECT
from stages.sources.opening import open_source

SAMPLE_S = 5.0
STARTING_S = 600.0  # at most, until each camera has a finished frame
SETTLING_S = 15.0  # after that: what came while the stages were starting has been dropped
GROWN_COUNT = 2  # descriptors and threads of a process that come and go
MOST_DROPPED = 0.02  # share of the frames
GROWN_MB, GROWN_SHARE = 10.0, 0.02  # a stage that has not grown by more, in MB for each process and as a share, is flat


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured."""

    cameras: int
    minutes: float
    rate: float  # frames a second of each camera
    width: int  # pixels
    of: str  # the video that the cameras show
    overrides: tuple[str, ...]  # KEY=VALUE


@dataclass(frozen=True, slots=True)
class Measured:
    """What the cameras have cost within the measured minutes."""

    wanted: Wanted
    seconds: float
    counts: Counter[str]  # of frames: captured, rendered, dropped; faces; restarts
    latencies: Counter[float]  # upper bound of a bucket in seconds: frames in it
    cpu_s: dict[str, float]  # by stage
    memory: list[dict[str, Usage]]  # by stage, every `SAMPLE_S` seconds
    jpeg_bytes: float  # a frame, as the camera sends it
    h264_bytes: float  # a frame of the same pictures
    disk_bytes: float  # a finished frame: results and annotated video

    @property
    def frames(self) -> int:
        return self.counts["rendered"]

    @property
    def grown(self) -> list[str]:
        """What has grown in the last quarter of the time beside the one before it: its stage, and by how much."""
        found = []
        quarter = len(self.memory) // 4
        for stage, last in self.memory[-1].items() if quarter else ():
            sizes = [sample[stage].memory_mb for sample in self.memory if stage in sample]
            before, after = median(sizes[-2 * quarter : -quarter]), median(sizes[-quarter:])
            if after - before > max(GROWN_MB * last.processes, GROWN_SHARE * before):
                found.append(f"{stage} by {after - before:.0f} MB")
            for what in ("descriptors", "threads"):
                held = [getattr(sample[stage], what) for sample in self.memory if stage in sample]
                before, after = median(held[-2 * quarter : -quarter]), median(held[-quarter:])
                if after - before > GROWN_COUNT * last.processes:
                    found.append(f"{stage} by {after - before:.0f} {what}")
        return found

    def latency_s(self, share: float) -> float:
        """What `share` (0 to 1) of the frames stay below, as far as the buckets tell."""
        wanted, seen = max(1, share * self.latencies.total()), 0
        for bound, count in sorted(self.latencies.items()):
            seen += count
            if seen >= wanted:
                return bound
        return float("nan")

    def costs(self) -> Costs:
        """What one camera costs, for the arithmetic of a fleet; raises `BenchError` where too much was dropped.

        A frame that is dropped was decoded and perhaps searched: others would seem to cost more.
        """
        if (dropped := 1 - self.frames / self.counts["captured"]) > MOST_DROPPED:
            raise BenchError(
                f"{dropped:.0%} of the frames were dropped, so what one costs is not known; take fewer cameras."
            )
        at_end = self.memory[-1]
        own, shared = at_end["capture"], [held for stage, held in at_end.items() if stage != "capture"]
        return Costs(
            measured=f"{date.today()}, {machine()}",
            picture=f"{self.wanted.width} pixels wide, {self.counts['faces'] / max(1, self.frames):.2f} faces",
            cpu_ms_a_frame=1000 * sum(self.cpu_s.values()) / self.frames,
            render_ms_a_frame=1000 * self.cpu_s["render"] / self.frames,
            memory_mb_a_camera=own.memory_mb / own.processes,
            memory_mb_a_run=sum(held.memory_mb for held in shared),
            network_kb_a_frame=self.jpeg_bytes / 1e3,
            disk_kb_a_frame=self.disk_bytes / 1e3,
        )

    def figures(self) -> list[Figure]:
        """As rows of a table."""
        counts, total_s = self.counts, sum(self.cpu_s.values())
        lost = counts["captured"] - counts["rendered"]
        figures = [
            figure("captured", counts["captured"] / self.seconds, "frames/s"),
            figure(
                "finished", self.frames / self.seconds, "frames/s", "", f"{counts['faces'] / self.frames:.2f} faces"
            ),
            figure("dropped", 100 * max(0, lost) / counts["captured"], "%", "", self._reasons()),
            figure("latency p50, below", 1000 * self.latency_s(0.5), "ms"),
            figure("latency p95, below", 1000 * self.latency_s(0.95), "ms"),
            figure("load", 100 * total_s / self.seconds / cores(), "%", "", f"of {cores()} cores"),
        ]
        for stage in sorted(self.cpu_s, key=self.cpu_s.get, reverse=True):
            figures.append(figure(f"{stage}, processor", 1000 * self.cpu_s[stage] / self.frames, "ms", "", "a frame"))
        figures.append(figure("all, processor", 1000 * total_s / self.frames, "ms", "", "a frame"))
        for stage, last in sorted(self.memory[-1].items()):
            sizes = [sample[stage].memory_mb for sample in self.memory if stage in sample]
            figures.append(figure(f"{stage}, memory", sizes, "MB", "", f"{last.processes} processes"))
        for what in ("descriptors", "threads"):
            held = [sum(getattr(each, what) for each in sample.values()) for sample in self.memory]
            figures.append(figure(f"all, {what}", held, ""))
        totals = [sum(held.memory_mb for held in sample.values()) for sample in self.memory]
        figures.append(figure("all, memory", totals, "MB", "", ", ".join(self.grown) or "flat"))
        figures.append(figure("from the camera, motion JPEG", self.jpeg_bytes / 1e3, "kB", "", "a frame"))
        figures.append(figure("the same pictures as H.264", self.h264_bytes / 1e3, "kB", "", "a frame"))
        figures.append(figure("to the disk", self.disk_bytes / 1e3, "kB", "", "a finished frame"))
        return [*figures, figure("restarts", counts["restarts"], "")]

    def _reasons(self) -> str:
        """Why frames were dropped, the most frequent reason first."""
        reasons = Counter({name: count for name, count in self.counts.items() if ": " in name and count})
        return "; ".join(f"{count} at {name}" for name, count in reasons.most_common())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m bench.cameras", description=__doc__)
    parser.add_argument("--cameras", metavar="N", type=int, nargs="+", default=[16], help="how many (default: 16)")
    parser.add_argument("--minutes", metavar="M", type=float, default=1.0, help="to measure for (default: 1)")
    parser.add_argument("--rate", metavar="R", type=float, default=5.0, help="frames a second (default: 5)")
    parser.add_argument("--width", metavar="PIXELS", type=int, nargs="+", default=[1280], help="(default: 1280)")
    parser.add_argument("--clip", metavar="FILE", default="demo", help="what they show (default: the demo)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a key of the configuration")
    parser.add_argument("--costs", metavar="FILE", type=Path, help="where the costs of a camera are written, as JSON")
    given = parser.parse_args(argv)
    grown = False
    print(f"Measured on {date.today()}; {machine()}", flush=True)
    try:
        for cameras, width in product(given.cameras, given.width):
            wanted = Wanted(cameras, given.minutes, given.rate, width, given.clip, tuple(given.set))
            measured = measure(wanted)
            grown = grown or bool(measured.grown)
            title = f"{cameras} cameras of {given.rate:g} frames a second, {width} pixels wide"
            print("\n" + table(f"{title}, {given.minutes:g} min", measured.figures()), flush=True)
            if given.costs is not None:
                measured.costs().write(given.costs, width)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return int(grown)


def measure(wanted: Wanted) -> Measured:
    """Run the command on so many cameras, and look at it for so many minutes; raises `BenchError`."""
    with tempfile.TemporaryDirectory(prefix="facepipe-cameras-") as name:
        folder = Path(name)
        clip, frames = _clip(folder / "clip.mp4", wanted)
        with camera(clip, wanted.rate) as url:
            jpeg_bytes = _bytes_a_frame(url)
            with _pipeline(wanted, url, folder) as (command, port):
                _until_all_are_seen(command, port, wanted)
                time.sleep(SETTLING_S)
                counts, latencies, seconds, before, memory = _watched(command, port, 60 * wanted.minutes)
                disk_bytes = _disk_bytes(folder / "out") / max(1, _metrics(port)[0]["rendered"])
        cpu_s = {stage: used.cpu_s - before[stage].cpu_s for stage, used in memory[-1].items() if stage in before}
        if not counts["rendered"]:
            raise BenchError("no frame was finished in the measured time; measure longer, or fewer cameras.")
        return Measured(
            wanted, seconds, counts, latencies, cpu_s, memory, jpeg_bytes, clip.stat().st_size / frames, disk_bytes
        )


def _clip(path: Path, wanted: Wanted) -> tuple[Path, int]:
    """What the cameras show, in their size and at their rate, and how many frames it has."""
    source = open_source(wanted.of)
    pictures = source.pictures()
    first = next(iter(pictures))
    every = max(1, round((first.rate or wanted.rate) / wanted.rate))
    rest = islice(pictures, every - 1, MOST_FRAMES * every, every)
    pixels = [first.pixels, *(picture.pixels for picture in rest)]
    source.close()
    high, wide = pixels[0].shape[:2]
    size = (wanted.width, round(high * wanted.width / wide / 2) * 2)
    write_clip(path, (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pixels), wanted.rate)
    return path, len(pixels)


def _bytes_a_frame(url: str, frames: int = 25) -> float:
    """What a camera sends for each frame, with the head of each part."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.request("GET", place.path)
    answer, sent = connection.getresponse(), 0
    for _ in range(frames):
        length = 0
        while line := answer.readline():
            sent += len(line)
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
            if line == b"\r\n" and length:
                break
        sent += len(answer.read(length + 2))
    connection.close()
    return sent / frames


@contextmanager
def _pipeline(wanted: Wanted, url: str, folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """The command on all cameras, and the port of its metrics; it is ended as `docker stop` ends it."""
    config, said, port = folder / "cameras.yaml", folder / "said.txt", _free_port()
    config.write_text(yaml.safe_dump({"sources": {f"camera-{n:03}": f"{url}/{n}" for n in range(wanted.cameras)}}))
    words = [sys.executable, str(PROJECT / "run_pipeline.py"), "--config", str(config), "--display", "none"]
    words += ["--output", str(folder / "out"), "--metrics", str(port), "--service"]
    words += [word for override in wanted.overrides for word in ("--set", override)]
    with said.open("wb") as out, subprocess.Popen(words, stdout=out, stderr=out, cwd=PROJECT) as process:
        try:
            yield psutil.Process(process.pid), port
            if process.poll() is not None:
                raise BenchError(f"the run has ended: {said.read_text()[-500:]}")
        except (OSError, psutil.NoSuchProcess) as error:
            raise BenchError(f"the run has ended ({error}): {said.read_text()[-500:]}") from None
        finally:
            process.send_signal(signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _until_all_are_seen(command: psutil.Process, port: int, wanted: Wanted) -> None:
    latest_s = time.monotonic() + STARTING_S
    while time.monotonic() < latest_s:
        time.sleep(1)
        if not command.is_running() or command.status() == psutil.STATUS_ZOMBIE:
            raise OSError("before all cameras were seen")
        try:
            if _metrics(port)[0]["seen"] >= wanted.cameras:
                return
        except OSError:
            continue  # Not served yet.
    raise BenchError(f"not every camera had a finished frame within {STARTING_S:g} s; measure fewer.")


def _metrics(port: int) -> tuple[Counter[str], Counter[float]]:
    """Counts of frames and the like since the start, and latencies by the upper bounds of their buckets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    counts: Counter[str] = Counter()
    up_to: Counter[float] = Counter()
    for sample in (sample for family in families for sample in family.samples):
        if counted := {
            "facepipe_frames_captured_total": "captured",
            "facepipe_frames_rendered_total": "rendered",
            "facepipe_frames_dropped_total": "dropped",
            "facepipe_faces_total": "faces",
            "facepipe_restarts_total": "restarts",
        }.get(sample.name):
            counts[counted] += int(sample.value)
            if counted == "dropped":
                counts[f"{sample.labels['stage']}: {sample.labels['reason']}"] += int(sample.value)
            counts["seen"] += counted == "rendered" and sample.value > 0
        elif sample.name == "facepipe_latency_seconds_bucket":
            up_to[float(sample.labels["le"])] += int(sample.value)
    bounds = sorted(up_to)
    return counts, Counter({bound: up_to[bound] - up_to[below] for below, bound in pairwise([-1.0, *bounds])})


def _watched(command: psutil.Process, port: int, seconds: float):
    """Counts, latencies and seconds of the time that is measured, use before it, and use every so often."""
    began_s, (counts, latencies), before = time.monotonic(), _metrics(port), usage(command)
    memory = []
    while (left_s := began_s + seconds - time.monotonic()) > 0:
        time.sleep(min(left_s, SAMPLE_S))
        memory.append(usage(command))
    counts_now, latencies_now = _metrics(port)
    counts_now.subtract(counts)
    latencies_now.subtract(latencies)
    return counts_now, latencies_now, time.monotonic() - began_s, before, memory


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts)


if __name__ == "__main__":
    sys.exit(main())
