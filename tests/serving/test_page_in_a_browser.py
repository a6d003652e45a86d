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


def choose(tab: Tab, path) -> None:
    root = tab.tell("DOM.getDocument")["root"]["nodeId"]
    node = tab.tell("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    tab.tell("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


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
