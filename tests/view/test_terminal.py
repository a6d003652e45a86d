"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import os
import time
from contextlib import suppress

import pytest

from stages.protocol.control import SourceOpened
from stages.protocol.stats import CaptureReport, RenderReport, SourceReport
from stages.view.terminal import TerminalView

FILE = CaptureReport(source="clip.mp4", captured=420, done=412, frames=612, faces=37)
CAMERA = CaptureReport(source="camera0", captured=88, done=88)


class Stream(io.StringIO):
    encoding = "utf-8"

    def __init__(self, terminal: bool):
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def view_on(stream, quiet=False) -> TerminalView:
    return TerminalView(stream, quiet=quiet, detector="haar", output="out")


def test_where_there_is_no_terminal_there_is_no_live_line():
    stream = Stream(terminal=False)
    view = view_on(stream)
    view.opened(SourceOpened("clip.mp4", "1280 x 720 at 25 frames/s"))
    view.progress("capture", FILE)
    view.close()
    assert stream.getvalue() == "facepipe: clip.mp4, 1280 x 720 at 25 frames/s, detector haar → out\n"


def test_where_there_is_no_terminal_a_line_now_and_then_says_how_far_it_is(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    stream, silent = Stream(terminal=False), Stream(terminal=False)
    views = view_on(stream), view_on(silent, quiet=True)
    for _ in range(250):  # 25 seconds
        now_s[0] += 0.1
        for view in views:
            view.progress("capture", FILE)
    said = "facepipe: 412/612 frames  37 faces"
    assert stream.getvalue().splitlines() == [said, said]
    assert silent.getvalue() == ""


def test_a_sentence_stands_above_the_live_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "25")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Stream(terminal=True)
    view = view_on(stream)
    view.progress("capture", CAMERA)
    view.say("a worker was refused.")
    view.close()
    line = "88 frames  0 faces"
    assert stream.getvalue() == f"{line}\r\x1b[Kfacepipe: a worker was refused.\n{line}\r\x1b[K"


def test_a_terminal_has_something_to_show_before_the_first_frame():
    stream, log = Stream(terminal=True), Stream(terminal=False)
    for view in (view_on(stream), view_on(log), view_on(stream, quiet=True)):
        view.starts(6)
    view_on(stream).progress("capture", CaptureReport(source="clip.mp4", captured=2, frames=612))
    assert stream.getvalue() == "starting 6 processes ..."
    assert log.getvalue() == ""


def test_a_run_that_waits_for_a_person_says_no_more_how_far_it_is(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    for stream in (Stream(terminal=True), Stream(terminal=False)):
        view = view_on(stream)
        view.rest()
        view.say("finished; press Q")
        for _ in range(20):
            now_s[0] += 1
            view.progress("capture", FILE)
        assert stream.getvalue() == "facepipe: finished; press Q\n"


@pytest.mark.parametrize(("name", "value", "plain"), [("NO_COLOR", "1", False), ("TERM", "dumb", True)])
def test_colours_and_a_live_line_are_only_where_they_are_wanted(monkeypatch, name, value, plain):
    monkeypatch.setenv(name, value)
    view = view_on(stream := Stream(terminal=True))
    view.progress("capture", FILE)
    assert "\x1b[36m" not in stream.getvalue()
    assert bool(stream.getvalue()) is not plain


def test_quiet_says_nothing():
    stream = Stream(terminal=True)
    view = view_on(stream, quiet=True)
    view.opened(SourceOpened("clip.mp4", "", chosen="the demo: there is no camera."))
    view.progress("capture", FILE)
    view.say("anything")
    view.close()
    assert stream.getvalue() == ""


def test_a_terminal_that_was_closed_does_not_end_the_run():
    class Closed(Stream):
        def write(self, text):
            raise BrokenPipeError

    view = view_on(Closed(terminal=True))
    view.say("anything")
    view.progress("capture", FILE)
    view.close()


def test_a_terminal_that_takes_nothing_for_a_while_holds_up_nobody_and_is_told_later():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with os.fdopen(writing, "w", encoding="utf-8") as stream, os.fdopen(reading, "rb", buffering=0) as reader:
        view = TerminalView(stream, quiet=False, detector="haar", output="out")
        view.say("age is back")
        while not reader.read(1_000_000).endswith(b"x"):
            pass
        view.say("and well")
        assert reader.read(1_000_000).decode() == "facepipe: age is back\nfacepipe: and well\n"


def test_faces_are_those_of_the_results_also_where_a_capture_began_later():
    view = view_on(stream := Stream(terminal=True))
    view.progress("render", RenderReport(sources={"clip.mp4": SourceReport(rendered=0, faces=90)}))
    view.progress("capture", FILE)
    assert "412/612 frames  90 faces" in stream.getvalue()


@pytest.mark.parametrize("columns", [5, 15, 20, 29])
def test_no_live_line_wraps_in_a_narrow_terminal(monkeypatch, columns):
    """One that wrapped could not be taken away again: only its last row would be."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Stream(terminal=True)
    view = view_on(stream)
    view.starts(8)
    view.progress("capture", FILE)
    lines = stream.getvalue().split("\r\x1b[K")
    assert len(lines) == 2 and all(0 < len(line) < columns for line in lines)
