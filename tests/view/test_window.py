"""A real window on a screen without a monitor: what it shows, and the keys and clicks that it gives back."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from stages.view import window as module
from stages.view.window_layout import Rectangle
from tests.conftest import PROJECT
from tests.end_to_end.command import eventually

POINTER = 300  # pixels: more than the mouse pointer has, of the screen's 480,000

# The window runs in a program of its own, because Qt takes the program's display for good. It is told by a line what to
# do, and answers by one: so neither side guesses how long the other takes.
SHOWN = """
import sys
import cv2
import numpy as np
from stages.view.screen import screen
from stages.view.window import Window
from stages.view.window_layout import Rectangle, first_place

def circle():
    width, height = window.size
    return cv2.circle(np.zeros((height, width, 3), np.uint8), (width // 2, height // 2), 40, (0, 255, 0), -1)

def turn(times=50):
    keys = []
    for _ in range(times):
        keys += window.poll()
    return keys

window = Window("clip.mp4", first_place((512, 512), screen()))
window.show(circle())
for order in sys.stdin:
    said = ""
    if order == "keys\\n":
        while not (said := turn(1)):
            pass
    elif order == "click\\n":
        while not (said := window.take_click()):
            turn(1)
    elif order == "close\\n":
        cv2.destroyAllWindows()  # what is left when its button was pressed
        said = turn(1)
    elif order.startswith("state"):
        window.set_state(order[6:-1])
        turn()
    elif order == "again\\n":
        window.close()
        window = Window("other.mp4", Rectangle(240, 200, 320, 200))
        window.show(circle())
        said = turn()
    elif order.startswith("full"):
        window.set_full_screen(order == "full on\\n")
        said = cv2.getWindowProperty(window._name, cv2.WND_PROP_FULLSCREEN)
    else:
        turn()
        window.show(circle())
        turn()
        said = window.size
    print(said, flush=True)
window.close()
"""


class Shown:
    """A window on a screen of its own, and a hand at its keys."""

    def __init__(self, environment: dict[str, str]):
        self._environment = environment
        self._program = subprocess.Popen(
            [sys.executable, "-c", SHOWN],
            cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.tell("turn")
        self._xdotool("mousemove", "400", "300")

    def tell(self, order: str) -> str:
        self._program.stdin.write(order + "\n")
        self._program.stdin.flush()
        return self._program.stdout.readline().strip()

    def press(self, key: str) -> str:
        self._xdotool("key", key)
        return self.tell("keys")

    def click(self, x: int, y: int) -> str:
        self._xdotool("mousemove", "--window", self._id(), str(x), str(y), "click", "1")
        return self.tell("click")

    def end(self) -> int:
        self._program.communicate(timeout=30)
        return self._program.returncode

    def title(self) -> str:
        return self._xdotool("search", "--name", ".mp4", "getwindowname")

    def resize(self, width: int, height: int) -> None:
        self._xdotool("windowsize", self._id(), str(width), str(height))

    def map_again(self) -> None:
        """Make the X server say anew that the window is to be painted.

        Where several servers start at once and no window manager is there, Qt now and then misses the first time: the
        window is mapped, has its size, and stays black, whatever it is given.
        """
        self._xdotool("windowunmap", "--sync", self._id(), "windowmap", "--sync", self._id())

    def _id(self) -> str:
        return self._xdotool("search", "--name", ".mp4")

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def on_screen(screen):
    if not shutil.which("xdotool"):
        pytest.skip("needs xdotool to press keys")
    return screen.environment


def test_it_gives_back_keys_and_its_title_says_its_state_and_how_the_keys_are_shown(on_screen):
    shown = Shown(on_screen)
    assert shown.title() == "clip.mp4: press H for the keys"
    assert [shown.press(key) for key in ("g", "space", "Left", "Right", "Escape")] == [
        "['g']", "[' ']", "['left']", "['right']", "['\\x1b']",
    ]  # fmt: skip
    shown.tell("state paused")
    assert shown.title() == "clip.mp4 (paused): press H for the keys"
    shown.tell("state ")
    assert shown.title() == "clip.mp4: press H for the keys"
    assert shown.end() == 0


def test_its_button_quits_and_another_window_may_open(on_screen):
    shown = Shown(on_screen)
    assert shown.tell("close") == "['q']"
    assert shown.tell("again") == "[]"
    assert shown.press("s") == "['s']"
    assert shown.end() == 0


def test_it_opens_as_large_as_suits_the_screen_and_shows_each_pixel_as_it_is(on_screen, screen):
    shown = Shown(on_screen)
    assert shown.tell("turn") == "(480, 480)"  # of 800 x 600
    see_a_round_circle(shown, screen)
    for width, height in ((700, 200), (330, 560)):
        shown.resize(width, height)
        eventually(lambda size=(width, height): shown.tell("turn") == str(size), "the other size")
        see_a_round_circle(shown, screen)
    assert shown.end() == 0


def test_it_asks_for_the_whole_screen_and_goes_back(on_screen):
    shown = Shown(on_screen)  # Without a window manager it is not given it.
    assert [shown.tell(order) for order in ("full on", "full off")] == ["1.0", "0.0"]
    assert shown.end() == 0


def test_a_click_is_told_in_pixels_of_what_is_shown(on_screen):
    shown = Shown(on_screen)
    shown.tell("turn")
    assert shown.click(200, 321) == "(200, 321)"
    assert shown.end() == 0


def see_a_round_circle(shown: Shown, screen) -> None:
    """A circle of 40 pixels' radius, as it was drawn."""

    def is_round() -> bool:
        shown.tell("turn")
        blue, green, red = np.moveaxis(screen.pixels().astype(int), 2, 0)
        if (blue + green + red > 100).sum() < POINTER:
            shown.map_again()
        rows, columns = np.nonzero((green > 150) & (blue < 60) & (red < 60))
        return len(rows) > 50 and abs(np.ptp(columns) - 80) <= 1 and abs(np.ptp(rows) - 80) <= 1

    eventually(is_round, "a circle that is round")


def test_what_a_name_would_do_to_a_title_is_written_out(monkeypatch):
    titles = []
    for name in ("namedWindow", "resizeWindow", "moveWindow", "setMouseCallback"):
        monkeypatch.setattr(module.cv2, name, lambda *_: None)
    monkeypatch.setattr(module.cv2, "setWindowTitle", lambda _, title: titles.append(title))
    module.Window("a\u202egpj.exe\n\x1b[31m\udc80 \u00e4.png", Rectangle(0, 0, 320, 180))
    assert titles == ["a\\u202egpj.exe\\n\\x1b[31m\\udc80 \u00e4.png: press H for the keys"]
