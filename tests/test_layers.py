"""Who may import whom: a package knows only the layers below its own, and no modules import each other in a circle.

Every import counts, also one in a function or under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

STAGES = Path(__file__).resolve().parents[1] / "stages"

# From below. Packages and modules of one row do not know of each other.
LAYERS = (
    "exit_status project",
    "areas backoff decimals dependencies errors kinds layout locks time_of_day",
    "answers",
    "frames names",
    "protocol",
    "config delivery",
    "sources transport vision",
    "results",
    "sinks stored supervision trace view",
    "capturing reading streams",
    "people",
    "export rendering report",
    "plan",
    "analyst connect program",
    "attribute capture card detect render",
    "age emotion gender",
    "running",
    "replay run",
    "archive",
    "embedded service",
    "api",
    "serving",
    "serve",
    "deploying",
    "commands",
)
RANKS = {name: rank for rank, row in enumerate(LAYERS) for name in row.split()}


def test_a_package_imports_only_from_the_layers_below_it():
    upwards = {
        (module, other)
        for module, others in imports().items()
        for other in others
        if _package(module) != _package(other) and RANKS[_package(other)] >= RANKS[_package(module)]
    }
    assert upwards == set()


def test_no_modules_import_each_other_in_a_circle():
    TopologicalSorter(imports()).prepare()  # It raises for a circle, and names its modules.


def test_the_stages_import_nothing_of_bench_train_and_tests():
    for path in STAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {name.partition(".")[0] for name in named} & {"bench", "stages", "tests", "train"}, path


@cache
def imports() -> dict[str, set[str]]:
    """Every module below `stages`, by its name there, with those that it imports; a package is its `__init__`."""
    paths = {_name(path): path for path in STAGES.rglob("*.py") if path != STAGES / "__init__.py"}
    return {name: set(_imported_by(paths[name], paths)) - {name} for name in sorted(paths)}


def _imported_by(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*path.relative_to(STAGES).parts[: -node.level], *(node.module or "").split("."))
            base = ".".join(filter(None, base))
            for alias in node.names:  # A module of the package that is named, or something in it.
                yield next(m for m in (f"{base}.{alias.name}".lstrip("."), base) if m in known)


def _name(path: Path) -> str:
    return ".".join(path.relative_to(STAGES).with_suffix("").parts).removesuffix(".__init__")


def _package(module: str) -> str:
    return module.partition(".")[0]
