"""What processes cost, as measured: the resources that are asked for. docs/deploy.md says by which commands.

Processor: docs/performance.md, "Where each millisecond goes", a frame of 1280 x 720 with one face, and messages of a
camera at 30 frames a second. Memory: docs/faults.md, an hour of `make soak`, with what the processes share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

FRAME_MS = {  # of one core
    "capture": 2.4,  # decoding
    "detect": 9.3,  # detector, crops, pose and quality
    "gender": 0.3,
    "age": 0.3,
    "emotion": 1.6,
    "render": 6.1,  # following, drawing, encoding, writing
}
MESSAGES_MS = 0.9  # a process: 6.0 ms a frame among seven
OWN_MB = {"capture": 60, "detect": 33, "render": 61}
ATTRIBUTE_MB, LAUNCHER_MB, SHARED_MB = 29, 35, 60
FRAME_MB = 2.8  # a picture of 1280 x 720
SPARE = 1.5  # of the memory limit: other pictures are larger, and a detector of one's own is too

MEASURED = """\
Processor and memory are what was measured: 26 ms of one core for a frame of 1280 x 720 in all stages
(docs/performance.md), 28 to 61 MB for a process (docs/faults.md, make soak)."""


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
    busy_ms = sum(rate * (FRAME_MS.get(stage, FRAME_MS["emotion"]) + MESSAGES_MS) for stage, rate in rates.items())
    own_mb = sum(count * OWN_MB.get(stage, ATTRIBUTE_MB) for stage, count in processes.items())
    frames_mb = sources * min(window * FRAME_MB, window_bytes / 1e6)
    usual_mb = LAUNCHER_MB + SHARED_MB + own_mb + frames_mb
    most_mb = LAUNCHER_MB + SHARED_MB + own_mb + sources * window_bytes / 1e6
    return Resources(_rounded(busy_ms, 10), _rounded(usual_mb, 16), _rounded(SPARE * most_mb, 16))


def _rounded(value: float, step: int) -> int:
    return max(step, ceil(value / step) * step)
