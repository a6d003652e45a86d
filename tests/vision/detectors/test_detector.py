"""What all detectors share, shown with a backend that says what it is told to."""

from __future__ import annotations

import numpy as np
import pytest

from stages.config.schema import Detect
from stages.frames import Detections
from stages.vision.crop import BoxNormalization
from stages.vision.detectors import make_detector
from stages.vision.detectors.detector import Detector, Found, one_per_face, overlap
from stages.vision.detectors.landmarks import POINTS


class Told:
    """A backend that reports given boxes and remembers what it was asked."""

    box_normalization = BoxNormalization(side=1.0)
    colour = True
    seen = None

    def __init__(self, *boxes, scores=None, colour=True, side=1.0, min_face=1.0):
        self.boxes, self.scores = np.array(boxes, float).reshape(-1, 4), scores or [0.5] * len(boxes)
        self.colour, self.min_face, self.box_normalization = colour, min_face, BoxNormalization(side=side)

    def find(self, pixels, smallest):
        self.seen, self.smallest = pixels, smallest
        return self.boxes, np.array(self.scores, float)


class WithLandmarks(Told):
    """One that also reports given landmarks."""

    def __init__(self, *boxes, landmarks, scores=None, side=1.0):
        super().__init__(*boxes, scores=scores, side=side)
        self.landmarks = np.array(landmarks, float)

    def find(self, pixels, smallest):
        return Found(*super().find(pixels, smallest), self.landmarks)


def points(x: float, y: float, side: float, roll: float = 0.0) -> np.ndarray:
    """The landmarks of a face that fills this square, turned clockwise in it."""
    turned = ((POINTS - 0.5) @ np.array([1, 1j])) * np.exp(1j * np.radians(roll)) * side
    return np.stack([turned.real + x + side / 2, turned.imag + y + side / 2], axis=1)


def detect(backend: Told, height: int, width: int, longest_side: int = 640, smallest_face: float = 0.1):
    pixels = np.full((height, width, 3), (10, 20, 30), np.uint8)
    return Detector(backend, Detect(longest_side=longest_side, smallest_face=smallest_face)).detect(pixels)


def test_a_large_picture_is_looked_at_small_and_its_boxes_are_in_pixels_of_the_frame():
    backend = Told((32, 16, 80, 80))
    found = detect(backend, 720, 1280)
    assert backend.seen.shape == (360, 640, 3)
    assert found.boxes.tolist() == [[64, 32, 160, 160]]


def test_each_side_is_mapped_back_by_its_own_ratio():
    backend = Told((0, 0, 640, 1))
    found = detect(backend, 3, 1000, smallest_face=0.5)
    assert backend.seen.shape == (2, 640, 3)
    assert found.boxes[0].tolist() == [0, 0.75 - 500, 1000, 1000]


def test_shrinking_averages_areas():
    pixels = np.zeros((1280, 1280, 3), np.uint8)
    pixels[::4, ::4] = 160
    backend = Told()
    Detector(backend, Detect(longest_side=320, smallest_face=0.1)).detect(pixels)
    assert (backend.seen == 10).all()


def test_a_picture_that_is_small_enough_is_looked_at_as_it_is():
    backend = Told()
    detect(backend, 200, 300)
    assert backend.seen.shape == (200, 300, 3)


def test_a_small_picture_grows_until_the_backend_can_see_the_smallest_face_wanted():
    backend = Told((0, 0, 50, 50), min_face=30.0)
    found = detect(backend, 120, 200)  # the smallest face wanted has 12 pixels
    assert backend.seen.shape == (300, 500, 3)
    assert backend.smallest == 30
    assert found.boxes.tolist() == [[0, 0, 20, 20]]


def test_a_picture_never_grows_beyond_the_longest_side():
    backend = Told(min_face=30.0)
    detect(backend, 120, 200, longest_side=300)
    assert backend.seen.shape == (180, 300, 3)


def test_a_picture_never_grows_for_the_sake_of_faces_of_less_than_8_pixels():
    backend = Told(min_face=16.0)
    detect(backend, 20, 30)
    assert backend.seen.shape == (40, 60, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 10_000), (10_000, 2), (9, 640)])
