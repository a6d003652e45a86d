"""The command of a unit: the same in a container and under systemd, but for its paths."""

from __future__ import annotations

from .fleet import METRICS_PORT, SERVE_PORT, Unit


def arguments(
    unit: Unit, config: str, output: str, metrics_host: str = "127.0.0.1", metrics: int = METRICS_PORT
) -> list[str]:
    """The words after `facepipe`.

    What comes of files ends with a status that says whether it is done: it is resumed until it is. Everything else is a
    service.
    """
    how = ["run", "--resume"] if unit.ends else ["service"]
    where = ["--config", config, *(["--host", unit.host] if unit.host else []), "--output", output]
    if metrics_host != "127.0.0.1":
        where += ["--metrics-host", metrics_host]
    return [*how, *where, "--metrics", str(metrics)]


def serving(unit: Unit, config: str, runs: str, token: str | None = None) -> list[str]:
    """The words after `facepipe` of the server that answers about the runs in a folder.

    `token`: the file with the token; without one only this machine is answered.
    """
    others = ["--host", "0.0.0.0", "--token", f"file:{token}"] if token else []
    return ["serve", runs, "--config", config, "--port", str(SERVE_PORT + (0 if token else unit.number)), *others]
