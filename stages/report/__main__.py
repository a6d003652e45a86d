"""Make a report page, tables or subtitles from the results of a run.

python -m stages.report                          report.html of the newest run in out/
python -m stages.report out/clip                 out/clip/report.html
python -m stages.report out/clip --blur          with unrecognisable faces
python -m stages.report out/clip --source clip.mp4    takes the faces from the source; without an annotated video
python -m stages.report out/clip --csv --parquet      out/clip/faces.csv, .parquet: a row for each face and frame
python -m stages.report out/clip --vtt           subtitles for each video, in out/clip/annotated/
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
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..dependencies import installs
from ..errors import FacepipeError
from ..layout import CSV, PARQUET, REPORT, RESULTS, RUN, SUMMARY
from ..project import command
from ..results.manifest import Manifest
from ..results.source_folder import SourceFolder
from ..sinks.subtitles import from_the_start, subtitles, subtitles_path, write_parts
from ..sources.base import SourceError
from ..sources.stamps import apart_in
from ..sources.urls import public
from ..supervision.arguments import Arguments
from ..supervision.command import run, say
from .film import wanted
from .gathering import files, gather, losses_by_reason
from .lines import (
    Results,
    cannot_be_written,
    chosen_folder,
    inputs_of,
    losses_of,
    results_in,
    summary_in,
)
from .page import SourceSection, page
from .tables import need_pyarrow, write_csv, write_parquet
from .thumbnails import Thumbnails
from .words import counted

PEOPLE = 40  # of a video, shown each


def main(argv: list[str] | None = None) -> int:
    """Make what was asked for; 0, or 2 where there is nothing to make it of."""
    options = _options(argv)
    try:
        options.folder = chosen_folder(options.folder, command("report"), say)
        for said in _make(options, results_in(options.folder)):
            say(said)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    return parser().parse_args(argv)


def parser() -> Arguments:
    """The options of the command."""
    prog = command("report")
    options = Arguments(
        prog=prog,
        description=__doc__.replace("python -m stages.report", prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "folder",
        type=Path,
        metavar="OUT",
        nargs="?",
        help="the output folder of a run, or a folder of runs: then the newest one (default: out)",
    )
    options.add_argument("--html", action="store_true", help="write the page in addition to tables or subtitles")
    options.add_argument("--csv", action="store_true", help="write a table as CSV")
    options.add_argument("--parquet", action="store_true", help=f"write a table as Parquet; needs {installs('tables')}")
    options.add_argument("--vtt", action="store_true", help="write subtitles")
    options.add_argument("--blur", action="store_true", help="anonymise the faces of the page")
    options.add_argument("--source", metavar="FILE", help="the source of the run, to take the faces from")
    options.add_argument(
        "--people", type=_count, default=PEOPLE, metavar="N", help=f"show at most N people of each video ({PEOPLE})"
    )
    return options


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)


def _make(options: argparse.Namespace, results: list[Results]) -> Iterator[str]:
    """Write what is asked for; says of each thing what was written."""
    manifest = Manifest.over(options.folder / RESULTS)
    if options.parquet:
        need_pyarrow()
    for wanted_it, name, write in ((options.csv, CSV, write_csv), (options.parquet, PARQUET, write_parquet)):
        if wanted_it:
            rows = write(options.folder / name, results, manifest)
            yield f"Wrote {options.folder / name}: {counted(rows, 'row', 'rows')}."
    if options.vtt:
        yield from _subtitles(results, manifest)
    if options.html or not (options.csv or options.parquet or options.vtt):
        yield from _report(options, results, manifest)
    for one in results:
        if one.is_torn:
            yield f"The last line of {one.path} is torn, because the run was broken off; it is left out."


def _subtitles(results: list[Results], manifest: Manifest) -> Iterator[str]:
    for one in results:
        has_film, place = False, _place(one.folder, manifest)
        for is_film, lines in files(one):
            if not is_film:
                continue
            has_film, first = True, next(lines)
            path = subtitles_path(place.video(first.source, first.file))
            frames = ((line.time, line.faces) for part in ([first], lines) for line in part)
            _write(path, subtitles(from_the_start(frames)), manifest)
            yield f"Wrote {path}."
        if not has_film:
            yield f"No subtitles for {one.path}: only videos have any."


def _report(options: argparse.Namespace, results: list[Results], manifest: Manifest) -> Iterator[str]:
    """Write the page."""
    summary = summary_in(options.folder / SUMMARY)
    if options.source is not None:
        _refuse_live(options.source, len(results))
    accounts = {account.get("source"): account for account in summary.get("sources", [])}
    sources = []
    for one in results:
        gathered = gather(one, options.people)
        moments = [moment for film in gathered.films for moment in wanted(film.shown, gathered.coloured)]
        moments += [moment for still in gathered.stills for _, moment in still.faces]
        hidden = _was_hidden(one.folder)
        hide = options.blur or hidden is not False
        thumbnails = Thumbnails(_place(one.folder, manifest), gathered.source, options.source, hide)
        pictures = thumbnails.cut(moments)
        yield from thumbnails.notes
        if hidden is None and pictures and not options.blur:
            yield f"{one.folder} has no {RUN} that says whether faces were hidden: here they are; put it back there."
        losses, account = losses_by_reason(losses_of(one.folder)), accounts.get(gathered.source, {})
        notes = [*_notes(one, moments, pictures or thumbnails.notes), *thumbnails.notes]
        sources.append(SourceSection(gathered, pictures, losses, account, notes))
    day = time.strftime("%d %B %Y", time.localtime(max(one.path.stat().st_mtime for one in results))).lstrip("0")
    path = options.folder / REPORT
    _write(path, page(sources, summary, day), manifest)
    yield f"Wrote {path}, {_size(path.stat().st_size)}: {_found(sources)}."


def _size(count: int) -> str:
    """Of so many bytes."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _found(sources: list[SourceSection]) -> str:
    frames, faces, people, pictures = (
        sum(getattr(one.gathered, name) for one in sources) for name in ("frames", "faces", "people", "still_count")
    )
    said = [counted(pictures, "picture", "pictures")] if pictures else []
    if pictures == frames:
        said.append(counted(faces, "face", "faces"))
    else:
        said += [counted(frames - pictures, "frame", "frames"), counted(people, "person", "people")]
    return ", ".join(said)


