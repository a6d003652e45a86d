"""Which face is which, told from boxes and times alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.protocol import limits
from stages.vision.tracking import Tracker

RATES = [5, 25, 60]  # frames a second


def box(x: float, y: float = 100, side: float = 100) -> tuple[float, float, float, float]:
    """A box around this centre."""
    return x - side / 2, y - side / 2, side, side


def seen(tracker: Tracker, places, rate: float, hidden=lambda who, time_s: False, seconds: float = 4) -> list[dict]:
    """The number that each person has in each frame; `places` say where they are at a time."""
    frames = []
    for number in range(round(seconds * rate)):
        time_s = round(number / rate, 4)
        visible = {who: box(*place(time_s)) for who, place in places.items() if not hidden(who, time_s)}
        order = sorted(visible, key=visible.get)
        frames.append(dict(zip(order, tracker.update(time_s, [visible[who] for who in order]), strict=True)))
    return frames


def numbers(frames: list[dict], who: str) -> set[int]:
    return {frame[who] for frame in frames if who in frame}


@pytest.mark.parametrize("rate", RATES)
def test_a_face_that_moves_keeps_its_number(rate):
    frames = seen(Tracker(1.0), {"a": lambda t: (100 + 150 * t, 200 - 20 * t)}, rate)
    assert numbers(frames, "a") == {1}


@pytest.mark.parametrize("rate", RATES)
def test_two_faces_that_cross_keep_their_numbers_though_one_hides_the_other(rate):
    places = {"left": lambda t: (100 + 150 * t, 200), "right": lambda t: (700 - 150 * t, 205)}
    frames = seen(Tracker(1.0), places, rate, hidden=lambda who, t: who == "right" and 1.75 <= t < 2.25)
    assert (numbers(frames, "left"), numbers(frames, "right")) == ({1}, {2})


def test_a_face_that_is_not_found_for_a_moment_keeps_its_number_and_later_has_another():
    def gone(until_s: float) -> list[dict]:
        still = {"a": lambda t: (100, 100)}
        return seen(Tracker(1.0), still, 25, hidden=lambda who, t: 1 < t < until_s)

    assert numbers(gone(1.9), "a") == {1}
    assert numbers(gone(2.2), "a") == {1, 2}


def test_with_coast_0_a_face_must_be_found_in_every_frame():
    tracker = Tracker(0.0)
    assert [tracker.update(t, [box(100)]) for t in (0.0, 0.0, 0.04)] == [[1], [1], [2]]


def test_a_face_elsewhere_or_of_another_size_is_another():
    tracker = Tracker(1.0)
    assert tracker.update(0.0, [box(100)]) == [1]
    assert tracker.update(0.04, [box(400)]) == [2]
    assert tracker.update(0.08, [box(100, side=300)]) == [3]
    assert tracker.update(0.12, [box(100), box(400)]) == [1, 2]


def test_a_face_in_sight_is_matched_before_one_that_is_hidden_behind_it():
    tracker = Tracker(1.0)
    assert tracker.update(0.0, [box(100), box(160)]) == [1, 2]
    assert tracker.update(0.04, [box(159)]) == [2]
    assert tracker.update(0.5, [box(130)]) == [2]


def test_after_forgetting_nobody_is_known_and_no_number_is_given_twice():
    tracker = Tracker(1.0)
    tracker.update(3.0, [box(100)])
    tracker.forget()
    assert tracker.update(0.0, [box(100)]) == [2]


def test_time_that_runs_backwards_is_another_beginning():
    tracker = Tracker(1.0)
    tracker.update(3.0, [box(100)])
    assert tracker.update(2.0, [box(100)]) == [2]


def test_beyond_the_limit_those_seen_longest_ago_are_forgotten_and_counted():
    tracker = Tracker(1.0, most=2)
    tracker.update(0.0, [box(100), box(500)])
    tracker.update(0.1, [box(500), box(900)])
    assert (tracker.ids, tracker.forgotten) == ([2, 3], 1)


def test_as_many_faces_as_a_frame_may_have_are_told_apart():
    crowd = [box(200 * (n % 16), 200 * (n // 16)) for n in range(limits.FACES)]
    tracker = Tracker(1.0)
    first = tracker.update(0.0, crowd)
    assert tracker.update(0.04, crowd) == first == list(range(1, limits.FACES + 1))


PLACES = st.tuples(st.integers(0, 400), st.integers(0, 300), st.sampled_from([0, 40, 80, 160]))
FRAMES = st.lists(st.tuples(st.sampled_from([0.0, 0.04, 0.3, 2.0]), st.lists(PLACES, max_size=5)), max_size=12)


@given(FRAMES)
def test_whatever_comes_faces_of_a_frame_have_numbers_of_their_own_and_memory_is_bounded(frames):
    tracker, now_s, highest = Tracker(1.0, most=6), 0.0, 0
    for passed_s, places in frames:
        now_s += passed_s
        ids = tracker.update(now_s, [(x, y, side, side) for x, y, side in places])
        new = [number for number in ids if number > highest]
        assert len(set(ids)) == len(places) and new == list(range(highest + 1, highest + 1 + len(new)))
        assert len(tracker.ids) <= 6
        highest += len(new)
