"""Cards written for one test each, and small nets made once per session where TensorFlow is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

EMOTION = {
    "name": "emotion",
    "file": "emotion.tflite",
    "task": "classes",
    "input": {"width": 24, "height": 24, "channels": 1, "range": [-1, 1]},
    "outputs": "logits",
    "labels": ["angry", "happy", "neutral"],
}
AGE = EMOTION | {"name": "age", "file": "age.tflite", "task": "age", "labels": list(range(0, 100, 10))}


@pytest.fixture
def write_card(tmp_path) -> Callable[..., Path]:
    """Write a card: the keys of EMOTION or another base with changes; a key that is changed to ... is left out."""

    def write(base: dict = EMOTION, **changes) -> Path:
        keys = {key: value for key, value in (base | changes).items() if value is not ...}
        path = tmp_path / f"{base['name']}.yaml"
        path.write_text(yaml.safe_dump(keys, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def nets(tmp_path_factory) -> SimpleNamespace:
    """One small net (24 x 24 grey to 3 logits) as .tflite, .keras, .h5 and SavedModel; a quantised and a colour one.

    `two`: kind -> a net with two outputs, the second of which is the first with the opposite sign.
    """
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip(f"Keras runs on {keras.backend.backend()}; these files are written by TensorFlow")
    folder = tmp_path_factory.mktemp("nets")
    keras.utils.set_random_seed(7)
    layers = keras.layers
    grey = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.SeparableConv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(stddev=5)),
        ]
    )
    quantised = keras.Sequential([keras.Input((24, 24, 1)), layers.Flatten(), layers.Dense(3), layers.Softmax()])
    colour = keras.Sequential([keras.Input((24, 24, 3)), layers.Conv2D(2, 24, name="same"), layers.Flatten()])
    found = SimpleNamespace(
        tflite=folder / "grey.tflite",
        keras=folder / "grey.keras",
        h5=folder / "grey.h5",
        saved_model=folder / "grey",
        quantised=folder / "quantised.tflite",
        colour=folder / "colour.tflite",
        two={"tflite": folder / "two.tflite", "keras": folder / "two.keras", "saved_model": folder / "two"},
    )
    grey.save(found.keras)
    grey.save(found.h5)
    grey.export(found.saved_model, verbose=False)
    first = grey(picture := keras.Input((24, 24, 1)))
    two = keras.Model(picture, [first, layers.Rescaling(-1, name="opposite")(first)])
    two.save(found.two["keras"])
    two.export(found.two["saved_model"], verbose=False)
    found.two["tflite"].write_bytes(tf.lite.TFLiteConverter.from_keras_model(two).convert())
    found.tflite.write_bytes(tf.lite.TFLiteConverter.from_keras_model(grey).convert())
    found.colour.write_bytes(tf.lite.TFLiteConverter.from_keras_model(colour).convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(quantised)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    noise = np.random.default_rng(0).uniform(-1, 1, (8, 1, 24, 24, 1)).astype(np.float32)
    converter.representative_dataset = lambda: (
        [picture] for picture in [*noise, -np.ones_like(noise[0]), noise[0] * 0 + 1]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    found.quantised.write_bytes(converter.convert())
    return found
