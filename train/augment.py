"""What training does to a face so that other cameras, detectors and framings are no surprise.

The box is jittered and cut by the function that the stages use, so position, scale and roll are varied exactly as a
detector's box varies; what follows imitates cameras: light, colour, blur, compression, small faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.core.frames import CropGeometry
from stages.detectors.framing import cut
from train.data import Faces


@dataclass(frozen=True, slots=True)
class Strength:
    """How much is varied; all probabilities are per picture."""

    shift: float = 0.04  # standard deviation of the box's place, in units of its side
    scale: float = 0.08  # standard deviation of the logarithm of the box's side
    roll: float = 7.0  # standard deviation, degrees
    contrast: float = 0.2  # standard deviation of the logarithm of the gain
    brightness: float = 18.0  # standard deviation, grey values
    cast: float = 0.05  # standard deviation of the logarithm of each colour's gain
    grey: float = 0.1  # probability that a colour picture is made grey
    worse: float = 0.15  # probability of one of: small face, blur, JPEG, noise
    erase: float = 0.1  # probability that a square of up to a third of the side is painted over


def augmented(faces: Faces, chosen: np.ndarray, geometry: CropGeometry, rng, strength: Strength) -> np.ndarray:
    """Cut the chosen (n,) faces with jitter -> uint8 (n, height, width, channels)."""
    count = len(chosen)
    shift = rng.normal(0, strength.shift, (count, 2))
    scale = np.exp(rng.normal(0, strength.scale, count))
    roll = rng.normal(0, strength.roll, count)
    crops = np.stack(
        [
            cut(colour(faces.pictures[i]), moved(faces.boxes[i], shift[k], scale[k]), geometry, roll[k])
            for k, i in enumerate(chosen)
        ]
    )
    mirrored = rng.random(count) < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    for k in np.flatnonzero(rng.random(count) < strength.worse):
        crops[k] = worse(crops[k], rng)
    crops = lit(crops, rng, strength)
    for k in np.flatnonzero(rng.random(count) < strength.erase):
        erase(crops[k], rng)
    return crops


def plain(faces: Faces, geometry: CropGeometry) -> np.ndarray:
    """Cut every face as the stages would, box by box -> uint8 (N, height, width, channels)."""
    crops = [cut(colour(p), box, geometry) for p, box in zip(faces.pictures, faces.boxes, strict=True)]
    return np.stack(crops)


def colour(picture: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 1 or 3) -> (S, S, 3): grey pictures reach the stages as BGR, too."""
    return picture if picture.shape[2] == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


def moved(box: np.ndarray, shift: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """The box scaled around its centre and shifted by fractions of its side."""
    x, y, width, height = (float(v) for v in box)
    centre_x, centre_y = x + width / 2 + shift[0] * width, y + height / 2 + shift[1] * height
    return centre_x - width * scale / 2, centre_y - height * scale / 2, width * scale, height * scale


def worse(crop: np.ndarray, rng) -> np.ndarray:
    """The crop as a bad camera, a strong compression or a distant face would give it."""
    height, width, channels = crop.shape
    kind = rng.integers(4)
    if kind == 0:
        side = int(rng.integers(20, 44))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        result = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    elif kind == 1:
        result = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.6))
    elif kind == 2:
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))])[1]
        result = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    else:
        noisy = crop + rng.normal(0, rng.uniform(3, 12), crop.shape)
        result = noisy.clip(0, 255).astype(np.uint8)
    return result.reshape(crop.shape)


def lit(crops: np.ndarray, rng, strength: Strength) -> np.ndarray:
    """Vary contrast, brightness and colour of a batch, each picture in its own way."""
    count, _, _, channels = crops.shape
    values = crops.astype(np.float32)
    if channels == 3:
        grey = rng.random(count) < strength.grey
        values[grey] = (values[grey] @ np.array([0.114, 0.587, 0.299], np.float32))[..., None]
        cast = np.exp(rng.normal(0, strength.cast, (count, 1, 1, 3)))
        values *= np.where(grey[:, None, None, None], 1.0, cast).astype(np.float32)
    gain = np.exp(rng.normal(0, strength.contrast, (count, 1, 1, 1))).astype(np.float32)
    offset = rng.normal(0, strength.brightness, (count, 1, 1, 1)).astype(np.float32)
    mean = values.mean(axis=(1, 2, 3), keepdims=True)
    return ((values - mean) * gain + mean + offset).clip(0, 255).astype(np.uint8)


def erase(crop: np.ndarray, rng) -> None:
    """Paint a square over with one grey value, in place: hands, hair and microphones cover parts of faces."""
    height, width, _ = crop.shape
    side = int(rng.integers(height // 8, height // 3 + 1))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    crop[top : top + side, left : left + side] = rng.integers(0, 256)
