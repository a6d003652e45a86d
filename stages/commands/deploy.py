"""`facepipe deploy`: what runs a configuration on Kubernetes, with Compose or under systemd."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

from ..exit_status import ExitStatus
from ..project import command
from ..supervision.arguments import Arguments
from ..supervision.command import say

EXAMPLES = """\
examples:
  facepipe deploy kubernetes --config house.yaml --output deploy
  facepipe deploy compose --config house.yaml --output deploy --source rtsp://192.168.7.30/1
  facepipe deploy systemd --config house.yaml --output deploy --per host

docs/deploy.md explains what is written.
"""
TARGETS = ("kubernetes", "compose", "systemd")


def parser() -> Arguments:
    """The options of the command."""
    from ..deploying.options import Options

    usual = Options()
    options = Arguments(
        prog=command("deploy"),
        description="Writes manifests or units that run a configuration. It starts nothing and contacts nobody.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("target", metavar="TARGET", choices=TARGETS, help=", ".join(TARGETS))
    options.add_argument("--config", metavar="FILE", required=True, type=Path, help="the configuration")
    options.add_argument("--output", metavar="DIR", required=True, type=Path, help="the folder that is written")
    options.add_argument("--source", metavar="S", help="what is analysed, instead of what the configuration says")
    options.add_argument(
        "--per",
        metavar="WHAT",
        choices=("camera", "host"),
        default=usual.per,
        help="without hosts: one unit for each camera, or for the host: then cameras share its stages"
        f" (default: {usual.per})",
    )
    options.add_argument(
        "--fps",
        metavar="N",
        type=_rate,
        default=usual.fps,
        help=f"frames a second of each source, for the resources that are asked for (default: {usual.fps:g})",
    )
    options.add_argument(
        "--serve", action="store_true", help="also `facepipe serve`, which answers about the runs; see docs/http.md"
    )
    options.add_argument(
        "--image", metavar="NAME", type=_IMAGE, default=usual.image, help=f"containers (default: {usual.image})"
    )
    options.add_argument(
        "--namespace",
        metavar="NAME",
        type=_NAME,
        default=usual.namespace,
        help=f"Kubernetes (default: {usual.namespace})",
    )
    options.add_argument(
        "--storage",
        metavar="SIZE",
        type=_SIZE,
        default=usual.storage,
        help=f"Kubernetes: the volume of results without render.keep in bytes (default: {usual.storage})",
    )
    options.add_argument(
        "--storage-class", metavar="NAME", type=_NAME, help="Kubernetes: of the volumes (default: that of the cluster)"
    )
    options.add_argument(
        "--monitoring",
        metavar="NAME",
        type=_NAME,
        default=usual.monitoring,
        help=f"Kubernetes: the namespace of Prometheus (default: {usual.monitoring})",
    )
    options.add_argument(
        "--python",
        metavar="FILE",
        type=_PYTHON,
        default=usual.python,
        help="systemd: the Python of the machines (default: this one)",
    )
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    given = parser().parse_args(argv)
    from ..deploying.deploy import deploy
    from ..deploying.options import Options

    chosen = {name: getattr(given, name) for name in Options.__dataclass_fields__}
    fleet, notes = deploy(given.target, given.config, given.source, given.output, Options(**chosen))
    for note in notes:
        print(f"facepipe: {note}", file=sys.stderr)
    for unit in fleet.units:
        reads = f", reads {', '.join(name or 'its source' for name in unit.sources)}" if unit.sources else ""
        asked = f"{unit.resources.cpu_m / 1000:.2f} cores, {unit.resources.memory_mb} MB"
        say(f"{fleet.full(unit)}: {', '.join(unit.stages)}{reads}; {asked}")
    say(f"Written to {given.output}; begin with {_begin(given.target, given.output)}")
    return ExitStatus.DONE


def _begin(target: str, folder: Path) -> str:
    match target:
        case "kubernetes":
            return f"the comment in {folder / 'kustomization.yaml'}"
        case "compose":
            return f"docker compose --file {folder / 'compose.yaml'} up --detach"
    return "the comment in each unit"


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) <= 1000:
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a number of frames a second, up to 1000")


def _matching(pattern: str, wanted: str) -> Callable[[str], str]:
    """The type of an argument that this pattern describes whole; `wanted`: the end of the sentence for another one."""

    def checked(text: str) -> str:
        if re.fullmatch(pattern, text):
            return text
        raise argparse.ArgumentTypeError(f"{text} is not {wanted}")

    return checked


_NAME = _matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a name in Kubernetes; write letters a-z, digits and -")
_SIZE = _matching(r"[1-9]\d{0,8}(Mi|Gi|Ti|M|G|T)", "a size in Kubernetes; write one such as 50Gi")
_IMAGE = _matching(
    r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,254}", "the name of an image; write one such as registry.lan/facepipe:1"
)
_PYTHON = _matching(r"/[^\0-\x1f\x7f\"'\\$]+", "an absolute path without quotes, $ and \\; systemd needs one")
