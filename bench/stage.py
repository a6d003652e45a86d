"""One stage of the pipeline as a program, as `python -m stages.NAME`, that also writes down what it has cost.

python -m bench.stage NAME FOLDER [spans] [bare]: leaves FOLDER/NAME-REPLICA.json. With `spans` it also says to which
functions the time of its main thread went (bench/spans.py), with `bare` it lacks what delivery needs (bench/bare.py).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

BEGAN_S = time.monotonic()


def main() -> None:
    """Run the stage as `stages.program.run_stage` would."""
    stage, folder, *options = sys.argv[1:]
    sys.argv[1:] = ["--launched"]
    from stages.program import run_stage
    from stages.supervision.child import STAGE_MODULES
    from stages.transport.sockets import Transport

    module = importlib.import_module(f"stages.{stage if stage in STAGE_MODULES else 'attribute'}")
    imported_s = time.monotonic()
    if "bare" in options:
        from bench.bare import install

        install()

    def measured(settings, control) -> None:
        notes = {"pid": os.getpid(), "began_s": BEGAN_S, "imported_s": imported_s, "spans": {}}
        told_ready, spans = control.ready, None

        def ready() -> None:
            nonlocal spans
            told_ready()
            # Not before: by now the stage has imported all that there is to be timed.
            spans = _spans() if "spans" in options else None
            notes.update(ready_s=time.monotonic(), start_cpu_s=time.process_time())
            notes.update(cpu_s=-time.process_time(), main_s=-time.thread_time())

        closes = Transport.close

        def close(transport: Transport) -> None:
            notes["links_s"] = _transport_threads_s()  # They end with the sockets.
            closes(transport)

        control.ready, Transport.close = ready, close
        module.main(settings, control)
        notes["cpu_s"] += time.process_time()
        notes["main_s"] += time.thread_time()
        if spans is not None:
            notes["spans"] = spans.report()
        (Path(folder) / f"{stage}-{settings.replica}.json").write_text(json.dumps(notes))

    run_stage(measured, stage)


def _transport_threads_s() -> float:
    """Processor time of the threads in which ZeroMQ sends and receives; 0 where the system does not tell."""
    spent_ns = 0
    for task in Path("/proc/self/task").glob("*"):
        if (task / "comm").read_text().startswith("ZMQ"):
            spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


def _spans():
    from bench.spans import Spans

    return Spans.installed()


if __name__ == "__main__":
    main()
