"""Which machine each process runs on, and who is heard for what."""

from __future__ import annotations

import pytest

from stages.config.load import read_config
from stages.config.placement import HERE, Placement
from stages.config.schema import Pipeline
from stages.protocol.messages import (
    ALL,
    TO_CAPTURE,
    TO_RENDER,
    Attribute,
    Drop,
    End,
    FaceCrops,
    Faces,
    Heartbeat,
    SourceHello,
    WorkerHello,
)
from stages.transport.curve import is_authorized

HOSTS = "hosts: {desk: {address: 10.0.0.1}, shed: {address: 10.0.0.2}, barn: {address: 10.0.0.3}}\n"
THREE = read_config(
    HOSTS + "stages: {detect: {host: shed}, gender: {host: barn}, age: {host: [shed, barn]}}\nsource: demo", "p"
)
ID = {"run": "r", "epoch": 1, "source": "demo", "frame": 0}
SPOKEN = {"attempt": 1, "boxes_hash": "ab", "spent": {}}


def hello(stage: str, host: str) -> WorkerHello:
    return WorkerHello(run="r", stage=stage, host=host, replica=0, incarnation=1, card="ab")


def heartbeat(stage: str) -> Heartbeat:
    return Heartbeat(run="r", stage=stage, replica=0, incarnation=1)


def faces() -> Faces:
    return Faces(**ID, **SPOKEN, replica=0, incarnation=1, boxes=[], scores=[], capped=0)


def answers(stage: str) -> Attribute:
    return Attribute(**ID, **SPOKEN, stage=stage, replica=0, incarnation=1, answers=[])


def source_hello(source: str) -> SourceHello:
    return SourceHello(run="r", source=source, epoch=1, live=False)


def test_without_hosts_everything_runs_here():
    placed = Placement.of(Pipeline())
    assert placed.stages_on(HERE) == ["render", "capture", "detect", "gender", "emotion", "age"]
    assert not placed.spans_machines


def test_a_stage_on_two_hosts_has_the_processes_of_both():
    counts = {"detect": 2, "gender": 1, "age": 3}
    assert Placement.of(THREE).everywhere(counts) == {"detect": 2, "gender": 1, "age": 6}


def test_what_has_no_host_runs_on_the_first():
    placed = Placement.of(THREE)
    assert placed.stages_on("desk") == ["render", "capture"]
    assert placed.stages_on("shed") == ["detect", "age"]
    assert placed.stages_on("barn") == ["gender", "age"]
    assert placed.spans_machines


def test_hosts_that_are_not_used_do_not_make_a_run_of_several_machines():
    assert not Placement.of(read_config(HOSTS, "p")).spans_machines


def test_each_of_several_sources_may_be_read_on_a_machine_of_its_own():
    text = HOSTS + "sources: {door: 0, yard: 1, lane: 2}\ncapture: {host: {yard: shed, lane: barn}}"
    placed = Placement.of(read_config(text, "p"))
    assert placed.captures == ("desk", "shed", "barn")
    assert placed.reads("shed", "yard") and not placed.reads("shed", "door")


@pytest.mark.parametrize(
    ("host", "message", "heard"),
    [
        ("shed", hello("detect", "shed"), True),
        ("shed", hello("detect", "desk"), False),  # under another host's name
        ("shed", hello("gender", "shed"), False),
        ("barn", hello("age", "barn"), True),  # one of several hosts of its stage
        ("shed", heartbeat("age"), True),
        ("desk", heartbeat("age"), False),
        ("shed", heartbeat("no such stage"), False),
        ("shed", faces(), True),
        ("barn", faces(), False),
        ("barn", answers("gender"), True),
        ("shed", answers("gender"), False),
        ("desk", source_hello("demo"), True),
        ("shed", source_hello("demo"), False),
        ("shed", Drop(run="r", epoch=1, source="demo", first=0, last=9, stage="detect", reason="spite"), False),
        ("barn", End(run="r", epoch=1, source="demo", frames=1), False),
        ("shed", FaceCrops(**ID, **SPOKEN, faces=0), True),
        ("barn", FaceCrops(**ID, **SPOKEN, faces=0), False),
        ("moon", heartbeat("age"), False),
    ],
)
def test_a_host_is_heard_for_its_own_stages_only(host, message, heard):
    assert is_authorized(Placement.of(THREE), host, message) is heard


def test_everything_that_capture_and_render_listen_to_names_a_stage_or_a_source_or_is_known_to_be_a_workers():
    known = {"hello", "heartbeat", "crops", "isolated", "failed", "faces", "attribute"}
    others = [kind for kind in {*TO_CAPTURE, *TO_RENDER} if kind.kind not in known]
    assert others and all("source" in kind.__struct_fields__ for kind in others)
    assert {*TO_CAPTURE, *TO_RENDER} <= set(ALL)
