"""What the end-to-end tests share: places of their own, a short film, and one run of it that many of them look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import PROJECT, SUBTITLES, Ran, Workplace, somewhere
from tests.end_to_end.material import FACES, scene, write_clip


@pytest.fixture(scope="session", autouse=True)
def models() -> Path:
    """The folder of the project's own models."""
    folder = PROJECT / "models"
    missing = [name for name in ("gender", "emotion", "age") if not (folder / f"{name}.yaml").exists()]
    if missing:
        pytest.skip(f"needs models/{missing[0]}.yaml, which training leaves")
    return folder


@pytest.fixture
def place(tmp_path) -> Iterator[Workplace]:
    """A place for the commands of one test."""
    with somewhere(tmp_path) as here:
        yield here


@pytest.fixture(scope="session")
def film(astronaut, tmp_path_factory) -> Path:
    """32 frames at 25 a second with a tone; `FACES` says how many faces each has."""
    pictures = [scene(astronaut, number) for number in range(len(FACES))]
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", pictures, sound=True)


@pytest.fixture(scope="session")
def slow_film(astronaut, tmp_path_factory) -> Path:
    """32 frames at 4 a second: read at its own speed it lasts as long as any test needs to do something meanwhile."""
    pictures = [scene(astronaut, number) for number in range(len(FACES))]
    return write_clip(tmp_path_factory.mktemp("film") / "slow.mp4", pictures, rate=4)


@pytest.fixture(scope="session")
def endless_film(astronaut, tmp_path_factory) -> Path:
    """As `slow_film`, for a minute: it outlasts several other runs on a busy machine, and is broken off."""
    pictures = [scene(astronaut, number % len(FACES)) for number in range(240)]
    return write_clip(tmp_path_factory.mktemp("film") / "endless.mp4", pictures, rate=4)


@pytest.fixture(scope="session")
def shown(film, tmp_path_factory) -> Ran:
    """The film, run through the default pipeline to its end."""
    with somewhere(tmp_path_factory.mktemp("shown")) as here:
        return here.run(film)


@pytest.fixture(scope="session")
def calm(slow_film, tmp_path_factory) -> Ran:
    """The slow film with subtitles, run undisturbed and as fast as it can be analysed."""
    with somewhere(tmp_path_factory.mktemp("calm")) as here:
        return here.run(slow_film, SUBTITLES)
