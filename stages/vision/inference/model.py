"""A loaded model: a batch of crops in, answers out. It is checked before anybody gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ...protocol import limits
from .answers import row_of
from .card import Card, input_shape
from .digest import cannot_read, file_sha256
from .fields import CardError
from .golden import picture

_HEAD_BYTES = 8192
_HDF5 = [(b"\x89HDF\r\n\x1a\n", place) for place in (0, 512, 1024, 2048, 4096)]
_BEGINNINGS = {".tflite": [(b"TFL3", 4)], ".keras": [(b"PK", 0)], ".h5": _HDF5, ".hdf5": _HDF5}


class Net(Protocol):
    """What a runtime's adapter makes of a file."""

    input_shape: tuple[int | None, ...]  # (N, H, W, C) or (N, C, H, W), as the file has it; None where it takes any
    input_dtype: str
    gpu: str | None  # the GPU that it runs on, in words; None: on the processor
    no_gpu: str | None  # why not, where a GPU was asked for

    def run(self, values: np.ndarray) -> np.ndarray:
        """The outputs, float32 (L,), for one preprocessed face, as `preprocess` gives it."""


class Model:
    """Answers for faces, as the card says."""

    def __init__(self, card: Card, net: Net):
        self.card = card
        self.gpu, self.no_gpu = net.gpu, net.no_gpu
        self._net = net

    def answers(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, C) crops of the card's geometry -> float32 (N, K), what `card.shown` names; N may be 0.

        The faces run one by one, and the bits of an answer cannot depend on a batch that there is not. On one thread a
        batch of 8 was no faster with mini-Xception (0.78 ms a face, 0.77 alone) and a tenth faster with int8 nets of
        ours (0.70 and 0.76), which is not worth a second interpreter. CardError if the net gives numbers that are not
        finite.
        """
        rows = np.empty((len(crops), len(self.card.shown)), dtype=np.float32)
        for i, values in enumerate(preprocess(self.card, crops)):
            rows[i] = row_of(self.card, self.outputs(values[None]))
        return rows

    def outputs(self, values: np.ndarray) -> np.ndarray:
        """What the net itself says, float32 (L,), about one preprocessed face, as `preprocess` gives it."""
        outputs = self._net.run(values)
        if not np.isfinite(outputs).all():
            raise CardError(
                f"{self.card.path}: {self.card.file} gives numbers that are not finite; train or export it again."
            )
        return outputs


def rows_of(model: Model, crops: np.ndarray, heartbeat: Callable[[], None] = lambda: None) -> np.ndarray:
    """Answers float32 (N, K), in the meaning of the card, about crops uint8 (N, H, W, C), N at least 1.

    In between it calls `heartbeat`.
    """
    parts = []
    for first in range(0, len(crops), limits.BATCH_FACES):
        heartbeat()  # One frame may have hundreds of faces.
        parts.append(model.answers(crops[first : first + limits.BATCH_FACES]))
    rows = np.concatenate(parts)
    if not np.isfinite(rows).all():  # Render would refuse it, and this process with it.
        raise ValueError("the model answered with something that is not a number")
    return rows


def check_file(card: Card) -> None:
    """That the file is there and is the one that the card means; CardError if not."""
    found = file_sha256(card)
    if card.sha256 is not None and found != card.sha256:
        raise CardError(
            f"{card.path}: sha256 is {card.sha256[:12]}…, but {card.file} has {found[:12]}…; put the file there that"
            " belongs to this card, or the card that belongs to the file."
        )


def check_kind(card: Card) -> None:
    """That a file that is not opened begins as those of its kind do; CardError if not."""
    begins = _BEGINNINGS.get(card.file.suffix.lower())
    if begins is None or (card.file / "saved_model.pb").is_file():
        return
    try:
        with open(card.file, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise cannot_read(card, error) from error
    if not any(head.startswith(word, place) for word, place in begins):
        raise CardError(
            f"{card.path}: {card.file} is no {card.file.suffix} file, or is damaged; put the right file there."
        )


def check_model(model: Model, net: Net) -> None:
    """That the net is what the card says, and answers the test picture as it should; CardError if not."""
    card = model.card
    check_input(card, net.input_shape, net.input_dtype)
    crop = picture(card.geometry)[None]
    _check_outputs(card, model.outputs(preprocess(card, crop)))
    if card.golden is not None:
        _check_golden(card, model.answers(crop)[0])


def check_input(card: Card, shape: tuple[int | None, ...], dtype: str) -> None:
    """That a net with this input, in `Net`'s words, takes what the card gives it; CardError if not."""
    expected = input_shape(card)
    axes = "channels, height, width" if card.input.layout == "nchw" else "height, width, channels"
    if len(shape) != 4 or any(found not in (None, due) for found, due in zip(shape, expected, strict=True)):
        raise CardError(
            f"{card.path}: input is {_shape(expected)}, but {card.file.name} takes {_shape(shape)} (faces at a time,"
            f" {axes}); write what it takes, or export it so."
        )
    if dtype != card.input.dtype:
        raise CardError(
            f"{card.path}: input.dtype is {card.input.dtype}, but {card.file.name} takes {dtype}; write that."
        )


