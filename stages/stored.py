"""Secrets and certificates that a configuration names and does not hold, as it is shown, copied and committed.

A secret is in an environment variable or a file: `env:NAME` or `file:PATH`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .config.schema import ConfigError
from .errors import reason
from .sources.spec import expanded

MOST_SECRET_BYTES = 65_536


class Store:
    """Where secrets and certificates are."""

    def __init__(self, folder: Path, environment: Mapping[str, str]):
        self._folder, self._environment = folder, environment

    def secret(self, key: str, stored: str | None) -> str | None:
        """What is stored at env:NAME or file:PATH; one line end behind it does not count."""
        if stored is None:
            return None
        kind, _, place = stored.partition(":")
        if kind == "env":
            found = self._environment.get(place)
            if not found:
                how = "is empty" if found == "" else "is not set"
                raise ConfigError(f"{key}: the environment variable {place} {how}; export it, or write file:PATH.")
        else:
            found = self._content(key, place)
        if not found or re.search(r"[\x00-\x1f\x7f]", found):
            raise ConfigError(
                f"{key}: what is stored at {stored} is no single line of text; put the secret alone there."
            )
        return found

    def path(self, key: str, path: str | None) -> str | None:
        """The absolute path of a file that can be read."""
        if path is None:
            return None
        absolute = os.path.abspath(self._folder / expanded(path))
        try:
            with open(absolute, "rb"):
                return absolute
        except OSError as error:
            raise ConfigError(
                f"{key}: {absolute} cannot be read: {reason(error)}; write the path of its file."
            ) from None

    def _content(self, key: str, path: str) -> str:
        absolute = self.path(key, path)
        try:
            with open(absolute, "rb") as file:
                return re.sub(r"\r?\n\Z", "", file.read(MOST_SECRET_BYTES).decode())
        except OSError as error:
            raise ConfigError(f"{key}: {absolute} cannot be read: {reason(error)}; mend it.") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{key}: {absolute} is no text in UTF-8; put the secret alone there.") from None
