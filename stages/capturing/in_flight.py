"""The pictures that are under way and the crops of their faces, and the messages that are made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..delivery.grants import Assignment, Grants
from ..frames import CropGeometry, Picture
from ..protocol.messages import Crops, Encoded, FaceCrops, Frame, FramePicture, Preview
from ..supervision.stage import Settings
from .encoding import FrameEncoding


@dataclass(frozen=True, slots=True)
class Assignee:
    """To which worker a task is given, and what its grant is signed with."""

    worker: int  # its number in the dispatcher
    grants: Grants


class InFlightStore:
    """What capture keeps of each frame until render has acknowledged it.

    Every message is told whose it is: `about` has its run, epoch and source.
    """

    def __init__(self, settings: Settings):
        self.pictures: dict[int, Picture] = {}
        self.crops: dict[int, FaceCrops] = {}
        self._asked: dict[int, tuple[str, ...]] = {}  # by frame, the attribute stages that are asked about it
        self._geometries = asked_for(
            {s: CropGeometry(c.width, c.height, c.channels, c.scale) for s, c in settings.cards.items()}
        )
        self._encoding = FrameEncoding(settings)

    def add(self, frame: int, picture: Picture, asked: tuple[str, ...]) -> None:
        """Keep a picture, which these attribute stages are asked about."""
        self.pictures[frame], self._asked[frame] = picture, asked

    def ask(self, frame: int, asked: tuple[str, ...]) -> None:
        """It is these attribute stages that are asked about a frame."""
        self._asked[frame] = asked

    def forget(self, frame: int) -> None:
        self.pictures.pop(frame, None)
        self.crops.pop(frame, None)
        self._asked.pop(frame, None)

    def clear(self) -> None:
        """Forget everything."""
        self.pictures.clear()
        self.crops.clear()
        self._asked.clear()

    def flaw(self, crops: FaceCrops, assignment: Assignment) -> str | None:
        """Why these are not the crops that were asked for; None if they are."""
        if (crops.frame, crops.attempt, "detect") != (assignment.frame, assignment.attempt, assignment.stage):
            return f"is for frame {crops.frame}, which it was not given"
        if crops.frame not in self._asked:
            return None  # The frame is done, so they are no more wanted, whatever they are.
        wanted = self._wanted(crops.frame) if crops.faces else {}
        asked = [(crops.faces, g.height, g.width, g.channels) for g in wanted]
        if [array.shape for array in crops.arrays] != asked:
            return "has other crops than were asked for"
        return None

    def for_detect(
        self,
        frame: int,
        seq: int,
        attempt: int,
        skip: tuple[str, ...],
        *,
        beyond: bool,
        assignee: Assignee,
        about: dict,
    ) -> Frame:
        """A picture, and which crops are wanted of it; `beyond`: whether this detect is on another machine."""
        wanted = self._wanted(frame)
        geometries = [(g.width, g.height, g.channels, g.scale, stages) for g, stages in wanted.items()]
        array = self._encoding.to_detect(frame, self.pictures[frame].pixels, beyond)
        return Frame(
            frame=frame,
            seq=seq,
            attempt=attempt,
            skip=list(skip),
            geometries=geometries,
            arrays=(array,),
            grant=assignee.grants.sign(Assignment(assignee.worker, frame, attempt, 0, "", "detect")),
            **about,
        )

    def for_attribute(self, stage: str, frame: int, seq: int, *, assignee: Assignee, about: dict) -> Crops:
        """The crops that a stage wants of a frame."""
        crops = self.crops[frame]
        array = crops.arrays[[stage in stages for stages in self._wanted(frame).values()].index(True)]
        return Crops(
            frame=frame,
            seq=seq,
            attempt=crops.attempt,
            boxes_hash=crops.boxes_hash,
            spent=crops.spent,
            arrays=(array,),
            grant=assignee.grants.sign(
                Assignment(assignee.worker, frame, crops.attempt, crops.faces, crops.boxes_hash, stage)
            ),
            **about,
        )

    def for_render(self, frame: int, *, about: dict) -> FramePicture:
        """A picture with its time and file."""
        picture = self.pictures[frame]
        array = self._to_render(frame)
        return FramePicture(
            frame=frame,
            file=picture.file,
            time=picture.time,
            rate=picture.rate,
            asked=list(self._asked[frame]),
            cut=picture.cut,
            clock=picture.clock,
            arrays=(array,),
            **about,
        )

    def preview(self, frame: int, *, about: dict) -> Preview:
        """A picture to be shown at once."""
        return Preview(frame=frame, arrays=(self._to_render(frame),), **about)

    def _wanted(self, frame: int) -> dict[CropGeometry, list[str]]:
        """The crops that are wanted of a frame, and for which stages."""
        asked = self._asked[frame]
        wanted = {g: [stage for stage in stages if stage in asked] for g, stages in self._geometries.items()}
        return {geometry: stages for geometry, stages in wanted.items() if stages}

    def _to_render(self, frame: int) -> np.ndarray | Encoded:
        return self._encoding.to_render(frame, self.pictures[frame].pixels)


def asked_for(geometries: dict[str, CropGeometry]) -> dict[CropGeometry, list[str]]:
    """Which crops detect is to cut, and for which stages: equal ones are cut and sent once."""
    asked: dict[CropGeometry, list[str]] = {}
    for stage, geometry in geometries.items():
        asked.setdefault(geometry, []).append(stage)
    return asked
