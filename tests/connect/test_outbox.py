"""No event is left out, whatever happens to this process and to the file; a repeat has the ID that it had."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.backoff import Backoff
from stages.connect.counts import Counts
from stages.connect.outbox import Message, Outbox
from stages.connect.position import Position
from stages.connect.run_folder import RunFolder
from stages.people.event_file import SHORT_S, EventFile, Place
from tests.connect.run_folder import WrittenRun, appeared, left


def outbox(path: Path, said: list[str] | None = None, kinds: list[str] | None = None) -> Outbox:
    return Outbox(RunFolder(path), "yard", (said if said is not None else []).append, kinds)


def people(messages: list[Message]) -> list[int]:
    return [message.body["id"] for message in messages]


@given(data=st.data())
def test_every_event_is_delivered_and_what_was_saved_is_not_repeated(data):
    with tempfile.TemporaryDirectory() as folder:
        run = WrittenRun(Path(folder) / "run")
        written, delivered = 0, []
        confirmed = saved = 0  # events from the first on, by this box and durably
        box = outbox(run.path)
        out: list[Message] = []
        for now_s, step in enumerate(
            data.draw(st.lists(st.sampled_from(["append", "take", "confirm", "rewind", "save", "kill"])))
        ):
            match step:
                case "append":
                    run.appends(appeared(written), appeared(written + 1))
                    written += 2
                case "take":
                    out += box.take(data.draw(st.integers(1, 5)), now_s)
                case "confirm" if out:
                    box.confirm(out[0])
                    confirmed = out[0].body["id"] + 1
                    delivered.append(out.pop(0))
                case "rewind":
                    box.rewind()
                    out.clear()
                case "save":
                    box.save(now_s, at_once=True)
                    saved = confirmed
                case "kill":
                    box = outbox(run.path)
                    out.clear()
                    confirmed = saved
                    again = box.take(1000, now_s)
                    assert people(again) == list(range(saved, written)), "from what was saved on, in order"
                    out += again
        box.rewind()
        delivered += box.take(1000, 1e6)
        assert set(people(delivered)) == set(range(written))
        assert len({(message.event_id, message.body["id"]) for message in delivered}) == written


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path):
    run, box = WrittenRun(tmp_path / "run"), outbox(tmp_path / "run")
    line = json.dumps(appeared(1)) + "\n"
    run.events.write_text(line[:20])
    assert box.take(10, 0.0) == []
    run.events.write_text(line)
    assert people(box.take(10, 0.0)) == [1]


def test_lines_that_are_no_events_are_left_out(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.events.write_bytes(
        b'nonsense\n[1]\n{"event": 5}\n{"event": "left", "id": NaN}\n\0\0\0\n' + b"x" * 3_000_000 + b"\n"
    )
    run.appends(appeared(1))
    assert people(outbox(run.path).take(10, 0.0)) == [1]


def test_a_file_that_a_killed_render_cut_and_writes_again_is_not_sent_again(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.appends(appeared(1), appeared(2))
    whole = run.events.read_bytes()
    file = EventFile(run.path, Place())
    assert len(file.read(10, 0.0)) == 2
    run.events.write_bytes(whole[:30])
    assert file.read(10, 1.0) == []
    run.events.write_bytes(whole + whole)
    assert len(file.read(10, 2.0)) == 2 and not file.began_again


def test_a_file_that_stays_cut_is_read_from_its_beginning(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.appends(appeared(1), appeared(2))
    file = EventFile(run.path, Place())
    assert len(file.read(10, 0.0)) == 2
    run.events.write_text(json.dumps(appeared(3)) + "\n")
    assert file.read(10, 1.0) == []
    assert [event.fields["id"] for event in file.read(10, 1.1 + SHORT_S)] == [3]


def test_a_stage_of_your_own_does_not_take_the_place_of_the_id(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.appends(appeared(1) | {"event_id": {"label": "a"}, "run": {"label": "b"}})
    [message] = Outbox(RunFolder(run.path), "mqtt", print).take(1, 0.0)
    assert (message.body["event_id"], message.body["run"]) == (message.event_id, "run-1")
    assert (message.body["event_id_answer"], message.body["run_answer"]) == ({"label": "a"}, {"label": "b"})


def test_unwanted_events_are_passed_over(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.appends(*map(appeared, range(500)), left(7))
    box = outbox(run.path, kinds=["left"])
    assert [message.body["event"] for message in box.take(1, 0.0)] == ["left"]


def test_what_waits_is_known_also_before_anything_was_read(tmp_path):
    run = WrittenRun(tmp_path / "run")
    run.appends(*map(appeared, range(150)), left(7), left(8))
    assert outbox(run.path).waiting() == 152 and outbox(run.path, kinds=["left"]).waiting() == 2
    box = outbox(run.path)
    box.confirm(box.take(10, 0.0)[0])
    assert box.waiting() == 151
    assert outbox(tmp_path / "no run").waiting() == 0


def test_each_of_several_sources_has_a_place_of_its_own(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    yard, door = WrittenRun(path / "yard", source="yard"), WrittenRun(path / "door", source="door")
    (path / "run.json").write_bytes((path / "door" / "run.json").read_bytes())
    for source in (yard, door):
        (source.path / "run.json").unlink()
    yard.appends(appeared(1))
    door.appends(appeared(1), left(1))
    box = outbox(path)
    taken = box.take(10, 0.0)
    assert {(message.source, message.body["event"]) for message in taken} == {
        ("door", "appeared"), ("door", "left"), ("yard", "appeared")
    }  # fmt: skip
    assert len({message.event_id for message in taken}) == 3
    for message in taken:
        box.confirm(message)
    assert {source: counts.published()["now"] for source, counts in box.counts().items()} == {"door": 0, "yard": 1}


def test_a_position_that_is_damaged_or_of_another_run_counts_as_none(tmp_path):
    path = tmp_path / "yard.json"
    for content in (b"", b"{", b"[]", b'{"run": "run-1"}', b'{"run": "run-1", "sent": 1, "refused": 0, "sources": 5}'):
        path.write_bytes(content)
        assert Position.read(path, "run-1") == Position("run-1")
    Position("run-0", sent=5).write(path)
    assert Position.read(path, "run-1") == Position("run-1")
    assert Position.read(path, "run-0").sent == 5


def test_without_a_place_for_its_position_it_says_so_once_and_goes_on(tmp_path):
    run, said = WrittenRun(tmp_path / "run"), []
    run.appends(appeared(1), appeared(2))
    (run.path / ".facepipe.connect" / ".yard.json.part").mkdir(parents=True)
    box = outbox(run.path, said)
    for now_s in (0.0, 10.0):
        [message] = box.take(1, now_s)
        box.confirm(message)
        box.save(now_s)
    [sentence] = said
    assert "cannot be written" in sentence and box.sent == 2


@given(st.lists(st.tuples(st.sampled_from(["appeared", "left", "entered", "exited", "crossed"]), st.integers(0, 3))))
def test_the_counts_survive_being_written_and_are_never_below_zero(history):
    counts = Counts()
    for event, person in history:
        counts.step({"event": event, "id": person, "zone": "hall", "line": "gate", "direction": "out"})
        counts = Counts.from_json(json.loads(json.dumps(counts.to_json())))
    assert counts.total == sum(event == "appeared" for event, _ in history)
    assert 0 <= counts.published()["now"] <= 4 and all(0 <= n <= 4 for n in counts.published()["zones"].values())


def test_zones_and_lines_are_counted_from_the_beginning(tmp_path):
    run = WrittenRun(tmp_path / "run")
    box = Outbox(RunFolder(run.path), "mqtt", print, areas={"": [["hall"], ["gate"]]})
    assert box.take(1, 0.0) == []
    assert box.counts()["door"].published() == {
        "now": 0, "total": 0, "zones": {"hall": 0}, "lines": {"gate": {"in": 0, "out": 0}}
    }  # fmt: skip


@pytest.mark.parametrize("odd", [None, 5, [1], {"a": 1}, "\ud800"])
def test_a_line_that_somebody_else_has_written_is_counted_as_far_as_it_says_something(odd):
    counts = Counts()
    for event in ("appeared", "entered", "exited", "crossed", "left", odd):
        counts.step({"event": event, "id": odd, "zone": odd, "line": odd, "direction": odd})
        counts.step({"event": event, "id": 1, "zone": "hall", "line": "gate", "direction": odd})
    assert (counts.published()["now"], counts.published()["lines"]) == (0, {"gate": {"in": 0, "out": 0}})


def test_who_leaves_is_in_no_zone_any_more():
    counts = Counts()
    for event in (appeared(1), {"event": "entered", "id": 1, "zone": "hall"}, left(1)):
        counts.step(event)
    assert counts.published() == {"now": 0, "total": 1, "zones": {"hall": 0}, "lines": {}}


def test_the_time_between_attempts_doubles_up_to_a_minute_and_is_never_the_same_for_all():
    backoff = Backoff()
    waits_s = [backoff.failed() for _ in range(12)]
    for number, wait_s in enumerate(waits_s):
        assert wait_s == pytest.approx(min(2**number, 60), rel=0.25)
    assert backoff.failed(asked_s=300) == 300 and backoff.failed(asked_s=1e9) == 3600
    backoff.succeeded()
    assert backoff.failed() < 2


def test_events_that_were_deleted_unsent_are_counted_once_and_said(tmp_path):
    run, said = WrittenRun(tmp_path / "run"), []
    pieces = run.in_pieces([appeared(1), appeared(2)], [left(1)], [left(2), appeared(3)])
    box = outbox(run.path, said)
    [first] = box.take(1, 0.0)
    box.confirm(first)
    box.save(0.0, at_once=True)
    for piece in pieces[:2]:
        shutil.rmtree(piece)
    again = outbox(run.path, said)
    assert people(again.take(10, 0.0)) == [2, 3]
    assert again.deleted == 2 and said == [
        "yard: 2 events of door were deleted before they were sent, as render.keep says."
    ]
    assert again.counts()["door"].present == set()  # Who has left meanwhile is not known.
    again.rewind()
    again.save(1.0, at_once=True)
    third = outbox(run.path, said)
    assert people(third.take(10, 0.0)) == [2, 3] and third.deleted == 2
