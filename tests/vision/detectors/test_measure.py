"""Measuring how a detector frames a face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.vision.crop import BoxNormalization
from stages.vision.detectors.detector import Found
from stages.vision.detectors.landmarks import POINTS
from stages.vision.detectors.measure import evenly, main, normalization_of, of_landmarks, table, with_border


class Told:
    """A backend that reports given boxes."""

    box_normalization = BoxNormalization(side=1.0)
    colour = False

    def __init__(self, *boxes, scores):
        self.boxes, self.scores = boxes, scores

    def find(self, pixels, smallest):
        assert pixels.ndim == 2
        return np.array(self.boxes, float), np.array(self.scores)


def test_the_constants_take_the_detectors_box_to_the_picture_within_the_border():
    bordered = with_border(np.zeros((96, 96, 3), np.uint8), side=200, border=100)
    assert bordered.shape == (400, 400, 3)
    told = normalization_of(Told((80, 60, 250, 250), scores=[0.9]), bordered, side=200, border=100)
    side, right, down = told[:3]
    box = BoxNormalization(side, right, down).normalised(np.array([[80, 60, 250, 250]]))
    np.testing.assert_allclose(box, [[100, 100, 200, 200]])


def test_of_several_boxes_the_surest_that_can_be_the_face_counts():
    bordered = np.zeros((400, 400, 3), np.uint8)
    boxes = Told((100, 100, 200, 200), (110, 100, 200, 200), (0, 0, 50, 50), scores=[0.2, 0.4, 0.9])
    assert normalization_of(boxes, bordered, side=200, border=100)[:3] == (1.0, -0.05, 0.0)


def test_no_box_that_can_be_the_face_is_not_a_number():
    bordered = np.zeros((400, 400, 3), np.uint8)
    assert np.isnan(normalization_of(Told((0, 0, 50, 50), scores=[0.9]), bordered, side=200, border=100)).all()


def test_landmarks_are_told_in_units_of_the_square_with_how_evenly_it_frames_faces():
    told = Told((100, 100, 200, 200), scores=[0.9])
    told.find = lambda pixels, smallest: Found([(100, 100, 200, 200)], [0.9], [100 + 200 * POINTS])
    seen = normalization_of(told, np.zeros((400, 400, 3), np.uint8), side=200, border=100)
    points = np.reshape(seen[3:], (1, 5, 2))
    np.testing.assert_allclose(points[0], POINTS)
    places, square = of_landmarks("yunet", points)
    assert places.startswith("yunet: eyes, nose, corners of the mouth of 1 faces at (0.291, 0.285) (0.683, 0.285)")
    assert "square 1.000;" in square and "roll 0.0 degrees" in square


def test_the_table_is_over_the_faces_that_all_detectors_found():
    nothing = (np.nan,) * 3
    rows = {
        "haar": np.array([(1.0, 0.1, 0.2), (1.2, 0.1, 0.2), (9.0, 9.0, 9.0)]),
        "dlib": np.array([(2.0, 0.3, 0.4), (2.0, 0.3, 0.4), nothing]),
    }
    lines = table(rows).splitlines()
    assert lines[0].startswith("2 of 3 pictures")
    assert lines[2].split()[:6] == ["haar", "3", "1.100", "(1.020", "to", "1.180)"]
    assert lines[3].split()[:3] == ["dlib", "2", "2.000"]


def test_a_selection_is_spread_evenly_and_never_larger_than_what_there_is():
    assert evenly(list(range(100)), 5) == [0, 24, 49, 74, 99]
    assert evenly([1, 2], 5) == [1, 2]
    assert evenly([], 5) == []


def test_the_command_measures_the_pictures_of_a_folder(tmp_path, monkeypatch, capsys, astronaut):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), astronaut[68:180, 166 + i : 278 + i])
    (tmp_path / "notes.txt").write_text("not a picture")
    monkeypatch.setattr("sys.argv", ["measure", str(tmp_path)])
    main()
    [haar] = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("haar")]
    assert haar[:2] == ["haar", "4"]
    assert float(haar[2]) == pytest.approx(1.2, abs=0.15)  # her box by Haar is a fifth smaller than by her landmarks


def test_a_folder_without_pictures_is_said_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["measure", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no picture" in capsys.readouterr().err
