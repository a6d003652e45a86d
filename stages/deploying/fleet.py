"""What a configuration becomes: units, each one command with the processes of a host or of a camera. Pure.

A host of the configuration is one unit: its stages share memory, a key, and what it may say. Without hosts every source
is a unit with stages of its own, or all sources are one unit that shares them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from ..config.load import read_config
from ..config.placement import HERE, Placement
from ..config.schema import MOST_DETECT_REPLICAS, ConfigError, Pipeline
from ..plan import refuse_too_many_sources
from ..service import is_live
from . import costs
from .yaml_text import dumped

CAMERA, HOST = "camera", "host"  # what a unit is made for, where there are no hosts
METRICS_PORT, SERVE_PORT = 9109, 8040
BUSY = 0.7  # of a process: beyond it frames wait
NAME_CHARACTERS = 50  # a StatefulSet adds to its name, and the labels made of it have 63 at most

Source = str | int


@dataclass(frozen=True, slots=True)
class Unit:
    """One command that runs somewhere."""

    name: str  # in the characters of DNS; unique in the fleet
    number: int  # counts from 0
    host: str  # of the configuration, or `HERE`
    config: str  # the file with its configuration, without the suffix
    document: dict  # what is in that
    pipeline: Pipeline  # the same, read
    stages: tuple[str, ...]
    sources: dict[str | None, Source]  # that it reads
    resources: costs.Resources

    @property
    def writes(self) -> bool:
        """Whether the results are written here."""
        return "render" in self.stages

    @property
    def reads(self) -> bool:
        return "capture" in self.stages

    @property
    def has_keys(self) -> bool:
        """Whether it speaks with units elsewhere."""
        return self.host != HERE and Placement.of(self.pipeline).spans_machines

    @property
    def ends(self) -> bool:
        """Whether it is done some time: it reads or writes what comes of files alone."""
        every = self.pipeline.all_sources().values()
        return (self.writes or self.reads) and not self.pipeline.capture.loop and not any(map(is_live, every))

    @property
    def ports(self) -> dict[str, int]:
        """What it binds for units elsewhere, by a name of each port."""
        placed = Placement.of(self.pipeline)
        if not self.has_keys:
            return {}
        first = self.pipeline.hosts[self.host].port or self.pipeline.port
        render = {"render": first} if placed.render == self.host and placed.peers_of_render() - {self.host} else {}
        captures = {
            f"capture-{place}": first + 1 + place
            for place, at in enumerate(placed.captures)
            if at == self.host and placed.peers_of_captures() - {self.host}
        }
        return render | captures


@dataclass(frozen=True, slots=True)
class Fleet:
    """All units of a configuration."""

    name: str  # in the characters of DNS
    units: tuple[Unit, ...]

    def full(self, unit: Unit) -> str:
        """The name of a unit that nothing else has."""
        return self.name if unit.name == self.name else f"{self.name}-{unit.name}"

    def server(self, unit: Unit) -> str:
        """The name of the server that answers about the runs of a unit, where that is not a part of it."""
        return f"{self.full(unit)}-serve"

    @property
    def hosts(self) -> dict[str, Unit]:
        """The unit of each host of the configuration."""
        return {unit.host: unit for unit in self.units if unit.host != HERE}

    @property
    def configs(self) -> dict[str, dict]:
        """The configurations by the names of their files."""
        return {unit.config: unit.document for unit in self.units}


def fleet_of(name: str, document: dict, pipeline: Pipeline, per: str, rate: float) -> Fleet:
    """The units of a configuration.

    `name`: of its file, without the suffix; `per`: `CAMERA` or `HOST`; `rate`: frames a second of each source. Raises
    `ConfigError` for names that cannot be told apart.
    """
    name = dns_name(name)
    if pipeline.hosts:
        placed = Placement.of(pipeline)
        units = [(dns_name(host), host, name, document) for host in pipeline.hosts if placed.stages_on(host)]
    elif per == CAMERA and len(pipeline.sources) > 1:
        units = [(dns_name(of), HERE, dns_name(of), alone(document, pipeline, of)) for of in pipeline.sources]
    else:
        units = [(name, HERE, name, document)]
    _refuse_twins([unit[0] for unit in units], [*pipeline.hosts, *pipeline.sources])
    made = tuple(_unit(number, *unit, rate) for number, unit in enumerate(units))
    fleet = Fleet(name, made)
    if longest := next((full for full in map(fleet.full, made) if len(full) > NAME_CHARACTERS), None):
        raise ConfigError(
            f"{longest} is longer than {NAME_CHARACTERS} characters; give the configuration, the host or the source a"
            " shorter name."
        )
    return fleet


def alone(document: dict, pipeline: Pipeline, source: str) -> dict:
    """A configuration with one of its sources, and what is said about that."""
    own = copy.deepcopy(document)
    own["sources"] = {source: own["sources"][source]}
    for key in ("zones", "lines"):
        if own.get(key) is not None:
            own[key] = {name: areas for name, areas in own[key].items() if name == source}
    if pipeline.mqtt.broker is not None:  # Two clients of a broker with one topic would end each other.
        own["mqtt"]["topic"] = f"{pipeline.mqtt.topic}/{source}"
    return own


def dns_name(name: str) -> str:
    """A name in the characters of DNS, a letter first."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain if plain[:1].isalpha() else f"facepipe-{plain}".rstrip("-")


