"""A configuration as it is where it will run: its addresses, paths and secrets are those of the place."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..config.connections import is_stored
from ..config.schema import ConfigError, Pipeline
from ..plan import find_models
from ..project import PROJECT
from ..sources.refusal import SourceError, address_of
from ..sources.spec import camera_of, expanded, is_pattern, path_of
from ..sources.urls import is_url, public
from ..transport.addresses import IPC
from ..view.web.access import is_loopback
from .fleet import Source, section

KUBERNETES, COMPOSE, SYSTEMD = "kubernetes", "compose", "systemd"
TARGETS = (KUBERNETES, COMPOSE, SYSTEMD)
STATE, RUNTIME, CONFIG = "/data", "/run/facepipe", "/etc/facepipe"  # in a container; /data is the image's volume
KEYS = {KUBERNETES: f"{RUNTIME}/keys", COMPOSE: "/etc/facepipe-keys", SYSTEMD: "keys"}  # where a unit finds its keys
TOKEN = "/etc/facepipe-token"  # the folder with the token of `facepipe serve`, in a container
SECRETS = {KUBERNETES: "/etc/facepipe-secrets", COMPOSE: "/run/secrets"}  # a file for each environment variable
MEDIA = "/media"  # the volume with files that are read, in Kubernetes
_SENT = ("udp", "rtp")  # schemes of what is sent to a machine that does not ask for it
_OF_THE_IMAGE = ("/bin", "/lib", "/opt/facepipe", "/sbin", "/usr")
_CLOSED = (CONFIG, RUNTIME, KEYS[COMPOSE], TOKEN, "/run/secrets", "/dev", "/proc", "/sys")  # nothing is mounted below
_CERTIFICATES = ("ca", "certificate", "key")


@dataclass
class Needs:
    """What a configuration needs beside itself."""

    environment: set[str] = field(default_factory=set)  # variables that hold secrets
    files: dict[str, Path] = field(default_factory=dict)  # files that are put beside it -> where they are here
    folders: set[str] = field(default_factory=set)  # of this machine, that are read
    films: dict[str, str] = field(default_factory=dict)  # paths in the volume -> those of this machine


def adapted(
    document: dict, pipeline: Pipeline, folder: Path, target: str, address: Callable[[str], str]
) -> tuple[dict, Needs]:
    """A configuration for a target, and what it needs there.

    `folder`: the configuration's; `address`: where the unit of a host is found by others, and finds itself. Raises
    `ConfigError` for what cannot be there.
    """
    adapter = _Adapter(copy.deepcopy(document), pipeline, folder, target)
    adapter.display()
    adapter.sources()
    adapter.models()
    adapter.stored()
    if pipeline.hosts:
        adapter.document["keys"] = KEYS[target]
    if target != SYSTEMD:
        adapter.addresses(address)
        adapter.paths()
        adapter.devices()
    return adapter.document, adapter.needs


class _Adapter:
    """Changes a configuration piece by piece."""

    def __init__(self, document: dict, pipeline: Pipeline, folder: Path, target: str):
        self.document, self.needs = document, Needs()
        self._pipeline, self._folder, self._target = pipeline, folder, target

    def display(self) -> None:
        """No screen is there, and the folder of the results is given by the command."""
        display = self._pipeline.render.display
        if display == "window":
            raise ConfigError(
                f"render.display is window, and {self._target} has no screen; write web or none, or run it by hand."
            )
        render = section(self.document, "render")
        render["display"] = "web" if display == "web" else "none"
        render.pop("output", None)

    # --- What is read ---

    def sources(self) -> None:
        """Raise for a source that the place does not have."""
        if self._pipeline.sources:
            self.document["sources"] = {
                name: self._source(f"sources.{name}", spec) for name, spec in self._pipeline.sources.items()
            }
        else:
            self.document["source"] = self._source("source", self._pipeline.source)

    def _source(self, key: str, spec: Source) -> Source:
        if spec == "auto":
            raise ConfigError(
                f"{key} is auto, which is another source on another machine; write the address of a camera or the path"
                " of a file, or name it with --source."
            )
        if isinstance(spec, str) and is_stored(spec) and not spec.startswith("file:/") and not os.path.lexists(spec):
            raise ConfigError(
                f"{key} is {spec}, but a source cannot be kept elsewhere; write its address here: deploy writes the"
                " configuration to private files only."
            )
        if camera_of(spec) is not None and self._target == KUBERNETES:
            raise ConfigError(
                f"{key} is the camera {public(spec)} of a machine, and a pod has no device; deploy it with compose or"
                " systemd on that machine, or give the camera's stream."
            )
        path = path_of(spec)
        if path is None:
            self._refuse_address(key, spec)
            # A link such as /dev/v4l/by-id/... is not in a container, which has /dev/video2.
            return camera_of(spec) if self._target == COMPOSE and camera_of(spec) is not None else spec
        path = path.removeprefix("./")
        if self._target == KUBERNETES:
            inside = os.path.normpath(path).lstrip("/")
            if inside.startswith(".."):
                raise ConfigError(f"{key} is {spec}, which leads out of the folder; write a path without ..")
            self.needs.films[inside] = path
            return f"{MEDIA}/{inside}"
        absolute = os.path.abspath(path)
        folder = absolute if os.path.isdir(absolute) else os.path.dirname(absolute)
        folder = _fixed(absolute) if is_pattern(spec) else folder
        if self._target == COMPOSE:
            _refuse_hidden(key, folder)
        self.needs.folders.add(folder)
        return absolute

    def _refuse_address(self, key: str, spec: Source) -> None:
        """Raise for a URL that no run could read, or whose frames nobody would send to a container."""
        if not isinstance(spec, str) or not is_url(spec):
            return
        try:
            scheme = address_of(spec).scheme
        except SourceError as error:
            raise ConfigError(f"{key}: {error}") from None
        if scheme in _SENT and self._target != SYSTEMD:
            raise ConfigError(
                f"{key} is {public(spec)}, which a camera sends to its machine, and no container would get it; write an"
                " address that is asked, such as rtsp://, or deploy with systemd."
            )

    def models(self) -> None:
        """Models of one's own are found by absolute paths; those of facepipe are in the image."""
        for name, path in find_models(self._pipeline, self._folder).items():
            if Path(path).is_relative_to(PROJECT):
                continue
            if self._target == KUBERNETES:
                raise ConfigError(
                    f"stages.{name}.model is {path}, which the image does not hold; put it into models/ of the checkout"
                    " that you build the image from, and write models/ there, or deploy it with compose or systemd."
                )
            section(self.document, "stages", name)["model"] = path
            if self._target == COMPOSE:
                _refuse_hidden(f"stages.{name}.model", os.path.dirname(path))
            self.needs.folders.add(os.path.dirname(path))

    # --- Secrets ---

    def stored(self) -> None:
        """Where secrets and certificates are: nothing of them is written into the configuration."""
        if self.document.get("mqtt"):
            self._stored_in(self.document["mqtt"], "mqtt")
        for name, keys in (self.document.get("webhooks") or {}).items():
            self._stored_in(keys, f"webhooks.{name}")
        render = section(self.document, "render")
        if isinstance(streams := render.get("stream"), list):
            render["stream"] = [self._value(f"render.stream-{n}", each) for n, each in enumerate(streams)]
        elif streams is not None:
            render["stream"] = self._value("render.stream", streams)

    def _stored_in(self, keys: dict, above: str) -> None:
        for name, value in keys.items():
            if name in _CERTIFICATES and value is not None:
                keys[name] = self._file(f"{above}.{name}", value)
            elif isinstance(value, str):
                keys[name] = self._value(f"{above}.{name}", value)

    def _value(self, key: str, value: str) -> str:
        if not is_stored(value):
            return value
        kind, _, place = value.partition(":")
        if kind == "file":
            return f"file:{self._file(key, place)}"
        self.needs.environment.add(place)
        return value if self._target == SYSTEMD else f"file:{SECRETS[self._target]}/{place}"

    def _file(self, key: str, path: str) -> str:
        """A file beside the configuration, from whose folder it counts."""
        here = Path(os.path.abspath(self._folder / expanded(path)))
        if not here.is_file():
            raise ConfigError(f"{key}: there is no file {here}; put it there, or write another path.")
        # Of the suffix nothing that a Secret, a shell or Kustomize reads in another way.
        name = f"{key}{here.suffix if re.fullmatch(r'[.][A-Za-z0-9]{1,16}', here.suffix) else ''}"
        self.needs.files[name] = here
        return name

    # --- Addresses and paths in a container ---

    def addresses(self, address: Callable[[str], str]) -> None:
        """Units find each other by names; what others shall reach is served at every address of the container."""
        for host in self._pipeline.hosts:
            self.document["hosts"][host]["address"] = address(host)
        render = section(self.document, "render")
        if not is_loopback(self._pipeline.render.web_host):
            render["web_host"] = "0.0.0.0"
        if (publication := self._pipeline.render.publication) is None:
            return
        place, pixels = publication
        if place.startswith(IPC):
            _refuse_outside("render.publish", place.removeprefix(IPC))
        elif not is_loopback(place.removeprefix("tcp://").rpartition(":")[0].strip("[]")):
            home = self._pipeline.render.host or next(iter(self._pipeline.hosts), None)
            place = f"tcp://{address(home) if home else '0.0.0.0'}:{place.rpartition(':')[2]}"
        render["publish"] = {"address": place, "pixels": pixels}

    def paths(self) -> None:
        """Raise for what would be written where a container cannot write."""
        for stream in self._pipeline.render.streams:
            if not is_stored(stream) and not is_url(stream):
                _refuse_outside("render.stream", stream)

    def devices(self) -> None:
        """Raise for what needs a device, which a container has not."""
        encoder = self._pipeline.render.encoder
        if encoder not in ("software", "auto"):
            raise ConfigError(
                f"render.encoder is {encoder}, and the containers have no device for it; write software, or deploy with"
                " systemd."
            )
        for name, stage in self._pipeline.attributes().items():
            if stage.device == "gpu":
                raise ConfigError(
                    f"stages.{name}.device is gpu, and the containers have none; write auto or cpu, or deploy with"
                    " systemd."
                )


def _refuse_outside(key: str, path: str) -> None:
    if not path.startswith((f"{STATE}/", f"{RUNTIME}/")):
        raise ConfigError(f"{key} is {path}, and a container writes only below {STATE}; write a path there.")


def _refuse_hidden(key: str, folder: str) -> None:
    """Raise where a folder that is mounted would hide what a container needs, or the other way round."""
    there = PurePosixPath(folder)
    if any(PurePosixPath(own).is_relative_to(there) for own in (*_OF_THE_IMAGE, *_CLOSED, STATE, "/tmp")) or any(
        there.is_relative_to(own) for own in _CLOSED
    ):
        raise ConfigError(f"{key} is in {folder}, which a container has of its own; move it to a folder such as /srv.")


def _fixed(pattern: str) -> str:
    """The folder of a glob that has no wildcard in its path."""
    parts = pattern.split("/")
    wild = next(place for place, part in enumerate(parts) if set(part) & set("*?["))
    return "/".join(parts[:wild]) or "/"
