"""How it is measured whether faces stay themselves: on lines and truths of a few faces."""

from __future__ import annotations

import pytest

from bench import tracking
from bench.options import Options, command
from bench.scenes import HEIGHT, SCENES, WIDTH, Scene, Truth
from bench.tracking import flips, follow

A, B = Truth("a", 100, 100, 50), Truth("b", 300, 100, 50)


def line(**faces: int) -> dict:
    """A line with faces at the places of a and b, and far from both, by their numbers."""
    places = {"a": 75, "b": 275, "nobody": 500}
    return {"faces": [{"id": number, "box": [places[who], 75, 50, 50]} for who, number in faces.items()]}


def told(*lines: dict, truth=(A, B)):
    tracked, _ = follow(lines, [truth] * len(lines))
    return tracked


def test_faces_that_keep_their_numbers_are_neither_switched_nor_lost():
    tracked = told(line(a=1, b=2), line(a=1), line(a=1, b=2, nobody=9))
    assert (tracked.people, tracked.switches, tracked.lost, tracked.others) == (2, 0, 0, 1)
    assert tracked.found == 5 / 6


def test_two_that_swap_their_numbers_are_two_switches():
    assert told(line(a=1, b=2), line(a=2, b=1)).switches == 2


def test_a_number_that_was_somebody_elses_is_a_switch_and_a_new_one_a_lost_track():
    assert told(line(a=1), line(b=1)).switches == 1
    tracked = told(line(a=1), line(a=3))
    assert (tracked.switches, tracked.lost) == (0, 1)


def test_a_box_beside_the_face_or_of_another_size_is_not_the_face():
    beside = {"faces": [{"id": 1, "box": [101, 75, 50, 50]}, {"id": 2, "box": [0, 0, 200, 200]}]}
    assert told(beside).found == 0


def test_flips_are_counted_from_frame_to_frame():
    assert flips(["happy", "happy", "sad", "happy"]) == 2
    assert flips([]) == 0


def test_a_scene_knows_who_can_be_seen():
    apart, together = (SCENES[0].at(time_s)[1] for time_s in (0.0, 3.52))
    assert [truth.person for truth in apart] == ["behind", "from the left", "from the right"]
    assert [truth.person for truth in together] == ["from the right"]


def test_what_is_measured_is_a_run_of_the_pipeline(tmp_path, monkeypatch):
    actor = SCENES[0].actors[1]
    monkeypatch.setattr(tracking, "SCENES", (Scene("short", 0.4, (actor,)),))
    keys = ("stages.detect.detector=haar", "stages.detect.replicas=1", "stages.detect.longest_side=480")
    figures = tracking.measure(Options(None, keys, None, 8, 1, frozenset(), None, tmp_path))
    said = {figure.what: figure.value for figure in figures}
    assert (said["short"], said["found"], said["identity switches"]) == (1, 100, 0)
    assert said["age: standard deviation, smoothed"] <= said["age: standard deviation, raw"]
    assert (WIDTH, HEIGHT) == (960, 540)


def test_a_clip_that_nobody_has_looked_at_is_refused_in_a_sentence(tmp_path, capsys):
    clip = tmp_path / "mine.mp4"
    clip.write_bytes(b"mine")
    assert command(tracking.measure, tracking.TITLE, ["--clip", str(clip)]) == 2
    assert "nobody has looked at" in capsys.readouterr().err


@pytest.mark.parametrize("person", tracking.HAMILTON_TRUTH)
def test_the_hand_counted_truth_is_in_order_and_in_the_picture(person):
    keys = tracking.HAMILTON_TRUTH[person]
    assert [key[0] for key in keys] == sorted({key[0] for key in keys})
    assert all(0 < x < 640 and 0 < y < 360 for _, x, y, _ in keys)
