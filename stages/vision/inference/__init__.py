"""Runs the nets: a model card in, a batch of crops in, answers out. Which runtime: by the kind of the file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .card import Card
    from .model import Model, Net

# A new runtime is one module with `open_net(card, device) -> Net`, and its line here.
RUNTIMES = {
    ".tflite": ".litert",
    ".onnx": ".onnx",
    ".keras": ".keras",
    ".h5": ".keras",
    ".hdf5": ".keras",
    "SavedModel folder": ".keras",
}


def load_model(card: Card, device: str = "cpu") -> Model:
    """Open the model of a card and check everything that the card says of it; CardError if something is not so.

    `device`: `cpu`, `gpu` or `auto`; where there is no GPU for it the model runs on the processor and says why.
    """
    from .model import Model, check_file, check_model

    check_file(card)
    net = open_net(card, device)
    model = Model(card, net)
    check_model(model, net)
    return model


def check_unopened(card: Card) -> None:
    """Check all that can be checked of a card and its file without a runtime; CardError if something is not so."""
    from .model import check_file, check_kind

    check_file(card)
    if runtime_of(card) == ".onnx":  # It has no bytes to be known by, but says what it takes and gives.
        from .onnx_file import inspect
        from .onnx_runtime import require_runtime

        require_runtime(card)
        inspect(card)
    else:
        check_kind(card)


def open_net(card: Card, device: str = "cpu") -> Net:
    """Open the file of a card in its runtime, and check nothing else of it."""
    return importlib.import_module(runtime_of(card), __package__).open_net(card, device)


def runtime_of(card: Card) -> str:
    """The module of this package that opens the file of a card; CardError if there is none for it."""
    from .fields import CardError

    kind = "SavedModel folder" if (card.file / "saved_model.pb").is_file() else card.file.suffix.lower()
    if kind not in RUNTIMES:
        raise CardError(
            f"{card.path}: file is {card.file.name}, of no known kind; give a file of one of {', '.join(RUNTIMES)}."
        )
    return RUNTIMES[kind]
