"""A camera on this machine, as a program: motion JPEG over HTTP at a given rate, the frames of a clip over and over.

python -m bench.live CLIP RATE: says its URL in a line, and serves until its standard input is closed.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from bench.options import BenchError
from stages.project import PROJECT
from stages.sources.opening import open_source

MOST_FRAMES = 150  # encoded once, before anybody looks: the server must take nothing from those whom it serves
QUALITY = 90


@contextmanager
def camera(clip: Path, rate: float) -> Iterator[str]:
    """The URL of such a camera, in a process of its own, while it is there."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.live", str(clip), str(rate)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if not (url := server.stdout.readline().strip()):
            raise BenchError("the camera to measure with could not be started; its last words stand above.")
        yield url
    finally:
        server.communicate()


def main() -> None:
    """Serve a clip."""
    clip, rate = sys.argv[1:]
    source = open_source(clip)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    pictures = itertools.islice(source.pictures(), MOST_FRAMES)
    frames = [cv2.imencode(".jpg", picture.pixels, options)[1].tobytes() for picture in pictures]
    source.close()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(frames, float(rate))) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}/camera", flush=True)
        sys.stdin.read()


def _handler(frames: list[bytes], rate: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802  the library's name
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            began_s = time.monotonic()
            with suppress(ConnectionError):  # A reader that has seen enough.
                for number, jpeg in enumerate(itertools.cycle(frames)):
                    time.sleep(max(0.0, began_s + number / rate - time.monotonic()))
                    head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")

        def log_message(self, *_):
            """Silent."""

    return Handler


if __name__ == "__main__":
    main()
