"""What is to be run: the configuration, how the person wants it run, and the processes that this takes here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..config.placement import HERE, Placement
from ..config.schema import Pipeline
from ..config.settings import SourceChanges, cores
from ..names import shown
from ..plan import BINDING, Plan, processes_of
from ..results.output_folder import OutputFolder
from ..results.run_file import RunFile


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a pipeline is run; what is not named here is its configuration."""

    only: list[str] | None = None  # the stages to start, if not all
    once: bool = False  # these end when the run that they work for does
    seconds: float | None = None  # so long after all were ready the run is ended
    quiet: bool = False
    verbose: bool = False  # the account is printed in full
    host: str = HERE  # the one of the configuration's hosts that this machine is
    record: str | None = None  # the file for what the stages are given and answer
    resume: bool = False  # a run that was broken off goes on where its outputs end
    again: bool = False  # this command will be given again: --service or --resume
    replace: bool = False  # what an earlier run has left in the folder is replaced
    config: str | None = None  # the configuration's name
    metrics: tuple[str, int] | None = None  # host and port at which Prometheus is answered
    log_level: str = "warning"  # of the stages
    reread: Callable[[], Pipeline] | None = None  # reads the configuration anew, as it was read for this run
    config_file: str | None = None  # its path, where it was named


@dataclass(frozen=True)
class Job:
    """One run, before it is started."""

    pipeline: Pipeline
    folder: Path  # what the paths of its models count from
    options: RunOptions
    processes: dict[str, tuple[str, int]]  # label -> stage and replica
    changes: SourceChanges = field(default_factory=SourceChanges)  # of the sources, since the run was begun

    @classmethod
    def of(cls, pipeline: Pipeline, folder: Path, options: RunOptions, changes: SourceChanges | None = None) -> Job:
        """Raises `ConfigError` for stages that the run does not have here."""
        if options.record is not None:
            options = replace(options, record=os.path.abspath(options.record))
        processes = processes_of(pipeline, options.only, cores(), options.host)
        return cls(pipeline, folder, options, processes, changes or SourceChanges())

    @cached_property
    def stages(self) -> set[str]:
        """The stages of which a process is started here."""
        return {stage for stage, _ in self.processes.values()}

    @property
    def is_helper(self) -> bool:
        """Whether it only helps a run that is started elsewhere."""
        return not self.stages & BINDING

    @property
    def has_folders(self) -> bool:
        """Whether each source has a folder of its own."""
        return len(self.pipeline.all_sources()) > 1 or bool(self.changes)

    @property
    def spans_machines(self) -> bool:
        """Whether the run has processes on other machines."""
        return Placement.of(self.pipeline).spans_machines

    @property
    def leaves(self) -> bool:
        """Whether SIGTERM ends only this part of the run: its render is elsewhere, and waits until this is back."""
        return self.options.again and "render" not in self.stages

    @property
    def ends_with(self) -> str:
        """Whose end is that of the run here: the captures', or render's where some of these run elsewhere."""
        captures = [stage for stage, _ in self.processes.values()].count("capture")
        return "render" if "render" in self.stages and captures < len(self.pipeline.all_sources()) else "capture"

    def plan(self) -> Plan:
        """What its processes are told; raises `ConfigError` and `CardError`."""
        return replace(Plan.of(self.pipeline, self.folder, self.options.host), changes=self.changes)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the results of a run go."""

    name: str  # of the run
    results: OutputFolder
    before: RunFile | None  # of the run that is gone on with

    @property
    def shown(self) -> str:
        """Its path, for a person."""
        return shown(str(self.results.path))
