"""What a person sees, and what the keys do to it: with windows that keep what they are shown."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from stages.frames import FinishedFrame
from stages.protocol.rates import Load, Snapshot
from stages.sinks.images import SavedPictures
from stages.view import display as module
from stages.view.display import Display, DisplayError, open_display
from stages.view.keys import BACK, NEXT
from stages.view.overlay.labels import Bar
from stages.view.overlay.panels import numbers
from stages.view.window_layout import Rectangle
from tests.results.frames import face, flat, frame

STAGES = ("gender", "emotion", "age")


class KeptWindow:
    """A window as large as the pictures here, that keeps what it is shown, and is given keys and clicks by the test."""

    opened: list[KeptWindow] = []
    size = (320, 240)

    def __init__(self, title: str, place: Rectangle):
        self.title, self.shown, self.closed, self.state, self.full_screen = title, [], False, "", False
        self._keys, self._click = [], None
        self.opened.append(self)

    def show(self, canvas: np.ndarray) -> None:
        self.shown.append(canvas)

    def press(self, *keys: str) -> None:
        self._keys += keys

    def click(self, x: int, y: int) -> None:
        self._click = x, y

    def poll(self) -> list[str]:
        keys, self._keys = self._keys, []
        return keys

    def take_click(self) -> tuple[int, int] | None:
        click, self._click = self._click, None
        return click

    def set_state(self, state: str) -> None:
        self.state = state

    def set_full_screen(self, full_screen: bool) -> None:
        self.full_screen = full_screen

    def close(self) -> None:
        self.closed = True


def nobody_saves(frame: FinishedFrame, picture: np.ndarray) -> bool:
    raise AssertionError("nobody has pressed S")


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which the test sets by its only item."""
    now_s = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(module, "Window", KeptWindow)
    monkeypatch.setattr(module, "screen", lambda: Rectangle(0, 0, 800, 600))
    monkeypatch.setattr(KeptWindow, "opened", [])
    return now_s


@pytest.fixture
def shown(clock, tmp_path):
    """A display with a frame of one face in a window."""
    said = []
    display = Display(STAGES, SavedPictures(tmp_path / "saved", said.append).save)
    take(display, frame(7, flat(320, 240), [face(60, 60, 90)]))
    display.poll()
    return display, KeptWindow.opened[0], said


def take(display: Display, taken: FinishedFrame, live: bool = False) -> None:
    display.know(taken)
    display.show(taken, live)


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


def test_a_live_picture_says_how_old_it_is_until_the_next_one_comes(shown, clock):
    display, window, _ = shown
    take(display, frame(8, flat(320, 240)), live=True)
    for clock[0] in (100.5, 101.2, 101.9, 103.0):
        display.poll()
    take(display, frame(9, flat(320, 240)), live=True)
    display.poll()
    _, fresh, one, three, next_one = window.shown
    assert np.array_equal(fresh, next_one) and not np.array_equal(fresh, one) and not np.array_equal(one, three)


def test_a_picture_is_drawn_in_the_size_of_the_window_so_that_letters_are_sharp(shown):
    display, window, _ = shown
    window.size = (1280, 960)
    display.poll()
    small, large = window.shown
    assert large.shape == (960, 1280, 3)
    assert not np.array_equal(cv2.resize(small, (1280, 960)), large)
    white = [(picture.min(axis=2) > 240).sum() for picture in (cv2.resize(small, (1280, 960)), large)]
    assert white[1] > 0  # What is scaled up has blurred letters instead.


def test_windows_that_are_slow_to_draw_take_no_more_than_half_of_the_time(shown, clock):
    display, window, _ = shown
    drawn = []

    def slowly(canvas: np.ndarray) -> None:
        drawn.append(canvas)
        clock[0] += 0.1

    window.show, began_s = slowly, clock[0]
    for number in range(200):
        take(display, frame(8 + number, flat(320, 240)))
        display.poll()
        clock[0] += 0.01
    assert 0.4 < 0.1 * len(drawn) / (clock[0] - began_s) < 0.55


