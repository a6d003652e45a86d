"""Stages on several machines; here the machines are two addresses of the loopback, with real keys between them."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

import run_pipeline
from stages.transport.curve import new_pair
from stages.transport.keys import make_keys
from tests.end_to_end.command import Ran, Running, Workplace, eventually, raw
from tests.end_to_end.material import FACES
from tests.sinks.clips import frames_in

STAGES = "stages: {detect: {host: shed, replicas: 1}, gender: {}, emotion: {host: shed}, age: {host: [desk, shed]}}"


class Machines:
    """A configuration with two hosts, desk and shed, and commands on either."""

    def __init__(self, place: Workplace, *lines: str):
        self.place, self.config = place, place.folder / "two.yaml"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = 2000 + free.getsockname()[1] % 30_000  # Ports from where they are given away could be taken again.
        hosts = "hosts: {desk: {address: 127.0.0.1}, shed: {address: 127.0.0.2}}"
        self.config.write_text("\n".join([f"port: {port}", hosts, "keys: keys", *lines, ""]))
        make_keys(place.folder / "keys", ("desk", "shed"), new_pair)

    def on(self, host: str, source: Path | None, *options: str, **places) -> Running:
        """Give the command on one of the machines, each with a folder of its own for its outputs."""
        places = {"output": host, **places}
        return self.place.start(source, "--host", host, "--detector", "haar", *options, config=self.config, **places)


@pytest.mark.parametrize(("first", "encoding"), [pytest.param("desk", "png", marks=pytest.mark.long), ("shed", "raw")])
def test_a_run_over_two_machines_is_that_on_one_whichever_is_started_first(place, film, shown: Ran, first, encoding):
    machines = Machines(place, STAGES, f"frames: {{encoding: {encoding}}}")
    options = {"desk": [], "shed": ["--once"]}
    runs = {first: machines.on(first, film, *options[first])}
    other = ({"desk", "shed"} - {first}).pop()
    runs[first].until(lambda: len(place.stages()) >= 3, "the stages of the first machine")
    runs[other] = machines.on(other, film, *options[other])
    ended = {host: run.end(alone=False) for host, run in runs.items()}
    assert {host: ran.status for host, ran in ended.items()} == {"desk": 0, "shed": 0}, [r.err for r in ended.values()]
    assert place.processes() == [] and list(place.runtime.iterdir()) == []
    assert ended["desk"].results == shown.results
    assert ended["desk"].summary["refused"] == {}
    assert not (ended["shed"].output / "results.jsonl").exists()


def test_sources_may_be_read_on_several_machines_through_the_same_workers(place, film, slow_film, shown: Ran):
    sources = f"sources: {{door: {film}, yard: {slow_film}}}"
    machines = Machines(place, sources, "capture: {host: {yard: shed}}", "stages: {detect: {}, gender: {}, age: {}}")
    desk, shed = machines.on("desk", None), machines.on("shed", None)
    read, ran = shed.end(alone=False), desk.end()
    assert (ran.status, read.status) == (0, 0), ran.err + read.err
    assert read.out.splitlines()[-1].startswith("32 frames read")
    lines = [(ran.output / name / "results.jsonl").read_bytes().splitlines() for name in ("door", "yard")]
    assert [[len(json.loads(line)["faces"]) for line in of_source] for of_source in lines] == [FACES, FACES]
    assert {source["source"]: source["captured"] for source in ran.summary["sources"]} == {"door": 32, "yard": 32}


@pytest.mark.long
def test_a_frame_that_a_stage_on_another_machine_does_not_survive_is_given_up(place, film, shown: Ran):
    stages = "stages: {detect: {host: shed, replicas: 1}, gender: {}, emotion: {}, age: {host: shed}}"
    chaos = "chaos: {age: {crash_at: [9]}, detect: {crash_at: [20]}}"
    machines = Machines(place, stages, chaos, "frames: {encoding: png}")
    shed, desk = machines.on("shed", None, "--once"), machines.on("desk", film)
    helped, ran = shed.end(alone=False), desk.end()
    assert (ran.status, helped.status) == (0, 0), ran.err + helped.err
    marked = [
        (n, line.get("missing"), line.get("error"))
        for n, line in enumerate(ran.lines)
        if {"missing", "error"} & line.keys()
    ]
    assert marked == [(9, ["age"], None), (20, None, "detect ended 3 times at this frame")]
    clean = [n for n in range(len(FACES)) if n not in (9, 20)]
    assert [raw(ran.lines[n]) for n in clean] == [raw(shown.lines[n]) for n in clean]


@pytest.mark.parametrize(
    "lost",
    [["shed"], pytest.param(["desk"], marks=pytest.mark.long), pytest.param(["shed", "desk"], marks=pytest.mark.long)],
    ids=["that of capture", "that of render", "both"],
)
def test_a_whole_machine_that_is_lost_and_comes_back_costs_nothing(place, slow_film, calm: Ran, lost):
    """Its launcher is killed and takes its processes with it; then the same command is given again, with --resume."""
    stages = "stages: {detect: {host: [desk, shed], replicas: 1}, gender: {}, emotion: {}, age: {host: shed}}"
    machines = Machines(place, stages, "capture: {host: shed}", "frames: {encoding: png}", "pace: true")
    runs = {host: machines.on(host, slow_film) for host in ("shed", "desk")}
    runs["desk"].until_lines(8)
    for host in lost:
        runs[host].signal(signal.SIGKILL).end(alone=False)
    left = sum({"shed": 3, "desk": 4}[host] for host in runs if host not in lost)
    eventually(lambda: len(place.stages()) == left, "the end of the processes of the lost machine")
    for host in lost:
        runs[host] = machines.on(host, slow_film, "--resume")
    ended = {host: run.end(alone=False) for host, run in runs.items()}
    assert {host: ran.status for host, ran in ended.items()} == {"shed": 0, "desk": 0}, [r.err for r in ended.values()]
    assert place.processes() == []
    assert ended["desk"].results == calm.results
    assert frames_in(ended["desk"].output / "annotated/slow.mp4") == len(FACES)


@pytest.mark.long
def test_a_machine_with_another_key_is_refused_and_the_run_is_not_disturbed(place, endless_film, tmp_path):
    machines = Machines(place, "stages: {detect: {}, gender: {host: [desk, shed]}}")
    run = machines.on("desk", endless_film, "--set=pace=true").until_lines(3)
    theirs = machines.on("shed", None, "--make-keys", str(tmp_path / "theirs")).end(alone=False).succeeded()
    assert f"  on shed: {tmp_path}/theirs/shed.secret (chmod 600) and {tmp_path}/theirs/*.public" in theirs.out
    keys = place.folder / "keys"
    (tmp_path / "theirs/desk.public").write_bytes((keys / "desk.public").read_bytes())
    unknown_peer = machines.on("shed", None, f"--set=keys={tmp_path / 'theirs'}")
    refusal = "a peer at 127.0.0.1 was refused: its key is not known"
    run.until(lambda: refusal in run.err, "the refusal")
    unknown_peer.until(lambda: "refuses this machine" in unknown_peer.err, "the rejected machine saying so")
    run.until_lines(run.line_count + 4)
    assert run.err.count(refusal) <= 2  # once by capture, once by render
    assert unknown_peer.signal(signal.SIGINT).end(alone=False).status == 130
    ran = run.signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    assert ran.summary["refused"]["a peer without a known key"] >= 2
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))


def test_without_keys_or_on_the_wrong_machine_nothing_is_started(place, film, capsys):
    machines = Machines(place, STAGES)
    ran = place.stage("detect", "--config", str(machines.config), "--host", "desk").end()
    assert (ran.status, "this pipeline has no detect on the host desk" in ran.complaint) == (2, True)
    (place.folder / "keys/desk.secret").unlink()
    assert run_pipeline.main(["--config", str(machines.config), "--host", "desk", str(film)]) == 2
    assert f"{place.folder}/keys/desk.secret does not exist; copy it here" in capsys.readouterr().err
