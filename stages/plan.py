"""From the configuration to what every process of the run is told."""

from __future__ import annotations

import errno
import math
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .config.connections import SOURCE_PLACE, StreamAddress, is_stored
from .config.keys import is_allowed
from .config.load import Override, read_config
from .config.placement import HERE, Placement
from .config.schema import KNOWN_ATTRIBUTES, MOST_SOURCES, ConfigError, Pipeline
from .config.settings import CardSettings, Machines, PublishSettings, Settings, SourceChanges, SourceSettings
from .config.strict_yaml import MOST_BYTES
from .errors import reason
from .project import PROJECT
from .results.atomic import BINARY, NO_WAIT
from .results.runs import OUT
from .sources.spec import expanded
from .sources.stamps import changed_since, input_of, is_pinned, stamp
from .sources.urls import is_url, public
from .stored import Store
from .supervision.places import Places
from .transport.addresses import IPC

if TYPE_CHECKING:
    from .vision.inference.card import Card

BINDING = {"capture", "render"}  # the stages that bind a socket; the others connect
TOKEN_BYTES = 16
DEFAULT_CONFIG = PROJECT / "pipeline.yaml"


def read_pipeline(config: str | None, overrides: Iterable[str | Override] = ()) -> tuple[Pipeline, Path]:
    """Read a configuration file, by default the project's own; returns it with the folder that its models count from.

    Raises `ConfigError`.
    """
    path = Path(config) if config is not None else DEFAULT_CONFIG
    try:
        text = _content(path).decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; name the configuration with --config FILE.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text in UTF-8; name the configuration with --config FILE.") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have.
        raise ConfigError(
            f"{path} cannot be read: {reason(error)}; name the configuration with --config FILE."
        ) from None
    return read_config(text, path.name if config is None else config, overrides), path.parent


def _content(path: Path) -> bytes:
    """Of a file, or of a pipe that somebody writes to (`<(…)` in a shell), as much as a configuration may have.

    Raises `OSError`, also for a device: reading those may never end.
    """
    descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "it is a device and not a file")
        if NO_WAIT:
            os.set_blocking(descriptor, True)  # A pipe without a writer ends at once; from one that has, all is read.
        content = file.read(MOST_BYTES)
        if not content and stat.S_ISFIFO(mode):
            raise OSError(errno.EPIPE, "it is a pipe to which nobody writes")
        return content


def refuse_too_many_sources(pipeline: Pipeline) -> None:
    """Raise `ConfigError` for more than one run can have."""
    if (count := len(pipeline.sources)) > MOST_SOURCES:
        raise ConfigError(
            f"sources has {count} names, and one run has at most {MOST_SOURCES}; divide them among several"
            " configurations, or let facepipe deploy make a service of each."
        )


