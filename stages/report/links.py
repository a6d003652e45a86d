"""Links from the page to the files that its faces are in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from ..results.source_folder import SourceFolder
from ..sources.listing import root_of
from .gathering import Still


def links_to(
    stills: Iterable[Still], page: Path, place: SourceFolder, source: str, spec: str | None = None
) -> dict[str | None, str]:
    """By file: where its annotated picture is, relative to the folder of `page`; nothing where there is none.

    `spec`: what the run had as source, where the links are to lead to its files.
    """
    links = {}
    for file in dict.fromkeys(still.moment.file for still in stills):
        path = place.still(source, file) if spec is None else _of_source(spec, file)
        if path.is_file():
            links[file] = quote(Path(os.path.relpath(path, page.parent)).as_posix(), errors="surrogateescape")
    return links


def _of_source(spec: str, file: str | None) -> Path:
    return Path(spec) if file is None else root_of(spec) / file
