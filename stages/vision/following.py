"""What render remembers of the faces of one source from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..config.schema import Pipeline
from ..frames import Face, FinishedFrame, as_written
from .smoothing import Smoother
from .tracking import Tracker


def follower_for(pipeline: Pipeline) -> Follower | None:
    """A new one for a source, as the configuration wants it; None where faces are not followed."""
    return Follower(pipeline.render.coast, pipeline.smooth_s()) if pipeline.render.track else None


class Follower:
    """Numbers the faces of finished frames, in their order, and smooths what is said about each.

    It reads what is written to results.jsonl, rounded as it is written, and nothing else. So it need not be kept
    anywhere: a new one that is given the lines of the file (`replay`) goes on as if it had been there from the start.
    """

    def __init__(self, coast_s: float, over_s: Mapping[str, float]):
        """`coast_s`: for so long a face may be out of sight. `over_s`: by stage, the time constant of its answers."""
        self._tracker, self._coast_s, self._over_s = Tracker(coast_s), coast_s, over_s
        self._smoothers: dict[int, Smoother] = {}
        self._file: str | None = None

    @property
    def forgotten(self) -> int:
        """How many faces had to be forgotten because there were too many."""
        return self._tracker.forgotten

    def follow(self, frame: FinishedFrame) -> FinishedFrame:
        """The frame as it is to be written and drawn. A picture that is no frame of a video or camera stands alone."""
        frame = as_written(frame)
        if frame.picture.rate is None:
            self._come_to(frame.picture.file)
            return frame
        picture = frame.picture
        return replace(frame, faces=self._followed(picture.file, picture.time, frame.faces, picture.cut))

    def replay(self, file: str | None, time_s: float, faces: Sequence[Face], cut: bool = False) -> None:
        """Take a frame from a line of the file: what `follow` knew after it is known again."""
        # Of a frame without faces the line does not tell whether it is a picture. Nor need it: with either another file
        # begins, and the faces of the one before are forgotten.
        if all(face.id is not None for face in faces):
            self._followed(file, time_s, faces, cut)
        else:
            self._come_to(file)

    def to_json(self) -> dict:
        """All that it knows, for `take_up` of another one."""
        smoothers = {number: smoother.to_json() for number, smoother in self._smoothers.items()}
        return {"file": self._file, "tracker": self._tracker.to_json(), "smoothers": smoothers}

    def take_up(self, said: dict) -> None:
        """Go on from what another one knew, before the first frame."""
        self._file = said["file"]
        self._tracker.take_up(said["tracker"])
        known = {int(number): smoother for number, smoother in said["smoothers"].items()}
        self._smoothers = {n: Smoother(self._over_s, self._coast_s).take_up(one) for n, one in known.items()}

    def _followed(self, file: str | None, time_s: float, faces: Sequence[Face], cut: bool) -> list[Face]:
        self._come_to(file)
        if cut:  # A face in the place of another one is somebody else now.
            self._tracker.forget()
        ids = self._tracker.update(time_s, [face.box for face in faces])
        known = {number: self._smoothers.get(number) for number in self._tracker.ids}
        self._smoothers = {number: s or Smoother(self._over_s, self._coast_s) for number, s in known.items()}
        return [self._with(face, number, time_s) for face, number in zip(faces, ids, strict=True)]

    def _come_to(self, file: str | None) -> None:
        if file != self._file:
            self._tracker.forget()
            self._file = file

    def _with(self, face: Face, number: int, time_s: float) -> Face:
        # One that came beyond the limit has been forgotten at once.
        smoother = self._smoothers.get(number) or Smoother(self._over_s, self._coast_s)
        counts = 1.0 if face.quality is None else face.quality
        return replace(face, id=number, smoothed=smoother.update(time_s, {} if face.unsure else face.answers, counts))
