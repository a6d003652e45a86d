"""Subtitles in WebVTT: the faces with their labels. A function of the lines of results.jsonl alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from ..frames import UNSURE, Face
from ..results.errors import cannot_write
from ..results.jsonl import lines_of
from ..results.manifest import Manifest

SLICE_S = 0.5  # the text changes at most so often: faster cannot be read
HOLD_S = 1.0  # what was said stands until the next frame, but for no longer
MOST = 4  # faces in one subtitle, the largest; more would cover the picture


def subtitles_path(video: Path) -> Path:
    """Where players look for them."""
    return video.with_suffix(".vtt")


def subtitles(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[str]:
    """The file in parts, from times in seconds and the faces that were found at them."""
    yield "WEBVTT\n"
    for start_s, end_s, text in _cues(frames):
        yield f"\n{_clock(start_s)} --> {_clock(end_s)}\n{text}\n"


def write_subtitles(path: Path, results: Path, begins: int, file: str | None, manifest: Manifest) -> None:
    """Make those of one video, from the lines about `file` that begin at a byte of results.jsonl.

    They appear whole or not at all, and the same however often they are made. Raises `OutputError` and `NotALine`.
    """
    try:
        lines = takewhile(lambda line: line.file == file, lines_of(results, begins))
        write_parts(path, subtitles(from_the_start((line.time, line.faces) for line in lines)), manifest)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_parts(path: Path, parts: Iterable[str], manifest: Manifest) -> None:
    """Write a text file that appears whole or not at all; raises `OSError`, and `ForeignFile` where it is not ours."""
    with (
        manifest.replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as text,
    ):
        text.writelines(parts)


def from_the_start(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[tuple[float, Sequence[Face]]]:
    """With times since the first frame, as a video has them."""
    first_s = None
    for time_s, faces in frames:
        first_s = time_s if first_s is None else first_s
        yield time_s - first_s, faces


def _cues(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[tuple[float, float, str]]:
    """When what is said, the same for as long as it does not change."""
    cue = None
    for start_s, end_s, text in _slices(frames):
        if cue and cue[1:] == (start_s, text):
            cue = (cue[0], end_s, text)
            continue
        if cue and cue[2]:
            yield cue
        cue = (start_s, end_s, text)
    if cue and cue[2]:
        yield cue


def _slices(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[tuple[float, float, str]]:
    """What is said in each slice of time in which there is a frame."""
    number, said = None, {}
    for time_s, faces in frames:
        now = int(time_s / SLICE_S)
        if number is not None and now > number:
            end_s = now * SLICE_S
            held = end_s - (number + 1) * SLICE_S <= HOLD_S
            yield number * SLICE_S, end_s if held else (number + 1) * SLICE_S, _text(said)
            said = {}
        number = now if number is None else max(now, number)
        _note_faces(said, faces)
    if number is not None:
        yield number * SLICE_S, (number + 1) * SLICE_S, _text(said)


def _note_faces(said: dict[int, tuple[float, str]], faces: Sequence[Face]) -> None:
    """Of each face what was said last, by its `id`; of those without, what the newest frame says."""
    for unnumbered in [key for key in said if key < 0]:
        del said[unnumbered]
    for place, face in enumerate(faces):
        words = UNSURE if face.says_unsure else ", ".join(answer.brief(stage) for stage, answer in face.shown.items())
        key = -1 - place if face.id is None else face.id
        name = "" if face.id is None else f"#{face.id}"
        said[key] = (face.box[2] * face.box[3], f"{name} {words}".strip() or "face")


def _text(said: dict[int, tuple[float, str]]) -> str:
    largest = sorted(said, key=lambda key: (-said[key][0], key))[:MOST]
    lines = [_escaped(said[key][1]) for key in sorted(largest, key=lambda key: (key < 0, abs(key)))]
    more = len(said) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def _escaped(text: str) -> str:
    # An empty line would end the subtitle, and what cannot be printed has no place in it.
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float) -> str:
    thousandths = round(1000 * seconds)
    minutes, thousandths = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
