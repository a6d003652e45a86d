"""What five landmarks say: the upright square around a face, and where it looks."""

from __future__ import annotations

import numpy as np
import pytest

from stages.vision.detectors.landmarks import DEPTHS, POINTS, looks, upright

SIDE = 100.0  # of the squares around rendered heads


def rendered(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, error: float = 0.0, seed: int = 0) -> np.ndarray:
    """Landmarks (1, 5, 2) of a head around (300, 200), six sides from the camera; angles as in `Pose`, in degrees."""
    y, p, r = np.radians([-yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    x, y, away = about_z @ about_y @ about_x @ (SIDE * np.column_stack([POINTS - 0.5, DEPTHS])).T
    seen = np.column_stack([x, y]) * (6 * SIDE / (6 * SIDE + away))[:, None]
    return (seen + np.random.default_rng(seed).normal(0, error * SIDE, seen.shape) + (300, 200))[None]


def pose(landmarks: np.ndarray) -> list[float]:
    """Yaw, pitch and roll."""
    boxes, rolls = upright(landmarks)
    return [*looks(landmarks, boxes, rolls)[0], rolls[0]]


def test_a_face_that_looks_into_the_camera_fills_its_square_as_in_the_training_pictures():
    landmarks = (np.array([40, 70]) + 120 * POINTS)[None]
    boxes, rolls = upright(landmarks)
    np.testing.assert_allclose(boxes, [[40, 70, 120, 120]])
    np.testing.assert_allclose([rolls[0], *looks(landmarks, boxes, rolls)[0]], 0, atol=1e-9)


@pytest.mark.parametrize("roll", [-170, -90, -45, 0, 15, 30, 89, 135, 180])
def test_a_tilted_face_has_the_same_square_turned_with_it(roll):
    turn = np.exp(1j * np.radians(roll))
    turned = ((POINTS - 0.5) @ np.array([1, 1j])) * turn * 120
    landmarks = np.stack([turned.real + 300, turned.imag + 200], axis=1)[None]
    boxes, rolls = upright(landmarks)
    np.testing.assert_allclose(boxes, [[240, 140, 120, 120]])
    assert np.exp(1j * np.radians(rolls[0])) == pytest.approx(turn)


@pytest.mark.parametrize("yaw", [-75, -60, -45, -30, 30, 45, 60, 75])
def test_a_head_that_turns_away_keeps_its_size_and_stays_upright(yaw):
    boxes, rolls = upright(rendered(yaw))
    assert boxes[0, 2] == pytest.approx(upright(rendered())[0][0, 2], rel=0.16)
    assert abs(rolls[0]) < 4


@pytest.mark.parametrize(
    ("angles", "word"),
    [((30, 0, 0), "to the right of the picture"), ((0, 20, 0), "up"), ((0, 0, 25), "clockwise")],
)
def test_the_nose_points_where_the_angles_say(angles, word):
    landmarks = rendered(*angles)
    assert pose(landmarks) == pytest.approx(angles, abs=4)
    right_eye, left_eye, nose = landmarks[0, :3]
    assert {
        "to the right of the picture": nose[0] > 305,
        "up": nose[1] < np.mean([right_eye, left_eye], axis=0)[1] + 22,
        "clockwise": left_eye[1] > right_eye[1] + 10,
    }[word]


@pytest.mark.parametrize(("yaw", "off"), [(0, 4), (15, 4), (30, 5), (45, 5), (60, 8), (75, 10)])
def test_of_rendered_heads_the_angles_are_told_within_a_few_degrees(yaw, off):
    rng = np.random.default_rng(yaw)
    errors = []
    for seed in range(100):
        pitch, roll = rng.uniform(-20, 20), rng.uniform(-45, 45)
        errors.append(np.abs(np.subtract(pose(rendered(yaw, pitch, roll, 0.012, seed)), (yaw, pitch, roll))))
    assert (np.mean(errors, axis=0) < off).all()


def test_a_mirrored_face_looks_the_other_way():
    landmarks = rendered(35, 10, 12, error=0.01)
    mirrored = landmarks[:, [1, 0, 2, 4, 3]] * (-1, 1) + (600, 0)
    yaw, pitch, roll = pose(landmarks)
    assert pose(mirrored) == pytest.approx([-yaw, pitch, -roll])


NAN, INF = float("nan"), float("inf")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 77.0),
        np.full((5, 2), NAN),
        np.full((5, 2), INF),
        np.array([*POINTS[:4], (NAN, 0.5)]),
        1e200 * POINTS,
        POINTS * (-1, 1),
        POINTS[[2, 3, 0, 1, 4]],
    ],
    ids=["zero", "equal", "nan", "infinite", "one-nan", "huge", "mirrored", "mixed-up"],
)
def test_points_that_are_not_those_of_a_face_have_no_square(points):
    boxes, rolls = upright(np.stack([points, POINTS]))
    assert np.isnan(boxes[0]).all() and np.isnan(rolls[0])
    np.testing.assert_allclose(boxes[1], [0, 0, 1, 1], atol=1e-9)


def test_no_landmarks_are_arrays_without_rows():
    boxes, rolls = upright(np.zeros((0, 5, 2)))
    assert boxes.shape == (0, 4) and rolls.shape == (0,)
    assert looks(np.zeros((0, 5, 2)), boxes, rolls).shape == (0, 2)


def test_whatever_the_points_what_has_a_square_has_angles_and_the_bits_depend_on_no_other_face():
    rng = np.random.default_rng(0)
    landmarks = rng.normal(0, 1, (2000, 5, 2)) * 10 ** rng.uniform(-3, 6, (2000, 1, 1))
    boxes, rolls = upright(landmarks)
    known = np.isfinite(rolls)
    assert 0.1 < known.mean() < 0.9
    angles = looks(landmarks[known], boxes[known], rolls[known])
    assert np.isfinite(angles).all() and (np.abs(angles) <= (180, 90)).all()
    alone = [upright(one[None]) for one in landmarks]
    np.testing.assert_array_equal(boxes, np.concatenate([box for box, _ in alone]))
    np.testing.assert_array_equal(rolls, np.concatenate([roll for _, roll in alone]))


@pytest.mark.filterwarnings("error")
def test_points_in_one_line_as_of_a_profile_have_angles_too():
    landmarks = np.array([[(50.0, 10), (50, 10), (50, 40), (50, 60), (50, 60)]])
    boxes, rolls = upright(landmarks)
    assert np.isfinite(boxes).all() and rolls[0] == pytest.approx(0)
    assert np.isfinite(looks(landmarks, boxes, rolls)).all()
