"""The configuration that a caller means: a file, and keys of it that are given other values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..config.load import Override
from ..config.schema import ConfigError, Pipeline
from ..plan import read_pipeline

PathLike = str | os.PathLike[str]
Overrides = Mapping[str, object]  # key of the configuration, such as stages.detect.detector, -> value


def overrides_of(detector: str | None, overrides: Overrides | None) -> dict[str, object]:
    """All keys that are given a value; raises `ConfigError` for what cannot be one."""
    if not isinstance(overrides or {}, Mapping) or not all(isinstance(key, str) for key in overrides or {}):
        raise ConfigError("overrides are keys with their values; write such as {'stages.emotion.every': 1}.")
    given = dict(overrides or {})
    return given if detector is None else given | {"stages.detect.detector": detector}


def read(config: PathLike | None, given: Mapping[str, object]) -> tuple[Pipeline, Path]:
    """The configuration, and the folder that its models count from; raises `ConfigError`."""
    named = [Override(*each) for each in told_of(given)]
    return read_pipeline(None if config is None else os.fspath(config), named)


def told_of(given: Mapping[str, object]) -> list[tuple[str, object, str]]:
    """Of each key what `Override` is made of: it, its value as JSON can have it, and what an error calls it."""
    names = {"stages.detect.detector": "detector", "render.output": "output", "source": "source"}
    return [(key, _plain(value), names.get(key, f"overrides[{key!r}]")) for key, value in given.items()]


def _plain(value: object) -> object:
    """What YAML could have given: paths are texts there, and tuples lists."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
