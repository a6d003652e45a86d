"""Where the pictures of faces come from, and what they never show."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.reading.lines import Results
from stages.reading.over_time import Moment
from stages.report.cut import BRIGHTENED, FROM_ANNOTATED, Cut, cut_faces
from stages.report.thumbnails import Look, thumbnail
from stages.results.manifest import Manifest
from stages.sources.stamps import stamp
from stages.view.overlay.draw import annotate
from tests.report.material import film, followed, picture_of, recorded, still
from tests.results.frames import flat, frame
from tests.sinks.recording import recording

FACE = followed(1, x=30.0, side=40.0)


def moment(frame: int = 5, box: tuple[float, ...] = (30.0, 10.0, 40.0, 40.0), file: str | None = None) -> Moment:
    return Moment(frame, file, frame / 25, frame / 25, (96, 64), box)


def was_given(folder: Path, spec: str, **inputs) -> Path:
    """The folder with a run.json that names a source as it is now."""
    (folder / "run.json").write_text(
        json.dumps({"inputs": {"render.blur": "none", "source clip.mp4": [spec, stamp(spec)], **inputs}})
    )
    return folder


def cut(folder: Path, *moments: Moment, blur: bool = False, source: str = "clip.mp4") -> Cut:
    return cut_faces(Results(folder), source, moments, Manifest(folder), blur=blur)


def decoded(picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def run(tmp_path) -> Path:
    """A run over a film that is there still; all of it is grey, and the annotated video is not."""
    folder = recorded(tmp_path / "out", film(10, FACE))
    recorded(tmp_path / "film", film(10))
    grey_film = tmp_path / "clip.mp4"
    (tmp_path / "film/annotated/clip.mp4").rename(grey_film)
    return was_given(folder, str(grey_film))


def shows_the_source(of: Cut) -> bool:
    """The source is one grey, the annotated video has a white square with a black edge."""
    [picture] = of.pictures.values()
    return decoded(picture).std() < 5


def test_faces_are_cut_out_of_the_source_where_it_is_unchanged(run):
    of = cut(run, moment())
    assert shows_the_source(of) and FROM_ANNOTATED not in of.captions


@pytest.mark.parametrize("happens", ["gone", "changed", "loops", "unknown"])
def test_they_are_cut_out_of_the_annotated_video_where_it_is_not_which_is_said(run, tmp_path, happens):
    grey_film = tmp_path / "clip.mp4"
    if happens == "gone":
        grey_film.unlink()
    if happens == "changed":
        grey_film.write_bytes(grey_film.read_bytes() + b"0")
    if happens == "loops":
        was_given(run, str(grey_film), **{"capture.loop": True})
    if happens == "unknown":
        (run / "run.json").write_text('{"inputs": {"render.blur": "none"}}')
    of = cut(run, moment())
    assert not shows_the_source(of) and of.captions == [FROM_ANNOTATED] and of.notes == []


def test_the_demo_is_read_again_where_its_photographs_are_installed(tmp_path, monkeypatch):
    """They come with other packages, which a machine that makes the report need not have."""
    at = Moment(25, None, 1.0, 1.0, (1280, 720), (300.0, 150.0, 120.0, 120.0))
    folder = recorded(tmp_path / "out", film(50, FACE))
    (folder / "run.json").write_text(json.dumps({"inputs": {"render.blur": "none", "source demo": ["demo", None]}}))
    assert cut(folder, at, source="clip.mp4").captions == []
    monkeypatch.setattr("stages.sources.demo.find_spec", lambda name: None)
    of = cut(folder, at, source="clip.mp4")
    assert FROM_ANNOTATED in of.captions and len(of.pictures) == 1


def test_a_face_whose_frame_the_source_does_not_have_is_cut_out_of_what_there_is(run):
    of = cut(run, moment(5), Moment(6, None, 77.0, 6 / 25, (96, 64), (30.0, 10.0, 40.0, 40.0)))
    assert len(of.pictures) == 2 and FROM_ANNOTATED in of.captions


def test_pictures_of_a_folder_are_looked_for_one_by_one(tmp_path):
    shots = tmp_path / "shots"
    shots.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(shots / name), flat(96, 64, 99))
    folder = recorded(tmp_path / "out", [still(0, "a.png"), still(1, "b.png")])
    inputs = {"render.blur": "none", "source shots": [str(shots), stamp(str(shots))]}
    (folder / "run.json").write_text(json.dumps({"inputs": inputs}))
    (shots / "b.png").unlink()
    first, second = (Moment(n, file, 0.0, 0.0, (96, 64), FACE.box) for n, file in enumerate(("a.png", "b.png")))
    of = cut(folder, first, second, source="shots")
    assert decoded(of.pictures[first]).std() < 2 < 30 < decoded(of.pictures[second]).std()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name of a file is a text")
@pytest.mark.parametrize("frames", [film(10, FACE), [still(0, "a.png")]])
def test_a_folder_whose_name_is_no_text_has_the_same_pictures(tmp_path, frames):
    folder, first = recorded(tmp_path / os.fsdecode(b"caf\xe9"), frames), frames[0]
    of = cut(folder, moment(0, file=first.picture.file), source=first.source)
    assert len(of.pictures) == 1 and of.notes == []


def test_of_a_run_with_blur_the_source_is_never_looked_at(run, tmp_path):
    was_given(run, str(tmp_path / "clip.mp4"), **{"render.blur": "pixelate"})
    assert not shows_the_source(cut(run, moment()))


def noise(side: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize("box", [(60.0, 60.0, 80.0, 80.0), (-30.0, 150.0, 80.0, 80.0), (90.0, 90.0, 9.0, 20.0)])
@pytest.mark.parametrize("is_annotated", [True, False])
def test_with_blur_nothing_in_a_thumbnail_is_finer_than_what_hides_faces(box, is_annotated):
    """A neighbour's face in the corner neither: it is cut off or hidden with the face."""
    at = Moment(0, None, 0.0, 0.0, (200, 200), box)
    picture = decoded(thumbnail(at, noise(), Look(hide=True), is_annotated))
    blocks = cv2.resize(cv2.resize(picture, (12, 12), interpolation=cv2.INTER_AREA), picture.shape[1::-1])
    assert np.abs(picture.astype(float) - blocks).mean() < np.abs(noise(128).astype(float) - 128).mean() / 2


