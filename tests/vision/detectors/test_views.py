"""Faces that are found in another view of a picture are doubtful, where they are in the picture itself."""

from __future__ import annotations

import cv2
import numpy as np

from stages.config.schema import Detect
from stages.vision.crop import BoxNormalization
from stages.vision.detectors import make_detector
from stages.vision.detectors.detector import Detector, overlaps
from stages.vision.detectors.views import Views

SETTINGS = Detect(longest_side=640, smallest_face=0.03)


class BrightSpots:
    """A backend to which everything bright is a face, of the score `score`; the third of the picture at `blind` is dark
    to it."""

    box_normalization, colour, min_face = BoxNormalization(side=1.0), True, 1.0

    def __init__(self, score: float, blind: slice = slice(0)):
        self.score, self.blind = score, blind

    def find(self, pixels, smallest):
        seen = pixels.max(axis=2)
        seen[:, self.blind] = 0
        _, _, stats, _ = cv2.connectedComponentsWithStats((seen > 150).astype(np.uint8))
        return stats[1:, :4].astype(float), np.full(len(stats) - 1, self.score)


def spot(*places: tuple[int, int]) -> np.ndarray:
    pixels = np.zeros((360, 640, 3), np.uint8)
    for x, y in places:
        pixels[y : y + 40, x : x + 40] = 255
    return pixels


def doubtful(pixels: np.ndarray, picture: BrightSpots, same_size: BrightSpots, smaller: BrightSpots) -> np.ndarray:
    found = Detector(picture, SETTINGS, 0.5, Views(same_size, smaller, 0.35)).detect(pixels)
    return np.round(found.doubtful).astype(int)


def test_a_face_that_only_the_mirrored_picture_shows_is_where_it_is_in_the_picture():
    nothing, blind_to_the_left = BrightSpots(0.0), BrightSpots(0.4, blind=slice(0, 320))
    assert doubtful(spot((100, 60)), blind_to_the_left, blind_to_the_left, nothing).tolist() == [[100, 60, 40, 40]]


def test_a_face_that_only_the_smaller_picture_shows_has_its_size_in_the_picture():
    nothing = BrightSpots(0.0)
    [found] = doubtful(spot((100, 60)), BrightSpots(0.9, blind=slice(0, 320)), nothing, BrightSpots(0.4))
    assert np.abs(found - (100, 60, 40, 40)).max() <= 2


def test_what_is_told_already_or_too_unsure_in_a_view_is_not_doubtful():
    pixels, sure, unsure = spot((100, 60)), BrightSpots(0.9), BrightSpots(0.3)
    assert doubtful(pixels, sure, BrightSpots(0.9), BrightSpots(0.9)).tolist() == []
    assert doubtful(pixels, BrightSpots(0.9, blind=slice(0, 320)), unsure, unsure).tolist() == []


def test_a_face_in_the_dark_is_hidden_too(astronaut):
    [face] = make_detector(SETTINGS).detect(astronaut).boxes
    found = make_detector(SETTINGS, doubts=True).detect((0.02 * astronaut).astype(np.uint8))
    assert not len(found.boxes) and overlaps(face, found.doubtful).max() > 0.5
