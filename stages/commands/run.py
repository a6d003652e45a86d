"""Runs a pipeline: starts its stages as processes, watches over them, and says what came of it."""

from __future__ import annotations

import argparse
import errno
import re
import sys
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..config.load import Override
from ..config.schema import Pipeline
from ..errors import FacepipeError, reason, way_out
from ..exit_status import ExitStatus
from ..names import printable
from ..plan import read_pipeline
from ..run import run
from ..running.job import RunOptions
from ..service import serve
from ..sources.urls import public
from ..supervision.arguments import Arguments
from ..supervision.places import this_host
from . import options
from .inspection import check, list_cameras, make_keys

NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def parser() -> Arguments:
    """The options of a run."""
    return options.parser("run")


def main(argv: list[str] | None = None, name: str = "run") -> int:
    """Run the command; returns its exit status. `name` is what help calls it."""
    arguments = options.parsed(argv, name)
    try:
        if arguments.list_cameras:
            return list_cameras()
        overrides = _overrides(arguments)
        pipeline, folder = read_pipeline(arguments.config, overrides)
        if arguments.make_keys:
            return make_keys(pipeline, Path(arguments.make_keys))
        host = this_host(pipeline, arguments.host)
        if arguments.check:
            return check(pipeline, folder, host, arguments.only)
        start = serve if arguments.service else run
        reread = partial(_reread, arguments.config, overrides)
        return start(pipeline, folder, replace(_run_options(arguments, host), reread=reread))
    except FacepipeError as error:
        if arguments.debug:
            traceback.print_exc()
        print(f"facepipe: {printable(str(error))}", file=sys.stderr)
        return ExitStatus.REFUSED
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise  # A defect of ours.
        where = f"{error.filename}: " if error.filename else ""
        print(f"facepipe: no run can be started: {where}{reason(error)}; {way_out(error)}.", file=sys.stderr)
        return ExitStatus.REFUSED


def _reread(config: str | None, overrides: list[Override]) -> Pipeline:
    return read_pipeline(config, overrides)[0]


def _overrides(arguments: argparse.Namespace) -> list[Override]:
    """The options that set keys: the short ones count after `--set`."""
    short = {
        "source": arguments.source,
        "stages.detect.detector": arguments.detector,
        "render.output": arguments.output,
        "render.display": arguments.display,
        "render.delay": _number_or_text(arguments.delay),
        "render.web": arguments.web,
        "render.web_host": arguments.web_host,
        "render.blur": arguments.blur,
        "render.stream": _one_or_several(arguments.stream),
        "capture.start": _number_or_text(arguments.start),
        "capture.end": _number_or_text(arguments.end),
        "capture.fps": _number_or_text(arguments.fps),
        "capture.loop": arguments.loop or None,
    }
    overrides = [Override.parse(text) for text in arguments.set]
    for key, value in short.items():
        if value is not None:
            # Taken as it is, not as YAML: a file may be called 1e3 or no.
            is_number = key in ("source", "render.web") and value.isascii() and value.isdigit()
            option = key.rpartition(".")[2].replace("_", "-")
            overrides.append(Override(key, int(value) if is_number else value, f"--{option} {_public(value)}"))
    return overrides


def _one_or_several(values: list[str] | None) -> str | list[str] | None:
    return values[0] if values and len(values) == 1 else values


def _public(value: str | float | list[str]) -> str:
    return " ".join(map(public, value)) if isinstance(value, list) else public(value)


def _number_or_text(value: str | None) -> float | str | None:
    if value is None or not re.fullmatch(r"-?\d{1,15}(\.\d{0,15})?", value):
        return value
    return float(value) if "." in value else int(value)


def _run_options(arguments: argparse.Namespace, host: str) -> RunOptions:
    return RunOptions(
        only=arguments.only,
        once=arguments.once,
        seconds=arguments.seconds,
        quiet=arguments.quiet,
        verbose=arguments.verbose,
        host=host,
        record=arguments.record,
        resume=arguments.resume,
        again=arguments.resume or arguments.service,
        replace=arguments.replace,
        config=Path(arguments.config).stem if arguments.config else None,
        config_file=arguments.config,
        metrics=(arguments.metrics_host, arguments.metrics) if arguments.metrics else None,
        log_level=arguments.log_level,
    )
