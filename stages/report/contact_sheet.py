"""Writes contact sheets of a run: `sheet.pages` of the faces of all its sources, as JPEGs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from ..layout import CONTACT_SHEET
from ..names import printable
from ..reading.lines import Results, cannot_be_written
from ..reading.order import By, sort_by
from ..reading.words import counted
from ..results.manifest import Manifest
from .cut import NO_PICTURES, Cut, cut_faces
from .gathering import gather
from .sheet import SIDE, Shot, page_count, pages, shots

QUALITY = 88


def write_contact_sheet(
    folder: Path,
    results: Sequence[Results],
    manifest: Manifest,
    order: Sequence[By] = (),
    most_people: int = 40,
    spec: str | None = None,
    blur: bool = False,
) -> Iterator[str]:
    """Write the pages into a folder, and remove those of an earlier sheet that had more; says what was written.

    `spec`, `blur`: as `cut_faces` has them. Raises `ResultsError`.
    """
    faces: list[tuple[Shot, bytes | None]] = []
    for one in results:
        gathered = gather(one, most_people)
        every = list(shots(gathered, names_source=len(results) > 1))
        cut = cut_faces(one, gathered.source, [shot.moment for shot in every], manifest, spec, blur, SIDE, False)
        yield from cut.said
        if every and not cut.pictures:
            yield NO_PICTURES
        if others := gathered.still_faces - len(gathered.stills):
            yield f"The first {len(gathered.stills):,} faces of {gathered.source} are on it; {others:,} are not."
        faces += ((shot, _jpeg(cut, shot)) for shot in every)
    if not faces:
        yield "No face was found, so there is no contact sheet."
        return
    faces = sort_by(order, faces, lambda face: face[0].cells)
    written = _write(folder, faces, manifest)
    upto = f" to {written[-1].name}" if len(written) > 1 else ""
    yield f"Wrote {written[0]}{upto}: {counted(len(faces), 'face', 'faces')}."


def _jpeg(cut: Cut, shot: Shot) -> bytes | None:
    picture = cut.pictures.get(shot.moment)
    return None if picture is None else picture.jpeg


def _write(folder: Path, faces: Sequence[tuple[Shot, bytes | None]], manifest: Manifest) -> list[Path]:
    whole, written, count = folder / CONTACT_SHEET, [], page_count(len(faces))
    for number, page in enumerate(pages(printable(folder.resolve().name), faces), 1):
        path = whole if count == 1 else whole.with_stem(f"{whole.stem}-{number:0{len(str(count))}}")
        _, jpeg = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        try:
            manifest.write(path, jpeg.tobytes())
        except OSError as error:
            raise cannot_be_written(path, error) from error
        written.append(path)
    names = {path.name for path in written}
    for path in manifest.files():
        is_page = re.fullmatch(rf"{whole.stem}(-\d+)?{whole.suffix}", path.name) and path.parent == folder
        if is_page and path.name not in names:
            manifest.remove(path)
    return written
