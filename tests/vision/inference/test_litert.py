from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.vision.inference import litert, load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.fields import CardError
from stages.vision.inference.golden import picture

LARGEST_RESIDENT_MB = 60  # DESIGN.md, what a classifier stage at rest may take; links and msgpack come on top of this


def test_a_tflite_file_answers_as_its_keras_model_does(write_card, nets):
    import keras

    model = load_model(load_card(write_card(file=str(nets.tflite))))
    crop = picture(model.card.geometry)[None]
    logits = keras.saving.load_model(nets.keras, compile=False)(crop.astype(np.float32) * 2 / 255 - 1).numpy()[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert model.answers(crop)[0] == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 0.05  # an answer that means something


def test_an_answer_is_the_same_to_the_last_bit_in_every_batch_and_order(write_card, nets):
    model = load_model(load_card(write_card(file=str(nets.tflite), temperature=1.3)))
    assert_independent_of_batches(model)


def assert_independent_of_batches(model):
    geometry = model.card.geometry
    shape = (32, geometry.height, geometry.width, geometry.channels)
    noise = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    share = np.linspace(0, 1, 32)[:, None, None, None]
    crops = ((1 - share) * picture(geometry) + share * noise).astype(np.uint8)  # from a face to none
    alone = np.concatenate([model.answers(crop[None]) for crop in crops]).view(np.int32)
    assert len(np.unique(alone, axis=0)) > 16
    for size in (1, 2, 3, 7, 8, 32):
        batches = [model.answers(crops[start : start + size]) for start in range(0, 32, size)]
        assert np.array_equal(np.concatenate(batches).view(np.int32), alone), f"batches of {size}"
    backwards = model.answers(crops[::-1])[::-1]
    assert np.array_equal(np.ascontiguousarray(backwards).view(np.int32), alone)


def test_nothing_is_said_on_opening_a_net_that_is_right(write_card, nets):
    card = write_card(file=str(nets.tflite))
    code = "import sys; from pathlib import Path; from stages.vision.inference import card, load_model; "
    code += "load_model(card.load_card(Path(sys.argv[1])))"
    opened = subprocess.run([sys.executable, "-c", code, str(card)], capture_output=True, text=True)
    assert (opened.returncode, opened.stderr) == (0, "")


def test_what_else_is_said_meanwhile_is_passed_on(capfd):
    with litert.without_greeting():
        os.write(2, b"INFO: Created a delegate.\nERROR: the rest\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "ERROR: the rest\nafterwards\n"


def test_a_crash_while_a_net_is_opened_is_told():
    code = "import faulthandler, os; from stages.vision.inference.litert import without_greeting; faulthandler.enable()"
    crashed = subprocess.run(
        [sys.executable, "-c", f"{code}\nwith without_greeting(): os.abort()"], capture_output=True, text=True
    )
    assert crashed.returncode != 0 and "Fatal Python error: Aborted" in crashed.stderr


def test_a_quantised_net_speaks_in_probabilities(write_card, nets):
    card = load_card(
        write_card(
            file=str(nets.quantised),
            input={"width": 24, "height": 24, "channels": 1, "dtype": "int8"},
            outputs="probabilities",
        )
    )
    row = load_model(card).answers(picture(card.geometry)[None])[0]
    assert row.sum() == pytest.approx(1) and np.ptp(row) > 0.01


def test_a_colour_net_sees_the_channels_in_the_order_of_the_card(write_card, nets):
    colour = {"width": 24, "height": 24, "channels": 3, "range": [-1, 1]}
    keys = {"file": str(nets.colour), "labels": ["man", "woman"]}
    bgr = load_model(load_card(write_card(**keys, input=colour)))
    rgb = load_model(load_card(write_card(**keys, input=colour | {"order": "rgb"})))
    crop = picture(bgr.card.geometry)[None]
    assert np.array_equal(bgr.answers(crop[..., ::-1]), rgb.answers(crop))
    assert not np.array_equal(bgr.answers(crop), rgb.answers(crop))


@pytest.mark.parametrize("content", [b"", b"This is a text.\n" * 9, b"\x1c\x00\x00\x00TFL3" + bytes(100)])
def test_a_file_that_is_no_model_is_one_sentence(write_card, tmp_path, content):
    (tmp_path / "emotion.tflite").write_bytes(content)
    assert_not_a_model(write_card())


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_sentence(write_card, tmp_path, nets, share):
    whole = nets.tflite.read_bytes()
    (tmp_path / "emotion.tflite").write_bytes(whole[: int(len(whole) * share)])
    assert_not_a_model(write_card())


def assert_not_a_model(path):
    with pytest.raises(CardError) as raised:
        load_model(load_card(path))
    assert "emotion.tflite is not a LiteRT model or is damaged (" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_card_that_does_not_fit_its_file_is_one_sentence(write_card, nets):
    with pytest.raises(CardError, match=r"labels are 4, but grey\.tflite gives 3 numbers"):
        load_model(load_card(write_card(file=str(nets.tflite), labels=["a", "b", "c", "d"])))
    with pytest.raises(CardError, match=r"takes 1 x 24 x 24 x 1"):
        load_model(
            load_card(
                write_card(file=str(nets.tflite), input={"width": 32, "height": 24, "channels": 1, "range": [0, 1]})
            )
        )


def test_a_stage_with_a_net_stays_small_and_imports_nothing_heavy(write_card, nets):
    program = """
import json, sys
from pathlib import Path
from stages.vision.inference import load_model
from stages.vision.inference.answers import answer
from stages.vision.inference.card import load_card
from stages.vision.inference.golden import picture

card = load_card(Path(sys.argv[1]))
model = load_model(card)
label = answer(card, model.answers(picture(card.geometry)[None])[0]).label
heavy = sorted({"cv2", "tensorflow", "keras", "h5py"} & sys.modules.keys())
import psutil
print(json.dumps({"label": label, "heavy": heavy, "resident_mb": psutil.Process().memory_info().rss / 1e6}))
"""
    project = Path(__file__).resolve().parents[3]
    card = write_card(file=str(nets.tflite))
    run = subprocess.run(
        [sys.executable, "-c", program, str(card)], cwd=project, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    assert found["label"] in ("angry", "happy", "neutral")
    assert found["heavy"] == []
    assert found["resident_mb"] < LARGEST_RESIDENT_MB
