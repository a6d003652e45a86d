"""Square pieces of photographs to train on: small faces get their share, and light and cameras differ."""

from __future__ import annotations

import cv2
import numpy as np

from train.augment import blurred, compressed, darkened, noisy
from train.detection.data import Labels

FACE = (
    16  # numbers that describe a face: weight (0: there is none), box x, y, width, height, 5 points, weight of points
)
MOST_FACES = 24  # that are learned in one crop; of more, the largest, and the others do not count
SMALLEST_SIDE = 9.0  # pixels in the crop: what is smaller is neither to be found nor a mistake to find
SIZES = (10.0, 0.6)  # pixels, share of the crop's side: between them lies, evenly by logarithm, the face it is cut for
FOUR = 0.45  # probability of a crop that is made of four, half as large: more and smaller faces for the same arithmetic
LARGEST_ZOOM = 2.5
LEAST_SHARE = (0.65, 0.95, 1.0)  # of the picture's shorter side and the crop's: at least, one of them
WITHOUT_AIM = 0.12  # probability of a crop that is cut anywhere
TURNED = 0.35  # probability of a crop that is turned, where none is given
TURN = 25.0  # standard deviation, degrees
MIRRORED = (1, 0, 2, 4, 3)  # the points in a mirrored picture


def cut(
    pixels: np.ndarray, labels: Labels, side: int, rng, turning: float = TURNED, points_from: float = 0.0
) -> tuple[np.ndarray, Labels]:
    """A crop uint8 (side, side, 3), and the faces in it; `turning` and `points_from` as in `made`."""
    matrix, scale, angle = placed(pixels.shape[:2], labels, side, rng, turning)
    mirrored = rng.random() < 0.5
    if mirrored:
        matrix = np.array([[-1.0, 0, side], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
    crop = warped(pixels, matrix, scale, side, rng)
    points = labels.points @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        points = points[:, MIRRORED]
    boxes = turned(labels.boxes, matrix, scale, angle)
    return crop, visible(Labels(boxes, labels.ignored, points.astype(np.float32)), side, points_from)


def placed(size: tuple[int, int], labels: Labels, side: int, rng, turning: float) -> tuple[np.ndarray, float, float]:
    """From picture to crop: the matrix (2, 3), its scale and its angle in degrees."""
    height, width = size
    real = np.flatnonzero(~labels.ignored)
    if len(real) and rng.random() >= WITHOUT_AIM:
        x, y, w, h = labels.boxes[rng.choice(real)]
        wanted = np.exp(rng.uniform(*np.log([SIZES[0], SIZES[1] * side])))
        scale = wanted / np.sqrt(max(w * h, 1.0))
        scale = float(np.clip(scale, rng.choice(LEAST_SHARE) * side / min(size), LARGEST_ZOOM))
        room = max(0.0, side / 2 - 0.5 * scale * max(w, h))
        target = side / 2 + rng.uniform(-room, room, 2)
        middle = np.array([x + w / 2, y + h / 2])
    else:
        least = 0.8 * side / min(size)
        scale = float(np.exp(rng.uniform(np.log(least), np.log(max(1.5 * least, 1.6)))))
        middle = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        target = np.full(2, side / 2)
    angle = float(rng.normal(0, TURN)) if rng.random() < turning else 0.0
    # Mostly picture, little border: as far as it goes, the crop is pushed back into the picture.
    for axis, length in enumerate((width, height)):
        low, high = sorted((side - (length - middle[axis]) * scale, middle[axis] * scale))
        target[axis] = np.clip(target[axis], low, high) if rng.random() < 0.93 else target[axis]
    radians = np.deg2rad(angle)
    turn = scale * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    return np.column_stack([turn, target - turn @ middle]), scale, angle


def warped(pixels: np.ndarray, matrix: np.ndarray, scale: float, side: int, rng) -> np.ndarray:
    if scale < 0.6:
        # Warping takes few pixels into account; what is to become much smaller is made smaller first.
        factor = max(scale / 0.95, 0.05)
        size = tuple(max(1, round(edge * factor)) for edge in pixels.shape[1::-1])
        smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        matrix = matrix.copy()
        matrix[:, 0] *= pixels.shape[1] / size[0]
        matrix[:, 1] *= pixels.shape[0] / size[1]
        pixels = smaller
    grey = tuple(int(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.5 else (0, 0, 0)
    return cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=grey)


def turned(boxes: np.ndarray, matrix: np.ndarray, scale: float, angle: float) -> np.ndarray:
    """Boxes around faces that are turned: an ellipse is what fills its box, and its box is what counts."""
    middle = (boxes[:, :2] + boxes[:, 2:] / 2) @ matrix[:, :2].T + matrix[:, 2]
    cos, sin = np.cos(np.deg2rad(angle)) ** 2, np.sin(np.deg2rad(angle)) ** 2
    w, h = boxes[:, 2] ** 2, boxes[:, 3] ** 2
    size = scale * np.sqrt(np.stack([w * cos + h * sin, w * sin + h * cos], axis=1))
    return np.concatenate([middle - size / 2, size], axis=1).astype(np.float32)


def visible(labels: Labels, side: int, points_from: float = 0.0) -> Labels:
    """The faces that a crop shows, cut off at its edges; tiny ones, and those of which little is left, are ignored.

    Of faces below `points_from`, in pixels, the points are not known well enough to be learned.
    """
    low = np.clip(labels.boxes[:, :2], 0, side)
    high = np.clip(labels.boxes[:, :2] + labels.boxes[:, 2:], 0, side)
    boxes = np.concatenate([low, high - low], axis=1)
    shown = boxes[:, 2:].prod(axis=1) / np.maximum(labels.boxes[:, 2:].prod(axis=1), 1e-6)
    sides = np.sqrt(labels.boxes[:, 2:].prod(axis=1))
    ignored = labels.ignored | (shown < 0.5) | (sides < SMALLEST_SIDE)
    unknown = (shown < 0.95) | (sides < points_from)
    points = np.where(unknown[:, None, None], np.nan, labels.points)
    return Labels(boxes, ignored, points.astype(np.float32)).where(shown > 0)


def packed(labels: Labels, cells: np.ndarray) -> np.ndarray:
    """What the loss wants to know: which cells count, then the faces; float32 (cells + MOST_FACES * FACE,)."""
    sizes = np.where(labels.ignored, 0, labels.boxes[:, 2:].prod(axis=1))
    order = np.argsort(-sizes, kind="stable")
    real = [i for i in order[:MOST_FACES] if not labels.ignored[i]]
    faces = np.zeros((MOST_FACES, FACE), np.float32)
    faces[: len(real), 0] = 1
    faces[: len(real), 1:5] = labels.boxes[real]
    known = np.isfinite(labels.points[real]).all(axis=(1, 2))
    faces[: len(real), 5:15] = np.where(known[:, None, None], labels.points[real], 0).reshape(-1, 10)
    faces[: len(real), 15] = known
    counted = np.ones(len(cells), np.float32)
    for i in set(range(len(labels.boxes))) - set(real):
        counted[within(cells, labels.boxes[i], 0.0)] = 0
    for i in real:
        counted[within(cells, labels.boxes[i], 1.5)] = 1
    return np.concatenate([counted, faces.reshape(-1)])


def within(cells: np.ndarray, box: np.ndarray, reach: float) -> np.ndarray:
    """The cells in a box; with `reach`, those so many cells around its centre."""
    x, y, w, h = box
    if reach:
        return (np.abs(cells[:, :2] - [x + w / 2, y + h / 2]) <= reach * cells[:, 2:]).all(axis=1)
    # A tiny face lies between the centres of coarse cells: half a cell more.
    more = cells[:, 2] / 2
    inside = (cells[:, 0] >= x - more) & (cells[:, 0] <= x + w + more)
    return inside & (cells[:, 1] >= y - more) & (cells[:, 1] <= y + h + more)


def made(
    pictures: list[tuple[np.ndarray, Labels]],
    side: int,
    rng,
    strength: float = 1.0,
    turning: float = TURNED,
    points_from: float = 0.0,
) -> tuple[np.ndarray, Labels]:
    """One crop of one picture, or of four side by side, as a camera might have seen it.

    `turning`: probability of a crop that is turned; `points_from`: side of the faces whose points are learned, in
    pixels of the crop.
    """
    half = side // 2
    parts = [cut(*picture, side if len(pictures) == 1 else half, rng, turning, points_from) for picture in pictures]
    parts = [(lit(crop, rng), labels) for crop, labels in parts]
    crop, labels = parts[0] if len(parts) == 1 else together(parts, half)
    for effect, probability in ((blurred, 0.1), (darkened, 0.05), (noisy, 0.06), (compressed, 0.12)):
        if rng.random() < probability * strength:
            crop = effect(crop, rng)
    return crop, labels


def together(parts: list[tuple[np.ndarray, Labels]], half: int) -> tuple[np.ndarray, Labels]:
    """Four crops as the quarters of one."""
    crops = [crop for crop, _ in parts]
    shifts = np.array([(0, 0), (half, 0), (0, half), (half, half)], np.float32)
    labels = [
        Labels(told.boxes + np.concatenate([shift, [0, 0]]), told.ignored, told.points + shift)
        for (_, told), shift in zip(parts, shifts, strict=True)
    ]
    return np.vstack([np.hstack(crops[:2]), np.hstack(crops[2:])]), Labels(
        np.concatenate([told.boxes for told in labels]).astype(np.float32),
        np.concatenate([told.ignored for told in labels]),
        np.concatenate([told.points for told in labels]).astype(np.float32),
    )


def lit(crop: np.ndarray, rng) -> np.ndarray:
    """Other contrast, brightness, colour and gamma, by a table for each colour; sometimes grey."""
    if rng.random() < 0.1:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    values = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.2))
    gain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    table = ((values - 0.45) * gain + 0.45 + rng.normal(0, 0.07)) * 255
    return cv2.LUT(crop, table.clip(0, 255).astype(np.uint8)[None])
