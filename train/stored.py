"""What one way of storing a net costs and gives."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from stages.inference import load_model
from stages.inference.card import load_card


def stored(path: Path, crops: np.ndarray, truth: np.ndarray, apart: bool) -> dict[str, float]:
    """Figures of a card's file on faces: how right or how many years off, ms of a processor a face, size in MB.

    `apart`: in a process of its own, and the size alone if that does not survive it. LiteRT 2.3 ends a process, by a
    double free, that opens an int8 file with a step so large that its kernels do not take it.
    """
    size = {"MB": round(load_card(path).file.stat().st_size / 1e6, 2)}
    if not apart:
        return measured(path, crops, truth) | size
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measured, path, crops, truth).result() | size
        except BrokenProcessPool:
            return size


def measured(path: Path, crops: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    model = load_model(load_card(path))
    started = time.process_time()
    answers = model.answers(crops)
    milliseconds = {"ms a face": round(1000 * (time.process_time() - started) / len(crops), 2)}
    if model.card.task == "age":
        return {"years off": round(float(np.abs(answers[:, 0] - truth).mean()), 3), **milliseconds}
    return {"accuracy": round(float((answers.argmax(axis=1) == truth).mean()), 4), **milliseconds}