def _was_hidden(folder: Path) -> bool | None:
    """Whether the run that left the folder of a source has made faces unrecognisable; None where nothing says so."""
    blur = inputs_of(folder).get("render.blur")
    return None if blur is None else blur != "none"


def _place(folder: Path, manifest: Manifest) -> SourceFolder:
    return SourceFolder(folder, manifest, apart=apart_in(inputs_of(folder), folder.name))


def _refuse_live(spec: str, sources: int) -> None:
    """What is not there any more cannot be looked at again; and no camera must be opened by mistake."""
    if re.fullmatch(r"(/dev/video)?\d{1,4}|auto|.*://.*", spec):
        raise SourceError(f"--source is {public(spec)}, but faces are cut out of files only; leave it out.")
    if sources > 1:
        raise SourceError("--source is for one source, and this run had several; write the folder of one of them.")


def _notes(results: Results, moments: list, pictures: dict | list) -> list[str]:
    notes = []
    if results.is_torn:
        notes.append("The last line is torn: the run was broken off while it wrote. Everything before it is here.")
    if moments and not pictures:
        notes.append(
            "There are no pictures of the faces: there is no annotated video, and there are no annotated pictures."
            " With --source they are cut out of what the run was given."
        )
    return notes


def _write(path: Path, parts: Iterable[str], manifest: Manifest) -> None:
    try:
        write_parts(path, parts, manifest)
    except OSError as error:
        raise cannot_be_written(path, error) from error


if __name__ == "__main__":
    run(main)