def processes_of(
    pipeline: Pipeline, only: Iterable[str] | None, cores: int, host: str = HERE
) -> dict[str, tuple[str, int]]:
    """The processes of a run on this host by label, each a stage and a replica.

    `only`: the stages to start, if not all. Render and capture come first: they are what the others wait for. Raises
    `ConfigError` for a stage that the run has not, or has elsewhere, and for more sources than a run can have.
    """
    refuse_too_many_sources(pipeline)
    placed = Placement.of(pipeline)
    counts = {"render": 1, "capture": len(placed.captures), **pipeline.replicas(cores)}
    every = {stage: range(count) for stage, count in counts.items()}
    here = placed.stages_on(host)
    for stage in only or ():
        if stage not in every:
            raise ConfigError(f"--only {stage}: this pipeline has no such stage; it has {', '.join(every)}.")
        if stage not in here:
            has = f"there are {', '.join(here)}" if here else "nothing is"
            raise ConfigError(f"--only {stage}: this pipeline has no {stage} on the host {host}; {has}.")
    if not here:
        raise ConfigError(f"this pipeline has no stage on the host {host}; put one there with host: {host}.")
    wanted = {stage: every[stage] for stage in here if only is None or stage in only}
    if "capture" in wanted:
        wanted["capture"] = [place for place, at in enumerate(placed.captures) if at == host]
    # Helpers of a run that was started elsewhere, perhaps on this machine, must not take its replicas' numbers.
    first = 0 if only is None or wanted.keys() & BINDING else os.getpid()
    return {
        stage if len(every[stage]) == 1 and not first else f"{stage}-{first + number}": (stage, first + number)
        for stage, numbers in wanted.items()
        for number in numbers
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes of one run are told."""

    pipeline: Pipeline
    host: str  # that the processes are told this on
    keys: str  # absolute path of the folder with its keys
    models: dict[str, str]  # as in `Settings`
    cards: dict[str, CardSettings]
    detector_hash: str
    output: str  # absolute
    inputs: dict  # all that the results depend on, by names for a person; for run.json
    unchecked: tuple[str, ...]  # sentences: what is not checked because a card does not say it
    streams: tuple[str, ...] = ()  # as in `Settings`
    changes: SourceChanges = field(default_factory=SourceChanges)  # as in `Settings`

    @property
    def has_folders(self) -> bool:
        """Whether each source has a folder of its own: also one that is left of several."""
        return len(self.pipeline.all_sources()) > 1 or bool(self.changes)

    @classmethod
    def of(cls, pipeline: Pipeline, folder: Path, host: str = HERE) -> Plan:
        """Look for the models and read their cards; `folder` is the configuration's, `host` the one of `hosts` here.

        Loads no model. Raises `ConfigError` for a file that is not there and `CardError` for a card that is not one.
        """
        # numpy comes with it, and only here: the stages are starting meanwhile.
        from .vision.detectors import settings_hash
        from .vision.inference.card import unchecked
        from .vision.inference.digest import card_hash

        models = find_models(pipeline, folder)
        cards = read_cards(pipeline, models)
        told = {stage: _card_settings(card, card_hash(card)) for stage, card in cards.items()}
        detector_hash = settings_hash(pipeline.detect.resolved(models.get("detect")))
        return cls(
            pipeline,
            host,
            keys_folder(pipeline, folder),
            models,
            told,
            detector_hash,
            os.path.abspath(expanded(str(pipeline.render.output or OUT))),
            _inputs(pipeline, {"detect": detector_hash} | {stage: card.hash for stage, card in told.items()}),
            tuple(filter(None, map(unchecked, cards.values()))),
            streams_of(pipeline, folder) if host == Placement.of(pipeline).render else (),
        )

    def settings(
        self,
        stage: str,
        replica: int,
        *,
        once: bool = False,
        run: str = "",
        waits: bool = True,
        record: str | None = None,
    ) -> Settings:
        """What one process is told; raises `ConfigError` for one that this run does not have."""
        self._refuse_unknown(stage, replica)
        places = Places.of(self.pipeline, self.host)
        several = Placement.of(self.pipeline).spans_machines
        return Settings(
            stage=stage,
            replica=replica,
            pipeline=self.pipeline,
            render=places.render,
            captures=places.captures,
            sources=tuple(source_settings(self.pipeline, n, spec) for n, spec in self.pipeline.all_sources().items()),
            models=self.models,
            cards=self.cards,
            detector_hash=self.detector_hash,
            output=self.output,
            run=run,
            waits=waits,
            record=record,
            inputs=self.inputs,
            once=once,
            binds=places.binds(stage, replica),
            publish=self._publish() if stage == "render" else None,
            streams=self.streams if stage == "render" else (),
            web_token=secrets.token_urlsafe(TOKEN_BYTES) if stage == "render" else "",
            machines=Machines(self.host, self.keys, places.owners) if several else None,
            has_folders=self.has_folders,
            changes=self.changes,
        )

    def going_on(self, begun_with: dict) -> Plan:
        """The same, with the files of folders and globs that the run was begun with, so far as none was changed."""
        kept = dict(self.inputs)
        for name, spec in self.pipeline.all_sources().items():
            key = input_of(name, spec)
            pinned = begun_with.get(key)
            if pinned and pinned[0] == kept[key][0] and is_pinned(pinned[1]) and not changed_since(spec, pinned[1]):
                kept[key] = pinned
        return replace(self, inputs=kept)

    def _refuse_unknown(self, stage: str, replica: int) -> None:
        if stage not in (*self.pipeline.stages, "capture", "render"):
            have = ", ".join(("capture", *self.pipeline.stages, "render"))
            raise ConfigError(f"this pipeline has no stage {stage!r}; it has {have}.")
        if stage not in Placement.of(self.pipeline).stages_on(self.host):
            raise ConfigError(f"this pipeline has no {stage} on the host {self.host}; give it one with host.")
        sources = self.pipeline.all_sources()
        if stage == "capture" and not 0 <= replica < len(sources):
            raise ConfigError(f"this pipeline has no source number {replica}; it has {len(sources)}, counted from 0.")

    def _publish(self) -> PublishSettings | None:
        wanted = self.pipeline.render.publication
        if wanted is None:
            return None
        address, pixels = wanted
        if address.startswith(IPC):
            address = IPC + os.path.abspath(expanded(address.removeprefix(IPC)))
        return PublishSettings(address, pixels, self.host, self.keys)


def source_settings(pipeline: Pipeline, name: str | None, spec: str | int) -> SourceSettings:
    """What the capture of a source is told to read."""
    is_watched = bool(pipeline.render.streams) or will_show(pipeline.render.display, os.environ, sys.platform)
    return SourceSettings(spec, name, pipeline.pace is True or (pipeline.pace == "auto" and is_watched))


def source_input(spec: str | int) -> list:
    """What the inputs of a run say of a source: what it is, and by what a change of it is noticed."""
    return [public(spec), stamp(spec)]


def _refuse_other_stage(stage: str, card: Card) -> None:
    """Raise `ConfigError` where gender, emotion or age has a card whose name, such as age-small, is of another of them.

    A stage of the user's own may have any: two nets for age can be compared that way.
    """
    meant = card.name.partition("-")[0]
    if meant != stage and {meant, stage} <= set(KNOWN_ATTRIBUTES):
        raise ConfigError(
            f"stages.{stage}.model is {card.path}, whose card is named {card.name}; name a card for {stage} there, or"
            " give the card another name."
        )


def _card_settings(card: Card, hash_of_card: str) -> CardSettings:
    crop = card.geometry
    return CardSettings(
        hash_of_card, crop.width, crop.height, crop.channels, crop.scale, card.name, card.task, card.shown, card.groups
    )


def _inputs(pipeline: Pipeline, hashes: dict[str, str]) -> dict:
    """`hashes`: what names the computation of each stage that computes."""
    sources = {input_of(n, spec): source_input(spec) for n, spec in pipeline.all_sources().items()}
    stages = {f"stages.{stage}": name for stage, name in hashes.items()}
    every = {f"stages.{stage}.every": number for stage, number in pipeline.every().items()}
    devices = {f"stages.{s}.device": a.device for s, a in pipeline.attributes().items() if a.device != "auto"}
    frames = {"frames": [pipeline.frames.encoding, pipeline.frames.quality]} if pipeline.hosts else {}
    played = pipeline.capture
    part = {"start": played.start_s, "end": played.end_s, "fps": played.fps, "loop": played.loop}
    # Only what is asked for: a run that was begun before there were these keys can be gone on with.
    part = {f"capture.{key}": value for key, value in part.items() if value and value != math.inf}
    # They are drawn, and who comes into them is told afterwards too.
    areas = {key: areas for key in ("zones", "lines") if (areas := getattr(pipeline, key))}
    shown = ("annotated", "track", "coast", "style", "blur", "unsure_below")
    render = {f"render.{key}": getattr(pipeline.render, key) for key in shown}
    render["render.smooth"] = pipeline.smooth_s()
    if pipeline.render.rotate is not None:
        render["render.rotate"] = pipeline.render.rotate_s
    # The first difference is the one named. `render` before the stages: with `blur` the detector searches otherwise.
    # `every` last: what it is by itself follows from `track` and `coast`.
    return {**sources, **part, **render, **stages, **devices, **frames, **areas, **every}


def streams_of(pipeline: Pipeline, folder: Path) -> tuple[str, ...]:
    """The addresses of the streams; a relative path of a playlist counts from the working directory.

    `folder`: the configuration's, from which files count where an address is stored. Raises `ConfigError`.
    """
    found = [_stored_stream(a, pipeline, folder) if is_stored(a) else a for a in pipeline.render.streams]
    addresses = tuple(address if is_url(address) else os.path.abspath(expanded(address)) for address in found)
    if len(set(addresses)) < len(addresses):  # The second would wait for the first until its end.
        raise ConfigError("render.stream names an address twice, as it is written or stored; leave one out.")
    return addresses


def _stored_stream(stored: str, pipeline: Pipeline, folder: Path) -> str:
    address = Store(folder, os.environ).secret("render.stream", stored)
    if is_stored(address) or not is_allowed(StreamAddress, address):
        raise ConfigError(
            f"render.stream: what is stored at {stored} is no address; write one such as rtsp://127.0.0.1:8554/faces"
            " there."
        )
    if len(pipeline.sources) > 1 and SOURCE_PLACE not in address:
        raise ConfigError(
            f"render.stream: what is stored at {stored} is one address for {len(pipeline.sources)} sources; put"
            f" {SOURCE_PLACE} into it."
        )
    return address


def keys_folder(pipeline: Pipeline, folder: Path) -> str:
    """The absolute path of the folder with the keys; a relative one counts from the configuration's folder."""
    return os.path.abspath(folder / os.path.expanduser(pipeline.keys))


def find_models(pipeline: Pipeline, folder: Path) -> dict[str, str]:
    """Absolute paths of the model of every stage that has one; raises `ConfigError` for one that is not there.

    A relative path counts from the configuration's folder, or from the project's if it is not there. Where facepipe is
    installed and no configuration is named, one that is not in the package counts from the working directory.
    """
    return {
        name: _find(name, stage.model, folder) for name, stage in pipeline.stages.items() if stage.model is not None
    }


def read_cards(pipeline: Pipeline, models: Mapping[str, str]) -> dict[str, Card]:
    """The card of every attribute stage, in the order of the configuration; `models`: as `find_models` gives them.

    Raises `CardError` for a card that is not one, and `ConfigError` for one of another stage.
    """
    from .vision.inference.card import load_card  # numpy comes with it.

    cards = {stage: load_card(Path(models[stage])) for stage in pipeline.attributes()}
    for stage, card in cards.items():
        _refuse_other_stage(stage, card)
    return cards


def will_show(display: str, environment: Mapping[str, str], platform: str) -> bool:
    """Whether somebody is shown it as it runs: render finds out, but capture has to know earlier how fast to read."""
    has_screen = platform in ("darwin", "win32") or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return display in ("window", "web") or (display == "auto" and bool(has_screen))


def _find(stage: str, model: str, folder: Path) -> str:
    bases = [folder, PROJECT]
    if folder == PROJECT:
        # Nobody has named a configuration, and few keep models inside the project. It still comes first: a folder
        # models/ where the command happens to be given must not take the place of the included ones.
        bases.append(Path.cwd())
    # Without repeats: for the project's own configuration the first two are one.
    places = list(dict.fromkeys(Path(os.path.abspath(base / os.path.expanduser(model))) for base in bases))
    found = next((place for place in places if _is_there(place)), None)
    if found is None:
        where = " nor ".join(str(place) for place in places)
        raise ConfigError(f"stages.{stage}.model is {model!r}, but there is no {where}; write the path of its file.")
    return str(found)


def _is_there(place: Path) -> bool:
    """Also where this process may not look: reading it says why."""
    try:
        os.stat(place)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
