"""Make a report page, tables, contact sheets or subtitles from the results of a run.

python -m stages.report                          report.html of the newest run in out/
python -m stages.report out/clip                 out/clip/report.html
python -m stages.report out/clip --blur          with unrecognisable faces
python -m stages.report out/clip --source clip.mp4    takes the faces from this file
python -m stages.report out/clip --csv --parquet      out/clip/faces.csv, .parquet: a row for each face and frame
python -m stages.report out/shots --contact-sheet     contact-sheet.jpg, or pages of it: every face with its labels
python -m stages.report out/shots --csv --contact-sheet --html --sort gender,age:desc    all of them sorted
python -m stages.report out/clip out/clip-2      out/clip/comparison.html: the two side by side, and face by face
python -m stages.report out/clip --vtt           subtitles for each video, in out/clip/annotated/
python -m stages.report results                  of an archive: results/archive.html, the page over all its films
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":  # Ctrl-C while the modules below are read: nothing was begun yet.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..dependencies import installs
from ..errors import FacepipeError
from ..layout import CSV, PARQUET, REPORT, SUMMARY
from ..project import command
from ..reading.lines import (
    Results,
    ResultsError,
    areas_of,
    chosen_folder,
    coast_of,
    files,
    losses_of,
    manifest_of,
    place_of,
    results_with_frames,
    summary_in,
)
from ..reading.options import options_of
from ..reading.order import By, read_order, sort_by
from ..reading.tables import need_pyarrow, write_csv, write_parquet
from ..reading.words import counted
from ..reading.words import people as in_words
from ..results.manifest import Manifest
from ..sinks.subtitles import from_the_start, subtitles, subtitles_path
from ..sources.base import SourceError
from ..sources.urls import public
from ..supervision.arguments import Arguments
from ..supervision.command import run, say
from .archive import is_archive, write_archive_report
from .comparing import write_comparison
from .contact_sheet import write_contact_sheet
from .cut import cut_faces
from .film import wanted
from .gathering import gather, losses_by_reason
from .links import links_to
from .overview import best_moments
from .page import SourceSection, page
from .thumbnails import MANY, SIDE, SIDE_OF_MANY
from .words import size_of
from .writing import write_page

PEOPLE = 40  # of a video, shown each
TORN = "The last line is torn: the run was broken off while it wrote. Everything before it is here."


def main(argv: list[str] | None = None) -> int:
    """Make what was asked for; 0, or 2 where there is nothing to make it of."""
    options = _options(argv)
    try:
        if options.folder is not None and is_archive(options.folder):
            _over_all(options)
            return 0
        options.folder = chosen_folder(options.folder, command("report"), say)
        is_alone = options.other is None
        for said in _make(options, results_with_frames(options.folder, say)) if is_alone else _compare(options):
            say(said)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    return parser().parse_args(argv)


def parser() -> Arguments:
    """The options of the command."""
    options = options_of("report", __doc__)
    options.add_argument(
        "other", type=Path, metavar="OTHER", nargs="?", help="another run: write a page that compares the two"
    )
    options.add_argument("--html", action="store_true", help="write the page in addition to others")
    options.add_argument("--csv", action="store_true", help="write a table as CSV")
    options.add_argument("--parquet", action="store_true", help=f"write a table as Parquet; needs {installs('tables')}")
    options.add_argument("--vtt", action="store_true", help="write subtitles")
    options.add_argument("--contact-sheet", action="store_true", help="write the faces into pictures, 100 in each")
    options.add_argument(
        "--sort",
        type=_order,
        default=[],
        metavar="COLUMN",
        help="sort tables, contact sheets and the faces of pictures in the page by a column of the table, such as age,"
        " or by several: gender,age:desc; :desc is descending",
    )
    options.add_argument("--blur", action="store_true", help="anonymise the faces of page and contact sheets")
    options.add_argument("--source", metavar="FILE", help="the source of the run, to take the faces from")
    options.add_argument(
        "--people", type=_count, default=PEOPLE, metavar="N", help=f"show at most N people of each video ({PEOPLE})"
    )
    return options


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)


def _order(text: str) -> list[By]:
    try:
        return read_order(text)
    except ValueError:
        says = f"{text!r} names no column; write for example age, or gender,age:desc"
        raise argparse.ArgumentTypeError(says) from None


def _make(options: argparse.Namespace, results: list[Results]) -> Iterator[str]:
    """Write what is asked for; says of each thing what was written."""
    manifest = manifest_of(options.folder)
    if options.parquet:
        need_pyarrow()
    for wanted_it, name, write in ((options.csv, CSV, write_csv), (options.parquet, PARQUET, write_parquet)):
        if wanted_it:
            rows = write(options.folder / name, results, manifest, options.sort)
            yield f"Wrote {options.folder / name}: {counted(rows, 'row', 'rows')}."
    if options.vtt:
        yield from _subtitles(results, manifest)
    wants_page = options.html or not (options.csv or options.parquet or options.vtt or options.contact_sheet)
    if options.source is not None and (wants_page or options.contact_sheet):
        _refuse_live(options.source, len(results))
    if options.contact_sheet:
        given = options.sort, options.people, options.source, options.blur
        yield from write_contact_sheet(options.folder, results, manifest, *given)
    if wants_page:
        yield from _report(options, results, manifest)
    for one in results:
        if one.is_torn:
            yield f"The last line of {one.path} is torn, because the run was broken off; it is left out."


def _over_all(options: argparse.Namespace) -> None:
    """Write the page over an archive; raises `ResultsError` where something of one run is asked for."""
    folder = options.folder
    _refuse_of_one_run(options, f"{folder} is an archive of many; name the folder of a film in it")
    if options.other is not None:
        raise ResultsError(f"{folder} is an archive, and two runs are compared; name the folders of two films in it.")
    write_archive_report(folder, options.blur, say)


def _compare(options: argparse.Namespace) -> Iterator[str]:
    """Write the page about two runs; raises `ResultsError` where something of one run is asked for too."""
    _refuse_of_one_run(options, "two are compared; leave it out")
    other = chosen_folder(options.other, command("report"), say)
    yield from write_comparison((options.folder, other), options.people, options.blur)


def _refuse_of_one_run(options: argparse.Namespace, why: str) -> None:
    for name in ("csv", "parquet", "vtt", "contact_sheet", "source", "sort"):
        if getattr(options, name):
            raise ResultsError(f"--{name.replace('_', '-')} is for one run, and {why}.")


def _subtitles(results: list[Results], manifest: Manifest) -> Iterator[str]:
    for one in (part for whole in results for part in whole.parts()):  # Each piece has a video of its own.
        has_film, place = False, place_of(one.folder, manifest)
        for is_film, lines in files(one):
            if not is_film:
                continue
            has_film, first = True, next(lines)
            path = subtitles_path(place.video(first.source, first.file))
            frames = ((line.time, line.faces) for part in ([first], lines) for line in part)
            write_page(path, subtitles(from_the_start(frames)), manifest)
            yield f"Wrote {path}."
        if not has_film:
            yield f"No subtitles for {one.path}: only videos have any."


def _report(options: argparse.Namespace, results: list[Results], manifest: Manifest) -> Iterator[str]:
    """Write the page."""
    summary = summary_in(options.folder / SUMMARY)
    accounts = {account.get("source"): account for account in summary.get("sources", [])}
    path, sources = options.folder / REPORT, []
    for one in results:
        gathered = gather(one, options.people, coast_of(one.folder), areas_of(one.folder))
        gathered.stills = sort_by(options.sort, gathered.stills, lambda still: still.cells)
        moments = [moment for film in gathered.films for moment in wanted(film.shown, gathered.coloured)]
        moments += [best.moment for best in best_moments(gathered)]
        moments += [still.moment for still in gathered.stills]
        side = SIDE if len(set(moments)) <= MANY else SIDE_OF_MANY
        cut = cut_faces(one, gathered.source, moments, manifest, options.source, options.blur, side)
        yield from cut.said
        losses, account = losses_by_reason(losses_of(one.folder)), accounts.get(gathered.source, {})
        links = {}
        if cut.may_link:
            place = place_of(one.folder, manifest)
            links = links_to(gathered.stills, path, place, gathered.source, options.source)
        notes = [TORN, *cut.notes] if one.is_torn else cut.notes
        sources.append(SourceSection(gathered, cut.pictures, losses, account, notes, cut.captions, links))
    day = time.strftime("%d %B %Y", time.localtime(max(one.path.stat().st_mtime for one in results))).lstrip("0")
    write_page(path, page(sources, summary, day), manifest)
    yield f"Wrote {path}, {size_of(path)}: {_found(sources)}."


def _found(sources: list[SourceSection]) -> str:
    frames, faces, people, pictures = (
        sum(getattr(one.gathered, name) for one in sources) for name in ("frames", "faces", "people", "still_count")
    )
    said = [counted(pictures, "picture", "pictures")] if pictures else []
    if pictures == frames:
        said.append(counted(faces, "face", "faces"))
    else:
        said += [counted(frames - pictures, "frame", "frames"), in_words(people)]
    return ", ".join(said)


def _refuse_live(spec: str, sources: int) -> None:
    """What is not there any more cannot be looked at again; and no camera must be opened by mistake."""
    if re.fullmatch(r"(/dev/video)?\d{1,4}|auto|.*://.*", spec):
        raise SourceError(f"--source is {public(spec)}, but faces are cut out of files only; leave it out.")
    if sources > 1:
        raise SourceError("--source is for one source, and this run had several; write the folder of one of them.")


if __name__ == "__main__":
    run(main)
