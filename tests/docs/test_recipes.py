"""Each recipe of docs/recipes.md runs, on small inputs of our own."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from stages.project import PROJECT
from tests.docs.test_docs import TEXTS, blocks
from tests.end_to_end.material import scene, write_clip

RECIPES = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXTS["docs/recipes.md"], re.DOTALL | re.MULTILINE))
FRAMES = 12


@pytest.fixture
def here(tmp_path: Path, astronaut) -> Path:
    """A folder with a clip, three films and three photographs."""
    (tmp_path / "films").mkdir()
    (tmp_path / "photos").mkdir()
    write_clip(tmp_path / "clip.mp4", [scene(astronaut, number) for number in range(FRAMES)])
    for number in range(3):
        shutil.copy(tmp_path / "clip.mp4", tmp_path / f"films/{number}.mp4")
        assert cv2.imwrite(str(tmp_path / f"photos/{number}.jpg"), astronaut)
    return tmp_path


def follow(recipe: str, here: Path) -> None:
    """Do what the recipe says, with the clip in place of its camera."""
    text = RECIPES[recipe]
    commands = [line for block in blocks(text, "sh") for line in block.splitlines()]
    for configuration in blocks(text, "yaml"):
        [name] = {found[1] for command in commands if (found := re.search(r"--config (\S+)", command))}
        (here / name).write_text(re.sub(r"^source: .*", "source: clip.mp4", configuration, flags=re.MULTILINE))
    for number, program in enumerate(blocks(text, "python")):
        (here / f"{number}.py").write_text(program)
        ran([f"{number}.py"], here)
    for command in commands:
        program, *words = command.split()
        assert program == "facepipe"
        ran(["-m", "facepipe", *words], here)


def ran(words: list[str], here: Path) -> None:
    environment = {"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "HOME": str(here), "MQTT_PASSWORD": "secret"}
    done = subprocess.run([sys.executable, *words], cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_research(here):
    follow("Research: three films", here)
    assert len({row["file"] for row in rows(here / "out/films/faces.csv")}) == 3
    assert {row["file"] for row in rows(here / "out/films/seconds.csv")} <= {f"{n}.mp4" for n in range(3)}
    assert len(list((here / "out/films").rglob("*.eaf"))) == 3


def test_home_automation(here):
    follow("Home automation: a camera at the door", here)
    assert (here / "out/clip/results.jsonl").read_bytes().count(b"\n") == FRAMES


def test_notebook(here):
    follow("Notebook", here)
    assert (here / "out/clip/annotated/clip.mp4").is_file()


def test_museum(here):
    follow("Museum: counting visitors", here)
    assert "line_entrance_in" in (here / "out/museum/people.csv").read_text().splitlines()[0]


def test_onnx(here, peers):
    (here / "mine").mkdir()
    shutil.copy(peers / "gender-v1.onnx", here / "mine")
    follow("A model from elsewhere, in ONNX", here)
    assert b'"gender": {"label": "woman"' in (here / "out/clip/results.jsonl").read_bytes()


def test_video_editing(here):
    follow("Video editing", here)
    assert {"clip.edl", "clip.srt"} <= {path.name for path in (here / "out/clip/export").iterdir()}


def test_photographs(here):
    follow("500 photographs", here)
    assert (here / "out/photos/report.html").is_file() and list((here / "out/photos").glob("contact-sheet*.jpg"))


def test_every_recipe_is_tested():
    assert len(RECIPES) == sum(name.startswith("test_") for name in globals()) - 1
