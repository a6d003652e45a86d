"""Contact sheets, made by the command and looked at as pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stages.answers import Age
from stages.frames import FinishedFrame
from stages.report.__main__ import main
from stages.report.gathering import gather
from stages.report.sheet import COLUMNS, ROWS, SIDE, shots
from stages.results.jsonl import as_line
from tests.report.material import film, followed, recorded, said, still, written

PAGE = COLUMNS * ROWS


def aged(number: int, years: float) -> FinishedFrame:
    return still(number, age=Age(years, years - 5, years + 5, ""))


def sheet(folder, *options: str) -> np.ndarray:
    assert main([str(folder), "--contact-sheet", *options]) == 0
    return cv2.imread(str(folder / "contact-sheet.jpg"))


def coloured(folder, *ages: float):
    """Results whose pictures are the brighter, the older who is in them."""
    recorded(folder, [aged(number, age) for number, age in enumerate(ages)])
    for number, age in enumerate(ages):
        cv2.imwrite(str(folder / "annotated" / f"{number}.png"), np.full((64, 96, 3), 2 * age, np.uint8))
    return folder


def first_row(page: np.ndarray, count: int) -> list[np.ndarray]:
    """The faces in it: what is nowhere as bright as paper for `SIDE` rows."""
    is_dark = page[:, 34:190].mean(axis=(1, 2)) < 240
    top = next(y for y in range(len(is_dark) - SIDE) if is_dark[y : y + SIDE].all())
    return [page[top : top + SIDE, 32 + n * (SIDE + 16) :][:, :SIDE] for n in range(count)]


def brightness(page: np.ndarray, count: int) -> list[int]:
    """Of the faces in the first row, in the middle of each."""
    return [round(float(face[SIDE // 2, SIDE // 2].mean()) / 2) for face in first_row(page, count)]


def test_every_face_is_on_the_sheet_in_the_order_that_is_asked_for(tmp_path, capsys):
    folder = coloured(tmp_path, 40, 10, 90)
    assert brightness(sheet(folder), 3) == [40, 10, 90]
    assert brightness(sheet(folder, "--sort", "age"), 3) == [10, 40, 90]
    assert brightness(sheet(folder, "--sort", "age:desc"), 3) == [90, 40, 10]
    assert f"Wrote {folder / 'contact-sheet.jpg'}: 3 faces." in capsys.readouterr().out
    assert not (folder / "report.html").exists()


def test_what_does_not_fit_on_a_page_is_on_the_next_and_pages_of_before_go(tmp_path, capsys):
    frames = [aged(number, 30) for number in range(2 * PAGE + 1)]
    folder = said(written(tmp_path, frames))
    (folder / "contact-sheet-9.jpg").write_bytes(b"of someone else")
    assert main([str(folder), "--contact-sheet"]) == 0
    assert "contact-sheet-1.jpg to contact-sheet-3.jpg: 201 faces." in capsys.readouterr().out
    heights = [cv2.imread(str(folder / f"contact-sheet-{n}.jpg")).shape[0] for n in (1, 2, 3)]
    assert heights[0] == heights[1] > heights[2]
    written(folder, frames[:2])
    sheet(folder)
    assert sorted(path.name for path in folder.glob("contact*")) == ["contact-sheet-9.jpg", "contact-sheet.jpg"]


def test_who_is_in_a_video_is_on_the_sheet_once(tmp_path, capsys):
    sheet(recorded(tmp_path, film(30, followed(1), followed(7, x=50.0))), "--sort", "gender")
    assert "2 faces" in capsys.readouterr().out


def test_after_a_run_with_blur_and_with_blur_nobody_is_recognised_on_the_sheet(tmp_path):
    def detail(page: np.ndarray) -> float:
        return float(cv2.Laplacian(first_row(page, 1)[0], cv2.CV_64F).var())

    folder = recorded(tmp_path, [aged(0, 30)])
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    cv2.imwrite(str(folder / "annotated" / "0.png"), noise)
    shown = detail(sheet(folder))
    assert detail(sheet(folder, "--blur")) < shown / 3
    said(folder, "pixelate")
    assert detail(sheet(folder)) < shown / 3


def test_of_several_sources_each_face_says_which_it_is_from(tmp_path):
    gathered = gather([replace(one, source="door") for one in map(as_line, film(20, followed(1)))], 40)
    [alone], [among_others] = shots(gathered), shots(gathered, names_source=True)
    assert "door" not in alone.lines and among_others.lines == (*alone.lines, "door")
    recorded(tmp_path / "one", film(20, followed(1)))
    for name in ("door", "gate"):
        recorded(tmp_path / "house" / name, film(20, followed(1)))
    assert sheet(said(tmp_path / "house")).shape[0] > sheet(tmp_path / "one").shape[0]  # A line more.


def test_without_a_face_there_is_no_sheet_which_is_said(tmp_path, capsys):
    folder = written(tmp_path, [replace(aged(0, 30), faces=[])])
    assert main([str(folder), "--contact-sheet"]) == 0
    assert "there is no contact sheet" in capsys.readouterr().out
    assert not (folder / "contact-sheet.jpg").exists()


def test_a_file_of_someone_else_in_the_place_of_the_sheet_stays(tmp_path, capsys):
    folder = recorded(tmp_path, [aged(0, 30)])
    (folder / "contact-sheet.jpg").write_bytes(b"mine")
    assert main([str(folder), "--contact-sheet"]) == 2
    assert (folder / "contact-sheet.jpg").read_bytes() == b"mine"
    assert capsys.readouterr().err.startswith("facepipe: ")


@pytest.mark.parametrize("option", ["--contact-sheet", "--csv", "--html"])
def test_an_unknown_column_is_refused(tmp_path, capsys, option):
    assert main([str(recorded(tmp_path, [aged(0, 30)])), option, "--sort", "aeg"]) == 2
    assert "no column aeg to sort by" in capsys.readouterr().err


def test_any_column_of_the_table_sorts_table_sheet_and_page_alike(tmp_path, capsys):
    folder = coloured(tmp_path, 40, 10)
    assert main([str(folder), "--csv", "--contact-sheet", "--html", "--sort", "source,frame:desc,box_x"]) == 0
    assert brightness(cv2.imread(str(folder / "contact-sheet.jpg")), 2) == [10, 40]
