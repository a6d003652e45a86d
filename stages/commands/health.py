"""`facepipe health`: asks a run on this machine how it is, for a container or a script that has no HTTP client."""

from __future__ import annotations

import http.client
import sys
import threading
from contextlib import closing
from queue import Empty, SimpleQueue

from ..errors import reason
from ..exit_status import ExitStatus
from ..names import printable
from ..project import command
from ..supervision.arguments import Arguments
from ..supervision.command import say
from ..supervision.metrics import SERVER
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
    place = f"{given.metrics_host} port {given.metrics}"
    try:
        status, server, said = _asked(given.metrics_host, given.metrics, "/ready" if given.ready else "/live")
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = f"no run answers at {place}: {printable(reason(error))}"
        print(f"facepipe: {why}; start it with --metrics {given.metrics}.", file=sys.stderr)
        return ExitStatus.FAILED
    if server != SERVER:
        print(f"facepipe: what answers at {place} is not a run of facepipe; write the run's port.", file=sys.stderr)
        return ExitStatus.FAILED
    if status != http.client.OK:
        say(*said)
        return ExitStatus.FAILED
    return ExitStatus.DONE


def _asked(host: str, port: int, path: str) -> tuple[int, str | None, list[str]]:
    """The status of an answer, which server it is from, and its lines."""
    answers: SimpleQueue[tuple[int, str | None, list[str]] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            with closing(http.client.HTTPConnection(host, port, timeout=ANSWER_S)) as connection:
                connection.request("GET", path)
                answer = connection.getresponse()
                lines = answer.read(10_000).decode(errors="replace").splitlines()
                answers.put((answer.status, answer.getheader("Server"), lines))
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers.put(error)

    # A thread, because the timeout of a socket starts anew with every byte, and that of a look-up of a name is long.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_S)
    except Empty:
        raise TimeoutError(f"no answer within {ANSWER_S:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
