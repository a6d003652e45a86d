"""What needs no run: looking at a configuration, listing cameras, making keys."""

from __future__ import annotations

import os
from pathlib import Path

from ..config.placement import Placement
from ..config.schema import ConfigError, Pipeline
from ..config.settings import cores
from ..exit_status import ExitStatus
from ..names import printable
from ..plan import Plan, processes_of
from ..running.job import shown
from ..transport import keys


def list_cameras() -> int:
    """Print a line for each camera."""
    from ..sources.camera import list_cameras as cameras

    for camera in cameras() or ["no camera was found"]:
        print(camera)
    return ExitStatus.DONE


def check(pipeline: Pipeline, folder: Path, host: str, only: list[str] | None) -> int:
    """Look at the configuration, and at cards, keys and sources of what would be started here; say what stays open."""
    from ..running.preflight import refuse_streams, refuse_without_encoder
    from ..sources.opening import open_source
    from ..sources.part import Part
    from ..vision.detectors import make_detector
    from ..vision.inference import check_unopened
    from ..vision.inference.card import load_card

    processes = processes_of(pipeline, only, cores(), host).values()
    stages = list(dict.fromkeys(stage for stage, _ in processes))
    plan, placed = Plan.of(pipeline, folder, host), Placement.of(pipeline)
    looked_at, left = ["configuration"], ["the port is free"]
    if placed.spans_machines:
        keys.read_keys(Path(plan.keys), host, pipeline.hosts)
        print(f"host {host}: {', '.join(stages)}; keys in {shown(plan.keys)}")
        looked_at.append("keys")
    if "capture" in stages:
        for (name, spec), at in zip(pipeline.all_sources().items(), placed.captures, strict=True):
            if at != host:
                continue  # It is on another machine, and so is what it reads.
            source = open_source(spec, name, Part(*pipeline.capture.part), pipeline.capture.loop)
            print(printable(f"source {source.name}: {source.description}"))
            source.close()
        looked_at.append("sources")
    if "detect" in stages:
        make_detector(pipeline.detect.resolved(plan.models.get("detect")))
        print(f"detector {pipeline.detect.detector}")
        if pipeline.leaves_visible is not None:
            print(pipeline.leaves_visible)
    attributes = [stage for stage in stages if stage in plan.cards]
    for stage in attributes:
        check_unopened(load_card(Path(plan.models[stage])))
        size = plan.cards[stage]
        print(f"{stage}: {shown(plan.models[stage])}, faces scaled to {size.width} x {size.height} pixels")
    if attributes:
        looked_at.append("cards")
    if plan.models.keys() & set(stages):
        left.insert(0, "the models load")
    if "render" in stages:
        refuse_without_encoder(pipeline)
        refuse_streams(pipeline, folder)
        print(
            f"output {shown(plan.output) if pipeline.render.output else 'in a new folder below ' + shown(plan.output)}"
        )
        left.append("the output can be written")
        if pipeline.is_connected:
            looked_at += _check_destinations(pipeline, folder)
            left.append("brokers and webhooks can be reached")
        left += ["the server of a stream can be reached"] if pipeline.render.streams else []
        left += ["a window opens"] if pipeline.render.display in ("auto", "window") else []
        left += ["the page's port is free"] if pipeline.render.web_port else []
    print(f"checked and correct: {', '.join(looked_at)}; only a run tells whether {', '.join(left)}")
    return ExitStatus.DONE


def _check_destinations(pipeline: Pipeline, folder: Path) -> list[str]:
    """Read the secrets and certificates for where events are sent; returns what was looked at."""
    from ..connect.endpoints import Endpoints

    endpoints = Endpoints.of(pipeline, folder, os.environ)
    for place in filter(None, (endpoints.broker, *endpoints.hooks)):
        print(f"events are sent to {place.shown}")
    return ["secrets"]


def make_keys(pipeline: Pipeline, folder: Path) -> int:
    """Make a pair of keys for every host that has none in this folder, and say what to copy where."""
    from ..transport.curve import new_pair

    if not pipeline.hosts:
        raise ConfigError("this configuration has no hosts; name the machines under hosts, then make their keys.")
    made = keys.make_keys(folder, pipeline.hosts, new_pair)
    for host in pipeline.hosts:
        print(f"{host}: {'a new pair' if host in made else 'has its keys already'}")
    print(f"Copy to {pipeline.keys} on every machine, a folder that only you can enter (chmod 700):")
    for host in pipeline.hosts:
        secret = shown(str(folder / f"{host}{keys.SECRET}"))
        print(f"  on {host}: {secret} (chmod 600) and {shown(str(folder))}/*{keys.PUBLIC}")
    print("A secret key belongs on its own machine and nowhere else; remove the others here when you are done.")
    return ExitStatus.DONE
