"""Whether a run is ready and alive."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from stages.commands import health
from stages.protocol.stats import CaptureReport, RenderReport
from stages.supervision.health import SILENT_S, STALLED_S, Health
from stages.supervision.metrics import Metrics, served
from tests.browser import free_port
from tests.conftest import PROJECT


def capture(captured: int, done: int, *awaited: str) -> CaptureReport:
    return CaptureReport(source="door", captured=captured, done=done, awaited=list(awaited))


def test_a_run_is_ready_when_every_process_is_and_every_stage_is_heard_wherever_it_runs():
    health = Health(["render", "capture", "age"])
    assert health.unready() == ["render is starting", "capture is starting", "age is starting"]
    for label in ("render", "capture", "age"):
        health.heard(label, True, 1.0)
    health.progress("capture", capture(0, 0, "render", "detect"), 1.0)
    assert health.unready() == ["render waits for a capture", "door waits for render, detect"]
    health.progress("capture", capture(0, 0), 2.0)
    assert health.unready() == ["render waits for a capture"]
    health.progress("render", RenderReport(), 2.0)
    assert health.unready() == []
    health.started_again("age")
    health.heard("age", False, 2.5)
    assert health.unready() == ["age is starting"]


def test_it_is_alive_while_frames_are_finished_or_there_are_none_to_finish():
    health = Health(["capture"])
    for minute in range(60):  # A camera that is looked for: what was read is done.
        health.heard("capture", False, 60.0 * minute)
        health.progress("capture", capture(40, 40), 60.0 * minute)
        assert health.stalled(60.0 * minute) == []
    health.progress("capture", capture(56, 40), 3600.0)
    for s in (3700.0, 3600.0 + STALLED_S):
        health.heard("capture", False, s)
        health.progress("capture", capture(56, 40), s)
        health.progress("render", RenderReport(), s)
    assert health.stalled(3600.0 + STALLED_S) == []
    health.heard("capture", False, 3601.0 + STALLED_S)
    assert len(health.stalled(3601.0 + STALLED_S)) == 1
    health.progress("capture", capture(57, 41), 3602.0 + STALLED_S)
    assert health.stalled(3602.0 + STALLED_S) == []


def test_a_source_that_was_removed_or_has_failed_makes_a_run_neither_unready_nor_stalled():
    health = Health(["capture-0", "capture-1"])
    health.heard("capture-0", True, 0.0)
    health.progress("capture-1", capture(16, 4), 0.0)
    health.ended("capture-1")
    health.heard("capture-0", False, 2 * STALLED_S)
    assert (health.unready(), health.stalled(2 * STALLED_S)) == ([], [])


def test_a_film_that_waits_for_a_stage_of_another_machine_is_alive_and_not_ready():
    health = Health(["capture"])
    health.heard("capture", True, 0.0)
    for second in range(1000):
        health.heard("capture", False, float(second))
        health.progress("capture", capture(16, 0, "detect"), float(second))
    assert health.stalled(999.0) == [] and health.unready() == ["door waits for detect"]


def test_a_capture_that_is_started_again_has_all_its_time():
    health = Health(["capture"])
    health.progress("capture", capture(16, 0), 0.0)
    health.started_again("capture")
    health.heard("capture", False, STALLED_S + 1)
    assert health.stalled(STALLED_S + 1) == []


def test_a_launcher_that_hears_nobody_is_not_alive():
    health = Health(["age"], now_s=10.0)
    assert health.stalled(10.0 + SILENT_S) == []
    assert health.stalled(11.0 + SILENT_S) == ["no process has given a sign of life"]


def asked(port: int, probe: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{probe}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("ready", "status", "said"), [(False, 503, "age is starting\n"), (True, 200, "yes\n")], ids=["starting", "ready"]
)
def test_probes_and_the_command_say_the_same(ready, status, said):
    metrics = Metrics(["age"])
    metrics.heard("age", ready)
    port = free_port()
    with served(metrics, "127.0.0.1", port):
        assert asked(port, "ready") == (status, said)
        assert asked(port, "live") == (200, "yes\n")
        words = [sys.executable, "-m", "facepipe", "health", "--metrics", str(port)]
        for options, expected in ((["--ready"], 0 if ready else 1), ([], 0)):
            ran = subprocess.run([*words, *options], capture_output=True, text=True, cwd=PROJECT)
            assert (ran.returncode, ran.stdout, ran.stderr) == (expected, "" if expected == 0 else said, "")
    ran = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)


YES = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes\n"


def drip(connection: socket.socket) -> None:
    """Send a byte at a time, for two seconds."""
    with suppress(OSError):
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.01)


@pytest.mark.parametrize("answer", [lambda c: c.sendall(YES), lambda c: c.sendall(b"hello"), drip])
def test_only_a_run_of_facepipe_is_healthy_and_what_never_ends_its_answer_is_not_waited_for(
    answer, monkeypatch, capsys
):
    monkeypatch.setattr(health, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection = server.accept()[0]
            with connection:
                connection.recv(1000)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        assert health.main(["--metrics", str(server.getsockname()[1])]) == 1
        thread.join()
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_host_that_cannot_be_one_is_a_sentence(capsys):
    assert health.main(["--metrics-host", "a..b"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_launcher_that_says_nothing_any_more_is_not_alive(monkeypatch):
    from stages.supervision import metrics_server

    numbers = metrics_server.Numbers(json.dumps({"numbers": [], "health": {"ready": [], "live": []}}).encode())
    assert numbers.flaws("live") == []
    monkeypatch.setattr(metrics_server, "SILENT_S", -1.0)
    assert len(numbers.flaws("live")) == 1
