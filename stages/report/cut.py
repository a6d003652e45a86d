"""The pictures of the faces of one source, hidden where the run or the reader wants them hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from ..layout import RUN
from ..results.jsonl import Line
from ..results.manifest import Manifest
from .lines import NoFrames, Results, inputs_of, place_of
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
    pictures: dict[Moment, bytes] = {}
    notes: list[str] = []
    parts = [(results, {moment: moment for moment in moments})] if spec is not None else _by_part(results, moments)
    for part, of_part in parts:
        thumbnails = Thumbnails(place_of(part.folder, manifest), source, spec, hide, side)
        cut = thumbnails.cut(of_part.values())
        pictures |= {moment: cut[there] for moment, there in of_part.items() if there in cut}
        notes += thumbnails.notes
    said = list(notes)
    if moments and not pictures and not notes:
        notes.append(NO_PICTURES)
    if hidden is None and pictures and not blur:
        said.append(
            f"{results.folder} has no {RUN} that says whether faces were hidden: here they are; put it back there."
        )
    return Cut(pictures, notes, said, may_link=not hide or (hidden is True and spec is None))


def _by_part(results: Results, moments: Sequence[Moment]) -> Iterator[tuple[Results, dict[Moment, Moment]]]:
    """The pieces that moments are in, with each moment as the piece has it: its video begins with its first frame."""
    begun = [(part, first) for part in results.parts() if (first := _first_line(part)) is not None]
    if len(begun) < 2:
        yield results, {moment: moment for moment in moments}
        return
    for (part, first), (_, later) in zip_longest(begun, begun[1:], fillvalue=(None, None)):
        inside = [m for m in moments if first.frame <= m.frame and (later is None or m.frame < later.frame)]
        yield part, {moment: replace(moment, time_s=moment.time - first.time) for moment in inside}


def _first_line(results: Results) -> Line | None:
    with suppress(NoFrames):  # A piece that has just been begun.
        return next(iter(results), None)
    return None


def _was_hidden(folder: Path) -> bool | None:
    """Whether the run that left the folder of a source has made faces unrecognisable; None where nothing says so."""
    blur = inputs_of(folder).get("render.blur")
    return None if blur is None else blur != "none"
