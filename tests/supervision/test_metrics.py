"""Numbers for Prometheus."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.request
from contextlib import suppress

import psutil
import pytest

from stages.protocol.durations import Histogram
from stages.protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport, StreamReport
from stages.supervision.metrics import COUNTERS, GAUGES, HISTOGRAMS, PREFIX, Metrics, MetricsError, served
from tests.browser import free_port
from tests.conftest import PROJECT


def counted(*seconds: float) -> Histogram:
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    return histogram


def capture(captured: int, *latencies_s: float, source: str = "door") -> CaptureReport:
    latencies = counted(*latencies_s)
    return CaptureReport(
        source=source,
        captured=captured,
        waiting={"detect": 3, "age": 0},
        latencies=latencies,
        queues={"detect": latencies, "age": counted()},
    )


def render(rendered: int, *service_s: float, dropped: int = 0) -> RenderReport:
    drops = [DropCount("detect", "queue full", dropped)] if dropped else []
    services = {"age": counted(*service_s)}
    door = SourceReport(rendered=rendered, faces=2 * rendered, missing=1, dropped=drops, services=services)
    return RenderReport(sources={"door": door})


def values(metrics: Metrics) -> dict[str, float]:
    """Every sample as Prometheus would read it, but for buckets without a change."""
    return {
        f"{sample.name}{{{', '.join(sample.labels.values())}}}": sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def test_what_the_stages_say_is_told_with_its_labels():
    metrics = Metrics()
    metrics.progress("capture", capture(40, 0.03, 0.2, 0.2))
    metrics.progress("render", render(37, 0.004, dropped=2))
    said = values(metrics)
    assert said["facepipe_frames_captured_total{door}"] == 40
    assert said["facepipe_frames_rendered_total{door}"] == 37
    assert said["facepipe_frames_dropped_total{door, detect, queue full}"] == 2
    assert said["facepipe_faces_total{door}"] == 74
    assert said["facepipe_waiting{door, detect}"] == 3
    buckets = [said[f"facepipe_latency_seconds_bucket{{door, {bound}}}"] for bound in ("0.025", "0.05", "0.25", "+Inf")]
    assert buckets == [0, 1, 3, 3]
    assert said["facepipe_latency_seconds_sum{door}"] == pytest.approx(0.43)
    assert said["facepipe_service_seconds_count{door, age}"] == 1
    assert said["facepipe_queue_seconds_count{door, detect}"] == 3


def test_no_counter_goes_back_when_processes_die_and_begin_anew():
    metrics = Metrics()
    metrics.progress("capture", capture(40, 0.03, 0.2))
    metrics.progress("render", render(37, 0.004, 0.004))
    before = values(metrics)
    metrics.started_again("render", "render")
    metrics.started_again("capture", "capture")
    assert {name: value for name, value in values(metrics).items() if "restarts" not in name} == before
    metrics.progress("capture", capture(36))
    metrics.progress("render", render(36, 0.004))
    after = values(metrics)
    assert all(after[name] >= value for name, value in before.items())
    assert after["facepipe_frames_rendered_total{door}"] == 37
    assert after["facepipe_service_seconds_count{door, age}"] == 3
    assert after["facepipe_restarts_total{render}"] == 1
    metrics.progress("render", render(39, 0.004, 0.004))
    after = values(metrics)
    assert after["facepipe_frames_rendered_total{door}"] == 39
    assert after["facepipe_service_seconds_count{door, age}"] == 4


def test_what_has_become_of_the_events_is_told_by_destination():
    metrics = Metrics()
    metrics.delivered({"mqtt": {"sent": 5, "refused": 0, "connected": True}})
    metrics.delivered({"mqtt": {"sent": 7, "refused": 1, "connected": False, "waiting": 3}})
    said = values(metrics)
    assert said["facepipe_events_sent_total{mqtt}"] == 7 and said["facepipe_events_refused_total{mqtt}"] == 1
    assert said["facepipe_connected{mqtt}"] == 0


def test_the_frames_of_a_stream_are_counted_on_when_render_begins_anew():
    metrics = Metrics()
    for sent, dropped in ((5, 1), (7, 2)):
        report = StreamReport(sent=sent, dropped=dropped, connected=dropped < 2)
        metrics.progress("render", RenderReport(streams={"rtsp://host/faces": report}))
    metrics.started_again("render", "render")
    report = StreamReport(sent=4, dropped=0, connected=True)
    metrics.progress("render", RenderReport(streams={"rtsp://host/faces": report}))
    said = values(metrics)
    assert said["facepipe_stream_frames_sent_total{rtsp://host/faces}"] == 11
    assert said["facepipe_stream_frames_dropped_total{rtsp://host/faces}"] == 2
    assert said["facepipe_connected{rtsp://host/faces}"] == 1


def test_before_anything_is_said_there_is_an_answer_without_numbers():
    assert values(Metrics()) == {}


def test_prometheus_is_answered_and_the_port_is_free_afterwards():
    metrics = Metrics()
    metrics.progress("capture", capture(40, source='a "b"\n'))
    port = free_port()
    for _ in range(2):
        with served(metrics, "127.0.0.1", port) as address:
            text = urllib.request.urlopen(address, timeout=10).read().decode()
            assert r'facepipe_frames_captured_total{source="a \"b\"\n"} 40.0' in text
            assert "# TYPE facepipe_latency_seconds histogram" in text
            with (
                pytest.raises(MetricsError, match=rf"--metrics {port}: .* cannot be opened: Address already in use;"),
                served(metrics, "127.0.0.1", port),
            ):
                pass
    with pytest.raises(MetricsError, match="cannot be opened"), served(metrics, "no.such.host.invalid", port):
        pass


@pytest.fixture
def address():
    metrics = Metrics()
    metrics.progress("capture", capture(40))
    with served(metrics, "127.0.0.1", free_port()) as address:
        yield address


def asked(address: str) -> str:
    return urllib.request.urlopen(address, timeout=10).read().decode()


def the_server(address: str) -> psutil.Process:
    """The child of this process that listens where ADDRESS says: other tests may have left children of their own."""
    port = int(address.rpartition(":")[2].partition("/")[0])
    [server] = [
        child
        for child in psutil.Process().children()
        if any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in child.net_connections("tcp"))
    ]
    return server


def test_a_thousand_connections_that_say_nothing_keep_nobody_from_an_answer(address):
    port = int(address.rpartition(":")[2].partition("/")[0])
    before = len(psutil.Process().open_files()) + psutil.Process().num_fds()
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(1000)]
    try:
        assert 'facepipe_frames_captured_total{source="door"} 40.0' in asked(address)
        server = the_server(address)
        assert server.num_fds() < 200
    finally:
        for one in idle:
            one.close()
    assert psutil.Process().num_fds() <= before


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b""),
        (b"\xff\x00\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
    ],
)
def test_nonsense_is_refused_or_cut_off_and_the_next_one_is_answered(address, request_, answer):
    port = int(address.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client, suppress(ConnectionError):
        client.sendall(request_)
        assert client.recv(100).partition(b"\r\n")[0] == answer
    assert "facepipe_frames_captured_total" in asked(address)


def test_when_the_process_that_answers_is_killed_another_one_answers():
    metrics, said = Metrics(), []
    came = threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        came.set()

    metrics.progress("capture", capture(40))
    with served(metrics, "127.0.0.1", free_port(), say) as address:
        server = the_server(address)
        server.kill()
        assert came.wait(20)
        assert said == ["the process that answers Prometheus has ended; it is started again."]
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            with suppress(OSError):
                assert "facepipe_frames_captured_total" in asked(address)
                break
        else:
            pytest.fail("nobody answers")


# --- What the documentation says of them ---


def exported() -> set[str]:
    histograms = {f"{name}{end}" for name in HISTOGRAMS for end in ("_bucket", "_sum", "_count")}
    return {PREFIX + name for name in {f"{name}_total" for name in COUNTERS} | histograms | set(GAUGES)}


def test_the_page_has_every_metric_with_its_labels():
    page = (PROJECT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(facepipe_\w+)` \| ([\w, ]+) \| .+ \|$", page, re.MULTILINE)
    known = {PREFIX + name + "_total": labels for name, (labels, _) in COUNTERS.items()}
    known |= {PREFIX + name: labels for name, (labels, _) in (HISTOGRAMS | GAUGES).items()}
    assert {name: tuple(labels.split(", ")) for name, labels in rows} == known


def test_the_board_asks_for_nothing_that_is_not_exported():
    board = json.loads((PROJECT / "docs/grafana.json").read_text(encoding="utf-8"))
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    asked = {name for target in targets for name in re.findall(r"facepipe_\w+", target["expr"])}
    asked |= set(re.findall(r"facepipe_\w+", variables["source"]["query"]["query"]))
    assert asked <= exported()
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked} == {
        PREFIX + name for name in (*COUNTERS, *HISTOGRAMS, *GAUGES)
    }
    for target in targets:
        assert target["expr"].count("(") == target["expr"].count(")")
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places)
