"""Which sources a run reads while it is running: one is added, removed or fails, and the others go on.

Every source keeps its place, the number of its capture and of its address, for good: a new one gets the next. What
render and the workers are told follows from what is here. Whether a source may be added is decided by who made the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from ..config.schema import MOST_SOURCES, Pipeline
from ..config.settings import Settings, SourceChanges, SourceSettings
from ..errors import FacepipeError
from ..names import counted
from ..protocol.stats import CaptureReport, RenderReport
from ..sources.stamps import input_of
from ..sources.urls import public
from .child import Start
from .events import SourceAdded, SourceRemoved

ELSEWHERE = "the sources of this run are not changed while it runs"
UNFINISHED = "it was not finished in time, and the last frames that it read are missing from its results"


class CannotChange(FacepipeError):
    """The sources stay as they are."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks of the sources of a run; `answer` is called once, with whether it is done, and sentences."""

    action: Literal["add", "remove", "list"]
    answer: Callable[[bool, list[str]], None]
    name: str = ""
    spec: str | int = ""
    zones: dict = field(default_factory=dict)
    lines: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person is told of a request that was none."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A source that can be added: the configuration with it, and what its capture is started with."""

    pipeline: Pipeline
    source: SourceSettings
    said: list  # what `inputs` say of it
    address: str  # of its capture
    start: Start


class Admission(Protocol):
    """Who decides whether a source may be added."""

    def admit(self, pipeline: Pipeline, request: Request, place: int) -> Admitted:
        """Raises a `FacepipeError` that says why it is not."""


