"""Which attributes there are and which models give them is a matter of configuration alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stages.results.manifest import Manifest
from tests.end_to_end.command import Ran, Workplace, asked
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
    ran = place.run(film, f"--set=stages.emotion.model={card}")
    assert ran.status == 0, ran.err
    assert [len(line["faces"]) for line in ran.lines] == FACES
    assert all(list(face["emotion"]["scores"]) == EMOTIONS for face in ran.faces)
    assert any(face["emotion"]["label"] == "happy" for face in ran.faces)  # Eileen Collins smiles.
    assert [face.get("gender") for face in ran.faces] == [face.get("gender") for face in shown.faces]
    assert "emotion.yaml: sha256 and golden left out" in ran.err


def test_an_attribute_of_ones_own_is_a_stage_like_the_others(place, film, gender_card, shown: Ran):
    write_card(place.folder / "glasses.yaml", gender_card | {"name": "glasses", "labels": ["bare", "glasses"]})
    glasses = {"kind": "attribute", "model": "glasses.yaml"}
    run = place.start(film, config=configured(place, {"gender": {}, "glasses": glasses}))
    run.until(lambda: len(run.stages()) >= 5, "all stages")
    assert set(run.stages()) == {"capture", "detect", "gender", "attribute", "render"}
    ran = run.end()
    assert ran.status == 0, ran.err
    assert all(set(face) - {"gender"} == {"id", "box", "score", "glasses", "smoothed"} for face in ran.faces)
    assert all(set(face["glasses"]["scores"]) == {"bare", "glasses"} for face in ran.faces)
    for mine, before in zip(ran.faces, shown.faces, strict=True):
        assert mine.get("gender") == before.get("gender")
        if "gender" in before:
            assert list(mine["glasses"]["scores"].values()) == list(before["gender"]["scores"].values())


@pytest.mark.parametrize("names", [["gender"], ["emotion"], []], ids=["gender only", "emotion only", "no attribute"])
def test_only_the_stages_that_are_listed_run(place, film, shown: Ran, names):
    run = place.start(film, config=configured(place, {name: {} for name in names}))
    run.until(lambda: len(run.stages()) == 3 + len(names), "all stages")
    ran = run.end()
    assert ran.status == 0, ran.err
    assert [face["box"] for face in ran.faces] == [face["box"] for face in shown.faces]
    for frame, face in [(line["frame"], face) for line in ran.lines for face in line["faces"]]:
        assert face.keys() - {"smoothed"} == {"id", "box", "score"} | asked(frame).intersection(names)
    for name in names:
        assert [face.get(name) for face in ran.faces] == [face.get(name) for face in shown.faces]
        smoothed = [[face.get("smoothed", {}).get(name) for face in run.faces] for run in (ran, shown)]
        assert smoothed[0] == smoothed[1] and any(smoothed[0])


# --- What does not fit is refused, and nothing already there is lost ---


def refusal(place: Workplace, film: Path, **stages: str) -> str:
    earlier = place.folder / "out/results.jsonl"
    earlier.parent.mkdir(exist_ok=True)
    Manifest(earlier.parent).write(earlier, b'{"source": "a", "frame": 0, "faces": []}\n')
    ran = place.run(film, *(f"--set=stages.{name}.model={card}" for name, card in stages.items()))
    assert ran.status == 2, ran.err
    return ran.complaint


def test_a_card_that_is_not_there(place, film):
    card = place.folder / "nowhere.yaml"
    assert f"stages.age.model is '{card}', but there is no {card}" in refusal(place, film, age=card)


def test_a_model_in_place_of_its_card(place, film, gender_card):
    assert "so it is no model card" in refusal(place, film, gender=gender_card["file"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": ["a", "b", "c"]}, "labels"),
        ({"input": {"width": 50, "height": 50, "channels": 1, "range": [-1, 1]}}, "50"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"file": "text.tflite"}, "text.tflite"),
        ({"file": "nowhere.tflite"}, "nowhere.tflite"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_card_that_does_not_fit_its_model_or_a_model_that_is_none(place, film, gender_card, change, said):
    (place.folder / "text.tflite").write_text("This is no model.")
    gender_card.pop("sha256", None)
    card = write_card(place.folder / "gender.yaml", gender_card | change)
    complaint = refusal(place, film, gender=card)
    assert said in complaint
    assert str(card) in complaint or str(place.folder / "text") in complaint


def test_a_detectors_model_that_is_none(place, film):
    text = place.folder / "yunet.onnx"
    text.write_text("This is no model.")
    ran = place.run(film, "--detector", "yunet", f"--set=stages.detect.model={text}")
    assert ran.status == 2
    assert str(text) in ran.complaint


@pytest.mark.parametrize(
    ("detector", "file"), [("yunet", "face_detection_yunet_2023mar.onnx"), ("dlib-cnn", "mmod_human_face_detector.dat")]
)
def test_detectors_that_need_a_model_file(place, astronaut, peers, detector, file):
    picture = write_picture(place.folder / "two.png", scene(astronaut, 20))
    haar = place.run(picture)
    ran = place.run(picture, "--detector", detector, f"--set=stages.detect.model={peers / file}")
    assert ran.status == 0, ran.err
    assert len(ran.faces) == len(haar.faces) == 2
    for mine, haars in zip(ran.faces, haar.faces, strict=True):
        assert mine["box"] == pytest.approx(haars["box"], abs=0.35 * haars["box"][2])
        assert {"gender", "emotion", "age"} <= mine.keys()


def test_where_there_is_no_gpu_one_that_is_asked_for_is_one_line_and_changes_no_bit(place, film, shown):
    ran = place.run(film, "--set=stages.emotion.device=gpu", "--set=stages.age.device=cpu")
    assert ran.status == 0, ran.err
    if " runs on a GPU, " in ran.err:
        pytest.skip("there is a GPU here")
    [line] = [line for line in ran.err.splitlines() if "GPU" in line]
    assert line == (
        "facepipe: emotion runs on the processor and not on a GPU: "
        "LiteRT finds no GPU (it looks for one through Vulkan)"
    )
    assert ran.results == shown.results
    assert "GPU" not in shown.err
    other = place.run(film, "--set=stages.emotion.device=tpu")
    assert other.status == 2
    assert other.complaint == (
        "--set stages.emotion.device: stages.emotion.device is 'tpu'; "
        "write one of auto, cpu, gpu (did you mean 'gpu'?)."
    )
