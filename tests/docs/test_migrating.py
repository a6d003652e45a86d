"""Every command of docs/migrating.md, run as the page shows it, on a short clip and small pictures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from stages.results.runs import newest_run
from tests.end_to_end.command import PROJECT, Workplace, somewhere
from tests.end_to_end.material import scene, write_clip

PAGE = PROJECT / "docs" / "migrating.md"
ROWS = re.findall(r"^\| (.+?) \| `(.+?)`(?:, .*)? \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
LIMIT_S = 600.0
pytestmark = pytest.mark.long  # Most of what a row needs is tested elsewhere; these run the commands as they stand.
FRAMES = range(8, 16)  # of the film: one face, then two


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder in which the commands of the page find what they name."""

    folder: Path
    place: Workplace

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess:
        here = self.place.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment
        return subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=here,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def newest(self) -> Path:
        return newest_run(self.folder / "out")

    def faces(self, output: str | None = None) -> list[dict]:
        folder = self.folder / output if output else self.newest
        lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return [face for line in lines for face in json.loads(line)["faces"]]

    def inputs(self) -> dict:
        return json.loads((self.newest / "run.json").read_bytes())["inputs"]

    def has(self, *names: str | Path) -> bool:
        return all((self.folder / name).stat().st_size > 0 for name in names)


@pytest.fixture(scope="module")
def desk(astronaut, tmp_path_factory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    for name in ("run_pipeline.py", "stages", "train"):
        (folder / name).symlink_to(PROJECT / name)
    write_clip(folder / "clip.mp4", [scene(astronaut, number) for number in FRAMES])
    cv2.imwrite(str(folder / "photo.jpg"), astronaut)
    for place in ("photos/a.jpg", "photos/b.png"):
        (folder / place).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / place), astronaut[:300, 80:380])
    for number in range(60):
        path = folder / "glasses" / ("with" if number % 2 else "without") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(astronaut[60 + number : 210 + number, 150 - number : 300], (64, 64)))
    with somewhere(folder) as place:
        yield Desk(folder, place)


def at_a_picture(desk: Desk) -> bool:
    return len(desk.faces()) >= 1 and desk.has(desk.newest / "annotated/photo.jpg")


def at_a_video(desk: Desk) -> bool:
    return len(desk.faces()) >= len(FRAMES) and desk.has(desk.newest / "annotated/clip.mp4")


def at_a_folder(desk: Desk) -> bool:
    return len(desk.faces("labelled")) == 2 and desk.has("labelled/annotated/a.jpg", "labelled/annotated/b.png")


def with_attributes(*names: str) -> Callable[[Desk], bool]:
    # In `smoothed`: a stage is not asked about each frame.
    return lambda desk: at_a_video(desk) and all(set(face["smoothed"]) == set(names) for face in desk.faces())


def with_scores(stage: str, *labels: str) -> Callable[[Desk], bool]:
    return lambda desk: (
        at_a_video(desk) and all(set(face["smoothed"][stage]["scores"]) == set(labels) for face in desk.faces())
    )


def with_input(key: str, value: object) -> Callable[[Desk], bool]:
    return lambda desk: at_a_video(desk) and desk.inputs()[key] == value


def found_by(detector: str) -> Callable[[Desk], bool]:
    from stages.plan import read_pipeline
    from stages.vision.detectors import settings_hash

    pipeline, _ = read_pipeline(None, [f"stages.detect.detector={detector}"])
    return with_input("stages.detect", settings_hash(pipeline.detect))


SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
OUTCOMES: dict[str, Callable[[Desk], bool]] = {
    "demo on a picture": at_a_picture,
    "demo on a video": at_a_video,
    "<code>--inputs_path photos --outputs_path labelled</code>": at_a_folder,
    "<code>--show</code>; hot keys for gender, emotion, age": at_a_video,
    "<code>--delay</code>: pictures one after the other": lambda desk: len(desk.faces()) == 2,
    "<code>--tracking</code>": lambda desk: at_a_video(desk) and all(face["id"] for face in desk.faces()),
    "all emotions, with percentages": with_scores("emotion", *SEVEN),
    "one label per face": with_input("render.style", "plain"),
    "five emotions: angry, happy, neutral, sad, surprise": with_scores(
        "emotion", "angry", "happy", "neutral", "sad", "surprise"
    ),
    "gender only": with_attributes("gender"),
    "emotion only": with_attributes("emotion"),
    "age groups: child, young, middle, old": with_scores("age", "child", "young", "middle", "old"),
    "dlib's detector instead of the default one": found_by("dlib"),
    "a chart of the emotions over time": lambda desk: desk.has("out/clip/report.html"),
    "a table of the faces": lambda desk: desk.has("out/clip/faces.csv"),
    "a data set from one folder of pictures per class": lambda desk: desk.has("data/glasses.npz"),
    "training, with logs, curves and a confusion matrix": lambda desk: (
        desk.has("runs/glasses/log.md", "runs/glasses/log.csv", "runs/glasses/curves.png")
        and any((desk.folder / "runs/glasses").glob("confusion*"))
    ),
}
CAMERA = "demo on the webcam"
BEFORE = {  # what a command needs that stands in another row
    "python -m stages.report": "demo on a video",
    "python -m train attribute": "a data set from one folder of pictures per class",
}


def test_every_row_of_the_table_is_run_here():
    assert [there for there, _ in ROWS if there != CAMERA] == list(OUTCOMES)
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) == len(ROWS) + 2


def parameters() -> list:
    for there, command in ROWS:
        if there != CAMERA:
            limit = 1200 if command.startswith("python -m train ") else 300
            yield pytest.param(there, command, id=re.sub("<.*?>", "", there)[:40], marks=pytest.mark.timeout(limit))


@pytest.mark.parametrize(("there", "command"), list(parameters()))
def test_the_command_does_what_the_row_says(desk, request, there, command):
    display = {}
    if "--display window" in command:
        there_is = request.getfixturevalue("screen").environment
        display = {name: there_is[name] for name in ("DISPLAY", "XAUTHORITY", "QT_LOGGING_RULES")}
    if command.startswith("python -m train"):
        pytest.importorskip("tensorflow")
    for begins, before in BEFORE.items():
        if command.startswith(begins):
            ran = desk.run(dict(ROWS)[before])
            assert ran.returncode == 0, ran.stderr
    ran = desk.run(command, **display)
    assert ran.returncode == 0, ran.stderr
    assert OUTCOMES[there](desk), ran.stdout


def test_the_command_for_a_camera_opens_it_or_says_that_there_is_none(desk):
    if Path("/dev/video0").exists():
        pytest.skip("there is a camera, which would run for ever")
    ran = desk.run(dict(ROWS)[CAMERA])
    assert ran.returncode == 2 and "camera 0" in ran.stderr.lower()
