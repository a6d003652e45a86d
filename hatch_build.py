"""Puts everything that the program needs into one package: in the wheel `stages` and the rest lie in `facepipe/`."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSIDE = ("stages", "models", "pipeline.yaml", "docs/facepipe.service", "docs/grafana.json")
# `python -m train` in a checkout is a package beside `stages`, so it cannot name it relatively.
OUTSIDE = re.compile(r"(^\s*(?:from|import) |python -m )(stages|train)\b", re.MULTILINE)


class PackageLayout(BuildHookInterface):
    """Hatchling's hook for the wheel; an editable installation uses the checkout as it is."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Name what is to be packed beside `facepipe/` itself, and where."""
        if version == "editable":
            return
        root, self._made = Path(self.root), Path(tempfile.mkdtemp())
        for path in sorted((root / "train").rglob("*.py")):
            copy = self._made / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(OUTSIDE.sub(r"\1facepipe.\2", path.read_text(encoding="utf-8")), encoding="utf-8")
        build_data["force_include"] |= {str(root / name): f"facepipe/{name}" for name in INSIDE}
        build_data["force_include"][str(self._made / "train")] = "facepipe/train"

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Remove the copies."""
        if version != "editable":
            shutil.rmtree(self._made)
