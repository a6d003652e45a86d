"""The one crop function: detect, training and evaluation cut faces here and nowhere else.

The normalised box is a square that frames a face as UTKFace's aligned pictures do: eyes at .30 and .69 of its width
and .285 of its height. Every detector maps its own idea of a box onto it with constants measured over the same
pictures (`python -m stages.vision.detectors.measure`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..frames import CropGeometry, Detections

FINEST = 8  # a crop is averaged from at most so many times its size, each way


@dataclass(frozen=True, slots=True)
class BoxNormalization:
    """How a detector's box becomes the normalised one: a square of `side` times the longer side of the box."""

    side: float  # side of the normalised square, in units of the detector's side
    right: float = 0.0  # how far its centre lies to the right of the detector's, in units of the new side
    down: float = 0.0  # how far below

    def normalised(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes float (N, 4) x, y, width, height of a detector to normalised squares in the same units."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        side = boxes[:, 2:].max(axis=1) * self.side
        centre_x = boxes[:, 0] + boxes[:, 2] / 2 + self.right * side
        centre_y = boxes[:, 1] + boxes[:, 3] / 2 + self.down * side
        return np.stack([centre_x - side / 2, centre_y - side / 2, side, side], axis=1)


def crop_face(pixels: np.ndarray, box, geometry: CropGeometry, roll: float = 0.0) -> np.ndarray:
    """Cut one face: uint8 (H, W, 3) BGR and a box x, y, width, height -> uint8 (height, width, channels).

    The square around the box's centre is warped straight to the size of the network's input. Beyond the picture's edge
    the border is repeated, so that a face at the edge is neither refused nor moved. `roll` turns the square clockwise,
    in degrees: by that of the face, it stands upright in the crop.
    """
    x, y, width, height = (float(v) for v in box)
    side = max(width, height, 1e-3) * geometry.scale
    pixels, centre, side = _near(pixels, np.array([x + width / 2, y + height / 2]), side, geometry)
    # Linear interpolation alone would skip pixels when shrinking. Warping to a whole multiple of the size and averaging
    # blocks is an area average that keeps the sub-pixel position, which resizing a slice of the picture would lose.
    finer = max(1, min(FINEST, math.ceil(side / min(geometry.width, geometry.height) - 0.25)))
    wide, high = geometry.width * finer, geometry.height * finer
    turn, (step_x, step_y) = math.radians(roll), (side / wide, side / high)
    cos, sin = math.cos(turn), math.sin(turn)
    # From output to picture; pixel centres lie at +0.5 in both.
    to_picture = np.array([[cos * step_x, -sin * step_y, 0.0], [sin * step_x, cos * step_y, 0.0]])
    to_picture[:, 2] = centre - 0.5 - to_picture[:, :2] @ np.array([(wide - 1) / 2, (high - 1) / 2])
    crop = cv2.warpAffine(
        pixels, to_picture, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    if finer > 1:
        crop = cv2.resize(crop, (geometry.width, geometry.height), interpolation=cv2.INTER_AREA)
    if geometry.channels == 1:
        return cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[:, :, None]
    return crop


def crop_faces(pixels: np.ndarray, faces: Detections, geometry: CropGeometry) -> np.ndarray:
    """Cut the faces of one picture, each upright: uint8 (N, height, width, channels), N at least 1."""
    return np.stack(
        [crop_face(pixels, box, geometry, roll) for box, roll in zip(faces.boxes, faces.rolls, strict=True)]
    )


def _near(
    pixels: np.ndarray, centre: np.ndarray, side: float, geometry: CropGeometry
) -> tuple[np.ndarray, np.ndarray, float]:
    """The part of the picture that a square needs, with the square's centre and side in it.

    A square of many times the network's input is averaged over blocks of whole pixels first: without that, a face that
    fills a picture of 48 megapixels would be warped through 240 MB. The part alone, because OpenCV warps nothing that
    is 32767 pixels wide.
    """
    longest = max(pixels.shape[:2])
    block = min(longest, max(1, math.ceil(side / (FINEST * min(geometry.width, geometry.height)))))
    reach = side * 0.71 + 2 * block + 2  # half the diagonal, for roll, and what interpolation and blocks take
    size = np.array([pixels.shape[1], pixels.shape[0]])
    # At least one pixel: for a square beyond the edge that pixel is all there is to repeat.
    start = np.clip(np.floor(centre - reach), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(centre + reach), start + 1, size).astype(int)
    part = pixels[start[1] : stop[1], start[0] : stop[0]]
    if block == 1:
        return part, centre - start, side
    right, down = -part.shape[1] % block, -part.shape[0] % block
    part = cv2.copyMakeBorder(part, 0, down, 0, right, cv2.BORDER_REPLICATE)
    blocks = (part.shape[1] // block, part.shape[0] // block)
    return cv2.resize(part, blocks, interpolation=cv2.INTER_AREA), (centre - start) / block, side / block
