"""What the plug-ins take and return: pictures, detections, crop geometries, answers and finished frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .answers import Age, Answer, Classes
from .areas import Areas
from .decimals import as_json, rounded

NO_AREAS = Areas()
UNSURE = "unsure"  # what is said of a face whose picture is too poor for answers about it


@dataclass(frozen=True, slots=True, eq=False)  # eq: arrays do not compare to one bool
class Picture:
    """One picture as a source yields it; its number is its place in the order of yielding."""

    pixels: np.ndarray  # uint8 (H, W, 3), BGR, upright, rows first, C-contiguous
    time: float  # seconds from the start of its file, or since the camera was opened; 0.0 for a still
    rate: float | None  # nominal frames a second of its video or camera; None for a still
    file: str | None = None  # which file of a folder or glob it comes from, relative, with /; None where there is one
    cut: bool = False  # it begins a shot: what it shows has nothing to do with the picture before it
    clock: float | None = None  # of a live source: when it came, in seconds since 1970

    def __post_init__(self) -> None:
        # Checked where a source makes it, because a socket would refuse it only much later.
        assert self.pixels.dtype == np.uint8 and self.pixels.ndim == 3 and self.pixels.flags.c_contiguous


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces found in one picture, normalised alike whichever detector found them; N may be 0.

    Ordered left to right, then top to bottom, so that the order does not depend on the detector's.
    """

    boxes: np.ndarray  # float64 (N, 4): x, y, width, height in pixels of the frame; may reach beyond its edges
    scores: np.ndarray  # float64 (N,): the detector's confidence in [0, 1]
    rolls: np.ndarray  # float64 (N,): degrees clockwise that a box is turned by, to be upright on its face; 0 unknown
    # float64 (N, 5, 2), pixels of the frame, perhaps beyond its edges: right eye, left eye, tip of the nose, right and
    # left corner of the mouth, where right is the person's own, the left of the picture. A face whose points cannot be
    # those of a face has NaN. None: the detector gives none.
    landmarks: np.ndarray | None = None
    # float64 (M, 4), such boxes of what may be a face, but not surely enough to be one of these; None: not looked for
    doubtful: np.ndarray | None = None

    def where(self, chosen: np.ndarray) -> Detections:
        """The faces of a boolean mask (N,) or of indices (n,)."""
        landmarks = None if self.landmarks is None else self.landmarks[chosen]
        return Detections(self.boxes[chosen], self.scores[chosen], self.rolls[chosen], landmarks, self.doubtful)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a face looks, in degrees; all 0 for one that looks into the camera, upright.

    Yaw and pitch are those of the face once it is upright: with a roll of 90 a pitch is still a nod.
    """

    yaw: float  # to the right of the picture, which is the person's left
    pitch: float  # up
    roll: float  # clockwise in the picture

    def to_json(self) -> dict[str, float | None]:
        """The object in results.jsonl."""
        return {"yaw": as_json(self.yaw), "pitch": as_json(self.pitch), "roll": as_json(self.roll)}


@dataclass(frozen=True, slots=True, order=True)
class CropGeometry:
    """What a model wants cut around a face: a square of `scale` times the box's side, warped to width x height."""

    width: int  # pixels
    height: int  # pixels
    channels: int  # 1 grey, 3 BGR
    scale: float  # side of the square, in units of the normalised box's


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a finished frame; an attribute whose stage gave no answer is absent.

    What is known of landmarks alone is None where the detector gives none, or none for this face.
    """

    box: tuple[float, float, float, float]  # x, y, width, height in pixels of the frame
    score: float  # the detector's, in [0, 1]
    answers: dict[str, Answer] = field(default_factory=dict)  # by stage, in the order of the config
    id: int | None = None  # stays with this face from frame to frame; None where faces are not followed
    smoothed: dict[str, Answer] = field(default_factory=dict)  # by stage: the answers over time, where it is followed
    landmarks: tuple[tuple[float, float], ...] | None = None  # five points as in `Detections`
    pose: Pose | None = None
    quality: float | None = None  # in [0, 1]: how good a picture of a face it is, `stages.vision.detectors.quality`
    unsure: bool = False  # its picture is too poor for answers about it to be told

    @property
    def shown(self) -> dict[str, Answer]:
        """The answers to display: the smoothed ones where there are any; for a poor picture only these.

        In the order of the configuration, whichever stages were asked about this frame, or a label would jump.
        """
        answers = {} if self.unsure else self.answers
        if self.smoothed.keys() <= answers.keys():
            return answers | self.smoothed
        return self.smoothed | {stage: answer for stage, answer in answers.items() if stage not in self.smoothed}

    @property
    def says_unsure(self) -> bool:
        """Whether all that is displayed is that its picture is too poor."""
        return self.unsure and not self.smoothed

    @property
    def gender(self) -> Classes | None:
        """The displayed answer of the stage `gender`; None where none is displayed, or it is of another kind."""
        return answer if isinstance(answer := self.shown.get("gender"), Classes) else None

    @property
    def emotion(self) -> Classes | None:
        """The same of the stage `emotion`."""
        return answer if isinstance(answer := self.shown.get("emotion"), Classes) else None

    @property
    def age(self) -> Age | None:
        """The same of the stage `age`; a model of groups of ages gives `Classes`: see `answers`."""
        return answer if isinstance(answer := self.shown.get("age"), Age) else None

    def to_json(self) -> dict:
        """The object in results.jsonl: numbers rounded to four decimals, what is not known left out."""
        written = {} if self.id is None else {"id": self.id}
        written |= {"box": [as_json(value) for value in self.box], "score": as_json(self.score)}
        if self.landmarks is not None:
            written["landmarks"] = [[as_json(x), as_json(y)] for x, y in self.landmarks]
        if self.pose is not None:
            written["pose"] = self.pose.to_json()
        if self.quality is not None:
            written["quality"] = as_json(self.quality)
        if self.unsure:
            written["unsure"] = True
        written |= {stage: answer.to_json() for stage, answer in self.answers.items()}
        if self.smoothed:
            written["smoothed"] = {stage: answer.to_json() for stage, answer in self.smoothed.items()}
        return written


def marked(face: Face, landmarks: Sequence[float], pose: Sequence[float], quality: float | None) -> Face:
    """The face with its landmarks, x, y of five points, yaw, pitch and roll; as it is where there are none."""
    if not landmarks:
        return face
    points = tuple(zip(landmarks[::2], landmarks[1::2], strict=True))
    return replace(face, landmarks=points, pose=Pose(*pose), quality=quality)


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where the label box of a face is drawn, as a choice: beside the face, wherever that goes."""

    choice: int  # which of the label boxes that the face could have
    side: int  # of the face
    capital: int  # height of its capitals in pixels
    shift: tuple[float, float] = (0.0, 0.0)  # right and down from there, in sides of the face: it is on its way


