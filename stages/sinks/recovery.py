"""Outputs after a death or a stop: all of one source are looked at, and then cut back to where all of them are whole.

What a kill at any moment leaves is normal: a torn last line, a last line without its picture, a torn end of a video.
Anything else that is missing was removed or damaged later. Lines of results that are not as they were written are
refused. A picture, or a part of a video, that is missing is made again: `--resume` goes back to its frame; a render
that is started again within a run goes back within the last file only, because annotated files may have been moved
away by their reader, and lists the rest at the end. Of a live source no line is cut: it cannot be seen again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import StartupRejected
from ..layout import DROP_LOG, RESULTS, SUMMARY
from ..results.atomic import is_plain
from ..results.counting import counted_lines
from ..results.drops import DropEntry, drops_in
from ..results.errors import REPLACE, DamagedState, NotALine, cannot_write
from ..results.jsonl import Line, lines_of
from ..results.pieces import Before
from ..results.run_file import rendered_in
from ..results.source_folder import SourceFolder
from .comparing import Missing, missing_in
from .segments import delete_from, delete_left_overs, segments_folder, times_in
from .subtitles import subtitles_path


class OtherSource(DamagedState, StartupRejected):
    """The outputs are those of another source."""


@dataclass(slots=True)
class Restored:
    """What the outputs of one source hold."""

    position: int = 0  # the first frame that they lack
    source: str | None = None  # whose frames they are
    counts: Counter[str] = field(default_factory=Counter)  # rendered, faces, missing, errors
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # frames by (stage, reason)
    paths: list[Path] = field(default_factory=list)  # annotated pictures and videos
    unfinished: tuple[Path, str | None] | None = None  # the video that is not joined yet, and its file of the source
    last: tuple[Path, str | None, int] | None = None  # the last video, joined or not; its file; that file's first frame
    begins: int = 0  # where in results.jsonl the lines of the last file begin, in bytes
    first_s: float = 0.0  # the time of the first of these lines
    missing: list[str] = field(default_factory=list)  # what of the annotated outputs is missing, in sentences
    missing_frames: int = 0
    time: float | None = None  # of the last frame that they hold, in seconds of the source
    before: Before = field(default_factory=Before)  # what earlier pieces hold; counts and position include it


@dataclass(slots=True)
class _File:
    """The lines of one file of a source: they follow each other."""

    name: str | None
    begins: int  # where the first of them begins, in bytes
    first_frame: int
    first_s: float
    before: int  # lines before it


@dataclass(slots=True)
class Survey:
    """What the outputs of one source say. Forty hours have millions of lines: none of them is kept."""

    place: SourceFolder
    source: str | None = None
    count: int = 0  # lines
    end: int = 0  # bytes
    position: int = 0  # one more than the number of the last frame
    time: float | None = None  # of the last frame
    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str | None, None] = field(default_factory=dict)  # of the source, in order
    last: _File | None = None
    dropped_to: int = 0  # one more than the last frame that was dropped behind the last line, with all before it
    missing: Missing = field(default_factory=Missing)  # what of the annotated outputs is missing
    before: Before = field(default_factory=Before)  # what earlier pieces hold; only `position` counts on from it

    @property
    def rendered(self) -> int:
        """How many frames the results hold, those of earlier pieces included."""
        return self.before.counts.get("rendered", 0) + self.count

    def annotated(self, file: str | None) -> tuple[Path, Path]:
        """Where the annotated picture of one of its files is, and the video."""
        return self.place.still(self.source, file), self.place.video(self.source, file)


def survey(place: SourceFolder, everything: bool = True) -> Survey:
    """Look at what is written about one source, and change nothing.

    `everything`: look for every annotated picture and video, and not only for that of the last file. Raises
    `DamagedState` where results or account are not what a run has left. Pieces before the newest are not looked at:
    they are whole, and may have been moved away.
    """
    before = Before.of(place)
    found = Survey(place, source=before.source, position=before.frame, time=before.time, before=before)
    try:
        _read_lines(found)
        if place.is_annotated and found.last is not None:
            for file in found.files if everything else [found.last.name]:
                _refuse_odd(found, file)
            begins, before = (0, 0) if everything else (found.last.begins, found.last.before)
            found.missing = missing_in(place, found.source, begins, before)
        _refuse_foreign(found)
    except NotALine as error:
        raise _damaged(error) from None
    except OSError as error:
        name = error.filename or place.results
        raise DamagedState(f"{name} cannot be read: {error.strerror}; put it right, or {REPLACE}.") from error
    return found


def restore(found: Survey, source: str | None = None, live: bool = False) -> Restored:
    """Cut back what is there to where all of it is whole; of a live source keep every whole line.

    Reading what is written is all that it takes, so it does not matter how the process ended. Raises `DamagedState`
    where the outputs are of another source than `source`, before anything is changed, and `OutputError`.
    """
    if source is not None and found.source not in (None, source):
        raise OtherSource(f"{found.place.path} holds results of {found.source}, not of {source}; {REPLACE}.")
    try:
        return _cut_back(found, live)
    except OSError as error:
        raise cannot_write(error.filename or found.place.results, error) from error


def _cut_back(found: Survey, live: bool) -> Restored:
    place, manifest = found.place, found.place.manifest
    restored = Restored(found.position, found.source, found.counts, before=found.before)
    restored.missing = [] if found.missing.is_usual else found.missing.sentences()
    restored.missing_frames = found.missing.frames
    if not live and found.missing.first is not None:
        _go_back(found, found.missing.first, restored)
    if live:
        restored.position = max(found.position, found.dropped_to)
    if is_plain(place.results) and place.results.stat().st_size > found.end:
        manifest.opens_again(place.results)
        os.truncate(place.results, found.end)
    delete_left_overs(place.annotated, manifest)
    if place.is_annotated and found.last is not None:
        _take_up(found, restored)
        restored.paths = _paths(found)
    _cut_losses(place, restored)
    restored.time = found.time
    restored.counts = Counter(found.counts)
    restored.counts.update(found.before.counts)
    return restored


def _go_back(found: Survey, first: Line, restored: Restored) -> None:
    """Let the results end before the first frame that is not whole."""
    counts, found.files, found.last, found.time = Counter(found.counts), {}, None, found.before.time
    for line in lines_of(found.place.results):
        if line.begins < first.begins:
            _note_file(found, line)
            found.time = line.time
        else:
            counts.subtract(_counts(line))
    found.counts = counts
    found.count, found.end, restored.position = counts["rendered"], first.begins, first.frame
    _, video = found.annotated(first.file)
    if segments_folder(video).is_dir():
        delete_from(segments_folder(video), first.frame, found.place.manifest)
    if not found.rendered:  # What it tells of is begun anew: results without a line are not to be doubted for it.
        found.place.manifest.remove(found.place.path / SUMMARY)


def _take_up(found: Survey, restored: Restored) -> None:
    """Say which video is continued."""
    last, manifest = found.last, found.place.manifest
    restored.begins, restored.first_s = last.begins, last.first_s
    _, video = found.annotated(last.name)
    if segments_folder(video).is_dir():
        restored.unfinished = (video, last.name)
        manifest.make_way(video)  # Killed between joining the segments and deleting them: they are whole.
        delete_from(segments_folder(video), restored.position, manifest)
    if segments_folder(video).is_dir() or video.exists():
        restored.last = (video, last.name, last.first_frame)


def _read_lines(found: Survey) -> None:
    results = found.place.results
    gaps = _Gaps(found.place.drop_log)
    if not os.path.lexists(results):
        return _refuse_without_lines(found, "is missing")
    for line in lines_of(results, exact=True):
        number = found.count + 1
        if line.frame != found.position and not gaps.span(found.position, line.frame):
            raise NotALine(results, number, _out_of_order(found.position, line.frame))
        if found.source not in (None, line.source):
            raise NotALine(results, number, f"about {line.source}, and the lines before it about {found.source}")
        found.source = line.source
        _note_file(found, line)
        found.count, found.end, found.position, found.time = number, line.ends, line.frame + 1, line.time
        found.counts.update(_counts(line))
    found.dropped_to = gaps.to_the_end(found.position)
    if not found.count:
        _refuse_without_lines(found, "holds no line")


def _out_of_order(due: int, frame: int) -> str:
    if frame < due:
        return f"frame {frame}, which should come before frame {due - 1} and only once"
    missing = f"frame {due} is" if frame == due + 1 else f"frames {due} to {frame - 1} are"
    return f"frame {frame}, but {missing} missing, and {DROP_LOG} does not say that they were dropped"


def _refuse_without_lines(found: Survey, how: str) -> None:
    """Results that are gone are noticed by what was written after them."""
    if found.before.frame:
        return  # A piece that was begun and has no frame yet.
    place, summary = found.place, found.place.path / SUMMARY
    parts = next(
        (p for p in place.annotated.rglob(".*.parts") if p.is_dir() and next(times_in(p), None) is not None), None
    )
    others = (
        parts,
        summary if any(rendered_in(place.path).values()) else None,
        place.drop_log if place.drop_log.exists() and not os.path.lexists(place.results) else None,
    )
    if left := next(filter(None, others), None):
        raise DamagedState(f"{place.results} {how}, although {left} was written after it; put it back, or {REPLACE}.")


def _note_file(found: Survey, line: Line) -> None:
    if found.last is None or line.file != found.last.name:
        found.last = _File(line.file, line.begins, line.frame, line.time, found.count)
        found.files[line.file] = None


def _counts(line: Line) -> Counter[str]:
    return Counter(rendered=1, faces=len(line.faces), missing=len(line.missing), errors=0 if line.error is None else 1)


class _Gaps:
    """The frames that account.jsonl says were dropped, which are in the order of the frames."""

    def __init__(self, path: Path):
        self._dropped = (loss for loss in drops_in(path) if loss.what == "dropped")
        self._next: DropEntry | None = next(self._dropped, None)

    def span(self, first: int, end: int) -> bool:
        """Whether each frame from `first` to before `end` was dropped."""
        while first < end and self._next is not None and self._next.first <= first:
            first = max(first, self._next.last + 1)
            self._next = next(self._dropped, None)
        return first == end

    def to_the_end(self, first: int) -> int:
        """One more than the last frame that was dropped, with all from `first` on. Reads the account to its end."""
        while self._next is not None:
            if self._next.first <= first:
                first = max(first, self._next.last + 1)
            self._next = next(self._dropped, None)
        return first


def _refuse_odd(found: Survey, file: str | None) -> None:
    """Raise `DamagedState` for what is no file in the place of one, before anything is written there."""
    for path in found.annotated(file):
        parts = segments_folder(path)
        odd = [path] if os.path.lexists(path) and not is_plain(path) else []
        odd += [parts] if os.path.lexists(parts) and (parts.is_symlink() or not parts.is_dir()) else []
        odd += [inner for inner in (parts.iterdir() if parts.is_dir() else ()) if not is_plain(inner)]
        if odd:
            raise DamagedState(f"{odd[0]} is not what a run writes there; move it away, or {REPLACE}.")


def _refuse_foreign(found: Survey) -> None:
    """Raise `DamagedState` for what would be continued or made again, and was changed since it was written."""
    place = found.place
    paths = [place.results, place.drop_log]
    if place.is_annotated and found.last is not None:
        files = list(found.files)
        begins = files.index(found.missing.first.file) if found.missing.first else len(files) - 1
        for file in files[begins:]:
            for path in found.annotated(file):
                paths += [path, *sorted(segments_folder(path).glob("*"))]
    changed = next((path for path in paths if os.path.lexists(path) and not place.manifest.is_ours(path)), None)
    if changed:
        raise DamagedState(
            f"{changed} was changed since it was written; {RESULTS} holds {counted_lines(found.count)}; move it away,"
            f" put back what was there, or {REPLACE}."
        )


def _damaged(error: NotALine) -> DamagedState:
    path, before = error.path, error.number - 1
    whole = f"the {before} lines before it are" if before > 1 else "the line before it is"
    kept = f"; {whole} whole" if before else ""
    return DamagedState(f"{path}:{error.number} is {error.what}{kept}; put the file back, or {REPLACE}.")


def _paths(found: Survey) -> list[Path]:
    named = (path for file in found.files for path in found.annotated(file))
    both = (beside for path in named for beside in (path, subtitles_path(path)))
    return list(dict.fromkeys(path for path in both if path.is_file()))


def _cut_losses(place: SourceFolder, restored: Restored) -> None:
    """What was dropped or given up above the position may have another fate yet."""
    path = place.drop_log
    if not path.exists():
        return
    size = sum(len(loss.line) for loss in _kept_losses(path, restored))
    if size != path.stat().st_size:
        place.manifest.write(path, b"".join(loss.line for loss in _kept_losses(path, restored)))
    for loss in _kept_losses(path, restored):
        if loss.what == "dropped":
            restored.dropped[loss.stage, loss.reason] += loss.last + 1 - loss.first


def _kept_losses(path: Path, restored: Restored) -> Iterator[DropEntry]:
    return (loss for loss in drops_in(path) if loss.last < restored.position)
