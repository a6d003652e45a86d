"""axe-core, which finds what a page lacks for keyboards and screen readers. It is no part of facepipe."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from tests.browser import Tab


def _found() -> Path | None:
    if given := os.environ.get("AXE_CORE"):
        return Path(given)
    package = find_spec("axe_core_python")
    return Path(package.origin).parent / "axe.min.js" if package and package.origin else None


AXE = _found()


def violations(tab: Tab) -> list[str]:
    """What is wrong, a line for each element: the rule, its place, and why."""
    tab.tell("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
    answer = tab.tell("Runtime.evaluate", expression="axe.run()", awaitPromise=True, returnByValue=True)
    return [
        f"{found['id']}: {node['target']}: {node['failureSummary']}"
        for found in answer["result"]["value"]["violations"]
        for node in found["nodes"]
    ]
