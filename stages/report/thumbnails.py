"""Cuts faces out of the annotated videos and pictures, or of the source, as small JPEGs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from ..decimals import rounded
from ..errors import reason
from ..results.source_folder import SourceFolder
from ..sources.base import Source, SourceError
from ..sources.opening import open_source
from ..vision.anonymize import anonymize_faces
from .person import Moment

SIDE = 128  # pixels, for fine screens
MANY, SIDE_OF_MANY = 500, 96  # of more faces than that the page would take seconds to open
QUALITY = 80
AHEAD_S = 3.0  # so far it is quicker to read on than to look for the place
SAME_S = 0.002  # times of one frame, after rounding
INSIDE = 0.94  # of the box: around it the annotated picture has a line
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
AROUND = 1.25  # of the box, where nothing is drawn in


class Thumbnails:
    """The faces of one source, by `Moment`; those that could not be had are not there."""

    def __init__(self, place: SourceFolder, source: str, spec: str | None = None, hide: bool = False, side: int = SIDE):
        """`spec`: what the run had as source, where no annotated pictures are to be taken. `hide`: unrecognisable.

        `side`: the longer one of each, in pixels.
        """
        self.notes: list[str] = []  # which pictures could not be had, and why; the page is whole without them
        self._place, self._source, self._spec, self._hide, self._side = place, source, spec, hide, side

    def cut(self, moments: Iterable[Moment]) -> dict[Moment, bytes]:
        """A JPEG for each that can be had; raises `SourceError` where the source cannot be opened."""
        wanted = sorted(set(moments), key=lambda moment: moment.frame)
        cut: dict[Moment, bytes] = {}
        for what, pictures in self._pictures(wanted):
            try:
                for moment, pixels in pictures:
                    if (jpeg := self._cut(moment, pixels)) is not None:
                        cut[moment] = jpeg
            except Exception as error:  # A damaged file, or a library's trouble with it.
                self.notes.append(f"Not all faces of {what} could be cut out: {reason(error)}.")
        return cut

    def _pictures(self, wanted: list[Moment]) -> Iterator[tuple[str, Iterable[tuple[Moment, np.ndarray]]]]:
        """Each file and what comes from it."""
        if self._spec is not None:
            source = open_source(self._spec)
            try:
                yield self._spec, _of_source(source, wanted)
            finally:
                source.close()
            return
        files: dict[str | None, list[Moment]] = {}
        for moment in wanted:
            files.setdefault(moment.file, []).append(moment)
        for file, moments in files.items():
            video, still = self._place.video(self._source, file), self._place.still(self._source, file)
            if video.is_file():
                yield video.name, _of_video(video, moments)
            elif still.is_file():
                yield still.name, _of_still(still, moments, self._side)

    def _cut(self, moment: Moment, pixels: np.ndarray) -> bytes | None:
        box = _fitted(moment, pixels)
        if not np.isfinite(box).all():
            return None
        if self._hide:
            pixels = anonymize_faces(pixels, [box], "pixelate")
        x, y, width, height = box
        side = max(width, height) * (AROUND if self._spec is not None else INSIDE)
        left, top = round(x + (width - side) / 2), round(y + (height - side) / 2)
        right, bottom = min(left + round(side), pixels.shape[1]), min(top + round(side), pixels.shape[0])
        part = pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if not part.size:
            return None
        scale = self._side / max(part.shape[:2])
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(part, size, interpolation=smooth)
        done, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return jpeg.tobytes() if done else None


def _fitted(moment: Moment, pixels: np.ndarray) -> tuple[float, ...]:
    """The box in a picture that may have been scaled, with bars at two sides, to fit into a video."""
    scale = min(pixels.shape[1] / moment.size[0], pixels.shape[0] / moment.size[1])
    left, top = ((full - scale * side) / 2 for full, side in zip(pixels.shape[1::-1], moment.size, strict=True))
    x, y, width, height = moment.box
    return (left + scale * x, top + scale * y, scale * width, scale * height)


def _of_source(source: Source, wanted: list[Moment]) -> Iterator[tuple[Moment, np.ndarray]]:
    """Read from the beginning, to the exact frames. By file and time: a run may have left frames out."""
    left: dict[tuple[str | None, float], list[Moment]] = {}
    for moment in wanted:
        left.setdefault((moment.file, moment.time), []).append(moment)
    pictures = source.pictures()
    while left and (picture := next(pictures, None)) is not None:
        for moment in left.pop((picture.file, rounded(picture.time)), ()):
            yield moment, picture.pixels


def _of_still(path: Path, wanted: list[Moment], side: int) -> Iterator[tuple[Moment, np.ndarray]]:
    """A JPEG is decoded at the half, a quarter or an eighth of its size in less time, where all faces stay as large."""
    smallest = min(max(moment.box[2:]) for moment in wanted) * INSIDE
    times = next((times for times in (8, 4, 2) if smallest >= times * side), 1)
    pixels = cv2.imread(str(path), _REDUCED[times])
    if pixels is None:
        raise SourceError("it cannot be read as a picture")
    yield from ((moment, pixels) for moment in wanted)


def _of_video(path: Path, wanted: list[Moment]) -> Iterator[tuple[Moment, np.ndarray]]:
    """By their times: videos that facepipe has written begin at 0, and are whole from every key frame on."""
    with av.open(str(path.absolute())) as container:
        stream = container.streams.video[0]
        frames, now_s, pixels = container.decode(stream), float("-inf"), None
        for moment in wanted:
            if not now_s - SAME_S <= moment.time_s <= now_s + AHEAD_S:
                container.seek(int(moment.time_s / stream.time_base), stream=stream)
                frames, now_s = container.decode(stream), float("-inf")
            if now_s < moment.time_s - SAME_S:  # It is not the frame that was read last.
                frame = next((frame for frame in frames if frame.time >= moment.time_s - SAME_S), None)
                if frame is None:
                    continue
                now_s, pixels = frame.time, frame.to_ndarray(format="bgr24")
            yield moment, pixels
