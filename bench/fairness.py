"""Whether a quiet source gets its due: a camera of few frames a second alone, and beside busy sources, in real runs.

python -m bench.fairness --seconds 60: a row for each source of each run. Cameras are motion JPEG over HTTP from
processes of their own; films are read as fast as they go. Fair is what the quiet camera's row shows in every run: the
same number of frames, none dropped, and a latency that grows by the tasks under way, and by no queue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from itertools import cycle, islice
from pathlib import Path

import cv2
import yaml

from bench.clips import write_clip
from bench.live import MOST_FRAMES, camera
from bench.options import BenchError, machine
from stages.errors import FacepipeError
from stages.project import PROJECT
from stages.sources.opening import open_source

WIDTH = 640  # pixels, of all pictures
FILM_RATE = 200.0  # frames of a film for each second of a run: more than are analysed in it
RUNS = (("quiet",), ("quiet", "busy"), ("quiet", "film"), ("quiet", "busy", "film"), ("quiet", "film", "film2"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", allow_abbrev=False, description=__doc__)
    parser.add_argument("--seconds", metavar="S", type=float, default=60.0, help="of each run (default: 60)")
    parser.add_argument("--quiet", metavar="R", type=float, default=2.0, help="frames a second (default: 2)")
    parser.add_argument("--busy", metavar="R", type=float, default=100.0, help="frames a second (default: 100)")
    parser.add_argument("--clip", metavar="FILE", default="demo", help="what all of them show (default: the demo)")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a key of the configuration")
    given = parser.parse_args(argv)
    print(f"Measured on {date.today()}; {machine()}\n", flush=True)
    print("| run | source | finished, frames/s | dropped | latency p50 | p95 |\n| --- | --- | --- | --- | --- | --- |")
    try:
        with tempfile.TemporaryDirectory(prefix="facepipe-fairness-") as name, ExitStack() as cameras:
            clip = _clip(Path(name) / "clip.mp4", given.clip)
            film = _clip(Path(name) / "film.mp4", given.clip, frames=round(FILM_RATE * given.seconds))
            rates = {"quiet": given.quiet, "busy": given.busy}
            urls = {source: cameras.enter_context(camera(clip, rate)) for source, rate in rates.items()}
            for number, names in enumerate(RUNS):
                sources = {source: urls.get(source, str(film)) for source in names}
                for row in _measured(Path(name) / f"run-{number}", sources, given.seconds, given.set):
                    print(f"| {' + '.join(names)} | {row}", flush=True)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def _clip(path: Path, of: str, frames: int = MOST_FRAMES) -> Path:
    """So many frames, or as many as there are; a film that lasts longer begins anew."""
    source = open_source(of)
    pixels = [picture.pixels for picture in islice(source.pictures(), MOST_FRAMES)]
    source.close()
    high, wide = pixels[0].shape[:2]
    size = (WIDTH, round(high * WIDTH / wide / 2) * 2)
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pixels]
    many = frames if frames > MOST_FRAMES else len(small)
    write_clip(path, islice(cycle(small), many), 25.0)
    return path


def _measured(output: Path, sources: dict[str, str], seconds: float, overrides: list[str]) -> Iterator[str]:
    """A row for each source of one run; raises `BenchError`."""
    config = output.with_suffix(".yaml")
    config.write_text(yaml.safe_dump({"sources": sources}))
    words = [sys.executable, str(PROJECT / "run_pipeline.py"), "--config", str(config), "--output", str(output)]
    words += ["--display", "none", "--quiet", "--seconds", str(seconds)]
    words += [word for override in overrides for word in ("--set", override)]
    run = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT)
    if run.returncode:
        raise BenchError(f"a run has failed: {run.stderr[-500:]}")
    said = json.loads((output / "summary.json").read_text())
    for source in said["sources"]:
        # What came before the stages were there is no matter of fairness.
        lost = [drop for drop in source["dropped"] if drop["reason"] not in ("stages not ready", "opening")]
        dropped = sum(drop["count"] for drop in lost) + source["missing"]
        latency = source["latency_ms"]
        rate = source["rendered"] / source["seconds"]
        yield f"{source['source']} | {rate:.1f} | {dropped} | {latency['p50']:.0f} ms | {latency['p95']:.0f} ms |"


if __name__ == "__main__":
    sys.exit(main())
