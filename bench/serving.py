"""What a client of `facepipe serve` gets: requests a second, and how long an answer takes.

The server is a process, as a person starts it. The clients are threads of this process, each with a connection of its
own, and send the first frame of the clip as JPEG.
"""

from __future__ import annotations

import http.client
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import av
import cv2

from bench.clips import long_clip
from bench.options import BenchError, Options, command
from bench.table import Figure, figure
from stages.project import PROJECT

TITLE = "pictures posted to facepipe serve"
CLIENTS = (1, 2, 4)


def measure(options: Options) -> list[Figure]:
    """Each number of clients in turn, with `frames` requests in a round."""
    picture = _picture(options)
    figures = []
    with _server(options) as port:
        _ask(port, picture, 5)  # The first answers are slower.
        for clients in CLIENTS:
            speeds, latest = zip(
                *(_round(port, picture, options.frames, clients) for _ in range(options.rounds)), strict=True
            )
            name = f"{clients} client{'s' if clients > 1 else ''}"
            figures.append(figure(f"{name}: requests", speeds, "a second"))
            figures.append(figure(f"{name}: latency p95", latest, "ms"))
    return figures


def _picture(options: Options) -> bytes:
    with av.open(str(long_clip(options.folder / "clip.mp4", 1, options.clip))) as clip:
        pixels = next(clip.decode(video=0)).to_ndarray(format="bgr24")
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@contextmanager
def _server(options: Options) -> Iterator[int]:
    """A server; gives its port."""
    words = [
        sys.executable,
        "-P",
        "-m",
        "stages.serve",
        str(options.folder / "no-run"),
        "--port",
        "0",
        "--rate",
        "100000",
    ]
    words += ["--config", options.config] if options.config else []
    words += [word for override in options.overrides for word in ("--set", override)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            said = re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())
            if said is None:
                raise BenchError("the server has not started; its sentence above says why.")
            yield int(said[1])
        finally:
            server.terminate()


def _round(port: int, picture: bytes, requests: int, clients: int) -> tuple[float, float]:
    """Requests a second, and the latency in ms that 95 of 100 stay below."""
    began_s = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        answered = pool.map(lambda _: _ask(port, picture, max(2, requests // clients)), range(clients))
        latencies_s = [latency_s for some in answered for latency_s in some]
    speed = len(latencies_s) / (time.monotonic() - began_s)
    return speed, 1000 * statistics.quantiles(latencies_s, n=20)[-1]


def _ask(port: int, picture: bytes, requests: int) -> list[float]:
    """The seconds that each answer took, one after the other over one connection."""
    connection, latencies_s = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    for _ in range(requests):
        began_s = time.monotonic()
        connection.request("POST", "/v1/analyze", picture, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise BenchError(f"the server answers {answer.status}: {said.decode()}")
        latencies_s.append(time.monotonic() - began_s)
    connection.close()
    return latencies_s


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