@dataclass(frozen=True, slots=True, eq=False)
class FinishedFrame:
    """A joined frame on its way to the outputs."""

    source: str
    frame: int  # counts from 0 within the source
    picture: Picture
    faces: list[Face]
    missing: list[str] = field(default_factory=list)  # attribute stages whose answer was given up
    error: str | None = None  # why the frame could not be analysed at all
    areas: Areas = NO_AREAS  # the zones and lines of its source, to be drawn
    doubtful: list[tuple[float, float, float, float]] = field(default_factory=list)  # boxes of `Detections.doubtful`
    label_places: tuple[LabelPlace | None, ...] = ()  # of each face that is followed; None where it finds no room


def as_written(frame: FinishedFrame) -> FinishedFrame:
    """The frame with what a line of results.jsonl says of it and no more: numbers rounded, faces from left to right.

    What is remembered from frame to frame must be computed from these values alone: then the file is enough to
    remember it again.
    """
    faces = sorted(map(_rounded_face, frame.faces), key=lambda face: face.box)
    return replace(frame, picture=replace(frame.picture, time=rounded(frame.picture.time)), faces=faces)


def doubted(frame: FinishedFrame, unsure_below: float) -> FinishedFrame:
    """The frame with every face marked as `unsure` whose quality, as it is written, is below this."""
    faces = [
        replace(face, unsure=face.quality is not None and rounded(face.quality) < unsure_below) for face in frame.faces
    ]
    return replace(frame, faces=faces)


def _rounded_face(face: Face) -> Face:
    answers, smoothed = ({s: a.rounded() for s, a in said.items()} for said in (face.answers, face.smoothed))
    pose, points = face.pose, face.landmarks
    return replace(
        face,
        box=tuple(map(rounded, face.box)),
        score=rounded(face.score),
        answers=answers,
        smoothed=smoothed,
        landmarks=None if points is None else tuple((rounded(x), rounded(y)) for x, y in points),
        pose=None if pose is None else Pose(rounded(pose.yaw), rounded(pose.pitch), rounded(pose.roll)),
        quality=None if face.quality is None else rounded(face.quality),
    )
