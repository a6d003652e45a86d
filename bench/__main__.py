"""All measurements, one after the other; every one is also a command of its own, such as `python -m bench.latency`."""

from __future__ import annotations

import sys

from bench import before, delivery, detectors, latency, memory, messages, serving, start, steps, throughput
from bench.options import commands

MEASUREMENTS = {
    before.TITLE: before.measure,
    **steps.MEASUREMENTS,
    detectors.TITLE: detectors.measure,
    throughput.TITLE: throughput.measure,
    messages.TITLE: messages.measure,
    latency.TITLE: latency.measure,
    latency.TITLE_LARGE: latency.measure_large,
    start.TITLE: start.measure,
    serving.TITLE: serving.measure,
    memory.TITLE: memory.measure,
    delivery.TITLE: delivery.measure,
}

if __name__ == "__main__":
    sys.exit(commands(MEASUREMENTS))
