"""`facepipe health`: asks a run on this machine how it is, for a container or a script that has no HTTP client."""

from __future__ import annotations

import http.client
import sys

from ..errors import reason
from ..exit_status import ExitStatus
from ..names import printable
from ..project import command
from ..supervision.arguments import Arguments
from ..supervision.command import say
from .options import port

PORT = 9109  # of docs/metrics.md
ANSWER_S = 4.0  # less than Docker and Kubernetes wait by default


def parser() -> Arguments:
    """The options of the command."""
    options = Arguments(
        prog=command("health"),
        description="Asks a run that serves metrics how it is. The exit status is 0 if it is alive, otherwise 1.",
    )
    options.add_argument("--ready", action="store_true", help="whether every stage is there, and not only alive")
    options.add_argument("--metrics", metavar="PORT", type=port, default=PORT, help=f"as of the run (default: {PORT})")
    options.add_argument(
        "--metrics-host", metavar="ADDRESS", default="127.0.0.1", help="as of the run (default: 127.0.0.1)"
    )
    return options


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    given = parser().parse_args(argv)
    connection = http.client.HTTPConnection(given.metrics_host, given.metrics, timeout=ANSWER_S)
    try:
        connection.request("GET", "/ready" if given.ready else "/live")
        answer = connection.getresponse()
        said = answer.read(10_000).decode(errors="replace").splitlines()
    except (OSError, http.client.HTTPException) as error:
        why = f"no run answers at {given.metrics_host} port {given.metrics}: {printable(reason(error))}"
        print(f"facepipe: {why}; start it with --metrics {given.metrics}.", file=sys.stderr)
        return ExitStatus.FAILED
    finally:
        connection.close()
    if answer.status != http.client.OK:
        say(*said)
        return ExitStatus.FAILED
    return ExitStatus.DONE
