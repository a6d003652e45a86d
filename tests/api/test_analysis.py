"""Single pictures: the answers are those of the pipeline, whatever form a picture is given in."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from stages import api
from stages.api.analysis import analyzed
from stages.config.schema import ConfigError
from stages.errors import FacepipeError
from stages.protocol.limits import PICTURE_PIXELS
from tests.conftest import PROJECT


def told(faces: list[api.Face]) -> list[str]:
    return [json.dumps(face.to_json()) for face in faces]


def test_the_faces_are_those_that_a_run_writes_bit_for_bit(photographs, album):
    lines = [json.loads(line) for line in (album / "results.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == sorted(path.name for path in photographs.iterdir())
    for line in lines:
        faces = api.analyze(photographs / line["file"])
        assert told(faces) == [json.dumps(face) for face in line["faces"]], line["file"]


def test_and_so_they_are_of_real_photographs(media, tmp_path, place):
    for frame in api.stream(media / "*.[jp][pn]g", output=tmp_path / "out"):
        assert told(api.analyze(media / frame.file)) == told(frame.faces), frame.file


@pytest.mark.parametrize("detector", ["haar", "dlib"])
def test_and_so_they_are_with_another_detector(detector, photographs, place):
    [frame] = api.stream(photographs / "two.jpg", detector=detector)
    assert len(frame.faces) == 2
    assert told(api.analyze(photographs / "two.jpg", detector=detector)) == told(frame.faces)


def test_what_is_drawn_is_the_annotated_picture(photographs, album):
    for path in photographs.iterdir():
        drawn = api.annotate(path, api.analyze(path))
        options = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == ".jpg" else []
        assert cv2.imencode(path.suffix, drawn, options)[1].tobytes() == (album / "annotated" / path.name).read_bytes()


def test_drawing_changes_neither_the_picture_nor_the_order_of_its_colours(astronaut):
    rgb = np.ascontiguousarray(astronaut[:, :, ::-1])
    before = rgb.copy()
    faces = api.analyze(rgb, colour="rgb")
    drawn = api.annotate(rgb, faces, colour="rgb")
    assert (rgb == before).all()
    assert (drawn[:, :, ::-1] == api.annotate(astronaut, faces)).all()
    assert (api.annotate(astronaut, faces, style="none") == astronaut).all()


def test_a_picture_may_be_given_in_any_form(astronaut, tmp_path):
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut)
    wide = np.zeros((512, 1024, 3), np.uint8)
    wide[:, ::2] = astronaut
    forms = [
        (path, "bgr"),
        (str(path), "rgb"),  # A file says itself what its colours are.
        (path.read_bytes(), "bgr"),
        (astronaut, "bgr"),
        (astronaut[:, :, ::-1], "rgb"),
        (wide[:, ::2], "bgr"),
        (np.asfortranarray(astronaut), "bgr"),
        (np.dstack([astronaut, np.full((512, 512), 255, np.uint8)]), "bgr"),
    ]
    expected = told(api.analyze(astronaut))
    assert len(expected) > 0
    assert [told(api.analyze(picture, colour=colour)) for picture, colour in forms] == [expected] * len(forms)


def test_a_grey_picture_is_one_of_three_equal_channels(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    expected = told(api.analyze(cv2.merge([grey] * 3)))
    assert told(api.analyze(grey)) == told(api.analyze(grey[:, :, None])) == expected


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((20, 20, 3)),
        np.zeros((20, 20, 3), bool),
        np.zeros((20, 20, 3), np.uint16),
        np.zeros((3, 20, 20), np.uint8),
        np.zeros((2, 20, 20, 3), np.uint8),
        np.zeros((20, 20, 2), np.uint8),
        np.zeros((0, 20, 3), np.uint8),
        np.zeros(20, np.uint8),
        np.broadcast_to(np.uint8(0), (PICTURE_PIXELS + 1, 1, 3)),
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        "",
        "missing.jpg",
        "no\0name",
        ".",
        "/dev/zero",
        "https://example.org/picture.jpg",
        "text.jpg",
        "film.mp4",
        None,
        7,
        [[1, 2], [3, 4]],
    ],
    ids=lambda picture: f"{picture.dtype}{picture.shape}" if isinstance(picture, np.ndarray) else repr(picture)[:20],
)
def test_what_is_no_picture_is_refused_in_a_sentence(picture, film):
    shutil.copy(film, "film.mp4")
    Path("text.jpg").write_text("a letter")
    for take in (api.analyze, lambda picture: api.annotate(picture, [])):
        with pytest.raises(FacepipeError) as refused:
            take(picture)
        assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_a_choice_that_is_none_is_refused(astronaut):
    with pytest.raises(FacepipeError, match="colour"):
        api.analyze(astronaut, colour="RGB")
    with pytest.raises(FacepipeError, match="style"):
        api.annotate(astronaut, [], style="bold")
    with pytest.raises(FacepipeError, match="harr"):
        api.analyze(astronaut, detector="harr")
    with pytest.raises(ConfigError, match=r"stages.detect.treshold.*threshold"):
        api.analyze(astronaut, overrides={"stages.detect.treshold": 0.5})
    with pytest.raises(ConfigError, match="overrides"):
        api.analyze(astronaut, overrides=[("window", 3)])
    for name in ("a\0b", "\ud800.yaml"):
        with pytest.raises(ConfigError, match="cannot be read"):
            api.analyze(astronaut, config=name)
    with pytest.raises(ConfigError, match="missing.yaml"):
        api.analyze(astronaut, config="missing.yaml")


def test_the_configuration_counts(astronaut, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("stages: {emotion: {}}\n")
    [face] = api.analyze(astronaut, config=config, detector="haar")
    assert list(face.answers) == ["emotion"] and face.gender is None and face.age is None
    assert face.landmarks is None and face.pose is None and face.quality is None
    config.write_text("stages: {gender: {}}\n")  # A file that was changed is read again.
    [face] = api.analyze(astronaut, config=config, detector="haar")
    assert list(face.answers) == ["gender"]
    assert api.analyze(astronaut, overrides={"stages.detect.smallest_face": 0.9}) == []
    config.write_text("stages: {detect: {detector: haar}}\n")
    assert [face.answers for face in api.analyze(astronaut, config=config)] == [{}]


def test_with_blur_what_may_be_a_face_is_hidden_too(astronaut):
    [face] = api.analyze(astronaut)
    x, y, wide, high = map(round, face.box)
    dark = (0.02 * astronaut).astype(np.uint8)
    hidden = analyzed(dark, None, {"render.blur": "pixelate"})
    changed = (hidden.picture.pixels != dark).any(axis=2)[y : y + high, x : x + wide]
    assert hidden.faces == [] and changed.mean() > 0.5  # The others have the level of their block already.


def test_models_are_loaded_once(astronaut, tmp_path):
    for name in ("gender.yaml", yaml.safe_load((PROJECT / "models/gender.yaml").read_text())["file"]):
        shutil.copy(PROJECT / "models" / name, tmp_path)
    overrides = {"stages.gender.model": tmp_path / "gender.yaml"}
    first = api.analyze(astronaut, overrides=overrides)
    shutil.rmtree(tmp_path)
    assert told(api.analyze(astronaut, overrides=overrides)) == told(first)


def test_threads_take_turns(astronaut):
    pictures = [astronaut, astronaut[:, ::-1], astronaut[:300], astronaut[::-1]] * 3
    expected = [told(api.analyze(picture)) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        assert [told(faces) for faces in threads.map(api.analyze, pictures)] == expected


def test_the_callers_opencv_keeps_its_threads(astronaut):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        api.analyze(astronaut, detector="haar")
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_what_is_displayed_of_a_face_is_at_hand(astronaut):
    face = max(api.analyze(astronaut), key=lambda face: face.score)
    assert face.gender == face.answers["gender"] and face.gender.label == "woman"
    assert face.emotion.label == max(face.emotion.scores, key=face.emotion.scores.get)
    assert face.age.low <= face.age.years <= face.age.high
    doubted = max(api.analyze(astronaut, overrides={"render.unsure_below": 1}), key=lambda face: face.score)
    assert doubted.unsure and doubted.gender is None and doubted.answers == face.answers
