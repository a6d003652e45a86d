"""What is done to a finished frame before it is shown, written or served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..config.schema import Pipeline
from ..decimals import rounded
from ..frames import FinishedFrame, LabelPlace, doubted
from ..protocol import limits
from ..results.jsonl import Line, as_line
from ..vision.anonymize import anonymize
from ..vision.following import follower_for
from ..vision.hiding import HiddenPlaces
from ..vision.tracking import Box
from .overlay.draw import annotate_frame
from .overlay.steady import SteadyLabels

HIDDEN = "hidden"  # the places that are hidden, among what is remembered


class PostProcessor:
    """Follows the faces of one source from frame to frame, anonymizes them if that is asked for, and draws."""

    def __init__(self, pipeline: Pipeline, source: str | None = None):
        """`source`: the name of one of several, whose zones and lines these are."""
        self._areas = pipeline.areas_of(source)
        self._follower = follower_for(pipeline)
        self._style, self._blur = pipeline.render.style, pipeline.render.blur
        self._hidden, self._to_hide = HiddenPlaces(pipeline.render.coast), []
        self._labels = SteadyLabels(self._style, self._areas)
        self._unsure_below = pipeline.render.unsure_below

    def finish(self, frame: FinishedFrame, all_known: bool = True) -> FinishedFrame:
        """The frame as it is written and shown; to be called once for each frame, in their order.

        `all_known`: whether the frame has every face that was found in its picture. With `blur` its picture is another
        one from here on, so that there is none that shows a face which was found.
        """
        frame = doubted(replace(frame, areas=self._areas), self._unsure_below)
        if self._follower:
            frame = self._follower.follow(frame)
        frame = replace(frame, label_places=self._remember(as_line(frame)))
        if self._blur == "none":
            return frame
        hidden = anonymize(frame.picture.pixels, self.to_anonymize(frame, all_known), self._blur)
        return replace(frame, picture=replace(frame.picture, pixels=hidden))

    def to_anonymize(self, frame: FinishedFrame, all_known: bool = True) -> list[Box] | None:
        """The boxes in which faces of the frame that was finished last may be; None: anywhere in the picture."""
        if frame.error is not None or not all_known:
            return None
        return self._to_hide

    def hidden_in(self, line: Line) -> list[Box]:
        """The boxes that are hidden in a frame, by its line; to be called for each line, in their order."""
        self.replay(line)
        return self._to_hide

    def draw(self, frame: FinishedFrame) -> np.ndarray:
        """The annotated picture of a finished frame: uint8 (H, W, 3) BGR."""
        return annotate_frame(frame, self._style)

    def replay(self, line: Line) -> None:
        """Remember what a line of results.jsonl says of its frame."""
        if self._follower:
            self._follower.replay(line.file, line.time, line.faces, line.cut)
        self._remember(line)

    def _remember(self, line: Line) -> tuple[LabelPlace | None, ...]:
        """Take what is written of a frame; return where its label boxes are."""
        boxes = [sorted(map(_rounded, of)) for of in ([face.box for face in line.faces], line.doubtful)]
        self._to_hide = self._hidden.update(line.file, rounded(line.time), *boxes, line.cut)
        said = {"file": line.file, "cut": line.cut, "missing": line.missing, "error": line.error}
        return self._labels.update(line.faces, line.width, line.height, line.time, **said)

    def to_json(self) -> dict:
        """What it remembers of the frames so far, for `take_up` of another one."""
        hidden = {} if self._blur == "none" else {HIDDEN: self._hidden.to_json()}
        return (self._follower.to_json() if self._follower else {}) | hidden

    def take_up(self, said: dict) -> None:
        """Go on from what another one remembered; raises `KeyError`, `TypeError` and `ValueError` for nothing such."""
        if self._follower and said:
            self._follower.take_up(said)
        if HIDDEN in said:
            self._hidden.take_up(said[HIDDEN])

    def note(self, source: str) -> str | None:
        """What a person should know of it, in a sentence."""
        forgotten = self._follower.forgotten if self._follower else 0
        if not forgotten:
            return None
        return f"{source}: {forgotten} faces lost their id: only {limits.TRACKS} are followed at once"


def _rounded(box: Box) -> Box:
    return tuple(map(rounded, box))
