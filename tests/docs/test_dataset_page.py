"""The programs of docs/dataset.md run over a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.archive.dataset import Tables
from stages.plan import read_pipeline
from tests.docs.test_docs import TEXTS, blocks
from tests.report.material import film, followed, written

PROGRAMS = {block.split()[1].partition(".")[0]: block for block in blocks(TEXTS["docs/dataset.md"], "python")}


@pytest.fixture
def results() -> Path:
    """The data set of two films in the working directory."""
    pytest.importorskip("pyarrow")
    tables, dataset = Tables.of(*read_pipeline(None)), Path("results/dataset")
    for name, emotion in (("2024/a.mp4", "happy"), ("b.mp4", "sad")):
        tables.add(written(Path(name), film(300, followed(1, emotion=emotion))), name, dataset)
    return dataset


def test_duckdb_finds_the_minute_in_which_people_smile_most(results, capsys):
    pytest.importorskip("duckdb")
    exec(PROGRAMS["duckdb"], {})
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines() if ".mp4" in line]
    assert [(film, minute, people) for film, minute, _, people in rows] == [
        ("2024/a.mp4", "0.0", "1"),
        ("b.mp4", "0.0", "1"),
    ]


def test_pyarrow_finds_who_was_in_view_for_long(results, capsys):
    exec(PROGRAMS["pyarrow"], {})
    assert capsys.readouterr().out.count("'seconds': 12.0") == 2


@pytest.mark.long
def test_ray_data_adds_up_by_age(results, capsys, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
    try:
        exec(PROGRAMS["ray"], {})
    finally:
        ray.shutdown()
    assert "30-39" in capsys.readouterr().out
