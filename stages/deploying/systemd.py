"""Units for systemd: one for each host or camera, with its configuration and keys, a folder for each machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..config.connections import is_stored
from ..sources.spec import camera_of, path_of
from ..sources.urls import is_url
from ..transport.addresses import IPC
from ..transport.keys import PUBLIC, SECRET
from . import costs
from .adapting import Needs
from .commands import arguments, serving
from .compose import scraping
from .fleet import METRICS_PORT, Fleet, Unit
from .folder import PRIVATE, File
from .options import Options
from .yaml_text import dumped

CONFIG = "%E/facepipe"  # /etc/facepipe

LOCKED = """\
NoNewPrivileges=true
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
PrivateTmp=true
LockPersonality=true
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""
UNIT = """\
# Written by `facepipe deploy systemd`; docs/deploy.md explains it. As root, in this folder:
#   useradd --system --user-group facepipe
#   install -d -m 750 -g facepipe /etc/facepipe /etc/facepipe/{fleet}
#   install -m 640 -g facepipe {beside} /etc/facepipe/{fleet}
{more}#   install -m 644 {name}.service /etc/systemd/system
#   systemctl daemon-reload && systemctl enable --now {name}
{measured}
[Unit]
Description=facepipe, {what}
Wants=network-online.target
After=network-online.target
# Restart without limit.
StartLimitIntervalSec=0

[Service]
User=facepipe
WorkingDirectory=%S/{name}
ExecStart={command}
{environment}StateDirectory={name}
StateDirectoryMode=0700
# The folder of the sockets, where helpers find them.
RuntimeDirectory={name}
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=%t/{name} HOME=%S/{name}
Restart={restart}
RestartSec=5
# Send SIGTERM to the command only: it ends its stages in order, within five seconds.
KillMode=mixed
TimeoutStopSec=30
CPUWeight={weight}
MemoryMax={limit}M
UMask=0077
{locked}{devices}
[Install]
WantedBy=multi-user.target
"""
SERVER = """\
# Written by `facepipe deploy systemd`: answers about the runs of {name}, and this machine alone.
# It cannot change them. Install and enable it as you do {name}.service.
[Unit]
Description=facepipe serve, for {name}
After={name}.service

[Service]
User=facepipe
WorkingDirectory=%S/{name}
ExecStart={command}
Restart=always
RestartSec=5
MemoryMax={limit}M
UMask=0077
ReadOnlyPaths=%S/{name}
{locked}PrivateDevices=true

[Install]
WantedBy=multi-user.target
"""
CAMERAS = """\
SupplementaryGroups=video
DevicePolicy=closed
DeviceAllow=char-video4linux rw
"""
NO_DEVICES = "PrivateDevices=true\n"
ALL_DEVICES = "SupplementaryGroups=video render\n"  # of hardware encoders and GPUs


def files(fleet: Fleet, needs: dict[str, Needs], options: Options, keys: Path) -> Iterator[tuple[str, File]]:
    """Every file by its path: what belongs on a host is in a folder of its name. `keys`: where the keys are."""
    for unit in fleet.units:
        above, need = f"{unit.name}/" if unit.host else "", needs[unit.config]
        yield f"{above}{name_of(fleet, unit)}.service", File(_unit(fleet, unit, need, options))
        if options.serve and unit.writes:
            yield f"{above}facepipe-{fleet.server(unit)}.service", File(_server(fleet, unit, options))
        yield f"{above}{unit.config}.yaml", File(dumped(unit.document), PRIVATE)
        for name, path in need.files.items():
            yield f"{above}{name}", File(path, PRIVATE)
        if unit.has_keys:
            for name in (f"{unit.host}{SECRET}", *(f"{host}{PUBLIC}" for host in unit.pipeline.hosts)):
                yield f"{above}keys/{name}", File(keys / name, PRIVATE)
    for above, units in _machines(fleet):
        targets = (f"127.0.0.1:{_metrics_port(unit)}" for unit in units)
        yield f"{above}prometheus.yml", File(dumped(scraping(targets)))


def name_of(fleet: Fleet, unit: Unit) -> str:
    """The name of a unit, without its suffix."""
    return f"facepipe-{fleet.full(unit)}"


def _machines(fleet: Fleet) -> Iterator[tuple[str, list[Unit]]]:
    if fleet.hosts:
        yield from ((f"{unit.name}/", [unit]) for unit in fleet.units)
    else:
        yield "", list(fleet.units)


def _metrics_port(unit: Unit) -> int:
    return METRICS_PORT if unit.host else METRICS_PORT + unit.number


