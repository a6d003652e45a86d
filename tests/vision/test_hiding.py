"""Faces that are to be hidden stay hidden where they are not found for a while."""

from __future__ import annotations

from stages.vision.hiding import CUT_S, DOUBTFUL_S, HOLD_S, HiddenPlaces

FACE = (100.0, 100.0, 50.0, 50.0)


def hidden(*frames: list, file: str | None = None, places: HiddenPlaces | None = None) -> list:
    """What is hidden in each frame, ten a second, besides the faces found in it; the largest box comes last."""
    places, found = places or HiddenPlaces(coast_s=1.0), []
    for number, boxes in enumerate(frames):
        others = [box for box in places.update(file, number / 10, boxes) if box not in boxes]
        found.append(sorted(others, key=lambda box: box[2]))
    return found


def holds(outer: tuple, inner: tuple) -> bool:
    (x, y, wide, high), (left, top, width, height) = outer, inner
    return x <= left and y <= top and x + wide >= left + width and y + high >= top + height


def test_a_face_that_is_found_is_no_face_out_of_sight():
    assert hidden([FACE], [FACE]) == [[], []]


def test_a_face_that_is_lost_stays_hidden_in_an_area_that_grows_and_in_the_end_is_given_up():
    found, *lost = hidden([FACE], *[[]] * round(10 * HOLD_S + 2))
    assert found == [] and lost[-1] == []
    places = [boxes[-1] for boxes in lost if boxes]
    assert len(places) >= 10 * HOLD_S - 1
    assert holds(places[0], FACE) and all(holds(b, a) for a, b in zip(places, places[1:], strict=False))


def test_somebody_who_walks_is_hidden_where_they_should_be_by_now():
    steps = [[(100.0 + 10 * n, 100.0, 50.0, 50.0)] for n in range(10)]
    *_, expected = hidden(*steps, [])
    assert holds(expected[-1], (200.0, 100.0, 50.0, 50.0))


def test_another_file_shows_others():
    places = HiddenPlaces(coast_s=1.0)
    hidden([FACE], file="a.mp4", places=places)
    assert hidden([], file="b.mp4", places=places) == [[]]


def test_what_may_be_a_face_is_hidden_too_and_for_a_shorter_time():
    places = HiddenPlaces(coast_s=1.0)
    assert places.update(None, 0.0, [], [FACE]) == [FACE]
    assert holds(places.update(None, 0.1, [])[-1], FACE)
    assert places.update(None, DOUBTFUL_S + 0.1, []) == []


def test_across_a_cut_everything_stays_hidden_for_a_moment_because_it_may_be_none():
    places = HiddenPlaces(coast_s=1.0)
    places.update(None, 0.0, [FACE])
    assert places.update(None, 0.04, [], cut=True) == [FACE]
    assert places.update(None, 0.04 + CUT_S, []) == []
