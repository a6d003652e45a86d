"""One stage of the pipeline as a program, as `python -m stages.NAME`, that also writes down what it has cost.

python -m bench.stage NAME FOLDER [spans]: leaves FOLDER/NAME-REPLICA.json. With `spans` it also says which functions the
time of its main thread went to (bench/spans.py).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

BEGAN_S = time.monotonic()


def main() -> None:
    """Run the stage as `stages.runtime.process.run_stage` would."""
    stage, folder, *options = sys.argv[1:]
    sys.argv[1:] = ["--launched"]
    from stages.runtime.child import STAGE_MODULES
    from stages.runtime.process import run_stage

    module = importlib.import_module(f"stages.{stage if stage in STAGE_MODULES else 'attribute'}")
    imported_s = time.monotonic()

    def measured(settings, launcher) -> None:
        notes = {"began_s": BEGAN_S, "imported_s": imported_s, "spans": {}}
        told_ready, spans = launcher.ready, None

        def ready() -> None:
            nonlocal spans
            told_ready()
            # Not before: by now the stage has imported all that there is to be timed.
            spans = _spans() if "spans" in options else None
            notes.update(ready_s=time.monotonic(), cpu_s=-time.process_time(), main_s=-time.thread_time())

        launcher.ready = ready
        module.main(settings, launcher)
        notes["cpu_s"] += time.process_time()
        notes["main_s"] += time.thread_time()
        if spans is not None:
            notes["spans"] = spans.report()
        (Path(folder) / f"{stage}-{settings.replica}.json").write_text(json.dumps(notes))

    run_stage(measured, stage)


def _spans():
    from bench.spans import Spans

    return Spans.installed()


if __name__ == "__main__":
    main()
