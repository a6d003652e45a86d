"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import os
import time
from contextlib import suppress

from msgspec.structs import replace

from stages.protocol.control import SourceOpened
from stages.protocol.stats import CaptureReport, RenderReport, SourceReport
from stages.view.terminal import TerminalView, live_line

FILE = CaptureReport(
    source="clip.mp4",
    captured=420,
    done=412,
    frames=612,
    faces=37,
    fps=24.8,
    latency_ms_p50=71.0,
    latency_ms_p95=133.0,
    waiting={"gender": 0, "emotion": 15, "age": 3},
)
CAMERA = CaptureReport(source="camera0", captured=88, done=88, fps=30.0)


class Stream(io.StringIO):
    encoding = "utf-8"

    def __init__(self, terminal: bool):
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def view_on(stream, quiet=False) -> TerminalView:
    return TerminalView(stream, quiet=quiet, detector="haar", output="out", window=16)


def test_the_line_of_a_file_says_how_far_how_fast_how_late_who_is_slow_and_how_long():
    assert live_line([FILE], 16) == (
        " 412/612 frames   37 faces   24.8 fps   8 s left   latency p50 71 ms  p95 133 ms"
        "   age ▂  emotion █ slowest  gender ▁"
    )


def test_the_line_of_a_camera_has_no_end():
    assert live_line([CAMERA], 16) == " 88 frames   0 faces   30.0 fps"


def test_several_sources_share_the_line():
    assert live_line([FILE, CAMERA], 16) == " clip.mp4 412/612  24.8 fps   camera0 88  30.0 fps"


def test_hours_are_not_told_in_seconds():
    assert live_line([replace(FILE, frames=180_412, fps=25.0)], None).startswith(
        " 412/180412 frames   37 faces   25.0 fps   2 h 0 min left "
    )


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
    said = "facepipe: 412/612 frames   37 faces   24.8 fps   8 s left   latency p50 71 ms  p95 133 ms"
    assert stream.getvalue().splitlines() == [said, said]
    assert silent.getvalue() == ""


def test_a_sentence_stands_above_the_live_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "21")
    stream = Stream(terminal=True)
    view = view_on(stream)
    view.progress("capture", FILE)
    view.say("a worker was refused.")
    view.close()
    line = " 412/612 frames   37"  # cut: a line that wraps would not be one
    assert stream.getvalue() == f"{line}\r\x1b[Kfacepipe: a worker was refused.\n{line}\r\x1b[K"


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
        view = TerminalView(stream, quiet=False, detector="haar", output="out", window=16)
        view.say("age is back")
        while not reader.read(1_000_000).endswith(b"x"):
            pass
        view.say("and well")
        assert reader.read(1_000_000).decode() == "facepipe: age is back\nfacepipe: and well\n"


def test_faces_are_those_of_the_results_also_where_a_capture_began_later():
    view = view_on(stream := Stream(terminal=True))
    view.progress("render", RenderReport(sources={"clip.mp4": SourceReport(rendered=0, faces=90)}))
    view.progress("capture", FILE)
    assert "412/612 frames   90 faces" in stream.getvalue()
