"""What a person sees of the page in a real Chromium: labels, pictures of a folder, several sources, on any screen."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from stages.areas import Areas
from stages.view.web.server import Web
from tests.browser import WHY_NOT, Tab, chromium, free_port
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


def key(tab: Tab, name: str) -> None:
    tab.tell("Input.dispatchKeyEvent", type="keyDown", key=name)


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
        key(tab, "d")
        assert tab.run(texts) == ["#1  face 98 %", "woman 97 %", "happy 91 %", "age 31 (25–38)"]
        tab.click("#switches button:first-child")
        assert "woman 97 %" not in tab.run(texts)
        for style, boxes in (("boxes", 1), ("none", 0)):
            tab.run(
                f"(document.getElementById('style').value = '{style}',"
                " document.getElementById('style').dispatchEvent(new Event('change')))"
            )
            assert tab.run(texts) == [] and len(rectangles(tab, "#overlay .box")) == boxes


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
        key(tab, "ArrowRight")
        tab.until("document.getElementById('which').textContent === '2.jpg'", "the next one")
        assert tab.run("document.getElementById('save').disabled")  # It is not there in its full size any more.
        key(tab, "b")
        tab.until("facepipe.blur && [...document.images].every(i => i.src.endsWith('-blurred.jpg'))", "all are hidden")
        key(tab, "Escape")
        tab.until("document.getElementById('which').textContent === '3.jpg'", "the newest again")


def test_the_zones_of_the_configuration_are_drawn(tab):
    with closing(opened()) as web:
        areas = Areas({"step": ((0, 0.5), (1, 0.5), (1, 1))}, {"door": ((0.5, 1), (0.5, 0))})
        web.finished(frame(0, flat(640, 360), [], areas=areas), [])
        look(tab, web)
        assert tab.run("[...document.querySelectorAll('#overlay .area')].map(t => t.textContent)") == ["step", "door"]


def test_the_picture_can_be_enlarged_and_moved_and_labels_keep_their_size(tab):
    with closing(opened(style="plain")) as web:
        video(web, people(8, side=60))
        screen(tab, DESK)
        look(tab, web)
        letters = "[...document.querySelectorAll('#overlay text')].map(t => t.getBoundingClientRect().height)"
        [first, *_], (letter, *_) = rectangles(tab, "#overlay .box"), tab.run(letters)
        for _ in range(2):
            tab.click("#larger")
        [frame_around] = rectangles(tab, ".picture .frame")
        larger = rectangles(tab, "#overlay .box")
        assert 0 < len(larger) < 8
        assert max(box[2] - box[0] for box in larger) == pytest.approx(2.25 * (first[2] - first[0]), rel=0.02)
        assert tab.run(letters)[0] == letter
        labels = rectangles(tab, "#overlay .label")
        assert len(labels) == len(larger)
        assert not [(label, box) for label in labels for box in larger if overlap(label, box)]
        assert all(r[0] >= frame_around[0] - 1 and r[2] <= frame_around[2] + 1 for r in labels)
        middle = (frame_around[0] + frame_around[2]) / 2, (frame_around[1] + frame_around[3]) / 2
        for kind, x in (("mousePressed", 0), ("mouseMoved", 300), ("mouseReleased", 300)):
            place = {"x": middle[0] + x, "y": middle[1], "button": "left", "buttons": 1, "clickCount": 1}
            tab.tell("Input.dispatchMouseEvent", type=kind, **place)
        assert rectangles(tab, "#overlay .box")[0][0] > larger[0][0] + 100 or len(rectangles(tab, "#overlay .box")) != 4
        key(tab, "0")
        assert len(rectangles(tab, "#overlay .box")) == 8 and tab.run("document.getElementById('smaller').disabled")


def test_the_picture_fills_the_screen_with_its_buttons(tab):
    with closing(opened(style="plain")) as web:
        video(web, people(1))
        screen(tab, DESK)
        look(tab, web)
        tab.click("#full")
        tab.until("document.fullscreenElement !== null && document.querySelector('.watch').clientHeight >= 890", "full")
        [picture], [label], [button] = (rectangles(tab, name) for name in ("#picture", "#overlay .label", "#pause"))
        assert picture[0] <= label[0] and label[2] <= picture[2] and button[3] <= 901
        tab.click("#full")
        tab.until("document.fullscreenElement === null", "as before")


def test_what_happened_can_be_played_and_faces_stay_hidden_where_they_are(tab):
    with closing(opened(style="plain")) as web:
        for number in range(60):
            shown = frame(number, flat(640, 360, number), people(2), source="clip.mp4")
            if number == 20:
                web.happened({"event": "appeared", "id": 1, "frame": 20, "time": 0.8}, "woman", shown)
            web.finished(shown, [one.box for one in people(2)])
        screen(tab, DESK)
        look(tab, web)
        tab.click(".event button")
        tab.until("document.querySelectorAll('#film .overlay .label').length === 2", "its first picture")
        tab.until(
            "document.getElementById('place').max > 8 && document.getElementById('place').value > 2", "it goes on"
        )
        assert tab.run("document.getElementById('what').textContent") == "#1 appeared"
        key(tab, "b")  # The page below hears nothing.
        assert not tab.run("facepipe.blur")
        tab.click("#close")
        tab.until("!document.getElementById('film').open", "it is closed")
        key(tab, "b")
        tab.run(
            "(window.asked = [], window.fetch = new Proxy(fetch, {apply: (f, t, a) => (asked.push(a[0]), f(...a))}), 0)"
        )
        tab.click(".event button")
        tab.until("asked.length > 8", "its pictures are asked for")
        assert all(name.endswith("-blurred.jpg") for name in tab.run("asked.slice(1)"))


def test_the_wall_has_the_events_of_all_sources(tab):
    with closing(opened()) as web:
        for name in ("door", "yard"):
            video(web, people(1), source=name)
        screen(tab, DESK)
        look(tab, web, "document.querySelectorAll('.event').length === 2")
        said = tab.run("[...document.querySelectorAll('.event')].map(e => e.innerText)")
        assert ["door" in text for text in sorted(said, key=lambda text: "yard" in text)] == [True, False]
        tab.click("#wall .tile:first-child")
        tab.until("facepipe.source === 'door' && document.querySelectorAll('.event').length === 1", "those of one")


def test_on_a_tall_wall_the_switches_are_below_the_tiles_and_titles_stand_in_one_column(tab):
    """However long the list of the events is, and also of people of whom there is no picture."""
    with closing(opened()) as web:
        for name in ("door", "yard", "hall", "gate"):
            video(web, people(1), source=name)
            for number in range(2, 12):
                web.happened(
                    {"event": "left", "id": number, "frame": 2, "time": 0.1, "dwell": 1.0}, "", frame(2, source=name)
                )
        screen(tab, (1600, 1800))
        look(tab, web, "document.querySelectorAll('.event').length === 44")
        (wall,), (switches,) = rectangles(tab, "#wall"), rectangles(tab, ".watch")
        assert 0 < switches[1] - wall[3] < 30
        titles = rectangles(tab, ".event b")
        assert len({left for left, *_ in titles}) == 1 and max(bottom - top for _, top, _, bottom in titles) < 25


def test_an_event_from_before_a_restart_of_render_is_never_shown_with_the_face_of_another(tab):
    port = free_port()
    with closing(opened(ports=[port], life=1700)) as before:
        video(before, people(1))
        look(tab, before, "document.querySelectorAll('.event img').length === 1")
    with closing(opened(ports=[port], life=1800)) as web:
        video(web, people(3)[2:])
        tab.until("document.querySelectorAll('.event').length === 2", "those of both")
        key(tab, "b")
        tab.until("document.querySelectorAll('.event img').length === 1", "the picture of the first is gone")
        assert tab.run("document.querySelector('.event img').closest('.event').innerText").startswith("#3 appeared")
        tab.click(".event:last-child button")
        tab.until("document.getElementById('when').textContent === 'its pictures are gone'", "and its film")
        tab.click("#close")


def test_a_picture_of_a_folder_that_is_not_kept_any_more_says_so(tab):
    port = free_port()
    with closing(opened(ports=[port], life=1700)) as before:
        folder(before, 3)
        look(tab, before, "document.querySelectorAll('.thumbnail').length === 3")
    with closing(opened(ports=[port], life=1800)) as web:
        folder(web, 1)
        tab.until("facepipe.state === 'live'", "it is there again")
        tab.click(".thumbnail:nth-child(3)")
        tab.until("document.getElementById('notice').textContent.includes('folder of the run')", "where it is")
        assert rectangles(tab, "#overlay .box") == [] and not tab.run("document.getElementById('which').textContent")


def test_another_run_at_the_same_address_begins_anew(tab):
    port = free_port()
    with closing(opened(ports=[port], run="first")) as before:
        folder(before, 5)
        look(tab, before, "document.querySelectorAll('.thumbnail').length === 5")
    with closing(opened(ports=[port], run="second", life=1800)) as web:
        folder(web, 2)
        tab.until("document.querySelectorAll('.thumbnail').length === 2", "only those of this run")
        assert tab.run("document.getElementById('finished').textContent") == "2 pictures, 1 face"
    with closing(opened(ports=[port], run="third", life=1900)) as web:
        video(web, people(2))
        tab.until("document.body.dataset.view === 'video' && document.querySelectorAll('.event').length === 1", "it")
        assert not tab.run("document.querySelectorAll('.thumbnail').length")


def test_a_new_event_moves_neither_the_focus_nor_the_list(tab):
    with closing(opened()) as web:
        video(web, people(1))
        screen(tab, DESK)
        look(tab, web, "document.querySelectorAll('.event').length === 1")
        tab.run("document.querySelector('.event button').focus()")
        web.happened({"event": "left", "id": 1, "frame": 3, "time": 0.1, "dwell": 1.0}, "", frame(3))
        web.told("clip.mp4", HEARTBEAT, {}, {})
        tab.until("document.querySelectorAll('.event').length === 2", "another one")
        assert tab.run("document.activeElement.closest('.event')?.innerText ?? ''").startswith("#1 appeared")


@pytest.mark.parametrize("names", [("all", "back door"), ("__proto__", "a/b?c#d%41")])
def test_a_source_may_have_any_name_and_the_wall_is_beside_it(tab, names):
    with closing(opened(sources=names)) as web:
        for name in names:
            video(web, people(1), source=name)
        look(tab, web, "document.querySelectorAll('#wall .tile').length === 2")
        for place, name in enumerate(names, start=2):
            tab.click(f"#sources button:nth-child({place})")
            tab.until(f"facepipe.source === {name!r} && document.querySelectorAll('.event').length === 1", name)
            tab.click("#sources button:first-child")
            tab.until("facepipe.source === null && document.querySelectorAll('.event').length === 2", "all")


def test_on_a_phone_a_source_that_is_chosen_far_down_the_wall_is_in_view_with_its_tab(tab):
    names = [f"back door {number}" for number in range(8)]
    with closing(opened(sources=names)) as web:
        for name in names:
            video(web, people(1), source=name)
        screen(tab, PHONE)
        look(tab, web, "document.querySelectorAll('.tile').length === 8 && facepipe.pictures >= 8")
        tab.click(".tile:last-child")
        tab.until("facepipe.source === 'back door 7' && facepipe.pictures > 0", "it")
        [picture], tabs = rectangles(tab, "#picture"), rectangles(tab, "#sources button")
        assert 0 <= picture[1] < picture[3] <= 844
        assert 0 <= tabs[-1][0] < tabs[-1][2] <= 390 and len({bottom - top for _, top, _, bottom in tabs}) == 1
        assert tabs[-1][3] - tabs[-1][1] < 40  # A name stands in one line.


def test_nothing_moves_by_itself_for_who_wants_that(tab):
    with closing(opened()) as web:
        video(web, people(1))
        screen(tab, DESK)
        tab.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        look(tab, web, "document.querySelector('[data-stage=age] .work')?.textContent")
        web.told("clip.mp4", HEARTBEAT, {}, {"age": 1})
        tab.until("document.querySelector('.flash')", "a stage was restarted")
        moving = "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).animationName !== 'none')"
        assert tab.run(f"{moving}.length") == 0
        tab.tell("Emulation.setEmulatedMedia", features=[])


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
        if kind == "people":
            tab.click(".event button")
            tab.until("document.getElementById('film').open", "a film")
            assert violations(tab) == []
