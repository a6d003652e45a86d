"""What render remembers of the faces of one source from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stages.core.frames import Face, FinishedFrame, as_written
from stages.core.tracking import Tracker


class Follower:
    """Numbers the faces of finished frames, in their order.

    It reads what is written to results.jsonl, rounded as it is written, and nothing else. So it need not be kept
    anywhere: a new one that is given the lines of the file (`replay`) goes on as if it had been there from the start.
    """

    def __init__(self, coast_s: float):
        self._tracker = Tracker(coast_s)
        self._file: str | None = None

    @property
    def forgotten(self) -> int:
        """How many faces had to be forgotten because there were too many."""
        return self._tracker.forgotten

    def follow(self, frame: FinishedFrame) -> FinishedFrame:
        """The frame as it is to be written and drawn. A picture that is no frame of a video or camera stands alone."""
        frame = as_written(frame)
        if frame.picture.rate is None:
            return frame
        return replace(frame, faces=self._followed(frame.picture.file, frame.picture.time, frame.faces))

    def replay(self, file: str | None, time_s: float, faces: Sequence[Face]) -> None:
        """Take a frame from a line of the file: what `follow` knew after it is known again."""
        # Of a frame without faces the line does not tell whether it is a picture; but that changes nothing: a picture
        # has a file of its own, or is alone.
        if all(face.id is not None for face in faces):
            self._followed(file, time_s, faces)

    def _followed(self, file: str | None, time_s: float, faces: Sequence[Face]) -> list[Face]:
        if file != self._file:
            self._tracker.forget()
            self._file = file
        ids = self._tracker.update(time_s, [face.box for face in faces])
        return [replace(face, id=number) for face, number in zip(faces, ids, strict=True)]
