"""What one way of storing a net costs and gives."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from stages.vision.inference import load_model
from stages.vision.inference.card import load_card
from stages.vision.inference.litert import without_greeting


def stored(path: Path, crops: np.ndarray, truth: np.ndarray, is_int8: bool) -> dict[str, float]:
    """Figures of a card's file on faces: how right or how many years off, ms of a processor a face, size in MB.

    Of an int8 file that cannot be run, the size alone.
    """
    size = {"MB": round(load_card(path).file.stat().st_size / 1e6, 2)}
    found = apart(measured, path, crops, truth) if is_int8 else measured(path, crops, truth)
    return (found or {}) | size


def apart(work: Callable, *arguments):
    """What `work` returns, in a process of its own; None if that does not survive it.

    LiteRT 2.3 ends a process, by a double free, that opens an int8 file with a step so large that its kernels do not
    take it.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenProcessPool:
            return None


def mean_outputs(content: bytes, crops: np.ndarray) -> np.ndarray:
    """What an int8 .tflite says on average of crops uint8 (N, H, W, C): float64 (L,)."""
    with without_greeting():
        net = Interpreter(model_content=content, num_threads=1)
        net.allocate_tensors()
    given, said = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]
    total = 0.0
    for crop in (crops.astype(np.int16) - 128).astype(np.int8):
        net.set_tensor(given, crop[None])
        net.invoke()
        total = total + net.get_tensor(said)[0].astype(np.float64)
    return total / len(crops)


def measured(path: Path, crops: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    model = load_model(load_card(path))
    started = time.process_time()
    answers = model.answers(crops)
    milliseconds = {"ms a face": round(1000 * (time.process_time() - started) / len(crops), 2)}
    if model.card.task == "age":
        return {"years off": round(float(np.abs(answers[:, 0] - truth).mean()), 3), **milliseconds}
    return {"accuracy": round(float((answers.argmax(axis=1) == truth).mean()), 4), **milliseconds}
