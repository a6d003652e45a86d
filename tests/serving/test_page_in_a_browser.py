"""The page at `/` in a real browser: a picture is chosen, and its faces are drawn and listed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.browser import WHY_NOT, Tab, chromium
from tests.serving.server import Server
from tests.serving.test_access import TOKEN
from tests.view.web.axe import AXE, violations

photographs = pytest.importorskip("skimage.data", reason="the extra demo is not installed")
pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    photograph = photographs.astronaut()[:, :, ::-1]
    cv2.imwrite(str(folder / "one.png"), photograph)
    cv2.imwrite(str(folder / "one.tiff"), photograph)  # Chromium shows none
    cv2.imwrite(str(folder / "none.png"), np.full((200, 300, 3), 90, np.uint8))
    (folder / "text.png").write_text("no picture")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4\n")
    lying = np.ascontiguousarray(np.rot90(photograph[:, 100:400]))  # 300 x 512 when it is upright
    # Chromium turns no WebP.
    (folder / "lying.webp").write_bytes(webp_of(lying, orientation=6))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text(TOKEN)
    with Server(folder, str(folder / "no-run"), "--host", "0.0.0.0", "--token", f"file:{folder / 'token'}") as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """For this machine alone, without a token."""
    folder = tmp_path_factory.mktemp("own")
    with Server(folder, str(folder / "no-run")) as server:
        yield server


def webp_of(pixels: np.ndarray, orientation: int) -> bytes:
    """A WebP with this orientation in its EXIF."""
    webp, (height, width) = cv2.imencode(".webp", pixels)[1].tobytes(), pixels.shape[:2]
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + bytes(7)
    head = b"\x08\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + len(head).to_bytes(4, "little") + head + webp[12:]
    chunks += b"EXIF" + len(exif).to_bytes(4, "little") + exif
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks


def choose(tab: Tab, path) -> None:
    root = tab.tell("DOM.getDocument")["root"]["nodeId"]
    node = tab.tell("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    tab.tell("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def drop(tab: Tab, *paths, link: str = "") -> None:
    items = [{"mimeType": "text/uri-list", "data": link}] if link else []
    dropped = {"items": items, "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        tab.tell("Input.dispatchDragEvent", type=kind, x=100, y=200, data=dropped)


def said_in(tab: Tab, words: str) -> str:
    """What the page says, when these words are in it."""
    said = "document.getElementById('said').textContent"
    return tab.until(f"{said}.includes({words!r}) && {said}", words)


def test_a_picture_is_labelled_after_the_token_was_given(server, browser, pictures):
    tab = browser()
    tab.tell("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    tab.open(f"http://127.0.0.1:{server.port}/")
    choose(tab, pictures / "one.png")
    tab.until("!document.getElementById('asked').hidden", "the token is asked for")
    tab.run(f"document.getElementById('token').value = '{TOKEN}'")
    tab.click("#asked button")
    tab.until("document.querySelectorAll('#faces li').length >= 1", "faces are listed")
    assert "woman" in tab.run("document.getElementById('faces').textContent")
    tab.until("document.querySelectorAll('#overlay .label').length >= 1", "faces are drawn")
    assert tab.run("document.documentElement.scrollWidth") <= 390
    assert AXE is None or violations(tab) == []

    choose(tab, pictures / "none.png")
    tab.until("document.getElementById('said').textContent == 'No face was found.'", "that there is none")
    choose(tab, pictures / "one.tiff")
    tab.until(
        "document.getElementById('picture').naturalWidth == 512 && !document.getElementById('shown').hidden", "it"
    )
    assert tab.run("document.querySelectorAll('#faces li').length") >= 1
    choose(tab, pictures / "text.png")
    assert "picture" in tab.until(
        "document.getElementById('shown').hidden && document.getElementById('said').textContent"
        " != 'Looking for faces' && document.getElementById('said').textContent",
        "why not",
    )


def test_a_picture_that_the_browser_does_not_turn_upright_is_drawn_by_the_server(own_server, browser, pictures):
    tab = browser()
    tab.open(own_server.url)
    choose(tab, pictures / "lying.webp")
    said_in(tab, "2 faces")
    size = "[document.getElementById('picture').naturalWidth, document.getElementById('picture').naturalHeight]"
    assert tab.run(size) == [300, 512]


def test_of_a_drop_that_is_no_picture_the_page_says_what_it_is(own_server, browser, pictures):
    tab = browser()
    tab.open(own_server.url)
    drop(tab, pictures)
    assert "not a folder" in said_in(tab, "cannot be read")
    drop(tab, link="http://example.org/photo.jpg")
    assert "drop a photograph" in said_in(tab, "no file")
    drop(tab, pictures / "paper.pdf")
    assert "Content-Type" not in said_in(tab, "is not a JPEG")
    drop(tab, pictures / "one.png", pictures / "none.png", pictures / "text.png")
    assert said_in(tab, "1 face") == "one.png, the first of 3 files: 1 face"


def test_the_same_file_can_be_chosen_again_and_the_button_for_it_covers_no_face(own_server, browser, pictures):
    tab = browser()
    tab.open(own_server.url)
    choose(tab, pictures / "one.png")
    said_in(tab, "1 face")
    edges = "[document.querySelector('.choose').getBoundingClientRect().top, {}.getBoundingClientRect().bottom]"
    button, picture = tab.run(edges.format("document.getElementById('picture')"))
    assert button >= picture
    tab.run("document.getElementById('said').textContent = ''")
    choose(tab, pictures / "one.png")
    said_in(tab, "1 face")


def test_a_picture_that_is_shown_late_does_not_take_the_place_of_a_newer_one(own_server, browser, pictures):
    tab = browser()
    tab.open(own_server.url)
    tab.run(
        "(window.decode = HTMLImageElement.prototype.decode, HTMLImageElement.prototype.decode = async function () {"
        " await new Promise((goOn) => (window.goOn = goOn)); await decode.call(this); window.isDecoded = true }, 0)"
    )
    choose(tab, pictures / "one.png")
    tab.until("!!window.goOn", "it is being decoded")
    choose(tab, pictures / "text.png")
    said_in(tab, "is not a JPEG")
    tab.run("goOn()")
    tab.until("window.isDecoded", "it is decoded")
    assert tab.run("document.getElementById('shown').hidden")


def test_a_wrong_token_is_said_to_be_wrong_and_one_that_cannot_be_sent_is_not_sent(server, browser, pictures):
    tab = browser()
    tab.open(f"http://127.0.0.1:{server.port}/")
    choose(tab, pictures / "one.png")
    said_in(tab, "asks for its token")
    assert tab.run("document.activeElement.id") == "token"
    tab.run("document.getElementById('token').value = 'another-token-of-someone'")
    tab.click("#asked button")
    said_in(tab, "not the token")
    tab.run("document.getElementById('token').value = 'a–token–with–dashes'")
    tab.click("#asked button")
    assert not tab.run("document.getElementById('token').checkValidity()")
    assert "answer" not in tab.run("document.getElementById('said').textContent")


def test_an_answer_of_a_proxy_is_not_taken_for_silence(own_server, browser, pictures):
    tab = browser()
    tab.open(own_server.url)
    tab.run("(window.fetch = async () => new Response('<h1>413 Request Entity Too Large</h1>', {status: 413}), 0)")
    choose(tab, pictures / "one.png")
    assert "413" in said_in(tab, "refused")


def test_without_javascript_the_page_says_that_it_needs_it(own_server, browser):
    tab = browser()
    tab.tell("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(own_server.url)
    root = tab.tell("DOM.getDocument", depth=-1)["root"]["nodeId"]
    node = tab.tell("DOM.querySelector", nodeId=root, selector="noscript p")["nodeId"]
    assert "JavaScript" in tab.tell("DOM.getOuterHTML", nodeId=node)["outerHTML"]