def _check_outputs(card: Card, outputs: np.ndarray) -> None:
    allowed = {"classes": {len(card.labels)} | ({1} if len(card.labels) == 2 else set()), "age": {len(card.labels)}}
    due = len(card.shown)
    if len(outputs) not in allowed.get(card.task, {due}):
        counted = f"{due} output{'s' * (due != 1)}"
        said = f"labels are {len(card.labels)}" if card.labels else f"task is {card.task}, which has {counted}"
        raise CardError(
            f"{card.path}: {said}, but {card.file.name} gives {len(outputs)} numbers a face; write labels that fit."
        )
    if not card.labels or len(outputs) == 1 and card.outputs == "logits":
        return
    total = outputs.sum() if len(outputs) > 1 else 1.0
    in_range = outputs.min() >= -1e-3 and outputs.max() <= 1.001
    if card.outputs == "probabilities" and not (in_range and abs(total - 1) < 0.05):
        raise CardError(
            f"{card.path}: outputs are probabilities, but those of {card.file.name} are none; write outputs: logits."
        )
    if card.outputs == "logits" and in_range and abs(total - 1) < 1e-5:
        raise CardError(
            f"{card.path}: outputs are logits, but those of {card.file.name} are probabilities (their sum is 1);"
            " write outputs: probabilities."
        )


def _check_golden(card: Card, row: np.ndarray) -> None:
    difference = float(np.abs(row - np.array(card.golden.scores)).max())
    if difference > card.golden.tolerance:
        raise CardError(
            f"{card.path}: {card.file.name} answers {[round(float(v), 4) for v in row]} to the test picture, which is"
            f" {difference:.4f} away from golden.scores and not within {card.golden.tolerance}; the file, input,"
            " outputs or temperature differ from when the card was written."
        )


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)


def preprocess(card: Card, crops: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) BGR or grey crops of the card's geometry -> what its net takes.

    That is of its dtype, with colours in its order, (N, H, W, C) or, with layout nchw, (N, C, H, W).
    """
    expected = (card.geometry.height, card.geometry.width, card.geometry.channels)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != expected:
        raise ValueError(
            f"{card.name} takes crops uint8 (N, {', '.join(map(str, expected))}), not {crops.dtype} {crops.shape}"
        )
    if card.input.order == "rgb":
        crops = crops[..., ::-1]
    values = _scaled(card, crops)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if card.input.layout == "nchw" else values)


def _scaled(card: Card, crops: np.ndarray) -> np.ndarray:
    if card.input.dtype == "uint8":
        return crops
    if card.input.dtype == "int8":
        return (crops.astype(np.int16) - 128).astype(np.int8)
    scale, offset = np.array([card.input.scale, card.input.offset], dtype=np.float32)
    return crops.astype(np.float32, order="C") * scale + offset
