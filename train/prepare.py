"""Convert published data sets into one compact cache each.

    python -m train.prepare DATA_DIR                     every data set found below DATA_DIR, into data/
    python -m train.prepare DATA_DIR utkface fer2013     only these
    python -m train.prepare imdb --mat imdb.mat          IMDB-WIKI, filtered, into imdb.npz; wiki.mat into wiki.npz
    python -m train.prepare folders photos/glasses       an attribute of your own: one subfolder per class
    python -m train.prepare folders photos/glasses --detector haar    from whole photographs
    python -m train.prepare kaggle fer2013 --into sets   download first; needs your key
    python -m train.prepare boxes photos/wider           photographs with boxes of faces, for the detector
    python -m train.prepare boxes textures --without-faces --teacher yunet.onnx


DATA_DIR contains fer2013/ (fer2013.csv, or train/ and test/ with a folder for each emotion; FER+'s fer2013new.csv next
to it), UTKFace/, fairface/ (with val_wide/ or train_wide/ also fairface_wide), web/, All-Age-Faces Dataset/ or jaffe/.
`boxes` reads WIDER FACE as published, YOLO, COCO, VOC, or one boxes.csv. A teacher (YuNet's file) adds the five
landmarks of each face. Faces that the teacher is sure of and nobody has marked are ignored in training.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.errors import FacepipeError
from stages.vision.detectors import DETECTORS
from train.data import PARTS, DataError, read_cache, write_cache
from train.detection.data import write
from train.detection.teacher import YuNetTeacher, faceless, taught
from train.download import KAGGLE, download
from train.files import disk_errors
from train.loaders import APART_FROM, READERS, Read, read_folders, read_imdb
from train.loaders.photographs import layout_of, photographs, read_plain
from train.overlap import held_out_in


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command = COMMANDS.get(arguments[0]) if arguments else None
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m train.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("data"), help="the folder for the caches (data)")
    lines = (command or of_data_dir)(parser, arguments[1:] if command else arguments)
    try:
        with disk_errors(Path()):
            for line in lines:
                print(line, flush=True)
    except FacepipeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def of_data_dir(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(READERS)} (all that exist)")
    options = parser.parse_args(arguments)
    return prepare(options.data_dir, options.names, options.out)


def of_imdb(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    parser.add_argument("--mat", type=Path, required=True, help="imdb.mat or wiki.mat")
    parser.add_argument("--pictures", type=Path, help="the folder that its paths are relative to (that of the .mat)")
    options = parser.parse_args(arguments)
    name, read = read_imdb(options.mat, options.pictures)
    yield from apart(name, read, APART_FROM, options.out)
    yield written(name, options.mat, read, options.out)


def of_folders(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", help="name of the attribute (that of the folder)")
    parser.add_argument("--detector", choices=DETECTORS, help="find the faces; by default each picture is a face")
    options = parser.parse_args(arguments)
    name = options.name or options.folder.resolve().name
    yield written(name, options.folder, read_folders(options.folder, name, options.detector), options.out)


def of_kaggle(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    parser.add_argument("name", help=f"one of {', '.join(KAGGLE)}")
    parser.add_argument("--into", type=Path, required=True, metavar="DATA_DIR")
    options = parser.parse_args(arguments)
    yield download(options.name, options.into)
    yield from prepare(options.into, [options.name], options.out)


def of_boxes(parser: argparse.ArgumentParser, arguments: list[str]) -> Iterator[str]:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", help="name of the data set (that of the folder)")
    parser.add_argument(
        "--classes", help="only boxes of these classes, such as face,mask; for YOLO their numbers (all)"
    )
    parser.add_argument("--longest-side", type=int, default=832, help="pixels; larger pictures are reduced (832)")
    parser.add_argument("--without-faces", action="store_true", help="pictures without faces, in any folders")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="the .onnx file of YuNet")
    options = parser.parse_args(arguments)
    name = options.name or options.folder.resolve().name
    classes = tuple(filter(None, (options.classes or "").split(",")))
    layout, pictures = (
        ("plain", read_plain(options.folder)) if options.without_faces else layout_of(options.folder, classes)
    )
    skipped = Counter()
    found = photographs(pictures, options.longest_side, skipped)
    if options.teacher:
        teacher = YuNetTeacher(options.teacher)
        found = faceless(found, teacher, skipped) if options.without_faces else taught(found, teacher)
    options.out.mkdir(parents=True, exist_ok=True)
    parts = write(options.out / f"{name}.npz", found)
    if not parts:
        raise DataError(f"{options.folder}: holds no usable picture ({account(+skipped)}).")
    counts = ", ".join(f"{parts[part]} {part}" for part in PARTS)
    yield f"{name}: {parts.total()} pictures of {layout} ({counts}); {account(+skipped)} -> {options.out / name}.npz"


COMMANDS = {"imdb": of_imdb, "folders": of_folders, "kaggle": of_kaggle, "boxes": of_boxes}


def prepare(data_dir: Path, names: list[str], out: Path) -> Iterator[str]:
    """Write the caches; yield one line for each with what was read and what was skipped."""
    folders = ", ".join(dict.fromkeys(reader.folder for reader in READERS.values()))
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: no such folder; name the one that holds {folders}.")
    if unknown := [name for name in names if name not in READERS]:
        raise DataError(f"{unknown[0]!r} is not a data set; write one of {', '.join(READERS)}.")
    chosen = names or [name for name, reader in READERS.items() if reader.is_in(data_dir)]
    if not chosen:
        raise DataError(f"{data_dir}: holds none of {folders}; see the top of train/prepare.py.")
    for name in chosen:
        folder = data_dir / READERS[name].folder
        read = READERS[name].read(folder)
        yield from apart(name, read, READERS[name].apart_from, out)
        yield written(name, folder, read, out)


def apart(name: str, read: Read, others: tuple[str, ...], out: Path) -> Iterator[str]:
    """Leave out what other data sets hold out; a line for each of them that is not prepared."""
    for other in others:
        if not leave_out_held_out(read, other, out):
            yield f"{name}: not compared with {other}, which is not prepared; prepare both to train on both"


def leave_out_held_out(read: Read, other: str, out: Path) -> bool:
    """Leave out, and count, what another cache holds out; False if that is not there."""
    path = out / f"{other}.npz"
    if not path.is_file():
        return False
    if not read.rows:
        return True
    boxes = np.array([row["boxes"] for row in read.rows])
    held_out = held_out_in(read_cache(path), [row["pictures"] for row in read.rows], boxes)
    read.rows = [row for row, leave_out in zip(read.rows, held_out, strict=True) if not leave_out]
    if held_out.any():
        read.skipped[f"like a picture that {other} holds out"] += int(held_out.sum())
    return True


def written(name: str, origin: Path, read: Read, out: Path) -> str:
    """Write one cache; the line says what is in it and what was left out."""
    if not read.rows:
        raise DataError(f"{origin}: holds no usable picture ({account(read.skipped)}).")
    arrays = read.arrays()
    out.mkdir(parents=True, exist_ok=True)
    write_cache(out / f"{name}.npz", arrays)
    counts = np.bincount(arrays["part"], minlength=len(PARTS))
    parts = ", ".join(f"{count} {part}" for count, part in zip(counts, PARTS, strict=True))
    return f"{name}: {len(read.rows)} pictures ({parts}); {account(read.skipped)} -> {out / f'{name}.npz'}"


def account(skipped: Counter) -> str:
    if not skipped:
        return "none skipped"
    return "skipped " + ", ".join(f"{count} ({reason})" for reason, count in sorted(skipped.items()))


if __name__ == "__main__":
    sys.exit(main())
