"""Faces found and frames a second with each detector, and with a package that people install for the same purpose.

All on the same clip and on at most two cores. The peer is `fer` of PyPI, with its own detector and with MTCNN; its
weights come with it. `make peer` installs it into an environment of its own, for `--peer`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.clips import long_clip, sample_clip
from bench.loops import Cost, raced
from bench.options import BenchError, Options, command
from bench.pipeline import Run, pinned, run
from bench.table import SPEED, Figure, figure
from stages.config.schema import ConfigError
from stages.project import PROJECT
from stages.vision.detectors import DETECTORS

TITLE = "detectors and a peer"
PEERS = PROJECT.parent / "shared" / "peers"
FILES = {"yunet": "face_detection_yunet_2023mar.onnx", "dlib-cnn": "mmod_human_face_detector.dat"}  # the user's
SHARES = {"dlib-cnn": 40, "mtcnn": 10}  # who is slow is given one frame in so many
CORES = 2
PROGRAM = Path(__file__).with_name("peer.py")
PEER_DETECTORS = ("haar", "mtcnn")


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a clip."""

    speed: float  # frames a second
    faces: float  # a frame
    detect_ms: float | None = None  # a frame in the stage `detect`


def measure(options: Options) -> list[Figure]:
    """A row for each detector, by the configuration as it is otherwise, then the peer's."""
    clip = long_clip(options.folder / "clip.mp4", options.frames, options.clip)
    contestants, absent = _pipelines(options, clip)
    contestants |= _peers(options, clip)
    with pinned(CORES):
        rounds = [{name: measured() for name, measured in contestants.items()} for _ in range(options.rounds)]
    return [*(_figure(name, [each[name] for each in rounds]) for name in contestants), *absent]


def model_of(detector: str) -> Path | None:
    """The model file that the user has to bring for a detector, where we know of one."""
    file = PEERS / FILES.get(detector, "")
    return file if file.is_file() else None


def _pipelines(options: Options, clip: Path) -> tuple[dict[str, Callable[[], Found]], list[Figure]]:
    """How to measure each detector, and rows for those that cannot be."""
    contestants, absent = {}, []
    for detector in DETECTORS:
        file, name = model_of(detector), f"facepipe, {detector}"
        keys = [f"stages.detect.detector={detector}", f"stages.detect.model={file or 'null'}"]
        try:
            options.pipeline(*keys)
        except ConfigError:
            if detector not in FILES:
                raise
            absent.append(figure(name, (), SPEED, note=f"not measured: it needs {FILES[detector]} in {PEERS}"))
            continue
        part = _part(options, clip, detector)
        contestants[name] = lambda part=part, keys=keys: _of_run(run(options, part, *keys))
    return contestants, absent


def _peers(options: Options, clip: Path) -> dict[str, Callable[[], Found]]:
    if options.peer is None:
        return {}
    python = options.peer / "bin" / "python"
    if not python.is_file():
        raise BenchError(f"--peer {options.peer} is no virtual environment; make it: make peer PEER={options.peer}")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    contestants = {}
    for detector in PEER_DETECTORS:
        command = [str(python), "-P", str(PROGRAM), str(_part(options, clip, detector)), detector]
        contestants[f"fer, {detector}"] = lambda command=command: _of_cost(raced([command], environment))
    return contestants


def _part(options: Options, clip: Path, detector: str) -> Path:
    if detector not in SHARES:
        return clip
    return sample_clip(options.folder / f"{detector}.mp4", clip, SHARES[detector])


def _of_run(ran: Run) -> Found:
    spent_ms = 1000 * ran.render["spent"]["detect"] / ran.frames
    return Found(ran.frames_a_second, ran.render["faces"] / ran.frames, spent_ms)


def _of_cost(cost: Cost) -> Found:
    return Found(cost.frames_a_second, cost.faces_a_frame)


def _figure(name: str, rounds: list[Found]) -> Figure:
    note = f"{rounds[0].faces:.2f} faces a frame"
    if rounds[0].detect_ms is not None:
        note += f", {min(each.detect_ms for each in rounds):.1f} ms to find them"
    return figure(name, [each.speed for each in rounds], SPEED, "", note)


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
