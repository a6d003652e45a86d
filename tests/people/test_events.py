"""What happens in a video follows from its lines: who appears, leaves, enters a zone and crosses a line."""

from __future__ import annotations

import json
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from stages.areas import Areas
from stages.people.events import EventMachine, events_of
from stages.results.jsonl import line, parsed
from stages.vision.following import Follower
from tests.people.material import at, seen, told, walk
from tests.results.frames import face, frame

LEFT = Areas({"left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))})
MIDDLE = Areas(lines={"middle": ((0.5, 1.0), (0.5, 0.0))})  # Upwards: from left to right is in.


def happened(lines, areas=None, coast_s=1.0) -> list[str]:
    return told(list(events_of(lines, coast_s, areas)))


def test_somebody_appears_once_they_were_in_view_for_three_tenths_of_a_second_and_leaves_at_the_end():
    assert happened(walk(7, *[20] * 6)) == ["0.3 appeared #7", "0.5 left #7"]


def test_what_is_in_view_for_less_is_mostly_no_face_and_nothing_is_said_of_it():
    assert happened([*walk(7, 20, 20), *[seen(n) for n in range(2, 20)]], LEFT) == []


def test_somebody_leaves_when_the_tracker_no_longer_waits_for_them():
    gone = [seen(n) for n in range(5, 20)]
    lines = [*walk(7, *[20] * 5), *gone]
    assert happened(lines) == ["0.3 appeared #7", "1.5 left #7"]
    back = [*lines[:14], *walk(7, 20, first=14), *[seen(n) for n in range(15, 20)]]
    assert happened(back) == ["0.3 appeared #7", "1.9 left #7"]
    [*_, left] = events_of(lines, 1.0)
    assert (left.dwell, left.last) == (0.5, 0.5)  # Each frame counts until the next one.


def test_somebody_who_is_back_just_in_time_has_not_left():
    lines = [*walk(7, *[20] * 6), seen(10), seen(11)]  # The last time at 0.5 s.
    assert happened(lines, coast_s=0.5) == ["0.3 appeared #7", "1.1 left #7"]


def test_a_frame_counts_for_a_second_at_most():
    slow = [seen(0, at(1, 20), time=0.0), seen(1, time=30.0), seen(2, time=60.0)]
    [appeared, left] = events_of(slow, 60.0)
    assert (appeared.line.frame, left.dwell) == (1, 1.0)


def test_zones_are_entered_and_exited_with_the_time_inside():
    lines = walk(1, *[80] * 4, *[20] * 5, *[80] * 2)
    assert happened(lines, LEFT) == [
        "0.3 appeared #1",
        "0.4 entered #1 left",
        "0.9 exited #1 left",
        "1 left #1",
    ]
    exited = next(event for event in events_of(lines, 1.0, LEFT) if event.event == "exited")
    assert exited.to_json()["dwell"] == 0.5


def test_who_leaves_exits_their_zones_when_they_were_seen_last():
    lines = [*walk(1, *[20] * 5), *[seen(n) for n in range(5, 20)]]
    *_, exited, left = events_of(lines, 1.0, LEFT)
    assert told([exited, left]) == ["1.5 exited #1 left", "1.5 left #1"]
    assert exited.dwell == left.dwell == 0.5


def test_lines_are_crossed_in_and_out():
    assert happened(walk(1, *[30] * 4, 70, 70, 30), MIDDLE) == [
        "0.3 appeared #1",
        "0.4 crossed #1 middle in",
        "0.6 crossed #1 middle out",
        "0.6 left #1",
    ]


def test_a_line_that_was_crossed_before_somebody_was_known_is_crossed_once_they_are():
    assert happened(walk(1, 30, 70, 70, 70), MIDDLE)[:2] == ["0.3 appeared #1", "0.3 crossed #1 middle in"]


def test_who_passes_beside_the_end_of_a_line_does_not_cross_it():
    short = Areas(lines={"middle": ((0.5, 1.0), (0.5, 0.9))})
    assert not any("crossed" in said for said in happened(walk(1, *[30] * 4, 70, 70), short))


def test_a_box_that_trembles_on_a_border_does_not_cross_it_again_and_again():
    trembling = walk(1, *[49.5, 50.5] * 20)
    assert happened(trembling, LEFT) == ["0.3 appeared #1", "0.3 entered #1 left", "3.9 exited #1 left", "3.9 left #1"]
    assert happened(trembling, MIDDLE) == ["0.3 appeared #1", "3.9 left #1"]


def test_the_next_video_of_a_folder_shows_other_people():
    first = [seen(n, at(1, 20)) for n in range(5)]
    second = [seen(n, at(2, 20), time=(n - 5) / 10) for n in range(5, 10)]
    assert happened([*first, *second]) == ["0.3 appeared #1", "0.4 left #1", "0.3 appeared #2", "0.4 left #2"]


def test_a_cut_ends_whoever_was_there_although_the_tracker_would_wait():
    before, after = walk(1, *[20] * 5), [seen(n, at(2, 20), cut=n == 5) for n in range(5, 10)]
    assert happened([*before, *after]) == ["0.3 appeared #1", "0.4 left #1", "0.8 appeared #2", "0.9 left #2"]


def test_an_event_says_what_is_displayed_about_the_person_and_the_time_of_day_of_a_camera():
    lines = [seen(n, at(1, 20), clock=f"2026-11-29T09:00:0{n}.000+01:00") for n in range(5)]
    said = json.loads(next(iter(events_of(lines, 1.0))).to_line())
    assert list(said) == ["event", "source", "frame", "time", "clock", "id", "gender", "emotion", "age"]
    assert said["clock"] == "2026-11-29T09:00:03.000+01:00"
    assert said["gender"] == {"label": "woman", "confidence": 0.97, "scores": {"man": 0.03, "woman": 0.97}}


# --- Whatever happens ---

PLACES = st.tuples(st.sampled_from([15, 40, 60, 85]), st.floats(-4, 4))
WALKS = st.lists(
    st.tuples(
        st.sampled_from([1 / 30, 0.1, 0.4, 1.5]),  # seconds since the frame before
        st.lists(PLACES, max_size=3, unique_by=lambda place: place[0]),
    ),
    max_size=40,
)
AREAS = Areas(LEFT.zones | {"middle": ((0.3, 0.2), (0.7, 0.2), (0.5, 0.8))}, MIDDLE.lines)


def history(steps) -> list[bytes]:
    """The lines that a run writes of faces that come and go at these places."""
    follower, time_s, written = Follower(1.0, {"gender": 3.0}), 0.0, []
    for number, (gap_s, places) in enumerate(steps):
        time_s += gap_s
        faces = [face(place + tremble, 50 + tremble, 10) for place, tremble in places]
        written.append(line(follower.follow(frame(number, faces=faces, time=time_s))))
    return written


@given(WALKS)
def test_of_each_person_all_events_stand_between_one_appearance_and_one_end_and_zones_close(steps):
    events = list(events_of(map(parsed, history(steps)), 1.0, AREAS))
    assert [e.line.frame for e in events] == sorted(e.line.frame for e in events)
    for _, of in groupby(sorted(events, key=lambda e: e.id), key=lambda e: e.id):
        own = list(of)
        assert [e.event for e in own].count("appeared") == [e.event for e in own].count("left") == 1
        assert (own[0].event, own[-1].event) == ("appeared", "left")
        assert own[-1].dwell <= own[-1].line.time + 1.0
        for zone in AREAS.zones:
            passed = [e.event for e in own if e.zone == zone]
            assert passed == ["entered", "exited"] * (len(passed) // 2)
            assert all(0 <= e.dwell <= own[-1].dwell + 1e-9 for e in own if e.zone == zone and e.event == "exited")


@given(WALKS)
def test_who_is_told_of_was_in_view_for_long_enough_and_nobody_else(steps):
    seconds: dict[int, float] = {}
    lines = [parsed(text) for text in history(steps)]
    for number, one in enumerate(lines):
        gap_s = lines[number + 1].time - one.time if number + 1 < len(lines) else one.time - lines[number - 1].time
        for of in one.faces:
            seconds[of.id] = seconds.get(of.id, 0.0) + min(gap_s if len(lines) > 1 else 0.04, 1.0)
    known = {event.id for event in events_of(lines, 1.0)}
    assert {number for number, s in seconds.items() if s >= 0.3 + 1e-6} <= known
    assert known <= {number for number, s in seconds.items() if s >= 0.3 - 1e-6}


@given(WALKS, st.data())
def test_a_machine_that_was_given_the_first_lines_again_goes_on_alike(steps, data):
    lines = [parsed(text) for text in history(steps)]
    cut = data.draw(st.integers(0, len(lines)))
    machine = EventMachine(1.0, AREAS)
    before = [event.to_line() for one in lines[:cut] for event in machine.step(one)]
    after = [event.to_line() for one in lines[cut:] for event in machine.step(one)]
    assert [*before, *after, *(e.to_line() for e in machine.end())] == [
        event.to_line() for event in events_of(lines, 1.0, AREAS)
    ]
