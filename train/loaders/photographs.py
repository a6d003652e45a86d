"""Photographs with boxes of faces, in the layouts in which people have them.

WIDER FACE as published (wider_face_split/ beside WIDER_train/ and WIDER_val/), YOLO (labels/ beside images/), COCO
(.json), VOC (.xml), or one boxes.csv with a line for each face: part, file, x, y, width, height, and perhaps ignore and
teacher_points. Which it is, the folder says. Parts go by the names of folders, of other pictures by their own.
"""

from __future__ import annotations

import csv
import json
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from train.data import PARTS, DataError, part_by_name
from train.detection.data import Labels
from train.loaders.reading import PICTURES

SMALLEST = 2.0  # pixels of a box's sides; what is smaller cannot be meant


@dataclass
class Marked:
    """A picture's file, its part, and of each face x, y, width, height in pixels, whether it is ignored, and points."""

    file: Path
    part: str
    rows: list[tuple[list[float], bool, list[float]]] = field(default_factory=list)


def layout_of(folder: Path, classes: tuple[str, ...] = ()) -> tuple[str, Iterator[Marked]]:
    """The name of the folder's layout, and its pictures; DataError where it has none of them.

    Of boxes that have a class only `classes` count; all, if none is named.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name one that holds photographs with boxes.")
    for name, (holds, read) in LAYOUTS.items():
        if found := sorted(folder.glob(holds)):
            return name, read(folder, found, classes)
    raise DataError(
        f"{folder}: is none of {', '.join(LAYOUTS)}; put there "
        f"{', '.join(pattern for pattern, _ in LAYOUTS.values())} with the pictures."
    )


def photographs(
    pictures: Iterator[Marked], longest_side: int, skipped: Counter
) -> Iterator[tuple[str, str, np.ndarray, Labels]]:
    """Name, part, pixels and faces of every picture that can be read; what is left out is counted by its reason."""
    for marked in pictures:
        pixels = cv2.imread(str(marked.file), cv2.IMREAD_COLOR)
        if pixels is None or min(pixels.shape[:2]) < 16:
            skipped["unreadable picture" if pixels is None else "picture under 16 pixels"] += 1
            continue
        scale = min(1.0, longest_side / max(pixels.shape[:2]))
        if scale < 1:
            size = [max(1, round(edge * scale)) for edge in pixels.shape[1::-1]]
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        sound = [row for row in marked.rows if is_sound(row[0])]
        skipped["box without an area"] += len(marked.rows) - len(sound)
        labels = Labels(
            np.array([box for box, _, _ in sound], np.float32).reshape(-1, 4) * scale,
            np.array([ignored for _, ignored, _ in sound], bool),
            np.array([points or [math.nan] * 10 for *_, points in sound], np.float32).reshape(-1, 5, 2) * scale,
        )
        yield marked.file.name, marked.part, pixels, labels


def is_sound(box: list[float]) -> bool:
    return all(math.isfinite(v) and abs(v) < 1e6 for v in box) and min(box[2:]) >= SMALLEST


def read_csv(folder: Path, found: list[Path], _classes: tuple[str, ...]) -> Iterator[Marked]:
    pictures: dict[tuple[str, str], Marked] = {}
    for line, row in rows_of(found[0]):
        try:
            part, name = row["part"], row["file"]
            one = pictures.setdefault((part, name), Marked(folder / part / name, part_named(part, name)))
            if row["x"] == "":
                continue  # A picture without faces
            box = [float(row[key]) for key in ("x", "y", "width", "height")]
            points = [float(v) for v in (row.get("teacher_points") or "").split()]
            if len(points) not in (0, 10):
                raise ValueError(f"teacher_points has {len(points)} numbers, not 10")
            one.rows.append((box, row.get("ignore") == "1", points))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{found[0]}:{line}: is not a box ({error}); write part,file,x,y,width,height.") from error
    yield from pictures.values()


def rows_of(path: Path) -> Iterator[tuple[int, dict]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            yield from enumerate(csv.DictReader(file), 2)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a table ({error}); write part,file,x,y,width,height.") from error


def read_wider(_folder: Path, found: list[Path], _classes: tuple[str, ...]) -> Iterator[Marked]:
    """A name, the number of faces, and so many lines: x y w h blur expression illumination invalid occlusion pose."""
    for path in found:
        part = "validation" if "_val_" in path.name else "train"
        pictures = path.parent.parent / f"WIDER_{'val' if part == 'validation' else 'train'}" / "images"
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for _, name in lines:
            number, count = next(lines, (0, ""))
            try:
                # A picture without faces has the number 0 and a line of noughts.
                numbers = [[float(v) for v in next(lines)[1].split()] for _ in range(max(1, int(count)))]
                rows = [(one[:4], len(one) > 7 and one[7] == 1, []) for one in numbers if len(one) >= 4]
                if len(rows) != len(numbers):
                    raise ValueError("a box has fewer than 4 numbers")
            except (ValueError, StopIteration) as error:
                raise DataError(f"{path}:{number}: is not WIDER FACE's list ({error}); get it anew.") from error
            yield Marked(pictures / name, part, rows if int(count) else [])


def read_yolo(folder: Path, found: list[Path], classes: tuple[str, ...]) -> Iterator[Marked]:
    """A line for each box: class, centre x and y, width, height in shares of the picture. Points may follow."""
    for path in found:
        relative = path.relative_to(folder)
        place = folder / Path(*("images" if part == "labels" else part for part in relative.parts))
        file = next((p for suffix in PICTURES if (p := place.with_suffix(suffix)).is_file()), place)
        size = picture_size(file)
        rows = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split()
            try:
                if len(words) < 5:
                    raise ValueError(f"{len(words)} numbers")
                x, y, w, h = (float(v) for v in words[1:5])
            except ValueError as error:
                raise DataError(f"{path}:{number}: is not a box of YOLO ({error}); write class x y w h.") from error
            if not classes or words[0] in classes:
                rows.append(([(x - w / 2) * size[0], (y - h / 2) * size[1], w * size[0], h * size[1]], False, []))
        yield Marked(file, part_of(relative), rows)


def picture_size(file: Path) -> tuple[int, int]:
    """Width and height; 0 and 0 of a picture that cannot be read, which is counted later."""
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    return (0, 0) if pixels is None else (pixels.shape[1], pixels.shape[0])


def read_coco(folder: Path, found: list[Path], classes: tuple[str, ...]) -> Iterator[Marked]:
    places: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            places.setdefault(path.name, path)
    for path in found:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            names = {one["id"]: one["name"] for one in document.get("categories", [])}
            pictures = {}
            for one in document["images"]:
                file = folder / one["file_name"]
                file = file if file.is_file() else places.get(Path(one["file_name"]).name, file)
                pictures[one["id"]] = Marked(file, part_of(Path(path.stem) / file.relative_to(folder)))
            for one in document["annotations"]:
                if not classes or names.get(one.get("category_id")) in classes:
                    box = [float(v) for v in one["bbox"]]
                    if len(box) != 4:
                        raise ValueError(f"a bbox has {len(box)} numbers")
                    pictures[one["image_id"]].rows.append((box, bool(one.get("iscrowd") or one.get("ignore")), []))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: is not COCO's ({error!r}); it must have images and annotations.") from error
        yield from pictures.values()


def read_voc(folder: Path, found: list[Path], classes: tuple[str, ...]) -> Iterator[Marked]:
    places: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            places.setdefault(path.stem, path)
    for path in found:
        try:
            root = ElementTree.parse(path).getroot()
            rows = []
            for one in root.iter("object"):
                if classes and one.findtext("name") not in classes:
                    continue
                left, top, right, bottom = (
                    float(one.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")
                )
                rows.append(([left, top, right - left, bottom - top], False, []))
        except (ElementTree.ParseError, ValueError) as error:
            raise DataError(f"{path}: is not VOC's ({error}); write bndbox with xmin, ymin, xmax, ymax.") from error
        relative = path.relative_to(folder)
        yield Marked(places.get(path.stem, folder / path.with_suffix(".jpg").name), part_of(relative), rows)


def part_of(relative: Path) -> str:
    """The part that a folder of the path names, else one by the name of the picture."""
    words = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
    for folder in relative.parts[:-1]:
        for word in folder.lower().replace("-", "_").rstrip("0123456789").split("_"):
            if word.rstrip("0123456789") in words:
                return words[word.rstrip("0123456789")]
    return part_by_name(relative.stem)


def part_named(part: str, name: str) -> str:
    if part not in PARTS:
        raise ValueError(f"the part of {name} is {part!r}, not one of {', '.join(PARTS)}")
    return part


LAYOUTS: dict[str, tuple[str, Callable]] = {
    "boxes.csv": ("boxes.csv", read_csv),
    "WIDER FACE": ("wider_face_split/wider_face_*_bbx_gt.txt", read_wider),
    "YOLO": ("**/labels/**/*.txt", read_yolo),
    "COCO": ("**/*.json", read_coco),
    "VOC": ("**/*.xml", read_voc),
}


def read_plain(folder: Path) -> Iterator[Marked]:
    """Every picture below a folder, as one without faces: for a teacher to say which of them it is right about."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES:
            yield Marked(path, part_of(path.relative_to(folder)))
