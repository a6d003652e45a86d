"""From a configuration to the folder that deploys it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..config.load import Override
from ..config.schema import Pipeline
from ..config.strict_yaml import parse
from ..plan import read_pipeline
from ..service import is_live
from ..transport.keys import IGNORE, make_keys
from . import compose, kubernetes, systemd
from .adapting import COMPOSE, KUBERNETES, SYSTEMD, Needs, adapted
from .fleet import Fleet, Unit, fleet_of, read
from .folder import PRIVATE, File, make_token, private_folders, refuse_foreign, refuse_open, refuse_other_target, write
from .options import Options
from .yaml_text import dumped

_ADDRESSES = {KUBERNETES: kubernetes.address, COMPOSE: compose.address, SYSTEMD: lambda fleet, host: host}
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
    files[IGNORE] = File("".join(f"/{name}\n" for name in _private(files)))
    folders = list(compose.folders(fleet)) if target == COMPOSE else []
    refuse_other_target(folder, target)
    refuse_foreign(folder, files)
    refuse_open(folder, [*private_folders(files), *folders])
    if any(unit.has_keys for unit in fleet.units):
        from ..transport.curve import new_pair  # ZeroMQ: only where there are keys to make.

        make_keys(folder / KEYS, pipeline.hosts, new_pair)
    if options.serve and target != SYSTEMD:  # There the server answers its own machine alone.
        make_token(folder / KEYS)
    owner = compose.owner() if target == COMPOSE and hasattr(os, "chown") and compose.is_root() else None
    write(folder, files, folders, owner)
    return fleet, list(_notes(pipeline, fleet))


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

    def address(host: str) -> str:
        return _ADDRESSES[target](fleet, host)

    units, needs = [], {}
    for unit in fleet.units:
        own, needs[unit.config] = adapted(unit.document, unit.pipeline, folder, target, address)
        if target != KUBERNETES and not unit.host and (port := unit.pipeline.render.web):
            own["render"]["web"] = port + (unit.number if target == SYSTEMD else 0)
        there = read(own, unit.config)
        sources = dict(zip(unit.sources, (there.all_sources()[name] for name in unit.sources), strict=True))
        units.append(replace(unit, document=own, pipeline=there, sources=sources))
    return Fleet(fleet.name, tuple(units)), needs


def _configs(fleet: Fleet, needs: Mapping[str, Needs]) -> Iterator[tuple[str, File]]:
    for name, document in fleet.configs.items():
        yield f"config/{name}.yaml", File(dumped(document), PRIVATE)
        for beside, path in needs[name].files.items():
            yield f"config/{beside}", File(path, PRIVATE)


def _private(files: Mapping[str, File]) -> list[str]:
    """What nobody should commit."""
    return sorted({KEYS, *(name for name, file in files.items() if file.mode == PRIVATE)})


def _notes(pipeline: Pipeline, fleet: Fleet) -> Iterator[str]:
    live = any(map(is_live, pipeline.all_sources().values()))
    if live and not (pipeline.render.rotate and pipeline.render.keep):
        yield "nothing deletes old results of a camera; set render.rotate and render.keep, or its volume fills."
    if pipeline.mqtt.broker is not None and len({unit.pipeline.mqtt.topic for unit in fleet.units}) > 1:
        first: Unit = fleet.units[0]
        yield f"each camera has an MQTT topic of its own, such as {first.pipeline.mqtt.topic}; --per host shares one."
