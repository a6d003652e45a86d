"""Runs Keras files and SavedModel folders with TensorFlow, which is imported here and nowhere else among the stages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import numpy as np

from ...dependencies import installs
from .card import Card, chosen_output, input_shape
from .fields import CardError
from .keras_file import Stored, inspect, refusal


def open_net(card: Card, device: str = "cpu") -> KerasNet:
    """Runs on a GPU, where TensorFlow sees one and `device` is not `cpu`.

    CardError if TensorFlow is missing, or the file is not a model, or not one of pictures.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise CardError(
            f"{card.path}: {card.file.name} is a Keras model, which needs TensorFlow; install it with"
            f" {installs('keras')}."
        )
    if card.file.is_dir():
        tf = _tensorflow(device)
        net = _of_saved_model(card, tf)
    else:
        stored = inspect(card)  # Before TensorFlow: a wrong file is said at once, and nothing of it is run.
        tf = _tensorflow(device)
        net = _of_keras(card, stored, tf)
    net.gpu = _gpu(tf) if device != "cpu" else None
    net.no_gpu = None if net.gpu else "TensorFlow sees no GPU"
    return net


class KerasNet:
    """A net of one picture in and one of its outputs out, compiled for one face a call.

    A compiled function, and never `predict`, which takes thirty times as long for one face.
    """

    gpu: str | None = None
    no_gpu: str | None = None

    def __init__(self, input_shape: tuple, input_dtype: str, function: Callable):
        self.input_shape, self.input_dtype, self._function = input_shape, input_dtype, function

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (L,) for one preprocessed face (1, H, W, C)."""
        return self._function(values).numpy().astype(np.float32).ravel()


def _of_keras(card: Card, stored: Stored, tf) -> KerasNet:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise CardError(f"{card.path}: Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow.")
    try:
        model = keras.saving.load_model(card.file, compile=False, safe_mode=not card.runs_code)
        inputs = model.inputs
        names = getattr(model, "output_names", None) or [output.name for output in model.outputs]
    except Exception as error:  # noqa: BLE001  Keras raises whatever its layers raise; all of it is about this file.
        raise refusal(card, stored, keras.__version__, error) from error
    _check_single(card, len(inputs))
    chosen = chosen_output(card, list(names))
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype

    def function(values):
        return keras.tree.flatten(model(values, training=False))[chosen]

    return KerasNet(shape, dtype, _compiled(card, tf, function, shape, dtype))


def _of_saved_model(card: Card, tf) -> KerasNet:
    try:
        model = tf.saved_model.load(str(card.file))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise CardError(
            f"{card.path}: {card.file} is not a SavedModel or is damaged ({' '.join(str(error).split())[:200]});"
            " put the right folder there."
        ) from error
    signature = model.signatures.get("serving_default")
    if signature is None:
        raise CardError(
            f"{card.path}: {card.file} has no signature serving_default; save it with model.export, or give it one."
        )
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    _check_single(card, len(inputs))
    (name, spec), names = next(iter(inputs.items())), list(outputs)
    output = names[chosen_output(card, names)]
    shape = tuple(spec.shape) if spec.shape.rank is not None else (None,) * 4

    def function(values):
        return signature(**{name: values})[output]

    return KerasNet(shape, spec.dtype.name, _compiled(card, tf, function, shape, spec.dtype.name))


def _compiled(card: Card, tf, function: Callable, shape: tuple, dtype: str) -> Callable:
    """The function traced once, for one face; where the file leaves its size open, the card says it."""
    of_the_card = input_shape(card)
    if len(shape) == 4:
        shape = tuple(card_side if side is None else side for side, card_side in zip(shape, of_the_card, strict=True))
    try:
        signature = [tf.TensorSpec(shape, dtype)]
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise CardError(
            f"{card.path}: {card.file.name} cannot take crops of {' x '.join(map(str, of_the_card[1:]))}"
            f" ({card.input.layout[1:]}): {' '.join(str(error).split())[:200]}; write the input that it takes."
        ) from error


def _check_single(card: Card, inputs: int) -> None:
    if inputs != 1:
        raise CardError(f"{card.path}: {card.file.name} has {inputs} inputs; export a model with one, a picture.")


def _tensorflow(device: str):
    """TensorFlow on one thread of the processor, or on a GPU: answers must not depend on how a sum was shared out."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return tf  # TensorFlow is at work already, in training: there all of this is the trainer's to choose.
    if device != "cpu":
        _prepare(tf, tf.config.list_physical_devices("GPU"))
    return tf


def _prepare(tf, gpus: list) -> None:
    """Let several processes share a GPU, and each answer the same every time, and nearly what a processor would."""
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)  # Else the first one would take all of its memory.
    if gpus:
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)


def _gpu(tf) -> str | None:
    """The name of the GPU that TensorFlow computes on; None: on the processor."""
    gpus = tf.config.get_visible_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name) if gpus else None
