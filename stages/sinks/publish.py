"""What is published about each finished frame: its record, numbered, so that a slow subscriber can count its losses."""

from __future__ import annotations

from collections import Counter

import cv2
import msgpack

from ..frames import FinishedFrame
from ..results.jsonl import record


class Publication:
    """Makes the messages; what is sent again after a death of its process has a new `since`."""

    def __init__(self, since: int, quality: int | None = None):
        """`since`: the incarnation of this process; `quality`: of the JPEGs that go with it (1 to 100), None: none."""
        self._since, self._quality = since, quality
        self._numbers: Counter[str] = Counter()  # source -> number of its next message

    def parts(self, frame: FinishedFrame) -> list[bytes]:
        """The message of one frame: topic, body in msgpack, and the picture as a JPEG if that is asked for.

        The picture is the one that was analysed, nothing drawn into it, without faces where these are hidden.
        """
        said = {"seq": self._numbers[frame.source], "since": self._since, "record": record(frame)}
        self._numbers[frame.source] += 1
        parts = [frame.source.encode(), msgpack.packb(said)]
        if self._quality is not None:
            done, jpeg = cv2.imencode(".jpg", frame.picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
            parts += [jpeg.tobytes()] if done else []  # One that is too large for a JPEG.
        return parts
