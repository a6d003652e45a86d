"""What is wrong with the faces that a detect says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stages.delivery.grants import Assignment
from stages.protocol.messages import Faces, hash_of_boxes
from stages.rendering.flaws import flaw_of

BOXES = [[0.0, 0.0, 9.0, 9.0], [20.0, 0.0, 9.0, 9.0]]
POINTS, POSE = [1.0] * 10, [0.0, 0.0, 5.0]
FACES = Faces(
    run="r",
    epoch=1,
    source="s",
    frame=3,
    attempt=1,
    replica=0,
    incarnation=1,
    boxes_hash=hash_of_boxes(BOXES, [5.0, 0.0]),
    boxes=BOXES,
    scores=[0.5, 0.5],
    capped=0,
    spent={},
    landmarks=[POINTS, []],
    poses=[POSE, []],
    qualities=[0.5, None],
)
TASK = Assignment(1, 3, 1, 0, "", "detect")


def test_faces_of_which_some_have_landmarks_are_taken():
    assert flaw_of(FACES, TASK, {}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"landmarks": []},
        {"landmarks": [POINTS]},
        {"landmarks": [[], POINTS]},
        {"poses": [POSE, POSE]},
        {"qualities": [0.5, 0.5]},
        {"qualities": [None, 0.5]},
        {"qualities": []},
        {"landmarks": [POINTS, [], []], "poses": [POSE, [], []], "qualities": [0.5, None, None]},
    ],
)
def test_landmarks_poses_and_qualities_belong_to_the_same_faces(changes):
    assert flaw_of(replace(FACES, **changes), TASK, {}) == "has landmarks, poses and qualities of different faces"


def test_a_roll_that_the_crops_were_not_cut_along_is_noticed():
    assert flaw_of(replace(FACES, poses=[[0.0, 0.0, 6.0], []]), TASK, {}) == "has boxes that are not those it names"