class RunSources:
    """The sources of one run, by place."""

    def __init__(self, told: Mapping[str, Settings], admission: Admission | None = None):
        """`told`: the settings of the processes, by label; without `admission` nobody changes the sources."""
        first = next(iter(told.values()))
        self._admission = admission
        self._pipeline, self._inputs, self._changes = first.pipeline, dict(first.inputs), first.changes
        self._sources, self._captures = list(first.sources), list(first.captures)
        self._closed, self._has_folders = set(first.closed), first.has_folders
        self._places = {label: settings.replica for label, settings in told.items() if settings.stage == "capture"}
        self._template = next((settings for settings in told.values() if settings.stage == "capture"), None)
        self._coming: dict[str, tuple[Request, Admitted]] = {}  # label -> who waits for its first sign, and with what
        self._going: dict[str, Request] = {}
        self.failures: dict[str, str] = {}  # name -> why it ended alone: a sentence

    # --- Asked ---

    def asked(
        self,
        request: Request,
        start: Callable[[Start, Settings], None],
        reports: Mapping[str, Mapping[int, CaptureReport | RenderReport]],
    ) -> SourceAdded | SourceRemoved | None:
        """Take a request; returns what the supervision is to know of it. `start` starts a process."""
        try:
            if self._admission is None:
                raise CannotChange(f"{ELSEWHERE}; end it, and begin it with others.")
            match request.action:
                case "add":
                    return self._add(request, start)
                case "remove":
                    return self._remove(request)
                case _:
                    request.answer(True, self._listed(reports))
        except FacepipeError as error:
            request.answer(False, [str(error)])
        return None

    def refuse(self, request: Request) -> None:
        """The run is ending."""
        request.answer(False, ["this run is ending, and its sources stay as they are."])

    def _add(self, request: Request, start: Callable[[Start, Settings], None]) -> SourceAdded | None:
        if not self._has_folders:
            raise CannotChange(
                "this run has one source, whose results have no folder of their own; begin a run with sources: and two"
                " names, to which others can be added."
            )
        if self._reads(request):  # Once by the command, and once in the file.
            request.answer(True, [f"{request.name} is read already: {public(request.spec)}."])
            return None
        if len(self._taken()) >= MOST_SOURCES:
            raise CannotChange(f"this run has {MOST_SOURCES} sources, the most that it can have; remove one first.")
        request = self._as_before(request)
        place = len(self._sources)
        admitted = self._admission.admit(self._pipeline, request, place)
        self._refuse_other_results(request, admitted)
        settings = replace(
            self._template,
            replica=place,
            pipeline=admitted.pipeline,
            sources=(*self._sources, admitted.source),
            captures=(*self._captures, admitted.address),
            inputs=self._inputs | {input_of(request.name, request.spec): admitted.said},
            binds=(admitted.address,),
            opened_s=None,
            opened_as=None,
        )
        start(admitted.start, settings)
        label = admitted.start.member.label
        self._sources.append(admitted.source)
        self._captures.append(admitted.address)
        self._closed.add(place)  # Until it is there.
        self._places[label] = place
        self._coming[label] = request, admitted
        return SourceAdded(admitted.start.member)

    def _reads(self, request: Request) -> bool:
        open_places = (s for place, s in enumerate(self._sources) if place not in self._closed)
        return any((s.name, str(s.spec)) == (request.name, str(request.spec)) for s in open_places)

    def _as_before(self, request: Request) -> Request:
        """One that was removed comes back with its zones and lines, and goes on where its results end."""
        if twin := next((name for name in self._taken() if name.lower() == request.name.lower()), None):
            raise CannotChange(f"this run has a source {twin} already; choose another name.")
        if (before := self._changes.removed.get(request.name)) and not (request.zones or request.lines):
            return replace(request, zones=before[2], lines=before[3])
        return request

    def _refuse_other_results(self, request: Request, admitted: Admitted) -> None:
        before = self._changes.removed.get(request.name)
        if before is None and (said := self._inputs.get(input_of(request.name, request.spec))):
            before = [*said, *_areas(self._pipeline, request.name)]
        if before and before != [*admitted.said, request.zones, request.lines]:
            raise CannotChange(
                f"{request.name} has results of {before[0]} in this run, and this is not the same; choose another name."
            )

    def _taken(self) -> list[str]:
        """The names that are read, or are about to be."""
        coming = [request.name for request, _ in self._coming.values()]
        return [s.name for place, s in enumerate(self._sources) if place not in self._closed] + coming

    def _remove(self, request: Request) -> SourceRemoved:
        label = next((label for label, place in self._places.items() if self._is_named(place, request.name)), None)
        if label is None:
            known = ", ".join(self._pipeline.sources)
            raise CannotChange(f"this run has no source {request.name}; it has {known}.")
        if label in self._going:
            raise CannotChange(f"{request.name} is being removed already.")
        others = [name for name in self._taken() if name != request.name]
        if not others:
            raise CannotChange(f"{request.name} is the only source that is left; end the run instead.")
        self._going[label] = request
        return SourceRemoved(label)

    def _is_named(self, place: int, name: str) -> bool:
        """Whether the source of a place belongs to the run under this name: it is read, or has ended."""
        newest = max((p for p, s in enumerate(self._sources) if s.name == name), default=None)
        return place == newest and name in self._pipeline.sources

    def _listed(self, reports: Mapping[str, Mapping[int, CaptureReport | RenderReport]]) -> list[str]:
        """A line for each source: its name, what is read, how many frames so far, and how it stands."""
        drops = _drops(reports)
        rows = []
        for label, place in self._places.items():
            source = self._sources[place]
            if not self._is_named(place, source.name) and label not in self._coming:
                continue
            lives = reports.get(label)
            report = list(lives.values())[-1] if lives else None
            read = counted(report.captured or 0, "frame") if isinstance(report, CaptureReport) else "not opened yet"
            if dropped := drops.get(source.name):
                read += f", {dropped} dropped"
            failure = self.failures.get(source.name)
            rows.append(f"{source.name}  {public(source.spec)}  {f'ended: {failure}' if failure else read}")
        return rows

    # --- What has come of it ---

    def is_there(self, label: str, is_away: bool = False) -> dict[str, object]:
        """An added source belongs to the run; returns the fields of `Settings` that render and the workers are to know.

        `is_away`: it could not be opened yet, and is looked for.
        """
        request, admitted = self._coming.pop(label)
        name = request.name
        kept = request.spec if public(request.spec) == str(request.spec) else None
        removed = {other: said for other, said in self._changes.removed.items() if other != name}
        self._changes = SourceChanges(self._changes.added | {name: kept}, removed)
        # Other sources may have come or gone since it was admitted.
        self._pipeline = with_source(self._pipeline, name, request.spec, request.zones, request.lines)
        self._inputs[input_of(name, request.spec)] = admitted.said
        self._note_areas()
        self._closed.discard(self._places[label])
        self.failures.pop(name, None)
        request.answer(True, [self._sentence(name, request.spec, is_away)])
        return self.told()

    def _sentence(self, name: str, spec: str | int, is_away: bool) -> str:
        if not is_away:
            return f"{name} is read from now on: {public(spec)}."
        patience_s = self._pipeline.reconnect_s
        so_long = f"for {patience_s:g} s" if patience_s < math.inf else "as long as it takes"
        return f"{name} is not there yet: {public(spec)}; the run looks for it {so_long}."

    def was_refused(self, label: str, failure: str) -> None:
        """An added source could not be opened: all is as it was."""
        request, _ = self._coming.pop(label)
        request.answer(False, [failure])

    def ended(self, label: str, failure: str | None, is_complete: bool = True) -> dict[str, object]:
        """A capture has ended for good; returns what `is_there` returns.

        `is_complete`: of a source that was asked to go, that every frame that it had read is finished.
        """
        place = self._places[label]
        name = self._sources[place].name
        self._closed.add(place)
        if failure is not None:
            self.failures[name] = failure
        if came := self._coming.pop(label, None):
            came[0].answer(False, [f"{name} was removed before it was opened."])
        if request := self._going.pop(label, None):
            self._forget(name)
            written = "its results are written" if is_complete else UNFINISHED
            request.answer(True, [f"{name} is no longer read; {written}."])
        return self.told()

    def told(self) -> dict[str, object]:
        """The fields of `Settings` that say which sources are read."""
        return {
            "pipeline": self._pipeline,
            "sources": tuple(self._sources),
            "captures": tuple(self._captures),
            "inputs": dict(self._inputs),
            "closed": tuple(sorted(self._closed)),
            "changes": self._changes,
        }

    def _forget(self, name: str) -> None:
        if name not in self._pipeline.sources:
            return
        said = self._inputs.pop(input_of(name, ""), None)
        added = {other: spec for other, spec in self._changes.added.items() if other != name}
        gone = {name: [*said, *_areas(self._pipeline, name)]} if said else {}
        self._changes = SourceChanges(added, self._changes.removed | gone)
        self._pipeline = without(self._pipeline, name)
        self._note_areas()
        self.failures.pop(name, None)

    def _note_areas(self) -> None:
        for key in ("zones", "lines"):
            self._inputs.pop(key, None)
            if areas := getattr(self._pipeline, key):
                self._inputs[key] = areas


