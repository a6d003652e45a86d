"""What training does to a face so that other cameras, detectors and framings are no surprise.

The box is jittered and cut by the function that the stages use, so position, scale and roll are varied exactly as a
detector's box varies; what follows imitates cameras: light, colour, blur, compression, small faces.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from stages.frames import CropGeometry
from stages.vision.crop import crop_face
from train.data import Faces


@dataclass(frozen=True, slots=True)
class Strength:
    """How much is varied; all probabilities are per picture."""

    shift: float = 0.05  # standard deviation of the box's place, in units of its side
    scale: float = 0.1  # standard deviation of the logarithm of the box's side
    roll: float = 9.0  # standard deviation, degrees
    contrast: float = 0.22  # standard deviation of the logarithm of the gain
    brightness: float = 18.0  # standard deviation, grey values
    cast: float = 0.07  # standard deviation of the logarithm of each colour's gain
    grey: float = 0.15  # probability that a colour picture is made grey
    dark: float = 0.08  # probability of a picture in little light: little gain, much noise
    small: float = 0.15  # probability of a face of 14 to 40 pixels
    blur: float = 0.12  # probability of a blur, out of focus or by motion
    noise: float = 0.12
    jpeg: float = 0.15  # probability of a strong compression
    erase: float = 0.15  # probability that a square of up to two fifths of the side is painted over

    def times(self, factor: float) -> Strength:
        """With the probabilities of what makes a picture worse multiplied."""
        worse = ("dark", "small", "blur", "noise", "jpeg", "erase")
        return dataclasses.replace(self, **{name: getattr(self, name) * factor for name in worse})


def augmented(faces: Faces, chosen: np.ndarray, geometry: CropGeometry, rng, strength: Strength) -> np.ndarray:
    """Cut the chosen (n,) faces with jitter -> uint8 (n, height, width, channels)."""
    count = len(chosen)
    shift = rng.normal(0, strength.shift, (count, 2))
    scale = np.exp(rng.normal(0, strength.scale, count))
    roll = rng.normal(0, strength.roll, count) + [faces.roll(i) for i in chosen]
    crops = np.stack(
        [
            crop_face(colour(faces.pictures[i]), moved(faces.boxes[i], shift[k], scale[k]), geometry, roll[k])
            for k, i in enumerate(chosen)
        ]
    )
    mirrored = rng.random(count) < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    crops = lit(crops, rng, strength)
    for effect, probability in (
        (blurred, strength.blur),
        (darkened, strength.dark),
        (noisy, strength.noise),
        (shrunk, strength.small),
        (compressed, strength.jpeg),
        (erased, strength.erase),
    ):
        for k in np.flatnonzero(rng.random(count) < probability):
            crops[k] = effect(crops[k], rng).reshape(crops[k].shape)
    return crops


def plain(faces: Faces, geometry: CropGeometry) -> np.ndarray:
    """Cut every face as the stages would, box by box -> uint8 (N, height, width, channels)."""
    each = zip(faces.pictures, faces.boxes, map(faces.roll, range(len(faces))), strict=True)
    return np.stack([crop_face(colour(picture), box, geometry, roll) for picture, box, roll in each])


def colour(picture: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 1 or 3) -> (S, S, 3): grey pictures reach the stages as BGR, too."""
    return picture if picture.shape[2] == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


def moved(box: np.ndarray, shift: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """The box scaled around its centre and shifted by fractions of its side."""
    x, y, width, height = (float(v) for v in box)
    centre_x, centre_y = x + width / 2 + shift[0] * width, y + height / 2 + shift[1] * height
    return centre_x - width * scale / 2, centre_y - height * scale / 2, width * scale, height * scale


def shrunk(crop: np.ndarray, rng) -> np.ndarray:
    """As a face of few pixels gives it."""
    side = int(rng.integers(14, 41))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def blurred(crop: np.ndarray, rng) -> np.ndarray:
    """Out of focus, or moved while the shutter was open."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.0))
    length, angle = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
    path = np.zeros((length, length), np.float32)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = (length - 1) / 2
    ends = [tuple(int(round(middle + sign * v)) for v in reach) for sign in (-1, 1)]
    cv2.line(path, *ends, 1.0)
    return cv2.filter2D(crop, -1, path / path.sum(), borderType=cv2.BORDER_REPLICATE)


def noisy(crop: np.ndarray, rng) -> np.ndarray:
    noise = rng.standard_normal(crop.shape, np.float32) * np.float32(rng.uniform(3, 14))
    return (crop + noise).clip(0, 255).astype(np.uint8)


def darkened(crop: np.ndarray, rng) -> np.ndarray:
    """Little light: what is dark becomes black, and the sensor's noise shows."""
    light = rng.uniform(0.12, 0.5) * 255 * (crop.astype(np.float32) / 255) ** np.float32(rng.uniform(0.8, 1.6))
    return (light + rng.standard_normal(crop.shape, np.float32) * 3).clip(0, 255).astype(np.uint8)


def compressed(crop: np.ndarray, rng) -> np.ndarray:
    encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 60))])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if crop.shape[2] == 1 else cv2.IMREAD_COLOR)


def erased(crop: np.ndarray, rng) -> np.ndarray:
    """A square painted over with one grey value: hands, hair and microphones cover parts of faces."""
    height, width, _ = crop.shape
    side = int(rng.integers(height // 8, height * 2 // 5 + 1))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    covered = crop.copy()
    covered[top : top + side, left : left + side] = rng.integers(0, 256)
    return covered


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


def mixed(crops: np.ndarray, share: float, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blend this share of the pictures (n, H, W, C) with another one of the batch, or paste a part of it.

    Returns the crops, the index of each one's partner int (n,) and its own weight float32 (n,): targets are to be mixed
    alike. Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), by turns.
    """
    result, partners, weights = crops.copy(), np.arange(len(crops)), np.ones(len(crops), np.float32)
    height, width = crops.shape[1:3]
    for k in np.flatnonzero(rng.random(len(crops)) < share):
        other, weight = int(rng.integers(len(crops))), float(rng.random())
        if rng.random() < 0.5:
            blend = crops[k] * np.float32(weight) + crops[other] * np.float32(1 - weight)
            result[k] = np.rint(blend).astype(np.uint8)
        else:
            high, wide = (np.sqrt(1 - weight) * np.array([height, width])).astype(int)
            top, left = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
            result[k, top : top + high, left : left + wide] = crops[other, top : top + high, left : left + wide]
            weight = 1 - high * wide / (height * width)
        partners[k], weights[k] = other, weight
    return result, partners, weights
