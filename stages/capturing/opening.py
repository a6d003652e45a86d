"""Opens the source, and sees that it stays the one that the run was begun with."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from ..errors import FacepipeError
from ..results.counting import count_frames
from ..results.pieces import results_in_pieces
from ..sources.base import PAUSE_MOST_S, PAUSE_S, Source, SourceAway, SourceError, so_long
from ..sources.listing import Pinned
from ..sources.opening import open_source
from ..sources.part import Part
from ..sources.stamps import changed_since, input_of, is_pinned
from ..supervision.stage import ControlChannel, Settings

_TURN_S = 0.1  # how soon a stop is noticed


class SourceChanged(FacepipeError):
    """The source is another one than that which the run was begun with."""


def opened(settings: Settings, control: ControlChannel) -> Source | None:
    """Open the source, in a later life the same as in the first; a live one that is away is waited for.

    None where a stop is asked for meanwhile.
    """
    spec, name, was = settings.source.spec, settings.source.name, settings.opened_as
    if was and spec == "auto" and name is None:
        spec = int(was.removeprefix("camera")) if was.startswith("camera") else was
    patience_s, pause_s, is_told = settings.pipeline.reconnect_s, PAUSE_S, False
    until_s = time.monotonic() + patience_s
    played = settings.pipeline.capture
    while not control.stop_requested:
        try:
            return open_source(spec, name, Part(*played.part), played.loop, _pinned(settings))
        except SourceError as error:
            so_far = _so_far(error, spec, is_known=was is not None)
            if so_far is None or time.monotonic() >= until_s:
                raise
            if not is_told:
                control.say(f"{so_far}; waiting {so_long(patience_s)} for it{_way_out(patience_s)}")
                is_told = True
        _rest(min(pause_s, max(0.0, until_s - time.monotonic())), control)
        pause_s = min(2 * pause_s, PAUSE_MOST_S)
    return None


def _way_out(patience_s: float) -> str:
    """For whoever has mistyped it, and sits before the terminal; a service waits as it was told to."""
    return "; Ctrl-C ends the run, --set reconnect=0 does without the wait" if patience_s < math.inf else ""


def _so_far(error: SourceError, spec: str | int, is_known: bool) -> str | None:
    """What a person is told of a source that may come yet; None of one that is not waited for."""
    if isinstance(error, SourceAway):
        return error.so_far
    if isinstance(spec, str) and spec.startswith("/dev/") and not os.path.exists(spec):
        return f"no {spec} yet"
    is_live = isinstance(spec, int) or "://" in spec or spec.startswith("/dev/")
    return str(error).rstrip(".") if is_known and is_live else None


def _rest(seconds: float, control: ControlChannel) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s and not control.stop_requested:
        control.heartbeat()
        time.sleep(_TURN_S)


def _pinned(settings: Settings) -> Pinned | None:
    """The files that the run was begun with, where the source is a folder or a glob."""
    _, stamped = settings.inputs.get(input_of(settings.source.name, settings.source.spec)) or (None, None)
    if not is_pinned(stamped):
        return None
    return Pinned([row[0] for row in stamped], lambda file, below: _frames_in_results(settings, file, below))


def _frames_in_results(settings: Settings, file: str, below: int) -> int | None:
    """How many frames of a file are written; asked only of one that has gone, which cannot be counted any more."""
    if settings.machines is not None:
        return None  # They may be on another machine.
    try:
        return count_frames(results_in_pieces(Path(settings.output, settings.source.name or ""))[-1], file, below)
    except (OSError, ValueError, KeyError, TypeError):  # What render has not written is not to be counted by.
        return None


def refuse_another_file(settings: Settings) -> None:
    """Raise `SourceChanged` if the file was replaced since the run was begun.

    Half of the results from one file and half from another would be those of neither.
    """
    source = settings.source
    begun_with = settings.inputs.get(input_of(source.name, source.spec))
    if begun_with and (changed := changed_since(source.spec, begun_with[1])):
        raise SourceChanged(
            f"{changed} was changed while it was read: what is written so far is of the file that it was;"
            " --replace begins anew."
        )
