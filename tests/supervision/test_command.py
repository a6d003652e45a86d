"""How the small commands end, as processes."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stages.supervision.command import alive
from stages.trace.recorder import TraceRecorder
from tests.conftest import PROJECT
from tests.report.material import film, followed, written


def started(*command: object, **options) -> subprocess.Popen:
    words = [sys.executable, "-m", *map(str, command)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=PROJECT, **options)


def interrupted(command: subprocess.Popen, after_s: float) -> tuple[int, str]:
    """The status that a shell would see of a command after Ctrl-C, and what it has said.

    The seconds count from where Python itself is up (numpy is being read): before that nothing of ours has run.
    """
    while command.poll() is None and "numpy" not in Path(f"/proc/{command.pid}/maps").read_text():
        time.sleep(0.005)
    time.sleep(after_s)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=60)
    # Python takes its handlers back when it ends; who is ended by the signal itself is 130 to a shell as well.
    return (130 if command.returncode == -signal.SIGINT else command.returncode), err


@pytest.fixture
def results(tmp_path):
    return written(tmp_path, film(3000, followed(1), followed(2, x=50.0)))


@pytest.fixture
def trace(tmp_path):
    TraceRecorder(tmp_path / "trace", "capture-0/0").close()
    return tmp_path / "trace"


@pytest.mark.parametrize("after_s", [0, 0.3, 0.6, 0.9, 1.2])
def test_ctrl_c_ends_a_report_in_silence_and_leaves_nothing_half(results, after_s):
    command = started("stages.report", results, "--csv", "--html", stdout=subprocess.DEVNULL)
    status, err = interrupted(command, after_s)
    assert (status in (0, 130), err) == (True, "")
    assert [path.name for path in results.glob(".*")] in ([], [".facepipe.manifest"])


@pytest.mark.parametrize("after_s", [0, 0.1, 0.2, 0.4])
def test_ctrl_c_ends_a_replay_in_silence(trace, after_s):
    status, err = interrupted(started("stages.replay", trace, "--only=detect", stdout=subprocess.DEVNULL), after_s)
    assert (status in (0, 130), err) == (True, "")


def test_an_output_that_takes_nothing_is_a_sentence(results, trace):
    with open("/dev/full", "w") as full:
        for words in (("stages.report", results, "--vtt"), ("stages.replay", trace, "--only=capture")):
            command = started(*words, stdout=full)
            _, err = command.communicate(timeout=60)
            assert command.returncode == 2
            assert err.startswith("facepipe: standard output cannot be written: No space left on device; ")
            assert err.count("\n") == 1


def test_work_that_says_nothing_is_seen_to_go_on():
    class Heard(io.StringIO):
        def write(self, text):
            heard.set()
            return super().write(text)

    heard, stream = threading.Event(), Heard()
    with alive("counting", every_s=0.01, stream=stream):
        assert heard.wait(10)
    assert stream.getvalue().startswith("counting: 0 s so far\n")
