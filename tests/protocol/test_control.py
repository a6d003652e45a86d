"""What a stage and its launcher tell each other, as lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from stages.protocol.control import FinalReport, FromStage, Progress, Ready, Say, ToStage, WorkerExit, decode, encode
from stages.protocol.durations import Histogram
from stages.protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport


def of_any_values(kind: type[Struct]) -> st.SearchStrategy:
    return st.builds(kind, **{field.name: st.from_type(field.type) for field in fields(kind)})


for part in (Histogram, DropCount, SourceReport, CaptureReport, RenderReport):
    st.register_type_strategy(part, of_any_values(part))
messages = st.one_of(*map(of_any_values, (*FromStage.__args__, *ToStage.__args__)))


@given(messages)
def test_every_message_comes_back_as_it_was_in_one_line(message):
    line = encode(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert type(decode(line)) is type(message)
    assert encode(decode(line)) == line  # Not the messages: a number may be none (NaN), which equals nothing.


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"words of a library\n",
        b"\xff\xfe\n",
        b"[" * 100_000,
        b"null\n",
        b"{}\n",
        b'"Ready"\n',
        b'{"type": ["Ready"]}\n',
        b'{"type": "Ready", "more": 1}\n',
        b'{"type": "StageHeartbeat", "finished": "7"}\n',
        b'{"type": "StageHeartbeat", "finished": true}\n',
        b'{"type": "Say"}\n',
        b'{"type": "Unknown"}\n',
        b'{"type": "Progress", "report": {"source": "a", "captured": 1}}\n',
        b'{"type": "Progress", "report": {"type": "CaptureReport", "source": "a"}}\n',
        b'{"type": "Progress", "report": {"type": "RenderReport", "sources": {"a": {"rendered": "7"}}}}\n',
        b'{"type": "Progress", "report": {"type": "RenderReport", "sources": {"a": {"rendered": 7, "more": 1}}}}\n',
    ],
)
def test_what_is_no_message_is_refused(line):
    with pytest.raises(ValueError):
        decode(line)


def test_a_report_keeps_the_types_of_all_that_is_in_it():
    histogram = Histogram()
    histogram.add(0.2)
    door = SourceReport(rendered=3, dropped=[DropCount("detect", "late", 2)], services={"age": histogram})
    for report in (RenderReport(sources={"door": door}), CaptureReport(source="door", captured=3, latencies=histogram)):
        assert decode(encode(Progress(report))) == Progress(report)
    assert decode(encode(WorkerExit("age", "desk", 0, 7, "hang"))).incarnation == 7


def test_a_line_names_its_kind_and_the_fields():
    assert [json.loads(encode(message)) for message in (Ready(), Say("hello"))] == [
        {"type": "Ready"},
        {"type": "Say", "sentence": "hello"},
    ]


def test_a_path_with_bytes_that_are_no_utf_8_arrives():
    wrote = RenderReport(outputs=["/out/annotated/caf\udce9.jpg"])
    assert decode(encode(FinalReport(wrote))) == FinalReport(wrote)


def test_a_field_that_is_not_told_has_its_default_value():
    told = decode(b'{"type": "FinalReport", "report": {"type": "CaptureReport", "source": "door", "captured": 3}}')
    assert told.report == CaptureReport(source="door", captured=3)
