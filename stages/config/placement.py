"""Which machine each process runs on. Pure.

A host is a machine of the configuration, by its name. Without `hosts` everything runs on one machine, `HERE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .schema import Pipeline, hosts_in

HERE = ""  # the only machine of a run without `hosts`


@dataclass(frozen=True, slots=True)
class Placement:
    """Which host each process of a pipeline runs on."""

    render: str
    captures: tuple[str, ...]  # in the order of the sources
    workers: dict[str, tuple[str, ...]]  # stage -> the hosts that have processes of it
    sources: tuple[str | None, ...]  # name of each source; None: it is named when it is opened

    @classmethod
    def of(cls, pipeline: Pipeline) -> Placement:
        """Where a pipeline says that its processes run; what it does not say runs on the first host."""
        home = next(iter(pipeline.hosts), HERE)
        sources = tuple(pipeline.all_sources())
        return cls(
            pipeline.render.host or home,
            tuple(capture_host(pipeline, name) for name in sources),
            {name: tuple(hosts_in(stage.host)) or (home,) for name, stage in pipeline.stages.items()},
            sources,
        )

    @property
    def spans_machines(self) -> bool:
        """Whether any message has to travel from one host to another."""
        return len({self.render, *self.captures, *(host for hosts in self.workers.values() for host in hosts)}) > 1

    def peers_of_render(self) -> set[str]:
        """The hosts that render hears from."""
        return {*self.captures, *self.peers_of_captures()}

    def peers_of_captures(self) -> set[str]:
        """The hosts that a capture hears from."""
        return {host for hosts in self.workers.values() for host in hosts}

    def detects_beyond(self, host: str) -> bool:
        """Whether any detect is on another host than this one."""
        return set(self.workers["detect"]) != {host}

    def stages_on(self, host: str) -> list[str]:
        """The stages that have a process on this host, in the order in which they are started."""
        ends = ["render"] * (self.render == host) + ["capture"] * (host in self.captures)
        return [*ends, *(stage for stage, hosts in self.workers.items() if host in hosts)]

    def everywhere(self, counts: Mapping[str, int]) -> dict[str, int]:
        """How many processes each worker stage has on all its hosts together; `counts`: on each of them."""
        return {stage: counts[stage] * len(hosts) for stage, hosts in self.workers.items()}

    def works(self, host: str, stage: str) -> bool:
        """Whether this host has processes of a worker stage."""
        return host in self.workers.get(stage, ())

    def reads(self, host: str, source: str) -> bool:
        """Whether this host has the capture of a source."""
        return any(at == host and name in (None, source) for at, name in zip(self.captures, self.sources, strict=True))


def capture_host(pipeline: Pipeline, source: str | None) -> str:
    """The host that reads a source, by its name; None: the only source, which has none."""
    said = pipeline.capture.host
    return (said.get(source) if isinstance(said, dict) else said) or next(iter(pipeline.hosts), HERE)
