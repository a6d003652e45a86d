"""Reads results.jsonl and what lies beside it, line by line, and says in a sentence what is wrong with it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Annotated

import msgspec

from ..areas import Areas, flaw_of_line, flaw_of_zone
from ..config.schema import Render
from ..errors import FacepipeError, way_out
from ..layout import DROP_LOG, PIECES, RESULTS, RUN
from ..results.atomic import look_into, open_plain
from ..results.counting import FOLDERS
from ..results.drops import DropEntry, drops_in
from ..results.errors import NotALine
from ..results.jsonl import Line, lines_of
from ..results.manifest import Manifest
from ..results.pieces import pieces_in, pieces_of, results_in_pieces, whole_of
from ..results.run_file import LARGEST_BYTES
from ..results.runs import newest_run
from ..results.source_folder import SourceFolder
from ..sources.stamps import apart_in


class ResultsError(FacepipeError):
    """There are no results, or what lies there is something else."""


class NoFrames(ResultsError):
    """There are results, and they hold no frame."""


def cannot_be_written(path: Path, error: OSError) -> ResultsError:
    """The sentence for what the system says about a file that was to be made of results."""
    ways = {errno.ENOSPC: "make room there", errno.EDQUOT: "make room there", errno.EISDIR: "move that folder away"}
    way = ways.get(error.errno) or way_out(error, "copy the results to where you may write")
    return ResultsError(f"{path} cannot be written: {error.strerror}; {way}.")


def cannot_be_read(path: Path, error: OSError) -> ResultsError:
    """The sentence for what the system says about a file of the results."""
    way = way_out(error, "copy the results to where you may read them")
    return ResultsError(f"{path} cannot be read: {error.strerror}; {way}.")


class Results:
    """The lines of one source, of all its pieces. They may be read any number of times, and are never held."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, results_in_pieces(folder)[-1]
        self.is_torn = False  # found out by reading: the last line breaks off
        if not self.path.is_file():
            raise ResultsError(f"{folder} has no {RESULTS}; write the folder that a run has left, such as out/clip.")

    def parts(self) -> list[Results]:
        """The same by the pieces that it is in: one, this, where it is in none."""
        return [Results(path.parent) for path in results_in_pieces(self.folder)]

    @property
    def has_frames(self) -> bool:
        """Whether there is one so far; raises `ResultsError` as reading does."""
        try:
            return next(iter(self), None) is not None
        except NoFrames:
            return False

    def __iter__(self) -> Iterator[Line]:
        """Every whole line; raises `ResultsError` at one that is not what facepipe writes, and where there is none."""
        count = 0
        for path in results_in_pieces(self.folder):
            try:
                of_piece, self.is_torn = yield from lines_of(path.resolve())  # A person may read through a link.
                count += of_piece
            except NotALine as error:
                where = f"{path}:{error.number}"
                raise ResultsError(f"{where} is {error.what}; write a folder that facepipe has left.") from None
            except OSError as error:
                if isinstance(error, FileNotFoundError) and path != self.path:
                    continue  # A run that is under way has deleted an old piece.
                raise cannot_be_read(path, error) from error
        if count == 0:
            raise NoFrames(f"{self.path} holds no frame: the run ended before its first one; run it again.")


def results_in(folder: Path) -> list[Results]:
    """Of every source in the folder of a run; raises `ResultsError` where there are none."""
    _refuse_hidden(folder)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        raise ResultsError(f"{folder} {what}; write the folder that a run has left, such as out/clip.")
    if results_in_pieces(folder)[-1].is_file():
        return [Results(folder)]
    if _holds_pieces(folder):  # Each of them would be taken for a source, and who is in two of them for two people.
        whole = folder.parent if folder.name else folder / os.pardir
        raise ResultsError(
            f"{folder} holds the pieces of a run; write the folder of the run, {whole}, or of one piece."
        )
    if runs := runs_in(folder):
        raise ResultsError(
            f"{folder} holds {len(runs)} run{'s' * (len(runs) != 1)} and is none itself; write the folder of one, such"
            f" as {runs[0]}."
        )
    each = sorted({path.parent for name in (RESULTS, PIECES) for path in folder.glob(f"*/{name}")})[:FOLDERS]
    return [Results(path) for path in each] or [Results(folder)]


def results_with_frames(folder: Path, say: Callable[[str], None]) -> list[Results]:
    """The same without the sources of which there is no frame, which is said; all of them where none has any.

    A camera may have been away all the time, or was added a moment ago.
    """
    every = results_in(folder)
    found = [one for one in every if one.has_frames]
    for one in every if found else ():
        if one not in found:
            say(f"{one.path} holds no frame; {one.folder.name} is left out.")
    return found or every


def _holds_pieces(folder: Path) -> bool:
    """Whether this is the folder `pieces` of the results of a source."""
    whole = Path(os.path.abspath(folder)).parent
    return os.path.basename(os.path.abspath(folder)) == PIECES and pieces_in(whole) != [whole]


def chosen_folder(named: Path | None, command: str, say: Callable[[str], None]) -> Path:
    """The folder of the run to read: the one that is named, or the newest in it or in out/, which is said.

    `command`: the one that asks, for its error. Raises `ResultsError`.
    """
    if named is None:
        if (newest := newest_run()) is None:
            raise ResultsError(f"there is no run below out/; name the folder of one: {command} FOLDER.")
        say(f"The newest run is in {newest}.")
        return newest
    _refuse_hidden(named)
    if runs_in(named) and (newest := newest_run(named)):
        say(f"{named} holds runs and is none itself; the newest of them is in {newest}.")
        return newest
    return named


