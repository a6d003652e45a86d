"""What the tests of the library share: a place whose leftovers are seen, a short film, a run of pictures."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from stages import api
from tests.end_to_end.material import FACES, scene, write_clip


class Place:
    """Where everything temporary of a test goes, and what names its processes."""

    def __init__(self, folder: Path):
        self.folder = folder

    def processes(self) -> list[psutil.Process]:
        """Those that were started with this place, but for this one."""
        return [process for process in psutil.process_iter() if process.pid != os.getpid() and self._is_here(process)]

    def left(self) -> list:
        """Processes and temporary folders of facepipe that are left."""
        return [*self.processes(), *self.folder.glob("facepipe-*")]

    def _is_here(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get("TMPDIR") == str(self.folder)
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def place(monkeypatch) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="api-"))  # Short: it holds sockets.
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(folder))
    yield Place(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def film(astronaut, tmp_path_factory) -> Path:
    """32 frames at 25 a second; `FACES` says how many faces each has."""
    pictures = [scene(astronaut, number) for number in range(len(FACES))]
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", pictures)


@pytest.fixture(scope="session")
def photographs(astronaut, tmp_path_factory) -> Path:
    """A folder of pictures of several kinds, one face in most."""
    folder = tmp_path_factory.mktemp("photographs")
    two = np.hstack([astronaut, astronaut[:, ::-1]])
    beyond_the_edge = np.ascontiguousarray(astronaut[60:, 180:])
    pictures = {
        "alone.png": astronaut,
        "beyond-the-edge.png": beyond_the_edge,
        "blurred.jpg": cv2.GaussianBlur(astronaut, (0, 0), 6),
        "deep.png": astronaut.astype(np.uint16) * 257,
        "large.jpg": cv2.resize(two, None, fx=3, fy=3),
        "nobody.png": np.full((40, 60, 3), 90, np.uint8),
        "two.jpg": two,
        "clear.png": np.dstack([astronaut, np.full(astronaut.shape[:2], 200, np.uint8)]),
    }
    for name, pixels in pictures.items():
        assert cv2.imwrite(str(folder / name), pixels)
    return folder


@pytest.fixture(scope="session")
def album(photographs, tmp_path_factory) -> Path:
    """The output folder of a run over the photographs."""
    output = tmp_path_factory.mktemp("album") / "out"
    assert len(list(api.stream(photographs, output=output))) == len(list(photographs.iterdir()))
    return output


@pytest.fixture(scope="session")
def shown(film, tmp_path_factory) -> Path:
    """The output folder of a run over the film."""
    output = tmp_path_factory.mktemp("shown") / "out"
    assert len(list(api.stream(film, output=output))) == len(FACES)
    return output
