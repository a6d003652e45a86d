"""Opens the source, and sees that it stays the one that the run was begun with."""

from __future__ import annotations

import os
import time

from stages.core.errors import FacepipeError
from stages.runtime.process import Launcher, Settings
from stages.runtime.settings import stamp
from stages.sources import Part, Source, SourceAway, SourceError, open_source
from stages.sources.base import PAUSE_MOST_S, PAUSE_S, so_long

_TURN_S = 0.1  # how soon a stop is noticed


class SourceChanged(FacepipeError):
    """The source is another one than that which the run was begun with."""


def opened(settings: Settings, launcher: Launcher) -> Source | None:
    """Open the source, in a later life the same as in the first; a live one that is away is waited for.

    None where a stop is asked for meanwhile.
    """
    spec, name, was = settings.source.spec, settings.source.name, settings.opened_as
    if was and spec == "auto" and name is None:
        spec = int(was.removeprefix("camera")) if was.startswith("camera") else was
    patience_s, pause_s, is_told = settings.pipeline.reconnect_s, PAUSE_S, False
    until_s = time.monotonic() + patience_s
    played = settings.pipeline.capture
    while not launcher.stop_requested:
        try:
            return open_source(spec, name, Part(*played.part), played.loop)
        except SourceError as error:
            so_far = _so_far(error, spec, is_known=was is not None)
            if so_far is None or time.monotonic() >= until_s:
                raise
            if not is_told:
                launcher.say(f"{so_far}; waiting {so_long(patience_s)} for it")
                is_told = True
        _rest(min(pause_s, max(0.0, until_s - time.monotonic())), launcher)
        pause_s = min(2 * pause_s, PAUSE_MOST_S)
    return None


def _so_far(error: SourceError, spec: str | int, is_known: bool) -> str | None:
    """What a person is told of a source that may come yet; None of one that is not waited for."""
    if isinstance(error, SourceAway):
        return error.so_far
    if isinstance(spec, str) and spec.startswith("/dev/") and not os.path.exists(spec):
        return f"no {spec} yet"
    is_live = isinstance(spec, int) or "://" in spec or spec.startswith("/dev/")
    return str(error).rstrip(".") if is_known and is_live else None


def _rest(seconds: float, launcher: Launcher) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s and not launcher.stop_requested:
        launcher.beat()
        time.sleep(_TURN_S)


def refuse_another_file(settings: Settings) -> None:
    """Raise `SourceChanged` if the file was replaced since the run was begun.

    Half of the results from one file and half from another would be those of neither.
    """
    source = settings.source
    begun_with = settings.inputs.get(f"source {source.name or source.spec}")
    if begun_with and begun_with[1] != stamp(source.spec):
        raise SourceChanged(
            f"{source.spec} was changed while it was read: what is written so far is of the file that it was;"
            " --replace begins anew."
        )
