"""A camera in the network: motion JPEG from a server on this machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class Camera:
    """Sends pictures until it is told to end; `url` is live, as its name does not end like a file's."""

    def __init__(self, picture: Callable[[int], np.ndarray], rate: float):
        self.url = ""
        self.sent = 0
        self.ended = threading.Event()
        self._jpegs: dict[int, bytes] = {}
        self._picture, self._rate = picture, rate

    def jpeg(self, number: int) -> bytes:
        number %= 32
        if number not in self._jpegs:
            self._jpegs[number] = cv2.imencode(".jpg", self._picture(number))[1].tobytes()
        return self._jpegs[number]

    def send(self, write: Callable[[bytes], object]) -> None:
        while not self.ended.wait(1 / self._rate):
            jpeg = self.jpeg(self.sent)
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            write(head.encode() + jpeg + b"\r\n")
            self.sent += 1


@contextmanager
def camera(
    picture: Callable[[int], np.ndarray], rate: float, port: int = 0, host: str = "127.0.0.1"
) -> Iterator[Camera]:
    """A camera of so many frames a second while the context lasts, at this port or any."""
    live = Camera(picture, rate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802  the library's name
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # Nobody looks any more.
                live.send(self.wfile.write)

        def log_message(self, *_):
            """Silent."""

    with ThreadingHTTPServer((host, port), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        live.url = f"http://{host}:{http.server_port}/door"
        try:
            yield live
        finally:
            live.ended.set()
            http.shutdown()
            thread.join()
