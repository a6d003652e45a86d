"""Measures the checkout of the project that PYTHONPATH names, which may be older than this file.

    PYTHONPATH=TREE python -P bench/inside.py pipeline CLIP FOLDER [--config FILE] [--set KEY=VALUE …]
    PYTHONPATH=TREE python -P bench/inside.py steps CLIP FOLDER --one-thread [--config FILE] [--set KEY=VALUE …]

`pipeline` runs the pipeline once, and says in a line of JSON what it took. `steps` is `python -m bench.loop` of that
checkout, and says besides to which steps of the work its processor time went. Of the file's own checkout nothing is
imported, and of the other only what has long had its name: `bench.pipeline.run`, `bench.loop.main` and the functions
of the steps.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

# By step, the functions that are this step, each without those of another step that it calls. What a checkout does not
# have, it does not do: older ones have these functions elsewhere and by other names, and some have no marks.
STEPS = (
    ("detect", "stages.vision.detectors.detector", "Detector.detect"),
    ("crop", "bench.loop", "cut"),
    ("crop", "bench.loop", "cut_all"),
    ("crop", "bench.loop", "crop_faces"),
    ("pose and quality", "bench.loop", "marks_of"),
    ("follow", "stages.view.postprocess", "PostProcessor.finish"),
    ("draw", "stages.view.postprocess", "PostProcessor.draw"),
    ("encode", "stages.sinks.video", "VideoWriter.write"),
    ("results.jsonl", "stages.results.jsonl", "JsonLines.write"),
    ("detect", "stages.detectors.detector", "Detector.detect"),
    ("follow", "stages.outputs.look", "Look.finish"),
    ("draw", "stages.outputs.look", "Look.draw"),
    ("encode", "stages.outputs.video", "VideoWriter.write"),
    ("results.jsonl", "stages.outputs.jsonl", "JsonLines.write"),
)


def main() -> None:
    """Do what the first argument says."""
    kind, *arguments = sys.argv[1:]
    {"pipeline": pipeline, "steps": steps}[kind](arguments)


def pipeline(arguments: list[str]) -> None:
    """Run the pipeline once."""
    from bench.options import Options
    from bench.pipeline import run

    try:
        from stages.errors import FacepipeError
    except ModuleNotFoundError:  # an older checkout
        from stages.core.errors import FacepipeError

    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("clip")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args(arguments)
    options = Options(
        config=given.config,
        overrides=tuple(given.set),
        clip=None,
        frames=1,
        rounds=1,
        skip=frozenset(),
        chart=None,
        folder=given.folder,
    )
    try:
        ran = run(options, given.clip)
    except FacepipeError as error:
        sys.exit(str(error))
    print(json.dumps({"frames": ran.frames, "seconds": ran.seconds, "cpu_s": ran.cpu_s, "faces": ran.render["faces"]}))


def steps(arguments: list[str]) -> None:
    """Work through a clip in one loop."""
    from bench import loop

    timer = Timer()
    for step, module, function in STEPS:
        with contextlib.suppress(ModuleNotFoundError):
            timer.around(step, importlib.import_module(module), function)
    library = Timer()
    _around_models(timer, library, loop)
    _around_decoding(timer, loop)
    sys.argv[1:] = arguments
    loop.main()
    print(json.dumps({"steps_s": timer.spent_s, "library_s": library.spent_s}))


class Timer:
    """Seconds of processor time of this process by step; of what is nested, each has its own."""

    def __init__(self):
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self._inner_s = [0.0]  # what the calls within the one under way have taken, innermost last

    def around(self, step: str, place: object, function: str) -> None:
        """Time a function or method from now on, where there is one."""
        *path, last = function.split(".")
        for name in path:
            place = getattr(place, name)
        if hasattr(place, last):
            setattr(place, last, self.timed(step, getattr(place, last)))

    def timed(self, step: str, call: Callable) -> Callable:
        """The same function, timed."""

        @wraps(call)
        def timed(*arguments, **named):
            self._inner_s.append(0.0)
            began_s = time.process_time()
            try:
                return call(*arguments, **named)
            finally:
                took_s = time.process_time() - began_s
                self.spent_s[step] += took_s - self._inner_s.pop()
                self._inner_s[-1] += took_s

        return timed


def _around_models(timer: Timer, library: Timer, loop) -> None:
    """The net of every stage is a step; of it and of the detector it is also told what its library takes."""
    make = loop.Loop.__init__

    def made(self, plan) -> None:
        make(self, plan)
        for stage, model in self._models.items():
            model.answers = timer.timed(stage, model.answers)
            model._net.run = library.timed(stage, model._net.run)
        backend = getattr(self._detector, "_backend", None) or self._detector._finder  # as older checkouts call it
        backend.find = library.timed("detect", backend.find)

    loop.Loop.__init__ = made


def _around_decoding(timer: Timer, loop) -> None:
    """The pictures of a source come one by one: each `next` is timed."""
    opens = loop.open_source

    def opened(spec: str):
        source = opens(spec)
        pictures = source.pictures()

        def timed() -> Iterator:
            following = timer.timed("decode", lambda: next(pictures, None))
            while (picture := following()) is not None:
                yield picture

        source.pictures = timed
        return source

    loop.open_source = opened


if __name__ == "__main__":
    main()
