"""Where a unit connects to beyond its fleet, and what others may connect to: what a network policy allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from ..config.connections import MQTT_PORT, MQTTS_PORT, is_stored
from ..sources.urls import is_url, split
from ..view.web.access import is_loopback
from .fleet import Unit

TCP = "tcp://"
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
PORTS |= {"mqtt": MQTT_PORT, "mqtts": MQTTS_PORT}
UDP = ("srt",)  # schemes that are not over TCP


class Destination(NamedTuple):
    """A server that a unit connects to."""

    host: str | None  # its IP address; None where a name or a secret says which
    port: int
    protocol: str = "TCP"


def destinations(unit: Unit) -> list[Destination]:
    """Every server that a unit connects to, in a fixed order."""
    return sorted(set(_destinations(unit)), key=lambda each: (each.port, each.protocol, each.host or ""))


def shown(unit: Unit) -> dict[str, int]:
    """The ports of the page and of what is published, by a name of each."""
    return {name: port for name, (_, port) in _shown(unit).items()}


def exposed(unit: Unit) -> dict[str, int]:
    """Those of them that others than the fleet may reach, because the configuration says so."""
    return {name: port for name, (host, port) in _shown(unit).items() if not is_loopback(host)}


def _shown(unit: Unit) -> dict[str, tuple[str, int]]:
    render, found = unit.pipeline.render, {}
    if unit.writes and render.web_port:
        found["web"] = render.web_host, render.web_port
    address = render.publication[0] if render.publication else ""
    if unit.writes and address.startswith(TCP):
        host, _, port = address.removeprefix(TCP).rpartition(":")
        found["publish"] = host.strip("[]"), int(port)
    return found


def _destinations(unit: Unit) -> Iterator[Destination]:
    for spec in unit.sources.values():
        if isinstance(spec, str) and is_url(spec):
            yield from _of(spec)
    if not unit.writes:
        return
    if unit.pipeline.mqtt.broker is not None:
        yield from _of(unit.pipeline.mqtt.broker)
    for hook in unit.pipeline.webhooks.values():
        yield from [Destination(None, PORTS["https"])] if is_stored(hook.url) else _of(hook.url)
    for stream in unit.pipeline.render.streams:
        if is_stored(stream):
            yield from (Destination(None, PORTS["rtsp"]), Destination(None, 8554))
        elif is_url(stream):
            yield from _of(stream)


def _of(url: str) -> Iterator[Destination]:
    parts = split(url)
    if parts is None or (port := parts.port or PORTS.get(parts.scheme)) is None:
        return  # The run says what is wrong with it.
    protocol = "UDP" if parts.scheme in UDP else "TCP"
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        address = None
    is_zoned = getattr(address, "scope_id", None) is not None  # fe80::1%eth0, which a policy cannot say
    yield Destination(None if address is None or is_zoned else str(address), port, protocol)
