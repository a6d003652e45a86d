"""Live face analysis: gender, emotion and age of every face in photographs, videos and cameras.

The command is `facepipe`, or `python -m facepipe`. Nothing is loaded before it is asked for.
"""

import os

_HERE = os.path.dirname(os.path.abspath(__file__))
if not os.path.isdir(os.path.join(_HERE, "stages")):
    # A checkout: `stages` and `train` lie beside this package, and inside it once it is installed.
    __path__.append(os.path.dirname(_HERE))


def __getattr__(name: str) -> object:
    if name == "__version__":
        from .stages.project import VERSION

        return VERSION
    raise AttributeError(f"module {__name__} has no attribute {name}")
