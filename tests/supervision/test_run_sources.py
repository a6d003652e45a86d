"""What a person is told of the sources of a run that goes on."""

from __future__ import annotations

from stages.config.load import read_config
from stages.config.settings import Settings, SourceSettings
from stages.protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport
from stages.supervision.run_sources import Request, RunSources

PIPELINE = read_config("sources: {door: 0, yard: 1, gate: 2}", "p")


def test_a_list_of_the_sources_says_how_many_frames_each_has_and_how_many_of_them_were_dropped():
    sources = tuple(SourceSettings(number, name, False) for name, number in PIPELINE.sources.items())
    told = {f"capture-{n}": Settings("capture", n, PIPELINE, "", ("",) * 3, sources, {}, {}, "/out") for n in range(3)}
    late, full = DropCount("detect", "late", 200), DropCount("age", "queue full", 4)
    reports = {
        "capture-0": {1: CaptureReport(source="door", captured=681)},
        "capture-1": {1: CaptureReport(source="yard", captured=9), 2: CaptureReport(source="yard", captured=70)},
        "render": {1: RenderReport(sources={"door": SourceReport(rendered=470, dropped=[late, full])})},
    }
    said = []
    listing = Request("list", lambda is_done, lines: said.extend(lines))
    RunSources(told, admission=object()).asked(listing, lambda *_: None, reports)
    assert said == ["door  0  681 frames, 204 dropped", "yard  1  70 frames", "gate  2  not opened yet"]


def test_a_run_that_has_as_many_sources_as_it_can_takes_no_other_one():
    many = read_config(str({f"camera{n}": n for n in range(64)}).join(["sources: ", ""]), "p")
    given = tuple(SourceSettings(number, name, False) for name, number in many.sources.items())
    told = {
        f"capture-{n}": Settings("capture", n, many, "", ("",) * 64, given, {}, {}, "/out", has_folders=True)
        for n in range(64)
    }
    said = []
    another = Request("add", lambda is_done, lines: said.append((is_done, *lines)), "gate", 64)
    assert RunSources(told, admission=object()).asked(another, lambda *_: None, {}) is None
    assert said == [(False, "this run has 64 sources, the most that it can have; remove one first.")]
