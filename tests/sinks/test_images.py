from __future__ import annotations

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.results.errors import OutputError
from stages.results.manifest import Manifest
from stages.results.source_folder import SourceFolder
from stages.sinks.images import write_picture
from tests.results.frames import flat


def read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


def test_pictures_keep_their_place_and_name(tmp_path: Path, astronaut):
    place = SourceFolder.alone(tmp_path)
    for source, file in (*(("folder", f) for f in ("a.jpg", "b/ü.png", "c.bmp", "d.JPEG")), ("portrait.png", None)):
        write_picture(place.still(source, file), astronaut, place.manifest)
    annotated = tmp_path / "annotated"
    written = sorted(str(p.relative_to(annotated)) for p in annotated.rglob("*") if p.is_file())
    assert written == ["a.jpg", "b/ü.png", "c.bmp.png", "d.JPEG", "portrait.png"]
    assert (annotated / "a.jpg").read_bytes()[:2] == (annotated / "d.JPEG").read_bytes()[:2] == b"\xff\xd8"
    assert cv2.PSNR(read(annotated / "a.jpg"), astronaut) > 35
    assert np.array_equal(read(annotated / "b/ü.png"), astronaut)


@pytest.mark.parametrize("size", [(1, 1), (16, 3), (8000, 6000)])
def test_pictures_of_any_size_are_written(tmp_path: Path, size):
    write_picture(tmp_path / "x.jpg", flat(*size), Manifest(tmp_path))
    assert read(tmp_path / "x.jpg").shape == (size[1], size[0], 3)


def test_an_existing_picture_is_replaced_and_stays_whole_when_the_new_one_fails(tmp_path: Path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "x.png"
    write_picture(path, flat(4, 4, 10), Manifest(tmp_path))
    write_picture(path, flat(4, 4, 20), Manifest(tmp_path))
    assert read(path)[0, 0].tolist() == [20, 20, 20]
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="cannot write .*x.png: No space left"):
        write_picture(path, flat(4, 4, 30), Manifest(tmp_path))
    assert read(path)[0, 0].tolist() == [20, 20, 20]


def test_a_picture_too_wide_for_a_jpeg_is_one_sentence(tmp_path: Path):
    with pytest.raises(OutputError, match="at most 65500 pixels a side and this picture is 70000 x 1"):
        write_picture(tmp_path / "x.jpg", flat(70_000, 1), Manifest(tmp_path))
    write_picture(tmp_path / "x.png", flat(70_000, 1), Manifest(tmp_path))


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "annotated").write_text("a file")
    with pytest.raises(OutputError, match="cannot write .*a.jpg: .*--output"):
        write_picture(tmp_path / "annotated" / "a.jpg", flat(4, 4), Manifest(tmp_path))
