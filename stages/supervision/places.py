"""Where every process finds the others, from one machine or from several, and which machine this is."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..config.placement import HERE, Placement
from ..config.schema import ConfigError, Host, Pipeline
from ..transport.addresses import TCP, addresses


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses of a run, as one of its hosts sees them: those within it are `ipc`, those beyond it `tcp`."""

    render: str
    captures: tuple[str, ...]  # in the order of the sources
    owners: dict[str, str]  # address of a socket on another host -> that host, whose key it shows
    render_binds: tuple[str, ...]  # what render binds, if it runs on this host: for peers here, for peers elsewhere
    capture_binds: tuple[tuple[str, ...], ...]  # the same of every capture

    @classmethod
    def of(cls, pipeline: Pipeline, host: str) -> Places:
        """The places as they are seen from this host, one of `hosts` or `HERE`; opens and resolves nothing."""
        placed, inside = Placement.of(pipeline), addresses(pipeline.port, len(pipeline.all_sources()))
        bound_at = (placed.render, *placed.captures)
        outside = [_tcp(pipeline, at, place) for place, at in enumerate(bound_at)]
        seen = [
            near if at == host else far
            for at, near, far in zip(bound_at, (inside.render, *inside.captures), outside, strict=True)
        ]
        heard = [placed.peers_of_render(), *[placed.peers_of_captures()] * len(placed.captures)]
        binds = [
            (near,) * (at in peers) + (far,) * bool(peers - {at})
            for at, peers, near, far in zip(bound_at, heard, (inside.render, *inside.captures), outside, strict=True)
        ]
        owners = {far: at for far, at in zip(outside, bound_at, strict=True) if at != host}
        return cls(seen[0], tuple(seen[1:]), owners, binds[0], tuple(binds[1:]))

    def binds(self, stage: str, replica: int) -> tuple[str, ...]:
        """What one process binds; only render and captures bind."""
        match stage:
            case "render":
                return self.render_binds
            case "capture":
                return self.capture_binds[replica]
            case _:
                return ()


def this_host(pipeline: Pipeline, said: str | None) -> str:
    """Which of `hosts` this machine is: the one that was said, or else the one whose address or name it has.

    Raises `ConfigError` where that cannot be told.
    """
    hosts = pipeline.hosts
    if said is not None and said not in hosts:
        known = f"it has {', '.join(hosts)}" if hosts else "it has no hosts"
        raise ConfigError(f"--host {said}: this pipeline has no such host; {known}.")
    if not hosts:
        return HERE
    if said is not None:
        return said
    by_address = [name for name, host in hosts.items() if _is_here(host)]
    own_name = socket.gethostname().partition(".")[0].lower()
    by_name = [name for name in by_address or hosts if name.lower() == own_name]
    found = by_address if len(by_address) == 1 else by_name
    if len(found) != 1:
        which = "several of them are" if by_address else "none of them is"
        raise ConfigError(
            f"which of the hosts {', '.join(hosts)} this machine is cannot be told by name or address ({which} here);"
            " say it with --host NAME."
        )
    return found[0]


def _is_here(host: Host) -> bool:
    """Whether an address is one of this machine's own: only then can it be bound."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.address, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.bind(place)
    except OSError:
        return False
    return True


def _tcp(pipeline: Pipeline, host: str, place: int) -> str:
    if host == HERE:
        return ""
    at = pipeline.hosts[host]
    return f"{TCP}{f'[{at.address}]' if ':' in at.address else at.address}:{(at.port or pipeline.port) + place}"
