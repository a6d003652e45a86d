"""Which model it is: hashes by which two hosts can compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...errors import way_out
from .card import Card
from .fields import CardError, require_file
from .onnx_runtime import chosen_runtime

LARGEST_BYTES = 2_000_000_000  # what a .tflite can have at most; a net for faces has a hundredth


def card_hash(card: Card) -> str:
    """Hex SHA-256 over everything that changes answers, so that two hosts can compare their models.

    Without `sha256` in the card the file itself is read; CardError if it is not there.
    """
    meaning = {
        "weights": card.sha256 or file_sha256(card),
        "task": card.task,
        "input": [card.input.dtype, card.input.order, card.input.scale, card.input.offset],
        "crop": [card.geometry.width, card.geometry.height, card.geometry.channels, card.geometry.scale],
        "outputs": card.outputs,
        "labels": card.labels,
        "keep": card.keep,
        "temperature": card.temperature,
    }
    # Each only where a card has it: the hashes of all other cards stay what they are.
    if card.groups:
        meaning["groups"] = card.groups
    if card.input.layout != "nhwc":
        meaning["layout"] = card.input.layout
    if card.output_name is not None:
        meaning["output_name"] = card.output_name
    if card.file.suffix.lower() == ".onnx":
        meaning["runtime"] = chosen_runtime(card)  # They differ in the last digits.
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def file_sha256(card: Card) -> str:
    """Hex SHA-256 of the weights; of a folder: of its files' relative paths and SHA-256s, in the order of the paths."""
    try:
        if not card.file.exists():
            raise CardError(f"{card.path}: file names {card.file}, which does not exist; put the model there.")
        if not card.file.is_dir():
            require_file(card.file)
            _refuse_huge(card)
            return _digest(card.file)
        if not (
            card.file / "saved_model.pb"
        ).is_file():  # Before it is read, which would take minutes of a home folder.
            raise CardError(
                f"{card.path}: file names {card.file}, a folder that is no SavedModel; put the right file there."
            )
        paths = sorted((p.relative_to(card.file).as_posix(), p) for p in card.file.rglob("*") if p.is_file())
        return hashlib.sha256("".join(f"{_digest(p)}  {name}\n" for name, p in paths).encode()).hexdigest()
    except OSError as error:
        raise cannot_read(card, error) from error


def cannot_read(card: Card, error: OSError) -> CardError:
    """The sentence for a model that the operating system does not give."""
    return CardError(
        f"{card.path}: {card.file} cannot be read: {error.strerror}; {way_out(error, 'put the right file there')}."
    )


def _refuse_huge(card: Card) -> None:
    """Before it is read to its end."""
    if (size := card.file.stat().st_size) > LARGEST_BYTES:
        raise CardError(
            f"{card.path}: {card.file} has {size / 1e9:,.1f} GB, and no more than {LARGEST_BYTES / 1e9:.0f} are read;"
            " put the right file there."
        )


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
