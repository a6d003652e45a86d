"""The destinations of a configuration, with their secrets read: what the process that sends is told, on its input.

A secret is in an environment variable or a file, and goes from there to this process alone: no command line, log,
name of a file or sentence has it. A sentence names a destination by `Broker.shown` and `Hook.shown`.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..config.connections import MQTT_PORT, MQTTS_PORT, Mqtt, Webhook, is_stored
from ..config.schema import ConfigError, Pipeline
from ..dependencies import installs
from ..errors import reason
from ..stored import Store
from .topics import level


@dataclass(frozen=True, slots=True)
class Broker:
    """An MQTT broker and what it is told."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None
    ca: str | None  # absolute paths
    certificate: str | None
    key: str | None
    topic: str
    qos: int
    discovery: str | None  # the prefix; None: no discovery
    picture_s: float | None  # between two pictures; None: none

    @property
    def shown(self) -> str:
        """The address, for a person."""
        return f"mqtt{'s' if self.tls else ''}://{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Hook:
    """A server that events are posted to."""

    name: str
    url: str
    secret: str | None
    ca: str | None
    events: list[str]
    batch: int
    timeout_s: float

    @property
    def shown(self) -> str:
        """Scheme, host and port, for a person: what follows them often is a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{_bracketed(parts.hostname)}{f':{parts.port}' if parts.port else ''}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All destinations of a run."""

    broker: Broker | None
    hooks: list[Hook]
    # Of each source by its name, and of an only one by "": the names of its zones and of its lines.
    areas: dict[str, list[list[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, pipeline: Pipeline, folder: Path, environment: Mapping[str, str]) -> Endpoints:
        """Read the secrets and look at the files; a relative path counts from `folder`, the configuration's.

        Raises `ConfigError` for what is not there, with the key.
        """
        mqtt = pipeline.mqtt
        if mqtt.broker is not None:
            refuse_equal_topics(pipeline)
        broker = None if mqtt.broker is None else _broker(mqtt, Store(folder, environment))
        hooks = [_hook(name, hook, Store(folder, environment)) for name, hook in pipeline.webhooks.items()]
        areas = {name or "": pipeline.areas_of(name) for name in pipeline.all_sources()}
        return cls(broker, hooks, {name: [list(of.zones), list(of.lines)] for name, of in areas.items()})

    def to_json(self) -> dict:
        """Everything as plain dicts, lists, texts and numbers, secrets included."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict) -> Endpoints:
        broker = said["broker"]
        return cls(
            None if broker is None else Broker(**broker), [Hook(**hook) for hook in said["hooks"]], said["areas"]
        )


def refuse_equal_topics(pipeline: Pipeline) -> None:
    """Raise `ConfigError` for two sources with one topic."""
    before: dict[str, str] = {}
    for name in pipeline.sources:
        if (other := before.setdefault(level(name), name)) != name:
            raise ConfigError(
                f"sources.{other} and sources.{name} would both be {level(name)} in MQTT; give one another name."
            )


def verified(ca: str | None, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """TLS that verifies the server's certificate and name; raises `OSError` where a file is none for it."""
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key, password="")  # Never ask for the password of a key on the terminal.
    return context


def _broker(mqtt: Mqtt, store: Store) -> Broker:
    if importlib.util.find_spec("paho") is None:
        raise ConfigError(f"mqtt.broker: the package paho-mqtt is not installed here; run {installs('mqtt')}.")
    address = urlsplit(mqtt.broker)
    tls = address.scheme == "mqtts"
    files = {name: store.path(f"mqtt.{name}", getattr(mqtt, name)) for name in ("ca", "certificate", "key")}
    if tls:
        _check_certificates("mqtt.certificate" if mqtt.certificate else "mqtt.ca", *files.values())
    return Broker(
        host=address.hostname,
        port=address.port or (MQTTS_PORT if tls else MQTT_PORT),
        tls=tls,
        user=mqtt.user,
        password=store.secret("mqtt.password", mqtt.password),
        **files,
        topic=mqtt.topic,
        qos=mqtt.qos,
        discovery=None if mqtt.discovery == "none" else mqtt.discovery,
        picture_s=mqtt.picture,
    )


def _hook(name: str, hook: Webhook, store: Store) -> Hook:
    key = f"webhooks.{name}"
    url = store.secret(f"{key}.url", hook.url) if is_stored(hook.url) else hook.url
    if not _is_address(url):
        raise ConfigError(
            f"{key}.url: what is stored at {hook.url} is no address; write one such as https://example.org/hook there."
        )
    ca = store.path(f"{key}.ca", hook.ca)
    _check_certificates(f"{key}.ca", ca)
    secret = store.secret(f"{key}.secret", hook.secret)
    return Hook(name, url, secret, ca, hook.events, hook.batch, hook.timeout)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _check_certificates(key: str, ca: str | None, certificate: str | None = None, own: str | None = None) -> None:
    try:
        verified(ca, certificate, own)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError.
        raise ConfigError(f"{key}: its file holds no certificate (PEM) that can be used: {reason(error)}.") from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
