"""The ports that the units of a fleet bind, and that no two of them want the same one. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..config.schema import ConfigError
from .adapting import COMPOSE, KUBERNETES
from .fleet import METRICS_PORT, SERVE_PORT, Fleet, Unit
from .outside import exposed, shown

LAST_PORT = 65535


def port_of(unit: Unit, port: int, what: str) -> int:
    """The port of one of several units on a machine, for which the configuration has one; raises `ConfigError`."""
    if port + unit.number > LAST_PORT:
        raise ConfigError(
            f"{what} of {unit.name} would have the port {port + unit.number}, and the last one is {LAST_PORT}; write a"
            " lower one."
        )
    return port + unit.number


def refuse_taken(fleet: Fleet, target: str, serve: bool) -> None:
    """Raise `ConfigError` for a port that two of a machine, pod or container would bind, or that is none."""
    taken: dict[tuple[str, int], str] = {}
    for machine, port, what in _bound(fleet, target, serve):
        if (other := taken.setdefault((machine, port), what)) != what:
            raise ConfigError(f"{other} and {what} would both have the port {port}; write another one for either.")


def _bound(fleet: Fleet, target: str, serve: bool) -> Iterator[tuple[str, int, str]]:
    """Every port, with whose it is, and the machine, pod or container in which nothing else can have it."""
    for unit in fleet.units:
        machine = unit.name if target in (KUBERNETES, COMPOSE) else unit.host
        metrics = METRICS_PORT if machine else METRICS_PORT + unit.number
        yield machine, metrics, f"the metrics of {unit.name}"
        yield from ((machine, port, f"a port of hosts.{unit.host}") for port in unit.ports.values())
        yield from ((machine, port, f"render.{name} of {unit.name}") for name, port in shown(unit).items())
        if serve and unit.writes:
            at = (machine, SERVE_PORT) if target == KUBERNETES else (unit.host, SERVE_PORT + unit.number)
            yield *(("", at[1]) if target == COMPOSE else at), f"the server of {unit.name}"
        if target == COMPOSE:
            for name, port in exposed(unit).items():
                yield "", port_of(unit, port, f"render.{name}"), f"render.{name} of {unit.name}"
