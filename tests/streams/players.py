"""A real player and a real server: FFmpeg's, of the system, which are another version than those that facepipe has."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.browser import free_port
from tests.end_to_end.command import eventually

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffmpeg and ffprobe")


def frames_of(place: Path | str, complaints: str = "warning") -> list[dict]:
    """Every frame that ffprobe decodes of a file or playlist, without complaints of this level."""
    command = ["ffprobe", "-v", complaints, "-of", "json", "-select_streams", "v", "-show_frames", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)["frames"]


class RtspServer:
    """Takes one publisher, and writes what it sends to a file."""

    def __init__(self, recording: Path, port: int):
        self.recording = recording
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-rtsp_flags", "listen"]
        command += ["-i", f"rtsp://127.0.0.1:{port}/faces", "-c", "copy", str(recording)]
        self.process = subprocess.Popen(command)
        eventually(self._listens, "ffmpeg listens")

    def _listens(self) -> bool:
        connections = psutil.Process(self.process.pid).net_connections("tcp")
        return any(connection.status == psutil.CONN_LISTEN for connection in connections)


@contextmanager
def rtsp_server(recording: Path, port: int | None = None) -> Iterator[tuple[RtspServer, str]]:
    """A server and the address to publish at, with a password."""
    port = port or free_port()
    server = RtspServer(recording, port)
    try:
        yield server, f"rtsp://anna:hush@127.0.0.1:{port}/faces"
    finally:
        server.process.kill()
        server.process.wait()


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """The address of what says this to every request; None: it takes connections and says nothing."""
    visitors: list[socket.socket] = []

    def serve(visitor: socket.socket) -> None:
        with suppress(OSError):
            while request := visitor.recv(65_536):
                number = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
                visitor.sendall(answer % number)

    def accept() -> None:
        with suppress(OSError):
            while True:
                visitors.append(listening.accept()[0])
                if answer is not None:
                    threading.Thread(target=serve, args=(visitors[-1],), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"rtsp://anna:hush@127.0.0.1:{listening.getsockname()[1]}/faces"
    for visitor in visitors:
        visitor.close()