@pytest.mark.parametrize("picture", [(640, 360), (300, 560), (200, 200), (790, 90)])
@pytest.mark.parametrize("size", [(320, 240), (700, 200), (330, 560)])
def test_no_picture_is_squeezed_into_the_shape_of_another_or_of_the_window(shown, picture, size):
    display, window, _ = shown
    window.size, (width, height) = size, picture
    pixels = cv2.circle(flat(width, height, 0), (width // 2, height // 2), 40, (0, 255, 0), -1)
    take(display, frame(8, pixels))
    display.poll()
    rows, columns = np.nonzero(window.shown[-1][:, :, 1] > 128)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    assert np.ptp(rows) == pytest.approx(80 * min(size[0] / width, size[1] / height), abs=2)


def test_space_holds_the_picture_says_so_in_it_and_lets_it_go(shown):
    display, window, _ = shown
    window.press(" ")
    display.poll()
    assert window.state == "paused" and not np.array_equal(*window.shown)
    take(display, frame(8, flat(320, 240, 9)))
    display.poll()
    assert len(window.shown) == 2
    window.press(" ")
    display.poll()
    take(display, frame(9, flat(320, 240, 9)))
    display.poll()
    assert (window.shown[-1] == 9).all() and window.state == ""


def test_s_again_keeps_what_was_saved_before(shown, tmp_path):
    """Other labels may be shown in it."""
    display, window, _ = shown
    for key in ("s", "e", "s"):
        window.press(key)
        display.poll()
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["clip.mp4-7-2.png", "clip.mp4-7.png"]


def test_s_saves_the_picture_under_the_name_of_its_frame_and_says_so_for_a_moment(shown, clock, tmp_path):
    display, window, said = shown
    window.press("s")
    display.poll()
    display.poll()
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["clip.mp4-7.png"]
    assert said == [f"saved {tmp_path / 'saved' / 'clip.mp4-7.png'}"]
    clock[0] += 5
    display.poll()
    before, during, after = window.shown
    assert np.array_equal(before, after) and not np.array_equal(before, during)


def test_a_picture_is_saved_in_its_own_size_whatever_that_of_the_window_is(shown, tmp_path):
    display, window, _ = shown
    before = window.shown[0].copy()
    window.size = (1000, 500)
    window.press("s")
    display.poll()
    assert (cv2.imread(str(tmp_path / "saved" / "clip.mp4-7.png")) == before).all()


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
    take(display, frame(0, flat(320, 240), [face(60, 60, 90)], source="yard"))
    display.poll()
    second = KeptWindow.opened[1]
    second.press("g", "f")
    display.poll()
    assert len(first.shown) == len(second.shown) == 2
    first.press("g")
    display.poll()
    assert np.array_equal(first.shown[0], first.shown[2])
    assert first.full_screen and second.full_screen
    second.press("\x1b")  # It leaves full screen, and does not end the run.
    display.poll()
    assert not (first.full_screen or second.full_screen or display.quit_requested)


def test_a_still_picture_stays_until_the_person_has_seen_it_and_a_video_does_not(shown):
    display, window, _ = shown
    assert not display.waits_for("clip.mp4")
    take(display, frame(0, flat(320, 240), rate=None))
    assert display.waits_for("clip.mp4") and not display.waits_for("yard")
    window.press("q")
    display.poll()
    assert not display.waits_for("clip.mp4")


def test_a_video_that_is_paused_when_it_ends_stays_until_it_goes_on(shown):
    display, window, _ = shown
    window.press(" ")
    display.poll()
    assert display.waits_for("clip.mp4")
    window.press(" ")
    display.poll()
    assert not display.waits_for("clip.mp4")


def test_a_window_that_waits_for_a_person_says_so_and_not_in_what_is_saved(shown, tmp_path):
    display, window, _ = shown
    take(display, frame(0, flat(320, 240), rate=None))
    display.poll()
    display.finish()
    display.poll()
    assert window.state == "finished, press Q"
    assert not np.array_equal(window.shown[-1], window.shown[-2])
    without_sign = window.shown[-2]
    window.press("s")
    display.poll()
    assert (cv2.imread(str(tmp_path / "saved" / "clip.mp4-0.png")) == without_sign).all()


def test_a_display_that_is_not_to_wait_keeps_no_picture_but_those_whose_turn_is_to_come(clock):
    display = Display(STAGES, nobody_saves, delay_s=2.0, waits=False)
    for number in range(2):
        take(display, still(number))
    assert display.waits_for("clip.mp4")
    clock[0] = 102.0
    display.poll()
    assert not display.waits_for("clip.mp4")


def still(number: int) -> FinishedFrame:
    return frame(number, flat(320, 240, 10 * number), rate=None)


def test_the_arrows_go_back_to_pictures_that_were_shown_and_on(shown, tmp_path):
    display, window, _ = shown
    for number in range(3):
        take(display, still(number))
    window.press(BACK, BACK)
    display.poll()
    assert (window.shown[-1] == 0).all()
    window.press(NEXT, "s")
    display.poll()
    assert (window.shown[-1][:100] == 10).all()  # The sign that it is saved is below.
    display.poll()
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["clip.mp4-1.png"]


def test_with_a_delay_each_picture_waits_for_its_turn_and_none_is_asked_for_twice(clock):
    display = Display(STAGES, nobody_saves, delay_s=2.0)
    for number in range(4):
        take(display, still(number))
    window, seen = KeptWindow.opened[0], []
    for clock[0] in (101.0, 102.0, 103.9, 104.0):
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
    take(display, still(4))
    assert display.unseen("clip.mp4") == 4
    window.press("q")
    display.poll()
    assert display.unseen("clip.mp4") is None  # Who leaves does not hold up what is left.


def test_a_click_on_a_face_opens_its_history_and_a_click_on_it_again_or_elsewhere_closes_it(shown):
    display, window, _ = shown
    window.size = (1280, 960)
    take(display, followed(0))
    assert [click(display, window, *spot) for spot in (FACE, FACE, FACE, ELSEWHERE, ELSEWHERE, FACE)] == [
        True, False, True, False, False, True,
    ]  # fmt: skip


def test_the_history_of_a_face_grows_and_closes_when_the_face_has_been_away_for_a_minute(shown):
    display, window, _ = shown
    window.size = (1280, 960)
    take(display, followed(0))
    click(display, window, *FACE)
    for number, is_open in ((50, True), (75, True), (1700, False)):
        before = window.shown[-1]
        take(display, followed(number) if number == 50 else frame(number, flat(320, 240, GREY)))
        display.poll()
        assert has_panel(window) == is_open and not np.array_equal(before, window.shown[-1])


def test_a_face_of_a_single_picture_has_all_its_answers_in_place_of_a_history(shown):
    display, window, _ = shown
    take(display, frame(0, flat(320, 240, GREY), [face(60, 60, 90)], rate=None))
    assert click(display, window, *FACE)
    take(display, frame(1, flat(320, 240, GREY), [face(60, 60, 90)], rate=None))
    display.poll()
    assert not has_panel(window)


@pytest.mark.parametrize("keys", [" ", "hd", " hd"])
def test_no_panel_and_no_sign_lies_over_a_face(shown, keys):
    display, window, _ = shown
    window.size = (640, 480)
    corners = [face(x, y, 70) for x in (0, 250) for y in (0, 170)]
    take(display, frame(8, flat(320, 240, GREY), corners))
    display.tell("clip.mp4", LINES)
    window.press(*keys)
    display.poll()
    scale = picture_in(window.shown[-1])[2]
    window.size = round(320 * scale), 600  # The picture is as large without them.
    window.press(*keys)
    display.poll()
    within, alone = (cut_out(canvas, scale) for canvas in window.shown[-2:])
    changed = (within != alone).any(axis=2)
    assert changed.any() == (keys == " ")  # Beside panels there are margins, where the sign covers nothing.
    for each in corners:
        x, y, side = (round(scale * length) for length in each.box[:3])
        assert not changed[y : y + side, x : x + side].any()


GREY = 9  # of the pictures that are clicked on: nothing else in the window has it
FACE, ELSEWHERE = (100, 100), (310, 230)


def followed(number: int) -> FinishedFrame:
    return frame(number, flat(320, 240, GREY), [replace(face(60, 60, 90), id=2)])


def picture_in(canvas: np.ndarray) -> tuple[int, int, float]:
    """Left, top and scale of a picture of 320 x 240."""
    rows, columns = np.nonzero((canvas == GREY).all(axis=2))
    return columns.min(), rows.min(), (np.ptp(columns) + 1) / 320


def cut_out(canvas: np.ndarray, scale: float) -> np.ndarray:
    left, top, _ = picture_in(canvas)
    return canvas[top : top + round(240 * scale), left : left + round(320 * scale)]


def has_panel(window: KeptWindow) -> bool:
    return (window.shown[-1][:, -1] != GREY).all()


def click(display: Display, window: KeptWindow, x: int, y: int) -> bool:
    """Click at a point of the frame; returns whether a panel is open then."""
    display.poll()
    left, top, scale = picture_in(window.shown[-1])
    window.click(round(left + scale * x), round(top + scale * y))
    display.poll()
    return has_panel(window)


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
def test_panels_fit_into_any_window_or_are_left_out(shown, size):
    display, window, _ = shown
    display.tell("clip.mp4", LINES)
    window.size = size
    window.press(*" hd")
    display.poll()
    assert window.shown[-1].shape == (size[1], size[0], 3)
