"""From crops to the numbers that a net takes, by the card: the same function for training, evaluation and stages."""

from __future__ import annotations

import numpy as np

from .card import Card


def preprocess(card: Card, crops: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) BGR or grey crops of the card's geometry -> its dtype (N, H, W, C), colours in its order."""
    expected = (card.geometry.height, card.geometry.width, card.geometry.channels)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != expected:
        raise ValueError(
            f"{card.name} takes crops uint8 (N, {', '.join(map(str, expected))}), not {crops.dtype} {crops.shape}"
        )
    if card.input.order == "rgb":
        crops = crops[..., ::-1]
    if card.input.dtype == "uint8":
        return np.ascontiguousarray(crops)
    if card.input.dtype == "int8":
        return (crops.astype(np.int16) - 128).astype(np.int8)
    scale, offset = np.array([card.input.scale, card.input.offset], dtype=np.float32)
    return crops.astype(np.float32, order="C") * scale + offset
