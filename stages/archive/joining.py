"""From the analysed parts of a film to what a run leaves: its faces are followed and smoothed once, in their order."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import numpy as np

from ..config.schema import ConfigError, Pipeline
from ..errors import FacepipeError
from ..exit_status import ExitStatus
from ..frames import FinishedFrame, Picture
from ..plan import read_cards
from ..protocol.messages import SourceHello
from ..protocol.stats import CaptureReport, RenderReport, SourceReport
from ..rendering.outputs import RunOutputs, SourceOutputs
from ..rendering.portraits import keeps_portraits
from ..rendering.screens import Screens
from ..rendering.source import notes_of
from ..results.errors import OutputError
from ..running.conclusion import leave_summary
from ..running.job import Job, RunOptions, Target
from ..running.preflight import with_folder
from ..sources.opening import open_source
from ..sources.part import Part
from ..supervision.account import RunAccount, account
from ..supervision.launcher import Outcome
from ..supervision.stage import ControlChannel, Settings
from .analysing import AnalysedPart
from .film import FilmIndex, NotDivisible

_DEFAULT = Pipeline()
_UNUSED = ("source", "hosts", "mqtt", "webhooks", "chaos")
_UNUSED_OF_RENDER = ("web", "output", "publish", "stream", "rotate", "keep", "snapshot", "host")


class WrongParts(FacepipeError):
    """These are not all the parts of this film: they have to be analysed anew."""


def join(
    path: Path, film: FilmIndex, parts: Iterable[bytes], pipeline: Pipeline, folder: Path, output: Path
) -> RunAccount:
    """Write what a run over the film leaves, from what `analyse` has given for each of its parts, in their order.

    `folder`: what the paths of the models count from; `output`: the folder of the results, where what an earlier run
    has left is replaced. The parts are taken one after the other. Returns the account that summary.json has.

    Raises `NotDivisible` where the parts do not fit together: the film is to be analysed as one. Raises `WrongParts`
    where they are not all those of the film, and `OutputError` and `OutputFolderError` for results that cannot be
    written.
    """
    pipeline = as_one_film(pipeline, path, output)
    job = Job.of(pipeline, folder, RunOptions(quiet=True, replace=True))
    with ExitStack() as held:
        job, target = with_folder(job, held)
        return _Join(job, target, path, film).write(parts)


def as_one_film(pipeline: Pipeline, path: Path, output: Path) -> Pipeline:
    """The configuration of the run over one film whose results these are; raises `ConfigError`."""
    if pipeline.sources or pipeline.capture.loop:
        what = "sources" if pipeline.sources else "capture.loop"
        raise ConfigError(f"{what} is not for the films of an archive; leave it out.")
    unused = {key: getattr(_DEFAULT.render, key) for key in _UNUSED_OF_RENDER}
    render = dataclasses.replace(pipeline.render, **{**unused, "output": str(output), "display": "none"})
    return dataclasses.replace(pipeline, source=str(path), render=render, hosts={})


def unused_keys(pipeline: Pipeline) -> list[str]:
    """The keys that a configuration sets and an archive does not use: of cameras, screens and other machines."""
    keys = [key for key in _UNUSED if getattr(pipeline, key) != getattr(_DEFAULT, key)]
    of_render = [key for key in _UNUSED_OF_RENDER if getattr(pipeline.render, key) != getattr(_DEFAULT.render, key)]
    shown = ["display"] if pipeline.render.display in ("window", "web") else []
    return keys + [f"render.{key}" for key in shown + of_render]


def needs_pictures(pipeline: Pipeline) -> bool:
    """Whether the results of a film have pictures: then it is decoded once more when its parts are joined."""
    return pipeline.writes_annotated or keeps_portraits(pipeline, live=False)


class _Join:
    """One film on its way to its results."""

    def __init__(self, job: Job, target: Target, path: Path, film: FilmIndex):
        self._job, self._target, self._path, self._film = job, target, path, film
        self._began_s = time.perf_counter()
        self._counts, self._spent_s, self._seconds = Counter(), Counter(), 0.0
        self._notes, self._cut_short = list(film.notes), int(film.is_cut_short)
        plan = job.plan()
        self._cards = read_cards(job.pipeline, plan.models)
        settings = plan.settings("render", 0, run=target.name, waits=False)
        self._outputs = RunOutputs(_drawing_nothing(settings), ControlChannel(lambda message: None))

    def write(self, parts: Iterable[bytes]) -> RunAccount:
        hello = SourceHello(run=self._target.name, source=self._film.name, epoch=0, live=False)
        outputs = self._outputs.open(hello, Screens())
        try:
            with closing(self._frames(parts)) as frames:
                for frame, all_known in frames:
                    written = outputs.take(frame, all_known, live=False)
                    self._counts.update(frames=1, faces=len(written.faces))
        except BaseException:
            outputs.close()
            raise
        outputs.close(has_ended=True)
        return self._conclude(outputs)

    def _frames(self, parts: Iterable[bytes]) -> Iterator[tuple[FinishedFrame, bool]]:
        """The frames in order, each with whether all faces that were found are in it."""
        name, pictures = self._film.name, self._pictures()
        for part, is_cut in _fitting(self._film, parts):
            self._note(part)
            blank = np.zeros((part.height, part.width, 3), np.uint8)
            for number, analysed in enumerate(part.analysed(), part.first):
                said = analysed.answers
                is_cut = (is_cut or analysed.is_cut) and number > 0
                pixels = blank if pictures is None else next(pictures).pixels
                picture = Picture(pixels, analysed.time_s, part.rate, None, is_cut)
                faces, doubtful = said.faces(self._cards), [tuple(box) for box in said.doubtful]
                self._counts["capped"] += said.capped
                yield FinishedFrame(name, number, picture, faces, doubtful=doubtful), not said.capped
                is_cut = False

    def _pictures(self) -> Iterator[Picture] | None:
        """Those of the film, where they are drawn or cut out."""
        if not needs_pictures(self._job.pipeline):
            return None
        return open_source(str(self._path), self._film.name, Part(*self._job.pipeline.capture.part)).pictures()

    def _note(self, part: AnalysedPart) -> None:
        if part.is_whole:  # Its reading has told all itself.
            self._notes, self._cut_short = [], 0
        self._notes += part.notes
        self._cut_short += part.cut_short
        self._spent_s.update(part.spent_s)
        self._seconds += part.seconds

    def _conclude(self, outputs: SourceOutputs) -> RunAccount:
        """Leave the summary, and say in run.json that the run is finished."""
        if outputs.recorder.failures:
            raise OutputError(f"{self._film.name}: {'; '.join(outputs.recorder.failures)}; join it again.")
        took_s = time.perf_counter() - self._began_s
        frames = self._counts["frames"]
        spent_s = {stage: round(s, 3) for stage, s in {**self._spent_s, "render": took_s}.items()}
        captured = CaptureReport(
            source=self._film.name,
            captured=frames,
            done=frames,
            seconds=round(self._seconds + took_s, 3),
            cut_short=self._cut_short,
            notes=list(dict.fromkeys(self._notes)),
        )
        source = SourceReport(
            captured=frames,
            rendered=frames,
            faces=self._counts["faces"],
            people=outputs.people,
            capped=self._counts["capped"],
            spent=spent_s,
        )
        rendered = RenderReport(
            sources={self._film.name: source},
            outputs=[str(path) for path in outputs.recorder.paths],
            notes=notes_of(self._film.name, outputs, [], self._counts["capped"]),
        )
        came = account([captured], rendered, dict.fromkeys(("render", "capture", *self._job.pipeline.stages), 1))
        outcome = Outcome(ExitStatus.DONE, None)
        leave_summary(came, outcome, self._target)
        if outcome.sentence:
            raise OutputError(outcome.sentence)
        return came


def _fitting(film: FilmIndex, parts: Iterable[bytes]) -> Iterator[tuple[AnalysedPart, bool]]:
    """The parts, decoded one after the other, each with whether there is a cut between its first frame and the last.

    Raises `NotDivisible` where one does not go on where the one before it ended, and `WrongParts` for a missing one.
    """
    is_cut, ahead, frames, is_whole = False, None, 0, False
    for number, encoded in enumerate(parts):
        part = msgspec.msgpack.decode(encoded, type=AnalysedPart)
        if (part.number, part.first) != (number, frames):
            raise WrongParts(f"part {part.number} of {film.name} begins at frame {part.first}, not at {frames}.")
        if ahead is not None and not _agree(ahead, part.begins):
            raise NotDivisible(f"its pictures differ when they are decoded from key frame {number}")
        yield part, is_cut
        is_cut, ahead = part.cut_behind or (is_cut and not part.frames), part.ahead
        frames, is_whole = frames + len(part.frames), part.is_whole
    if not is_whole and frames != film.frames:
        raise WrongParts(f"the parts of {film.name} have {frames} frames and not {film.frames}.")


def _agree(ahead: list[bytes], begins: list[bytes]) -> bool:
    """Whether the first pictures of a part are those that the part before it has decoded."""
    both = min(len(ahead), len(begins))
    return both > 0 and ahead[:both] == begins[:both]


def _drawing_nothing(settings: Settings) -> Settings:
    """Without hiding faces and placing labels where no picture is written; run.json has the configuration as it is."""
    pipeline = settings.pipeline
    if needs_pictures(pipeline):
        return settings
    render = dataclasses.replace(pipeline.render, blur="none", style="none")
    return dataclasses.replace(settings, pipeline=dataclasses.replace(pipeline, render=render))
