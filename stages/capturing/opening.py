"""Opens the source, and sees that it stays the one that the run was begun with."""

from __future__ import annotations

import time

from stages.core.errors import FacepipeError
from stages.runtime.process import Launcher, Settings
from stages.runtime.settings import stamp
from stages.sources import Part, Source, SourceError, open_source

_AGAIN_S = 0.5


class SourceChanged(FacepipeError):
    """The source is another one than that which the run was begun with."""


def opened(settings: Settings, launcher: Launcher) -> Source:
    """Open the source; in a later life the same as in the first, and a live one as soon as it is there again."""
    spec, name, was = settings.source.spec, settings.source.name, settings.opened_as
    if was and spec == "auto" and name is None:
        spec = int(was.removeprefix("camera")) if was.startswith("camera") else was
    is_live = isinstance(spec, int) or "://" in spec or spec.startswith("/dev/")
    until_s = time.monotonic() + (settings.pipeline.reconnect if was and is_live else 0.0)
    played = settings.pipeline.capture
    while True:
        try:
            return open_source(spec, name, Part(*played.part), played.loop)
        except SourceError:
            if time.monotonic() >= until_s:
                raise
            launcher.beat()
            time.sleep(_AGAIN_S)


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
