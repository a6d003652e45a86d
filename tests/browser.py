"""A real Chromium without a screen, driven through chromedriver's plain HTTP: a dozen lines in place of a package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WHY_NOT = None if CHROMIUM and DRIVER else "needs Chromium and chromedriver (Debian: chromium, chromium-driver)"
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--no-proxy-server",
)  # fmt: skip
_ANSWER_S = 30.0
_SOON_S = 20.0


class Tab:
    """One browser of its own, with one page in it."""

    def __init__(self, driver: str, profile: Path, downloads: Path, width: int, height: int):
        wanted = {
            "binary": CHROMIUM,
            "args": [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"],
            "prefs": {"download.default_directory": str(downloads), "download.prompt_for_download": False},
        }
        capabilities = {"alwaysMatch": {"goog:chromeOptions": wanted}}
        said = _asked("POST", f"{driver}/session", {"capabilities": capabilities})
        self._session = f"{driver}/session/{said['sessionId']}"
        self.downloads = downloads

    def open(self, address: str) -> None:
        """Go to an address, and wait until its page is loaded."""
        _asked("POST", f"{self._session}/url", {"url": address})

    def run(self, script: str) -> object:
        """The value of an expression of JavaScript in the page."""
        return _asked("POST", f"{self._session}/execute/sync", {"script": f"return {script}", "args": []})

    def until(self, script: str, what: str) -> object:
        """Look until an expression is true; its value."""
        return until(lambda: self.run(script), what)

    def click(self, selector: str) -> None:
        found = _asked("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        _asked("POST", f"{self._session}/element/{next(iter(found.values()))}/click", {})

    def tell(self, command: str, **parameters: object) -> object:
        """Give a command of Chromium's own protocol for developers."""
        return _asked("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, whole: bool = False) -> bytes:
        """A screenshot as PNG: what is seen, or the whole page."""
        return base64.b64decode(self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def close(self) -> None:
        _asked("DELETE", self._session)


@contextmanager
def chromium() -> Iterator[Callable[..., Tab]]:
    """A function that opens a `Tab`; everything that it started is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fpweb", ignore_cleanup_errors=True) as folder:
        driver, port = _driver(Path(folder))
        tabs: list[Tab] = []

        def opened(width: int = 1280, height: int = 900) -> Tab:
            place = Path(folder) / str(len(tabs))
            (place / "downloads").mkdir(parents=True)
            tabs.append(Tab(f"http://127.0.0.1:{port}", place / "profile", place / "downloads", width, height))
            return tabs[-1]

        try:
            yield opened
        finally:
            for tab in tabs:
                with contextlib.suppress(OSError):  # It was closed by the test, or stands still.
                    tab.close()
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


def until(happened: Callable[[], object], what: str) -> object:
    """Look until it has happened."""
    latest_s = time.monotonic() + _SOON_S
    while not (found := happened()):
        assert time.monotonic() < latest_s, f"not within {_SOON_S:g} s: {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def _driver(folder: Path) -> tuple[subprocess.Popen, int]:
    port = free_port()
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([DRIVER, f"--port={port}"], env=environment, start_new_session=True, **silent)

    def is_up() -> bool:
        try:
            return _asked("GET", f"http://127.0.0.1:{port}/status")["ready"]
        except OSError:
            return False

    until(is_up, "chromedriver answers")
    return driver, port


def _asked(method: str, address: str, what: dict | None = None) -> object:
    body = None if what is None else json.dumps(what).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_S) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"].partition("\n")[0]) from None
