"""Take the screenshots of the report: `python -m docs.report_picture [FILM]`. Needs Chromium and a minute.

docs/report.png is that of the clip of three people who cross; docs/report-blurred.png that of a film of your own, with
unrecognisable faces.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from bench.scenes import crossing, write_scene
from docs.web_picture import write_small
from stages.layout import REPORT
from stages.project import PROJECT
from tests.browser import chromium

WIDTH = 1100  # pixels of the page
HEIGHT, BLURRED_HEIGHT = 1240, 1310


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "crossing.mp4"
        write_scene(clip, crossing())
        write_small(photographed(clip, Path(folder) / "out", HEIGHT), PROJECT / "docs" / "report.png")
        for film in map(Path, sys.argv[1:2]):
            page = photographed(film.absolute(), Path(folder) / "film", BLURRED_HEIGHT, "--blur")
            write_small(page, PROJECT / "docs" / "report-blurred.png")
    return 0


def photographed(source: Path, output: Path, height: int, *options: str) -> np.ndarray:
    """Return the top of the report of a run over this file: uint8 (height, WIDTH, 3) BGR."""
    run = [sys.executable, "run_pipeline.py", "--source", str(source), "--output", str(output), "--display", "none"]
    subprocess.run([*run, "--quiet", "--set", "port=5900"], cwd=PROJECT, check=True)
    subprocess.run([sys.executable, "-m", "stages.report", str(output), *options], cwd=PROJECT, check=True)
    with chromium() as opened:
        tab = opened(WIDTH, height)
        tab.tell("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
        tab.open((output / REPORT).as_uri())
        return cv2.imdecode(np.frombuffer(tab.picture(), np.uint8), cv2.IMREAD_COLOR)


if __name__ == "__main__":
    sys.exit(main())
