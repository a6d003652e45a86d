"""From a configuration to the folder that deploys it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ..config.load import Override
from ..config.schema import ConfigError, Pipeline
from ..config.strict_yaml import parse
from ..plan import find_models, read_cards, read_pipeline
from ..service import is_live
from ..transport.addresses import IPC
from ..transport.keys import IGNORE, make_keys
from ..vision.inference import runtime_of
from . import compose, costs, kubernetes, systemd
from .adapting import COMPOSE, KUBERNETES, SYSTEMD, Needs, adapted
from .fleet import Fleet, Unit, fleet_of, read, refuse_named_as_servers
from .folder import (
    PRIVATE,
    File,
    make_token,
    private_folders,
    refuse_foreign,
    refuse_links,
    refuse_open,
    refuse_other_target,
    write,
)
from .options import Options
from .ports import port_of, refuse_taken
from .yaml_text import dumped

_ADDRESSES = {KUBERNETES: kubernetes.address, COMPOSE: compose.address, SYSTEMD: lambda fleet, host: host}
_UNREADABLE = ("/home/", "/root/", "/tmp/", "/var/tmp/")  # for the user of systemd units
KEYS = "keys"  # the folder with the keys of all hosts


def deploy(target: str, config: Path, source: str | None, folder: Path, options: Options) -> tuple[Fleet, list[str]]:
    """Write what runs a configuration on `target`; returns its units, and sentences that the person should read.

    Raises a `FacepipeError` for what cannot be deployed; nothing is written then.
    """
    document, pipeline = _read(config, source)
    fleet, needs = _there(document, pipeline, config, target, options)
    match target:
        case "kubernetes":
            files = dict(_configs(fleet, needs)) | dict(kubernetes.files(fleet, needs, options))
        case "compose":
            files = dict(_configs(fleet, needs)) | dict(compose.files(fleet, needs, options, folder / KEYS))
        case "systemd":
            files = dict(systemd.files(fleet, needs, options, folder / KEYS))
    # First: a disk that is full leaves no private file that git would take.
    files = {IGNORE: File("".join(f"/{name}\n" for name in _private(files)))} | files
    folders = list(compose.folders(fleet)) if target == COMPOSE else []
    refuse_other_target(folder, target)
    refuse_foreign(folder, files)
    refuse_links(folder, [KEYS, *folders])
    refuse_open(folder, [*private_folders(files), *folders])
    if any(unit.has_keys for unit in fleet.units):
        from ..transport.curve import new_pair  # ZeroMQ: only where there are keys to make.

        make_keys(folder / KEYS, pipeline.hosts, new_pair)
    if options.serve and target != SYSTEMD:  # There the server answers its own machine alone.
        make_token(folder / KEYS)
    owner = compose.owner() if target == COMPOSE and hasattr(os, "chown") and compose.is_root() else None
    write(folder, files, folders, owner)
    return fleet, list(_notes(pipeline, fleet, target, options, _extras(pipeline, config.parent)))


def _read(config: Path, source: str | None) -> tuple[dict, Pipeline]:
    overrides = [] if source is None else [Override("source", _spec(source), "--source")]
    pipeline, _ = read_pipeline(str(config), overrides)
    document = parse(config.read_text(encoding="utf-8"), str)[0] or {}
    if source is not None:
        document.pop("sources", None)
        document["source"] = _spec(source)
    return document, pipeline


def _spec(source: str) -> str | int:
    return int(source) if source.isascii() and source.isdigit() else source


def _there(
    document: dict, pipeline: Pipeline, config: Path, target: str, options: Options
) -> tuple[Fleet, dict[str, Needs]]:
    """The units with their configurations as they are at the target, and what each of these needs."""
    name, folder = config.stem, config.parent
    fleet = fleet_of(name, document, pipeline, options.per, options.fps)
    if options.serve and target != KUBERNETES:  # There the server is in the pod.
        refuse_named_as_servers(fleet)

    def address(host: str) -> str:
        return _ADDRESSES[target](fleet, host)

    units, needs = [], {}
    for unit in fleet.units:
        own, needs[unit.config] = adapted(unit.document, unit.pipeline, folder, target, address)
        if target == SYSTEMD and not unit.host:
            _apart(own["render"], unit)
        there = read(own, unit.config)
        sources = dict(zip(unit.sources, (there.all_sources()[name] for name in unit.sources), strict=True))
        units.append(replace(unit, document=own, pipeline=there, sources=sources))
    there = Fleet(fleet.name, tuple(units))
    refuse_taken(there, target, options.serve)
    return there, needs


def _apart(render: dict, unit: Unit) -> None:
    """Give a unit ports of its own for what the configuration has one port for: it shares its machine with others."""
    if port := unit.pipeline.render.web_port:
        render["web"] = port_of(unit, port, "render.web")
    if (publication := unit.pipeline.render.publication) is not None:
        address, pixels = publication
        if address.startswith(IPC) and unit.number:
            raise ConfigError(
                f"render.publish is {address} for several units; write tcp://ADDRESS:PORT, of which each gets a port."
            )
        if not address.startswith(IPC):
            host, _, port = address.rpartition(":")
            own = port_of(unit, int(port), "render.publish")
            render["publish"] = {"address": f"{host}:{own}", "pixels": pixels}


def _configs(fleet: Fleet, needs: Mapping[str, Needs]) -> Iterator[tuple[str, File]]:
    for name, document in fleet.configs.items():
        yield f"config/{name}.yaml", File(dumped(document), PRIVATE)
        for beside, path in needs[name].files.items():
            yield f"config/{beside}", File(path, PRIVATE)


def _private(files: Mapping[str, File]) -> list[str]:
    """What nobody should commit."""
    return sorted({KEYS, *(name for name, file in files.items() if file.mode == PRIVATE)})


def _extras(pipeline: Pipeline, folder: Path) -> list[str]:
    """What a configuration needs of pyproject.toml's extras, and the image does not have unless it is built with it."""
    demo = ["demo"] if "demo" in pipeline.all_sources().values() else []
    cards = read_cards(pipeline, find_models(pipeline, folder)).values()
    return demo + (["keras"] if any(runtime_of(card) == ".keras" for card in cards) else [])


