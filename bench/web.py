"""What the page in the browser costs: nobody asks for it, nobody looks, one browser looks, or four do.

The browsers are programs that take every picture and draw none: one that draws would take its cores from the pipeline.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench.clips import long_clip
from bench.options import Options, command
from bench.pipeline import Run, run
from bench.table import Figure, figure

TITLE = "what the page in the browser costs"
BROWSERS = {"no page": None, "a page, nobody looks": 0, "one browser": 1, "four browsers": 4}
_AGAIN_S = 0.02


def measure(options: Options) -> list[Figure]:
    """Runs in turn, at full speed; the speeds are ratios within a round."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    rounds = [{name: _watched(options, clip, count) for name, count in BROWSERS.items()} for _ in range(options.rounds)]
    figures = []
    for name in BROWSERS:
        ran = [one[name] for one in rounds]
        spent = [each.cpu_ms_a_frame for each, _ in ran]
        figures.append(figure(f"{name}: processor time", spent, "ms a frame"))
        if name != "no page":
            speeds = [one[name][0].frames_a_second / one["no page"][0].frames_a_second for one in rounds]
            figures.append(figure(f"{name}: speed", speeds, "of that without a page"))
        if BROWSERS[name]:
            shares = [100 * pictures / BROWSERS[name] / each.frames for each, pictures in ran]
            figures.append(figure(f"{name}: pictures", shares, "% of the frames", "", "each got, at most 40 a second"))
    return figures


def _watched(options: Options, clip: Path, browsers: int | None) -> tuple[Run, int]:
    """A run, and how many pictures the browsers got together."""
    if browsers is None:
        return run(options, clip), 0
    port = _free_port()
    looking = [_browser(port) for _ in range(browsers)]
    try:
        for browser in looking:
            browser.stdout.readline()  # It is there, before anything is to be seen.
        ran = run(options, clip, f"render.web={port}")
        return ran, sum(int(browser.communicate(timeout=30)[0]) for browser in looking)
    finally:
        for browser in looking:
            browser.kill()


def _browser(port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "bench.web", "--look-at", f"ws://127.0.0.1:{port}/live"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def look_at(address: str) -> None:
    """Take all pictures of a page, until the standard input ends; then say how many there were."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    pictures = 0

    def say_at_the_end() -> None:
        sys.stdin.read()
        print(pictures, flush=True)
        os._exit(0)

    threading.Thread(target=say_at_the_end, daemon=True).start()
    print("looking", flush=True)
    while True:
        with contextlib.suppress(OSError, WebSocketException), connect(address, max_size=None, proxy=None) as live:
            for message in live:
                length = int.from_bytes(message[:4], "big")
                said = json.loads(message[4 : 4 + length])
                pictures += "picture" in said
                for source in said.get("about", {}).get("sources", ())[:1]:
                    look = {"do": "look", "source": source["name"], "blur": False, "paused": False}
                    live.send(json.dumps(look))
                live.send('{"do": "ready"}')
        time.sleep(_AGAIN_S)  # The run has not begun yet, or is over.


if __name__ == "__main__":
    if sys.argv[1:2] == ["--look-at"]:
        look_at(sys.argv[2])
    sys.exit(command(measure, TITLE))