def _refuse_hidden(folder: Path) -> None:
    """Raise `ResultsError` for a folder that the system does not let anybody look for."""
    try:
        look_into(folder)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass  # Whoever reads it says so.
    except OSError as error:
        raise cannot_be_read(folder, error) from error


def inputs_of(folder: Path) -> dict:
    """What the run that left the folder of a source was begun with; nothing where nothing says so."""
    return _inputs_in(folder)[0]


def coast_of(folder: Path) -> float:
    """`render.coast` of the run that left the folder of a source, in seconds; the default where nothing says so."""
    coast_s = inputs_of(folder).get("render.coast")
    is_number = isinstance(coast_s, int | float) and not isinstance(coast_s, bool) and 0 <= coast_s <= 60
    return coast_s if is_number else Render().coast


def areas_of(folder: Path) -> Areas:
    """The zones and lines of the source whose folder it is, as its run was begun; raises `ResultsError`."""
    inputs, of_several = _inputs_in(folder)
    name, kinds = whole_of(folder).name, []
    for key, flaw_of in (("zones", flaw_of_zone), ("lines", flaw_of_line)):
        areas = inputs.get(key, {})
        areas = areas.get(name, {}) if of_several and isinstance(areas, dict) else areas
        if not isinstance(areas, dict) or any(map(flaw_of, areas.values())):
            raise ResultsError(f"{folder} belongs to a run whose {RUN} is damaged at {key}; put it back.")
        kinds.append(areas)
    return Areas.of(*kinds)


def _inputs_in(folder: Path) -> tuple[dict, bool]:
    """What a run was begun with, and whether the folder is that of one of its several sources, or of a piece of it."""
    folder = whole_of(folder.resolve())
    above = folder.parent  # Of several sources run.json lies there, and results lie in their folders only.
    of_several = not os.path.lexists(folder / RUN) and not os.path.lexists(above / RESULTS)
    inputs = said_in((above if of_several else folder) / RUN).get("inputs")
    return (inputs if isinstance(inputs, dict) else {}), of_several


def manifest_of(folder: Path) -> Manifest:
    """That of the run whose results, or whose source's, or a piece of them, are in a folder."""
    return Manifest.over(results_in_pieces(folder)[-1])


def place_of(folder: Path, manifest: Manifest) -> SourceFolder:
    """The outputs of the source, or of the piece, whose results are in a folder."""
    whole = whole_of(folder)
    place = SourceFolder(whole, manifest, apart=apart_in(inputs_of(folder), whole.name))
    if folder != whole:  # Asked of each of a year's pieces: they are not listed for every one of them.
        return replace(place, piece=folder.name)
    pieces = pieces_of(place)
    return pieces[0] if len(pieces) == 1 else place


def runs_in(folder: Path) -> list[Path]:
    """The folders of runs in one that is no run's: sources of one run have their folders in it, and no run.json."""
    is_of_a_run = any((folder / name).exists() for name in (RUN, RESULTS))
    return [] if is_of_a_run else sorted(path.parent for path in folder.glob(f"*/{RUN}"))[:FOLDERS]


def files(lines: Iterable[Line]) -> Iterator[tuple[bool, Iterator[Line]]]:
    """The lines of each file of a source, and whether it is a film; to be read before the next is asked for."""
    for _, of_file in groupby(lines, key=lambda line: line.file):
        rest = iter(of_file)
        first = list(islice(rest, 2))
        is_still = len(first) == 1 and first[0].time == 0.0 and all(face.id is None for face in first[0].faces)
        yield not is_still, chain(first, rest)


def losses_of(folder: Path) -> Iterator[DropEntry]:
    """The lines of account.jsonl; none where nothing was lost. A torn last line is left out."""
    path = folder / DROP_LOG
    if not path.is_file():
        return
    try:
        yield from drops_in(path.resolve())
    except NotALine as error:
        raise ResultsError(f"{path}:{error.number} is {error.what}; delete the file.") from None
    except OSError as error:
        raise cannot_be_read(path, error) from error


Number = Annotated[float, msgspec.Meta(gt=-1e12, lt=1e12)]


class _Source(msgspec.Struct):
    """What the report shows of a source in summary.json."""

    source: str = ""
    latency_ms: dict[str, Number] = {}
    seconds: Number = 0.0
    before: Number = 0.0


class _Summary(msgspec.Struct):
    """What it shows of the run."""

    sources: list[_Source] = []
    notes: list[str] = []
    failure: str | None = None
    busy: dict[str, Number] = {}
    restarts: dict[str, Number] = {}
    replicas: dict[str, Number] = {}


def said_in(path: Path) -> dict:
    """What summary.json or run.json says; nothing where the run was broken off before it was written."""
    try:
        with open_plain(path.resolve()) as file:  # Results may be links to where they lie; a pipe is not waited for.
            said = json.loads(file.read(LARGEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def summary_in(path: Path) -> dict:
    """What summary.json says, if it is one."""
    said = said_in(path)
    try:
        msgspec.convert(said, _Summary)
    except ValueError:
        return {}
    return said
