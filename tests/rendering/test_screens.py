"""Who is shown what of a source: windows, the page and who has subscribed."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import cv2
import pytest

from stages.errors import FacepipeError
from stages.protocol.rates import Load, Snapshot
from stages.rendering.extra import Extra
from stages.rendering.screens import Screens, SourceScreens
from tests.results.frames import flat, frame

DRAWN = flat(64, 48)


class Watched:
    """Stands for the windows, the page or the subscribers; notes what it is shown."""

    wants_numbers, quit_requested, is_watched = False, False, True

    def __init__(self, closes: list | None = None):
        self.shown: list = []
        self._closes = [] if closes is None else closes
        self.refused = Counter(no_get=1)

    def know(self, frame) -> None:
        self.shown.append(("known", frame.frame))

    def show(self, frame, live=False) -> None:
        self.shown.append(frame.frame)

    def finished(self, frame, to_anonymize, live) -> None:
        self.shown.append((frame.frame, to_anonymize))

    def preview(self, frame) -> None:
        self.shown.append(("preview", frame.frame))

    def send(self, frame) -> None:
        self.shown.append(frame.frame)

    def unseen(self, source: str) -> int:
        return 5

    def waits_for(self, source: str) -> bool:
        return True

    def poll(self) -> None:
        self.shown.append("polled")

    def told(self, source, *what) -> None:
        self.shown.append((source, *what))

    def finish(self) -> None:
        self.shown.append("finished")

    def close(self) -> None:
        self._closes.append(self)


def shown(screens: SourceScreens) -> None:
    screens.show(frame(3), DRAWN if screens.wants_drawn else None, lambda: [(1.0, 2.0, 3.0, 4.0)], live=True)


def test_a_finished_frame_is_shown_to_everybody():
    display, web, published = Watched(), Watched(), Watched()
    shown(Screens(display, web, published).of("clip.mp4", previews=False))
    assert (display.shown, web.shown, published.shown) == (
        [("known", 3), 3],
        [(3, [(1.0, 2.0, 3.0, 4.0)])],
        [3],
    )


def test_where_a_window_shows_previews_it_is_shown_no_finished_frames_but_knows_them_and_nobody_draws_for_it():
    display, published = Watched(), Watched()
    screens = Screens(display, None, published).of("camera0", previews=True)
    shown(screens)
    screens.preview(frame(9))
    assert not screens.wants_drawn and (display.shown, published.shown) == ([("known", 3), 9], [3])


def test_a_page_alone_wants_previews_only_while_it_is_watched():
    web = Watched()
    screens = Screens(web=web).of("camera0", previews=True)
    assert screens.previews and screens.wants_previews
    web.is_watched = False
    assert screens.previews and not screens.wants_previews


def test_pictures_that_wait_for_their_turn_in_a_window_are_unseen_and_those_of_a_page_are_not():
    assert Screens(Watched()).of("clips", previews=False).unseen == 5
    assert Screens(web=Watched()).of("clips", previews=False).unseen is None
    assert Screens(Watched()).of("camera0", previews=True).unseen is None


@pytest.mark.parametrize("place", ["display", "web"])
def test_the_last_picture_of_a_folder_is_looked_at_and_that_of_a_stream_is_not(place):
    screens = Screens(**{place: Watched()})
    assert screens.of("pictures", previews=False).is_looked_at
    assert not screens.of("camera0", previews=True).is_looked_at


def test_where_nobody_looks_nothing_is_drawn_waited_for_or_offered():
    screens = Screens()
    of = screens.of("camera0", previews=True)
    assert not (of.wants_drawn or of.previews or of.wants_previews or of.is_looked_at or screens.has_keys)
    assert (of.unseen, screens.refused) == (None, Counter())


def test_a_page_is_told_how_the_run_goes_now_and_then_and_windows_work_at_every_turn():
    display, web = Watched(), Watched()
    source = SimpleNamespace(snapshot=lambda now_s: "a snapshot", dropped=Counter())
    screens, control = Screens(display, web), SimpleNamespace(restarts={"age": 1})
    for _ in range(2):
        screens.turn({"clip.mp4": source}, control)
    assert display.shown == ["polled", "polled"] and web.shown == [("clip.mp4", "a snapshot", Counter(), {"age": 1})]


def test_a_panel_that_is_open_is_told_how_busy_all_processes_of_a_stage_are():
    display = Watched()
    display.wants_numbers, display.tell = True, lambda source, lines: display.shown.append((source, lines[1].said))
    source = SimpleNamespace(snapshot=lambda now_s: Snapshot(25.0, None, (Load("detect", 1.0, 3),)))
    Screens(display, processes={"detect": 2}).turn({"clip.mp4": source}, SimpleNamespace(restarts={}))
    assert display.shown == [("clip.mp4", "50 %  3 in queue"), "polled"]


def test_all_are_closed_also_when_one_cannot_be_which_is_noted():
    closes: list = []
    display, web, published = Watched(closes), Watched(closes), Watched(closes)

    def fails() -> None:
        raise OSError("no way to close it")

    display.close = fails
    screens = Screens(display, web, published)
    screens.close()
    assert closes == [published, web]
    assert screens.notes == ["the window is left out from here on: OSError: no way to close it"]


def test_what_the_run_waits_for_is_said_once_everything_is_written():
    display, web = Watched(), Watched()
    assert Screens(display, web).finish() == "finished; the window stays open until you press Q in it"
    assert display.shown == ["finished"]
    assert Screens(web=web).finish() == "finished; the picture stays on the page as long as somebody looks at it"


@pytest.mark.parametrize(
    ("place", "does", "name"),
    [
        ("published", "send", "the publication"),
        ("web", "finished", "the page in the browser"),
        ("display", "show", "the window"),
    ],
)
def test_one_that_fails_is_left_out_with_a_note_and_the_others_go_on(place, does, name):
    said: list[str] = []
    broken, others = Watched(), {other: Watched() for other in ("display", "web", "published") if other != place}

    def fails(*_: object) -> None:
        raise cv2.error("OpenCV: no such thing")

    setattr(broken, does, fails)
    screens = Screens(**{place: Extra(name, broken, said.append)}, **others)
    source = screens.of("clip.mp4", previews=False)
    shown(source)
    shown(source)
    assert said == [f"{screens.notes[0]}; the results are whole without it."]
    assert screens.notes[0].startswith(f"{name} is left out from here on: error: OpenCV: no such thing")
    calls = {"display": 4, "web": 2, "published": 2}  # windows are told of each frame, and shown it
    assert {other: len(watched.shown) for other, watched in others.items()} == {other: calls[other] for other in others}


def test_what_is_in_the_way_is_a_mistake_at_first_and_later_a_note():
    def taken() -> None:
        raise FacepipeError("port 8600 is taken by another program.")

    with pytest.raises(FacepipeError):
        Extra.opened("the page", taken, True, print)
    said: list[str] = []
    assert not Extra.opened("the page", taken, False, said.append)
    assert said == [
        "the page is left out from here on: port 8600 is taken by another program; the results are whole without it."
    ]
