"""What processes cost, as measured: the resources that are asked for. docs/deploy.md says by which commands.

Processor and memory: docs/scale.md, "A fleet", 4 cameras of 1280 x 720 with 5 frames a second on two quiet cores,
2026-11-30. Processor time is with the messages; memory is the proportional set size (PSS) of a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

FRAME_MS = {  # of one core
    "capture": 7.2,  # decoding, handing out
    "detect": 11.3,  # detector, crops, pose and quality
    "gender": 0.9,
    "age": 0.9,
    "emotion": 2.4,
    "render": 10.4,  # following, drawing, encoding, writing
}
LAUNCHER_MS = 0.7
OWN_MB = {"capture": 178, "detect": 56, "render": 144}  # of capture without the frames in flight
ATTRIBUTE_MB, LAUNCHER_MB = 33, 57
SHARED_MB = 60  # of libraries, which the processes of a smaller unit share with fewer others
SERVE_MB = 112  # of `facepipe serve`: 103 after twenty pictures of 1280 x 720
FRAME_MB = 2.8  # a picture of 1280 x 720
DISK_KB = 27  # of a finished frame: results and annotated video
SPARE = 1.5  # of the memory limit: other pictures are larger, and a detector of one's own is too

MEASURED = """\
Processor and memory are what was measured: 34 ms of one core for a frame of 1280 x 720 in all stages
(docs/scale.md), 33 to 178 MB for a process, and the frames in flight (docs/deploy.md)."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one unit asks for."""

    cpu_m: int  # thousandths of a core
    memory_mb: int  # that it is expected to take
    limit_mb: int  # that ends it


def resources(
    processes: Mapping[str, int], rates: Mapping[str, float], sources: int, window: int, window_bytes: int
) -> Resources:
    """What a unit takes with so many processes of each stage.

    `rates`: frames a second that pass through each stage here; `sources`: captures here, each with a window of so many
    frames, and at most so many bytes of them.
    """
    busy_ms = sum(rate * FRAME_MS.get(stage, FRAME_MS["emotion"]) for stage, rate in rates.items())
    busy_ms += LAUNCHER_MS * max(rates.values(), default=0.0)
    own_mb = sum(count * OWN_MB.get(stage, ATTRIBUTE_MB) for stage, count in processes.items())
    frames_mb = sources * min(window * FRAME_MB, window_bytes / 1e6)
    usual_mb = LAUNCHER_MB + SHARED_MB + own_mb + frames_mb
    most_mb = LAUNCHER_MB + SHARED_MB + own_mb + sources * window_bytes / 1e6
    return Resources(_rounded(busy_ms, 10), _rounded(usual_mb, 16), _rounded(SPARE * most_mb, 16))


def _rounded(value: float, step: int) -> int:
    return max(step, ceil(value / step) * step)
