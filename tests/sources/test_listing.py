"""The files of folders and globs: what matches, what is left out, and how they are pinned."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stages.capturing.opening import SourceChanged, opened, refuse_another_file
from stages.config.schema import Pipeline, Render
from stages.plan import DEFAULT_CONFIG, Plan
from stages.sources.base import SourceError
from stages.sources.listing import Listing, Pinned
from stages.sources.opening import open_source
from stages.sources.stamps import input_of, stamp
from tests.sources.material import write_picture, write_video

GREY = np.full((6, 8), 120, np.uint8)


def shots(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(folder / name, GREY)


def names(spec) -> list[str]:
    listing = Listing.of(str(spec))
    return [path.relative_to(listing.root).as_posix() for path in listing.files]


def test_links_that_lead_up_are_not_followed_round_and_round(tmp_path):
    shots(tmp_path, "a/1.png", "b/2.png")
    for place in ("a", "b"):
        for link in ("up1", "up2", "up3"):
            (tmp_path / place / link).symlink_to(tmp_path)
    assert names(tmp_path / "**" / "*.png") == ["a/1.png", "b/2.png"]
    assert names(tmp_path / "**") == ["a/1.png", "b/2.png"]
    assert names(tmp_path / "**" / "**" / "*.png") == ["a/1.png", "b/2.png"]


def test_a_folder_with_several_links_to_it_is_read_once_under_its_own_name(tmp_path):
    shots(tmp_path, "z/1.png")
    shots(tmp_path.parent / f"{tmp_path.name}-elsewhere", "2.png")
    for link in ("a", "b"):
        (tmp_path / link).symlink_to(tmp_path / "z")
    (tmp_path / "c").symlink_to(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    assert names(tmp_path / "**" / "*.png") == ["c/2.png", "z/1.png"]


@pytest.mark.parametrize("mark", [".facepipe.manifest", ".facepipe.lock", "results.jsonl"])
def test_what_runs_have_written_is_not_read(tmp_path, mark):
    shots(
        tmp_path, "1.png", "out/annotated/1.png", "out/door/annotated/2.png", "annotated/3.png", "mine/annotated/4.png"
    )
    for place in ("out", "out/door", "."):
        (tmp_path / place / mark).touch()
    (tmp_path / "pictures").symlink_to(tmp_path / "out" / "annotated")
    (tmp_path / "5.png").symlink_to(tmp_path / "out" / "annotated" / "1.png")
    assert names(tmp_path / "**" / "*.png") == ["1.png", "mine/annotated/4.png"]
    assert names(tmp_path / "*" / "*.png") == []
    assert names(tmp_path) == ["1.png", *(["results.jsonl"] if mark == "results.jsonl" else [])]
    assert names(tmp_path / "out" / "annotated") == ["1.png"]  # Named by a person.


def test_a_hidden_folder_is_not_looked_into_and_brackets_choose(tmp_path):
    shots(tmp_path, ".trash/1.png", "a1.png", "a2.png", "b1.png", ".c1.png")
    assert names(tmp_path / "**" / "*.png") == ["a1.png", "a2.png", "b1.png"]
    assert names(tmp_path / "[!a]?.png") == ["b1.png"]
    assert names(tmp_path / ".c*") == [".c1.png"]


# --- What comes and goes while a run goes on ---


def settings(tmp_path, spec, pins):
    pipeline = Pipeline(source=str(spec), render=Render(output=str(tmp_path / "out")))
    source = SimpleNamespace(spec=str(spec), name=None)
    inputs = {input_of(None, str(spec)): [str(spec), pins]}
    return SimpleNamespace(
        source=source, inputs=inputs, pipeline=pipeline, opened_as=None, machines=None, output=str(tmp_path / "out")
    )


LAUNCHER = SimpleNamespace(stop_requested=False, heartbeat=lambda: None, say=lambda sentence: None)


@pytest.mark.parametrize("glob", ["", "*.png", "**/*.png"])
def test_a_capture_that_is_started_again_reads_the_files_that_the_run_was_begun_with(tmp_path, glob):
    shots(tmp_path / "in", "b.png", "c.png", "d.png")
    spec = tmp_path / "in" / glob
    told = settings(tmp_path, spec, stamp(str(spec)))
    shots(tmp_path / "in", "a.png", "c1.png", "e.png")
    refuse_another_file(told)
    assert [p.file for p in opened(told, LAUNCHER).pictures()] == ["b.png", "c.png", "d.png"]
    assert [p.file for p in opened(told, LAUNCHER).pictures(start=1)] == ["c.png", "d.png"]


def test_a_file_that_has_gone_before_it_was_read_is_noted_and_takes_no_number(tmp_path):
    shots(tmp_path, "a.png", "b.png", "c.png")
    source = open_source(str(tmp_path / "*.png"), pinned=Pinned(["a.png", "b.png", "c.png"]))
    (tmp_path / "b.png").unlink()
    assert [p.file for p in source.pictures()] == ["a.png", "c.png"]
    assert source.notes == ["Skipped: b.png is not there any more."]


def test_a_file_that_has_gone_after_it_was_read_keeps_its_numbers(tmp_path):
    shots(tmp_path / "in", "a.png", "c.png", "d.png")
    write_video(tmp_path / "in" / "b.mp4", frames=3)
    spec = str(tmp_path / "in" / "*")
    told = settings(tmp_path, spec, stamp(spec))
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "in" / "b.mp4").unlink()
    (tmp_path / "out").mkdir()
    lines = [{"source": "in", "frame": n, "file": f, "time": 0.0} for n, f in enumerate(["a.png", *["b.mp4"] * 3])]
    (tmp_path / "out" / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [p.file for p in opened(told, LAUNCHER).pictures(start=4)] == ["c.png", "d.png"]
    assert [p.file for p in opened(told, LAUNCHER).pictures(start=5)] == ["d.png"]


def test_of_files_that_have_gone_only_those_that_were_never_read_are_said_to_be_missing(tmp_path):
    shots(tmp_path, "a.png", "b.png", "c.png")
    had = {"a.png": 1, "b.png": 0}
    pinned = Pinned(["a.png", "b.png", "c.png"], lambda file, below: had[file])
    source = open_source(str(tmp_path), pinned=pinned)
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").unlink()
    assert [p.file for p in source.pictures()] == [
        "c.png"
    ]  # What capture reads ahead, before it is told where to begin.
    assert [p.file for p in source.pictures(start=1)] == ["c.png"]
    assert (source.notes, source.skipped) == (["Skipped: b.png is not there any more."], 1)


def test_a_file_that_has_gone_and_cannot_be_counted_stops_the_run_rather_than_shifting_the_others(tmp_path):
    shots(tmp_path, "a.png", "b.png")
    source = open_source(str(tmp_path), pinned=Pinned(["a.png", "b.png"]))
    (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match="a.png of .* was removed after it was read"):
        list(source.pictures(start=1))


def test_a_file_that_was_changed_is_named(tmp_path):
    shots(tmp_path, "a.png", "b.png")
    told = settings(tmp_path, tmp_path / "*.png", stamp(str(tmp_path / "*.png")))
    (tmp_path / "b.png").write_bytes(b"something else")
    with pytest.raises(SourceChanged, match="/b.png was changed while it was read"):
        refuse_another_file(told)


def test_a_run_that_goes_on_has_the_files_that_it_was_begun_with(tmp_path):
    shots(tmp_path, "b.png", "c.png")
    pipeline = Pipeline(source=str(tmp_path / "*.png"))
    before = Plan.of(pipeline, DEFAULT_CONFIG.parent).inputs
    shots(tmp_path, "a.png")
    (tmp_path / "c.png").unlink()
    plan = Plan.of(pipeline, DEFAULT_CONFIG.parent)
    assert plan.inputs != before
    assert plan.going_on(before).inputs == before
    (tmp_path / "b.png").write_bytes(b"another")
    assert plan.going_on(before).inputs == plan.inputs


def test_no_secret_of_an_address_stands_in_run_json():
    url = "rtsp://anna:s3cr3t@door/user=a_password=s3cr3t?token=s3cr3t"
    assert "s3cr3t" not in json.dumps(Plan.of(Pipeline(source=url), DEFAULT_CONFIG.parent).inputs)
