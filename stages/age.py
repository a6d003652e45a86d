"""Age of every detected face, by the model that its card names."""

from __future__ import annotations

from .attribute import main
from .program import run_stage

if __name__ == "__main__":
    run_stage(main, stage="age")
