"""Faces in pictures and videos, with gender, emotion and age of each; docs/python.md tells how to use it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

__path__.append(str(Path(__file__).resolve().parents[1]))  # In a checkout `stages` lies beside this folder.

if TYPE_CHECKING:
    from .stages.api import *  # noqa: F403

# What is imported takes half a second: only where it is used.
_API = "facepipe.stages.api"


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module 'facepipe' has no attribute {name!r}")
    return getattr(import_module(_API), name)


def __dir__() -> list[str]:
    return import_module(_API).__all__
