"""Where the program lies, as a checkout or installed, and how it is called."""

from __future__ import annotations

import sys
from pathlib import Path

VERSION = "0.1.0"
PACKAGE = __package__  # `stages` in a checkout, `facepipe.stages` for the command `facepipe`
PROJECT = Path(__file__).resolve().parents[1]  # what holds models/ and pipeline.yaml
IMPORT_ROOT = Path(sys.modules[PACKAGE.partition(".")[0]].__path__[0]).resolve().parent  # what sys.path needs
IS_CHECKOUT = (PROJECT / "Makefile").is_file()

_IN_A_CHECKOUT = {
    "run": "run_pipeline.py",
    "check": "run_pipeline.py --check",
    "card": "python -m stages.card",
    "connect": "python -m stages.connect",
    "export": "python -m stages.export",
    "people": "python -m stages.people",
    "report": "python -m stages.report",
    "serve": "python -m stages.serve",
}


def command(name: str) -> str:
    """How a command is called as this one was: `facepipe report`, or `python -m stages.report`."""
    return f"facepipe {name}" if "." in PACKAGE else _IN_A_CHECKOUT.get(name, f"python -m facepipe {name}")
