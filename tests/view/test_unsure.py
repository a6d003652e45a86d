"""A face whose picture is too poor is followed and drawn, but not labelled, and says so everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from stages.config.schema import Pipeline, Render
from stages.frames import FinishedFrame
from stages.report.__main__ import main
from stages.results.jsonl import line
from stages.sinks.subtitles import subtitles
from stages.view.found import found_in
from stages.view.overlay.labels import everything_about, lines_about
from stages.view.postprocess import PostProcessor
from stages.view.web.charts import ChartSamples
from tests.results.frames import face, flat, frame, seen

GOOD, POOR = 0.9, 0.05
STILL = {"rate": None, "time": 0.0}


def postprocessor(**render) -> PostProcessor:
    return PostProcessor(Pipeline(render=Render(**render)))


def finished(
    by: PostProcessor, number: int, quality: float | None, seconds: float | None = None, **more
) -> FinishedFrame:
    one = face(10 + number, 10, 20) if quality is None else seen(face(10 + number, 10, 20), quality)
    times = {} if seconds is None else {"time": seconds}
    return by.finish(frame(number, flat(96, 64), [one], **(times | more)))


def label_of(of: FinishedFrame) -> list[str]:
    return [one.text for one in lines_about(of.faces[0], None)]


def test_a_picture_that_is_too_poor_is_drawn_as_unsure():
    poor = finished(postprocessor(), 0, POOR, **STILL)
    assert poor.faces[0].unsure and label_of(poor) == ["unsure"]
    assert [one.text for one in everything_about(poor.faces[0], None)] == ["face 98 %", "unsure"]
    assert (postprocessor().draw(poor) != poor.picture.pixels).any()


@pytest.mark.parametrize("quality", [None, 0.2, GOOD])
def test_one_that_is_good_enough_or_of_unknown_quality_is_labelled(quality):
    assert label_of(finished(postprocessor(), 0, quality, **STILL)) == ["woman 97 %", "happy 91 %", "age 31 (25-38)"]


def test_the_limit_is_the_user_s_and_0_means_that_every_face_is_labelled():
    assert label_of(finished(postprocessor(unsure_below=0.95), 0, GOOD, **STILL)) == ["unsure"]
    assert label_of(finished(postprocessor(unsure_below=0.0), 0, 0.0, **STILL))[0] == "woman 97 %"


def test_a_followed_face_keeps_what_better_frames_said_for_as_long_as_one_that_is_hidden_keeps_its_number():
    by = postprocessor(coast=1.0)
    assert label_of(finished(by, 0, GOOD))[0] == "#1  woman 97 %"
    held, late = finished(by, 1, POOR, 0.9), finished(by, 2, POOR, 1.1)
    assert held.faces[0].unsure and label_of(held)[0] == "#1  woman 97 %"
    assert label_of(late) == ["#1  unsure"]
    assert label_of(finished(by, 3, GOOD, 1.2))[0] == "#1  woman 97 %"


def test_answers_about_poor_pictures_are_written_and_count_for_nothing():
    by = postprocessor()
    finished(by, 0, GOOD)
    poor = json.loads(line(finished(by, 1, POOR)))["faces"][0]
    assert poor["unsure"] is True and poor["quality"] == POOR and poor["gender"]["label"] == "woman"
    first = json.loads(line(finished(postprocessor(), 0, POOR)))["faces"][0]
    assert "smoothed" not in first and first["id"] == 1


def test_who_is_not_followed_is_unsure_too():
    assert label_of(finished(postprocessor(track=False), 0, POOR)) == ["unsure"]


def test_a_switch_that_hides_all_labels_hides_this_word():
    poor = finished(postprocessor(), 0, POOR)
    assert lines_about(poor.faces[0], frozenset()) == []
    assert [one.text for one in lines_about(poor.faces[0], frozenset({"age"}))] == ["#1  unsure"]


def test_terminal_subtitles_page_and_report_say_the_same_word(tmp_path):
    poor = finished(postprocessor(), 0, POOR, **STILL)
    (tmp_path / "results.jsonl").write_bytes(line(poor))
    [said] = found_in(tmp_path / "results.jsonl")
    assert said.startswith("face 1: unsure")
    assert main([str(tmp_path), "--html"]) == 0
    report = (tmp_path / "report.html").read_text()
    assert "<p>unsure</p>" in report and "woman" not in report
    followed = finished(postprocessor(), 0, POOR)
    assert "#1 unsure" in "".join(subtitles([(0.0, followed.faces)]))
    page = ChartSamples()
    page.finished(followed, 0.0)
    [[number, _, _, answers, unsure]] = page.since(0)[0]["faces"]
    assert (number, answers, unsure) == (1, {}, True)


def test_the_mark_is_by_the_quality_as_it_is_written():
    [one] = postprocessor(unsure_below=0.5).finish(frame(0, flat(96, 64), [seen(face(1, 1, 9), 0.49999)])).faces
    assert one.quality == 0.5 and not one.unsure


def test_blurred_faces_are_hidden_whether_they_are_labelled_or_not():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    one = replace(seen(face(30, 20, 20), POOR))
    hidden = postprocessor(blur="pixelate").finish(frame(0, pixels, [one]))
    assert (hidden.picture.pixels[20:40, 30:50] != pixels[20:40, 30:50]).any()
