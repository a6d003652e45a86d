"""JAFFE: ten women, seven posed expressions; the emotion stands in the file name, YM.HA3.54.tiff."""

from __future__ import annotations

from pathlib import Path

from stages.config.schema import Detect, Haar
from stages.vision.detectors import make_detector
from train.data import EMOTIONS
from train.loaders.reading import Read, add_face, picture_in, pictures_below

CODES = {"AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "SA": "sad", "SU": "surprise", "NE": "neutral"}
DETECTION = Detect(detector="haar", longest_side=640, smallest_face=0.25, haar=Haar(step=1.1, neighbours=4))


def read_jaffe(folder: Path) -> Read:
    """All of it as the test part: ten people are too few to learn from and to test on.

    The portraits show the whole head, so the faces are found by the Haar detector.
    """
    read, finder = Read(), make_detector(DETECTION)
    for path in pictures_below(folder):
        words = path.name.split(".")
        emotion = CODES.get(words[1][:2].upper()) if len(words) >= 3 else None
        picture = picture_in(read, path) if emotion else None
        if emotion is None:
            read.skipped["file name not PERSON.EMOTION.NUMBER"] += 1
        elif picture is not None:
            boxes = finder.detect(picture).boxes
            if len(boxes):
                labels = {"emotion": EMOTIONS.index(emotion), "source": words[0]}
                add_face(read, picture, boxes[boxes[:, 2].argmax()], "test", labels)
            else:
                read.skipped["no face found"] += 1
    return read