def test_a_picture_without_room_for_a_face_is_not_looked_at(height, width):
    backend = Told((0, 0, 5, 5), min_face=20.0)
    assert len(detect(backend, height, width).boxes) == 0
    assert backend.seen is None


def test_a_backend_that_looks_at_grey_gets_luma():
    backend = Told(colour=False)
    detect(backend, 100, 100)
    assert backend.seen.shape == (100, 100)
    assert backend.seen[0, 0] == round(0.114 * 10 + 0.587 * 20 + 0.299 * 30)


def test_the_smallest_face_is_a_share_of_the_shorter_side_and_measured_by_the_normalised_box():
    backend = Told((0, 0, 24, 24), (100, 0, 26, 26), side=2.0)
    found = detect(backend, 500, 600)
    assert backend.smallest == 25
    assert found.boxes[:, 2].tolist() == [52]


def test_faces_are_ordered_left_to_right_then_top_to_bottom():
    found = detect(Told((200, 5, 80, 80), (5, 300, 80, 80), (5, 100, 80, 80), scores=[0.1, 0.2, 0.3]), 480, 640)
    assert found.boxes[:, :2].tolist() == [[5, 100], [5, 300], [200, 5]]
    assert found.scores.tolist() == [0.3, 0.2, 0.1]


def test_two_boxes_of_one_face_become_the_more_certain_one():
    found = detect(Told((100, 100, 80, 80), (105, 100, 90, 90), (300, 100, 80, 80), scores=[0.6, 0.9, 0.2]), 480, 640)
    assert found.boxes[:, 0].tolist() == [105, 300]
    assert found.scores.tolist() == [0.9, 0.2]


def test_neighbours_that_overlap_a_little_are_two_faces():
    assert len(detect(Told((100, 100, 80, 80), (140, 100, 80, 80)), 480, 640).boxes) == 2


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_the_order_in_which_a_backend_reports_does_not_matter(order):
    boxes = np.array([[100.0, 100, 80, 80], [102, 100, 80, 80], [140, 100, 80, 80]])[order]
    found = one_per_face(Detections(boxes, np.array([0.5, 0.5, 0.5]), np.zeros(3)))
    assert found.boxes[:, 0].tolist() == [100, 140]


def test_scores_end_in_zero_to_one():
    found = detect(Told((0, 0, 80, 80), (200, 0, 80, 80), (400, 0, 80, 80), scores=[-0.2, 0.4, 1.3]), 480, 640)
    assert found.scores.tolist() == [0.0, 0.4, 1.0]


def test_what_is_not_finite_or_has_no_area_is_no_face():
    nan, inf = float("nan"), float("inf")
    boxes = [(nan, 0, 80, 80), (0, 0, inf, 80), (0, 0, 0, 0), (9, 9, -80, -80), (1, 1, 80, 80), (200, 1, 80, 80)]
    found = detect(Told(*boxes, scores=[0.5, 0.5, 0.5, 0.5, nan, 0.7]), 480, 640)
    assert found.boxes.tolist() == [[200, 1, 80, 80]]


def test_no_faces_are_arrays_without_rows():
    found = detect(Told(), 480, 640)
    assert found.boxes.shape == (0, 4) and found.boxes.dtype == np.float64
    assert found.scores.shape == (0,) and found.scores.dtype == np.float64


def test_where_there_are_landmarks_the_square_stands_upright_on_them():
    found = detect(WithLandmarks((90, 90, 110, 110), landmarks=[points(100, 100, 80, roll=30)]), 480, 640)
    np.testing.assert_allclose(found.boxes, [[100, 100, 80, 80]])
    np.testing.assert_allclose(found.rolls, [30])
    np.testing.assert_allclose(found.landmarks, [points(100, 100, 80, roll=30)])


def test_without_landmarks_squares_are_level_and_nothing_is_said_of_points():
    found = detect(Told((32, 16, 80, 80)), 480, 640)
    assert found.rolls.tolist() == [0.0] and found.landmarks is None


def test_landmarks_are_in_pixels_of_the_frame_by_each_side_s_own_ratio():
    found = detect(WithLandmarks((32, 16, 80, 80), landmarks=[points(32, 16, 80)]), 720, 1280)
    np.testing.assert_allclose(found.landmarks, [2 * points(32, 16, 80)])
    np.testing.assert_allclose(found.boxes, [[64, 32, 160, 160]])


