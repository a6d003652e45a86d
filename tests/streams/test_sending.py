"""Streams as render has them: whatever server or process does, it never waits, and counts what is missing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from stages.config.load import read_config
from stages.config.schema import ConfigError
from stages.locks import locked
from stages.plan import streams_of
from stages.protocol.stats import StreamReport
from stages.streams.destination import Destination, destinations
from stages.streams.output import Format
from stages.streams.playlist import Playlist
from stages.streams.sending import MOST_FRAMES, SourceStreams
from stages.streams.wire import TAKEN, Ended, Shown, Task
from tests.browser import free_port
from tests.end_to_end.command import eventually
from tests.results.frames import flat, frame
from tests.streams.players import answering, frames_of, needs_ffmpeg, rtsp_server

DRAWN = flat(64, 48)
AT_ONCE_S = 0.5  # what a busy machine may add to a call that does not wait


class Streaming:
    """One stream, and what is said of it."""

    def __init__(self, address: str | Path, drawn: np.ndarray = DRAWN):
        self._drawn = drawn
        self.said: list[str] = []
        self._streams = SourceStreams([Destination(str(address))], "software", self.said.append)
        self._next = 0

    @property
    def report(self) -> StreamReport:
        [report] = self._streams.report().values()
        return report

    def put(self, count: int = 1) -> None:
        for _ in range(count):
            drawn = self._drawn if self._streams.wants_drawn else None
            self._streams.take(frame(self._next, self._drawn), drawn)
            self._next += 1

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Give it frames until this has happened."""
        eventually(lambda: self.put() or happened(), f"{what}; said: {self.said}")

    def close(self, has_ended: bool = False) -> None:
        self._streams.close(has_ended)


@contextmanager
def streaming(address: str | Path, drawn: np.ndarray = DRAWN) -> Iterator[Streaming]:
    stream = Streaming(address, drawn)
    try:
        yield stream
    finally:
        stream.close()


