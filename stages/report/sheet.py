"""Contact sheets: faces in a grid with what is said of them, as pictures to print or to look through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..answers import Answer
from ..frames import UNSURE
from ..names import printable
from ..reading.order import Cell
from ..reading.over_time import Moment
from ..reading.tables import cells_of
from ..view.overlay.text import line_height, text_mask
from .gathering import Gathered
from .person import Person

COLUMNS, ROWS = 10, 10  # faces of a page
SIDE = 160  # pixels of a face
_GAP, _MARGIN = 16, 32
_CAPITAL, _TITLE = 9, 14  # height of capitals
_LINE = line_height(_CAPITAL) + 3
_LINES = 6  # below a face at most
_PAPER, _INK, _EMPTY = 255, 40, 235


@dataclass(frozen=True, slots=True)
class Shot:
    """A face of a picture, or a person of a video where the face is seen best."""

    moment: Moment
    lines: tuple[str, ...]
    cells: dict[str, Cell]  # what it is sorted by: columns of tables


def shots(gathered: Gathered, names_source: bool = False) -> Iterator[Shot]:
    """Of everything that the page shows, in its order. `names_source`: where there are others, each has a #1."""
    source = (gathered.source,) if names_source else ()
    for film in gathered.films:
        yield from (_of_person(gathered.source, person, source) for person in film.shown)
    for still in gathered.stills:
        about = UNSURE if still.face.says_unsure else ""
        yield Shot(still.moment, _lines(about, still.face.shown, *source, still.moment.file), still.cells)


def _of_person(source: str, person: Person, named: tuple[str, ...]) -> Shot:
    moment = person.best_moment
    answers = {stage: told.mean for stage, told in person.over_time.items()}
    cells = {"source": source, "file": moment.file, "frame": moment.frame, "time": moment.time, "id": person.id}
    for stage, answer in answers.items():
        cells |= cells_of(stage, answer)
    return Shot(moment, _lines(f"#{person.id}", answers, *named, moment.file), cells)


def _lines(about: str, answers: dict[str, Answer], *where: str | None) -> tuple[str, ...]:
    said = [answer.text(stage) for stage, answer in answers.items()][: _LINES - 2]
    return tuple(filter(None, (about, *said, *(printable(name or "") for name in where))))


def page_count(faces: int) -> int:
    """How many pages so many faces take."""
    return -(-faces // (COLUMNS * ROWS))


def pages(title: str, faces: Sequence[tuple[Shot, bytes | None]]) -> Iterator[np.ndarray]:
    """Pictures, uint8 (H, W, 3) BGR, of `COLUMNS` x `ROWS` faces each, in order; each face with its JPEG."""
    lines = max((len(shot.lines) for shot, _ in faces), default=0)
    count = page_count(len(faces))
    for number in range(count):
        some = faces[number * COLUMNS * ROWS : (number + 1) * COLUMNS * ROWS]
        yield _page(f"{title}  page {number + 1} of {count}" if count > 1 else title, some, lines)


def _page(title: str, faces: Sequence[tuple[Shot, bytes | None]], lines: int) -> np.ndarray:
    columns = min(COLUMNS, max(3, len(faces)))  # The title has room above three.
    across, down = SIDE + _GAP, SIDE + _GAP // 2 + lines * _LINE + _GAP
    top = _MARGIN + line_height(_TITLE) + _GAP
    height = top + -(-len(faces) // columns) * down + _MARGIN - _GAP
    page = np.full((height, 2 * _MARGIN + columns * across - _GAP, 3), _PAPER, np.uint8)
    _write(page, _MARGIN, _MARGIN, title, _TITLE, page.shape[1] - 2 * _MARGIN)
    for place, (shot, jpeg) in enumerate(faces):
        x, y = _MARGIN + place % columns * across, top + place // columns * down
        _draw(page[y : y + SIDE, x : x + SIDE], jpeg)
        for number, line in enumerate(shot.lines):
            _write(page, x, y + SIDE + _GAP // 2 + number * _LINE, line, _CAPITAL, SIDE)
    return page


def _draw(into: np.ndarray, jpeg: bytes | None) -> None:
    """The face as large as it fits, in the middle."""
    into[:] = _EMPTY
    face = None if jpeg is None else cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if face is None:
        _write(into, _GAP, SIDE // 2, "no picture", _CAPITAL, SIDE)
        return
    scale = SIDE / max(face.shape[:2])
    face = cv2.resize(face, [max(1, round(side * scale)) for side in face.shape[1::-1]], interpolation=cv2.INTER_AREA)
    y, x = ((SIDE - side) // 2 for side in face.shape[:2])
    into[y : y + face.shape[0], x : x + face.shape[1]] = face


def _write(page: np.ndarray, x: int, y: int, text: str, capital: int, width: int) -> None:
    """A line of text; of one that is too long the middle is left out."""
    mask, kept = text_mask(text, capital), len(text)
    while mask.shape[1] > width and kept > 2:
        kept -= 1
        mask = text_mask(f"{text[: kept // 2]}...{text[len(text) - (kept - kept // 2) :]}", capital)
    under = page[y : y + mask.shape[0], x : x + min(mask.shape[1], width)]
    under -= ((_PAPER - _INK) * (mask[: under.shape[0], : under.shape[1], None] / 255)).astype(np.uint8)
