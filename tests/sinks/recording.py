"""A recorder as render opens one."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from stages.results.manifest import Manifest
from stages.results.source_folder import SourceFolder
from stages.sinks.recorder import Recorder
from stages.sinks.recovery import restore, survey


def recording(
    folder: Path,
    *,
    annotated: bool = True,
    manifest: Manifest | None = None,
    apart: Container[str] = (),
    continuing: bool = False,
    source: str | None = None,
    live: bool = False,
    **options,
) -> Recorder:
    """Of a source alone in its output folder. `continuing`: what is there is kept; `source`: whose it has to be."""
    place = SourceFolder(folder, manifest or Manifest(folder), annotated, apart)
    restored = restore(survey(place), source, live) if continuing else None
    return Recorder(place, restored, live=live, **options)