def processes() -> list[psutil.Process]:
    """Those of streams that this process has started."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += [child] if "stages.streams" in child.cmdline() else []
    return found


def test_all_frames_are_in_the_stream_that_fit_into_its_queue(tmp_path):
    with streaming(tmp_path / "hls/live.m3u8") as stream:
        stream.put(MOST_FRAMES)
        eventually(lambda: stream.report.connected, "its process is there")
        stream.close()
    assert stream.report == StreamReport(sent=MOST_FRAMES, dropped=0, connected=False)
    assert stream.said == [] and processes() == []


def test_a_burst_longer_than_the_queue_loses_its_oldest_frames_which_are_counted(tmp_path):
    with streaming(tmp_path / "hls/live.m3u8") as stream:
        began_s = time.monotonic()
        stream.put(500)
        assert time.monotonic() - began_s < AT_ONCE_S
    assert stream.report.sent + stream.report.dropped == 500 and stream.report.dropped > 0


@needs_ffmpeg
def test_a_server_gets_what_is_sent_and_a_player_can_decode_it(tmp_path):
    with rtsp_server(tmp_path / "taken.mkv") as (server, address), streaming(address) as stream:
        stream.until(lambda: stream.report.sent > 60, "sixty frames are sent")
        stream.close(has_ended=True)
        assert server.process.wait(60) == 0
    assert stream.said == []
    assert len(frames_of(server.recording, "error")) >= stream.report.sent - 1


@needs_ffmpeg
def test_a_server_that_is_away_and_comes_is_connected_to_and_its_password_is_in_no_sentence(tmp_path):
    port = free_port()
    with streaming(f"rtsp://anna:hush@127.0.0.1:{port}/faces") as stream:
        stream.until(lambda: stream.said, "it is said")
        assert not stream.report.connected
        with rtsp_server(tmp_path / "taken.mkv", port):
            stream.until(lambda: stream.report.connected, "it is connected")
            stream.until(lambda: stream.report.sent, "frames arrive")
        stream.until(lambda: len(stream.said) >= 3, "the end of the server is said")
    assert stream.said[0] == (
        f"the stream rtsp://127.0.0.1:{port}/faces is interrupted: Connection refused; it is tried again."
    )
    assert "continues" in stream.said[1] and "is interrupted" in stream.said[2]
    assert "hush" not in "".join(stream.said) and "anna" not in "".join(stream.said)


def test_a_wrong_password_is_said(tmp_path):
    refusal = b'RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    with answering(refusal) as address, streaming(address) as stream:
        stream.until(lambda: stream.said, "it is said")
        assert "401 Unauthorized" in stream.said[0] and "hush" not in stream.said[0]


def test_a_server_that_never_answers_holds_up_neither_frames_nor_the_end():
    with answering(None) as address, streaming(address) as stream:
        stream.put()
        eventually(processes, "its process is there")
        began_s = time.monotonic()
        stream.put(200)
        assert time.monotonic() - began_s < AT_ONCE_S
        stream.close()
        assert time.monotonic() - began_s < 1.2 + AT_ONCE_S
    assert stream.report == StreamReport(sent=0, dropped=201, connected=False)
    assert processes() == []


@needs_ffmpeg
def test_a_server_that_stops_reading_costs_frames_and_no_time(tmp_path):
    grain = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
    with rtsp_server(tmp_path / "taken.mkv") as (server, address), streaming(address, grain) as stream:
        stream.until(lambda: stream.report.sent, "frames arrive")
        psutil.Process(server.process.pid).suspend()
        missing = stream.report.dropped
        stream.until(lambda: stream.report.dropped > missing, "frames are dropped")
        began_s = time.monotonic()
        stream.put(5)
        stream.close()
        assert time.monotonic() - began_s < 1.2 + AT_ONCE_S


def test_a_process_that_is_killed_is_started_again_and_the_stream_goes_on(tmp_path):
    playlist = tmp_path / "hls" / "live.m3u8"
    with streaming(playlist) as stream:
        stream.until(playlist.exists, "a segment is there")
        first = Playlist.parse(playlist.read_text()).next_number
        processes()[0].kill()
        stream.until(lambda: Playlist.parse(playlist.read_text()).next_number > first + 1, "the stream goes on")
    assert any(segment.is_break for segment in Playlist.parse(playlist.read_text()).segments)
    assert "was ended by SIGKILL" in stream.said[0] and "continues" in stream.said[1]


def test_a_process_that_is_stopped_is_replaced(tmp_path, monkeypatch):
    with streaming(tmp_path / "hls/live.m3u8") as stream:
        stream.until(lambda: stream.report.sent, "frames arrive")
        monkeypatch.setattr("stages.streams.sending.STUCK_S", 0.2)
        processes()[0].suspend()
        stream.until(lambda: stream.said, "it is ended")
        monkeypatch.undo()
        stream.until(lambda: len(stream.said) == 2, "it goes on")


def test_pictures_are_no_part_of_a_stream(tmp_path):
    said: list[str] = []
    streams = SourceStreams([Destination(str(tmp_path / "hls/live.m3u8"))], "software", said.append)
    streams.take(frame(0, DRAWN, rate=None), DRAWN)
    streams.close()
    assert streams.notes == ["pictures are not streamed, only videos and cameras are"]
    assert not (tmp_path / "hls").exists()


def test_the_name_of_a_source_takes_its_place_in_the_address_and_leads_nowhere_else():
    addresses = ["rtsp://host/{source}", "/srv/hls/{source}.m3u8"]
    assert [each.address for each in destinations(addresses, "door")] == ["rtsp://host/door", "/srv/hls/door.m3u8"]
    strange = [each.address for each in destinations(addresses, "../a b.mp4")]
    assert strange == ["rtsp://host/..%2Fa%20b.mp4", "/srv/hls/_a_b.mp4.m3u8"]
    [long] = destinations(["/srv/hls/{source}.m3u8"], "n" * 250 + ".mp4")
    assert long.address == f"/srv/hls/{'n' * 100}.m3u8"  # Its segments have longer names.


@pytest.mark.parametrize("spelling", ["./live.m3u8", "env:SAME"])
def test_the_same_address_in_two_spellings_is_refused(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAME", "live.m3u8")
    pipeline = read_config(f"render: {{stream: [live.m3u8, {spelling}]}}\n", "pipeline.yaml")
    with pytest.raises(ConfigError, match="names an address twice"):
        streams_of(pipeline, tmp_path)


# --- The process alone ---


@contextmanager
def process(task: Task, *shell: str) -> Iterator[subprocess.Popen]:
    command = [*shell, sys.executable, "-m", "stages.streams"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as started:
        try:
            started.stdin.write(task.to_bytes())
            yield started
        finally:
            started.kill()


def tell(process: subprocess.Popen, message: Shown | Ended) -> bytes:
    for buffer in message.to_buffers() if isinstance(message, Shown) else (message.to_bytes(),):
        os.write(process.stdin.fileno(), buffer)
    return process.stdout.readline()


def noise(number: int) -> Shown:
    rng = np.random.default_rng(number)
    return Shown(number / 25, rng.integers(0, 255, (360, 320), np.uint8))


def test_a_server_that_does_not_answer_ends_the_process():
    with answering(None) as address, process(Task(address, Format("software", (64, 48), 25.0), patience_s=1)) as sends:
        assert sends.wait(60) == -signal.SIGALRM


def test_a_full_disk_ends_the_process_with_what_to_do_and_leaves_no_part_of_a_file(tmp_path):
    playlist = tmp_path / "live.m3u8"
    limited = ("bash", "-c", 'ulimit -f 8; exec "$@"', "bash")  # kilobytes of a file
    with process(Task(str(playlist), Format("software", (320, 240), 25.0)), *limited) as sends:
        answer = sends.stdout.readline()
        assert answer == TAKEN
        for number in range(5):
            assert tell(sends, noise(number)) == TAKEN
        assert tell(sends, Ended(True)) == b"File too large; allow larger files, with ulimit -f\n"
        assert sends.wait(60) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".facepipe.stream"]


def test_without_new_frames_the_last_one_is_repeated_so_that_nobody_leaves(tmp_path):
    playlist = tmp_path / "hls/live.m3u8"
    with process(Task(str(playlist), Format("software", (320, 240), 25.0))) as sends:
        assert sends.stdout.readline() == TAKEN
        assert tell(sends, noise(0)) == TAKEN
        eventually(lambda: playlist.exists() and len(Playlist.parse(playlist.read_text()).segments) >= 2, "segments")


def test_a_stream_that_another_process_writes_is_left_to_it(tmp_path):
    (tmp_path / ".facepipe.stream").touch()
    with (
        locked(tmp_path / ".facepipe.live.lock"),
        process(Task(str(tmp_path / "live.m3u8"), Format("software", (64, 48), 25.0))) as sends,
    ):
        assert sends.stdout.readline().startswith(b"it is written by process")


def test_it_ends_when_render_is_gone(tmp_path):
    with process(Task(str(tmp_path / "live.m3u8"), Format("software", (64, 48), 25.0))) as sends:
        assert sends.stdout.readline() == TAKEN
        sends.stdin.close()
        assert sends.wait(60) == 0


def test_a_port_where_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"rtsp://127.0.0.1:{bound.getsockname()[1]}/x"
        with process(Task(address, Format("software", (64, 48), 25.0))) as sends:
            assert sends.stdout.readline() == b"Connection refused\n"
