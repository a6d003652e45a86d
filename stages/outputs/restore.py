"""Outputs after a death: all of one source are cut back to the last frame that each of them holds."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stages.core.names import output_name
from stages.outputs import cannot_write
from stages.outputs.segments import delete_left_overs, frames_in, segments_folder
from stages.outputs.subtitles import subtitles_path
from stages.results.manifest import Manifest

RESULTS, LOSSES = "results.jsonl", "account.jsonl"


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


def restore(folder: Path, annotated: bool, manifest: Manifest) -> Restored:
    """Cut back what a process that was killed at any moment has left of one source; raises `OutputError`.

    A line is written before its picture, and a video may lag behind by what its last fragment lacks: the smaller
    position counts. Reading what is written is all that it takes, so it does not matter how the process ended.
    """
    results = folder / RESULTS
    try:
        if not results.exists():
            return Restored()
        delete_left_overs(folder / "annotated", manifest)
        restored, written = Restored(), _survey(results)
        kept = (
            _kept(folder / "annotated", written, restored, manifest) if annotated and written.count else written.count
        )
        manifest.opens_again(results)
        _cut(results, written, kept)
        restored.source, restored.position, restored.counts = written.source, written.position, written.counts
        if annotated:
            files = [*written.files, *([written.file] if kept > written.first else [])]
            restored.paths = _paths(folder / "annotated", written.source, files)
        _cut_losses(folder / LOSSES, restored, manifest)
    except OSError as error:
        raise cannot_write(error.filename or results, error) from error
    return restored


@dataclass(slots=True)
class _Written:
    """What the whole lines of a results.jsonl say. Forty hours have millions: none of them is kept."""

    count: int = 0  # lines
    end: int = 0  # bytes
    position: int = 0  # one more than the number of the last frame
    source: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str | None, None] = field(default_factory=dict)  # of the source, in order, without the last one
    file: str | None = None  # the last one
    first: int = 0  # which line is its first
    begins: int = 0  # where that line begins, in bytes
    before: int = 0  # the position there
    first_frame: int = 0  # the number of its frame


def _survey(results: Path) -> _Written:
    written = _Written()
    with results.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break  # A torn last one.
            record = json.loads(line)
            file, frame = record.get("file"), record["frame"]
            if file != written.file or not written.count:
                written.first, written.begins, written.before = written.count, written.end, written.position
                written.first_frame = frame
                if written.count:
                    written.files[written.file] = None
                written.file = file
            written.source = written.source or record["source"]
            written.count, written.end, written.position = written.count + 1, written.end + len(line), frame + 1
            written.counts.update(_counts(record))
    return written


def _counts(record: dict) -> Counter[str]:
    missing, faces = record.get("missing", ()), record["faces"]
    return Counter(rendered=1, faces=len(faces), missing=len(missing), errors="error" in record)


def _kept(annotated: Path, written: _Written, restored: Restored, manifest: Manifest) -> int:
    """How many lines have their picture too. Only the last file can lack some: it is closed before the next begins."""
    restored.begins = written.begins
    video = annotated / output_name(written.source, written.file, still=False)
    still = annotated / output_name(written.source, written.file, still=True)
    if segments_folder(video).is_dir():
        restored.unfinished = (video, written.file)
        manifest.make_way(video)  # Killed between joining the segments and deleting them: they are whole.
        frames = frames_in(segments_folder(video))
    else:
        frames = written.count - written.first if video.exists() or still.exists() else 0
    if segments_folder(video).is_dir() or video.exists():
        restored.last = (video, written.file, written.first_frame)
    return min(written.first + frames, written.count)


def _cut(results: Path, written: _Written, kept: int) -> None:
    """Leave so many lines, and take what the others say out of what is known to be written."""
    if kept < written.count:
        with results.open("rb") as lines:
            lines.seek(written.begins)
            end, position = written.begins, written.before
            for number in range(written.first, written.count):
                line = lines.readline()
                if number < kept:
                    end += len(line)
                if number == kept - 1:
                    position = json.loads(line)["frame"] + 1
                if number >= kept:
                    written.counts.subtract(_counts(json.loads(line)))
        written.count, written.end, written.position = kept, end, position
    if results.stat().st_size > written.end:
        os.truncate(results, written.end)


def _paths(annotated: Path, source: str | None, files: Iterable[str | None]) -> list[Path]:
    named = (annotated / output_name(source, file, still=still) for file in files for still in (True, False))
    both = (beside for path in named for beside in (path, subtitles_path(path)))
    return list(dict.fromkeys(path for path in both if path.is_file()))


def _cut_losses(path: Path, restored: Restored, manifest: Manifest) -> None:
    """What was dropped or given up above the position may have another fate yet."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        entries = [json.loads(line) for line in lines if line.endswith(b"\n")]
    entries = [entry for entry in entries if entry["last"] < restored.position]
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    manifest.write(path, text.encode("utf-8", "backslashreplace"))
    for entry in entries:
        if entry["what"] == "dropped":
            restored.dropped[entry["stage"], entry["reason"]] += entry["last"] + 1 - entry["first"]
