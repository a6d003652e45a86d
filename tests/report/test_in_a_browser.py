"""The report in a real browser: nothing is refused or fetched, the line follows the pointer, and faces are found."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stages.answers import Age, Classes
from stages.report.__main__ import main
from stages.report.document import hash_of
from tests.report.material import film, followed, recorded, said, still, written
from tests.results.frames import flat, frame

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


FIND = """<script>
const finder = document.querySelector(".finder"), told = [];
const files = () => [...document.querySelectorAll(".gallery .file")].map((file) => file.textContent);
const tell = () => told.push(files().join(" "));
const put = (name, value) => {
  const field = finder.querySelector(name);
  field[field.type === "checkbox" ? "checked" : "value"] = value;
  finder.dispatchEvent(new Event("input"));
};
put("[name=sort]", "age"); tell();
put("[name=down]", true); tell();
put("select[data-column=gender]", "woman"); tell();
put("[data-column=age][data-end=to]", 50); tell();
put("[data-column=file]", "IMG"); tell();
told.push(finder.querySelector("output").value, finder.hidden);
document.title = told.join("|");
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_the_page_runs_in_a_browser_and_shows_the_time_at_the_pointer(tmp_path):
    shown = opened(recorded(tmp_path / "out", film(100, followed(1, x=30.0, side=40.0))), POINTER, tmp_path)
    assert "<title>pictures</title>" in shown
    [cursor] = re.findall(r'<div class="cursor"[^>]*><span>([^<]*)</span>', shown)
    assert cursor == "0:01.0"


KEYS = """<script>
const slider = document.querySelector("[role=slider]"), told = [];
slider.focus();
const press = (key) => slider.dispatchEvent(new KeyboardEvent("keydown", {key, cancelable: true}));
for (const key of ["PageDown", "ArrowRight", "End", "ArrowLeft", "PageUp", "Home", "PageUp"]) press(key);
told.push(slider.getAttribute("aria-valuetext"));
told.push([...document.querySelectorAll(".plot output")].map((output) => output.value).join(" + "));
Object.defineProperty(navigator, "clipboard", {value: {writeText: async (text) => told.push(...text.split("\\r\\n"))}});
document.querySelectorAll("details.data .copy")[1].click();
document.title = told.join("|");
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_the_timeline_is_read_by_keyboard_and_its_table_is_copied_as_csv(tmp_path):
    labels = ["happy"] * 50 + ['=sad "a"'] * 50
    frames = [frame(n, flat(96, 64), [followed(1, x=30.0, emotion=label)]) for n, label in enumerate(labels)]
    [told] = re.findall("<title>(.*)</title>", opened(recorded(tmp_path / "out", frames), KEYS, tmp_path))
    assert told.split("|") == [
        "0:00.4; faces at once, up to 1: 1: happy 1; #1: happy",
        "1: happy 1 + happy",
        '"number","from","to","emotion"',
        '"#1","0.000","2.000","happy"',
        '"#1","2.000","4.000","\'=sad ""a"""',
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_faces_of_pictures_are_sorted_and_filtered_in_a_browser(tmp_path):
    people = [("woman", 30.0), ("man", 64.0), ("woman", 7.0), ("woman", 80.0)]
    frames = [
        still(number, f"img{number}.png", gender=Classes(label, 0.9, {label: 0.9}), age=Age(age, age, age, ""))
        for number, (label, age) in enumerate(people)
    ]
    shown = opened(recorded(tmp_path / "out", frames), FIND, tmp_path)
    [told] = re.findall("<title>(.*)</title>", shown)
    assert told.split("|") == [
        "img2.png img0.png img1.png img3.png",
        "img3.png img1.png img0.png img2.png",
        "img3.png img0.png img2.png",
        "img0.png img2.png",
        "img0.png img2.png",
        "2 of 4 faces",
        "false",
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_a_long_name_without_a_space_makes_the_page_no_wider(tmp_path):
    frames = film(20, followed(1, emotion="happy" * 40), file=f"{200 * 'a'}.mp4")
    wider = "<script>const page = document.documentElement; document.title = page.scrollWidth - page.clientWidth;"
    assert "<title>0</title>" in opened(said(written(tmp_path, frames)), f"{wider}</script></body>", tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package")
def test_no_other_script_runs_in_the_page(tmp_path):
    """The text of a page is escaped; if one were not, it would still only be text."""
    folder = recorded(tmp_path / "out", film(5, followed(1, x=30.0, side=40.0)))
    assert main([str(folder)]) == 0
    page, bad = (
        folder / "report.html",
        "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">",
    )
    page.write_text(page.read_text(encoding="utf-8").replace("<h1>", f"<h1>{bad}"), encoding="utf-8")
    shown = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True, text=True, timeout=100, check=True,
    ).stdout  # fmt: skip
    assert "<title>ran" not in shown and "ran" in shown


def opened(folder: Path, script: str, tmp_path: Path) -> str:
    """The page of a run, in which a script has run too, as it stands in the browser; nothing was refused."""
    assert main([str(folder)]) == 0
    page = folder / "moved.html"
    text = (folder / "report.html").read_text(encoding="utf-8")
    allowed = text.replace(
        "script-src ", f"script-src '{hash_of(script.partition('>')[2].partition('</script>')[0])}' "
    )
    page.write_text(allowed.replace("</body>", script), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, *FLAGS, profile, "--window-size=1000,900", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert not re.search(r"CONSOLE|Refused|Uncaught", shown.stderr), shown.stderr
    return shown.stdout
