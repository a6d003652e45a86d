"""The annotated video: H.264 in mp4 that plays in a browser, and of which a killed process loses only the last frame.

By PyAV, because OpenCV's wheels have no H.264 encoder. While frames come they go into a fragmented segment, every frame
a fragment of its own, so that what was written can be read whatever happens next; at the end the segments are joined
without encoding anything again (joining.py).
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ..frames import FinishedFrame
from ..results.atomic import is_plain, sync_file
from ..results.errors import OutputError, cannot_write
from ..results.manifest import Manifest
from .encoders import AUTO, SOFTWARE, add_stream, chosen, encoded, failure
from .joining import join_segments
from .segments import LONGEST_TICKS, SEGMENT, TIME_BASE, new_segment, segments_folder, size_of_first

_GROUP_S = 2.0  # from one key frame to the next: how exactly a player can jump
_GROUP_MOST = 600  # frames, however many there are in a second: a player that jumps decodes half of them
_DEFAULT_RATE = 25.0  # frames a second of a source that names none
_FASTEST = 1 / TIME_BASE  # frames a second that can have times of their own
_FASTEST_FOR_ENCODER = 240  # by a nominal rate above, H.264 would claim a level that players refuse

# Level 5.1, the largest that browsers and graphics cards commonly decode: 36864 blocks of 16 x 16 pixels in a frame,
# and no side longer than the root of eight times as many.
_LARGEST_PIXELS = 36_864 * 256
_LONGEST_SIDE = 8_688
_SHORTEST_SIDE = 16  # Encoders take 2 x 2; not every player does.


class VideoWriter:
    """Writes annotated frames to one mp4. The first one decides the size; later ones of another size are fitted in."""

    def __init__(
        self,
        path: Path,
        rate: float | None,
        first_frame: int = 0,
        manifest: Manifest | None = None,
        encoder: str = SOFTWARE,
    ):
        """Start a segment at `first_frame`: what earlier segments hold is kept, later ones are deleted.

        rate: nominal frames a second, for the distance of key frames and the duration of the last frame; the times of
        the frames are their own. encoder: one of `ENCODERS`, or `AUTO`; earlier segments may have had another.
        """
        self.path, self._manifest = path, manifest or Manifest(path.parent)
        self.frames = 0  # written by this writer
        self.notes: list[str] = []
        self._encoder = encoder
        self._rate = rate if rate and 0 < rate <= _FASTEST else _DEFAULT_RATE
        self._folder = segments_folder(path)
        self._segment: av.container.OutputContainer | None = None
        self._last_pts: int | None = None
        self._closed = False
        try:
            self._segment_path = new_segment(self._folder, first_frame, self._manifest)
            self._size = size_of_first(self._folder)  # width, height; None until there is a frame
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(path, error) from error

    def write(self, frame: FinishedFrame, drawn: np.ndarray) -> None:
        """Encode the picture of one frame, uint8 (H, W, 3) BGR, at the frame's time; raises OutputError."""
        try:
            before, pts = self._last_pts, self._pts(frame.picture.time)
            if before is not None and pts - before > LONGEST_TICKS:
                self._end_segment()
                self._segment_path = new_segment(self._folder, frame.frame, self._manifest)
                if pts - before > LONGEST_TICKS / TIME_BASE:
                    self.notes.append(
                        f"{self.path.name} has at most 68 years between two frames, the most that mp4 holds; there are"
                        f" more before frame {frame.frame}"
                    )
            if self._segment is None:
                self._open(drawn)
            self._segment.mux(encoded(self._stream, planes_of(drawn, self._size), pts))
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(self.path, error) from error
        self.frames += 1

    def close(self, sound_from: Path | None = None) -> str | None:
        """Join the segments into the video, with the sound track of `sound_from`; raises OutputError.

        Returns what became of the sound in a few words, "sound copied" or why not; None where the source has none.
        """
        if self._closed:
            return None
        self._closed = True
        self.finish()
        try:
            rate = Fraction(self._rate).limit_denominator(100_000)
            return join_segments(self._folder, self.path, rate, self._manifest, sound_from)
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(f"{self.path} (its parts are kept in {self._folder})", error) from error

    def finish(self) -> None:
        """End the segment: after that nothing is written but the whole video. Raises OutputError."""
        try:
            self._end_segment()
        except (OSError, av.FFmpegError) as error:
            raise cannot_write(f"{self.path} (its parts are kept in {self._folder})", error) from error

    def _open(self, drawn: np.ndarray) -> None:
        height, width = drawn.shape[:2]
        if self._size is None:
            self._size = encoded_size(width, height)
            if self._size[0] < width - 1 or self._size[1] < height - 1:
                wide, high = self._size
                self.notes.append(
                    f"{self.path.name} is scaled from {width} x {height} to {wide} x {high}, the most that players take"
                )
        encoder = self._chosen_encoder()
        os.close(self._manifest.create(self._segment_path))  # FFmpeg would write to what a link there leads to.
        self._segment = av.open(str(self._segment_path.absolute()), "w", format="mp4", options=SEGMENT)
        rate = Fraction(min(self._rate, _FASTEST_FOR_ENCODER)).limit_denominator(1001)
        group = max(1, min(round(self._rate * _GROUP_S), _GROUP_MOST))
        self._stream = add_stream(self._segment, encoder, self._size, rate, group)

    def _chosen_encoder(self) -> str:
        encoder = chosen(self._encoder, self._size)
        if encoder != SOFTWARE and (why := failure(encoder, self._size)):
            wide, high = self._size
            raise OutputError(
                f"the encoder {encoder} cannot write {self.path.name}, {wide} x {high} pixels ({why}); set"
                f" render.encoder to {SOFTWARE}."
            )
        if self._encoder == AUTO and not self.frames:
            self.notes.append(f"{self.path.name} is encoded by {encoder}")
        return encoder

    def _pts(self, time: float) -> int:
        """The time in units of TIME_BASE; mp4 asks that times ascend, so one that does not is moved a tick on."""
        pts = round(time / TIME_BASE)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        self._last_pts = pts
        return pts

    def _end_segment(self) -> None:
        if self._segment is not None:
            segment, self._segment = self._segment, None
            try:
                segment.mux(self._stream.encode(None))
            finally:
                segment.close()
            if is_plain(self._segment_path):  # It may have been removed; comparing shows that.
                sync_file(self._segment_path)


