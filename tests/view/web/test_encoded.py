"""The pictures that browsers get: what is drawn, how large, and how often it is encoded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.view.web import encoded as module
from stages.view.web.encoded import EncodedFrame
from tests.results.frames import face, flat, frame

ALL, NONE = None, frozenset()


def opened(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def shown(pixels: np.ndarray, **more) -> EncodedFrame:
    return EncodedFrame(1, frame(3, pixels, [face(60, 60, 90)]), **more)


def checks(width: int = 320, height: int = 240) -> np.ndarray:
    """Squares of four pixels: detail that hiding takes away."""
    y, x = np.mgrid[0:height, 0:width]
    return np.repeat((((x // 4 + y // 4) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_what_is_watched_is_the_plain_picture_for_browsers_draw_themselves():
    watched = opened(shown(flat(320, 240)).jpeg(blurred=False))
    assert np.abs(watched.astype(int) - 128).max() <= 1


def test_a_label_that_is_switched_off_is_not_in_the_saved_picture():
    one = shown(flat(320, 240))
    with_all, without = (opened(one.saved(False, show, "full")) for show in (ALL, frozenset({"gender", "age"})))
    assert np.abs(with_all.astype(int) - without).max() > 100


def test_all_viewers_share_one_encoding_and_those_who_want_faces_hidden_another():
    one = shown(flat(320, 240))
    assert one.jpeg(False) is one.jpeg(False) and one.jpeg(True) is one.jpeg(True)
    assert len(one.jpegs) == 2


def test_faces_are_hidden_for_who_wants_it_and_for_nobody_else():
    one = shown(checks(), to_anonymize=[(60, 60, 90, 90)])
    plain, blurred = (opened(one.jpeg(b)) for b in (False, True))
    inside = np.s_[70:140, 70:140]
    assert plain[inside].std() > 100 and blurred[inside].std() < 40
    assert blurred[200:, 250:].std() > 100


def test_where_nobody_knows_where_the_faces_are_all_is_hidden():
    one = shown(checks(), to_anonymize=None)
    assert opened(one.jpeg(True)).std() < 40


@pytest.mark.parametrize(("width", "height"), [(4000, 1000), (500, 3000)])
def test_what_is_watched_is_no_larger_than_a_screen_and_what_is_saved_is_whole(width, height):
    one = shown(flat(width, height))
    watched = opened(one.jpeg(False))
    assert max(watched.shape) == module.LONGEST_SIDE
    assert opened(one.saved(False, NONE, "plain")).shape == (height, width, 3)


def test_a_picture_that_jpeg_has_no_room_for_is_saved_smaller():
    assert opened(shown(flat(70_000, 8)).saved(False, NONE, "none")).shape[1] == 65_000


def test_a_saved_picture_is_named_after_source_and_frame():
    assert EncodedFrame(1, frame(3)).file_name == "clip.mp4-3.jpg"
    assert EncodedFrame(1, frame(9, file="holiday/a.jpg", rate=None)).file_name == "a-9.jpg"
