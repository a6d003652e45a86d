"""`render.portraits`: small pictures of the people of a camera, kept for the report."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.answers import Classes
from stages.config.load import read_config
from stages.config.settings import Settings, SourceSettings
from stages.frames import FinishedFrame
from stages.people.portraits import MOST_PEOPLE
from stages.protocol import limits
from stages.protocol.messages import SourceHello
from stages.reading.lines import Results
from stages.reading.over_time import Moment
from stages.rendering.outputs import RunOutputs, SourceOutputs
from stages.rendering.portraits import AT_ONCE, PortraitFolder
from stages.rendering.screens import Screens
from stages.report.__main__ import main as report
from stages.report.cut import FROM_ANNOTATED, cut_faces
from stages.report.film import wanted
from stages.report.gathering import gather
from stages.results.manifest import Manifest
from stages.results.source_folder import SourceFolder
from stages.supervision.stage import ControlChannel
from tests.results.frames import face, flat, frame

FRAMES = 60  # ten of them a second
SHADES = 4  # grey levels by which frames are told apart


def seen(number: int) -> FinishedFrame:
    """Two people; how large they are and what they feel changes. Every frame has its own grey, and its own noise."""
    moods = [("happy", "sad", "angry")[(number // 10 + who) % 3] for who in range(2)]
    sure = 0.5 + (number * 7 % 10) / 25
    faces = [
        face(10 + 80 * who, 10, 30 + (number * 11 + 5 * who) % 17, emotion=_emotion(moods[who], sure)) for who in (0, 1)
    ]
    return frame(number, flat(160, 90, SHADES * number), faces, time=number / 10, rate=10.0, source="door")


def _emotion(label: str, sure: float) -> Classes:
    return Classes(label, sure, dict.fromkeys(("angry", "happy", "sad"), (1 - sure) / 2) | {label: sure})


@contextmanager
def opened(folder: Path, render: str = "", live: bool = True, life: int = 0, alive=None) -> Iterator[SourceOutputs]:
    pipeline = read_config(f"source: 0\nrender: {{display: none, {render}}}\n", "pipeline.yaml")
    source = SourceSettings(0, None, live)
    settings = Settings("render", 0, pipeline, "", ("",), (source,), {}, {}, str(folder), run="r", life=life)
    control = ControlChannel(lambda message: None)
    control.run_with_heartbeat = alive or (lambda work: work())
    hello = SourceHello(run="r", source="door", epoch=1, live=live, key="k")
    yield RunOutputs(settings, control).open(hello, Screens())


def made(folder: Path, render: str = "", live: bool = True, frames: int = FRAMES) -> Path:
    with opened(folder, render, live) as outputs:
        for number in range(frames):
            outputs.take(seen(number), True, live)
        outputs.close(has_ended=True)
    return folder


def asked_for(folder: Path) -> list[Moment]:
    """The faces that the report shows."""
    gathered = gather(Results(folder), 40)
    return [moment for film in gathered.films for moment in wanted(film.shown, gathered.coloured)]


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("portraits/*")}


def grey_of(jpeg: bytes) -> float:
    return float(np.median(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)))


def test_every_face_that_the_report_shows_of_a_camera_is_kept_as_it_was_seen(tmp_path):
    folder = made(tmp_path / "run")
    moments = asked_for(folder)
    (folder / "run.json").write_text('{"inputs": {"render.blur": "none"}}')
    cut = cut_faces(Results(folder), "door", moments, Manifest(folder), brighten=False)
    assert len(set(moments)) > 4 and cut.pictures.keys() == set(moments)
    for moment in moments:  # Nothing is drawn into it, and it is this very frame.
        assert grey_of(cut.pictures[moment].jpeg) == pytest.approx(SHADES * moment.frame, abs=2)
    assert FROM_ANNOTATED not in cut.captions


def test_they_are_few_and_small_and_belong_to_the_run(tmp_path):
    folder = made(tmp_path / "run")
    files = list((folder / "portraits").iterdir())
    assert len(files) <= 2 * 4 and all(Manifest(folder).is_ours(path) for path in files)
    assert all(max(cv2.imread(str(path)).shape) <= 160 for path in files)


@pytest.mark.parametrize(
    ("render", "live", "is_kept"),
    [
        ("", True, True),
        ("", False, False),
        ("annotated: false", True, False),
        ("track: false", True, False),
        ("portraits: never", True, False),
        ("portraits: always", False, True),
        ("'portraits': always, 'annotated': false", True, True),
    ],
)
def test_of_which_sources_they_are_kept(tmp_path, render, live, is_kept):
    assert bool(kept(made(tmp_path / "run", render, live))) == is_kept


def test_what_is_kept_changes_nothing_in_the_results(tmp_path):
    with_them, without = made(tmp_path / "a"), made(tmp_path / "b", "portraits: never")
    for name in ("results.jsonl", "events.jsonl"):
        assert (with_them / name).read_bytes() == (without / name).read_bytes()


@pytest.mark.parametrize("blur", ["pixelate", "blur"])
def test_with_blur_the_faces_in_them_are_hidden(tmp_path, blur):
    def noisy(number: int) -> FinishedFrame:
        one = seen(number)
        pixels = np.random.default_rng(number).integers(0, 256, (90, 160, 3), np.uint8)
        return replace(one, picture=replace(one.picture, pixels=pixels))

    def detail(folder: Path) -> float:
        pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (folder / "portraits").iterdir()]
        return max(float(np.abs(cv2.Laplacian(picture, cv2.CV_64F)).mean()) for picture in pictures)

    for name, render in (("plain", ""), ("hidden", f"blur: {blur}")):
        with opened(tmp_path / name, render) as outputs:
            for number in range(20):
                outputs.take(noisy(number), True, True)
            outputs.close(has_ended=True)
    assert detail(tmp_path / "hidden") < detail(tmp_path / "plain") / 4


@pytest.mark.parametrize("killed_at", [1, 20, 59])
def test_killed_render_goes_on_and_keeps_what_is_best_of_the_whole_run(tmp_path, killed_at):
    """What had not been written when it was killed is lost, and nothing else."""
    folder = tmp_path / "run"
    with opened(folder) as outputs:
        for number in range(killed_at):
            outputs.take(seen(number), True, True)
    with opened(folder, life=1) as outputs:
        for number in range(killed_at, FRAMES):
            outputs.take(seen(number), True, True)
        outputs.close(has_ended=True)
    whole = made(tmp_path / "whole")
    after = {f"{one.id}-{one.frame}.jpg" for one in asked_for(whole) if one.frame >= killed_at}
    assert after <= kept(folder) <= kept(whole)


def crowd(number: int, people: int = limits.FACES) -> FinishedFrame:
    """Many small faces; which of them is happiest changes."""
    faces = [
        replace(
            face(
                24 * (who % 32),
                24 * (who // 32),
                20,
                emotion=_emotion("happy", 0.4 + (who * 31 + number * 7) % 50 / 100),
            ),
            id=who + 1,
        )
        for who in range(people)
    ]
    return frame(number, flat(800, 220, 90), faces, time=number / 10, rate=10.0, source="door")


def test_who_has_no_picture_of_their_best_moment_is_shown_at_another_one(tmp_path):
    """As while a run is under way: a portrait is written five seconds later, and the video is not complete."""
    folder = made(tmp_path / "run", "annotated: false, portraits: always")
    (folder / "run.json").write_text('{"inputs": {"render.blur": "none"}}')
    [film] = gather(Results(folder), 40).films
    for person in film.shown:
        (folder / f"portraits/{person.id}-{person.best_moment.frame}.jpg").unlink()
    assert report([str(folder)]) == 0
    assert (folder / "report.html").read_text(encoding="utf-8").count('alt="face #1"') == 2  # beside the timeline too


def test_of_a_crowd_the_portraits_are_of_no_more_people_than_are_kept(tmp_path):
    folder = PortraitFolder(SourceFolder.alone(tmp_path))
    for number in range(5):
        folder.take(crowd(number))
    folder.close()
    assert len({name.partition("-")[0] for name in kept(tmp_path)}) == MOST_PEOPLE


def test_until_they_are_written_the_faces_of_a_crowd_take_no_more_memory_than_their_pixels(tmp_path):
    folder, frames = PortraitFolder(SourceFolder.alone(tmp_path)), list(map(crowd, range(5)))
    tracemalloc.start()
    for one in frames:
        folder.take(one)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10e6  # Enlarged they would take 20 MB, and each may wait with several expressions.


@pytest.mark.parametrize("render", ["", "rotate: 1s"])
def test_while_many_are_written_at_once_render_says_that_it_is_alive(tmp_path, render, monkeypatch):
    """On a slow disk hundreds of them take longer than a stage may be silent."""
    is_silent, silent, written = [True], [0], []

    def alive(work):
        is_silent[0] = False
        work_done = work()
        is_silent[0] = True
        return work_done

    def write(manifest: Manifest, path: Path, *given, **more) -> None:
        written.append(path)
        silent[0] += is_silent[0]
        really_write(manifest, path, *given, **more)

    really_write = Manifest.write
    monkeypatch.setattr(Manifest, "write", write)
    with opened(tmp_path / "run", f"style: none, {render}", alive=alive) as outputs:
        for number in range(12):
            silent[0] = 0
            outputs.take(crowd(number, people=20), True, True)
            assert silent[0] <= AT_ONCE
        silent[0] = 0
        outputs.close(has_ended=True)
    assert silent[0] == 0 and len([path for path in written if path.parent.name == "portraits"]) >= 20


def test_what_a_kill_has_left_of_one_that_was_being_written_is_deleted(tmp_path):
    folder = tmp_path / "run"
    with opened(folder) as outputs:
        for number in range(57):
            outputs.take(seen(number), True, True)
        with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
            patch.setattr(Manifest, "rename", _killed)
            patch.setattr(Path, "unlink", _killed)
            for number in range(57, FRAMES):
                outputs.take(seen(number), True, True)
            outputs.close(has_ended=True)
    assert any(name.endswith(".part") for name in kept(folder))
    with opened(folder, life=1) as outputs:
        assert not any(name.endswith(".part") for name in kept(folder))


def _killed(*_, **__):
    raise KeyboardInterrupt


def test_they_go_with_their_piece(tmp_path):
    folder = made(tmp_path / "run", "rotate: 1s, keep: 1s")
    pieces = sorted(os.listdir(folder / "pieces"))
    assert pieces[0] != "000001" and all((folder / "pieces" / piece / "portraits").is_dir() for piece in pieces)


def test_in_pieces_the_report_finds_them_too(tmp_path):
    folder = made(tmp_path / "run", "rotate: 2s")
    (folder / "run.json").write_text('{"inputs": {"render.blur": "none"}}')
    moments = asked_for(folder)
    cut = cut_faces(Results(folder), "door", moments, Manifest(folder), brighten=False)
    assert all(abs(grey_of(cut.pictures[one].jpeg) - SHADES * one.frame) <= 2 for one in moments)
    assert FROM_ANNOTATED not in cut.captions


def _of_absurd_size(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5  # height and width, of two bytes each
    return jpeg[:at] + struct.pack(">HH", 65_000, 65_000) + jpeg[at + 4 :]


@pytest.mark.parametrize("damage", [lambda jpeg: b"", lambda jpeg: jpeg[:300], lambda jpeg: b"mine", _of_absurd_size])
def test_a_damaged_one_costs_the_report_nothing_but_itself(tmp_path, damage):
    folder = made(tmp_path / "run")
    (folder / "run.json").write_text('{"inputs": {"render.blur": "none"}}')
    moments = asked_for(folder)
    for path in (folder / "portraits").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    cut = cut_faces(Results(folder), "door", moments, Manifest(folder))
    assert cut.pictures.keys() == set(moments) and FROM_ANNOTATED in cut.captions


def test_where_they_cannot_be_kept_the_results_are_whole_and_it_is_said(tmp_path):
    folder = tmp_path / "run"
    with opened(folder) as outputs:
        (folder / "portraits").write_text("mine")
        for number in range(FRAMES):
            outputs.take(seen(number), True, True)
        outputs.close(has_ended=True)
        [note] = outputs.notes("door")
    assert "portraits" in note and (folder / "portraits").read_text() == "mine"
    assert (folder / "results.jsonl").read_bytes().count(b"\n") == FRAMES
