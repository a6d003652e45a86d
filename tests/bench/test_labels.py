"""How it is measured whether label boxes stay where they are: on lines of a few faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.labels import has_jumped, steadiness
from stages.results.jsonl import Line
from tests.results.frames import face


def film(*frames: dict[int, float]) -> list[Line]:
    """Faces by their numbers, each at its x."""
    faces = [[replace(face(x, 120, 80), id=number) for number, x in places.items()] for places in frames]
    return [Line("clip.mp4", n, None, n / 25, 640, 360, of, [], None) for n, of in enumerate(faces)]


def test_the_label_box_of_somebody_who_walks_slowly_does_not_jump():
    lines = film(*({1: 100.0 + n} for n in range(50)))
    measured = steadiness(lines, "compact")
    assert (measured.jumps, measured.seconds, measured.without) == (0, 49 / 25, 0.0)


def test_people_who_cross_make_label_boxes_jump_only_where_each_frame_is_drawn_alone():
    crossing = [{1: 40.0 + 4 * n, 2: 500.0 - 4 * n} for n in range(116)]
    lines = film(*crossing, *reversed(crossing), *crossing)
    steady, alone = steadiness(lines, "compact"), steadiness(lines, "compact", is_steady=False)
    assert steady.jumps == 0 < alone.jumps


def test_a_label_box_that_grows_from_its_lower_corner_does_not_jump():
    below, above = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]), np.array([(0, -1), (2, -1), (0, 1), (2, 1)])
    assert not has_jumped(below, above) and has_jumped(below, below + 0.5)


def test_the_frame_after_a_cut_shows_others():
    lines = film({1: 40.0}, {1: 500.0})
    assert steadiness([lines[0], replace(lines[1], cut=True)], "compact").jumps == 0
