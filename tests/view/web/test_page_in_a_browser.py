"""What a person sees of the page in a real Chromium: labels, pictures of a folder, several sources, on any screen."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from stages.areas import Areas
from stages.view.web.server import Web
from tests.browser import WHY_NOT, Tab, chromium
from tests.results.frames import face, flat, frame
from tests.view.web.axe import AXE, violations
from tests.view.web.test_server import HEARTBEAT, opened

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def tab():
    with chromium() as opened:
        yield opened()


def screen(tab: Tab, size: tuple[int, int], scheme: str = "light") -> None:
    width, height = size
    tab.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
    tab.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


def people(count: int, side: int = 90) -> list:
    """So many faces in rows of four, in a picture of 640 x 360."""
    places = [(30 + 150 * (n % 4), 40 + 150 * (n // 4)) for n in range(count)]
    return [replace(face(x, y, side), id=n + 1) for n, (x, y) in enumerate(places)]


def video(web: Web, faces: list, source: str = "clip.mp4") -> None:
    """A video of which frames have come, in which somebody has appeared."""
    for number in range(3):
        shown = frame(number, flat(640, 360, 90), faces, source=source)
        if number == 1 and faces:
            event = {"event": "appeared", "id": faces[0].id, "frame": 1, "time": 0.04}
            web.happened(event, "woman, happy, 31", shown)
        web.finished(shown, [])
    web.told(source, HEARTBEAT, {}, {})


def folder(web: Web, count: int) -> None:
    """Pictures, each with one face more than the one before."""
    for number in range(count):
        found = [replace(one, id=None) for one in people(number)]
        web.finished(frame(number, flat(640, 360, 40 + 20 * number), found, rate=None, file=f"{number}.jpg"), [])
    web.told("clip.mp4", HEARTBEAT, {}, {})


def look(tab: Tab, web: Web, until: str = "facepipe.pictures > 0") -> None:
    tab.open("about:blank")
    tab.open(web.address)
    tab.until(until, "it is there")


def rectangles(tab: Tab, selector: str) -> list[list[float]]:
    """Left, top, right and bottom of elements, in pixels of the window; all 0 where one is not shown."""
    found = f"[...document.querySelectorAll({selector!r})].map(e => e.getBoundingClientRect())"
    return tab.run(f"{found}.map(r => [r.x, r.y, r.right, r.bottom])")


def overlap(one: list[float], other: list[float]) -> bool:
    return min(one[2], other[2]) - max(one[0], other[0]) > 1 and min(one[3], other[3]) - max(one[1], other[1]) > 1


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_face_has_a_legible_label_that_covers_no_face(tab, count, size):
    with closing(opened(style="plain")) as web:
        video(web, people(count))
        screen(tab, size)
        look(tab, web)
        labels = rectangles(tab, "#overlay .label")
        boxes = rectangles(tab, "#overlay .box")
        assert len(labels) == len(boxes) == count
        assert not [(label, box) for label in labels for box in boxes if overlap(label, box)]
        letters = "[...document.querySelectorAll('#overlay text')].map(t => parseFloat(getComputedStyle(t).fontSize))"
        assert min(tab.run(letters)) >= 11
        [picture] = rectangles(tab, "#picture")
        assert all(r[0] >= picture[0] - 1 and r[2] <= picture[2] + 1 for r in labels)


def test_a_label_says_who_and_how_and_details_say_all(tab):
    with closing(opened(style="plain")) as web:
        video(web, people(1))
        screen(tab, DESK)
        look(tab, web)
        texts = "[...document.querySelectorAll('#overlay .label text')].map(t => t.textContent)"
        assert tab.run(texts) == ["#1 woman 31", "happy"]
        tab.click("#details")
        assert tab.run(texts) == ["#1  face 98 %", "woman 97 %", "happy 91 %", "age 31 (25–38)"]
        tab.click("#switches button:first-child")
        assert "woman 97 %" not in tab.run(texts)


def test_a_phone_shows_all_without_endless_scrolling_and_panels_unfold(tab):
    with closing(opened(style="plain")) as web:
        video(web, people(3))
        screen(tab, PHONE)
        look(tab, web)
        assert tab.run("document.documentElement.scrollWidth") <= 390
        assert tab.run("document.documentElement.scrollHeight") < 1400
        assert not rectangles(tab, "[data-chart=Age] canvas")[0][3]
        tab.click("[data-chart=Age] .fold")
        tab.until("document.querySelector('[data-chart=Age] canvas').getBoundingClientRect().height > 50", "a chart")
        tab.run("localStorage.clear()")


def test_cards_unfold_and_all_of_three_can_be_read(tab):
    with closing(opened()) as web:
        video(web, people(3))
        screen(tab, (1300, 900))
        look(tab, web)
        [panel] = rectangles(tab, "#faces")
        assert all(card[3] <= panel[3] for card in rectangles(tab, "#faces article"))
        assert rectangles(tab, "#faces article:first-child dl")[0][3] == 0
        tab.click("#faces article:first-child button")
        assert rectangles(tab, "#faces article:first-child dl")[0][3] > 0


def test_a_folder_is_a_gallery_without_charts_in_which_one_picture_is_looked_at(tab):
    with closing(opened()) as web:
        folder(web, 4)
        screen(tab, DESK)
        look(tab, web, "document.querySelectorAll('.thumbnail').length === 4")
        assert not [rect for rect in rectangles(tab, ".chart") if rect[3]]
        said = "[...document.querySelectorAll('.thumbnail')].map(t => t.innerText)"
        assert [text.split("\n")[-1] for text in tab.run(said)] == ["0 faces", "1 face", "2 faces", "3 faces"]
        tab.click(".thumbnail:nth-child(2)")
        tab.until("document.getElementById('which').textContent === '1.jpg'", "it is shown")
        assert len(rectangles(tab, "#overlay .box")) == 1
        tab.tell("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        tab.until("document.getElementById('which').textContent === '2.jpg'", "the next one")
        assert tab.run("document.getElementById('save').disabled")  # It is not there in its full size any more.
        tab.tell("Input.dispatchKeyEvent", type="keyDown", key="b")
        tab.until("facepipe.blur && [...document.images].every(i => i.src.endsWith('-blurred.jpg'))", "all are hidden")
        tab.tell("Input.dispatchKeyEvent", type="keyDown", key="Escape")
        tab.until("document.getElementById('which').textContent === '3.jpg'", "the newest again")


def test_the_zones_of_the_configuration_are_drawn(tab):
    with closing(opened()) as web:
        areas = Areas({"step": ((0, 0.5), (1, 0.5), (1, 1))}, {"door": ((0.5, 1), (0.5, 0))})
        web.finished(frame(0, flat(640, 360), [], areas=areas), [])
        look(tab, web)
        assert tab.run("[...document.querySelectorAll('#overlay .area')].map(t => t.textContent)") == ["step", "door"]


@pytest.mark.skipif(AXE is None, reason="needs axe-core: pip install axe-core-python, or AXE_CORE=axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("kind", ["nobody", "people", "folder", "wall"])
def test_axe_finds_nothing_wrong(tab, kind, size, scheme):
    with closing(opened(records=True)) as web:
        if kind == "folder":
            folder(web, 4)
        elif kind == "wall":
            for name in ("door", "yard", "hall"):
                video(web, people(2), source=name)
        else:
            video(web, people(3) if kind == "people" else [])
        screen(tab, size, scheme)
        look(tab, web)
        assert violations(tab) == []
