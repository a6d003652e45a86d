"""What the world does to pictures of faces, one kind at a time and always alike: to measure, not to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from train.augment import colour, moved
from train.data import Faces


@dataclass(frozen=True, slots=True)
class Corruption:
    """A box moved, grown or turned, then a picture changed: (crop uint8 (H, W, C), rng) -> crop."""

    right: float = 0.0  # of the box, in units of its side
    down: float = 0.0
    scale: float = 1.0
    roll: float = 0.0  # degrees
    change: Callable = lambda crop, rng: crop


def _grey(crop, rng):
    if crop.shape[2] == 1:
        return crop
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[:, :, None], 3, axis=2)


def _shrunk(side: int):
    def change(crop, rng):
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    return change


def _jpeg(quality: int):
    def change(crop, rng):
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if crop.shape[2] == 1 else cv2.IMREAD_COLOR)

    return change


def _noise(crop, rng):
    return (crop + rng.normal(0, 15, crop.shape)).clip(0, 255).astype(np.uint8)


def _dark(crop, rng):
    return (crop * 0.2 + rng.normal(0, 3, crop.shape)).clip(0, 255).astype(np.uint8)


def _blur(crop, rng):
    return cv2.GaussianBlur(crop, (0, 0), crop.shape[1] / 40)


def _covered(crop, rng):
    covered = crop.copy()
    covered[crop.shape[0] * 2 // 3 :] = 128
    return covered


CORRUPTIONS = {
    "as it is": Corruption(),
    "box 10 % to the right": Corruption(right=0.1),
    "box 10 % lower": Corruption(down=0.1),
    "box 20 % larger": Corruption(scale=1.2),
    "box 15 % smaller": Corruption(scale=0.85),
    "turned by 15 degrees": Corruption(roll=15),
    "turned by 30 degrees": Corruption(roll=30),
    "grey": Corruption(change=_grey),
    "a fifth of the light, noise": Corruption(change=_dark),
    "noise, 15 of 255": Corruption(change=_noise),
    "blurred, a fortieth of the side": Corruption(change=_blur),
    "JPEG, quality 15": Corruption(change=_jpeg(15)),
    "face of 24 pixels": Corruption(change=_shrunk(24)),
    "face of 16 pixels": Corruption(change=_shrunk(16)),
    "lower third covered": Corruption(change=_covered),
}


def corrupted(faces: Faces, geometry: CropGeometry, kind: str, seed: int) -> np.ndarray:
    """All faces cut and made worse in one way: uint8 (N, height, width, channels)."""
    how, rng = CORRUPTIONS[kind], np.random.default_rng(seed)
    crops = []
    for i, (picture, box) in enumerate(zip(faces.pictures, faces.boxes, strict=True)):
        place = moved(box, np.array([how.right, how.down]), how.scale)
        crop = crop_face(colour(picture), place, geometry, how.roll + faces.roll(i))
        crops.append(how.change(crop, rng).reshape(crop.shape))
    return np.stack(crops)
