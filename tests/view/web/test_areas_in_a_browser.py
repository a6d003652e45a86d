"""Zones and lines are drawn with the mouse, and what the page gives back is a configuration."""

from __future__ import annotations

import pytest

from stages.areas import flaw_of_zone
from stages.config.load import read_config
from stages.config.schema import ConfigError, Pipeline
from tests.browser import WHY_NOT, Tab, chromium
from tests.results.frames import face, flat, frame
from tests.view.web.test_server import opened

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture(scope="module")
def browsers():
    with chromium() as tabs:
        yield tabs


def looked_at(browsers, *sources: str) -> tuple:
    """A page that shows pictures of 640 x 360 of these sources, and the browser that looks at it."""
    web, tab = opened(), browsers()
    for source in sources:
        web.finished(frame(0, flat(640, 360), [face(60, 60, 90)], source=source), [])
    tab.open(f"{web.address}#{sources[0]}")
    tab.until("facepipe.pictures > 0", "a picture")
    return web, tab


def click(tab: Tab, x: float, y: float) -> None:
    """Click at a place of the picture, in shares of its width and height."""
    left, top, scale = tab.run("(m => [m.e, m.f, m.a])(document.getElementById('drawn').getScreenCTM())")
    at = {"x": left + x * 640 * scale, "y": top + y * 360 * scale, "button": "left", "clickCount": 1}
    for kind in ("mousePressed", "mouseReleased"):
        tab.tell("Input.dispatchMouseEvent", type=kind, **at)


def given_back(tab: Tab) -> str:
    return tab.run("document.querySelector('#areas pre').textContent")


def configured(tab: Tab, before: str = "") -> Pipeline:
    return read_config(f"{before}\n{given_back(tab)}\n", "page")


def test_what_is_drawn_is_given_back_as_a_configuration(browsers):
    web, tab = looked_at(browsers, "clip.mp4")
    tab.click("#zone")
    for corner in ((0.1, 0.1), (0.5, 0.1), (0.5, 0.9), (0.1, 0.1)):
        click(tab, *corner)
    tab.click("#line")
    click(tab, 0.75, 0.9)
    click(tab, 0.75, 0.2)
    areas = configured(tab).areas_of(None)
    assert areas.zones["zone1"] == tuple(
        pytest.approx(corner, abs=0.01) for corner in ((0.1, 0.1), (0.5, 0.1), (0.5, 0.9))
    )
    assert areas.lines["line1"] == (pytest.approx((0.75, 0.9), abs=0.01), pytest.approx((0.75, 0.2), abs=0.01))
    tab.run(
        "(i => { i.value = 'my door!'; i.dispatchEvent(new Event('input')) })(document.querySelector('#areas input'))"
    )
    assert list(configured(tab).areas_of(None).zones) == ["my_door_"]
    tab.click("#areas li button")
    assert "zones" not in given_back(tab) and "lines" in given_back(tab)
    web.close()


def told(tab: Tab) -> list[str]:
    return tab.run("[...document.querySelectorAll('#areas li span')].map(e => e.textContent)")


def test_what_the_configuration_would_be_refused_for_is_told(browsers):
    web, tab = looked_at(browsers, "clip.mp4")
    tab.tell("Emulation.setDeviceMetricsOverride", width=1280, height=400, deviceScaleFactor=1, mobile=False)
    tab.click("#zone")
    for height in (0.1, 0.5, 0.9):
        click(tab, -0.1, height)  # Beside the picture: the nearest place in it is meant.
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    tab.tell("Input.dispatchKeyEvent", type="keyDown", **key)
    tab.until("document.querySelectorAll('#areas li').length === 1", "a zone")
    assert given_back(tab).count("[0, ") == 3
    assert "lie on one line" in told(tab)[0]
    with pytest.raises(ConfigError):
        configured(tab)
    tab.click("#areas li button")
    for place in (0.2, 0.6):
        tab.click("#line")
        tab.run("scrollTo(0, 0)")
        click(tab, place, 0.9)
        click(tab, place, 0.2)
    assert told(tab) == ["", ""]
    tab.run("(i => { i.value = 'Line2'; i.dispatchEvent(new Event('input')) })(document.querySelector('#areas input'))")
    assert all("this name" in flaw for flaw in told(tab))
    with pytest.raises(ConfigError):
        configured(tab)
    web.close()


def test_of_several_sources_each_has_its_own(browsers):
    web, tab = looked_at(browsers, "door", "yard")
    tab.click("#line")
    click(tab, 0.5, 0.9)
    click(tab, 0.5, 0.1)
    tab.click("#sources button:last-child")
    tab.until("facepipe.source === 'yard' && facepipe.pictures > 0", "the other one")
    tab.click("#zone")
    for corner in ((0.2, 0.2), (0.9, 0.2), (0.9, 0.9)):
        click(tab, *corner)
    tab.tell("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    pipeline = configured(tab, "sources: {door: 0, yard: 1}")
    assert list(pipeline.areas_of("door").lines) == ["line1"] and not pipeline.areas_of("door").zones
    assert list(pipeline.areas_of("yard").zones) == ["zone1"] and not pipeline.areas_of("yard").lines
    web.close()


def test_a_zone_whose_sides_cross_is_told_and_escape_gives_up(browsers):
    web, tab = looked_at(browsers, "clip.mp4")
    tab.click("#zone")
    crossing = ((0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8))
    for corner in crossing:
        click(tab, *corner)
    tab.tell("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    assert flaw_of_zone([*map(list, crossing)]) is not None
    assert "its sides cross" in tab.run("document.querySelector('#areas li').textContent")
    tab.click("#areas li button")
    tab.click("#line")
    click(tab, 0.5, 0.9)
    tab.tell("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert given_back(tab) == "" and tab.run("document.getElementById('areas').hidden")
    web.close()
