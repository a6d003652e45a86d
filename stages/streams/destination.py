"""Where a stream goes, and what may be said of that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..config.connections import SOURCE_PLACE
from ..sources.urls import is_url, public

_CHARACTERS = 100  # of a source's name in that of a file: the names of segments are longer
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Destination:
    """The address of one stream: rtsp://…, or the absolute path of a playlist."""

    address: str

    @property
    def playlist(self) -> Path | None:
        """The file that players open, of HLS; None for a server."""
        return None if is_url(self.address) else Path(self.address)

    @property
    def shown(self) -> str:
        """The address for a person: without user and password, a path as short as it can be said from here."""
        if is_url(self.address):
            return public(self.address)
        try:
            relative = os.path.relpath(self.address)
        except OSError:  # The folder that we are in was removed.
            return self.address
        return self.address if relative.startswith("..") else relative


def destinations(addresses: Iterable[str], source: str) -> list[Destination]:
    """Those of one source, whose name takes the place of `{source}`."""
    # Of a source without a name of its own it may be that of any file, and must not lead into another folder.
    in_path, in_url = _NOT_IN_NAMES.sub("_", source).lstrip(".")[:_CHARACTERS] or "_", quote(source, safe="")
    return [Destination(a.replace(SOURCE_PLACE, in_url if is_url(a) else in_path)) for a in addresses]
