"""Where a unit connects to beyond its fleet, and what others may connect to: what a network policy allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..config.connections import MQTT_PORT, MQTTS_PORT, is_stored
from ..sources.urls import is_url
from ..view.web.access import is_loopback
from .fleet import Unit

PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "mqtt": MQTT_PORT, "mqtts": MQTTS_PORT}

Destination = tuple[str | None, int]  # an IP address, None where a name or secret says which; and a port


def destinations(unit: Unit) -> list[Destination]:
    """Every server that a unit connects to, in a fixed order."""
    return sorted(set(_destinations(unit)), key=lambda each: (each[1], each[0] or ""))


def exposed(unit: Unit) -> dict[str, int]:
    """The ports that others than the fleet may reach, because the configuration says so, by a name of each."""
    render = unit.pipeline.render
    if not unit.writes:
        return {}
    web = {"web": render.web_port} if render.web_port and not is_loopback(render.web_host) else {}
    address = render.publication[0] if render.publication else ""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    is_open = address.startswith("tcp://") and not is_loopback(host.strip("[]"))
    return web | ({"publish": int(port)} if is_open else {})


def _destinations(unit: Unit) -> Iterator[Destination]:
    for spec in unit.sources.values():
        if isinstance(spec, str) and is_url(spec):
            yield from _of(spec)
    if not unit.writes:
        return
    if unit.pipeline.mqtt.broker is not None:
        yield from _of(unit.pipeline.mqtt.broker)
    for hook in unit.pipeline.webhooks.values():
        yield from [(None, PORTS["https"])] if is_stored(hook.url) else _of(hook.url)
    for stream in unit.pipeline.render.streams:
        if is_stored(stream):
            yield from ((None, PORTS["rtsp"]), (None, 8554))
        elif is_url(stream):
            yield from _of(stream)


def _of(url: str) -> Iterator[Destination]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme.lower())
    except ValueError:
        return  # The run says what is wrong with it.
    if port is None:
        return
    try:
        yield str(ip_address(host)), port
    except ValueError:
        yield None, port
