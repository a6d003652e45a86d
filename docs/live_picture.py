"""Take docs/live.webp and docs/live-dark.webp, ten seconds of the web page: `python -m docs.live_picture`.

The source is the demo, in a loop. Needs Chromium and a minute.
"""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from stages.project import PROJECT
from tests.browser import Tab, chromium, free_port

SECONDS, RATE = 10, 6  # of the film, and its pictures a second
BEFORE_S = 14  # so that the charts have something to show
WIDTH, HEIGHT = 1280, 900  # pixels of the window
SHOWN = (960, 675)  # of the film: pages show it no larger
QUALITY = 60


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, page(Path(folder) / "out") as address, chromium() as opened:
        for name, scheme in (("live.webp", "light"), ("live-dark.webp", "dark")):
            tab = opened(WIDTH, HEIGHT)
            tab.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            tab.tell(
                "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
            )
            tab.open(address)
            tab.until("facepipe.pictures > 0", "pictures")
            time.sleep(BEFORE_S)
            pictures = filmed(tab)
            tab.close()
            write_film(pictures, PROJECT / "docs" / name)
    return 0


@contextmanager
def page(output: Path) -> Iterator[str]:
    """The address of the page of a run over the demo."""
    command = [sys.executable, "run_pipeline.py", "--source", "demo", "--loop", "--output", str(output)]
    command += ["--display", "web", "--web", str(free_port()), "--set", "port=5900", "--set", "pace=true"]
    command += ["--set", "render.annotated=false"]
    run = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    try:
        yield next(found[1] for line in run.stderr if (found := re.search(r"the page is at (\S+)", line)))
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


def filmed(tab: Tab) -> list[tuple[float, Image.Image]]:
    """Screenshots, each with the seconds for which it is shown."""
    taken: list[tuple[float, Image.Image]] = []
    began_s = time.monotonic()
    while (now_s := time.monotonic() - began_s) < SECONDS:
        picture = Image.open(io.BytesIO(tab.picture())).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
        taken.append((now_s, picture))
        time.sleep(max(0.0, (len(taken) / RATE) - (time.monotonic() - began_s)))
    ends = [at_s for at_s, _ in taken[1:]] + [float(SECONDS)]
    return [(until_s - at_s, picture) for (at_s, picture), until_s in zip(taken, ends, strict=True)]


def write_film(pictures: list[tuple[float, Image.Image]], path: Path) -> None:
    """Write an animated WebP that begins again at its end."""
    (_, first), *others = pictures
    durations_ms = [round(1000 * seconds) for seconds, _ in pictures]
    first.save(
        path,
        save_all=True,
        append_images=[picture for _, picture in others],
        duration=durations_ms,
        loop=0,
        quality=QUALITY,
        method=4,
        minimize_size=True,
    )


if __name__ == "__main__":
    sys.exit(main())
