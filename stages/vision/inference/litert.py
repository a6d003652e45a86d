"""Runs .tflite files with LiteRT on one thread."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import tempfile
from collections.abc import Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from .card import Card, chosen_output
from .fields import CardError


def open_net(card: Card, device: str = "cpu") -> LiteRtNet:
    """CardError if the file is not a model, or not one of pictures.

    `auto` is the processor too: on nets of this size it is faster than the way to a GPU and back.
    """
    net = LiteRtNet(card, interpreter_of(card))
    if device == "gpu":
        net.move_to_gpu(card)
    return net


def interpreter_of(card: Card) -> Interpreter:
    """LiteRT with the card's file in it; CardError if that is not a model."""
    try:
        with without_greeting():
            # One thread means no thread pool: the stages are processes already, and sums keep their order.
            interpreter = Interpreter(model_path=str(card.file), num_threads=1)
            interpreter.allocate_tensors()
            return interpreter
    except (ValueError, RuntimeError) as error:
        raise CardError(
            f"{card.path}: {card.file} is not a LiteRT model or is damaged ({' '.join(str(error).split())});"
            " put the right file there."
        ) from error


@contextlib.contextmanager
def without_greeting() -> Iterator[None]:
    """Passes on to standard error all but LiteRT's lines that begin with INFO, for which it has no switch."""
    with contextlib.ExitStack() as opened:
        try:
            heard = opened.enter_context(tempfile.TemporaryFile())
            stderr = os.dup(2)
        except OSError:
            yield  # Nowhere to put it meanwhile, or no standard error to be kept clean.
            return
        opened.callback(os.close, stderr)
        os.dup2(heard.fileno(), 2)
        if crashes := faulthandler.is_enabled():
            faulthandler.enable(stderr)  # A crash in here never comes to the passing on.
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            if crashes:
                faulthandler.enable(2)
            heard.seek(0)
            for line in heard:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


class LiteRtNet:
    """A net of one picture in and one of its outputs out."""

    gpu: str | None = None
    no_gpu: str | None = None

    def __init__(self, card: Card, interpreter: Interpreter):
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1:
            raise CardError(
                f"{card.path}: {card.file.name} has {len(inputs)} inputs; export a model with one, a picture."
            )
        outputs = [outputs[chosen_output(card, [one["name"] for one in outputs])]]
        self.input_shape = tuple(int(side) for side in inputs[0]["shape"])
        self.input_dtype = np.dtype(inputs[0]["dtype"]).name
        self._interpreter, self._input, self._output = interpreter, inputs[0]["index"], outputs[0]["index"]
        self._output_scale, self._output_zero = outputs[0]["quantization"]  # 0.0 and 0 where it is not quantised
        self._is_float = {np.dtype(one[0]["dtype"]) for one in (inputs, outputs)} == {np.dtype(np.float32)}
        self._output_count = int(np.prod(outputs[0]["shape"]))

    def move_to_gpu(self, card: Card) -> None:
        """Run there from now on, or say in `no_gpu` why not."""
        if not self._is_float:
            self.no_gpu = f"{card.file.name} is quantised"
            return
        from .litert_gpu import LiteRtGpu, NoGpu

        try:
            with without_greeting():
                self.run = LiteRtGpu(card.file, self._output_count).run
            self.gpu = "through LiteRT's WebGPU"
        except NoGpu as why:
            self.no_gpu = str(why)

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (L,) for one preprocessed face (1, H, W, C)."""
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()
        outputs = self._interpreter.get_tensor(self._output).ravel()
        if self._output_scale:
            return (outputs.astype(np.float32) - self._output_zero) * np.float32(self._output_scale)
        return outputs.astype(np.float32)
