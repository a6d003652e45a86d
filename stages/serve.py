"""Answer over HTTP: faces of pictures that are posted, and what a run has seen.

python -m stages.serve                                      at http://127.0.0.1:8040, for this machine alone
python -m stages.serve out/door                             and the pictures and events of the run in out/door
python -m stages.serve --host 0.0.0.0 --token file:token    for other machines too, if they know the token

curl -F picture=@photo.jpg http://127.0.0.1:8040/v1/analyze
curl -F picture=@photo.jpg -H 'Accept: image/jpeg' -o labelled.jpg http://127.0.0.1:8040/v1/analyze

docs/http.md tells all of it; so does http://127.0.0.1:8040/docs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .config.load import Override
from .config.schema import ConfigError
from .dependencies import missing
from .errors import FacepipeError
from .exit_status import ExitStatus
from .names import printable
from .plan import read_pipeline
from .project import command
from .results.runs import OUT
from .serving.limits import Limits
from .supervision.arguments import Arguments
from .supervision.command import run, say
from .view.web.access import is_loopback

PORT = 8040
FEWEST_OF_TOKEN = 16  # characters


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal ends the process; 2 where that cannot be."""
    options = parser().parse_args(argv)
    try:
        _serve(options)
    except FacepipeError as error:
        print(f"facepipe: {printable(str(error))}", file=sys.stderr, flush=True)
        return ExitStatus.REFUSED
    return ExitStatus.DONE


def parser() -> Arguments:
    """The options of the command."""
    prog = command("serve")
    options = Arguments(
        prog=prog,
        description=__doc__.replace("python -m stages.serve", prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Limits()
    options.add_argument(
        "folder",
        metavar="OUT",
        nargs="?",
        type=Path,
        default=OUT,
        help="the output folder of a run, or a folder of runs: then the newest one (default: out)",
    )
    options.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1", help="where to serve (default: this machine alone)"
    )
    options.add_argument(
        "--port", metavar="PORT", type=_port, default=PORT, help=f"default: {PORT}; 0: one that is free"
    )
    options.add_argument(
        "--token", metavar="env:NAME or file:PATH", help="where the token is that clients have to send"
    )
    options.add_argument("--config", metavar="FILE", help="the configuration (default: the included pipeline.yaml)")
    options.add_argument("--detector", metavar="D", help="face detector: fast (the default), haar, dlib, …")
    options.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key of the configuration"
    )
    limits = (
        ("--megabytes", _number(0.001, 1000), usual.body_bytes / 1e6, "of one request"),
        ("--megapixels", _number(0.001, 100), usual.pixels / 1e6, "of one picture"),
        ("--clients", _number(1, 10_000, int), usual.clients, "connections at once"),
        ("--queue", _number(1, 1000, int), usual.queue, "pictures that are analysed or wait for it"),
        ("--rate", _number(0.01, 100_000), usual.rate, "requests a second from one address"),
        ("--timeout", _number(0.1, 3600), usual.timeout_s, "seconds for a body, and again for an answer"),
    )
    for name, kind, default, what in limits:
        options.add_argument(
            name, metavar="N", type=kind, default=default, help=f"at most: {what} (default: {default:g})"
        )
    return options


def _serve(options: argparse.Namespace) -> None:
    overrides = [Override.parse(text) for text in options.set]
    if options.detector is not None:
        overrides.append(Override("stages.detect.detector", options.detector, "--detector"))
    pipeline, _ = read_pipeline(options.config, overrides)  # Mistakes are told in the words of this command.
    token = _token(options.token)
    if token is None and not is_loopback(options.host):
        raise ConfigError(
            f"other machines reach {options.host}, and everybody there would be answered; add --token file:PATH, or"
            " leave out --host."
        )
    try:  # Here: Starlette and uvicorn take 0.3 s, and may not be installed.
        from .serving.analysis import Analysis
        from .serving.app import App
        from .serving.runs import Runs
        from .serving.server import listening, serve
    except ModuleNotFoundError as error:
        if sentence := missing(error):
            raise ConfigError(sentence) from None
        raise
    limits = _limits(options)
    with listening(options.host, options.port) as listener:
        analysis = Analysis(pipeline, options.config, {each.key: each.value for each in overrides})
        analysis.load()
        host, port = listener.getsockname()[:2]
        say(f"Serving at http://{f'[{host}]' if ':' in host else host}:{port}/docs; end it with Ctrl-C.")
        serve(App(analysis, Runs(options.folder), limits, token), limits, listener)


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(
        body_bytes=round(options.megabytes * 1e6),
        pixels=round(options.megapixels * 1e6),
        clients=options.clients,
        queue=options.queue,
        rate=options.rate,
        timeout_s=options.timeout,
    )


def _token(stored: str | None) -> str | None:
    """The token, which is never on a command line: every user of the machine can read those."""
    if stored is None:
        return None
    from .stored import Store

    if not stored.startswith(("env:", "file:")):
        raise ConfigError("--token says where the token is, not what it is; write env:NAME or file:PATH.")
    token = Store(Path(), os.environ).secret("--token", stored)
    if len(token) < FEWEST_OF_TOKEN or not token.isascii() or " " in token:
        raise ConfigError(
            f"--token: a token has at least {FEWEST_OF_TOKEN} letters, digits and signs without spaces; make one with:"
            " openssl rand -hex 16."
        )
    return token


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a port, a whole number from 0 to 65535")


def _number(least: float, most: float, kind: type = float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            if least <= (given := kind(text)) <= most:
                return given
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text} is not a number from {least:g} to {most:g}")

    return number


if __name__ == "__main__":
    run(main)
