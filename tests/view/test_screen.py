from __future__ import annotations

import cv2
import pytest

from stages.view.screen import screen as first_monitor
from stages.view.screen import window_available
from stages.view.window_layout import Rectangle


@pytest.fixture(autouse=True)
def _linux_with_windows(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "QT")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XAUTHORITY", raising=False)


def test_a_screen_that_takes_us_is_available(monkeypatch, screen):
    monkeypatch.setenv("DISPLAY", screen.display)
    monkeypatch.setenv("XAUTHORITY", screen.environment["XAUTHORITY"])
    assert window_available() is None
    monkeypatch.setenv("DISPLAY", f"unix{screen.display}.0")
    assert window_available() is None


def test_a_screen_that_wants_another_cookie_is_not(monkeypatch, screen, tmp_path):
    monkeypatch.setenv("DISPLAY", screen.display)
    for content in (None, b"", b"\xff", b"nonsense" * 9):
        if content is not None:
            (tmp_path / "other").write_bytes(content)
        monkeypatch.setenv("XAUTHORITY", str(tmp_path / "other"))
        assert window_available() == f"the screen at DISPLAY {screen.display} refuses us (see xauth)"


def test_without_display_there_is_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert window_available() == "there is no screen (DISPLAY is not set)"


def test_wayland_alone_is_not_enough(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert "Xwayland" in window_available()


@pytest.mark.parametrize("display", ["nonsense", "12", ":x", "a/b:0:0"])
def test_a_display_that_names_nothing_is_named(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    assert window_available() == f"DISPLAY is {display!r}, which names no screen"


@pytest.mark.parametrize("display", [":60999", "localhost:50001", "127.0.0.1:99999"])
def test_a_display_at_which_nobody_answers_is_named(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    assert window_available().startswith(f"no screen answers at DISPLAY {display} (")


def test_an_opencv_without_windows_is_named(monkeypatch):
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    monkeypatch.setenv("DISPLAY", ":0")
    assert window_available() == "this OpenCV is built without windows (headless)"


def test_the_screen_is_its_first_monitor_or_not_known(monkeypatch, screen):
    monkeypatch.setenv("DISPLAY", screen.display)
    monkeypatch.setenv("XAUTHORITY", screen.environment["XAUTHORITY"])
    assert first_monitor() == Rectangle(0, 0, 800, 600)
    monkeypatch.setenv("DISPLAY", "nonsense")
    assert first_monitor() is None
