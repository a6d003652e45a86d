"""The detector that comes along, from its card to the answers of the stage; nothing here hangs on its weights."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from stages.config.schema import Detect
from stages.detect import answerer
from stages.protocol import limits
from stages.protocol.messages import TO_RENDER, Frame, kinds, pack, unpack
from stages.supervision.worker import Identity
from stages.vision.detectors import make_detector, settings_hash
from stages.vision.detectors.card import load_detector_card
from stages.vision.detectors.cells import ANSWERS, cell_table
from stages.vision.detectors.detector import overlap
from stages.vision.detectors.face_net import FaceNet
from stages.vision.detectors.fast import CARD
from stages.vision.detectors.landmarks import POINTS, upright
from stages.vision.inference.fields import CardError

AS_IT_COMES = Detect(detector="fast").resolved()
GEOMETRY = [48, 48, 3, 1.4, ["age"]]


def detector(**changed):
    return make_detector(replace(AS_IT_COMES, **changed))


def card(tmp_path: Path, **changes) -> Path:
    """The card that comes along with other words in it, beside its file."""
    shutil.copy(load_detector_card(CARD).file, tmp_path)
    path = tmp_path / "mine.yaml"
    said = yaml.safe_load(CARD.read_text(encoding="utf-8")) | changes
    path.write_text(yaml.safe_dump({key: value for key, value in said.items() if value is not None}), encoding="utf-8")
    return path


def surest(found) -> int:
    return int(found.scores.argmax())


# --- Faces ---


def test_it_finds_the_face_of_a_portrait_without_any_setting_and_puts_it_upright(astronaut):
    found = detector().detect(astronaut)
    x, y, side, _ = found.boxes[surest(found)]
    # By hand: the eyes lie at (209, 103) and (246, 101).
    assert x + 0.30 * side == pytest.approx(209, abs=0.08 * side)
    assert x + 0.69 * side == pytest.approx(246, abs=0.08 * side)
    assert y + 0.285 * side == pytest.approx(102, abs=0.06 * side)
    assert abs(found.rolls[surest(found)]) < 8
    np.testing.assert_allclose(found.landmarks[surest(found), :2], [(209, 103), (246, 101)], atol=0.08 * side)


@pytest.mark.parametrize("tilt", [-45, -30, 30, 45])
def test_the_square_of_a_tilted_head_is_tilted_with_it(astronaut, tilt):
    """A detector whose landmarks stay level reports 0 here, and boxes look right. Tilted clockwise, about the face."""
    turn = cv2.getRotationMatrix2D((227, 120), -tilt, 1.0)
    tilted = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = detector().detect(tilted)
    assert found.rolls[surest(found)] == pytest.approx(tilt, abs=8)


def test_its_box_alone_frames_a_face_as_its_points_do(astronaut):
    """The card's framing is that from its box to the normalised one: it is needed where points are of no use."""
    read = load_detector_card(CARD)
    boxes, points, _ = FaceNet(read).find(astronaut[:320, 70:390])
    [square], _ = upright(points[:1])
    assert overlap(read.box_normalization.normalised(boxes[:1])[0], square) > 0.75


def test_the_least_score_of_a_face_is_the_cards_or_what_is_said(astronaut):
    of_card = load_detector_card(CARD).score
    assert detector().detect(astronaut).scores.min() >= of_card
    assert len(detector(threshold=1.0).detect(astronaut).boxes) == 0
    assert len(detector(threshold=0.0).detect(astronaut).boxes) > len(detector().detect(astronaut).boxes)
    same = [make_detector(replace(AS_IT_COMES, threshold=t)).detect(astronaut).boxes for t in (None, of_card)]
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3), (7, 7), (7, 640), (31, 33), (40, 3000)])
def test_a_picture_smaller_than_a_cell_of_the_net_or_hardly_wider_has_no_face(size):
    found = detector().detect(np.full((*size, 3), 90, np.uint8))
    assert (found.boxes.shape, found.scores.shape) == ((0, 4), (0,))


def test_a_face_that_reaches_beyond_the_picture_has_its_box_and_its_points_beyond_the_edge(monkeypatch):
    loaded = detector()
    monkeypatch.setattr(FaceNet, "answers", lambda net, shown: told(shown, (POINTS - 0.5) * 4))
    [answer] = answers(loaded, np.full((224, 320, 3), 90, np.uint8))
    said = unpack(pack(answer.to_render), kinds(*TO_RENDER))
    [box], [points] = said.boxes, said.landmarks
    assert box[0] < 0 and points[0] < 0 < points[2]
    assert answer.to_capture.arrays[0].shape == (1, 48, 48, 3)


@pytest.mark.parametrize("points", [np.full((5, 2), 1e30), np.zeros((5, 2)), (POINTS - 0.5) * 4 + 3000])
def test_points_that_are_none_of_the_face_leave_its_box(points, monkeypatch):
    loaded = detector()
    monkeypatch.setattr(FaceNet, "answers", lambda net, shown: told(shown, points))
    found = loaded.detect(np.full((224, 320, 3), 90, np.uint8))
    assert found.boxes.shape == (1, 4) and np.isfinite(found.boxes).all() and np.isnan(found.landmarks).all()


