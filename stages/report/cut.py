"""The pictures of the faces of one source, hidden where the run or the reader wants them hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from ..errors import reason
from ..layout import RUN
from ..people.portraits import portrait_name
from ..reading.lines import NoFrames, Results, inputs_of, place_of
from ..reading.over_time import Moment
from ..results.atomic import is_plain
from ..results.jsonl import Line
from ..results.manifest import Manifest
from ..results.pieces import whole_of
from ..results.source_folder import SourceFolder
from ..sources.base import SourceError
from ..sources.opening import open_source
from ..sources.picture import read_picture
from ..sources.stamps import source_in, unchanged_file
from ..sources.urls import public
from .frames_of import Frames, of_original, of_source, of_still, of_video
from .thumbnails import MANY, SIDE, Look, Thumbnail, of_portrait, thumbnail

DEMO = "demo"  # the source that is in the program itself
NO_PICTURES = (
    "There are no pictures of the faces: the source is not where it was or was changed, and there are no annotated"
    " videos or pictures. With --source they are cut out of what the run was given."
)
FROM_ANNOTATED = (
    "Some faces are cut out of the annotated pictures: their source cannot be read again here, or was changed, and the"
    " run has kept no portraits of them."
)
BRIGHTENED = "Dark faces are brightened here, and only here."


@dataclass(slots=True)
class Cut:
    """What could be had."""

    may_link: bool  # to what the faces were cut out of: nobody is led from a page that hides faces to where they show
    pictures: dict[Moment, Thumbnail] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # sentences for the page
    said: list[str] = field(default_factory=list)  # sentences for the terminal
    captions: list[str] = field(default_factory=list)  # sentences about the pictures


def cut_faces(
    results: Results,
    source: str,
    moments: Sequence[Moment],
    manifest: Manifest,
    spec: str | None = None,
    blur: bool = False,
    side: int = SIDE,
    brighten: bool = True,
) -> Cut:
    """Cut faces out of the source, if it is where it was and unchanged; else take the portraits that the run has kept,
    or else cut them out of the annotated files.

    `spec`: what the run had as source, if that is to be read. `blur`: hide faces whatever the run has done. `side`,
    `brighten`: as in `Look`. Raises `SourceError` where `spec` cannot be opened.
    """
    hidden = was_hidden(results.folder)
    look = Look(side, blur or hidden is not False, brighten)
    cut = Cut(may_link=not look.hide or (hidden is True and spec is None))
    wanted = sorted(set(moments), key=lambda moment: moment.frame)
    if spec is not None:
        _take(cut, spec, of_source(open_source(spec), wanted), look, is_annotated=False)
    else:
        if hidden is False and len(wanted) <= MANY:  # Whole photographs by the thousand take minutes to decode.
            _from_originals(cut, results.folder, wanted, look)
        rest = [moment for moment in wanted if moment not in cut.pictures]
        is_drawn_in = False
        for part, there in _by_part(results, rest):
            found = Cut(may_link=False)
            place = place_of(part.folder, manifest)
            _from_portraits(found, place, there.values(), look)
            left = [moment for moment in there.values() if moment not in found.pictures]
            for path, frames in _annotated(place, source, left, side):
                _take(found, path.name, frames, look, is_annotated=True)
            is_drawn_in |= any(moment in found.pictures for moment in left)
            cut.pictures |= {one: found.pictures[other] for one, other in there.items() if other in found.pictures}
            cut.notes += found.notes
        if hidden is False and len(wanted) <= MANY and is_drawn_in:
            cut.captions.append(FROM_ANNOTATED)
    if spec is not None and wanted and not cut.pictures and not cut.notes:
        cut.notes.append(f"There are no pictures of the faces: {public(spec)} has none of the frames of this run.")
    _say(cut, results.folder, wanted, hidden is None and not blur)
    return cut


def _take(cut: Cut, what: str, frames: Frames, look: Look, is_annotated: bool) -> None:
    """Cut the faces of one file; what is wrong with it costs only these."""
    try:
        for moment, pixels in frames:
            if (picture := thumbnail(moment, pixels, look, is_annotated)) is not None:
                cut.pictures[moment] = picture
    except Exception as error:  # A damaged file, or a library's trouble with it.
        cut.notes.append(f"Not all faces of {what} could be cut out: {reason(error)}.")


def _from_originals(cut: Cut, folder: Path, wanted: Iterable[Moment], look: Look) -> None:
    """Out of the files that the run has read; of what cannot be had there is something else."""
    inputs = inputs_of(folder)
    if "capture.loop" in inputs:  # Times go on from round to round, and those of the file do not.
        return
    found, name = Cut(may_link=False), whole_of(folder).name
    with suppress(SourceError):  # Without scikit-image and matplotlib, whose pictures the demo shows.
        if source_in(inputs, name)[0] == DEMO:
            _take(found, DEMO, of_source(open_source(DEMO), wanted), look, is_annotated=False)
    for file, moments in _by_file(wanted):
        if (path := unchanged_file(inputs, name, file)) is not None:
            _take(found, path.name, of_original(path, moments), look, is_annotated=False)
    cut.pictures |= found.pictures


def _from_portraits(cut: Cut, place: SourceFolder, wanted: Iterable[Moment], look: Look) -> None:
    """The faces that the run has kept for this; one that cannot be read is looked for elsewhere."""
    for moment in wanted:
        if moment.id is not None and is_plain(path := place.portraits / portrait_name((moment.id, moment.frame))):
            with suppress(SourceError):
                pixels, _ = read_picture(path, path.name)
                if (picture := of_portrait(pixels, look)) is not None:
                    cut.pictures[moment] = picture


def _annotated(place: SourceFolder, source: str, wanted: Iterable[Moment], side: int) -> Iterator[tuple[Path, Frames]]:
    for file, moments in _by_file(wanted):
        video, still = place.video(source, file), place.still(source, file)
        if video.is_file():
            yield video, of_video(video, [(moment.time_s, moment) for moment in moments])
        elif still.is_file():
            yield still, of_still(still, moments, side)


def _by_file(wanted: Iterable[Moment]) -> Iterator[tuple[str | None, list[Moment]]]:
    files: dict[str | None, list[Moment]] = {}
    for moment in wanted:
        files.setdefault(moment.file, []).append(moment)
    yield from files.items()


def _say(cut: Cut, folder: Path, wanted: Sequence[Moment], is_unknown: bool) -> None:
    """What the reader should know of the pictures."""
    cut.said += cut.notes
    if wanted and not cut.pictures and not cut.notes:
        cut.notes.append(NO_PICTURES)
    if any(picture.is_brightened for picture in cut.pictures.values()):
        cut.captions.append(BRIGHTENED)
    if is_unknown and cut.pictures:
        cut.said.append(f"{folder} has no {RUN} that says whether faces were hidden: here they are; put it back there.")


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


def was_hidden(folder: Path) -> bool | None:
    """Whether the run that left the folder of a source has made faces unrecognisable; None where nothing says so."""
    blur = inputs_of(folder).get("render.blur")
    return None if blur is None else blur != "none"
