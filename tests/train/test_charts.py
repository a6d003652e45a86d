"""Names and numbers of the charts stand where the data is; asked of matplotlib before it saves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from matplotlib.figure import Figure  # noqa: E402

from docs.model_pictures import draw_groups  # noqa: E402
from train.report import draw_confusion  # noqa: E402


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws by a function that would save, and gives back the figure."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (figures.append(figure), path.write_bytes(b"")))

    def draw(function, *arguments):
        function(*arguments, tmp_path / "chart.png")
        return figures.pop()

    return draw


def words(labels):
    return [label.get_text() for label in labels]


def test_a_confusion_has_the_true_classes_as_rows_and_each_name_at_its_own(drawn):
    """Of four labelled happy, three are called sad: the cell of row happy, column sad."""
    truth, called = np.array([0, 1, 1, 1, 1, 2]), np.array([0, 2, 2, 2, 1, 2])
    (axes,) = drawn(draw_confusion, ("angry", "happy", "sad"), called, truth, "emotion").axes
    rows, columns = words(axes.get_yticklabels()), words(axes.get_xticklabels())
    assert axes.get_ylabel() == "labelled" and axes.get_xlabel() == "called"
    (image,) = axes.get_images()
    shares = {(rows[y], columns[x]): image.get_array()[y, x] for y in range(3) for x in range(3)}
    assert shares["happy", "sad"] == 0.75 and shares["sad", "happy"] == 0
    written = {(rows[round(t.get_position()[1])], columns[round(t.get_position()[0])]): t for t in axes.texts}
    assert written["happy", "sad"].get_text() == "75%" and written["happy", "happy"].get_text() == "25%"


def test_in_the_chart_by_group_each_bar_has_its_own_name(drawn):
    groups = [("race Black", np.arange(10) < 5), ("race White", np.arange(10) >= 5)]
    right = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 1], bool)
    (axes,) = drawn(draw_groups, SimpleNamespace(groups=lambda: iter(groups)), right).axes
    middles = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axes.patches}
    names = dict(zip(axes.get_yticks(), words(axes.get_yticklabels()), strict=True))
    assert {names[place]: width for place, width in middles.items()} == {"race Black": 60, "race White": 100}
