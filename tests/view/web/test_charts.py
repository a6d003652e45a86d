"""What the charts of the page are made of."""

from __future__ import annotations

import json
import math

from stages.answers import Age, Classes, Value
from stages.frames import Face
from stages.protocol.rates import Load, Snapshot
from stages.view.overlay.labels import id_colour
from stages.view.web.charts import ChartSamples
from tests.results.frames import face, frame

HEARTBEAT = Snapshot(24.96, 0.0414, (Load("detect", 1.2, 3), Load("render", 0.2, 0)))


def person(number: int, x: float = 10, **answers) -> Face:
    plain = face(x, 10, 50)
    return Face(plain.box, plain.score, plain.answers | answers, id=number)


def test_a_sample_has_who_is_there_and_what_is_said_about_them():
    page = ChartSamples()
    page.finished(frame(7, faces=[person(3)]), 10.0)
    [sample] = page.since(0)
    blue, green, red = id_colour(3)
    answers = {"gender": [0.03, 0.97], "emotion": [0.09, 0.91], "age": [31.2, 25.0, 38.0]}
    assert sample == {"t": 10.0, "frame": 7, "faces": [[3, f"#{red:02x}{green:02x}{blue:02x}", 0.98, answers, False]]}


def test_what_is_charted_is_what_is_drawn_the_smoothed_answers():
    shown = Face((0, 0, 9, 9), 0.9, {"age": Age(20, 10, 30, "20-29")}, 1, {"age": Age(40, 30, 50, "40-49")})
    page = ChartSamples()
    page.finished(frame(0, faces=[shown]), 0.0)
    assert page.since(0)[0]["faces"][0][3] == {"age": [40, 30, 50]}


def test_the_labels_are_said_once_with_their_colours():
    page = ChartSamples()
    page.finished(
        frame(0, faces=[person(1, glasses=Classes("none", 1.0, {"none": 1.0, "some": 0.0}), width=Value(3))]), 0
    )
    assert page.labels["gender"] == [["man", "#46cda5"], ["woman", "#b98cf5"]]
    assert page.labels["age"] == ["years", "low", "high"]
    assert page.labels["glasses"] == [["none", "#e1e1e1"], ["some", "#e1e1e1"]]
    assert page.labels["width"] == ["value"]


def test_faces_are_sampled_ten_times_a_second_at_most():
    page = ChartSamples()
    for number in range(64):
        page.finished(frame(number), number / 64)
    assert [sample["frame"] for sample in page.since(0)] == list(range(0, 64, 7))


def test_a_browser_gets_what_it_does_not_know_and_no_more():
    page = ChartSamples()
    for number in range(5):
        page.finished(frame(number), float(number))
    assert [sample["frame"] for sample in page.since(3)] == [3, 4]
    assert (page.since(5), page.count) == ([], 5)


def test_one_that_was_away_for_long_gets_the_last_minute():
    page = ChartSamples()
    for number in range(100):
        page.finished(frame(number), float(number))
    assert [sample["frame"] for sample in page.since(2)] == list(range(39, 100))
    assert page.count == 100


def test_one_that_claims_to_know_what_has_never_been_gets_nothing():
    page = ChartSamples()
    page.finished(frame(0), 0.0)
    assert page.since(10**9) == []
    assert len(page.since(-(10**9))) == 1


def test_numbers_say_how_the_run_goes():
    page = ChartSamples()
    page.finished(frame(0, faces=[person(1), person(2, 90)]), 0.0)
    page.told(HEARTBEAT, {("capture", "full"): 2, ("capture", "late"): 3, ("render", "restart"): 1}, 0.5)
    assert page.since(1) == [
        {
            "t": 0.5,
            "rate": 24.96,
            "latency": 41.4,
            "loads": {"detect": [1.2, 3], "render": [0.2, 0]},
            "frames": 1,
            "seen": 2,
            "drops": {"capture": 5, "render": 1},
        }
    ]


def test_before_the_first_frame_there_is_no_latency():
    page = ChartSamples()
    page.told(Snapshot(0.0, None, ()), {}, 0.0)
    assert page.since(0)[0]["latency"] is None


def test_of_a_crowd_the_largest_faces_are_charted_in_their_order():
    crowd = [Face((10.0 * i, 0, 20 + i % 20, 20), 0.9, id=i + 1) for i in range(40)]
    page = ChartSamples()
    page.finished(frame(0, faces=crowd), 0.0)
    assert [face[0] for face in page.since(0)[0]["faces"]] == [15, 16, 17, 18, 19, 20, 35, 36, 37, 38, 39, 40]


def test_who_is_not_followed_has_a_number_below_zero_and_so_no_line():
    page = ChartSamples()
    page.finished(frame(0, faces=[face(0, 0, 20), face(50, 0, 20)]), 0.0)
    assert [face[0] for face in page.since(0)[0]["faces"]] == [-1, -2]


def test_what_is_no_number_is_said_as_such():
    nan = math.nan
    odd = Face((0, 0, 9, 9), nan, {"age": Age(nan, nan, nan, "0-9"), "emotion": Classes("x", nan, {"x": nan})}, id=1)
    page = ChartSamples()
    page.finished(frame(0, faces=[odd]), 0.0)
    text = json.dumps(page.since(0), allow_nan=False)
    assert json.loads(text)[0]["faces"][0][2:] == [None, {"age": [None] * 3, "emotion": [None]}, False]
