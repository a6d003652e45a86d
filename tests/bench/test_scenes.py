"""Clips of which is known who is where: written and read back, and made with a photograph of one's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench import scenes
from bench.options import BenchError
from bench.scenes import CROSSING, RATE, Truth, crossing, main, read_truth, truth_path, write_truth


def test_the_crossing_shows_three_people_who_pass_each_other_again_and_again():
    times = np.arange(0, CROSSING.seconds, 1 / RATE)
    places = np.array([[actor.place(t)[0] for actor in CROSSING.actors] for t in times])
    orders = [tuple(np.argsort(row)) for row in places]
    assert sum(a != b for a, b in zip(orders, orders[1:], strict=False)) >= 12
    _, seen = CROSSING.at(0.0)
    assert {truth.person for truth in seen} == {"behind", "in the middle", "in front"}
    # Nobody is hidden for longer than a face keeps its number.
    hidden = {actor.person: 0 for actor in CROSSING.actors}
    step = 3  # drawing every frame would take ten seconds
    for t in times[:250:step]:
        there = {truth.person for truth in CROSSING.at(t)[1]}
        for person in hidden:
            hidden[person] = 0 if person in there else hidden[person] + step
            assert hidden[person] < RATE * 0.8


def test_who_is_where_comes_back_as_it_was_written(tmp_path):
    truths = [[Truth("one", 1.5, 2.5, 30.0)], []]
    write_truth(tmp_path / "clip.mp4", truths)
    assert read_truth(tmp_path / "clip.mp4") == (RATE, truths)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"rate": 25}', '{"rate": "x", "frames": []}', '{"rate": 25, "frames": [[{"x": 1}]]}']
)
def test_a_file_that_does_not_say_who_is_where_is_a_sentence(tmp_path, text):
    truth_path(tmp_path / "clip.mp4").write_text(text)
    with pytest.raises(BenchError, match="does not say who is where"):
        read_truth(tmp_path / "clip.mp4")


def test_a_photograph_of_ones_own_takes_the_place_of_the_one_who_is_mirrored(tmp_path, astronaut):
    cv2.imwrite(str(tmp_path / "third.png"), astronaut)
    scene = crossing(tmp_path / "third.png")
    assert [actor.mirrored for actor in scene.actors] == [False, False, False]
    picture, seen = scene.at(1.0)
    ours, _ = CROSSING.at(1.0)
    assert len(seen) >= 2 and (picture != ours).any()


def test_the_command_writes_clip_and_truth(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scenes, "CROSSING", scenes.replace(CROSSING, seconds=0.2))
    assert main([str(tmp_path / "clip.mp4")]) == 0
    assert "5 frames" in capsys.readouterr().out
    assert len(read_truth(tmp_path / "clip.mp4")[1]) == 5 and (tmp_path / "clip.mp4").stat().st_size > 1000


def test_a_photograph_without_a_face_and_a_name_that_is_no_video_are_sentences(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 90, np.uint8))
    assert main([str(tmp_path / "clip.mp4"), "--photograph", str(tmp_path / "grey.png")]) == 2
    assert "no face is found in" in capsys.readouterr().err
    assert main([str(tmp_path / "clip.avi")]) == 2
    assert "does not end in .mp4" in capsys.readouterr().err
