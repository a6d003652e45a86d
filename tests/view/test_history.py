"""The pictures of a window: their turns, and going back and on."""

from __future__ import annotations

import pytest

from stages.frames import FinishedFrame
from stages.view.history import ImageHistory
from tests.results.frames import flat, frame


def entry(number: int, rate: float | None = None, size: int = 8) -> FinishedFrame:
    return frame(number, flat(size, size), rate=rate)


def history(*numbers: int, delay_s: float = 0.0, **limits) -> ImageHistory:
    made = ImageHistory(delay_s, **limits)
    for number in numbers:
        made.add(entry(number))
    return made


def turned(history: ImageHistory, now_s: float, steps: int = 0, paused: bool = False) -> int | None:
    shown = history.turn(now_s, steps, paused)
    return None if shown is None else shown.frame


def waiting(history: ImageHistory) -> list[int]:
    return [entry.frame for entry in history.unseen]


# --- Without a delay ---


def test_the_newest_picture_is_shown_as_soon_as_it_comes():
    shown = history(0)
    assert [turned(shown, 0.0), turned(shown, 0.1)] == [0, None]
    shown.add(entry(1)), shown.add(entry(2))
    assert turned(shown, 0.2) == 2
    assert waiting(shown) == []


def test_a_person_goes_back_and_on_and_not_beyond_the_ends():
    shown = history(0, 1, 2)
    turned(shown, 0.0)
    assert [turned(shown, 0.0, steps) for steps in (-1, -1, -1, 1, 1, 1)] == [1, 0, None, 1, 2, None]


def test_it_says_whether_there_is_a_picture_before_and_after():
    shown = history(0, 1, 2)
    turned(shown, 0.0)
    seen = [(shown.has_previous, shown.has_next)]
    for _ in range(2):
        turned(shown, 0.0, -1)
        seen.append((shown.has_previous, shown.has_next))
    assert seen == [(True, False), (True, True), (False, True)]


def test_who_has_gone_back_is_left_there_until_they_come_to_the_newest():
    shown = history(0, 1)
    turned(shown, 0.0), turned(shown, 0.0, -1)
    shown.add(entry(2))
    assert turned(shown, 1.0) is None
    assert [turned(shown, 1.0, 1), turned(shown, 1.0, 1)] == [1, 2]
    shown.add(entry(3))
    assert turned(shown, 2.0) == 3


def test_a_held_picture_stands_still_and_the_keys_turn_pages_all_the_same():
    shown = history(0, 1)
    turned(shown, 0.0)
    shown.add(entry(2))
    assert turned(shown, 1.0, paused=True) is None
    assert turned(shown, 1.0, -1, paused=True) == 0
    assert turned(shown, 1.0, 2, paused=True) == 2


# --- With one ---


def test_every_picture_is_shown_for_the_delay():
    shown = history(0, 1, 2, delay_s=3.0)
    assert waiting(shown) == [0, 1, 2]
    assert [turned(shown, now_s) for now_s in (0.0, 2.9, 3.0, 5.9, 6.1, 20.0)] == [0, None, 1, None, 2, None]
    assert waiting(shown) == []
    shown.add(entry(3))
    assert turned(shown, 20.0) == 3  # The one before it has been there for long.


def test_the_next_key_does_not_wait_and_starts_the_time_anew():
    shown = history(0, 1, 2, delay_s=3.0)
    turned(shown, 0.0)
    assert turned(shown, 1.0, 1) == 1
    assert [turned(shown, 3.9), turned(shown, 4.0)] == [None, 2]


def test_who_goes_back_sees_the_pictures_again_each_for_the_delay():
    shown = history(0, 1, 2, delay_s=3.0)
    turned(shown, 0.0), turned(shown, 3.0)
    assert turned(shown, 4.0, -1) == 0
    assert waiting(shown) == [2]
    assert [turned(shown, now_s) for now_s in (6.9, 7.0, 10.0)] == [None, 1, 2]


def test_nothing_goes_on_while_it_is_held():
    shown = history(0, 1, delay_s=3.0)
    turned(shown, 0.0)
    assert turned(shown, 9.0, paused=True) is None
    assert turned(shown, 9.1) == 1


def test_a_video_behind_pictures_goes_on_by_itself_when_its_turn_has_come():
    shown = history(0, delay_s=3.0)
    for number in (1, 2):
        shown.add(entry(number, rate=25.0))
    shown.add(entry(3))
    assert [turned(shown, now_s) for now_s in (0.0, 2.0, 3.0, 3.01, 3.02, 3.03)] == [0, None, 1, 2, 3, None]


# --- Memory ---


@pytest.mark.parametrize("limits", [{"most": 5}, {"most_bytes": 5 * 3 * 64}])
def test_only_so_many_pictures_are_kept_to_go_back_to(limits):
    shown = history(**limits)
    for number in range(50):
        shown.add(entry(number))
        turned(shown, number)
    assert [turned(shown, 99.0, -10), turned(shown, 99.0, 1)] == [45, 46]
    for number in range(50, 60):  # Also while a person looks at the oldest of them.
        shown.add(entry(number))
    assert [turned(shown, 99.0, 10), turned(shown, 99.0, -10)] == [59, 55]


def test_what_has_not_been_shown_is_never_thrown_away():
    shown = history(*range(20), delay_s=3.0, most=5)
    assert [turned(shown, 3.0 * number) for number in range(20)] == list(range(20))
