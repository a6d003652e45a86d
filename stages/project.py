"""Where the program lies, as a checkout or installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = __package__  # `stages`, under whatever name it is installed
PROJECT = Path(__file__).resolve().parents[1]  # what holds models/ and pipeline.yaml
IMPORT_ROOT = PROJECT.parents[PACKAGE.count(".") - 1] if "." in PACKAGE else PROJECT  # what sys.path needs