@pytest.mark.parametrize("x", [100.0, -8.0])
@pytest.mark.parametrize("side", [20.0, 60.0, 150.0, 400.0])
@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (3840, 2160)])
def test_a_face_from_an_annotated_picture_has_nothing_of_its_line(side, size, x):
    box = (x, 100.0, side, side)
    pixels = annotate(flat(*size), [replace(FACE, box=box)], show=frozenset())
    at = Moment(0, None, 0.0, 0.0, size, box)
    picture = decoded(thumbnail(at, pixels, Look(), True))
    assert np.abs(picture.astype(int) - 128).max() < 12


@pytest.mark.parametrize(
    ("brightest", "is_brightened"), [(20, True), (60, True), (110, True), (140, False), (250, False)]
)
def test_what_is_lit_too_little_is_brightened_and_says_so(brightest, is_brightened):
    pixels = np.tile(np.linspace(0, brightest, 64).astype(np.uint8)[None, :, None], (64, 1, 3))
    at = Moment(0, None, 0.0, 0.0, (64, 64), (8.0, 8.0, 48.0, 48.0))
    picture = thumbnail(at, pixels, Look())
    assert picture.is_brightened == is_brightened
    assert (decoded(picture).mean() > 1.2 * pixels.mean()) == is_brightened


def test_a_page_with_brightened_faces_says_so(tmp_path):
    dark = film(3, FACE)
    folder = recorded(tmp_path / "out", dark)
    recorder = recording(tmp_path / "dark")
    for one in dark:
        recorder.write(frame(one.frame, flat(96, 64), []), picture_of(one) // 4)
    recorder.close()
    source = tmp_path / "dark/annotated/clip.mp4"
    assert BRIGHTENED in cut(was_given(folder, str(source)), moment(1)).captions
