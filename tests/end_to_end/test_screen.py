"""A person at the window, on a screen without a monitor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from tests.end_to_end.command import LOOK_AGAIN_S, Running, eventually
from tests.end_to_end.material import FACES


class Keyboard:
    """A hand at the keys of the window of one run."""

    def __init__(self, run: Running, environment: dict[str, str]):
        self._environment = environment
        run.until(lambda: self.titles(), "the window")
        self.run = run
        self._xdotool("mousemove", "400", "300")

    def titles(self) -> list[str]:
        found = self._xdotool("search", "--name", ": press H", "getwindowname", "%@", check=False)
        return [title for title in found.splitlines() if title]

    def press(self, key: str) -> None:
        self._xdotool("key", key)

    def go(self, key: str, arrived: Callable[[], bool]) -> None:
        """Press a key until it has come: of keys between two of the window's looks, OpenCV keeps the last one only."""
        eventually(lambda: self.press(key) or arrived(), f"what {key} leads to")

    def _xdotool(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True, check=check
        )
        return done.stdout.strip()


@pytest.fixture
def on_screen(place, screen):  # noqa: F811
    if not shutil.which("xdotool"):
        pytest.skip("needs xdotool to press keys")
    place.environment |= {key: screen.environment[key] for key in ("DISPLAY", "XAUTHORITY", "QT_LOGGING_RULES")}
    return place


def saved(run: Running, count: int):
    """The pictures that S has saved, once there are so many."""
    folder = run.output / "saved"
    eventually(lambda: len(list(folder.glob("*.png"))) >= count, f"{count} saved pictures")
    return [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"), key=os.path.getmtime)]


def test_the_keys_of_the_window_work_while_it_runs(on_screen, slow_film):
    run = on_screen.start(slow_film, display=None)  # auto: a window, as there is a screen; then a file has its own pace
    keys = Keyboard(run, on_screen.environment)
    assert keys.titles() == ["slow.mp4: press H for the keys"]
    run.until_lines(8)
    keys.press("space")
    eventually(lambda: "(paused)" in keys.titles()[0], "the pause in the title")
    keys.press("s")
    [labelled] = saved(run, 1)
    assert labelled.shape == (270, 480, 3)
    held_at = run.line_count
    run.until_lines(held_at + 2)  # The display pauses, the work does not.
    keys.press("q")
    ran = run.end().succeeded()
    assert ran.took_s > LOOK_AGAIN_S
    assert 10 <= len(ran.lines) < len(FACES)
    assert ran.summary["status"] == 0


def test_a_picture_stays_until_the_person_has_seen_it_and_its_labels_can_be_switched(on_screen, astronaut):
    picture = on_screen.folder / "face.png"
    cv2.imwrite(str(picture), astronaut)
    run = on_screen.start(picture, display="window")
    keys = Keyboard(run, on_screen.environment)
    run.until(lambda: "press Q" in run.err, "what it waits for")
    assert run.err.splitlines()[-1] == "facepipe: finished; the window stays open until you press Q in it"
    found, files = run.out.splitlines()
    assert found.startswith("face 1: woman ") and files.startswith("Wrote ")
    eventually(lambda: keys.titles()[0].startswith("face.png (finished, press Q): "), "the same in the title")
    keys.press("s")
    [with_labels] = saved(run, 1)
    (run.output / "saved").rename(run.output / "first")
    for key in "gea":
        keys.press(key)
    keys.press("s")
    [without] = saved(run, 1)
    assert not run.is_over
    keys.press("Escape")
    ran = run.end().succeeded()
    assert ran.out.splitlines() == [found, files]  # It is not told again.
    changed = [(abs(p.astype(int) - astronaut) > 30).any(axis=2).mean() for p in (with_labels, without)]
    assert changed[0] > changed[1] > 0  # The box is drawn in both, the words in one.


def test_with_quiet_nobody_is_told_what_to_press_so_the_run_ends_by_itself(on_screen, astronaut):
    picture = on_screen.folder / "face.png"
    cv2.imwrite(str(picture), astronaut)
    ran = on_screen.run(picture, "--quiet", display="window")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert len(ran.lines) == 1


@pytest.mark.long
def test_the_window_shows_the_newest_picture_of_a_live_source(on_screen, astronaut):
    from tests.end_to_end.material import scene
    from tests.end_to_end.server import camera

    with camera(lambda number: scene(astronaut, number), rate=10) as door:
        run = on_screen.start(door.url, display="window", output="live").until_lines(5)
        keys = Keyboard(run, on_screen.environment)
        assert keys.titles()[0].startswith("127.0.0.1/door: ")
        keys.press("s")
        [picture] = saved(run, 1)
        assert picture.shape == (270, 480, 3)
        keys.press("q")
        ran = run.end()
    assert ran.status == 0, ran.err
    [source] = ran.summary["sources"]
    assert (
        source["captured"]
        == source["rendered"] + sum(drop["count"] for drop in source["dropped"]) + source["unaccounted"]
    )


@pytest.fixture
def shots(place, astronaut):
    """A folder of thirty pictures, each of a grey of its own."""
    folder = place.folder / "shots"
    folder.mkdir()
    for number in range(30):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((120, 160, 3), 5 * number, np.uint8))
    return folder


def shown_picture(keys: Keyboard) -> int:
    """Which of `shots` is in the window, by saving it."""
    for path in (keys.run.output / "saved").glob("*.png"):
        path.unlink()
    keys.press("s")
    return round(saved(keys.run, 1)[0].mean() / 5)


def test_pictures_wait_for_a_person_who_goes_back_and_on_and_the_run_waits_with_them(on_screen, shots):
    run = on_screen.start(shots, "--delay", "600", "--set=window=4", display="window")
    keys = Keyboard(run, on_screen.environment)
    run.until_lines(5)
    assert shown_picture(keys) == 0
    for lines in (6, 7, 8):  # The one that is seen, and four that wait.
        keys.press("Right")
        run.until_lines(lines)
    keys.go("Left", lambda: shown_picture(keys) == 2)
    assert run.line_count == 8
    keys.press("q")
    ran = run.end().succeeded()
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    [source] = ran.summary["sources"]
    assert (source["captured"], source["unaccounted"]) == (source["rendered"], 0)


@pytest.mark.long
def test_pictures_come_one_after_the_other_and_the_last_one_stays(on_screen, shots):
    run = on_screen.start(shots, "--delay", "0.1", display="window")
    keys = Keyboard(run, on_screen.environment)
    run.until_lines(30)
    eventually(lambda: shown_picture(keys) == 29, "the last picture")
    keys.go("Left", lambda: shown_picture(keys) == 28)
    assert not run.is_over
    keys.press("q")
    ran = run.end().succeeded()
    assert len(ran.lines) == 30


@pytest.mark.long
def test_a_kill_of_render_or_a_stop_while_pictures_wait_costs_no_line(on_screen, shots):
    calm = on_screen.run(shots, output="calm")
    run = on_screen.start(shots, "--delay", "0.2", "--set=window=4", display="window").until_lines(8)
    run.stages()["render"][0].kill()
    run.until_lines(16).signal(signal.SIGINT)
    ran = run.end()
    assert ran.status == 130, ran.err
    assert ran.took_s < 10  # What waits is not shown any more.
    [source] = ran.summary["sources"]
    assert (source["captured"], source["unaccounted"]) == (source["rendered"], 0)
    assert calm.results.startswith(ran.results)
    more = on_screen.run(shots, "--resume").succeeded()
    assert more.results == calm.results
