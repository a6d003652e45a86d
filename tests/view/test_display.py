"""What a person sees, and what the keys do to it: with windows that keep what they are shown."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from stages.frames import FinishedFrame
from stages.protocol.rates import Load, Snapshot
from stages.sinks.images import SavedPictures
from stages.view import display as module
from stages.view.display import Display, DisplayError, open_display
from stages.view.overlay.labels import Bar
from stages.view.overlay.panels import numbers, with_panels
from stages.view.window import BACK, NEXT, KeyState, on_key
from tests.results.frames import face, flat, frame

STAGES = ("gender", "emotion", "age")


class KeptWindow:
    """A window that keeps what it is shown, and is given its keys by the test."""

    opened: list[KeptWindow] = []

    def __init__(self, title: str):
        self.title, self.view, self.shown, self.closed, self.finished = title, KeyState(), [], False, False
        self.opened.append(self)

    def show(self, picture: np.ndarray) -> None:
        self.shown.append(picture)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.view = on_key(self.view, key)

    def poll(self) -> KeyState:
        return self.view

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        self.closed = True


def nobody_saves(frame: FinishedFrame, picture: np.ndarray) -> None:
    raise AssertionError("nobody has pressed S")


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """A display with a frame of one face in a window."""
    monkeypatch.setattr(module, "Window", KeptWindow)
    monkeypatch.setattr(KeptWindow, "opened", [])
    said = []
    display = Display(STAGES, SavedPictures(tmp_path / "saved", said.append).save)
    display.show(frame(7, flat(320, 240), [face(60, 60, 90)]), None)
    return display, KeptWindow.opened[0], said


@pytest.mark.parametrize("key", "eh")
def test_a_key_takes_a_label_off_the_picture_that_stands_there_or_shows_the_keys_and_again_undoes_it(shown, key):
    display, window, _ = shown
    display.poll(), display.poll()
    assert len(window.shown) == 1
    window.press(key)
    display.poll(), display.poll()
    assert len(window.shown) == 2 and not np.array_equal(*window.shown)
    window.press(key)
    display.poll()
    assert np.array_equal(window.shown[0], window.shown[2])


def test_a_live_picture_says_how_old_it_is_until_the_next_one_comes(shown, monkeypatch):
    display, window, _ = shown
    now_s = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    told = []
    monkeypatch.setattr(module, "annotate", lambda pixels, *_, error, **__: told.append(error) or pixels)
    display.show(frame(8, flat(320, 240)), None, live=True)
    for now_s[0] in (100.5, 101.2, 101.9, 103.0):
        display.poll()
    display.show(frame(9, flat(320, 240)), None, live=True)
    display.poll()
    assert told == [None, "this picture is 1 s old", "this picture is 3 s old", None]


def test_a_picture_that_is_drawn_already_is_shown_as_it_is(shown):
    display, window, _ = shown
    drawn = flat(320, 240, 77)
    display.show(frame(8, flat(320, 240)), drawn)
    assert window.shown[-1] is drawn


def test_space_holds_the_picture_and_lets_it_go(shown):
    display, window, _ = shown
    window.press(" ")
    display.poll()
    display.show(frame(8, flat(320, 240, 9)), None)
    assert len(window.shown) == 1
    window.press(" ")
    display.poll()
    display.show(frame(9, flat(320, 240, 9)), None)
    assert len(window.shown) == 2


def test_s_saves_the_picture_under_the_name_of_its_frame(shown, tmp_path):
    display, window, said = shown
    window.press("s")
    display.poll()
    display.poll()
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["clip.mp4-7.png"]
    assert said == [f"saved {tmp_path / 'saved' / 'clip.mp4-7.png'}"]


def test_a_picture_that_cannot_be_saved_is_a_sentence_and_not_the_end(shown, tmp_path):
    display, window, said = shown
    (tmp_path / "saved").write_text("a file in the way")
    window.press("s")
    display.poll()
    assert said[0].startswith(f"cannot write {tmp_path / 'saved' / 'clip.mp4-7.png'}")


def test_q_asks_for_the_end(shown):
    display, window, _ = shown
    display.poll()
    assert not display.quit_requested
    window.press("q")
    display.poll()
    assert display.quit_requested


def test_keys_act_on_all_windows_whichever_is_given_them(shown):
    display, first, _ = shown
    display.show(frame(0, flat(320, 240), [face(60, 60, 90)], source="yard"), None)
    second = KeptWindow.opened[1]
    second.press("g")
    display.poll()
    assert len(first.shown) == len(second.shown) == 2
    first.press("g")
    display.poll()
    assert np.array_equal(first.shown[0], first.shown[2])


def test_a_still_picture_stays_until_the_person_has_seen_it_and_a_video_does_not(shown):
    display, window, _ = shown
    assert not display.waits_for("clip.mp4")
    display.show(frame(0, flat(320, 240), rate=None), None)
    assert display.waits_for("clip.mp4") and not display.waits_for("yard")
    window.press("q")
    display.poll()
    assert not display.waits_for("clip.mp4")


def test_a_window_that_waits_for_a_person_says_so_and_not_in_what_is_saved(shown, tmp_path):
    display, window, _ = shown
    display.show(frame(0, flat(640, 480), rate=None), None)
    display.finish()
    display.poll()
    assert window.finished
    assert not np.array_equal(window.shown[-1], window.shown[-2])
    window.press("s")
    display.poll()
    assert (cv2.imread(str(tmp_path / "saved" / "clip.mp4-0.png")) == window.shown[-2]).all()


def test_a_display_that_is_not_to_wait_keeps_no_picture_but_those_whose_turn_is_to_come(tmp_path, monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(module, "Window", KeptWindow)
    display = Display(STAGES, nobody_saves, delay_s=2.0, waits=False)
    for number in range(2):
        display.show(still(number), None)
    assert display.waits_for("clip.mp4")
    now_s[0] = 102.0
    display.poll()
    assert not display.waits_for("clip.mp4")


def still(number: int) -> FinishedFrame:
    return frame(number, flat(320, 240, 10 * number), rate=None)


def test_the_arrows_go_back_to_pictures_that_were_shown_and_on(shown, tmp_path):
    display, window, _ = shown
    for number in range(3):
        display.show(still(number), None)
    window.press(BACK, BACK)
    display.poll()
    assert (window.shown[-1] == 0).all()
    window.press(NEXT, "s")
    display.poll()
    assert (window.shown[-1] == 10).all()
    display.poll()
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["clip.mp4-1.png"]


def test_with_a_delay_each_picture_waits_for_its_turn_and_none_is_asked_for_twice(tmp_path, monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(module, "Window", KeptWindow)
    monkeypatch.setattr(KeptWindow, "opened", [])
    display = Display(STAGES, nobody_saves, delay_s=2.0)
    for number in range(4):
        display.show(still(number), None)
    window, seen = KeptWindow.opened[0], []
    for now_s[0] in (101.0, 102.0, 103.9, 104.0):
        display.poll()
        seen.append((int(window.shown[-1][0, 0, 0]) // 10, display.unseen("clip.mp4")))
    assert seen == [(0, 1), (1, 2), (1, 2), (2, 3)]
    assert display.waits_for("clip.mp4")
    window.press(NEXT)
    display.poll()
    assert (window.shown[-1] == 30).all() and display.unseen("clip.mp4") is None
    window.press(BACK)
    display.poll()
    assert display.unseen("clip.mp4") is None  # It has been seen before.
    display.show(still(4), None)
    assert display.unseen("clip.mp4") == 4
    window.press("q")
    display.poll()
    assert display.unseen("clip.mp4") is None  # Who leaves does not hold up what is left.


def test_where_there_is_no_screen_auto_says_so_and_window_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "window_available", lambda: "there is no screen (DISPLAY is not set)")
    said = []
    assert open_display("auto", STAGES, nobody_saves, said.append) is None
    assert said == ["no window: there is no screen (DISPLAY is not set); the results are written all the same"]
    assert open_display("none", STAGES, nobody_saves, said.append) is None
    with pytest.raises(DisplayError, match="a window was asked for, but there is no screen"):
        open_display("window", STAGES, nobody_saves, said.append)


LINES = numbers(Snapshot(24.96, 0.0712, (Load("detect", 0.93, 4), Load("age", 0.08, 0))), {})


def test_d_shows_how_the_run_goes_and_what_is_new_of_it(shown):
    display, window, _ = shown
    display.tell("clip.mp4", LINES)
    display.poll()
    assert len(window.shown) == 1 and not display.wants_numbers
    window.press("d")
    display.poll()
    assert display.wants_numbers and not np.array_equal(window.shown[0], window.shown[1])
    display.poll()
    assert len(window.shown) == 2
    display.tell("clip.mp4", LINES[:1])
    display.poll()
    assert len(window.shown) == 3


def test_panels_stand_in_no_picture_that_is_saved(shown, tmp_path):
    display, window, _ = shown
    before = window.shown[0].copy()
    display.tell("clip.mp4", LINES)
    window.press(*"hds")
    display.poll()
    assert np.array_equal(cv2.imread(str(tmp_path / "saved" / "clip.mp4-7.png")), before)
    assert np.array_equal(window.shown[0], before)


def test_the_panel_says_speed_latency_and_for_each_stage_its_work_and_queue():
    said = [f"{line.text} {line.said}" if isinstance(line, Bar) else line.text for line in LINES]
    assert said == ["25.0 frames/s   71 ms", "detect 93 %  4 in queue", "age 8 %  0 in queue"]


def test_a_stage_is_busy_by_the_share_of_all_its_processes_and_never_more_than_wholly():
    snapshot = Snapshot(9.0, None, (Load("detect", 1.5, 0), Load("gender", 2.31, 0), Load("age", 1.2, 0)))
    _, *stages = numbers(snapshot, {"detect": 2, "gender": 2})
    assert [(bar.share, bar.said) for bar in stages] == [
        (0.75, "75 %  0 in queue"),
        (1.0, "100 %  0 in queue"),
        (1.0, "100 %  0 in queue"),
    ]


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (320, 240), (3840, 2160)])
def test_panels_fit_into_any_picture_or_are_left_out(size):
    pixels = flat(*size)
    assert with_panels(pixels, True, LINES).shape == pixels.shape
    assert (pixels == 128).all()
    assert with_panels(pixels, False, ()) is pixels
