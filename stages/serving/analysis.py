"""Pictures are analysed in a thread, never by the event loop, and only so many wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import cv2
import numpy as np

from ..api import NotAPicture, annotate
from ..api.analysis import analyzed
from ..api.pictures import pixels_of
from ..config.schema import Pipeline
from ..frames import FinishedFrame
from ..sources.base import SourceError
from ..sources.picture_header import read_header
from .access import Refused
from .limits import JPEG_SIDE, Limits

THREADS = 1  # `analyze` is for one picture at a time; a second thread, to decode meanwhile, gained nothing measurable
JPEG_QUALITY = 90
JSON, JPEG = "application/json", "image/jpeg"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Analysis:
    """One configuration, and what is done to pictures by it."""

    pipeline: Pipeline  # what `config` and `overrides` say
    config: str | None
    overrides: Mapping[str, object] = field(default_factory=dict)

    def load(self) -> None:
        """Load the models; raises a `FacepipeError`."""
        self._analyze(np.zeros((64, 64, 3), np.uint8))

    def of(self, file: bytes, kind: str, pixels_at_most: int) -> bytes:
        """The faces of a picture as `JSON`, or the picture with them as `JPEG`; raises `Refused`."""
        pixels = _decoded(file, pixels_at_most)
        frame = self._analyze(pixels)
        if kind == JPEG:
            return self._drawn(frame)
        height, width = pixels.shape[:2]
        said = {"width": width, "height": height, "faces": [face.to_json() for face in frame.faces]}
        return json.dumps(said, ensure_ascii=False).encode()

    def _analyze(self, pixels: np.ndarray) -> FinishedFrame:
        return analyzed(pixels, self.config, self.overrides)

    def _drawn(self, frame: FinishedFrame) -> bytes:
        if max(frame.picture.pixels.shape[:2]) > JPEG_SIDE:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The picture is too long for a JPEG; ask for JSON.")
        drawn = annotate(frame.picture.pixels, frame.faces, style=self.pipeline.render.style)
        return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _decoded(file: bytes, pixels_at_most: int) -> np.ndarray:
    header = read_header(file)
    if header is not None and header.width * header.height > pixels_at_most:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The picture has {header.width} x {header.height} pixels; at most {pixels_at_most / 1e6:g} megapixels"
            " are taken, so scale it down.",
        )
    try:
        return pixels_of(file)
    except (NotAPicture, SourceError) as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


class AnalysisQueue:
    """Calls that wait for the thread, in order."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._threads = ThreadPoolExecutor(THREADS, "analysis")
        self._under_way = 0

    @property
    def is_full(self) -> bool:
        """Whether the next call would be refused."""
        return self._under_way >= self._limits.queue

    async def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What the function returns or raises; `Refused` where too many wait or it takes too long.

        A call that is cancelled is not begun any more. One that has begun counts until it ends.
        """
        if self.is_full:
            raise _busy("Too many pictures wait already; send it again later.")
        self._under_way += 1
        loop = asyncio.get_running_loop()
        call = self._threads.submit(function, *arguments)
        call.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ended))
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await asyncio.wrap_future(call)
        except TimeoutError:
            raise _busy(f"There was no answer in {self._limits.timeout_s:g} seconds; send it again later.") from None

    def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self) -> None:
        self._under_way -= 1


def _busy(sentence: str) -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": "1"})
