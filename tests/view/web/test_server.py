"""The web server with real connections: what it says, to whom, and whom it refuses."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from stages.areas import Areas
from stages.protocol.rates import Load, Snapshot
from stages.view.web import WebError, open_web, server
from stages.view.web.encoded import EncodedFrame
from stages.view.web.server import Web
from tests.browser import until
from tests.results.frames import face, flat, frame

STAGES = {"detect": 2, "gender": 1, "emotion": 1, "age": 1}
HEARTBEAT = Snapshot(25.0, 0.04, (Load("detect", 1.0, 2),))


def opened(**more) -> Web:
    usual = {
        "host": "127.0.0.1",
        "ports": [0],
        "token": "s3cret",
        "sources": [],
        "stages": STAGES,
        "style": "full",
        "blur": "none",
    }
    return open_web(**usual | {"run": "b9a0c31f5d2e", "life": 1700, "stays": True} | more)


@pytest.fixture
def web() -> Iterator[Web]:
    web = opened()
    yield web
    web.close()


def show(web: Web, number: int = 0, grey: int = 128, **more) -> None:
    web.finished(frame(number, flat(320, 240, grey), [face(60, 60, 90)], **more), [])


class Browser:
    """What app.js does, without a picture on a screen."""

    def __init__(self, web: Web, path: str = "live", **more):
        address = web.address.replace("http", "ws", 1) + path
        self.socket: ClientConnection = connect(address, max_size=None, proxy=None, legacy=True, **more)

    def say(self, **message: object) -> None:
        self.socket.send(json.dumps(message))

    def look(self, source: str | None = "clip.mp4", **more: object) -> None:
        self.say(do="look", source=source, **{"blur": False, "paused": False} | more)

    def hear(self, timeout_s: float = 5.0) -> tuple[dict, bytes]:
        """The next message, which may be long in coming on a busy machine; TimeoutError where there is none."""
        message = self.socket.recv(timeout_s)
        length = int.from_bytes(message[:4], "big")
        return json.loads(message[4 : 4 + length]), message[4 + length :]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def grey_of(jpeg: bytes) -> int:
    """The grey of a corner, where nothing is drawn."""
    return round(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[-8:, :8].mean())


def meet(web: Web) -> Browser:
    """A browser that has been told about the run and looks at the first source."""
    browser = Browser(web)
    browser.hear()
    browser.look()
    browser.say(do="ready")
    return browser


# --- What a browser is told ---


def test_the_page_comes_with_all_that_it_needs_and_nothing_from_elsewhere(web):
    for name, kind in (("", "text/html"), ("app.js", "text/javascript"), ("style.css", "text/css")):
        with urllib.request.urlopen(web.address + name) as answer:
            assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'") and "http" not in policy
            assert len(answer.read()) == int(answer.headers["Content-Length"]) > 1000


def test_a_browser_is_told_about_the_run_then_gets_picture_and_samples_together(web):
    show(web, 7)
    web.told("clip.mp4", HEARTBEAT, {("capture", "full"): 3}, {"age": 1})
    with Browser(web) as browser:
        about, nothing = browser.hear()
        assert about["about"]["stages"] == STAGES and nothing == b""
        assert [source["name"] for source in about["about"]["sources"]] == ["clip.mp4"]
        browser.look()
        browser.say(do="ready")
        said, jpeg = browser.hear()
    assert {key: said["picture"][key] for key in ("frame", "file", "width", "height")} == {
        "frame": 7,
        "file": None,
        "width": 320,
        "height": 240,
    }
    assert [set(sample) & {"faces", "rate"} for sample in said["samples"]] == [{"faces"}, {"rate"}]
    assert said["restarts"] == {"age": 1} and said["life"] == 1700 and said["known"] == [2, 0, 0]
    assert jpeg[:2] == b"\xff\xd8"


def test_a_browser_that_is_there_before_the_first_picture_is_told_when_it_comes(web):
    with Browser(web) as browser:
        assert browser.hear()[0]["about"]["sources"] == []
        browser.say(do="ready")
        show(web)
        assert browser.hear()[0]["about"]["sources"][0]["name"] == "clip.mp4"


def test_a_source_that_is_removed_leaves_the_page_and_one_that_is_added_comes(web):
    show(web)
    with meet(web) as browser:
        browser.look(None)
        show(web, source="gate")
        browser.say(do="ready")
        assert [source["name"] for source in browser.hear()[0]["about"]["sources"]] == ["clip.mp4", "gate"]
        web.forget("clip.mp4")
        browser.say(do="ready")
        assert [source["name"] for source in browser.hear()[0]["about"]["sources"]] == ["gate"]


def test_a_browser_that_has_not_drawn_the_last_picture_gets_no_other_and_then_the_newest(web):
    show(web, 0, grey=10)
    with meet(web) as browser:
        assert grey_of(browser.hear()[1]) == 10
        for number in range(1, 30):
            show(web, number, grey=10 + 5 * number)
        with pytest.raises(TimeoutError):
            browser.hear(timeout_s=0.3)
        browser.say(do="ready")
        said, jpeg = browser.hear()
        assert (said["picture"]["frame"], grey_of(jpeg)) == (29, 155)


def test_what_a_browser_has_seen_is_not_sent_again(web):
    show(web)
    with meet(web) as browser:
        browser.hear()
        browser.say(do="ready")
        with pytest.raises(TimeoutError):
            browser.hear(timeout_s=0.3)


def test_faces_come_with_their_boxes_and_the_picture_below_them_is_plain(web):
    show(web)
    with meet(web) as browser:
        said, jpeg = browser.hear()
    [[number, colour, score, answers, unsure, box]] = said["picture"]["faces"]
    assert (number, score, unsure, box) == (-1, 0.98, False, [60, 60, 90, 90])
    assert set(answers) == {"gender", "emotion", "age"} and colour.startswith("#")
    plain = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(plain) <= 2


def test_one_who_hides_faces_gets_another_picture_and_nobody_else_does(web):
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    web.finished(frame(0, noise, [face(60, 60, 90)]), [(60, 60, 90, 90)])
    with meet(web) as one, meet(web) as other:
        (_, plain), (_, same) = one.hear(), other.hear()
        assert plain == same
        one.look(blur=True)
        one.say(do="ready")
        other.say(do="ready")
        assert one.hear()[1] != plain
        with pytest.raises(TimeoutError):
            other.hear(timeout_s=0.3)


def test_a_browser_that_pauses_keeps_its_picture_and_its_charts_go_on(web):
    show(web, 0)
    with meet(web) as browser:
        browser.hear()
        browser.look(paused=True)
        browser.say(do="save", hide=[])
        browser.say(do="ready")
        assert browser.hear()[0]["saved"]  # So the pause has been heard.
        browser.say(do="ready")
        show(web, 1, grey=9)
        web.told("clip.mp4", HEARTBEAT, {}, {})
        said, jpeg = browser.hear()
        assert said["samples"] and "picture" not in said and jpeg == b""
        browser.look(paused=True, blur=True)
        browser.say(do="ready")
        said, jpeg = browser.hear()
        assert said["picture"]["frame"] == 0 and grey_of(jpeg) == 128
        browser.look()
        browser.say(do="ready")
        assert browser.hear()[0]["picture"]["frame"] == 1


def test_saving_gives_the_whole_picture_as_it_is_drawn(web):
    web.finished(frame(4, flat(3000, 100)), [])
    with meet(web) as browser:
        browser.hear()
        browser.say(do="save", hide=[])
        browser.say(do="ready")
        said, jpeg = browser.hear()
    assert said["saved"] == "clip.mp4-4.jpg"
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (100, 3000, 3)


def test_a_browser_that_comes_back_is_told_only_what_it_does_not_know(web):
    show(web)
    web.told("clip.mp4", HEARTBEAT, {}, {})
    for life, unknown in ((1700, 1), (1699, 2)):
        with Browser(web) as browser:
            browser.hear()
            browser.look(life=life, known=[1, 0, 0])
            browser.say(do="ready")
            assert len(browser.hear()[0]["samples"]) == unknown


def test_a_live_source_shows_its_newest_picture_but_not_to_who_wants_faces_hidden(web):
    web.finished(frame(3, flat(320, 240, 40)), [], live=True)
    web.preview(frame(9, flat(320, 240, 90)))
    for blur, seen in ((False, 9), (True, 3)):
        with Browser(web) as browser:
            browser.hear()
            browser.look(blur=blur)
            browser.say(do="ready")
            assert browser.hear()[0]["picture"]["frame"] == seen


def test_each_source_has_its_own_pictures_and_samples():
    web = opened(sources=["door", "yard"])
    show(web, 2, source="yard")  # The tabs are in the order of the configuration all the same.
    show(web, 1, source="door")
    with contextlib.closing(web), Browser(web) as browser:
        assert [source["name"] for source in browser.hear()[0]["about"]["sources"]] == ["door", "yard"]
        for source, number in (("door", 1), ("yard", 2)):
            browser.look(source)
            browser.say(do="ready")
            said, _ = browser.hear()
            assert (said["source"], said["picture"]["frame"], said["samples"][0]["frame"]) == (source, number, number)


def test_who_looks_at_all_sources_gets_small_pictures_of_each_in_turn():
    web = opened(sources=["door", "yard", "hall"])
    for name in ("door", "yard", "hall"):
        web.finished(frame(1, flat(1280, 720), source=name), [], live=True)
    with contextlib.closing(web), Browser(web) as browser:
        browser.hear()
        browser.look(None)
        heard = []
        for number in (2, 3):
            for _ in range(3):
                browser.say(do="ready")
                said, jpeg = browser.hear()
                heard.append((said["source"], said["picture"]["frame"]))
                assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (360, 640, 3)
                assert "samples" not in said
            for name in ("door", "yard", "hall"):
                web.finished(frame(number, flat(1280, 720), source=name), [], live=True)
    assert heard == [(name, number) for number in (1, 2) for name in ("door", "yard", "hall")]


def test_zones_and_lines_of_the_configuration_are_told_and_times_of_cameras(web):
    areas = Areas({"step": ((0, 0.5), (1, 0.5), (1, 1))}, {"door": ((0.5, 1), (0.5, 0))})
    shown = frame(0, flat(320, 240), areas=areas)
    web.finished(replace(shown, picture=replace(shown.picture, clock=1_790_000_000.5)), [], live=True)
    with Browser(web) as browser:
        [source] = browser.hear()[0]["about"]["sources"]
        assert (source["kind"], source["lines"]) == ("camera", {"door": [[0.5, 1], [0.5, 0]]})
        assert source["zones"] == {"step": [[0, 0.5], [1, 0.5], [1, 1]]}
        browser.look()
        browser.say(do="ready")
        assert browser.hear()[0]["picture"]["clock"] == 1_790_000_000.5


# --- What can be looked back at ---


def answered(web: Web, name: str, kind: str = "application/json") -> bytes:
    with urllib.request.urlopen(web.address + name) as answer:
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        return answer.read()


def fetched(web: Web, name: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(answered(web, name, "image/jpeg"), np.uint8), cv2.IMREAD_COLOR)


def test_all_pictures_of_a_folder_are_listed_and_can_be_had_small_and_with_faces_hidden(web):
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (960, 1280, 3), np.uint8)
        web.finished(frame(number, noise, [face(0, 0, 300)], rate=None, file=f"{number}.jpg"), [(0, 0, 300, 300)])
    with meet(web) as browser:
        said, _ = browser.hear()
        assert [(one["file"], one["of"]) for one in said["pictures"]] == [("0.jpg", 1), ("1.jpg", 1), ("2.jpg", 1)]
        assert said["about"]["sources"][0]["kind"] == "pictures" if "about" in said else True
        browser.say(do="ready")
        web.finished(frame(3, flat(64, 48), rate=None, file="3.jpg"), [])
        assert [one["file"] for one in browser.hear()[0]["pictures"]] == ["3.jpg"]
    kept = said["pictures"][1]["kept"]
    assert fetched(web, f"kept/{kept}.jpg").shape == (960, 1280, 3)
    assert fetched(web, f"kept/{kept}-small.jpg").shape == (240, 320, 3)
    plain, hidden = (fetched(web, f"kept/{kept}{end}.jpg")[50:250, 50:250] for end in ("", "-blurred"))
    assert plain.std() > 2 * hidden.std()


def test_what_has_happened_is_told_with_the_face_of_the_person_as_it_was_seen_last_when_they_have_left(web):
    somebody, another = replace(face(100, 60, 60), id=4), replace(face(100, 60, 60), id=5)
    seen, empty = frame(5, flat(320, 240, 40), [somebody]), frame(40, flat(320, 240))
    web.happened({"event": "appeared", "id": 4, "frame": 5, "time": 0.2}, "woman, happy, 31", seen)
    web.finished(seen, [somebody.box])
    web.finished(frame(15, flat(320, 240, 120), [somebody]), [somebody.box])
    web.finished(frame(25, flat(320, 240, 200), [another]), [another.box])  # In the same place.
    web.happened({"event": "left", "id": 4, "frame": 40, "time": 1.6, "dwell": 0.4}, "woman", empty)
    web.happened({"event": "left", "id": 9, "frame": 40, "time": 1.6, "dwell": 0.4}, "", empty)
    web.finished(empty, [])
    with meet(web) as browser:
        appeared, left, unseen = browser.hear()[0]["events"]
    assert (appeared["event"], appeared["said"], left["event"], left["dwell"]) == (
        "appeared",
        "woman, happy, 31",
        "left",
        0.4,
    )
    pictures = [fetched(web, f"kept/{event['kept']}.jpg") for event in (appeared, left)]
    assert [(picture.shape, round(picture.mean(), -1)) for picture in pictures] == [
        ((96, 96, 3), 40),
        ((96, 96, 3), 120),
    ]
    assert unseen["kept"] is None


def test_what_has_happened_can_be_played_from_before_it_to_after_it(web):
    somebody = replace(face(100, 60, 60), id=4)
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    for number in range(300):
        shown = frame(number, noise, [somebody])
        if number in (150, 155):
            web.happened({"event": "crossed", "id": 4, "frame": number, "time": number / 25}, "woman", shown)
        web.finished(shown, [somebody.box])
    with meet(web) as browser:
        films = [event["film"] for event in browser.hear()[0]["events"]]
    shots = [json.loads(answered(web, f"film/{film}.json")) for film in films]
    times = [shot["time"] for shot in shots[0]]
    assert 2.7 <= times[0] <= 3.3 and 7.7 <= times[-1] <= 8 and 20 <= len(times) <= 28
    assert {shot["kept"] for shot in shots[0]} & {shot["kept"] for shot in shots[1]}  # Kept once.
    shot = shots[0][-1]
    assert shot["faces"][0][0] == 4 and (shot["width"], shot["height"]) == (1280, 720)
    plain, hidden = (fetched(web, f"kept/{shot['kept']}{end}.jpg") for end in ("", "-blurred"))
    assert plain.shape == (270, 480, 3) and plain[30:40, 45:55].std() > 1.5 * hidden[30:40, 45:55].std()


def test_who_looks_at_all_sources_is_told_what_happens_in_each():
    web = opened(sources=["door", "yard"])
    for name in ("door", "yard"):
        seen = frame(5, flat(320, 240), [replace(face(100, 60, 60), id=4)], source=name)
        web.happened({"event": "appeared", "id": 4, "frame": 5, "time": 0.2}, "woman", seen)
        web.finished(seen, [])
    with contextlib.closing(web), Browser(web) as browser:
        browser.hear()
        browser.look(None)
        browser.say(do="ready")
        said, _ = browser.hear()
        assert {name: [event["id"] for event in events] for name, events in said["happened"].items()} == {
            "door": [4],
            "yard": [4],
        }
        browser.say(do="ready")
        assert "happened" not in browser.hear()[0]


@pytest.mark.parametrize(
    "name",
    [
        "kept/1700-9.jpg",
        "film/1700-1.json",
        "film/1.json",
        "film/x.json",
        "kept/9.jpg",
        "kept/-1.jpg",
        "kept/1700-1/../2.jpg",
        "kept/",
        "kept/%31.jpg",
    ],
)
def test_a_picture_that_is_not_kept_is_not_found(web, name):
    assert refused(web, name) == 404


# --- Recordings ---


def test_a_recording_is_begun_and_ended_by_a_browser_where_that_is_allowed():
    web = opened(records=True)
    show(web)
    with contextlib.closing(web), meet(web) as browser:
        browser.hear()
        browser.say(do="record", on=True)
        until(lambda: web.wants_recorded("clip.mp4"), "it is wanted")
        web.recorded("clip.mp4", None, since=1000.0)
        browser.say(do="ready")
        [source] = browser.hear()[0]["about"]["sources"]
        assert source["recording"] == {"since": 1000.0, "file": None, "failure": None}
        browser.say(do="record", on=False)
        until(lambda: not web.wants_recorded("clip.mp4"), "it is not wanted any more")


def test_where_it_is_not_allowed_nothing_is_recorded_and_the_wish_is_counted(web):
    show(web)
    with meet(web) as browser:
        browser.hear()
        browser.say(do="record", on=True)
        until(lambda: counted(web) == {"a recording, which is not allowed"}, "it is counted")
    assert not web.wants_recorded("clip.mp4")


# --- What it costs render ---


def test_nothing_is_drawn_or_encoded_while_nobody_looks(web, monkeypatch):
    drawn = []
    monkeypatch.setattr(EncodedFrame, "jpeg", lambda *_: drawn.append(1) or b"")
    for number in range(50):
        show(web, number)
    assert drawn == [] and not web.is_watched


def test_a_browser_that_reads_nothing_holds_up_neither_render_nor_another_browser(web):
    noise = np.random.default_rng(1).integers(0, 256, (900, 1600, 3), np.uint8)  # a JPEG larger than socket buffers
    web.finished(frame(0, noise), [])
    with socket.create_connection(("127.0.0.1", web.port)) as frozen, meet(web) as browser:
        frozen.sendall(
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in frozen.recv(1000)
        for message in (
            {"do": "look", "source": "clip.mp4", "blur": False, "paused": False},
            {"do": "ready"},
        ):
            frozen.sendall(_masked(json.dumps(message).encode()))
        seen = set()
        longest_s = 0.0
        for number in range(1, 20):
            began_s = time.perf_counter()
            web.finished(frame(number, noise), [])
            longest_s = max(longest_s, time.perf_counter() - began_s)
            browser.look()
            seen.add(browser.hear()[0].get("picture", {}).get("frame"))
            browser.say(do="ready")
        assert len(seen) > 5
        assert longest_s < 0.5


def _masked(payload: bytes) -> bytes:
    """A text frame of a browser, which masks with a key; with zeros the text stays what it is."""
    return b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload


def test_who_looks_is_known_and_who_has_gone_is_forgotten(web):
    show(web)
    with meet(web) as browser:
        browser.hear()
        assert web.is_watched
    until(lambda: not web.is_watched, "the browser is forgotten")


# --- Still pictures ---


def test_the_last_picture_of_a_folder_stays_while_somebody_looks_or_may_come(web):
    show(web, rate=None)
    assert web.waits_for("clip.mp4")
    with meet(web):
        assert web.waits_for("clip.mp4")
    until(lambda: not web.waits_for("clip.mp4"), "nobody looks any more")


def test_a_video_ends_with_its_last_frame(web):
    show(web)
    assert not web.waits_for("clip.mp4") and not web.waits_for("unknown")


def test_beside_another_display_nothing_waits_for_a_browser():
    web = opened(stays=False)
    show(web, rate=None)
    assert not web.waits_for("clip.mp4")
    web.close()


# --- Who is refused ---


def refused(web: Web, path: str = "", **headers: str) -> int:
    request = urllib.request.Request(web.address + path, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request)
    return answer.value.code


def counted(web: Web) -> set[str]:
    return {reason.removeprefix("from a browser: ") for reason in web.refused}


def test_a_path_that_climbs_is_no_name_and_is_refused_and_counted(web):
    with socket.create_connection(("127.0.0.1", web.port)) as raw:
        raw.sendall(f"GET /../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 404 ")
    assert refused(web, "%2e%2e/server.py") == 404
    assert web.refused == {"from a browser: a request for what is not there": 2}


def test_nothing_can_be_sent_to_the_page_but_over_its_live_connection(web):
    request = urllib.request.Request(web.address, method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request)
    assert answer.value.code == 405 and counted(web) == {"a request that is no GET"}


def test_a_foreign_page_and_a_foreign_name_are_refused_and_counted(web):
    assert refused(web, Host="evil.example") == 403
    with pytest.raises(InvalidStatus):
        Browser(web, origin="http://evil.example")
    assert counted(web) == {"a request by another name than this machine's", "a connection of another page"}


def test_a_message_without_sense_is_counted_and_the_browser_is_served_on(web):
    show(web)
    with Browser(web) as browser:
        browser.hear()
        browser.say(do="quit")
        browser.look()
        browser.say(do="ready")
        assert browser.hear()[0]["picture"]
    assert web.refused == {"from a browser: a message that makes no sense": 1}


def test_who_talks_nonsense_without_end_is_sent_away(web):
    with Browser(web) as browser, pytest.raises(ConnectionClosed):
        for _ in range(1000):
            browser.socket.send("?")
            time.sleep(0.001)
    until(lambda: not web.is_watched, "it is gone")


def test_who_talks_without_end_is_heard_now_and_then(web):
    show(web)
    with meet(web) as browser:
        browser.hear()
        began_s = time.monotonic()
        for _ in range(80):
            browser.say(do="ready")
        browser.say(do="save", hide=[])
        assert browser.hear()[0]["saved"] and time.monotonic() - began_s > 0.35


def test_a_huge_message_ends_its_connection_and_is_counted(web):
    with Browser(web) as browser:
        browser.hear()
        browser.socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            browser.hear()
    until(lambda: counted(web) == {"a message that is too long"}, "it is counted")
    with Browser(web) as another:
        assert another.hear()[0]["about"]


def test_one_browser_too_many_is_refused_and_the_others_stay(web, monkeypatch):
    monkeypatch.setattr(server, "VIEWERS", 3)
    browsers = [Browser(web) for _ in range(3)]
    assert all(browser.hear()[0]["about"] for browser in browsers)
    with pytest.raises(InvalidStatus) as answer:
        Browser(web)
    assert answer.value.response.status_code == 503
    show(web)
    for browser in browsers:
        browser.say(do="ready")
        assert browser.hear()[0]["about"]
        browser.socket.close()
    assert counted(web) == {"one too many at once"}


def test_a_crowd_that_says_nothing_makes_room_for_who_says_something(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    monkeypatch.setattr(server, "_OPENING_S", 1000.0)
    with contextlib.closing(opened()) as web, Browser(web) as first:
        crowd = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(20)]
        for one in crowd[-3:]:
            one.sendall(b"GET / HTTP/1.1\r\n")
        until(lambda: web.refused.total() == 16, "the crowd is counted")
        assert counted(web) == {"a connection too many"}
        with Browser(web) as second:
            assert second.hear()[0]["about"]
            assert sum(map(is_open, crowd)) == 3
        assert first.hear()[0]["about"]
        for one in crowd:
            one.close()


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return bool(connection.recv(1))
    except TimeoutError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize("noise", [b"\x00\xff" * 200, b"GET " + b"x" * 20_000, b"\r\n" * 999])
def test_what_is_no_http_is_counted_and_the_server_lives(web, noise):
    with socket.create_connection(("127.0.0.1", web.port)) as raw:
        raw.sendall(noise + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while raw.recv(1000):
                pass
    until(lambda: counted(web) == {"what is no HTTP"}, f"it is counted: {web.refused}")
    with Browser(web) as browser:
        assert browser.hear()[0]["about"]


def test_a_connection_that_a_browser_opens_in_advance_and_never_uses_is_not_counted(web):
    socket.create_connection(("127.0.0.1", web.port)).close()
    test_what_is_no_http_is_counted_and_the_server_lives(web, b"\x00")
    assert web.refused.total() == 1


# --- Where it is ---


def test_under_an_address_that_others_reach_nothing_is_given_without_the_token():
    web = opened(host="0.0.0.0")
    try:
        assert web.address.endswith(f":{web.port}/s3cret/") and "0.0.0.0" not in web.address
        here = f"http://127.0.0.1:{web.port}/"
        for path in ("", "app.js", "live", "s3cre/"):
            with pytest.raises(urllib.error.HTTPError) as answer:
                urllib.request.urlopen(here + path)
            assert answer.value.code == 403 and b"open the whole address" in answer.value.read()
        with urllib.request.urlopen(f"{here}s3cret") as page:  # It is led to the address with a slash.
            assert page.url == f"{here}s3cret/" and b"facepipe" in page.read()
        with connect(f"ws://127.0.0.1:{web.port}/s3cret/live", proxy=None) as live:
            assert live.recv(5)
    finally:
        web.close()


def test_a_port_that_is_taken_is_said_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WebError) as error:
            opened(ports=[port])
    assert str(error.value) == (
        f"port {port} for the page in the browser is taken by another program; choose another one: --web PORT."
    )


def test_of_several_ports_the_page_is_at_the_first_that_is_free():
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        ports = [server.getsockname()[1] for server in (taken, free)]
        free.close()
        web = opened(ports=ports)
        assert web.address == f"http://127.0.0.1:{ports[1]}/"
        web.close()


def test_an_address_that_is_none_of_this_machine_s_is_said_in_a_sentence():
    with pytest.raises(WebError, match=r"cannot be served at 192\.0\.2\.7, port 8600 .*--web-host"):
        opened(host="192.0.2.7", ports=[8600])
    with pytest.raises(WebError, match="nowhere.invalid is not known here"):
        opened(host="nowhere.invalid")


def test_a_successor_has_the_place_at_once_and_the_same_address():
    web = opened()
    with meet(web):
        pass
    web.close()
    successor = opened(ports=[web.port], life=1701)
    assert successor.address == web.address
    successor.close()


def test_at_the_end_browsers_are_told_that_the_run_is_over(web):
    with Browser(web) as browser:
        browser.hear()
        web.close()
        with pytest.raises(ConnectionClosed) as closed:
            browser.hear()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "over")


def test_the_end_waits_for_no_browser(web):
    with socket.create_connection(("127.0.0.1", web.port)), Browser(web):
        began_s = time.monotonic()
        web.close()
        assert time.monotonic() - began_s < 1.0


def test_without_its_package_the_page_says_what_installs_it(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "websockets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "stages.view.web.server")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    with pytest.raises(WebError, match="websockets is not installed here; run make install in"):
        open_web()
