"""Take docs/web.png, a screenshot of the web page: `python -m docs.web_picture`. Needs Chromium and a minute.

The source is the clip of three people who cross, in a loop. One process is killed, so that the screenshot shows a
restart.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
from PIL import Image

from bench.scenes import crossing, write_scene
from stages.project import PROJECT
from tests.browser import chromium, free_port

SECONDS = 58  # the charts show a minute
WIDTH, HEIGHT = 1360, 900  # pixels of the window; the picture is of the whole page
SHOWN_WIDTH = 1020  # of the picture: pages show it no larger


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "crossing.mp4"
        write_scene(clip, crossing())
        page = photographed(clip, Path(folder) / "out")
    height = round(page.shape[0] * SHOWN_WIDTH / page.shape[1])
    small = cv2.resize(page, (SHOWN_WIDTH, height), interpolation=cv2.INTER_AREA)
    write_small(small, PROJECT / "docs" / "web.png")
    return 0


def write_small(pixels: np.ndarray, path: Path) -> None:
    """Write a PNG of 256 colours, which needs a quarter of the bytes, without a visible difference."""
    few = Image.fromarray(pixels[:, :, ::-1]).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2)
    few.save(path, optimize=True)


def photographed(clip: Path, output: Path) -> np.ndarray:
    """Return a screenshot of the page after a minute of a run: uint8 (H, W, 3) BGR."""
    port = free_port()
    command = [sys.executable, "run_pipeline.py", "--source", str(clip), "--loop", "--output", str(output)]
    command += ["--display", "web", "--web", str(port), "--set", "port=5900", "--set", "pace=true"]
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
            return cv2.imdecode(np.frombuffer(tab.picture(whole=True), np.uint8), cv2.IMREAD_COLOR)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


if __name__ == "__main__":
    sys.exit(main())
