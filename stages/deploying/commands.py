"""The command of a unit: the same in a container and under systemd, but for its paths."""

from __future__ import annotations

from .fleet import METRICS_PORT, Unit


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
