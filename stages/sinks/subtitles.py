"""Subtitles in WebVTT: the faces with their labels. A function of the lines of results.jsonl alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, takewhile
from pathlib import Path

from ..answers import Age, Answer
from ..frames import UNSURE, Face
from ..results.errors import cannot_write
from ..results.jsonl import lines_of
from ..results.manifest import Manifest

SLICE_S = 0.5  # the text changes at most so often: faster cannot be read
HOLD_S = 1.0  # what was said stands until the next frame, but for no longer
SWAY_YEARS = 2.0  # by less than so much an age is the same one
MOST = 4  # faces in one subtitle, the largest; more would cover the picture


def subtitles_path(video: Path) -> Path:
    """Where players look for them."""
    return video.with_suffix(".vtt")


def subtitles(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[str]:
    """The file in parts, from times in seconds and the faces that were found at them."""
    yield "WEBVTT\n"
    for start_s, end_s, text in cues(frames):
        yield f"\n{clock(start_s)} --> {clock(end_s)}\n{_escaped(text)}\n"


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


def cues(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[tuple[float, float, str]]:
    """When what is said in plain text, from and to in seconds: one for as long as it does not change."""
    cue = None
    for start_s, end_s, text in _steadied(_slices(frames)):
        if cue and cue[1:] == (start_s, text):
            cue = (cue[0], end_s, text)
            continue
        if cue and cue[2]:
            yield cue
        cue = (start_s, end_s, text)
    if cue and cue[2]:
        yield cue


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of a face in a slice of time."""

    area: float  # pixels: the largest faces are named
    is_unsure: bool
    answers: dict[str, Answer]  # by stage

    def after(self, before: _Said, follows: _Said) -> _Said:
        """The same without what another slice says neither before nor after it: it could not be read."""
        is_unsure = self.is_unsure if self.is_unsure == follows.is_unsure else before.is_unsure
        answers = {stage: self._steady(stage, before, follows) for stage in self.answers}
        return _Said(self.area, is_unsure, answers if self.answers or is_unsure else before.answers)

    def _steady(self, stage: str, before: _Said, follows: _Said) -> Answer:
        now = self.answers[stage]
        was, then = (said.answers.get(stage, now) for said in (before, follows))
        return was if _is_like(stage, now, was) or not _is_like(stage, now, then) else now

    def words(self, key: int) -> str:
        words = UNSURE if self.is_unsure else ", ".join(a.brief(stage) for stage, a in self.answers.items())
        return f"{f'#{key}' if key >= 0 else ''} {words}".strip() or "face"


def _is_like(stage: str, answer: Answer, other: Answer) -> bool:
    """Whether what is said need not change: an age that sways by a year is the same one."""
    if isinstance(answer, Age) and isinstance(other, Age):
        return abs(answer.years - other.years) < SWAY_YEARS
    return answer.brief(stage) == other.brief(stage)


_Slice = tuple[float, float, dict[int, _Said]]


def _steadied(slices: Iterable[_Slice]) -> Iterator[tuple[float, float, str]]:
    """The text of each slice. Who is missing, or something else, in one alone stays as they were."""
    shown, shown_until_s = {}, None
    for (start_s, end_s, said), follows in pairwise(chain(slices, [None])):
        before = shown if shown_until_s == start_s else {}
        then = follows[2] if follows and follows[0] == end_s else said
        kept = {key: before[key] for key in before if key >= 0 and key not in said and key in then}
        shown = kept | {
            key: one.after(before[key], then.get(key, one)) if key >= 0 and key in before else one
            for key, one in said.items()
        }
        shown_until_s = end_s
        yield start_s, end_s, _text(shown)


def _slices(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[_Slice]:
    """What is said of whom, by their `id`, in each slice of time in which there is a frame."""
    number, said = None, {}
    for time_s, faces in frames:
        now = int(time_s / SLICE_S)
        if number is not None and now > number:
            end_s = now * SLICE_S
            held = end_s - (number + 1) * SLICE_S <= HOLD_S
            yield number * SLICE_S, end_s if held else (number + 1) * SLICE_S, said
            said = {}
        number = now if number is None else max(now, number)
        _note_faces(said, faces)
    if number is not None:
        yield number * SLICE_S, (number + 1) * SLICE_S, said


def _note_faces(said: dict[int, _Said], faces: Sequence[Face]) -> None:
    """Of each face what was said last; of those without an `id`, what the newest frame says."""
    for unnumbered in [key for key in said if key < 0]:
        del said[unnumbered]
    for place, face in enumerate(faces):
        key = -1 - place if face.id is None else face.id
        said[key] = _Said(face.box[2] * face.box[3], face.says_unsure, face.shown)


def _text(said: dict[int, _Said]) -> str:
    largest = sorted(said, key=lambda key: (-said[key].area, key))[:MOST]
    lines = [one_line(said[key].words(key)) for key in sorted(largest, key=lambda key: (key < 0, abs(key)))]
    more = len(said) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def one_line(text: str) -> str:
    """The text without what cannot be printed, ends a line or turns the direction of reading."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clock(seconds: float) -> str:
    """Such as 00:12:30.250."""
    thousandths = round(1000 * seconds)
    minutes, thousandths = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