def told(shown: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Answers of the net with one sure face of 32 pixels, in the middle of the left edge: points in cells of 8."""
    height, width = shown.shape[:2]
    said = np.zeros((len(cell_table(height, width)), ANSWERS), np.float32)
    said[:, 0] = -9
    said[height // 16 * (width // 8), :] = [5, -0.5, 0, 0, 0, *points.ravel()]
    return said


def test_of_500_faces_the_surest_are_answered_and_the_rest_is_counted(astronaut):
    one = cv2.resize(astronaut[40:200, 150:310], (64, 64), interpolation=cv2.INTER_AREA)
    [answer] = answers(detector(longest_side=1600, smallest_face=0.01), np.tile(one, (20, 25, 1)))
    said = unpack(pack(answer.to_render), kinds(*TO_RENDER))
    assert len(said.boxes) == limits.FACES
    assert len(said.boxes) + said.capped > 400
    assert answer.to_capture.faces == limits.FACES


def answers(found_by, pixels: np.ndarray) -> list:
    identity = Identity("detect", "h", 0, 1, "ab")
    known = {"run": "r", "epoch": 1, "source": "s", "frame": 0, "seq": 1, "attempt": 1, "skip": []}
    return answerer(identity, found_by)([Frame(**known, geometries=[GEOMETRY], arrays=(pixels,))])


# --- Its file and its card ---


def test_another_card_is_named_as_the_model(tmp_path, astronaut):
    mine = card(tmp_path, score=0.9999)
    assert len(detector(model=str(mine)).detect(astronaut).boxes) == 0


@pytest.mark.parametrize("made", [make_detector, settings_hash])
def test_a_card_or_a_file_that_is_missing_is_one_sentence_before_anything_runs(made, tmp_path):
    with pytest.raises(CardError, match=r"none\.yaml: the model card cannot be read: No such file"):
        made(replace(AS_IT_COMES, model=str(tmp_path / "none.yaml")))
    mine = card(tmp_path)
    (tmp_path / "faces.tflite").unlink()
    with pytest.raises(CardError, match=r"faces\.tflite, which does not exist; put the model there\.$"):
        made(replace(AS_IT_COMES, model=str(mine)))


@pytest.mark.parametrize("made", [make_detector, settings_hash])
def test_a_file_that_is_not_the_one_the_card_means_is_refused_before_anything_runs(made, tmp_path):
    mine = card(tmp_path)
    with (tmp_path / "faces.tflite").open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(CardError, match=r"has the SHA-256 [0-9a-f]{64}, the card says [0-9a-f]{64}; put the right"):
        made(replace(AS_IT_COMES, model=str(mine)))


def test_a_damaged_file_whose_card_does_not_say_which_it_is_is_refused_when_it_is_loaded(tmp_path):
    mine = card(tmp_path, sha256=None)
    with (tmp_path / "faces.tflite").open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(CardError, match="is not a LiteRT model or is damaged"):
        detector(model=str(mine))


def test_a_card_that_contradicts_its_file_is_refused(tmp_path):
    golden = {"score": 0.01, "box": [1.0, 1.0, 9.0, 9.0], "tolerance": 0.02}
    with pytest.raises(CardError, match=r"in the test picture, the card says 0\.0100"):
        detector(model=str(card(tmp_path, golden=golden)))


@pytest.mark.parametrize("made", [make_detector, settings_hash])
def test_the_card_of_a_net_that_labels_faces_is_no_detectors(made):
    with pytest.raises(
        CardError,
        match=r"emotion\.yaml: task is 'classes'; write faces, the only task of a detector, or choose the card",
    ):
        made(replace(AS_IT_COMES, model=str(CARD.parent / "emotion.yaml")))


def test_what_it_computes_is_named_by_card_file_and_threshold_wherever_they_lie(tmp_path):
    def named(**changed) -> str:
        return settings_hash(replace(AS_IT_COMES, **changed))

    copy = card(tmp_path)
    assert named() == named(model=str(copy)) == named(threshold=load_detector_card(CARD).score)
    others = {named(threshold=0.9), named(longest_side=32), named(smallest_face=0.5)}
    for changes in ({"overlap": 0.3}, {"score": 0.9}, {"framing": {"side": 1.0, "right": 0.0, "down": 0.0}}):
        others.add(named(model=str(card(tmp_path, **changes))))
    assert len(others - {named()}) == 5  # Both ways to say 0.9 are one.


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("longest_side", [320, 448, 640])
def test_a_face_is_found_however_much_of_the_picture_it_fills(astronaut, share, longest_side):
    side = 106 / share  # of the picture around the face, whose square is 106 pixels wide
    corner = np.array([226, 128]) - side / 2
    scale = 720 / side
    to_close_up = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    close_up = cv2.warpAffine(astronaut, to_close_up, (720, 720), borderMode=cv2.BORDER_REPLICATE)
    found = detector(longest_side=longest_side).detect(close_up)
    assert overlap((360 - 360 * share, 360 - 360 * share, 720 * share, 720 * share), found.boxes[surest(found)]) > 0.7


def test_a_picture_has_the_same_faces_whatever_the_detector_saw_before(astronaut):
    tall, one = np.vstack([astronaut, astronaut]), detector()
    first = [one.detect(pixels).boxes.tolist() for pixels in (astronaut, tall, astronaut[:200])]
    again = [one.detect(pixels).boxes.tolist() for pixels in (astronaut[:200], tall, astronaut)]
    assert first == again[::-1]
