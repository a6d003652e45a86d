"""Where the program lies, as a checkout or installed."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = __package__  # `stages`, under whatever name it is installed
PROJECT = Path(__file__).resolve().parents[1]  # what holds models/ and pipeline.yaml
IMPORT_ROOT = Path(sys.modules[PACKAGE.partition(".")[0]].__file__).resolve().parents[1]  # what sys.path needs
