"""Runs .onnx files on one thread, with onnxruntime or OpenCV's dnn."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from ...dependencies import installs
from .card import Card, input_shape
from .fields import CardError
from .onnx_file import Declared, inspect, of_fixed_size
from .onnx_runtime import chosen_runtime, is_installed, require_runtime

_CPU = "CPUExecutionProvider"
_CUDA = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default measures, and may choose otherwise the next time
    "use_tf32": "0",  # shortened numbers are not what the card was measured with
}
_GPUS = {  # provider -> its name for a person, its options
    "CUDAExecutionProvider": ("through onnxruntime's CUDA", _CUDA),
    "OpenVINOExecutionProvider": ("through onnxruntime's OpenVINO", {"device_type": "GPU"}),
}


def open_net(card: Card, device: str = "cpu") -> OnnxRuntimeNet | OpenCvNet:
    """CardError if the file is not a model, or not one of pictures, or if its runtime cannot run it.

    `auto` is the processor too: on nets of this size it is faster than the way to a GPU and back.
    """
    require_runtime(card)
    declared = inspect(card)  # Before a runtime: a wrong file is said at once, and nothing of it is run.
    net = OnnxRuntimeNet if chosen_runtime(card) == "onnxruntime" else OpenCvNet
    return net(card, declared, device)


class OnnxRuntimeNet:
    """A net in onnxruntime: one picture in, one of its outputs out."""

    gpu: str | None = None
    no_gpu: str | None = None

    def __init__(self, card: Card, declared: Declared, device: str):
        self.input_shape, self.input_dtype = declared.input_shape, declared.input_dtype
        self._card, self._dtype = card, np.dtype(declared.input.dtype)
        self._input, self._output = declared.input.name, [declared.output.name]
        try:
            self._session = self._opened(declared.file.content, device)
        except Exception as error:  # noqa: BLE001  Its classes have no base of their own; all of it is about this file.
            raise _cannot_run(card, "onnxruntime", error) from error

    def _opened(self, content: bytes, device: str):
        on_gpu = self._on_gpu(content) if device == "gpu" else None
        return on_gpu or _session(content, _CPU)

    def _on_gpu(self, content: bytes):
        """A session on a GPU; where there is none, None, and `no_gpu` says why."""
        there = _onnxruntime().get_available_providers()
        gpu = next((name for name in _GPUS if name in there), None)
        if gpu is None:
            self.no_gpu = "this onnxruntime is without CUDA and OpenVINO"
            return None
        said, options = _GPUS[gpu]
        with contextlib.suppress(Exception):  # Whatever it is, the processor is still there.
            session = _session(content, (gpu, options), _CPU)
            if session.get_providers()[0] == gpu:  # A provider that finds no device is left out.
                self.gpu = said
                return session
        self.no_gpu = f"onnxruntime's {gpu} finds none that it can use"
        return None

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (L,) for one preprocessed face, as `preprocess` gives it."""
        try:
            (outputs,) = self._session.run(self._output, {self._input: values.astype(self._dtype, copy=False)})
        except Exception as error:  # noqa: BLE001  As above.
            raise _cannot_run(self._card, "onnxruntime", error) from error
        return outputs.astype(np.float32).ravel()


def _onnxruntime() -> ModuleType:
    # It writes an identifier of the device into the home folder and sends events to its makers, unless it is told
    # before it is imported: afterwards its own switch comes too late.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _session(content: bytes, *providers):
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    # One thread means no thread pool: the stages are processes already, and sums keep their order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # What is wrong comes as an error too.
    # Its fallback prints, and says nothing that the error does not.
    return onnxruntime.InferenceSession(content, options, list(providers), enable_fallback=0)


class OpenCvNet:
    """A net in OpenCV's dnn: one picture in, one of its outputs out. All its numbers are float32."""

    gpu: str | None = None
    no_gpu: str | None = None

    def __init__(self, card: Card, declared: Declared, device: str):
        import cv2

        self.input_shape, self.input_dtype = declared.input_shape, declared.input_dtype
        self.no_gpu = "OpenCV's dnn is used on the processor only" if device == "gpu" else None
        self._card, self._output, self._cv2 = card, declared.output.name, cv2
        cv2.setNumThreads(1)  # As with onnxruntime.
        try:
            with _silent(cv2):
                self._net = cv2.dnn.readNetFromONNX(np.frombuffer(of_fixed_size(declared, input_shape(card)), np.uint8))
        except cv2.error as error:
            raise _cannot_run(card, "OpenCV's dnn", error) from error

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (L,) for one preprocessed face, as `preprocess` gives it."""
        try:
            with _silent(self._cv2):
                self._net.setInput(values.astype(np.float32, copy=False))
                return self._net.forward(self._output).astype(np.float32).ravel()
        except self._cv2.error as error:
            raise _cannot_run(self._card, "OpenCV's dnn", error) from error


@contextlib.contextmanager
def _silent(cv2) -> Iterator[None]:
    """What OpenCV logs about a file that it cannot read is in its error as well."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _cannot_run(card: Card, runtime: str, error: Exception) -> CardError:
    other = "export it again, or put the right file there"
    if runtime != "onnxruntime" and not is_installed():
        other = f"install onnxruntime, which has more operations, with {installs('onnx')}"
    elif runtime != "onnxruntime":
        other = "write runtime: onnxruntime"
    return CardError(f"{card.path}: {card.file} cannot be run by {runtime} ({_reason(error)}); {other}.")


def _reason(error: Exception) -> str:
    """The innermost of the reasons that OpenCV nests, without places in source code; at most 200 characters."""
    words = " ".join(str(error).split())
    words = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", words)
    words = re.sub(r"/onnxruntime_src/\S+:\d+ [^(]*\([^()]*(\([^()]*\)[^()]*)*\) ", "", words)
    words = re.sub(r" ?in function '[^']*'[ >]*", " ", words.rsplit(" error: ", 1)[-1])
    words = re.sub(r"^\(-\d+:[^)]*\) ", "", words).strip(" .")
    return words if len(words) <= 200 else words[:197] + "..."
