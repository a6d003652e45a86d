"""The page in the browser, over a real run: without a browser, and in a real Chromium where there is one."""

from __future__ import annotations

import re
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import psutil
import pytest
from websockets.sync.client import connect

from tests.browser import WHY_NOT, Tab, chromium, free_port, until
from tests.end_to_end.command import Ran, Running, Workplace, somewhere
from tests.end_to_end.material import scene
from tests.end_to_end.server import camera

needs_chromium = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


def address_of(run: Running) -> str:
    run.until(lambda: "the page is at " in run.err, "the address of the page")
    return re.search(r"the page is at (\S+)", run.err)[1]


# --- Without a browser ---


def test_the_page_changes_nothing_of_the_results_and_what_is_refused_is_told_at_the_end(place, film, shown: Ran):
    port = free_port()
    run = place.start(film, f"--web={port}", "--verbose", display="web")
    assert address_of(run) == f"http://127.0.0.1:{port}/"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(address_of(run) + "etc/passwd")
    ran = run.end().succeeded()
    assert ran.results == shown.results
    assert "1 message refused, most of all from a browser: a request for what is not there" in ran.out


def test_a_port_that_is_taken_is_refused_before_anything_is_done(place, film):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = place.run(film, f"--web={port}")
    assert ran.status == 2
    assert ran.complaint == (
        f"port {port} for the page in the browser is taken by another program; choose another one: --web PORT."
    )
    assert not (ran.output / "results.jsonl").exists()


def test_a_picture_stays_as_long_as_somebody_looks_at_it(place, astronaut):
    still = place.folder / "still.png"
    cv2.imwrite(str(still), astronaut)
    run = place.start(still, f"--web={free_port()}", display="web").until_lines(1)
    with connect(address_of(run).replace("http", "ws") + "live", proxy=None) as browser:
        browser.recv()
        time.sleep(1.0)  # So long it would be over otherwise: there is no other sign of what does not happen.
        assert not run.is_over
    assert run.end().status == 0


# --- In a browser ---


@dataclass(frozen=True, slots=True)
class Watched:
    """A run of a camera, which goes on until it is ended, and of a film; and a browser that looks at it."""

    run: Running
    tab: Tab
    address: str

    @property
    def line_count(self) -> int:
        """Lines of results of the source that is looked at."""
        return (self.run.output / "door" / "results.jsonl").read_bytes().count(b"\n")