def _drops(reports: Mapping[str, Mapping[int, CaptureReport | RenderReport]]) -> dict[str, int]:
    """By source: how many of its frames are in no output."""
    newest = [list(lives.values())[-1] for lives in reports.values() if lives]
    sources = [item for report in newest if isinstance(report, RenderReport) for item in report.sources.items()]
    return {name: sum(drop.count for drop in source.dropped) for name, source in sources}


def _areas(pipeline: Pipeline, name: str) -> tuple[dict, dict]:
    return pipeline.zones.get(name, {}), pipeline.lines.get(name, {})


def with_source(pipeline: Pipeline, name: str, spec: str | int, zones: dict, lines: dict) -> Pipeline:
    """A configuration with one source more, and with its zones and lines."""
    return replace(
        pipeline,
        sources=pipeline.sources | {name: spec},
        zones=pipeline.zones | ({name: zones} if zones else {}),
        lines=pipeline.lines | ({name: lines} if lines else {}),
    )


def without(pipeline: Pipeline, name: str) -> Pipeline:
    """A configuration without one of its sources, and without its zones and lines."""
    kept = ({n: v for n, v in each.items() if n != name} for each in (pipeline.sources, pipeline.zones, pipeline.lines))
    sources, zones, lines = kept
    return replace(pipeline, sources=sources, zones=zones, lines=lines)
