"""The detector that a pipeline has if nobody chooses one."""

from __future__ import annotations

import shutil

import pytest

from tests.end_to_end.command import PROJECT, Ran, somewhere
from tests.end_to_end.material import FACES

OWN = {"detector": None}  # of the default pipeline, in place of what most tests count on


@pytest.fixture(scope="module")
def found(film, tmp_path_factory) -> Ran:
    """The film, run through the default pipeline with the default detector."""
    with somewhere(tmp_path_factory.mktemp("found")) as here:
        return here.run(film, **OWN)


def test_the_default_detector_is_named_finds_the_portraits_and_says_where_they_look(found: Ran):
    assert found.status == 0, found.err
    assert f"detector fast → {found.output}\n" in found.err
    assert len(found.lines) == len(FACES)
    # The weights decide about single frames; that it works as a whole they do not.
    right = sum(len(line["faces"]) == faces for line, faces in zip(found.lines, FACES, strict=True))
    assert right >= 0.8 * len(FACES)
    assert all({"id", "box", "score", "landmarks", "pose", "quality"} <= face.keys() for face in found.faces)
    labelled = [face for face in found.faces if "emotion" in face]  # it is asked about every frame
    assert len(labelled) >= 0.8 * sum(FACES)


def test_several_processes_of_it_write_the_same_bytes(place, film, found: Ran):
    one = place.run(film, "--set=stages.detect.replicas=1", **OWN)
    three = place.run(film, "--set=stages.detect.replicas=3", **OWN)
    assert one.status == three.status == 0
    assert one.results == three.results == found.results


def test_haar_and_dlib_are_one_word_away(place, film, found: Ran):
    for name in ("haar", "dlib"):
        ran = place.run(film, "--detector", name)
        assert ran.status == 0, ran.err
        assert f"detector {name} → " in ran.err
        assert ran.faces and not any("landmarks" in face for face in ran.faces)


def test_a_damaged_file_of_the_detector_is_told_before_anything_runs(place, film):
    for name in ("faces.yaml", "faces.tflite"):
        shutil.copy(PROJECT / "models" / name, place.folder)
    with (place.folder / "faces.tflite").open("r+b") as file:
        file.truncate(1000)
    ran = place.run(film, f"--set=stages.detect.model={place.folder}/faces.yaml", **OWN)
    assert ran.status == 2
    assert "faces.tflite has the SHA-256 " in ran.complaint and "put the right file there." in ran.complaint
    assert not (ran.output / "results.jsonl").exists()


def test_pictures_without_room_for_a_face_have_none(place):
    import cv2
    import numpy as np

    folder = place.folder / "album"
    folder.mkdir()
    for width, height in ((4000, 1), (1, 4000), (1, 1), (5, 7)):
        cv2.imwrite(str(folder / f"{width}x{height}.png"), np.full((height, width, 3), 120, np.uint8))
    ran = place.run(folder, **OWN)
    assert ran.status == 0, ran.err
    assert [line["faces"] for line in ran.lines] == [[]] * 4