def _refuse_twins(names: list[str], said: Iterable[str]) -> None:
    twins = [name for name in names if names.count(name) > 1]
    if twins:
        alike = [one for one in said if dns_name(one) == twins[0]]
        raise ConfigError(f"{' and '.join(alike)} would both be named {twins[0]}; rename one of them.")


def refuse_named_as_servers(fleet: Fleet) -> None:
    """Raise `ConfigError` where a unit has the name that the server of another one gets."""
    units = {fleet.full(unit): unit.name for unit in fleet.units}
    for unit in fleet.units:
        if unit.writes and (twin := units.get(fleet.server(unit))):
            raise ConfigError(f"{twin} has the name of the server of {unit.name}; rename it, or leave out --serve.")


def _unit(number: int, name: str, host: str, config: str, document: dict, rate: float) -> Unit:
    document = copy.deepcopy(document)
    pipeline = read(document, config)
    refuse_too_many_sources(pipeline)
    live = any(map(is_live, pipeline.all_sources().values()))
    if pipeline.detect.replicas == "auto" and live:
        # The machine's cores say nothing of a part of it, and a camera needs no more than it sends.
        at = max(1, len(Placement.of(pipeline).workers["detect"]))
        busy = rate * len(pipeline.all_sources()) * costs.FRAME_MS["detect"] / 1000 / BUSY / at
        section(document, "stages", "detect")["replicas"] = min(MOST_DETECT_REPLICAS, ceil(busy))
        _keep_the_other_stages(document, pipeline)
        pipeline = read(document, config)
    placed = Placement.of(pipeline)
    captures = zip(pipeline.all_sources().items(), placed.captures, strict=True)
    sources = dict(source for source, at in captures if at == host)
    stages = tuple(placed.stages_on(host))
    asked = _resources(pipeline, stages, len(sources), rate)
    return Unit(name, number, host, config, document, pipeline, stages, sources, asked)


def _keep_the_other_stages(document: dict, pipeline: Pipeline) -> None:
    """`stages` that were not named are all; once one is, the others have to be."""
    for name in pipeline.attributes():
        section(document, "stages", name)


def section(document: dict, *path: str) -> dict:
    """The keys below a path of a configuration, made where there are none."""
    for name in path:
        if document.get(name) is None:
            document[name] = {}
        document = document[name]
    return document


def read(document: dict, name: str) -> Pipeline:
    """A configuration that was changed, read as its units will; raises `ConfigError`."""
    return read_config(dumped(document), f"{name}.yaml")


def _resources(pipeline: Pipeline, stages: tuple[str, ...], sources: int, rate: float) -> costs.Resources:
    placed, every = Placement.of(pipeline), pipeline.every()
    all_sources = len(pipeline.all_sources())
    processes = {"render": 1, "capture": sources, **pipeline.replicas(MOST_DETECT_REPLICAS)}
    rates = {"render": rate * all_sources, "capture": rate * sources}
    rates |= {stage: rate * all_sources / len(at) / every.get(stage, 1) for stage, at in placed.workers.items()}
    return costs.resources(
        {stage: processes[stage] for stage in stages},
        {stage: rates[stage] for stage in stages},
        sources,
        pipeline.window,
        pipeline.window_memory,
    )