def _unit(fleet: Fleet, unit: Unit, needs: Needs, options: Options) -> str:
    name, place = name_of(fleet, unit), f"{CONFIG}/{fleet.name}"
    words = arguments(unit, f"{place}/{unit.config}.yaml", f"%S/{name}/{unit.name}", metrics=_metrics_port(unit))
    more, environment = "", ""
    if unit.has_keys:
        more += f"#   install -d -m 700 -o facepipe /etc/facepipe/{fleet.name}/keys\n"
        more += f"#   install -m 600 -o facepipe keys/* /etc/facepipe/{fleet.name}/keys\n"
    if needs.environment and unit.writes:
        secrets = f"{place}/{unit.name}.env"
        more += f"#   write {', '.join(sorted(needs.environment))} as NAME=VALUE into {_path(secrets)} (chmod 600)\n"
        environment = f"EnvironmentFile={secrets}\n"
    return UNIT.format(
        fleet=fleet.name,
        name=name,
        what=f"{', '.join(unit.stages)} of {fleet.name}",
        beside=" ".join([f"{unit.config}.yaml", *sorted(needs.files)]),
        more=more,
        measured="\n".join(f"# {line}" for line in costs.MEASURED.splitlines()),
        command=" ".join(map(_word, [options.python, "-m", "facepipe", *words])),
        environment=environment,
        # What is refused, with status 2, is refused again.
        restart="on-failure\nRestartPreventExitStatus=2" if unit.ends else "always",
        weight=max(1, min(10_000, unit.resources.cpu_m)),
        limit=unit.resources.limit_mb,
        locked=LOCKED,
        devices=_devices(unit) + _written(unit),
    )


def _devices(unit: Unit) -> str:
    """What the unit may see below /dev, of which it needs nothing without a camera, hardware encoder or GPU."""
    render, attributes = unit.pipeline.render, unit.pipeline.attributes()
    encodes = unit.writes and render.encoder != "software"
    if encodes or any(attributes[stage].device == "gpu" for stage in unit.stages if stage in attributes):
        return ALL_DEVICES
    return CAMERAS if any(camera_of(spec) is not None for spec in unit.sources.values()) else NO_DEVICES


def private_paths(unit: Unit) -> list[str]:
    """The paths in the configuration in whose place a unit has a folder of its own, by `PrivateTmp`."""
    paths = [*(path_of(spec) for spec in unit.sources.values()), *_written_paths(unit)]
    return [path for path in paths if path is not None and path.startswith(("/tmp/", "/var/tmp/"))]


def _written_paths(unit: Unit) -> list[str]:
    """What the configuration has it write beside its own folder."""
    if not unit.writes:
        return []
    address = unit.pipeline.render.publication[0] if unit.pipeline.render.publication else ""
    paths = [address.removeprefix(IPC)] if address.startswith(IPC) else []
    return paths + [stream for stream in unit.pipeline.render.streams if not is_stored(stream) and not is_url(stream)]


def _written(unit: Unit) -> str:
    folders = sorted({os.path.dirname(path) for path in _written_paths(unit) if os.path.isabs(path)})
    # With {source} in it, it is the folder above that has to be there.
    folders = [folder.partition("{")[0].rpartition("/")[0] if "{" in folder else folder for folder in folders]
    return "".join(f"ReadWritePaths=-{_quoted(folder.replace('%', '%%'))}\n" for folder in folders)


def _server(fleet: Fleet, unit: Unit, options: Options) -> str:
    name = name_of(fleet, unit)
    words = serving(unit, f"{CONFIG}/{fleet.name}/{unit.config}.yaml", f"%S/{name}")
    return SERVER.format(
        name=name,
        command=" ".join(map(_word, [options.python, "-m", "facepipe", *words])),
        limit=3 * costs.SERVE_MB,
        locked=LOCKED,
    )


def _word(word: str) -> str:
    """A word of a command line; the specifiers that are meant stay."""
    return _quoted(re.sub(r"%(?![ES]/)", "%%", word).replace("$", "$$"))


def _quoted(word: str) -> str:
    """In quotes where systemd needs them; in them it knows the escapes of C, and not those of a shell."""
    if re.fullmatch(r"[\w%/.:=@+-]+", word, re.ASCII):
        return word
    escaped = word.replace("\\", r"\\").replace('"', r"\"")
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda odd: rf"\x{ord(odd[0]):02x}", escaped) + '"'


def _path(place: str) -> str:
    return place.replace("%E", "/etc")