def _notes(pipeline: Pipeline, fleet: Fleet, target: str, options: Options, extras: list[str]) -> Iterator[str]:
    if extras and target != SYSTEMD:
        built = f"--build-arg EXTRAS='mqtt serve {' '.join(extras)}'"
        yield f"this configuration needs {' and '.join(extras)} in the image; build it with {built}."
    live = any(map(is_live, pipeline.all_sources().values()))
    if live and not (pipeline.render.rotate and pipeline.render.keep):
        yield "nothing deletes old results of a camera; set render.rotate and render.keep, or its volume fills."
    elif live and target == KUBERNETES:
        # Of a street of cameras the first says it for all.
        yield from islice(filter(None, (kubernetes.overfilled(unit, options) for unit in fleet.units)), 1)
    for unit in fleet.units:
        cameras = sum(map(is_live, unit.pipeline.all_sources().values()))
        if unit.writes and cameras > (most := max(1, int(1000 / (options.fps * costs.FRAME_MS["render"])))):
            yield (
                f"{fleet.full(unit)} draws and writes {cameras} cameras in one process, which is enough for {most} of"
                f" 1280 x 720 at {options.fps:g} frames/s; divide them among several units."
            )
    if pipeline.mqtt.broker is not None and len({unit.pipeline.mqtt.topic for unit in fleet.units}) > 1:
        first: Unit = fleet.units[0]
        yield f"each camera has an MQTT topic of its own, such as {first.pipeline.mqtt.topic}; --per host shares one."
    if target == SYSTEMD and (hidden := [path for unit in fleet.units for path in systemd.private_paths(unit)]):
        yield f"a unit of systemd has a /tmp of its own, in which {hidden[0]} is not; move it to another folder."
    if target == SYSTEMD and options.python.startswith(_UNREADABLE):
        yield f"the user of the units cannot read {options.python}; install facepipe elsewhere and write --python."
