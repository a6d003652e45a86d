"""Takes docs/web.png, a picture of the page in the browser: `python -m docs.web_picture`. Needs Chromium, and a minute.

What is looked at is the demo, small; its two portraits side by side stay for a while. On the way one process is killed,
so that the picture shows what the page says then.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
from PIL import Image

from stages.plan import PROJECT
from stages.sources.demo import Demo
from tests.browser import chromium, free_port

FIRST, LAST = 140, 168  # the frames of the demo that are gone through to and fro
SECONDS = 58  # of the clip; the charts show a minute
RATE = 12
SIZE = (640, 360)
WIDTH, HEIGHT = 1360, 1352  # pixels of the page
SHOWN_WIDTH = 1020  # of the picture: pages show it no larger


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "demo.mp4"
        write_clip(clip)
        page = photographed(clip, Path(folder) / "out")
    height = round(HEIGHT * SHOWN_WIDTH / WIDTH)
    small = cv2.resize(page, (SHOWN_WIDTH, height), interpolation=cv2.INTER_AREA)
    # With 256 colours it has a quarter of the bytes, and nobody sees it.
    few = Image.fromarray(small[:, :, ::-1]).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2)
    few.save(PROJECT / "docs" / "web.png", optimize=True)
    return 0


def write_clip(path: Path) -> None:
    """The demo once, then its two portraits side by side, back and forth."""
    pictures = [cv2.resize(p.pixels, SIZE, interpolation=cv2.INTER_AREA) for p in Demo().pictures(0)][::2]
    to_and_fro = [*range(FIRST // 2, LAST // 2), *range(LAST // 2, FIRST // 2, -1)]
    order = [*range(FIRST // 2), *to_and_fro * 100][: RATE * SECONDS]
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for number, which in enumerate(order):
            frame = av.VideoFrame.from_ndarray(pictures[which], "bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode())


def photographed(clip: Path, output: Path) -> np.ndarray:
    """The page shortly before the end of a run: uint8 (H, W, 3) BGR."""
    port = free_port()
    command = [sys.executable, "run_pipeline.py", "--source", str(clip), "--output", str(output)]
    command += [
        "--display",
        "web",
        "--web",
        str(port),
        "--set",
        "port=5900",
        "--set",
        "stages.detect.smallest_face=0.15",
    ]
    run = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    try:
        address = next(found[1] for line in run.stderr if (found := re.search(r"the page is at (\S+)", line)))
        with chromium() as opened:
            tab = opened(WIDTH, HEIGHT)
            tab.tell(
                "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
            )
            tab.open(address)
            tab.until("facepipe.pictures > 0", "pictures")
            time.sleep(SECONDS - 10)
            [age] = [p for p in psutil.Process(run.pid).children() if "stages.age" in p.cmdline()]
            age.kill()
            time.sleep(4)
            return cv2.imdecode(np.frombuffer(tab.picture(), np.uint8), cv2.IMREAD_COLOR)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


if __name__ == "__main__":
    sys.exit(main())
