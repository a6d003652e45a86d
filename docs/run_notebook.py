"""Runs docs/notebook.ipynb and keeps what its cells print: python -m docs.run_notebook"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")


def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of its cells, run in this folder; raises what a cell raises."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(cleanup_kc=True)
    return notebook


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """What each cell prints or ends with, as text."""
    cells = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(_text(output) for output in outputs) for outputs in cells]


def _text(output: nbformat.NotebookNode) -> str:
    return output.text if output.output_type == "stream" else output.data.get("text/plain", "")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(Path(folder))
    for cell in notebook.cells:
        cell.metadata.clear()  # Times of day.
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(notebook, NOTEBOOK)
