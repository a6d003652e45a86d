from __future__ import annotations

import numpy as np
import pytest

from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError
from stages.vision.inference.golden import picture
from stages.vision.inference.model import Model, check_model
from tests.vision.inference.conftest import AGE, EMOTION

PROBABILITIES = [0.1, 0.7, 0.2]


class FakeNet:
    """A net that says the same about every face."""

    gpu = no_gpu = None

    def __init__(self, outputs, input_shape=(1, 24, 24, 1), input_dtype="float32"):
        self.outputs, self.input_shape, self.input_dtype = outputs, input_shape, input_dtype

    def run(self, values):
        return np.array(self.outputs, dtype=np.float32)


def checked(path, net) -> Model:
    model = Model(load_card(path), net)
    check_model(model, net)
    return model


def test_a_model_answers_every_face(write_card):
    model = checked(write_card(), FakeNet(np.log(PROBABILITIES)))
    answers = model.answers(np.zeros((5, 24, 24, 1), np.uint8))
    assert answers.shape == (5, 3) and answers.dtype == np.float32
    assert answers == pytest.approx(np.tile(PROBABILITIES, (5, 1)))


def test_no_face_is_no_answer(write_card):
    assert checked(write_card(), FakeNet([0, 0, 2])).answers(np.zeros((0, 24, 24, 1), np.uint8)).shape == (0, 3)


def test_an_age_has_three_columns(write_card):
    assert checked(write_card(AGE), FakeNet([0.0] * 10)).answers(np.zeros((2, 24, 24, 1), np.uint8)).shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((1, 48, 48, 1), "takes 1 x 48 x 48 x 1"),
        ((1, 24, 24, 3), "takes 1 x 24 x 24 x 3"),
        ((1, 1, 24, 24), "takes 1 x 1 x 24 x 24"),
        ((8, 24, 24, 1), "takes 8 x 24 x 24 x 1"),
        ((None, 48, None, 1), "takes any x 48 x any x 1"),
        ((1, 576), "takes 1 x 576"),
    ],
)
def test_an_input_that_the_net_does_not_take_is_said_at_start(write_card, shape, says):
    with pytest.raises(CardError, match=f"input is 1 x 24 x 24 x 1, but emotion.tflite {says} .*write what it takes"):
        checked(write_card(), FakeNet([0, 0, 2], shape))


def test_a_size_that_the_net_leaves_open_is_the_cards(write_card):
    checked(write_card(), FakeNet([0, 0, 2], (None, None, None, 1)))


def test_with_layout_nchw_the_channels_come_first(write_card):
    nchw = write_card(input=EMOTION["input"] | {"height": 20, "layout": "nchw"})
    checked(nchw, FakeNet([0, 0, 2], (1, 1, 20, 24)))
    says = r"input is 1 x 1 x 20 x 24, but .* takes 1 x 20 x 24 x 1 \(faces at a time, channels, height, width\)"
    with pytest.raises(CardError, match=says):
        checked(nchw, FakeNet([0, 0, 2], (1, 20, 24, 1)))


def test_a_quantised_net_behind_a_card_of_floats_is_said_at_start(write_card):
    with pytest.raises(CardError, match=r"input\.dtype is float32, but emotion\.tflite takes int8"):
        checked(write_card(), FakeNet([0, 0, 2], input_dtype="int8"))


@pytest.mark.parametrize("outputs", [[0.5], [0.5, 0.5], [0.25] * 4])
def test_another_number_of_outputs_than_labels_is_said_at_start(write_card, outputs):
    with pytest.raises(CardError, match=f"labels are 3, but emotion.tflite gives {len(outputs)} numbers a face"):
        checked(write_card(), FakeNet(outputs))


def test_two_labels_may_be_one_output_but_an_age_may_not(write_card):
    checked(write_card(labels=["man", "woman"]), FakeNet([0.3]))
    with pytest.raises(CardError, match="labels are 2, but age.tflite gives 1 number"):
        checked(write_card(AGE, labels=[20, 40]), FakeNet([0.3]))


def test_a_regression_has_one_output(write_card):
    keys = {key: value for key, value in EMOTION.items() if key not in ("labels", "outputs")} | {"task": "regression"}
    assert checked(write_card(keys), FakeNet([-7])).answers(np.zeros((1, 24, 24, 1), np.uint8)).tolist() == [[-7.0]]
    with pytest.raises(CardError, match="task is regression, which has 1 output, but emotion.tflite gives 2"):
        checked(write_card(keys), FakeNet([1, 2]))


def test_logits_taken_for_probabilities_are_said_at_start(write_card):
    with pytest.raises(CardError, match="outputs are probabilities, .* are none; write outputs: logits"):
        checked(write_card(outputs="probabilities"), FakeNet([-1.5, 0.5, 3]))
    with pytest.raises(CardError, match="outputs are probabilities"):
        checked(write_card(outputs="probabilities", labels=["man", "woman"]), FakeNet([1.5]))


def test_probabilities_taken_for_logits_are_said_at_start(write_card):
    with pytest.raises(CardError, match="outputs are logits, .*write outputs: probabilities"):
        checked(write_card(), FakeNet(PROBABILITIES))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_never_an_answer(write_card, number):
    net = FakeNet([0, 0, 2])
    model = checked(write_card(), net)
    net.outputs = [0, number, 1]
    with pytest.raises(CardError, match=r"emotion\.tflite gives numbers that are not finite"):
        model.answers(np.zeros((1, 24, 24, 1), np.uint8))


def test_the_golden_answer_is_compared_within_its_tolerance(write_card):
    net = FakeNet(np.log(PROBABILITIES))
    checked(write_card(golden={"scores": [0.109, 0.691, 0.2], "tolerance": 0.01}), net)
    with pytest.raises(CardError, match=r"answers \[0\.1, 0\.7, 0\.2\] to the test picture, .* 0\.0110 away"):
        checked(write_card(golden={"scores": [0.111, 0.7, 0.189], "tolerance": 0.01}), net)


def test_the_golden_answer_is_that_to_the_test_picture(write_card):
    class Brightness(FakeNet):
        def run(self, values):
            return np.array([values.mean(), 0, -2], dtype=np.float32)

    path = write_card()
    model = checked(path, Brightness(None))
    expected = model.answers(picture(model.card.geometry)[None])[0].tolist()
    checked(write_card(golden={"scores": expected, "tolerance": 1e-6}), Brightness(None))
    assert expected[0] != pytest.approx(model.answers(np.zeros((1, 24, 24, 1), np.uint8))[0, 0], abs=0.05)


def test_a_file_with_another_hash_is_not_opened(write_card, tmp_path):
    (tmp_path / "emotion.tflite").write_bytes(b"other weights")
    with pytest.raises(CardError, match=r"sha256 is 000000000000…, but .*emotion\.tflite has 53959fa102f3…"):
        load_model(load_card(write_card(sha256="0" * 64)))


def test_a_missing_file_and_an_unknown_kind_are_one_sentence_each(write_card, tmp_path):
    with pytest.raises(CardError, match=r"emotion\.tflite, which does not exist; put the model there"):
        load_model(load_card(write_card()))
    (tmp_path / "emotion.pt").write_bytes(b"x")
    with pytest.raises(CardError, match=r"emotion\.pt, of no known kind; .*\.tflite, \.onnx, \.keras"):
        load_model(load_card(write_card(file="emotion.pt")))
    (tmp_path / "folder").mkdir()
    with pytest.raises(CardError, match="folder, a folder that is no SavedModel; put the right file there"):
        load_model(load_card(write_card(file="folder")))
