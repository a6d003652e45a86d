"""The pictures of the faces of one source, hidden where the run or the reader wants them hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..layout import RUN
from ..results.manifest import Manifest
from ..results.source_folder import SourceFolder
from ..sources.stamps import apart_in
from .lines import Results, inputs_of
from .person import Moment
from .thumbnails import SIDE, Thumbnails
from .words import Pictures

NO_PICTURES = (
    "There are no pictures of the faces: there is no annotated video, and there are no annotated pictures."
    " With --source they are cut out of what the run was given."
)


@dataclass(frozen=True, slots=True)
class Cut:
    """What could be had."""

    pictures: Pictures
    notes: list[str]  # sentences for the page
    said: list[str]  # sentences for the terminal
    may_link: bool  # to what the faces were cut out of: nobody is led from a page that hides faces to where they show


def cut_faces(
    results: Results,
    source: str,
    moments: Sequence[Moment],
    manifest: Manifest,
    spec: str | None = None,
    blur: bool = False,
    side: int = SIDE,
) -> Cut:
    """Cut the faces of a source out of its annotated files, or out of `spec`, what the run had as source.

    `blur`: hide them whatever the run has done. `side`: the longer one of each picture, in pixels.
    """
    hidden = _was_hidden(results.folder)
    hide = blur or hidden is not False
    thumbnails = Thumbnails(place_of(results.folder, manifest), source, spec, hide, side)
    pictures = thumbnails.cut(moments)
    notes, said = list(thumbnails.notes), list(thumbnails.notes)
    if moments and not pictures and not notes:
        notes.append(NO_PICTURES)
    if hidden is None and pictures and not blur:
        said.append(
            f"{results.folder} has no {RUN} that says whether faces were hidden: here they are; put it back there."
        )
    return Cut(pictures, notes, said, may_link=not hide or (hidden is True and spec is None))


def place_of(folder: Path, manifest: Manifest) -> SourceFolder:
    """The outputs of the source whose results are in a folder."""
    return SourceFolder(folder, manifest, apart=apart_in(inputs_of(folder), folder.name))


def _was_hidden(folder: Path) -> bool | None:
    """Whether the run that left the folder of a source has made faces unrecognisable; None where nothing says so."""
    blur = inputs_of(folder).get("render.blur")
    return None if blur is None else blur != "none"
