"""A file for Docker Compose: all units on one machine, in a network of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..sources.spec import camera_of
from ..transport.keys import PUBLIC, SECRET
from . import costs
from .adapting import COMPOSE, CONFIG, KEYS, RUNTIME, STATE, TOKEN, Needs
from .commands import arguments, serving
from .fleet import METRICS_PORT, SERVE_PORT, Fleet, Unit
from .folder import PRIVATE, File
from .options import Options
from .outside import exposed
from .yaml_text import dumped

USER = 10001  # where root deploys: no container runs as root
GRACE = "30s"
TRIES = 100  # of a container that ends with its files: Compose cannot tell a mistake from a fault
TOKEN_FOLDER = "token"

HEADER = """\
Written by `facepipe deploy compose`; docs/deploy.md explains it. In this folder: docker compose up --detach
{measured}
The containers run as user {user}, who owns the files that are mounted here."""


def owner() -> int:
    """The user of the containers: who deploys, so that keys and results need be open to nobody else."""
    return USER if is_root() else os.getuid()


def is_root() -> bool:
    """Whether files can be given to the user of the containers; Windows has no such users, and Docker maps them."""
    return not hasattr(os, "getuid") or os.getuid() == 0


def address(fleet: Fleet, host: str) -> str:
    """Where the unit of a host is found: by its name, which Docker's DNS knows in every container, its own too."""
    return fleet.full(fleet.hosts[host])


def files(fleet: Fleet, needs: dict[str, Needs], options: Options, keys: Path) -> Iterator[tuple[str, File]]:
    """Every file by its path; `keys`: where the keys of the fleet are."""
    user, variables = owner(), sorted({name for each in needs.values() for name in each.environment})
    services = {fleet.full(unit): _service(unit, needs[unit.config], options, user) for unit in fleet.units}
    if options.serve:
        written = [unit for unit in fleet.units if unit.writes]
        services |= {fleet.server(unit): _server(unit, options, user) for unit in written}
        yield f"{TOKEN_FOLDER}/token", File(keys / "token", PRIVATE)
    document = {"name": fleet.name, "services": services, "networks": {"default": {"name": fleet.name}}}
    if variables:
        document["secrets"] = {name: {"environment": name} for name in variables}
    yield "compose.yaml", File(dumped(document, comment=HEADER.format(measured=costs.MEASURED, user=user)))
    yield "prometheus.yml", File(dumped(scraping(f"{fleet.full(unit)}:{METRICS_PORT}" for unit in fleet.units)))
    for unit in fleet.units:
        if unit.has_keys:
            for name in (f"{unit.host}{SECRET}", *(f"{host}{PUBLIC}" for host in unit.pipeline.hosts)):
                yield f"{unit.name}/keys/{name}", File(keys / name, PRIVATE)


def scraping(targets: Iterator[str]) -> dict:
    """The part of Prometheus' configuration that asks these for their metrics."""
    job = {"job_name": "facepipe", "scrape_interval": "5s", "static_configs": [{"targets": list(targets)}]}
    return {"scrape_configs": [job]}


def folders(fleet: Fleet) -> Iterator[str]:
    """The folders that are mounted and have to be there, the user's own."""
    for unit in fleet.units:
        yield f"{unit.name}/state"


def _locked(options: Options, user: int) -> dict:
    """What every container has: no rights, and nothing that it can write but what is mounted."""
    return {
        "image": options.image,
        "user": f"{user}:{user}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _server(unit: Unit, options: Options, user: int) -> dict:
    """Answers about the runs of a unit, with no right to change them."""
    mounts = (("./config", CONFIG), (f"./{unit.name}/state", STATE), (f"./{TOKEN_FOLDER}", TOKEN))
    return _locked(options, user) | {
        "command": serving(unit, f"{CONFIG}/{unit.config}.yaml", STATE, f"{TOKEN}/token"),
        "restart": "unless-stopped",
        "tmpfs": ["/tmp:size=1g"],
        "environment": {"HOME": "/tmp"},
        "volumes": [_bind(here, there) for here, there in mounts],
        "ports": [f"127.0.0.1:{SERVE_PORT + unit.number}:{SERVE_PORT}"],
        "healthcheck": {"disable": True},  # That of the image asks for the metrics of a run.
        "deploy": {"resources": {"limits": {"memory": f"{3 * costs.SERVE_MB}M"}}},
    }


def _service(unit: Unit, needs: Needs, options: Options, user: int) -> dict:
    asked = unit.resources
    service = _locked(options, user) | {
        "command": arguments(unit, f"{CONFIG}/{unit.config}.yaml", f"{STATE}/{unit.name}", "0.0.0.0"),
        "restart": f"on-failure:{TRIES}" if unit.ends else "unless-stopped",
        "stop_grace_period": GRACE,
        "tmpfs": ["/tmp:size=1g", f"{RUNTIME}:size=16m,mode=0700,uid={user},gid={user}"],
        "environment": {"HOME": "/tmp", "TMPDIR": "/tmp", "XDG_RUNTIME_DIR": RUNTIME},
        "volumes": list(_volumes(unit, needs)),
        "healthcheck": {
            "test": ["CMD", "facepipe", "health"],
            "interval": "30s",
            "timeout": "5s",
            "start_period": "120s",
            "retries": 3,
        },
        "deploy": {
            "resources": {
                "reservations": {"cpus": f"{asked.cpu_m / 1000:.2f}", "memory": f"{asked.memory_mb}M"},
                "limits": {"memory": f"{asked.limit_mb}M"},
            }
        },
    }
    if cameras := [number for spec in unit.sources.values() if (number := camera_of(spec)) is not None]:
        service |= {"devices": [f"/dev/video{n}:/dev/video{n}" for n in cameras], "group_add": ["video"]}
    if ports := exposed(unit):
        # Of this machine alone: Docker opens what it publishes past the firewall.
        service["ports"] = [f"127.0.0.1:{port + unit.number}:{port}" for port in ports.values()]
    if needs.environment and unit.writes:
        service["secrets"] = sorted(needs.environment)
    return service


def _volumes(unit: Unit, needs: Needs) -> Iterator[dict]:
    yield _bind("./config", CONFIG)
    yield _bind(f"./{unit.name}/state", STATE, read_only=False)
    if unit.has_keys:
        yield _bind(f"./{unit.name}/keys", KEYS[COMPOSE])
    for folder in sorted(needs.folders):
        yield _bind(folder, folder)


def _bind(source: str, target: str, read_only: bool = True) -> dict:
    mount = {"type": "bind", "source": source.replace("$", "$$"), "target": target.replace("$", "$$")}
    return mount | {"read_only": read_only, "bind": {"create_host_path": False}}
