"""Writes what a command makes of results, as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..reading.lines import cannot_be_written
from ..results.manifest import Manifest
from ..sinks.subtitles import write_parts


def write_page(path: Path, parts: Iterable[str], manifest: Manifest) -> None:
    """A text in parts; raises `ResultsError`, and `ForeignFile` where a file of somebody else has its name."""
    try:
        write_parts(path, parts, manifest)
    except OSError as error:
        raise cannot_be_written(path, error) from error
