"""Faces in pictures and videos, with gender, emotion and age of each; docs/python.md tells how to use it.

The command is `facepipe`, or `python -m facepipe`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

_HERE = os.path.dirname(os.path.abspath(__file__))
if not os.path.isdir(os.path.join(_HERE, "stages")):
    # A checkout: `stages` and `train` lie beside this package, and inside it once it is installed.
    __path__.append(os.path.dirname(_HERE))

if TYPE_CHECKING:
    from .stages.api import *  # noqa: F403


def __getattr__(name: str) -> object:
    # What is imported takes half a second: only where it is used.
    if name == "__version__":
        from .stages.project import VERSION

        return VERSION
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stages import api

    return getattr(api, name)


def __dir__() -> list[str]:
    from .stages import api

    return api.__all__
