"""Outputs after a death: all of one source are cut back to the last frame that each of them holds."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from stages.outputs import cannot_write
from stages.outputs.names import output_name
from stages.outputs.segments import delete_left_overs, frames_in, segments_folder
from stages.outputs.subtitles import subtitles_path

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


def restore(folder: Path, annotated: bool) -> Restored:
    """Cut back what a process that was killed at any moment has left of one source; raises `OutputError`.

    A line is written before its picture, and a video may lag behind by what its last fragment lacks: the smaller
    position counts. Reading what is written is all that it takes, so it does not matter how the process ended.
    """
    results = folder / RESULTS
    try:
        if not results.exists():
            return Restored()
        delete_left_overs(folder / "annotated")
        restored, records = Restored(), _records(results)
        kept = _kept(folder / "annotated", records, restored) if annotated and records else len(records)
        _cut(results, records, kept)
        for _, record in records[:kept]:
            _count(record, restored.counts)
        restored.source = records[0][1]["source"] if records else None
        restored.position = records[kept - 1][1]["frame"] + 1 if kept else 0
        if annotated:
            restored.paths = _paths(folder / "annotated", [record for _, record in records[:kept]])
        _cut_losses(folder / LOSSES, restored)
    except OSError as error:
        raise cannot_write(error.filename or results, error) from error
    return restored


def _records(results: Path) -> list[tuple[int, dict]]:
    """Every whole line with the place where it ends; a torn last one is left out."""
    records, end = [], 0
    with results.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            end += len(line)
            whole = json.loads(line)
            records.append(
                (end, {key: whole.get(key) for key in ("source", "frame", "file", "missing", "error")} | _size(whole))
            )
    return records


def _size(whole: dict) -> dict:
    return {"faces": len(whole["faces"])}


def _kept(annotated: Path, records: list[tuple[int, dict]], restored: Restored) -> int:
    """How many lines have their picture too. Only the last file can lack some: it is closed before the next begins."""
    last = records[-1][1]
    first = len(records)
    while first and records[first - 1][1]["file"] == last["file"]:
        first -= 1
    restored.begins = records[first - 1][0] if first else 0
    video = annotated / output_name(last["source"], last["file"], still=False)
    still = annotated / output_name(last["source"], last["file"], still=True)
    if segments_folder(video).is_dir():
        restored.unfinished = (video, last["file"])
        video.unlink(missing_ok=True)  # Killed between joining the segments and deleting them: they are whole.
        frames = frames_in(segments_folder(video))
    else:
        frames = len(records) - first if video.exists() or still.exists() else 0
    if segments_folder(video).is_dir() or video.exists():
        restored.last = (video, last["file"], records[first][1]["frame"])
    return min(first + frames, len(records))


def _cut(results: Path, records: list[tuple[int, dict]], kept: int) -> None:
    end = records[kept - 1][0] if kept else 0
    if results.stat().st_size > end:
        os.truncate(results, end)


def _count(record: dict, counts: Counter[str]) -> None:
    missing, error = record["missing"] or (), record["error"]
    counts.update(rendered=1, faces=record["faces"], missing=len(missing), errors=error is not None)


def _paths(annotated: Path, records: list[dict]) -> list[Path]:
    files = dict.fromkeys((record["source"], record["file"]) for record in records)
    named = (annotated / output_name(*file, still=still) for file in files for still in (True, False))
    both = (beside for path in named for beside in (path, subtitles_path(path)))
    return list(dict.fromkeys(path for path in both if path.is_file()))


def _cut_losses(path: Path, restored: Restored) -> None:
    """What was dropped or given up above the position may have another fate yet."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        entries = [json.loads(line) for line in lines if line.endswith(b"\n")]
    entries = [entry for entry in entries if entry["last"] < restored.position]
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8")
    os.replace(temporary, path)
    for entry in entries:
        if entry["what"] == "dropped":
            restored.dropped[entry["stage"], entry["reason"]] += entry["last"] + 1 - entry["first"]
