"""Two runs side by side, and face by face where they had the same source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age
from stages.reading.lines import Results
from stages.report.__main__ import main
from stages.report.compare import compare, matched
from tests.report.material import film, followed, recorded, said, still, written
from tests.report.test_page import Page, detail
from tests.results.frames import face, flat, frame

OLD = Age(60.0, 50.0, 70.0, "60-69")


def lines(folder: Path, frames) -> Results:
    return Results(written(folder, frames))


def of_source(folder: Path, stamp: list | None = None, blur: str = "none", **more) -> Path:
    """The folder with a run.json and a summary.json."""
    inputs = {"source clip.mp4": ["clip.mp4", stamp or [7, 7]], "render.blur": blur, **more}
    (folder / "run.json").write_text(json.dumps({"inputs": inputs}))
    summary = {"sources": [{"source": "clip.mp4", "seconds": 2.0}], "restarts": {"age": 1}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_faces_of_the_same_place_and_moment_are_compared_and_the_others_are_counted(tmp_path):
    first = lines(tmp_path / "a", film(4, followed(1, x=10.0), followed(2, x=60.0, emotion="sad")))
    second = lines(tmp_path / "b", film(6, followed(9, x=12.0, emotion="sad", age=OLD)))
    comparison = compare(first, second, {None: 0})
    assert (comparison.frames, comparison.frames_of_one) == (4, [0, 2])
    assert (comparison.faces, comparison.faces_of_one) == (4, [4, 0])
    assert comparison.stages["gender"].same == 4
    assert comparison.stages["emotion"].pairs == {("happy", "sad"): 4}
    assert comparison.stages["age"].apart / comparison.stages["age"].faces == pytest.approx(60 - 31.2)
    [largest] = comparison.stages["emotion"].largest  # One of each person and pair of labels.
    assert (largest.number, largest.first.label, largest.second.label) == (1, "happy", "sad")


def test_runs_that_have_left_frames_out_are_compared_where_both_have_some(tmp_path):
    frames = film(10, followed(1))
    comparison = compare(lines(tmp_path / "a", frames[::2]), lines(tmp_path / "b", frames[::3]), {None: 0})
    assert (comparison.frames, comparison.frames_of_one) == (2, [3, 2])


def test_pictures_of_a_folder_are_the_same_by_their_names(tmp_path):
    first = lines(tmp_path / "a", [still(0, "a.png"), still(1, "b.png"), still(2, "d.png")])
    second = lines(tmp_path / "b", [still(0, "b.png"), still(1, "c.png"), still(2, "d.png")])
    comparison = compare(first, second, {name: n for n, name in enumerate(("a.png", "b.png", "c.png", "d.png"))})
    assert (comparison.frames, comparison.frames_of_one, comparison.faces) == (2, [1, 1], 2)


boxes = st.lists(st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(1, 20)] * 2), max_size=6)


@given(boxes, boxes)
def test_every_box_is_matched_once_and_a_set_of_boxes_with_itself_as_a_whole(first, second):
    pairs = matched(first, second)
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    assert len(matched(first, first)) == len(first)


def compared(first: Path, second: Path, *options: str) -> Page:
    assert main([str(first), str(second), *options]) == 0
    return Page((first / "comparison.html").read_text(encoding="utf-8"))


def test_the_page_shows_both_runs_their_settings_and_where_they_differ_most(tmp_path, capsys):
    frames = film(25, followed(1, x=30.0, side=40.0))
    first = of_source(recorded(tmp_path / "a", frames), **{"render.coast": 1.0})
    others = film(25, followed(1, x=30.0, side=40.0, emotion="sad", age=OLD))
    second = of_source(written(tmp_path / "b", others), **{"render.coast": 3.0})
    page = compared(first, second)
    for words in ("a and b", "frames a second 12.5 12.5", "mean age 31.2 years 60.0 years", "happy 100 % –"):
        assert words in page.text
    assert "frames 25 0 0 faces in frames of both 25 0 0" in page.text
    assert "emotion 25 0 % the same label" in page.text and "age 25 28.80 apart in the mean" in page.text
    assert "happy sad 25" in page.text and "render.coast 1.0 3.0" in page.text
    assert len(page.pictures) == 2 and not (second / "comparison.html").exists()
    assert f"Wrote {first}/comparison.html" in capsys.readouterr().out


def test_that_one_of_them_hides_faces_and_so_searched_otherwise_is_said_in_words(tmp_path):
    frames = film(5, followed(1, x=30.0, side=40.0))
    first = of_source(written(tmp_path / "a", frames), **{"stages.detect": "0123456789abcdef" * 4})
    second = of_source(
        written(tmp_path / "b", frames), **{"stages.detect": "fedcba9876543210" * 4, "render.blur": "pixelate"}
    )
    page = compared(first, second)
    usual, thorough = (
        "model and settings 01234567",
        "the more thorough search of render.blur, model and settings fedcba98",
    )
    assert f"stages.detect {usual} {thorough}" in page.text


def test_runs_over_other_sources_are_shown_side_by_side_only(tmp_path):
    first = of_source(written(tmp_path / "a", film(5, followed(1))), [7, 7])
    second = of_source(written(tmp_path / "b", film(5, followed(1))), [7, 8])
    page = compared(first, second)
    assert "had different sources" in page.text and "faces 5 5" in page.text and "Found by" not in page.text


@pytest.mark.parametrize("stamp", [[7, 7], [7, 8]])
def test_a_run_that_was_broken_off_is_said_to_be_so(tmp_path, stamp):
    first = of_source(written(tmp_path / "a", film(5, followed(1))))
    second = of_source(written(tmp_path / "b", film(3, followed(1)), torn=b'{"source": "clip.mp4", "fra'), stamp)
    page = compared(first, second)
    assert f"The last line of {second}/results.jsonl is torn" in page.text and f"{first}/results" not in page.text


def test_pieces_of_one_of_several_sources_are_known_to_be_of_the_same(tmp_path):
    frames = film(6, followed(1))
    for run, begins in (("a", 0), ("b", 3)):
        written(tmp_path / run / "clip.mp4" / "pieces" / "000001", frames[begins:])
        of_source(tmp_path / run, **{"source yard": ["yard.mp4", [1, 2]]})
    page = compared(*(tmp_path / run / "clip.mp4" / "pieces" / "000001" for run in "ab"))
    assert "had different sources" not in page.text and "frames 3 3 0" in page.text


@pytest.mark.parametrize(
    ("blurs", "option"), [(("none", "pixelate"), None), (("pixelate", "none"), None), (("none", "none"), "--blur")]
)
def test_faces_are_hidden_where_one_of_the_runs_has_hidden_them_or_the_reader_wants_it(tmp_path, blurs, option):
    frames = film(5, followed(1, x=30.0, side=40.0))
    first = of_source(recorded(tmp_path / "a", frames), blur=blurs[0])
    second = of_source(written(tmp_path / "b", film(5, followed(1, x=30.0, side=40.0, age=OLD))), blur=blurs[1])
    [picture] = compared(first, second, *([option] if option else [])).pictures
    assert detail(picture) < 25


def test_sources_of_several_are_compared_by_their_names(tmp_path):
    for run, names in (("a", ("door", "yard")), ("b", ("yard", "hall"))):
        for name in names:
            written(tmp_path / run / name, film(3, followed(1), source=name))
        said(tmp_path / run)
    page = compared(tmp_path / "a", tmp_path / "b")
    assert "The source door is in one of the runs only." in page.text and "The source hall" in page.text


@pytest.mark.parametrize(
    ("other", "options", "says"),
    [
        ("a", [], "is compared with itself"),
        ("b", ["--csv"], "--csv is for one run"),
        ("b", ["--sort", "age"], "--sort is for one run"),
        ("nowhere", [], "nowhere is not there"),
        ("several", [], "have no source in common"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(tmp_path, capsys, other, options, says):
    for name in ("a", "b", "several/door", "several/yard"):
        written(tmp_path / name, film(2, followed(1), source=name.rpartition("/")[2]))
    said(tmp_path / "several")
    assert main([str(tmp_path / "a"), str(tmp_path / other), *options]) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert says in sentence and not (tmp_path / "a/comparison.html").exists()


def test_a_time_that_is_no_number_does_not_hold_the_comparison(tmp_path):
    frames = [frame(n, flat(96, 64), [face(30, 10, 40)], time=time) for n, time in enumerate((0.0, float("nan"), 0.08))]
    assert compare(lines(tmp_path / "a", frames), lines(tmp_path / "b", frames), {None: 0}).frames >= 1