def encoded_size(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is encoded: even, as yuv420p asks, and within what players take."""
    shrink = min(1.0, (_LARGEST_PIXELS / (width * height)) ** 0.5, _LONGEST_SIDE / max(width, height))
    if shrink < 1:
        width, height = int(width * shrink), int(height * shrink)
        return max(_SHORTEST_SIDE, width - width % 2), max(_SHORTEST_SIDE, height - height % 2)
    return max(_SHORTEST_SIDE, width + width % 2), max(_SHORTEST_SIDE, height + height % 2)


def planes_of(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture, uint8 (H, W, 3) BGR, fitted into this width and height, as encoders take it: I420 (H * 3 / 2, W)."""
    # OpenCV converts to BT.601 only, in a quarter of the time that FFmpeg takes for either.
    return cv2.cvtColor(_fitted(pixels, size), cv2.COLOR_BGR2YUV_I420)


def _fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture in exactly `size`: odd or tiny, its last column and row repeated; of another size, letterboxed."""
    width, height = size
    high, wide = pixels.shape[:2]
    if (wide, high) == size:
        return np.ascontiguousarray(pixels)
    if encoded_size(wide, high) == size and wide <= width and high <= height:
        return cv2.copyMakeBorder(pixels, 0, height - high, 0, width - wide, cv2.BORDER_REPLICATE)
    scale = min(width / wide, height / high)
    inner = max(1, min(width, round(wide * scale))), max(1, min(height, round(high * scale)))
    scaled = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return cv2.copyMakeBorder(
        scaled, top, height - inner[1] - top, left, width - inner[0] - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
