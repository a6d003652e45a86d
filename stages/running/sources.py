"""Which sources can be added to a run that goes on, and which a run that is gone on with has."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from ..config.load import read_config
from ..config.schema import ConfigError, Pipeline
from ..config.settings import SourceChanges
from ..plan import BINDING, source_input, source_settings
from ..results.run_file import RunFile, run_in
from ..sources.refusal import refuse
from ..sources.stamps import input_of
from ..sources.urls import public
from ..supervision.child import Start, stage_command
from ..supervision.events import Member
from ..supervision.run_sources import Admitted, Request, with_source, without
from ..transport.addresses import addresses, claim
from .job import Job


class RunAdmission:
    """Admits sources to one run."""

    def __init__(self, job: Job, held: ExitStack):
        """`held`: what holds the addresses of captures, for as long as the run lasts."""
        self._job, self._held = job, held
        self._claimed: set[str] = set()

    def admit(self, pipeline: Pipeline, request: Request, place: int) -> Admitted:
        """As in `Admission`; raises a `FacepipeError`."""
        name, spec = request.name, request.spec
        wanted = with_source(pipeline, name, spec, request.zones, request.lines)
        _refuse_mistakes(wanted)
        if pipeline.mqtt.broker is not None:
            from ..connect.endpoints import refuse_equal_topics  # TLS comes with it.

            refuse_equal_topics(wanted)
        refuse(spec)
        address = addresses(pipeline.port, place + 1).captures[place]
        if address not in self._claimed:  # Else it was claimed for a source that was refused afterwards.
            self._held.enter_context(claim([address], pipeline.port))
            self._claimed.add(address)
        member = Member(f"capture-{place}", "capture", pipeline.hang_s("capture"), place)
        start = Start(member, stage_command("capture", "--log-level", self._job.options.log_level))
        return Admitted(wanted, source_settings(wanted, name, spec), source_input(spec), address, start)


def can_change(job: Job) -> bool:
    """Whether the sources of a run can be changed while it goes on: it is here as a whole, and each has a folder."""
    is_whole = job.stages >= BINDING and not job.spans_machines and job.options.only is None
    return is_whole and job.has_folders


def _refuse_mistakes(pipeline: Pipeline) -> None:
    """Raise `ConfigError` for what a configuration with these sources could not say."""
    said = {"sources": pipeline.sources, "zones": pipeline.zones, "lines": pipeline.lines}
    try:
        read_config(json.dumps({key: value for key, value in said.items() if value}), "sources")
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("sources:1: ")) from None  # It is in no file.


def as_changed(pipeline: Pipeline, folder: Path) -> tuple[Pipeline, SourceChanges]:
    """The configuration with the sources that the run in this folder had last, and how these were changed.

    What was removed while it went on is not read again, and what was added is. Raises `ConfigError`.
    """
    before = run_in(folder)
    if before is None or not before.changes or not pipeline.sources:
        return pipeline, SourceChanges()
    for name, (read, _, zones, lines) in before.changes.removed.items():
        if public(pipeline.sources.get(name, "")) == read and _areas(pipeline, name) == (zones, lines):
            pipeline = without(pipeline, name)
    for name, spec in before.changes.added.items():
        if name in pipeline.sources:
            continue
        if spec is None:
            raise ConfigError(
                f"the address of the source {name}, which was added to the run in {folder}, has a secret that is not"
                " kept; write the source into the configuration, under sources."
            )
        zones, lines = ((before.inputs.get(key) or {}).get(name, {}) for key in ("zones", "lines"))
        pipeline = with_source(pipeline, name, spec, zones, lines)
    return pipeline, before.changes


def inputs_as_changed(inputs: dict, before: RunFile) -> dict:
    """What a configuration would be begun with, if it had the sources that a run had last: see `as_changed`."""
    changed = {**inputs, **{key: dict(inputs.get(key, {})) for key in ("zones", "lines")}}
    for name, (*said, zones, lines) in before.changes.removed.items():
        if changed.get(key := input_of(name, "")) == said:
            del changed[key]
            for areas, were in (("zones", zones), ("lines", lines)):
                if changed[areas].get(name, {}) == were:
                    changed[areas].pop(name, None)
    for name in before.changes.added:
        if (key := input_of(name, "")) in before.inputs and key not in changed:
            changed[key] = before.inputs[key]
            for areas in ("zones", "lines"):
                if name in (were := before.inputs.get(areas, {})):
                    changed[areas][name] = were[name]
    return {key: value for key, value in changed.items() if value or key not in ("zones", "lines")}


def _areas(pipeline: Pipeline, name: str) -> tuple[dict, dict]:
    return pipeline.zones.get(name, {}), pipeline.lines.get(name, {})
