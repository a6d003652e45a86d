"""Photographs of drawn faces with boxes, small enough to train on in seconds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from train.detection.data import Labels, write

COUNTS = {"train": 12, "validation": 4}


def photograph(rng, faces: int = 2, size: tuple[int, int] = (96, 128)) -> tuple[np.ndarray, Labels]:
    """Light ellipses with two eyes on a dark, grainy ground, uint8 (H, W, 3), and where they are."""
    pixels = rng.integers(20, 60, (*size, 3)).astype(np.uint8)
    boxes, points = [], []
    for place in range(faces):
        w = int(rng.integers(20, 40))
        h = int(1.2 * w)
        x, y = place * size[1] // faces + int(rng.integers(0, 12)), int(rng.integers(0, size[0] - h))
        middle = (x + w // 2, y + h // 2)
        cv2.ellipse(pixels, middle, (w // 2, h // 2), 0, 0, 360, (150, 180, 220), -1)
        eyes = [(x + w * 3 // 10, y + h * 4 // 10), (x + w * 7 // 10, y + h * 4 // 10)]
        for eye in eyes:
            cv2.circle(pixels, eye, max(1, w // 10), (20, 20, 20), -1)
        boxes.append([x, y, w, h])
        mouth = [(x + w * 3 // 10, y + h * 8 // 10), (x + w * 7 // 10, y + h * 8 // 10)]
        points.append([*eyes, middle, *mouth])
    labels = Labels(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(len(boxes), bool),
        np.array(points, np.float32).reshape(-1, 5, 2),
    )
    return pixels, labels


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """The folder of two prepared sets: `drawn`, with faces, and `empty`, without."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(3)
    drawn = [
        (f"{part}-{number}.png", part, *photograph(rng)) for part, count in COUNTS.items() for number in range(count)
    ]
    write(folder / "drawn.npz", drawn)
    write(folder / "empty.npz", [(f"{number}.png", "train", *photograph(rng, faces=0)) for number in range(4)])
    return folder
