"""What a large archive takes is arithmetic from measured figures, and docs/scale.md has its outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.clips import portrait_clip
from bench.scale import Cluster, Figures, cores_fed_by_network, hours_taken, limits, main, measured
from stages.project import PROJECT

GB = 1e9
# An hour of film takes a core 3600 s in parts and 400 s for the whole, and moves 4 GB.
FIGURES = Figures("a film", "nowhere", 25.0, 25.0, 100.0, 200.0, 60.0, 40.0, GB, GB / 4, GB / 4, GB / 4)
CLUSTER = Cluster(10, 0.5, GB / 100, GB / 10, 1.0, 360.0)


def test_hours_by_the_clock():
    assert (FIGURES.parts_s, FIGURES.serial_s, FIGURES.core_s) == (3600.0, 400.0, 4000.0)
    assert hours_taken(FIGURES, CLUSTER, hours=900, machines=20) == pytest.approx(10.0)


def test_how_many_cores_network_store_and_driver_feed():
    assert FIGURES.read_bytes + FIGURES.written_bytes == 3 * GB
    assert cores_fed_by_network(FIGURES, CLUSTER) == pytest.approx(4000 / 300)
    assert limits(FIGURES, CLUSTER) == pytest.approx(
        {"the store that all share": 4000 / 30, "the driver, which hands out the parts": 400.0}
    )
    faster = replace(CLUSTER, store_bytes=GB)
    assert next(iter(limits(FIGURES, faster))) == "the driver, which hands out the parts"


def test_the_page_has_the_tables_of_the_program(capsys):
    assert main([]) == 0
    text = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
    _, shown, _ = text.replace("<!-- /bench.scale -->", "<!-- bench.scale -->").split("<!-- bench.scale -->")
    assert shown.strip() == capsys.readouterr().out.strip()


def test_figures_are_measured_by_the_functions_of_the_archive(tmp_path):
    pytest.importorskip("pyarrow")
    figures = measured(portrait_clip(tmp_path / "clip.mp4", 30))
    assert figures.film.startswith("640 x 480 at ") and figures.fps == pytest.approx(30, rel=1e-3)
    assert figures.film_bytes == pytest.approx((tmp_path / "clip.mp4").stat().st_size * 3600, rel=1e-3)
    assert min(figures.frames_per_core_second, figures.parts_s, figures.join_s, figures.tables_s) > 0
    assert figures.results_bytes > figures.parts_bytes > 0
