"""Numbers about a run for Prometheus, and its health for probes.

Made of what the stages say to the launcher, which outlives them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec import to_builtins

from ..errors import FacepipeError, reason
from ..project import IMPORT_ROOT
from ..protocol.control import SourceOpened
from ..protocol.durations import BOUNDS_S, Histogram
from ..protocol.stats import CaptureReport, RenderReport
from .health import Health

Labels = tuple[str, ...]

# name without its prefix -> labels, what it is. A counter's name gets `_total`, a histogram's `_bucket` and the like.
COUNTERS = {
    "frames_captured": (("source",), "Frames read."),
    "frames_rendered": (("source",), "Frames in the outputs."),
    "frames_dropped": (("source", "stage", "reason"), "Frames of a live source that were let go."),
    "frames_failed": (("source",), "Rendered frames that could not be analysed."),
    "faces": (("source",), "Faces in rendered frames."),
    "answers_missing": (("source",), "Answers about a frame that were given up."),
    "restarts": (("stage",), "Processes that ended and were started again."),
    "events_sent": (("destination",), "Events that a broker or webhook has confirmed."),
    "events_refused": (("destination",), "Events that it has refused for good, and that were set aside."),
    "events_deleted": (
        ("destination",),
        "Events that were deleted with an old piece of the results before they were sent.",
    ),
    "stream_frames_sent": (("destination",), "Frames of the annotated video that were streamed."),
    "stream_frames_dropped": (("destination",), "Frames that a stream lacks, because its server was away or slow."),
}
HISTOGRAMS = {
    "latency_seconds": (("source",), "From reading a frame to having it in the outputs."),
    "queue_seconds": (("source", "stage"), "From a task being there to its being handed to a process."),
    "service_seconds": (("source", "stage"), "Work of a stage on one frame."),
}
GAUGES = {
    "waiting": (("source", "stage"), "Tasks that wait to be handed to a process."),
    "connected": (("destination",), "1 while a broker or webhook takes events, or a server a stream, else 0."),
}
PREFIX = "facepipe_"
SERVER = "facepipe"  # in the header of every answer, for `facepipe health`
READY = "ready"  # what the process says that answers
FED_S = 0.5  # between two looks at the numbers
AGAIN_S = 1.0  # before a process that has ended is started again


class MetricsError(FacepipeError):
    """The port cannot be opened."""


class Metrics:
    """A view of a run, in the launcher's sense; it may be read by other threads at any time.

    A counter never goes back: what a process that died had counted stays, and a frame that render cuts off after a
    death and writes again is not counted again. What it did after its last word, half a second before, is not known.
    """

    def __init__(self, labels: Iterable[str] = ()):
        """`labels`: the processes of the run here, all of which have to be ready before it is."""
        self._lock = threading.Lock()
        self._health = Health(labels, time.monotonic())
        self._highest: Counter[tuple[str, Labels]] = Counter()
        self._earlier: dict[tuple[str, Labels], Histogram] = {}  # histograms of lives that have ended
        self._now: dict[str, dict[tuple[str, Labels], Histogram]] = {}  # label -> those of its present life
        self._waiting: dict[Labels, int] = {}
        self._sources: dict[str, str] = {}  # label of each capture -> what it reads
        self._streamed: Counter[tuple[str, Labels]] = Counter()  # by lives of render that have ended
        self._connected: dict[Labels, int] = {}

    # --- What the launcher says ---

    def opened(self, source: SourceOpened) -> None:
        """Nothing is counted yet."""

    def say(self, sentence: str) -> None:
        """For people."""

    def heard(self, label: str, is_ready: bool) -> None:
        """A process has given a sign of life."""
        with self._lock:
            self._health.heard(label, is_ready, time.monotonic())

    def progress(self, label: str, report: CaptureReport | RenderReport) -> None:
        """Take the account so far of one process."""
        with self._lock:
            self._health.progress(label, report, time.monotonic())
            if isinstance(report, RenderReport):
                self._render(label, report)
            else:
                self._capture(label, report)

    def started_again(self, label: str, stage: str) -> None:
        with self._lock:
            self._highest["restarts", (stage,)] += 1
            self._health.started_again(label)
            if stage == "render":  # It counts the frames of its streams anew.
                self._streamed = Counter({key: n for key, n in self._highest.items() if key[0].startswith("stream_")})
            for key, histogram in self._now.pop(label, {}).items():
                self._earlier[key] = self._earlier.get(key, Histogram()) + histogram

    def ended(self, label: str) -> None:
        with self._lock:
            self._health.ended(label)
            source = self._sources.pop(label, None)
            self._waiting = {labels: count for labels, count in self._waiting.items() if labels[0] != source}

    def delivered(self, report: dict[str, dict]) -> None:
        with self._lock:
            for destination, said in report.items():
                self._reach("events_sent", (destination,), said["sent"])
                self._reach("events_refused", (destination,), said["refused"])
                self._reach("events_deleted", (destination,), said.get("deleted", 0))
                self._connected[(destination,)] = int(said["connected"])

    def _capture(self, label: str, report: CaptureReport) -> None:
        source = self._sources[label] = report.source
        self._reach("frames_captured", (source,), report.captured)
        self._waiting |= {(source, stage): count for stage, count in report.waiting.items()}
        queues = {("queue_seconds", (source, stage)): queue for stage, queue in report.queues.items()}
        self._now[label] = {("latency_seconds", (source,)): report.latencies, **queues}

    def _render(self, label: str, report: RenderReport) -> None:
        for source, said in report.sources.items():
            self._reach("frames_rendered", (source,), said.rendered)
            self._reach("frames_failed", (source,), said.errors)
            self._reach("faces", (source,), said.faces)
            self._reach("answers_missing", (source,), said.missing)
            for drop in said.dropped:
                self._reach("frames_dropped", (source, drop.stage, drop.reason), drop.count)
        for destination, stream in report.streams.items():
            for name, count in (("stream_frames_sent", stream.sent), ("stream_frames_dropped", stream.dropped)):
                self._reach(name, (destination,), self._streamed[name, (destination,)] + count)
            self._connected[(destination,)] = int(stream.connected)
        self._now[label] = {
            ("service_seconds", (source, stage)): service
            for source, said in report.sources.items()
            for stage, service in said.services.items()
        }

    def _reach(self, name: str, labels: Labels, count: int) -> None:
        self._highest[name, labels] = max(self._highest[name, labels], count)

    # --- What Prometheus asks ---

    def now(self) -> list[list]:
        """All numbers of this moment, as JSON takes them: [name, labels, number or histogram]."""
        with self._lock:
            counts, histograms = dict(self._highest), dict(self._earlier)
            gauges = {"waiting": dict(self._waiting), "connected": dict(self._connected)}
            for key, histogram in (item for said in self._now.values() for item in said.items()):
                histograms[key] = histograms.get(key, Histogram()) + histogram
        told = [[name, list(labels), number] for (name, labels), number in counts.items()]
        told += [[name, list(labels), to_builtins(histogram)] for (name, labels), histogram in histograms.items()]
        return told + [[name, list(labels), n] for name, gauge in gauges.items() for labels, n in gauge.items()]

    def health(self) -> dict[str, list[str]]:
        """Sentences by what a probe asks for: none where the answer is yes."""
        with self._lock:
            return {"ready": self._health.unready(), "live": self._health.stalled(time.monotonic())}

    def collect(self) -> Iterator:
        """The same as prometheus_client's families."""
        return families(self.now())


