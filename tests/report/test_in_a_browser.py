"""The report in a real browser: nothing is refused or fetched, and the line follows the pointer."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from stages.report.__main__ import main
from tests.report.material import film, followed, recorded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Only what stands in the page is wanted of it, and nothing of a network.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--dump-dom"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)
POINTER = """<script>
const timeline = document.querySelector(".timeline"), lane = document.querySelector(".ticks").getBoundingClientRect();
const at = {clientX: lane.left + lane.width / 4, clientY: lane.top + 40};
timeline.dispatchEvent(new PointerEvent("pointermove", at));
document.title = [...document.images].every((image) => image.complete && image.naturalWidth > 0) ? "pictures" : "none";
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_the_page_runs_in_a_browser_and_shows_the_time_at_the_pointer(tmp_path):
    folder = recorded(tmp_path / "out", film(100, followed(1, x=30.0, side=40.0)))
    assert main([str(folder)]) == 0
    page = folder / "moved.html"
    page.write_text((folder / "report.html").read_text(encoding="utf-8").replace("</body>", POINTER), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, *FLAGS, profile, "--window-size=1000,900", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert not re.search(r"CONSOLE|Refused|Uncaught", shown.stderr), shown.stderr
    assert "<title>pictures</title>" in shown.stdout
    [cursor] = re.findall(r'<div class="cursor"[^>]*><span>([^<]*)</span>', shown.stdout)
    assert cursor == "0:01.0"
