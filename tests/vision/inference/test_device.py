"""Where a net runs: on the processor, or on a GPU where there is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stages.attribute import about_device
from stages.vision.inference import keras, load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.golden import picture

PROJECT = Path(__file__).resolve().parents[3]
CHROMIUM = Path("/usr/lib/chromium")  # brings a GPU that is a program, SwiftShader, and what it takes to find it


def bits(model) -> bytes:
    crops = np.random.default_rng(3).integers(0, 256, (8, *picture(model.card.geometry).shape), dtype=np.uint8)
    return model.answers(crops).tobytes()


@pytest.mark.parametrize("kind", ["tflite", "keras", "saved_model"])
def test_without_a_gpu_every_device_gives_the_same_bits_and_gpu_says_why(write_card, nets, kind):
    card = load_card(write_card(file=str(getattr(nets, kind))))
    models = {device: load_model(card, device) for device in ("cpu", "auto", "gpu")}
    if models["gpu"].gpu:
        pytest.skip("there is a GPU here")
    assert bits(models["cpu"]) == bits(models["auto"]) == bits(models["gpu"])
    said = {device: about_device("emotion", device, model) for device, model in models.items()}
    why = "LiteRT finds no GPU (it looks for one through Vulkan)" if kind == "tflite" else "TensorFlow sees no GPU"
    assert said == {"cpu": None, "auto": None, "gpu": f"emotion runs on the processor and not on a GPU: {why}"}


def test_a_quantised_net_stays_on_the_processor(write_card, nets):
    values = {"width": 24, "height": 24, "channels": 1, "dtype": "int8"}
    card = load_card(write_card(file=str(nets.quantised), outputs="probabilities", input=values))
    model = load_model(card, "gpu")
    assert (model.gpu, model.no_gpu) == (None, "quantised.tflite is quantised")


COMPARED = """
import sys
from pathlib import Path
import numpy as np
from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.golden import picture
card = load_card(Path(sys.argv[1]))
models = [load_model(card, device) for device in ("cpu", "gpu")]
crops = np.stack([picture(card.geometry), picture(card.geometry)[:, ::-1]])
here, there = (model.answers(crops) for model in models)
same = np.array_equal(there, models[1].answers(crops))
print(models[1].gpu, float(abs(here - there).max()), float(np.ptp(here)), same)
"""


@pytest.mark.skipif(not (CHROMIUM / "libvk_swiftshader.so").exists(), reason="needs the SwiftShader of Chromium")
def test_on_a_gpu_a_tflite_answers_as_on_the_processor(tmp_path):
    (tmp_path / "libvulkan.so.1").symlink_to(CHROMIUM / "libvulkan.so.1")
    places = {"LD_LIBRARY_PATH": str(tmp_path), "VK_ICD_FILENAMES": str(CHROMIUM / "vk_swiftshader_icd.json")}
    ran = subprocess.run(
        [sys.executable, "-c", COMPARED, str(PROJECT / "models/gender-small.yaml")],
        cwd=PROJECT, env=places, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    *name, difference, spread, is_same_again = ran.stdout.splitlines()[-1].split()  # LiteRT prints, too.
    assert " ".join(name) == "through LiteRT's WebGPU"
    assert float(difference) < 1e-5 < 0.1 < float(spread)
    assert is_same_again == "True"


def test_tensorflow_is_told_to_share_a_gpu_and_to_answer_the_same_every_time():
    told = []
    experimental = SimpleNamespace(
        set_memory_growth=lambda gpu, grows: told.append((gpu, grows)),
        enable_op_determinism=lambda: told.append("the same every time"),
        enable_tensor_float_32_execution=lambda wanted: told.append(("shortened numbers", wanted)),
    )
    tf = SimpleNamespace(config=SimpleNamespace(experimental=experimental))
    keras._prepare(tf, [])
    assert told == []
    keras._prepare(tf, ["one", "two"])
    assert told == [("one", True), ("two", True), "the same every time", ("shortened numbers", False)]


def test_the_gpu_that_is_used_is_named():
    assert about_device("age", "auto", SimpleNamespace(gpu="NVIDIA T4", no_gpu=None)) == "age runs on a GPU, NVIDIA T4"