@pytest.mark.parametrize(
    "nonsense",
    [
        np.full((5, 2), np.nan),
        np.full((5, 2), 60.0),
        np.full((5, 2), np.inf),
        points(400, 300, 80),
        points(32, 16, 900),
    ],
    ids=["nan", "equal", "infinite", "elsewhere", "far-larger"],
)
def test_a_face_whose_landmarks_are_nonsense_is_framed_by_its_box_and_has_none(nonsense):
    found = detect(
        WithLandmarks((32, 16, 80, 80), (300, 16, 80, 80), landmarks=[nonsense, points(300, 16, 80)]), 480, 640
    )
    np.testing.assert_allclose(found.boxes, [[32, 16, 80, 80], [300, 16, 80, 80]])
    assert np.isnan(found.landmarks[0]).all() and found.rolls[0] == 0
    np.testing.assert_allclose(found.landmarks[1], points(300, 16, 80))


def test_a_face_at_the_edge_has_landmarks_beyond_it():
    found = detect(WithLandmarks((-30, -20, 80, 80), landmarks=[points(-30, -20, 80)]), 480, 640)
    np.testing.assert_allclose(found.boxes, [[-30, -20, 80, 80]])
    assert found.landmarks.min() < 0


def test_landmarks_stay_with_their_face_when_faces_are_ordered_and_left_out():
    faces = [(200, 5, 80, 80), (5, 300, 80, 80), (205, 5, 80, 80), (5, 100, 80, 80)]
    landmarks = [points(x, y, side, roll=x) for x, y, side, _ in faces]
    nan = float("nan")
    found = detect(
        WithLandmarks(
            (nan, 0, 9, 9), *faces, landmarks=[points(0, 0, 9), *landmarks], scores=[0.9, 0.1, 0.2, 0.3, 0.4]
        ),
        480,
        640,
    )
    np.testing.assert_allclose(found.boxes[:, :2], [[5, 100], [5, 300], [205, 5]])
    np.testing.assert_allclose(found.landmarks, [landmarks[3], landmarks[1], landmarks[2]])
    np.testing.assert_allclose(np.cos(np.radians(found.rolls)), np.cos(np.radians([5, 5, 205])))


def test_a_crowd_of_500_faces_has_landmarks_for_each():
    places = [(18.0 * (n % 35), 18.0 * (n // 35), 16.0, 16.0) for n in range(500)]
    backend = WithLandmarks(*places, landmarks=[points(*place[:3], roll=10) for place in places])
    found = detect(backend, 480, 640, smallest_face=0.01)
    assert len(found.boxes) == len(found.landmarks) == 500
    np.testing.assert_allclose(found.rolls, 10)


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0
    assert overlap((0, 0, 10, 10), (20, 20, 10, 10)) == 0
    assert overlap((3, 4, 10, 20), (3, 4, 10, 20)) == 1


def test_what_is_too_unsure_to_be_a_face_is_doubtful_and_leaves_the_faces_as_they_are():
    backend = Told((10, 10, 60, 60), (12, 10, 60, 60), (200, 10, 60, 60), scores=[0.9, 0.4, 0.3])
    pixels = np.zeros((360, 640, 3), np.uint8)
    settings = Detect(longest_side=640, smallest_face=0.1)
    found = Detector(backend, settings, told_from=0.5).detect(pixels)
    assert (found.boxes.tolist(), found.scores.tolist()) == ([[10, 10, 60, 60]], [0.9])
    assert found.doubtful.tolist() == [[200, 10, 60, 60]]  # The other one is the same face once more.
    assert Detector(backend, settings).detect(pixels).doubtful is None


def test_only_where_it_is_asked_for_and_the_detector_can_tell_is_there_anything_doubtful(astronaut):
    usual, more = (make_detector(Detect(), doubts=doubts).detect(astronaut) for doubts in (False, True))
    assert usual.doubtful is None and more.doubtful.shape[1:] == (4,)
    assert (usual.boxes == more.boxes).all() and (usual.scores == more.scores).all()
    assert make_detector(Detect(detector="haar"), doubts=True).detect(astronaut).doubtful is None
