"""Runs to export, made without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from stages.answers import Classes
from stages.export.__main__ import main
from stages.frames import Face
from tests.report.material import film, followed, written
from tests.results.frames import flat, frame

__all__ = ["answering", "exported", "film", "followed", "main", "shot", "written"]


def shot(count: int, faces_at: Callable[[int], list[Face]], rate: Fraction | float = 25, **more) -> list:
    """So many frames at a rate, with the faces of each."""
    return [frame(n, flat(96, 64), faces_at(n), time=float(n / rate), **more) for n in range(count)]


def answering(number: int, label: str, stage: str = "emotion") -> Face:
    """A person of whom a stage says this."""
    answers = followed(number).answers | {stage: Classes(label, 0.8, {label: 0.8})}
    return replace(followed(number), answers=answers, smoothed=answers)


def exported(folder: Path, frames: list, *options: str) -> Path:
    """The folder of what the command has made of a run with these frames."""
    written(folder, frames)
    assert main([str(folder), *options]) == 0
    return folder / "export"
