"""The notebook runs, and prints what it shows."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel: make install-dev")
notebook = pytest.importorskip("docs.run_notebook", reason="needs nbclient and ipykernel: make install-dev")


def test_every_cell_prints_what_the_notebook_shows(tmp_path):
    shown = notebook.printed(nbformat.read(notebook.NOTEBOOK, as_version=4))
    assert any(shown), "it holds no outputs"
    assert notebook.printed(notebook.executed(tmp_path)) == shown, "run python -m docs.run_notebook"
