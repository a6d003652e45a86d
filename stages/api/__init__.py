"""facepipe as a library: `import facepipe`."""

from __future__ import annotations

from ..answers import Age, Answer, Classes, Value
from ..errors import FacepipeError
from ..frames import Face, Pose
from .analysis import analyze, annotate
from .frame import Frame
from .pictures import NotAPicture
from .results import NotInstalled, Run, read
from .streaming import RunFailed, Stream, stream

__all__ = [
    "Age",
    "Answer",
    "Classes",
    "Face",
    "FacepipeError",
    "Frame",
    "NotAPicture",
    "NotInstalled",
    "Pose",
    "Run",
    "RunFailed",
    "Stream",
    "Value",
    "analyze",
    "annotate",
    "read",
    "stream",
]
