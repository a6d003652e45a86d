"""Runs .tflite files on a GPU, through LiteRT's WebGPU accelerator, which speaks Vulkan (Metal, Direct3D) to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import GpuOptions, Options


class NoGpu(Exception):
    """There is no GPU for this net, and why, in a few words."""


class LiteRtGpu:
    """A net with one input and one output of float32, all of it on the GPU."""

    def __init__(self, file: Path, outputs: int):
        """Compile `file`, whose net gives so many numbers; raises `NoGpu`."""
        # Half precision, which is a GPU's own choice, is not what the card was measured with.
        options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        try:
            self._model = CompiledModel.from_file(str(file), options=options)
        except RuntimeError:  # Its words are LiteRT's source lines; the log has what the accelerator said.
            raise NoGpu("LiteRT finds no GPU (it looks for one through Vulkan)") from None
        if not self._model.is_fully_accelerated():
            raise NoGpu("LiteRT has not all of this net's operations for GPUs")
        self._inputs, self._outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        self._count = outputs

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (L,) for one preprocessed face, float32 (1, H, W, C)."""
        self._inputs[0].write(values.ravel())
        self._model.run_by_index(0, self._inputs, self._outputs)
        return self._outputs[0].read(self._count, np.float32)