@pytest.fixture(scope="module")
def browsers():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def watched(browsers, astronaut, endless_film, tmp_path_factory) -> Iterator[Watched]:
    with (
        somewhere(tmp_path_factory.mktemp("watched")) as here,
        camera(lambda number: scene(astronaut, number // 2), rate=8) as door,
    ):
        sources = f"--set=sources={{door: '{door.url}', yard: {endless_film}}}"
        run = here.start(None, sources, "--set=deadline=20", f"--web={free_port()}", display="web")
        tab = browsers()
        tab.open(f"{address_of(run)}#door")
        tab.until("facepipe.pictures > 2", "pictures")
        yield Watched(run, tab, address_of(run))


def pixels(tab: Tab) -> str:
    """What stands on the picture's canvas."""
    return tab.run("document.getElementById('picture').toDataURL()")


@needs_chromium
def test_the_picture_moves_and_cards_and_charts_fill(watched: Watched):
    tab = watched.tab
    first = pixels(tab)
    until(lambda: pixels(tab) != first, "another picture")
    size = tab.run("[document.getElementById('picture').width, document.getElementById('picture').height]")
    assert size == [480, 270]
    tab.until("document.querySelectorAll('#faces article').length > 0", "a card")
    tab.until("document.querySelector('#faces article dd').textContent === 'woman'", "a gender on it")
    charts = tab.until(
        "(charts => charts.length === 5 && charts)([...document.querySelectorAll('.chart')].map(c => c.dataset.chart))",
        "the charts",
    )
    assert sorted(charts) == ["Age", "Emotion", "Frames a second", "Gender", "Latency"]
    for chart in charts:
        tab.until(
            f"document.querySelector('[data-chart=\"{chart}\"] output').textContent !== ''", f"{chart} says something"
        )


@needs_chromium
def test_the_drawing_shows_each_stage_at_work(watched: Watched):
    stages = watched.tab.until(
        "(boxes => boxes.length && boxes)([...document.querySelectorAll('.stage')].map(box => box.dataset.stage))",
        "boxes",
    )
    assert stages == ["capture", "detect", "gender", "emotion", "age", "render"]
    watched.tab.until("/[1-9]\\d* % busy/.test(document.querySelector('[data-stage=detect]').textContent)", "work")
    assert watched.tab.run("document.querySelectorAll('#pipeline path').length") == 7


@needs_chromium
def test_nothing_comes_from_elsewhere_and_nothing_is_wider_than_a_phone(watched: Watched):
    tab = watched.tab
    loaded = tab.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(loaded) >= 6 and all(name.startswith(watched.address) for name in loaded)
    tab.tell("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    assert tab.until("innerWidth === 390 && document.documentElement.scrollWidth", "a narrow page") <= 390
    tab.tell("Emulation.clearDeviceMetricsOverride")


@needs_chromium
def test_switches_act_at_once_also_while_the_picture_is_held(watched: Watched):
    tab = watched.tab
    tab.until("document.querySelectorAll('#faces article').length > 0", "a face")
    tab.click("#pause")
    held, labels = settled(tab), drawn(tab)
    for place, name in enumerate(("gender", "emotion", "age"), 1):
        tab.click(f"#switches button:nth-child({place})")
        assert drawn(tab) != labels, name
        tab.click(f"#switches button:nth-child({place})")
        assert drawn(tab) == labels and pixels(tab) == held, name
    tab.click("#switches button:last-child")
    until(lambda: pixels(tab) != held, "the faces are hidden")
    tab.click("#switches button:last-child")
    until(lambda: pixels(tab) == held, "and shown again")
    before = watched.line_count
    until(lambda: watched.line_count > before, "the work goes on")
    assert pixels(tab) == held
    tab.click("#pause")
    until(lambda: pixels(tab) != held, "the picture moves again")


def drawn(tab: Tab) -> str:
    """The boxes and labels over the picture."""
    return tab.run("document.getElementById('overlay').innerHTML")


def settled(tab: Tab) -> str:
    """The picture once it stands still: the one that was under way when it was held has come."""
    tab.until("document.getElementById('notice').textContent === 'Paused'", "paused")
    found = [pixels(tab)]

    def same_as_before() -> bool:
        found.append(pixels(tab))
        return len(found) > 8 and len(set(found[-8:])) == 1

    until(same_as_before, "it stands still")
    return found[-1]


@needs_chromium
def test_a_line_in_one_chart_is_a_line_in_all(watched: Watched):
    tab = watched.tab
    readings = "[...document.querySelectorAll('.chart output')].map(o => o.textContent)"
    tab.until(f"{readings}.every(text => text !== '')", "values of now")
    point = (
        "(canvas => canvas.dispatchEvent(new PointerEvent('{kind}', {{clientX: canvas.getBoundingClientRect().left + 54"
        "}})))(document.querySelector('[data-chart=Age] canvas'))"
    )
    tab.run(point.format(kind="pointermove"))  # A minute ago the run had not begun.
    tab.until(f"{readings}.every(text => text === '')", "values of then")
    tab.run(point.format(kind="pointerleave"))
    tab.until(f"{readings}.some(text => text !== '')", "values of now again")


def in_store(tab: Tab, script: str) -> object:
    """What a script finds out about a new `Store` of the page."""
    return tab.run(f"import('./store.js').then(({{Store}}) => {{ const store = new Store(); {script} }})")


@needs_chromium
def test_samples_are_kept_once_on_the_browser_s_clock_also_those_of_a_new_render(watched: Watched):
    times = in_store(
        watched.tab,
        """
        const sample = t => ({t, frame: 0, faces: []});
        store.take({life: 1, known: [2, 0, 0], now: 10, samples: [sample(9), sample(10)]}, 110);
        store.take({life: 1, known: [3, 0, 0], now: 11, samples: [sample(9), sample(10), sample(11)]}, 111);
        store.take({life: 2, known: [1, 0, 0], now: 5, samples: [sample(5)]}, 115);
        return store.faces.map(one => one.t);
        """,
    )
    assert times == [109, 110, 111, 115]


@needs_chromium
def test_a_page_that_was_opened_a_moment_ago_has_the_minute_before(watched: Watched):
    times = in_store(
        watched.tab,
        """
        const sample = t => ({t, frame: 0, faces: []});
        store.take({life: 1, known: [3, 0, 0], now: 100, samples: [sample(50), sample(70), sample(99)]}, 2);
        return store.faces.map(one => one.t);
        """,
    )
    assert times == [-48, -28, 1]


@needs_chromium
def test_a_message_that_was_delayed_does_not_fold_the_charts_back_in_time(watched: Watched):
    times = in_store(
        watched.tab,
        """
        const sample = t => ({t, frame: 0, faces: []});
        store.take({life: 1, known: [3, 0, 0], now: 100, samples: [sample(98), sample(99), sample(100)]}, 1003);
        store.take({life: 1, known: [4, 0, 0], now: 101, samples: [sample(101)]}, 1001);
        store.take({life: 2, known: [1, 0, 0], now: 1, samples: [sample(0.5)]}, 1001);
        return store.faces.map(one => one.t);
        """,
    )
    assert times == [998, 999, 1000, 1001, 1001]


@needs_chromium
def test_people_keep_their_lane_and_one_that_is_free_goes_to_the_next(watched: Watched):
    lanes = in_store(
        watched.tab,
        """
        const person = (id, from, to) => ({id, runs: [[{t: from}, {t: to}]]});
        const lanes = people => store.inLanes(people).map(({id, lane}) => [id, lane]);
        return [
          lanes([person(1, 0, 5), person(2, 1, 9), person(3, 7, 9)]),
          lanes([person(2, 1, 9), person(3, 7, 9), person(4, 8, 9)]),
        ];
        """,
    )
    assert lanes == [[[1, 0], [2, 1], [3, 0]], [[2, 1], [3, 0], [4, 2]]]


@needs_chromium
def test_who_was_there_for_a_moment_only_has_no_line(watched: Watched):
    ids = in_store(
        watched.tab,
        """
        const seen = (t, ...ids) => ({t, frame: 0, faces: ids.map(id => [id, '#ffffff', 1, {age: [1, 1, 1]}])});
        const samples = [seen(0, 1, 2), seen(0.5, 1, 2), seen(1, 1), seen(1.5, 1, 3, -1)];
        store.take({life: 1, known: [4, 0, 0], now: 2, samples}, 2);
        return store.people('age').map(person => person.id);
        """,
    )
    assert ids == [1, 3]  # Who has only just come may stay; who is not followed has no line.


@needs_chromium
def test_a_picture_is_saved_in_its_full_size(watched: Watched):
    watched.tab.click("#save")
    # The browser lays an empty file in its place, and gives it what it has received at the end.
    [saved] = until(lambda: [path for path in watched.tab.downloads.glob("*.jpg") if path.stat().st_size], "a download")
    assert re.fullmatch(r"door-\d+\.jpg", saved.name)
    assert cv2.imread(str(saved)).shape == (270, 480, 3)


@needs_chromium
def test_each_source_has_its_tab_and_all_of_them_are_a_wall_of_which_one_is_enlarged(watched: Watched):
    tab = watched.tab
    assert tab.run("[...document.querySelectorAll('#sources button')].map(b => b.textContent)") == [
        "all",
        "door",
        "yard",
    ]
    tab.click("#sources button:nth-child(3)")
    tab.until("facepipe.source === 'yard' && facepipe.pictures > 0", "a picture of the other source")
    tab.click("#sources button:nth-child(1)")
    tab.until("facepipe.source === null && facepipe.pictures > 1", "pictures of both")
    tiles = "[...document.querySelectorAll('.tile')].map(tile => tile.textContent)"
    tab.until(f"{tiles}.every(text => /faces?$/.test(text))", "both are seen")
    tab.click(".tile")
    tab.until("facepipe.source === 'door' && facepipe.pictures > 0", "one is enlarged")
    tab.tell("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    tab.until("facepipe.source === null", "all of them again")
    tab.click("#sources button:nth-child(2)")
    tab.until("facepipe.source === 'door' && facepipe.pictures > 0", "and the first one")


@needs_chromium
def test_the_page_begins_and_ends_a_recording(watched: Watched):
    tab = watched.tab
    tab.click("#record")
    tab.until("/^recording, [1-9]/.test(document.getElementById('recording').textContent)", "it is recorded")
    tab.click("#record")
    said = tab.until(
        "(t => t.startsWith('recorded: ') && t)(document.getElementById('recording').textContent)", "the end"
    )
    name = said.removeprefix("recorded: ")
    assert re.fullmatch(r"saved/door-\d+\.mp4", name)
    video = cv2.VideoCapture(str(watched.run.output / name))
    assert video.read()[1].shape == (270, 480, 3)


@needs_chromium
def test_what_has_happened_stands_on_the_page_with_faces(watched: Watched):
    tab = watched.tab
    tab.until("document.querySelectorAll('.event').length > 2", "events")
    said = tab.run("[...document.querySelectorAll('.event b')].map(b => b.textContent)")
    assert all(re.fullmatch(r"#\d+ (appeared|left after \d+ s)", text) for text in said)
    assert tab.run(
        "[...document.querySelectorAll('.event time')].every(t => /^\\d\\d:\\d\\d:\\d\\d$/.test(t.textContent))"
    )
    tab.until("[...document.querySelectorAll('.event img')].some(image => image.naturalWidth > 20)", "a face")


@needs_chromium
def test_a_browser_that_stands_still_holds_up_neither_the_run_nor_another_one(watched: Watched, browsers):
    other = browsers()
    other.open(watched.address)
    other.until("facepipe.pictures > 0", "pictures in both")
    profile = str(other.downloads.parent / "profile")
    stopped = [p for p in psutil.process_iter(["cmdline"]) if profile in " ".join(p.info["cmdline"] or [])]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        pictures, lines = watched.tab.run("facepipe.pictures"), watched.line_count
        watched.tab.until(f"facepipe.pictures > {pictures + 4}", "pictures in the other browser")
        until(lambda: watched.line_count > lines + 4, "frames in the results")
    finally:
        for process in stopped:
            process.send_signal(signal.SIGCONT)
    seen = other.run("facepipe.pictures")
    other.until(f"facepipe.pictures > {seen}", "it goes on with the newest")
    other.close()


@needs_chromium
def test_restarts_are_seen_when_they_happen_and_the_page_finds_a_new_render_by_itself(watched: Watched):
    tab, run = watched.tab, watched.run
    for stage in ("age", "render"):
        run.stages()[stage][0].send_signal(signal.SIGKILL)
        tab.until(
            f"document.querySelector('[data-stage={stage}]').textContent.includes('restarted once')", f"{stage} is back"
        )
    tab.until("facepipe.state === 'live'", "the connection")
    pictures = tab.run("facepipe.pictures")
    tab.until(f"facepipe.pictures > {pictures + 2}", "pictures of the new render")
    assert tab.run("document.querySelector('[data-stage=age]').textContent.includes('restarted once')")


@needs_chromium
def test_at_the_end_the_page_says_so(watched: Watched):
    watched.run.signal(signal.SIGINT).end()
    watched.tab.until("document.getElementById('state').textContent === 'the run is over'", "the end")


@needs_chromium
def test_among_strangers_and_for_others_the_blur_and_the_token_stay(browsers, endless_film, place: Workplace):
    run = place.start(endless_film, "--blur", "--set=pace=true", f"--web={free_port()}", "--web-host=0.0.0.0")
    address = address_of(run)
    token = re.fullmatch(r"http://[\w.]+:\d+/([\w-]{22})/", address)[1]
    here = re.sub(r"//[\w.]+:", "//127.0.0.1:", address)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(here.replace(token, ""))
    tab = browsers()
    tab.open(here)
    tab.until("facepipe.pictures > 0", "pictures")
    blur = "document.querySelector('#switches button:last-child')"
    assert tab.run(f"[{blur}.textContent, {blur}.disabled, {blur}.getAttribute('aria-pressed')]") == [
        "blur",
        True,
        "true",
    ]
    run.stages()["render"][0].send_signal(signal.SIGKILL)
    tab.until("facepipe.restarts.render === 1 && facepipe.state === 'live'", "the new render, under the same token")
    assert run.err.count("the page is at") == 1
    assert run.signal(signal.SIGINT).end().status == 130
