"""Nets in ONNX, run by onnxruntime or by OpenCV's dnn."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.attribute import about_device
from stages.frames import CropGeometry
from stages.vision.inference import check_unopened, load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.digest import card_hash
from stages.vision.inference.fields import CardError
from stages.vision.inference.golden import picture
from stages.vision.inference.onnx_file import inspect
from tests.vision.inference.onnx_models import (
    LINEAR,
    MEAN_OF_CHANNELS,
    TWO_OUTPUTS,
    WEIGHTS,
    declaring,
    in_another_file,
    model,
)
from tests.vision.inference.test_litert import assert_independent_of_batches

INPUT = {"width": 24, "height": 24, "channels": 3, "order": "rgb", "range": [0, 1], "layout": "nchw"}
CARD = {
    "name": "emotion",
    "file": "emotion.onnx",
    "task": "classes",
    "input": INPUT,
    "outputs": "logits",
    "labels": ["angry", "happy", "neutral"],
}
GENDER = CARD | {
    "name": "gender",
    "input": {key: value for key, value in INPUT.items() if key != "range"}
    | {"width": 32, "height": 32, "mean": [122.782, 117.001, 104.298], "std": 256},
    "outputs": "probabilities",
    "labels": ["woman", "man"],
}
RUNTIMES = ["onnxruntime", "opencv"]


@pytest.fixture(params=RUNTIMES)
def runtime(request) -> str:
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return request.param


@pytest.fixture
def card_of(write_card, tmp_path):
    """Write a net and a card for it, CARD with changes; returns the card."""

    def write(net, base: dict = CARD, **changes):
        content = net if isinstance(net, bytes) else net.SerializeToString()
        (tmp_path / "emotion.onnx").write_bytes(content)
        return load_card(write_card(base, **changes))

    return write


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def test_a_published_net_answers_as_in_its_runtime_without_us(write_card, peers, astronaut, runtime):
    from stages.vision.crop import crop_face

    file = str(peers / "gender-v1.onnx")
    loaded = load_model(load_card(write_card(GENDER, file=file, runtime=runtime)))
    crop = crop_face(astronaut, (169, 74, 110, 110), loaded.card.geometry)
    mean = np.array([122.782, 117.001, 104.298], np.float32)
    blob = ((crop[..., ::-1].astype(np.float32) - mean) / 256).transpose(2, 0, 1)[None]
    if runtime == "onnxruntime":
        onnxruntime = pytest.importorskip("onnxruntime")
        (direct,) = onnxruntime.InferenceSession(file).run(None, {"images": blob})
    else:
        net = cv2.dnn.readNetFromONNX(file)
        net.setInput(blob)
        direct = net.forward()
    (answer,) = loaded.answers(crop[None])
    assert answer == pytest.approx(direct[0], abs=1e-5)
    assert answer[0] > 0.9  # Eileen Collins


def test_an_answer_is_the_same_to_the_last_bit_in_every_batch_and_order(write_card, peers, runtime):
    file = str(peers / "gender-v1.onnx")
    assert_independent_of_batches(load_model(load_card(write_card(GENDER, file=file, runtime=runtime))))


def test_an_answer_is_the_same_to_the_last_bit_however_many_threads_a_process_has(write_card, peers, runtime):
    card = load_card(write_card(GENDER, file=str(peers / "gender-v1.onnx"), runtime=runtime))
    crops = np.random.default_rng(5).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)

    def answers(threads: int) -> bytes:
        cv2.setNumThreads(threads)
        return load_model(card).answers(crops).tobytes()

    before = cv2.getNumThreads()
    try:
        assert len({answers(threads) for threads in (1, 2, 5)}) == 1
    finally:
        cv2.setNumThreads(before)


def test_the_logits_are_those_of_the_net(card_of, runtime):
    loaded = load_model(card_of(model(), runtime=runtime))
    crop = picture(loaded.card.geometry)[None]
    means = crop[0, ..., ::-1].reshape(-1, 3).mean(axis=0) / 255
    assert loaded.answers(crop)[0] == pytest.approx(softmax(means @ WEIGHTS), abs=1e-5)


def test_a_net_with_the_channels_last_has_layout_nhwc(card_of, runtime):
    nodes = (("Transpose", "picture", "x", {"perm": [0, 3, 1, 2]}), *LINEAR)
    last = model(nodes, inputs={"picture": ("FLOAT", ["N", 24, 24, 3])})
    expected = load_model(card_of(model(), runtime=runtime)).answers(picture_of())
    card = card_of(last, runtime=runtime, input=INPUT | {"layout": "nhwc"})
    assert load_model(card).answers(picture_of()) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(CardError, match=r"input is 1 x 3 x 24 x 24, but emotion\.onnx takes any x 24 x 24 x 3"):
        check_unopened(card_of(last, runtime=runtime))


@pytest.mark.parametrize("shape", [["N", 3, "height", "width"], [-1, 3, -1, -1], [1, 3, None, 24]])
def test_a_size_that_the_file_leaves_open_is_the_cards(card_of, runtime, shape):
    expected = load_model(card_of(model(), runtime=runtime)).answers(picture_of())
    card = card_of(model(inputs={"x": ("FLOAT", shape)}), runtime=runtime)
    check_unopened(card)
    assert load_model(card).answers(picture_of()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("declared", "dtype"), [("UINT8", "uint8"), ("INT8", "int8"), ("FLOAT16", "float32")])
def test_a_net_is_given_the_numbers_that_it_takes(card_of, runtime, declared, dtype):
    nodes = (("Cast", "pixels", "x", {"to": 1}), *LINEAR)
    card = {"runtime": runtime, "input": INPUT | {"dtype": dtype}}
    if dtype != "float32":
        card["input"].pop("range")
    loaded = load_model(card_of(model(nodes, inputs={"pixels": (declared, [1, 3, 24, 24])}), **card))
    means = picture_of()[0, ..., ::-1].reshape(-1, 3).mean(axis=0)
    means = {"uint8": means, "int8": means - 128, "float32": means / 255}[dtype]
    logits = means @ WEIGHTS
    assert loaded.answers(picture_of())[0] == pytest.approx(softmax(logits - logits.max()), abs=1e-3)


def test_one_of_several_outputs_is_chosen_by_its_name(card_of, runtime):
    net = model(**TWO_OUTPUTS)
    expected = load_model(card_of(model(), runtime=runtime)).answers(picture_of())
    for changes in ({"output_name": "y"}, {"output_name": "z", "outputs": "probabilities"}):
        found = load_model(card_of(net, runtime=runtime, **changes)).answers(picture_of())
        assert found == pytest.approx(expected, abs=1e-6)
    other = load_model(card_of(net, runtime=runtime, output_name="negative")).answers(picture_of())
    assert other != pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "emotion.onnx has 3 outputs; write output_name: one of y, z, negative."),
        ({"output_name": "q"}, "output_name is 'q', but emotion.onnx has the outputs y, z, negative; write one of"),
    ],
)
def test_an_output_that_is_not_named_or_not_there_is_one_sentence(card_of, changes, says):
    assert_refused(card_of(model(**TWO_OUTPUTS), **changes), says)


NOT_A_MODEL = "emotion.onnx is not an ONNX model or is damaged; put the right file there."
HOSTILE = {
    "empty": (lambda: b"", NOT_A_MODEL),
    "a text": (lambda: b"This is a text.\n" * 9, NOT_A_MODEL),
    "zeros": (lambda: bytes(1000), NOT_A_MODEL),
    "cut": (lambda: model().SerializeToString()[:-1], NOT_A_MODEL),
    "cut in half": (lambda: model().SerializeToString()[:150], NOT_A_MODEL),
    "something after it": (lambda: model().SerializeToString() + b"garbage", NOT_A_MODEL),
    "no outputs": (lambda: without_outputs(), NOT_A_MODEL),
    "weights elsewhere": (lambda: in_another_file("/etc/passwd"), "keeps weights in another file ('/etc/passwd')"),
    "weights outside": (lambda: in_another_file("../../secret"), "keeps weights in another file ('../../secret')"),
    "weights beside": (lambda: in_another_file("weights.bin"), "keeps weights in another file ('weights.bin')"),
    "huge weights": (lambda: declaring(10**5, 10**6), "declares weights of 100000 x 1000000 numbers of type 1 and"),
    "negative weights": (lambda: declaring(-3, 3), "declares weights of -3 x 3 numbers of type 1 and"),
    "weights of many axes": (lambda: declaring(*[2] * 100_000), "declares weights of 2 x 2 x 2 x"),
    "half of the weights": (lambda: declaring(3, 6, raw=bytes(36)), "declares weights of 3 x 6 numbers of type 1 and"),
    "numbers of no type": (lambda: declaring(3, 3, element=99), "declares weights of 3 x 3 numbers of type 99 and"),
    "a circle": (lambda: model([("Add", "x b", "a"), ("Flatten", "a", "b"), ("Relu", "b", "y")]), "uses b before"),
    "an input from nowhere": (lambda: model([("Flatten", "nowhere", "y")]), "uses nowhere before"),
    "an output from nowhere": (lambda: model([("Flatten", "x", "z")]), "uses y before anything in it gives that"),
    "another opset": (lambda: model(opset=99), "is of opset 99, and opsets up to "),
    "an operation of its own": (
        lambda: model([("Evil", "x", "y", {"domain": "com.evil"})]),
        "has the operation Evil of com.evil, which no runtime here has",
    ),
    "two inputs": (
        lambda: model(
            (("Add", "x other", "sum"), ("Identity", "sum", "y")),
            inputs={"x": ("FLOAT", [1, 3, 24, 24]), "other": ("FLOAT", [1])},
        ),
        "has 2 inputs (x, other); export a model with one",
    ),
    "a batch": (lambda: model(inputs={"x": ("FLOAT", [8, 3, 32, 32])}), "takes 8 pictures at a time; export it with"),
    "no picture": (lambda: model(inputs={"x": ("FLOAT", [1, 3])}), "takes 1 x 3, which is no picture; export"),
    "another size": (lambda: model(inputs={"x": ("FLOAT", [1, 3, 48, 48])}), "takes 1 x 3 x 48 x 48 (faces"),
    "words": (lambda: model(inputs={"x": ("STRING", [1, 3, 24, 24])}), "takes no array of numbers; export it with"),
    "whole numbers": (lambda: model(inputs={"x": ("INT64", [1, 3, 24, 24])}), "takes int64; export it with"),
    "bytes": (lambda: model(inputs={"x": ("UINT8", [1, 3, 24, 24])}), "input.dtype is float32, but emotion.onnx takes"),
    "answers in words": (lambda: model(outputs={"y": ("STRING", [1, 3])}), "output y of emotion.onnx is no array"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_cannot_be_used_is_one_sentence_before_a_runtime_sees_it(card_of, what):
    made, says = HOSTILE[what]
    assert_refused(card_of(made()), says)


def assert_refused(card, says: str) -> None:
    """By --check, and by a run, with the same sentence."""
    with pytest.raises(CardError) as by_check:
        check_unopened(card)
    with pytest.raises(CardError) as by_run:
        load_model(card)
    sentence = str(by_run.value)
    assert sentence == str(by_check.value)
    assert sentence.startswith(f"{card.path}: ") and says in sentence
    assert "\n" not in sentence and sentence.endswith(".")


def without_outputs():
    changed = model()
    del changed.graph.output[:]
    return changed


UNRUNNABLE = {
    "an unknown operation": [("Flutten", "x", "y")],
    "shapes that do not fit": [("MatMul", "x weights", "y")],
    "much memory": [("ConstantOfShape", "size", "all"), ("ReduceSum", "all", "y", {"keepdims": 0})],
}


@pytest.mark.parametrize("what", UNRUNNABLE)
def test_a_net_that_its_runtime_cannot_run_is_one_sentence(card_of, runtime, capfd, what):
    weights = [("weights", WEIGHTS), ("size", np.array([10**6, 10**7]))]
    with pytest.raises(CardError) as raised:
        load_model(card_of(model(UNRUNNABLE[what], weights=weights), runtime=runtime))
    by = {"onnxruntime": "onnxruntime", "opencv": "OpenCV's dnn"}[runtime]
    assert f"emotion.onnx cannot be run by {by} (" in str(raised.value)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500
    assert capfd.readouterr() == ("", "")


def test_numbers_that_are_not_finite_are_never_an_answer(card_of, runtime):
    nodes = (*MEAN_OF_CHANNELS, ("Sub", "means means", "nothing"), ("Div", "nothing nothing", "y"))
    with pytest.raises(CardError, match=r"emotion\.onnx gives numbers that are not finite"):
        load_model(card_of(model(nodes), runtime=runtime))


@given(places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_whatever_stands_in_a_file_it_is_read_or_refused_in_one_sentence(card_of, places):
    content = bytearray(model(**TWO_OUTPUTS).SerializeToString())
    for place, byte in places:
        content[place % len(content)] = byte
    try:
        declared = inspect(card_of(bytes(content), output_name="z"))
    except CardError as error:
        assert "\n" not in str(error)
    else:
        assert declared.output.name == "z"


def test_onnxruntime_is_used_where_it_is_installed_and_opencv_otherwise(card_of, monkeypatch):
    pytest.importorskip("onnxruntime")
    card = card_of(model([*MEAN_OF_CHANNELS, ("Hardmax", "means", "y")]), outputs="probabilities")  # not in OpenCV
    assert load_model(card).answers(picture_of()).shape == (1, 3)
    with_both = card_hash(card)
    without_onnxruntime(monkeypatch)
    assert card_hash(card) != with_both
    with pytest.raises(CardError, match="cannot be run by OpenCV's dnn .*; install onnxruntime, which has more"):
        load_model(card)


def test_a_card_may_name_the_runtime(card_of, monkeypatch):
    named = {name: card_of(model(), runtime=name) for name in RUNTIMES}
    hashes = {name: card_hash(card) for name, card in named.items()}
    assert hashes["onnxruntime"] != hashes["opencv"]
    without_onnxruntime(monkeypatch)
    assert {name: card_hash(card) for name, card in named.items()} == hashes
    load_model(named["opencv"])
    assert_refused(named["onnxruntime"], "runtime is onnxruntime, which is not installed here; install it with ")


def without_onnxruntime(monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))


def test_without_a_gpu_every_device_gives_the_same_bits_and_gpu_says_why(card_of, runtime):
    models = {device: load_model(card_of(model(), runtime=runtime), device) for device in ("cpu", "auto", "gpu")}
    if models["gpu"].gpu:
        pytest.skip("there is a GPU here")
    assert len({one.answers(picture_of()).tobytes() for one in models.values()}) == 1
    assert about_device("emotion", "auto", models["auto"]) is None
    assert about_device("emotion", "gpu", models["gpu"]).startswith("emotion runs on the processor and not on a GPU: ")


def test_a_stage_with_a_net_in_onnxruntime_imports_nothing_else_that_is_heavy(card_of):
    pytest.importorskip("onnxruntime")
    code = "import sys; from pathlib import Path; from stages.vision.inference import card, load_model; "
    code += "load_model(card.load_card(Path(sys.argv[1]))); "
    code += "print(sorted({'cv2', 'keras', 'onnx', 'tensorflow'} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", code, str(card_of(model()).path)], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


def test_onnxruntime_writes_nothing_into_the_home_folder_and_sends_nothing(card_of, tmp_path):
    pytest.importorskip("onnxruntime")
    home = tmp_path / "home"
    home.mkdir()
    code = "import sys; from pathlib import Path; from stages.vision.inference import card, load_model; "
    code += "load_model(card.load_card(Path(sys.argv[1])))"
    program = [sys.executable, "-c", code, str(card_of(model()).path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run(program, env=environment | {"HOME": str(home)}, check=True)
    assert list(home.iterdir()) == []


def picture_of() -> np.ndarray:
    return picture(CropGeometry(24, 24, 3, 1.0))[None]
