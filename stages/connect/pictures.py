"""The annotated pictures that render leaves for the broker: the newest of each source, now and then."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..layout import CONNECT, picture_name
from ..results.atomic import open_plain

LARGEST_BYTES = 10_000_000
LOSSES = 2  # so often in a row a connection may end under a picture before it is taken for the reason


class Pictures:
    """Gives out pictures that are new; at most one is under way."""

    def __init__(self, every_s: float | None, folder: Path, say: Callable[[str], None]):
        """`every_s`: between two pictures of a source, None for no pictures; `folder`: that of the run.

        `say` is told when no more pictures are sent.
        """
        self._every_s, self._folder, self._say = every_s, folder / CONNECT, say
        self._is_under_way, self._losses = False, 0
        self._sent: dict[str, tuple[float, int]] = {}  # when a source's last one was given out, and its time stamp

    def due(self, sources: Mapping[str, str], now_s: float) -> Iterator[tuple[str, bytes]]:
        """The next picture that is to be sent, with the name of its source, if there is one.

        `sources`: folder of the results -> name of the source; `now_s`: a monotonic clock.
        """
        if self._every_s is None or self._is_under_way:
            return
        for folder, source in sorted(sources.items(), key=lambda entry: self._sent.get(entry[0], (0.0, 0))[0]):
            last_s, last_stamp = self._sent.get(folder, (float("-inf"), 0))
            if now_s - last_s < self._every_s or (read := self._read(folder, last_stamp)) is None:
                continue
            picture, stamp = read
            self._sent[folder] = now_s, stamp
            self._is_under_way = True
            yield source, picture
            return

    def arrived(self) -> None:
        """The one under way has arrived, or was refused."""
        self._is_under_way, self._losses = False, 0

    def connection_lost(self) -> None:
        """The connection has ended: perhaps because of the picture."""
        self._losses = self._losses + 1 if self._is_under_way else 0
        self._is_under_way = False
        if self._losses >= LOSSES:
            self.refused("has twice ended the connection")

    def refused(self, why: str) -> None:
        """Send no more pictures, so that events get through; `why`: in words of a sentence."""
        self._every_s, self._is_under_way = None, False
        self._say(f"a picture for the MQTT broker {why}; no more pictures are sent.")

    def _read(self, folder: str, last_stamp: int) -> tuple[bytes, int] | None:
        try:
            with open_plain(self._folder / picture_name(folder)) as file:
                stamp = os.fstat(file.fileno()).st_mtime_ns
                if stamp == last_stamp:
                    return None
                picture = file.read(LARGEST_BYTES)
        except OSError:
            return None  # There is none yet.
        return (picture, stamp) if picture else None
