"""The measurement of simulated cameras, on a few of them, and the arithmetic of a fleet."""

from __future__ import annotations

import json

import psutil
import pytest

from bench import cameras, fleet
from bench.fleet import Costs, Node, cameras_by_resource, cameras_of_a_run, nodes, play
from bench.options import BenchError

COSTS = Costs(
    measured="by hand",
    picture="with one face",
    cpu_ms_a_frame=28.0,
    render_ms_a_frame=7.0,
    memory_mb_a_camera=100.0,
    memory_mb_a_run=400.0,
    network_kb_a_frame=50.0,
    disk_kb_a_frame=20.0,
)


def test_a_machine_holds_what_its_scarcest_resource_is_enough_for():
    held = cameras_by_resource(Node(cores=2, memory_gb=8, network_mbit_s=100, disk_mb_s=100), COSTS, rate=5)
    assert cameras_of_a_run(COSTS, rate=5) == 20
    assert held == {"processor": 10, "memory": 46, "network": 35, "disk": 700}
    assert nodes(1000, held) == 100
    assert nodes(1001, held) == 101
    with pytest.raises(BenchError, match="processor"):
        nodes(1, cameras_by_resource(Node(cores=1, memory_gb=8, network_mbit_s=100, disk_mb_s=100), COSTS, rate=50))


def test_a_machine_below_its_capacity_drops_nothing_and_one_above_it_the_rest():
    assert play(10, rate=5, cores=2, ms_a_frame=28, window=16).dropped == 0  # 0.7 of it
    above = play(28, rate=5, cores=2, ms_a_frame=28, window=16)  # nearly twice as much
    assert 0.4 < above.dropped < 0.5
    assert above.latency_ms_p95 > 1000


def test_costs_that_cannot_be_read_are_one_sentence(tmp_path, capsys):
    COSTS.write(tmp_path / "costs.json", 640)
    COSTS.write(tmp_path / "costs.json", 320)
    assert list(Costs.read(tmp_path / "costs.json")) == ["320", "640"]
    assert fleet.main(["--costs", str(tmp_path / "costs.json")]) == 0
    assert "| **10**    |" in capsys.readouterr().out  # what two cores hold
    (tmp_path / "costs.json").write_text("{}}")
    assert fleet.main(["--costs", str(tmp_path / "costs.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.long
def test_cameras_are_measured_with_the_real_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cameras, "SETTLING_S", 1.0)
    costs = tmp_path / "costs.json"
    words = ["--cameras", "2", "--minutes", "0.1", "--width", "320", "--rate", "4", "--costs", str(costs)]
    assert cameras.main([*words, "--set", "stages.detect.replicas=1"]) in (0, 1)  # memory may still grow so early
    table = capsys.readouterr().out
    assert "| finished" in table and "| render, processor" in table
    measured = json.loads(costs.read_text())["320"]
    assert 1 < measured["cpu_ms_a_frame"] < 500
    assert 10 < measured["memory_mb_a_camera"] < 300
    assert 2 < measured["network_kb_a_frame"] < 100
    assert psutil.Process().children(recursive=True) == []
