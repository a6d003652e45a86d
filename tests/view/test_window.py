from __future__ import annotations

import shutil
import subprocess
import sys
from functools import reduce

import numpy as np
import pytest

from stages.view import window as module
from stages.view.window import BACK, NEXT, KeyState, key_of, on_key, with_margins
from tests.conftest import PROJECT
from tests.end_to_end.command import eventually
from tests.results.frames import flat


def press(keys: str, view: KeyState | None = None) -> KeyState:
    return reduce(on_key, keys, view or KeyState())


def test_keys_switch_labels_pause_save_quit_and_turn_pages():
    assert press("g").hidden == {"gender"}
    assert press("gEa").hidden == {"gender", "emotion", "age"}
    assert press("gGeA").hidden == {"emotion", "age"}
    assert press("e").show(["gender", "emotion", "glasses"]) == {"gender", "glasses"}
    assert press(" ").paused and not press("  ").paused
    assert press("sS").saves == 2
    assert press("q").quit and press("Q").quit and press("\x1b").quit
    assert on_key(KeyState(), BACK).steps == -1
    assert on_key(on_key(on_key(KeyState(), NEXT), NEXT), BACK).steps == 1
    assert press("xyz1\t\r\xff") == KeyState()


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (0xFF51, BACK), (0x10FF51, BACK), (0x250000, BACK), (0xF702, BACK),  # Qt, GTK with Num Lock, Windows, macOS
        (0xFF53, NEXT), (0x10FF53, NEXT), (0x270000, NEXT), (0xF703, NEXT),
        (0xFF52, ""), (0xFF54, ""), (0xFFE1, ""), (0xF700, ""),  # up, down, shift
        (ord("q"), "q"), (0x100000 | ord("S"), "S"), (0x20, " "), (0x1B, "\x1b"), (0xFF1B, "\x1b"), (0x25, "%"),
    ],
)  # fmt: skip
def test_a_key_is_told_by_its_whole_code(code, key):
    assert key_of(code) == key


