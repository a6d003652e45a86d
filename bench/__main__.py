"""All measurements, one after the other; every one is also a command of its own, such as `python -m bench.latency`."""

from __future__ import annotations

import sys

from bench import delivery, latency, memory, messages, start, throughput
from bench.options import commands

if __name__ == "__main__":
    sys.exit(
        commands({module.TITLE: module.measure for module in (throughput, messages, latency, start, memory, delivery)})
    )
