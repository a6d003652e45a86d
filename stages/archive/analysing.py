"""What the stages say about the frames of one part of a film: done anywhere, in any order, as often as needed.

No frame is followed here and nothing smoothed: that needs all frames in order, and is done when parts are joined.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw, Struct

from ..analyst import Analyst, Answers, one_thread
from ..config.schema import Pipeline
from ..delivery.rules import asked
from ..sources.conversion import Converter
from ..sources.opening import open_source
from ..sources.part import Part
from ..sources.shots import Shots
from .film import AHEAD, FilmPart
from .section import frames_of


class AnalysedFrame(Struct, frozen=True, array_like=True):
    """A frame of the results, before it is joined with the others."""

    time_s: float
    is_cut: bool  # there is a cut since the frame before; of the first one of a part: since the part began
    answers: Answers


_DECODER = msgspec.msgpack.Decoder(AnalysedFrame)


class AnalysedPart(Struct, frozen=True, kw_only=True):
    """What has come of one part of a film."""

    number: int
    is_whole: bool = False  # all of the film, with all that is to be said of it
    first: int  # number of its first frame in the results
    frames: list[Raw]  # each an `AnalysedFrame`; of a long film that is one part there would be no memory for all
    width: int  # pixels
    height: int
    rate: float | None
    cut_behind: bool = False  # there is a cut between its last frame of the results and the next part
    begins: list[bytes] = []  # digests of its first pictures
    ahead: list[bytes] = []  # and of the first ones of the next part, decoded here
    notes: list[str] = []
    cut_short: int = 0
    spent_s: dict[str, float] = {}  # seconds of work, by stage
    seconds: float = 0.0  # of all work

    def analysed(self) -> Iterator[AnalysedFrame]:
        """Its frames, decoded one after the other; raises `msgspec.MsgspecError` for one that is damaged."""
        return map(_DECODER.decode, self.frames)


def analyst_for(pipeline: Pipeline, folder: Path) -> Analyst:
    """The detector and the nets, to be loaded once in a process; `folder`: what the paths of the models count from.

    Raises `ConfigError`, `CardError`, `DetectorError`.
    """
    return Analyst(pipeline, folder, doubts=pipeline.render.blur != "none")


def analyse(path: Path, part: FilmPart, analyst: Analyst) -> bytes:
    """Analyse one part of a film; returns an encoded `AnalysedPart`, for `join`.

    Raises `NotDivisible` where the part is not what the film's index says, and `SourceError` for a film that cannot be
    read.
    """
    began_s = time.perf_counter()
    analyst.spent_s.clear()
    with one_thread():
        came = _whole(path, part, analyst) if part.is_whole else _section(path, part, analyst)
    seconds = time.perf_counter() - began_s
    return msgspec.msgpack.encode(msgspec.structs.replace(came, spent_s=dict(analyst.spent_s), seconds=seconds))


def _section(path: Path, part: FilmPart, analyst: Analyst) -> AnalysedPart:
    notes: list[str] = []
    size, shots, every = (part.width, part.height), Shots(), analyst.pipeline.every()
    convert, compared = Converter(size, path.name, notes.append), Converter(size, path.name, lambda sentence: None)
    times, taken = np.frombuffer(part.times).tolist(), np.frombuffer(part.taken, np.uint8).tolist()
    frames, begins, ahead, is_cut = [], [], [], False
    for place, one in enumerate(frames_of(path, part)):
        if place <= part.owned:
            is_cut |= shots.begins(one.frame)
        if place >= part.owned:
            ahead.append(_digest(compared(one, part.place + place)))
            continue
        if place < AHEAD:
            begins.append(_digest(compared(one, part.place + place)))
        if taken[place]:
            about = asked(part.first + len(frames), part.rate, every)
            answers = analyst.answers(convert(one, part.place + place), about)
            frames.append(_encoded(times[place], is_cut, answers))
            is_cut = False
    return AnalysedPart(
        number=part.number,
        first=part.first,
        frames=frames,
        width=part.width,
        height=part.height,
        rate=part.rate,
        cut_behind=is_cut,
        begins=begins,
        ahead=ahead,
        notes=notes,
    )


def _whole(path: Path, part: FilmPart, analyst: Analyst) -> AnalysedPart:
    every, frames, picture = analyst.pipeline.every(), [], None
    source = open_source(str(path), part.film, Part(*analyst.pipeline.capture.part))
    try:
        for number, picture in enumerate(source.pictures()):
            answers = analyst.answers(picture.pixels, asked(number, picture.rate, every))
            frames.append(_encoded(picture.time, picture.cut, answers))
        return AnalysedPart(
            number=0,
            is_whole=True,
            first=0,
            frames=frames,
            width=picture.pixels.shape[1],
            height=picture.pixels.shape[0],
            rate=picture.rate,
            notes=source.notes,
            cut_short=int(source.cut_short),
        )
    finally:
        source.close()


def _encoded(time_s: float, is_cut: bool, answers: Answers) -> Raw:
    return Raw(msgspec.msgpack.encode(AnalysedFrame(time_s, is_cut, answers)))


def _digest(pixels: np.ndarray) -> bytes:
    return blake2b(pixels, digest_size=16).digest()