@pytest.mark.parametrize(
    ("picture", "shape", "plane"),
    [
        ((640, 360), (1280, 720), (640, 360)),
        ((640, 360), (1281, 720), (640, 360)),  # not to the pixel
        ((360, 640), (640, 360), (1138, 640)),
        ((640, 360), (300, 900), (640, 1920)),
        ((640, 360), None, (640, 360)),
        ((5120, 100), (512, 256), (2560, 1280)),
        ((5120, 100), (2, 1000), (5, 2500)),  # A window that is as good as closed takes no gigabytes.
        ((1, 1), (320, 180), (2, 1)),
    ],
)
def test_a_picture_gets_margins_to_the_shape_of_the_window(picture, shape, plane):
    pixels = flat(*picture, 200)
    height, width = with_margins(pixels, shape).shape[:2]
    assert abs(width - plane[0]) <= 1 and abs(height - plane[1]) <= 1
    assert (with_margins(pixels, shape)[height // 2 - 1 : height // 2 + 1, width // 2] == 200).any()


POINTER = 300  # pixels: more than the mouse pointer has, of the screen's 480,000

# The window runs in a program of its own, because Qt takes the program's display for good. It is told by a line what to
# do, and answers by one: so neither side guesses how long the other takes.
SHOWN = """
import sys
import cv2
import numpy as np
from skimage.data import astronaut
from stages.view.window import KeyState, Window
scale = int(sys.argv[1])
picture = cv2.resize(astronaut()[:, :, ::-1], None, fx=scale, fy=scale)
window = Window("clip.mp4")
window.show(picture)
for order in sys.stdin:
    if order == "wait\\n":
        before = window.view
        while window.poll() == before:
            pass
    elif order == "close\\n":
        cv2.destroyAllWindows()  # what is left when its button was pressed
        window.poll()
    elif order.startswith("show"):
        width, height = map(int, order.split()[1:])
        window.show(cv2.circle(np.zeros((height, width, 3), np.uint8), (width // 2, height // 2), 40, (0, 255, 0), -1))
        for _ in range(50):
            window.poll()
    elif order == "finish\\n":
        window.finish()
        window.poll()
    elif order == "again\\n":
        window.close()
        window = Window("other.mp4")
        window.show(picture)
        for _ in range(50):
            window.poll()
    else:
        for _ in range(50):
            window.poll()
    view = window.view
    print(sorted(view.hidden), view.paused, view.quit, view.steps, view.saves, flush=True)
window.close()
"""


class Shown:
    """A window on a screen of its own, and a hand at its keys."""

    def __init__(self, environment: dict[str, str], scale: int):
        self._environment = environment
        self._program = subprocess.Popen(
            [sys.executable, "-c", SHOWN, str(scale)],
            cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.tell("turn")
        self._xdotool("mousemove", "60", "60")

    def tell(self, order: str) -> str:
        self._program.stdin.write(order + "\n")
        self._program.stdin.flush()
        return self._program.stdout.readline().strip()

    def press(self, key: str) -> str:
        self._xdotool("key", key)
        return self.tell("wait")

    def end(self) -> int:
        self._program.communicate(timeout=30)
        return self._program.returncode

    def title(self) -> str:
        return self._xdotool("search", "--name", ".mp4", "getwindowname")

    def resize(self, width: int, height: int) -> None:
        self._xdotool("search", "--name", ".mp4", "windowsize", str(width), str(height))

    def map_again(self) -> None:
        """Make the X server say anew that the window is to be painted.

        Where several servers start at once and no window manager is there, Qt now and then misses the first time: the
        window is mapped, has its size, and stays black, whatever it is given.
        """
        window = self._xdotool("search", "--name", ".mp4")
        self._xdotool("windowunmap", "--sync", window, "windowmap", "--sync", window)

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


def test_the_keys_work_in_a_real_window_and_its_title_says_what_it_does(on_screen):
    shown = Shown(on_screen, scale=1)
    assert shown.title() == "clip.mp4: G gender, E emotion, A age, D numbers, S save, space pause, H keys, Q quit"
    assert shown.press("g") == "['gender'] False False 0 0"
    assert shown.press("s") == "['gender'] False False 0 1"
    shown.tell("finish")
    assert shown.title().startswith("clip.mp4 (finished, press Q): ")
    assert shown.press("space") == "['gender'] True False 0 1"
    assert shown.press("Left") == "['gender'] True False -1 1"
    assert shown.press("Right") == "['gender'] True False 0 1"
    assert shown.title().startswith("clip.mp4 (paused): ")
    assert shown.press("Escape") == "['gender'] True True 0 1"
    assert shown.end() == 0


def test_a_picture_larger_than_the_screen_is_shown_the_button_quits_and_another_window_may_open(on_screen):
    shown = Shown(on_screen, scale=6)
    assert shown.press("s") == "[] False False 0 1"
    assert shown.tell("close") == "[] False True 0 1"
    assert shown.tell("again") == "[] False False 0 0"
    assert shown.end() == 0


def test_no_picture_is_squeezed_into_the_shape_of_another_or_of_the_window(on_screen, screen):
    shown = Shown(on_screen, scale=1)
    for size in ("640 360", "300 560", "640 360", "200 200", "100 100", "790 90"):
        shown.tell(f"show {size}")
        see_a_round_circle(shown, screen)
    for width, height in ((700, 200), (330, 560)):
        shown.resize(width, height)
        see_a_round_circle(shown, screen)
    assert shown.end() == 0


def see_a_round_circle(shown: Shown, screen) -> None:
    def is_round() -> bool:
        shown.tell("turn")
        blue, green, red = np.moveaxis(screen.pixels().astype(int), 2, 0)
        if (blue + green + red > 100).sum() < POINTER:
            shown.map_again()
        rows, columns = np.nonzero((green > 150) & (blue < 60) & (red < 60))
        return len(rows) > 50 and abs(np.ptp(columns) - np.ptp(rows)) <= 3

    eventually(is_round, "a circle that is round")


def test_what_a_name_would_do_to_a_title_is_written_out(monkeypatch):
    titles = []
    for name in ("namedWindow", "resizeWindow", "imshow"):
        monkeypatch.setattr(module.cv2, name, lambda *_: None)
    monkeypatch.setattr(module.cv2, "getWindowImageRect", lambda _: (0, 0, 320, 180))
    monkeypatch.setattr(module.cv2, "setWindowTitle", lambda _, title: titles.append(title))
    module.Window("a\u202egpj.exe\n\x1b[31m\udc80 \u00e4.png").show(flat(320, 180))
    assert titles == [f"a\\u202egpj.exe\\n\\x1b[31m\\udc80 \u00e4.png: {module.KEYS}"]
