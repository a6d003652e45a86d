"""Builds the documentation as a site into out/site: python -m docs.make_site, or make site"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONFIGURATION = PROJECT / "docs" / "mkdocs.yml"
# What the pages link to, beside docs/ itself.
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "constraints.txt", "pipeline.yaml")


def build(site: Path) -> str:
    """Write the site into a folder, which is replaced; what the generator says if it finds fault, else nothing.

    A link to a page or an anchor that is not there is a fault, and then the folder stays as it is.
    """
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        copy_pages(pages)
        shutil.copy(CONFIGURATION, folder)
        # A process of its own: the generator keeps a cache in the current folder.
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", CONFIGURATION.name]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if ran.returncode:
            # It colours its words for files too, and ends with a traceback whose last line alone says something.
            words = re.sub(r"\x1b\[[\d;]*m", "", ran.stdout + ran.stderr).strip()
            return words.partition("Traceback ")[0] + words.splitlines()[-1]
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(Path(folder) / "site", site)
    return ""


def copy_pages(folder: Path) -> None:
    """Put the pages where they are in the project, relative to each other, so that no link has to be rewritten."""
    no_pages = shutil.ignore_patterns("*.py", "__pycache__", CONFIGURATION.name)
    shutil.copytree(PROJECT / "docs", folder / "docs", ignore=no_pages)
    for name in BESIDE:
        shutil.copy(PROJECT / name, folder)
    for page in folder.rglob("*.md"):
        # GitHub takes the tables inside for Markdown anyway; Python-Markdown has to be told.
        text = page.read_text(encoding="utf-8").replace("<details>", '<details markdown="1">')
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if faults := build(PROJECT / "out" / "site"):
        sys.exit(faults)
    print("Wrote out/site; open out/site/index.html, or for its search: python -m http.server -d out/site")
