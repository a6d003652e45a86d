"""Numbers about a run for Prometheus, made of what capture and render say to the launcher, which outlives them both."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from stages.core.errors import FacepipeError
from stages.core.histogram import BOUNDS_S, added

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
}
HISTOGRAMS = {
    "latency_seconds": (("source",), "From reading a frame to having it in the outputs."),
    "queue_seconds": (("source", "stage"), "From a piece of work being there to its being handed to a process."),
    "service_seconds": (("source", "stage"), "Work of a stage on one frame."),
}
GAUGES = {"waiting": (("source", "stage"), "Pieces of work that wait to be handed to a process.")}
PREFIX = "facepipe_"


class MetricsError(FacepipeError):
    """The port cannot be opened."""


class Metrics:
    """A view of a run, in the launcher's sense; it may be read by other threads at any time.

    A counter never goes back: what a process that died had counted stays, and a frame that render cuts off after a
    death and writes again is not counted again. What it did after its last word, half a second before, is not known.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._highest: Counter[tuple[str, Labels]] = Counter()
        self._earlier: dict[tuple[str, Labels], dict] = {}  # histograms of lives that have ended
        self._now: dict[str, dict[tuple[str, Labels], dict]] = {}  # label -> those of its present life
        self._waiting: dict[Labels, int] = {}

    # --- What the launcher says ---

    def opened(self, source: dict) -> None:
        """Nothing is counted yet."""

    def say(self, sentence: str) -> None:
        """For people."""

    def progress(self, label: str, progress: dict) -> None:
        with self._lock:
            if "sources" in progress:
                self._render(label, progress["sources"])
            elif "source" in progress:
                self._capture(label, progress)

    def started_again(self, label: str, stage: str) -> None:
        with self._lock:
            self._highest["restarts", (stage,)] += 1
            for key, histogram in self._now.pop(label, {}).items():
                self._earlier[key] = _sum(self._earlier.get(key), histogram)

    def _capture(self, label: str, said: dict) -> None:
        source = said["source"]
        self._reach("frames_captured", (source,), said["captured"])
        self._waiting |= {(source, stage): count for stage, count in said["waiting"].items()}
        queues = {("queue_seconds", (source, stage)): counted for stage, counted in said["queues"].items()}
        self._now[label] = {("latency_seconds", (source,)): said["latencies"], **queues}

    def _render(self, label: str, sources: dict[str, dict]) -> None:
        for source, said in sources.items():
            for name, key in (
                ("frames_rendered", "rendered"),
                ("frames_failed", "errors"),
                ("faces", "faces"),
                ("answers_missing", "missing"),
            ):
                self._reach(name, (source,), said[key])
            for drop in said["dropped"]:
                self._reach("frames_dropped", (source, drop["stage"], drop["reason"]), drop["count"])
        self._now[label] = {
            ("service_seconds", (source, stage)): counted
            for source, said in sources.items()
            for stage, counted in said["services"].items()
        }

    def _reach(self, name: str, labels: Labels, count: int) -> None:
        self._highest[name, labels] = max(self._highest[name, labels], count)

    # --- What Prometheus asks ---

    def collect(self) -> Iterator:
        """All numbers of this moment, as prometheus_client's families."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            counts, histograms, waiting = dict(self._highest), dict(self._earlier), dict(self._waiting)
            for histogram in (item for said in self._now.values() for item in said.items()):
                histograms[histogram[0]] = _sum(histograms.get(histogram[0]), histogram[1])
        for name, (labels, words) in COUNTERS.items():
            family = CounterMetricFamily(PREFIX + name, words, labels=labels)
            for values in (values for known, values in counts if known == name):
                family.add_metric(values, counts[name, values])
            yield family
        for name, (labels, words) in HISTOGRAMS.items():
            family = HistogramMetricFamily(PREFIX + name, words, labels=labels)
            for values in (values for known, values in histograms if known == name):
                family.add_metric(values, _buckets(histograms[name, values]), histograms[name, values]["sum"])
            yield family
        for name, (labels, words) in GAUGES.items():
            family = GaugeMetricFamily(PREFIX + name, words, labels=labels)
            for values, count in waiting.items():
                family.add_metric(values, count)
            yield family


@contextmanager
def served(metrics: Metrics, host: str, port: int) -> Iterator[str]:
    """Answer at http://host:port/metrics, the address that is given; raises `MetricsError`."""
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise MetricsError(
            f"--metrics {port}: {host} port {port} cannot be opened: {error.strerror}; choose another one."
        ) from None
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sum(one: dict | None, other: dict) -> dict:
    return added(one, other) if one else other


def _buckets(histogram: dict) -> list[tuple[str, int]]:
    """Bounds and, as Prometheus wants it, how many are at or below each."""
    bounds, below, buckets = [*map(str, BOUNDS_S), "+Inf"], 0, []
    for bound, count in zip(bounds, histogram["counts"], strict=True):
        below += count
        buckets.append((bound, below))
    return buckets
