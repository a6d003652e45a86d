"""Make files for video editors and ELAN from the results of a run: a marker, or tiers, for each person.

python -m stages.export                     all of them for each video of the newest run in out/, into its export/
python -m stages.export out/clip --edl      markers for DaVinci Resolve, in out/clip/export/clip.edl
python -m stages.export out/clip --xml --rate 29.97 --begins 00:00:00:00    a sequence with markers for Premiere Pro
python -m stages.export out/clip --srt --chapters    subtitles; chapters as .ffmetadata and .chapters.vtt
python -m stages.export out/clip --eaf      tiers of gender, age and emotion for ELAN
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":  # Ctrl-C while the modules below are read: nothing was begun yet.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..errors import FacepipeError
from ..layout import EXPORT
from ..project import command
from ..reading.lines import (
    Results,
    ResultsError,
    cannot_be_written,
    chosen_folder,
    coast_of,
    files,
    manifest_of,
    place_of,
    results_with_frames,
)
from ..reading.options import options_of
from ..results.manifest import Manifest
from ..results.source_folder import SourceFolder
from ..sinks.subtitles import write_parts
from ..supervision.arguments import Arguments
from ..supervision.command import run, say
from .editing import EVENTS_MOST, chapters_vtt, edl, ffmetadata, final_cut_xml, subrip
from .elan import eaf
from .film import Film, films_in
from .timecode import NoTimecode, Rate, rate_named

FORMATS = ("edl", "xml", "chapters", "eaf", "srt")  # and the options by which they are asked for
CHAPTERED = "chaptered"  # is made only where it is asked for: it is as large as the video
BEGINS = "01:00:00:00"  # where a timeline of Resolve begins unless it is told otherwise


def main(argv: list[str] | None = None) -> int:
    """Make what was asked for; 0, or 2 where there is nothing to make it of."""
    options = parser().parse_args(argv)
    try:
        folder = chosen_folder(options.folder, command("export"), say)
        for said in _make(options, folder, results_with_frames(folder, say)):
            say(said)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> Arguments:
    """The options of the command."""
    options = options_of("export", __doc__)
    options.add_argument("--srt", action="store_true", help="write subtitles in SubRip")
    options.add_argument("--edl", action="store_true", help="write markers for DaVinci Resolve (CMX 3600)")
    options.add_argument(
        "--xml", action="store_true", help="write a sequence with markers for Premiere Pro (Final Cut Pro 7 XML)"
    )
    options.add_argument("--chapters", action="store_true", help="write chapters for FFmpeg and web pages (WebVTT)")
    options.add_argument(
        "--chaptered", action="store_true", help="write a copy of the annotated video with its chapters in it"
    )
    options.add_argument("--eaf", action="store_true", help="write tiers for ELAN (EAF 3.0)")
    options.add_argument(
        "--rate",
        type=_rate,
        metavar="FPS",
        help="frames a second of the timeline, such as 29.97 (default: those of the video)",
    )
    options.add_argument(
        "--begins",
        default=BEGINS,
        metavar="TIMECODE",
        help=f"the time code at which the video begins in the timeline ({BEGINS})",
    )
    options.add_argument("--non-drop", action="store_true", help="count 29.97 and 59.94 without drop frame")
    return options


def _rate(text: str) -> Rate:
    try:
        return rate_named(text)
    except NoTimecode as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _make(options: argparse.Namespace, folder: Path, results: list[Results]) -> Iterator[str]:
    """Write what is asked for; says of each thing what was written."""
    manifest = manifest_of(folder)
    wanted = [name for name in (*FORMATS, CHAPTERED) if getattr(options, name)] or [*FORMATS]
    made = 0
    for one in results:
        place, into = place_of(one.folder, manifest), one.folder / EXPORT
        if wanted != ["srt"]:
            for film in films_in(one, coast_of(one.folder)):
                made += 1
                yield from _files_of(film, options, wanted, place, into, _date_of(one.path))
        if "srt" in wanted:
            for path in _subtitles(one, place, into):
                made += 1
                yield f"Wrote {path}."
    if not made:
        raise ResultsError(f"{folder} holds no video, and pictures have no time codes; write the folder of a video.")
    for one in results:
        if one.is_torn:
            yield f"The last line of {one.path} is torn, because the run was broken off; it is left out."


def _files_of(
    film: Film, options: argparse.Namespace, wanted: list[str], place: SourceFolder, into: Path, date: str
) -> Iterator[str]:
    """Write the files of one video."""
    rate = options.rate or film.rate
    rate = rate if options.non_drop else rate.dropping()
    try:
        begins = rate.frame_of(options.begins)
    except NoTimecode as error:
        raise ResultsError(f"--begins is wrong: {error}.") from None
    makers: dict[str, dict[str, Callable[[], Iterable[str]]]] = {
        "edl": {".edl": lambda: edl(film, rate, begins)},
        "xml": {".xml": lambda: final_cut_xml(film, rate, begins)},
        "chapters": {".ffmetadata": lambda: ffmetadata(film), ".chapters.vtt": lambda: chapters_vtt(film)},
        "eaf": {".eaf": lambda: eaf(film, date)},
    }
    for name in wanted:
        for suffix, make in makers.get(name, {}).items():
            path = path_of(into, place, film.source, film.file, suffix)
            _write(path, make(), place.manifest)
            yield f"Wrote {path}."
    if CHAPTERED in wanted:
        yield _chaptered(film, place, into)
    if not film.people:
        yield f"{film.name} shows nobody for long enough, or its faces have no id: there are no markers and no tiers."
    if not options.rate and not film.is_steady and {"edl", "xml"} & set(wanted):
        yield f"{film.name} has no constant rate of frames: time codes count {rate} a second; --rate sets another."
    if "edl" in wanted and len(film.people) > EVENTS_MOST:
        yield f"{film.name} has {len(film.people)} markers; some programs read only {EVENTS_MOST} of an EDL."


def _chaptered(film: Film, place: SourceFolder, into: Path) -> str:
    from .chaptered import copy_with_chapters  # PyAV: the other files need none.

    path = path_of(into, place, film.source, film.file, ".mp4")
    try:
        copy_with_chapters(place.video(film.source, film.file), path, film, place.manifest)
    except OSError as error:
        raise cannot_be_written(path, error) from error
    return f"Wrote {path}."


def _subtitles(results: Results, place: SourceFolder, into: Path) -> Iterator[Path]:
    for is_film, lines in files(results):
        if is_film:
            first = next(lines)
            path = path_of(into, place, first.source, first.file, ".srt")
            frames = ((line.time, line.faces) for part in ([first], lines) for line in part)
            _write(path, subrip(frames), place.manifest)
            yield path


def path_of(into: Path, place: SourceFolder, source: str, file: str | None, suffix: str) -> Path:
    """Where the file about a video of a source is, in this folder: named as its annotated video."""
    return (into / place.video(source, file).relative_to(place.annotated)).with_suffix(suffix)


def _date_of(results: Path) -> str:
    return datetime.fromtimestamp(int(results.stat().st_mtime), UTC).isoformat()


def _write(path: Path, parts: Iterable[str], manifest: Manifest) -> None:
    try:
        write_parts(path, parts, manifest)
    except OSError as error:
        raise cannot_be_written(path, error) from error


if __name__ == "__main__":
    run(main)