def families(numbers: list[list]) -> Iterator:
    """What `Metrics.now` has given, as prometheus_client's families."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    told: dict[str, list] = {}
    for name, labels, number in numbers:
        told.setdefault(name, []).append((labels, number))
    for table, kind in (
        (COUNTERS, CounterMetricFamily),
        (HISTOGRAMS, HistogramMetricFamily),
        (GAUGES, GaugeMetricFamily),
    ):
        for name, (labels, words) in table.items():
            family = kind(PREFIX + name, words, labels=labels)
            for values, number in told.get(name, ()):
                numbers = (_buckets(number), round(number["sum_s"], 6)) if table is HISTOGRAMS else (number,)
                family.add_metric(values, *numbers)
            yield family


@contextmanager
def served(metrics: Metrics, host: str, port: int, say: Callable[[str], None] = lambda sentence: None) -> Iterator[str]:
    """Have a process answer at http://host:port/metrics, the address that is given; raises `MetricsError`.

    It is a process of its own, which knows no more than the numbers: whoever asks, and however often, never has to do
    with the one that watches over the stages. `say` is told where it ends, and it is started again.
    """
    server = _Server(metrics, host, port, say)
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
    finally:
        server.close()


class _Server:
    """The process that answers, and the thread that gives it the numbers."""

    def __init__(self, metrics: Metrics, host: str, port: int, say: Callable[[str], None]):
        self._metrics, self._place, self._say = metrics, (host, port), say
        self._over = threading.Event()
        self._start()
        self._feeding = threading.Thread(target=self._feed, daemon=True)
        self._feeding.start()

    def close(self) -> None:
        self._over.set()
        if self._process is not None:
            self._process.kill()
        self._feeding.join()
        self._end()

    def _start(self) -> None:
        """Start it, and hear whether its port can be had; raises `MetricsError`."""
        host, port = self._place
        self._process = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.metrics_server", host, str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, (str(IMPORT_ROOT), os.environ.get("PYTHONPATH")))),
                },
                start_new_session=True,  # Ctrl-C is for the launcher.
            )
            with self._process.stdout as stdout:
                self._tell()
                refused = stdout.readline().decode(errors="replace").strip() or "its process ended at once"
        except OSError as error:
            refused = reason(error)
        if refused != READY:
            self._end()
            raise MetricsError(f"--metrics {port}: {host} port {port} cannot be opened: {refused}; choose another one.")

    def _end(self) -> None:
        if self._process is None:
            return  # There was no room for it.
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _tell(self) -> None:
        told = {"numbers": self._metrics.now(), "health": self._metrics.health()}
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()

    def _feed(self) -> None:
        while not self._over.wait(FED_S):
            try:
                self._tell()
            except OSError:
                if not self._over.is_set():
                    self._revive()

    def _revive(self) -> None:
        self._end()
        self._say("the process that answers Prometheus has ended; it is started again.")
        while not self._over.wait(AGAIN_S):
            try:
                return self._start()
            except MetricsError as error:
                self._say(f"{error} The run continues without metrics.")
                self._over.set()


def _buckets(histogram: dict) -> list[tuple[str, int]]:
    """Bounds and, as Prometheus wants it, how many are at or below each."""
    bounds, below, buckets = [*map(str, BOUNDS_S), "+Inf"], 0, []
    for bound, count in zip(bounds, histogram["counts"], strict=True):
        below += count
        buckets.append((bound, below))
    return buckets
