"""Films with a face, the command in a process of its own, and what it leaves."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import PROJECT

LONGEST_S = 110.0  # for what a quiet machine does in some seconds
SIZE = 160, 120


def face_film(path: Path, portrait: np.ndarray, frames: int, key_every: int = 10, phase: float = 0.0) -> Path:
    """H.264 with B-frames, 25 frames a second, in which a portrait, uint8 (512, 512, 3) BGR, moves about."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = SIZE
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": str(key_every), "bf": "2", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            x, y = int(150 + 30 * np.sin(number / 17 + phase)), int(60 + 30 * np.cos(number / 11 + phase))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(portrait[y : y + height, x : x + width]), "bgr24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def archive_command(*words: object) -> list[str]:
    return [sys.executable, "-m", "facepipe", "archive", *map(str, words)]


def archived(*words: object, **more) -> subprocess.CompletedProcess:
    """The command, to its end."""
    return subprocess.run(archive_command(*words), capture_output=True, text=True, timeout=LONGEST_S, **more)


@contextmanager
def archiving(*words: object) -> Iterator[subprocess.Popen]:
    """The command while it works; killed afterwards where it has not ended."""
    process = subprocess.Popen(archive_command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(is_so: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    """Until this is so; the test fails where it takes too long, or the process ends before."""
    ends_s = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < ends_s, "it is not so in time"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def plain(film: Path, output: Path) -> bytes:
    """The results.jsonl of the ordinary pipeline."""
    command = [sys.executable, str(PROJECT / "run_pipeline.py"), str(film), "--output", str(output), "--quiet"]
    subprocess.run([*command, "--set=render.annotated=false"], check=True, timeout=LONGEST_S)
    return (output / "results.jsonl").read_bytes()


def faces_in(output: Path) -> dict[str, int]:
    """How many rows each film has in the data set, by its name."""
    dataset = pytest.importorskip("pyarrow.dataset", reason="needs pyarrow")
    films = dataset.dataset(output / "dataset" / "faces", partitioning="hive").to_table(columns=["film"])
    return dict(Counter(films.column("film").to_pylist()))


def hashes(output: Path) -> dict[str, str]:
    """Of every results.jsonl of an archive, by the name of the film."""
    return {
        path.parent.relative_to(output).as_posix(): digest(path.read_bytes())
        for path in sorted(output.rglob("results.jsonl"))
    }


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def parts_in(output: Path) -> list[str]:
    return [path.name for path in (output / ".archive").rglob("*-*.part") if not path.name.startswith(".")]


def manifest(output: Path) -> dict:
    return json.loads((output / "archive.json").read_text(encoding="utf-8"))


def states(output: Path) -> dict[str, str]:
    """How each film stands, as the manifest says."""
    return {row["film"]: row["state"] for row in manifest(output)["films"]}


def in_progress(output: Path) -> list[Path]:
    """Files of films that are not finished."""
    return [path for path in (output / ".archive" / "parts").rglob("*") if path.is_file()]


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
