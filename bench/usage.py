"""What the processes of a running command use: processor time, memory, descriptors and threads, by stage."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

LAUNCHER = "launcher"  # the command itself, and what it starts beside stages


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all processes of one stage, since each of them was started."""

    processes: int
    cpu_s: float  # of those that are there, user and system
    memory_mb: float  # pages that several share count in parts (PSS), so that stages can be added
    descriptors: int = 0
    threads: int = 0


def usage(command: psutil.Process) -> dict[str, Usage]:
    """By stage, of this process and all that it has started."""
    found: defaultdict[str, list[Usage]] = defaultdict(list)
    for process in (command, *command.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # It has ended since.
            times = process.cpu_times()
            used = 1, times.user + times.system, _memory_mb(process.pid), process.num_fds(), process.num_threads()
            found[_stage(process)].append(Usage(*used))
    return {
        stage: Usage(*(sum(getattr(each, name.name) for each in all_of_it) for name in fields(Usage)))
        for stage, all_of_it in found.items()
    }


def _stage(process: psutil.Process) -> str:
    named = re.search(r" (?:-m )?stages\.(\w+)", " ".join(process.cmdline()))
    return named[1] if named and named[1] != "supervision" else LAUNCHER


def _memory_mb(pid: int) -> float:
    """Not psutil's, which adds up each mapping of its own: some milliseconds for each process."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", said, re.MULTILINE)[1]) * 1024 / 1e6
