"""The folder for the results: what is replaced, what is refused, what is left alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from stages.config.schema import Pipeline
from stages.errors import FacepipeError
from stages.layout import MANIFEST
from stages.results.errors import DamagedState
from stages.results.manifest import Manifest
from stages.results.output_folder import OutputFolderError, logs_only
from stages.results.preconditions import refuse_sources
from stages.results.run_file import RunFile
from stages.results.runs import (
    folder_by_hand,
    name_of,
    new_folder,
    newest_run,
    output_folder,
    refuse_damaged_run,
    run_to_go_on_with,
    run_to_replace,
)

LINE = b'{"source": "clip.mp4", "frame": 0, "faces": []}\n'
OURS = ("results.jsonl", "summary.json", "annotated/clip.mp4", "annotated/clip.vtt", "report.html", "faces.csv")


def finished(folder: Path, ended: str | None = "finished", inputs: dict | None = None, incarnation: int = 1) -> Path:
    """A folder as a run leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in OURS:
        Manifest(folder).write(folder / name, LINE)
    RunFile("ab12", inputs or {}, incarnation, ended).write(folder)
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


def test_what_an_earlier_run_made_is_replaced_and_nothing_else(tmp_path):
    finished(tmp_path)
    theirs = ("notes.txt", "annotated/holiday.mp4", "notes/.draft.parts/1.txt", "sub/annotated/.film.mp4.parts/0.mp4")
    for name in theirs:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("theirs")
    with output_folder(tmp_path, (), replace=True) as folder:
        assert files(tmp_path) >= {*OURS}  # until the run is sure to begin
        assert folder.clear() is True
    assert files(tmp_path) == set(theirs)


def test_folders_that_are_empty_then_go_as_well(tmp_path):
    finished(tmp_path)
    with output_folder(tmp_path, (), replace=True) as folder:
        folder.clear()
        assert not (tmp_path / "annotated").exists()


@pytest.mark.parametrize("ended", ["finished", "stopped", None])
def test_a_folder_that_holds_a_run_is_refused_without_replace(tmp_path, ended):
    before = files(finished(tmp_path, ended))
    refused = pytest.raises(OutputFolderError, match="--replace replaces it, another --output keeps it")
    with refused, output_folder(tmp_path, ()):
        pass
    assert files(tmp_path) == before


def test_results_without_a_run_file_are_replaced_only_with_replace(tmp_path):
    (finished(tmp_path) / "run.json").unlink()
    for resume in (False, True):
        with (
            pytest.raises(DamagedState, match="run.json is missing.*holds 1 whole line"),
            output_folder(tmp_path, (), resume=resume),
        ):
            pass
    with output_folder(tmp_path, (), replace=True) as folder:
        assert folder.clear()


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize(
    "name", ["results.jsonl", "run.json", ".run.json.part", "summary.json", "account.jsonl", "logs/capture.log"]
)
def test_a_file_of_somebody_else_is_refused_and_stays(tmp_path, name, replace):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("theirs")
    refused = pytest.raises(OutputFolderError, match="was not written by facepipe")
    with refused, output_folder(tmp_path, (), ["capture"], replace=replace):
        pass
    assert files(tmp_path) == {name} and (tmp_path / name).read_text() == "theirs"


@pytest.mark.parametrize("name", ["results.jsonl", "run.json", ".run.json.part", "logs/capture.log", "annotated"])
def test_a_link_is_refused_and_what_it_leads_to_stays(tmp_path, name):
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(outside if name == "annotated" else outside / "precious")
    with pytest.raises(OutputFolderError, match="remove it|move it away"), output_folder(out, (), ["capture"]):
        pass
    assert list(outside.iterdir()) == []


def test_a_foreign_summary_costs_none_of_the_files_that_it_lists(tmp_path):
    (tmp_path / "keep.txt").write_text("keep")
    (tmp_path / "summary.json").write_text(json.dumps({"outputs": ["keep.txt"]}))
    with pytest.raises(OutputFolderError), output_folder(tmp_path, (), replace=True):
        pass
    assert files(tmp_path) == {"keep.txt", "summary.json"}


def test_with_replace_a_file_that_was_changed_is_refused_before_anything_is_removed(tmp_path):
    (finished(tmp_path) / "faces.csv").write_text("with notes")
    with pytest.raises(OutputFolderError, match="changed since"), output_folder(tmp_path, (), replace=True):
        pass
    assert files(tmp_path) == {*OURS, "run.json"}


def test_results_of_a_version_without_a_manifest_are_refused_and_stay(tmp_path):
    (finished(tmp_path) / MANIFEST).unlink()
    for given in ({}, {"replace": True}, {"resume": True}):
        with (
            pytest.raises(OutputFolderError, match="kept no record of its files"),
            output_folder(tmp_path, (), **given),
        ):
            pass
    assert files(tmp_path) == {*OURS, "run.json"}


EDITED = LINE + LINE.replace(b"0", b"1") + b"a note\n"


@pytest.mark.parametrize("options", [{}, {"resume": True}])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", b"", "run.json is damaged"),
        ("run.json", b"[1, 2", "run.json is damaged"),
        ("run.json", b"not JSON", "run.json is damaged"),
        ("run.json", b'{"run": "cd34", "inputs": {}, "incarnation": 1, "ended": null}', "run.json was changed since"),
        ("summary.json", b"{}", "summary.json was changed since"),
    ],
)
def test_damaged_state_is_refused_with_what_is_whole_and_stays(tmp_path, name, content, said, options):
    (finished(tmp_path) / name).write_bytes(content)
    with pytest.raises(DamagedState) as refused, output_folder(tmp_path, (), **options):
        pass
    assert said in str(refused.value)
    assert "results.jsonl holds 1 whole line; put " in str(refused.value)
    assert "--replace replaces all of it, another --output keeps it" in str(refused.value)
    assert (tmp_path / name).read_bytes() == content and files(tmp_path) == {*OURS, "run.json"}


def test_it_says_of_each_source_what_is_whole(tmp_path):
    for name in ("door", "yard"):
        Manifest(tmp_path).write(tmp_path / name / "results.jsonl", LINE)
    Manifest(tmp_path).write(tmp_path / "run.json", b"cut")
    whole = "door/results.jsonl holds 1 whole line and yard/results.jsonl holds 1 whole line"
    with pytest.raises(DamagedState, match=whole), output_folder(tmp_path, ("door", "yard")):
        pass


def test_results_that_were_changed_are_refused_and_for_going_on_render_looks_at_each_line(tmp_path):
    (finished(tmp_path, "stopped") / "results.jsonl").write_bytes(EDITED)
    refused = pytest.raises(DamagedState, match="results.jsonl was changed since.*results.jsonl holds 2 whole lines")
    with refused, output_folder(tmp_path, ()):
        pass
    with output_folder(tmp_path, (), resume=True):
        pass
    assert (tmp_path / "results.jsonl").read_bytes() == EDITED


@pytest.mark.parametrize("name", ["run.json", "results.jsonl", "summary.json"])
@pytest.mark.parametrize("content", [b"", b"cut", EDITED])
def test_with_replace_damaged_state_is_replaced_and_what_it_held_is_kept(tmp_path, name, content):
    (finished(tmp_path) / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("mine")
    kept = {name.replace(".", "-changed.")} if content else set()
    with output_folder(tmp_path, (), replace=True) as folder:
        said = folder.set_aside()
        RunFile("cd34").prepare(tmp_path)
        assert folder.clear()
    assert [sentence.partition(" was changed since it was written; it is kept as ")[2] for sentence in said] == [*kept]
    assert files(tmp_path) == {"notes.txt", ".run.json.part", *kept}
    assert all((tmp_path / other).read_bytes() == content for other in kept)


def test_what_is_set_aside_twice_is_kept_twice(tmp_path):
    for content in (b"first", b"second"):
        (finished(tmp_path) / "results.jsonl").write_bytes(content)
        with output_folder(tmp_path, (), replace=True) as folder:
            folder.set_aside()
            folder.clear()
    assert files(tmp_path) == {"results-changed.jsonl", "results-changed-2.jsonl"}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda journal: b"", "is empty"),
        (lambda journal: journal[:20], "is cut off in line 1"),
        (lambda journal: journal[: len(journal) // 2], r"is cut off in line \d+"),
        (lambda journal: b"\0" * len(journal) + b"\n", r"is damaged \(line 1 says nothing\)"),
        (lambda journal: b"garbage\n" * 9, r"is damaged \(line 1 says nothing\)"),
        (lambda journal: b"x" * 300_000, r"is damaged \(line 1 says nothing\)"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"resume": True}, {"replace": True}])
def test_with_a_damaged_manifest_nothing_is_known_to_be_ours_so_nothing_is_touched(tmp_path, damage, said, options):
    journal = finished(tmp_path) / MANIFEST
    whole = journal.read_bytes()
    journal.write_bytes(damaged := damage(whole))
    sentence = f"{said}, so it is not known what .*results.jsonl holds 1 whole line; put {MANIFEST} back, move "
    with pytest.raises(DamagedState, match=sentence), output_folder(tmp_path, (), **options):
        pass
    assert journal.read_bytes() == damaged and files(tmp_path) == {*OURS, "run.json"}
    journal.write_bytes(whole)
    with output_folder(tmp_path, (), replace=True) as folder:
        assert folder.clear()


def test_a_manifest_with_the_torn_line_of_a_process_that_was_killed_is_not_damaged(tmp_path):
    with (finished(tmp_path) / MANIFEST).open("ab") as journal:
        journal.write(b'{"opened": "annot\n')
    with output_folder(tmp_path, (), replace=True) as folder:
        assert folder.clear()


@pytest.mark.parametrize("how", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_a_manifest_that_is_no_file_is_refused_and_not_waited_for(tmp_path, how):
    (finished(tmp_path) / MANIFEST).unlink()
    how(tmp_path / MANIFEST)
    refused = pytest.raises(FacepipeError, match=f"{MANIFEST} .*(write to another|choose another) folder")
    with refused, output_folder(tmp_path, (), replace=True):
        pass


@pytest.mark.parametrize("source", ["annotated/clip.mp4", "annotated", "annotated/*.mp4", "linked.mp4", "file"])
def test_a_source_that_would_be_replaced_is_refused(tmp_path, monkeypatch, source):
    finished(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linked.mp4").symlink_to("annotated/clip.mp4")
    source = (tmp_path / "annotated/clip.mp4").as_uri() if source == "file" else source
    refused = pytest.raises(OutputFolderError, match="holds results of an earlier run that this one would replace")
    with output_folder(tmp_path, (), replace=True) as folder, refused:
        refuse_sources(folder, [source])


def test_an_original_below_annotated_is_not_replaced_by_its_annotated_picture(tmp_path):
    (tmp_path / "annotated").mkdir()
    (tmp_path / "annotated/mine.jpg").write_text("original")
    refused = pytest.raises(OutputFolderError, match="was not written by facepipe")
    with output_folder(tmp_path, ()) as folder, refused:
        refuse_sources(folder, [str(tmp_path / "annotated/mine.jpg")])


@pytest.mark.parametrize("name", ["a.jpg", "deep/b.bmp.png", "c.mov.mp4"])
@pytest.mark.parametrize("several", [False, True])
def test_a_file_in_the_place_of_an_annotated_one_is_refused_before_anything_is_read(tmp_path, name, several):
    shots, out = tmp_path / "shots", tmp_path / "out"
    for file in ("a.jpg", "deep/b.bmp", "c.mov"):
        (shots / file).parent.mkdir(parents=True, exist_ok=True)
        (shots / file).touch()
    theirs = out / ("yard" if several else "") / "annotated" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    (theirs.parent / "other.jpg").write_text("nobody minds")
    sources = ("door", "yard") if several else ()
    specs = [0, f"{shots}/**/*"] if several else [f"{shots}/**/*"]
    refused = pytest.raises(OutputFolderError, match=f"annotated/{name} was not written by facepipe")
    with output_folder(out, sources) as folder, refused:
        refuse_sources(folder, specs)
    theirs.unlink()
    with output_folder(out, sources) as folder:
        refuse_sources(folder, specs)


def test_runs_one_below_the_other_leave_each_other_alone(tmp_path):
    below = finished(tmp_path / "sub")
    with output_folder(below, (), replace=True), output_folder(tmp_path, ()) as above:
        assert above.clear() is False
    finished(tmp_path)
    with output_folder(tmp_path, (), replace=True) as above:
        above.clear()
    assert files(below) == {*OURS, "run.json"}


def test_the_logs_of_stages_that_do_not_run_any_more_are_removed_and_nothing_else(tmp_path):
    with output_folder(tmp_path, ()) as folder:
        for name in ("render.log", "age.log"):
            folder.manifest.write(folder.logs / name, b"")
        (folder.logs / "mine.log").touch()
        folder.remove_logs(keep=["render"])
        assert sorted(path.name for path in folder.logs.iterdir()) == ["mine.log", "render.log"]


def test_a_folder_that_was_made_for_a_run_that_is_refused_is_removed(tmp_path):
    with output_folder(tmp_path / "a", ()) as folder:
        folder.manifest.write(folder.logs / "render.log", b"")
    folder.remove_if_empty(refused=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("clip.mp4", "clip"), (0, "camera-0"), ("2", "camera-2"), ("demo", "demo"), ("shots/", "shots"),
        ("shots/**/*.jpg", "shots"), ("rtsp://admin:secret@192.168.7.30:554/1", "192.168.7.30"),
        ("rtsp://admin:Se@cr/et@host/1", "stream"), ("http://host/v?password=se@cret", "host"),
        (".hidden.mp4", "hidden"), ("x" * 300 + ".mp4", "x" * 60), ("file:///a/my%20clip.mp4", "my clip"),
        ("a\nb.mp4", "a_b"), ("--.mp4", "run"),
    ],
)  # fmt: skip
def test_a_run_is_named_after_its_source(source, name):
    assert name_of(Pipeline(source=source)) == name


def test_several_sources_are_named_after_the_configuration():
    pipeline = Pipeline(sources={"door": 0, "yard": 1})
    assert (name_of(pipeline, "house"), name_of(pipeline)) == ("house", "run")


def test_two_runs_do_not_get_the_same_folder_and_one_that_is_there_is_not_taken(tmp_path):
    (tmp_path / "clip").mkdir()
    made = [new_folder(Pipeline(source="clip.mp4"), base=tmp_path).name for _ in range(2)]
    assert made == ["clip-2", "clip-3"]


def test_the_newest_run_is_found_and_the_newest_of_a_source(tmp_path):
    assert newest_run(tmp_path / "none") is None
    for number, spec in enumerate(("a.mp4", "b.mp4", "a.mp4", "c.mp4")):
        finished(tmp_path / f"r{number}", None, {f"source {spec}": [spec, None]}, incarnation=number)
    assert newest_run(tmp_path) == tmp_path / "r3"
    assert run_to_go_on_with(Pipeline(source="a.mp4"), tmp_path) == tmp_path / "r2"
    assert run_to_go_on_with(Pipeline(source="d.mp4"), tmp_path) is None


def test_the_newest_run_that_is_not_finished_is_gone_on_with_though_another_was_begun_later(tmp_path):
    inputs = {"source clip.mp4": ["clip.mp4", None]}
    for number, ended in enumerate((None, "stopped", "finished")):
        finished(tmp_path / f"r{number}", ended, inputs, incarnation=number)
    clip = Pipeline(source="clip.mp4")
    assert run_to_go_on_with(clip, tmp_path) == run_to_replace(clip, base=tmp_path) == tmp_path / "r1"
    assert newest_run(tmp_path) == tmp_path / "r2"


@pytest.mark.parametrize("content", [None, b"cut"])
def test_the_damaged_run_that_resume_refuses_is_the_one_that_replace_replaces(tmp_path, content):
    for name in ("clip", "clip-2"):
        finished(tmp_path / name, None, {"source clip.mp4": ["clip.mp4", None]})
    damaged = tmp_path / "clip-2/run.json"
    damaged.unlink() if content is None else damaged.write_bytes(content)
    assert run_to_replace(Pipeline(source="clip.mp4"), base=tmp_path) == tmp_path / "clip-2"


@pytest.mark.parametrize("content", [None, b"", b"cut"])
def test_a_damaged_run_is_not_taken_for_none_where_the_newest_is_to_be_gone_on_with(tmp_path, content):
    for name in ("clip", "clip-2", "clip-10", "clips-11"):
        finished(tmp_path / name, None, {"source clip.mp4": ["clip.mp4", None]})
    refuse_damaged_run(Pipeline(source="clip.mp4"), base=tmp_path)
    for older in ("clip-2", "clips-11"):
        (tmp_path / older / "run.json").write_bytes(b"")
    refuse_damaged_run(Pipeline(source="clip.mp4"), base=tmp_path)
    newest = tmp_path / "clip-10/run.json"
    newest.unlink() if content is None else newest.write_bytes(content)
    with pytest.raises(DamagedState, match="clip-10/run.json is .*results.jsonl holds 1 whole line; put run.json back"):
        refuse_damaged_run(Pipeline(source="clip.mp4"), base=tmp_path)
    refuse_damaged_run(Pipeline(source="other.mp4"), base=tmp_path)


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with output_folder(tmp_path, ()):
        with pytest.raises(OutputFolderError) as refusal, output_folder(tmp_path, ()):
            pass
        assert str(refusal.value) == (
            f"{tmp_path} is being written to by another run (process {os.getpid()}); choose another one with --output."
        )
        logs_only(tmp_path)  # a helper may leave its log


@pytest.mark.parametrize("below", ["out", "out/a", "out/a/b"])
@pytest.mark.parametrize("take", [lambda path: output_folder(path, ()).__enter__(), logs_only])
def test_a_file_in_place_of_the_folder_or_of_one_above_it_is_called_a_file(tmp_path, below, take):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputFolderError) as refused:
        take(tmp_path / below)
    assert str(refused.value) == (f"{tmp_path}/out is a file and not a folder; choose another folder with --output.")


def test_a_file_in_place_of_the_folder_for_all_runs_is_called_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputFolderError, match="out is a file and not a folder; choose another folder"):
        new_folder(Pipeline(), base=tmp_path / "out")


def test_what_is_in_place_of_the_folder_need_not_be_a_file(tmp_path):
    (tmp_path / "out").symlink_to("nowhere")
    with pytest.raises(OutputFolderError, match="out is no folder; choose another folder with --output"):
        logs_only(tmp_path / "out")


BY_HAND = {"source auto": ["auto", None]}


@pytest.mark.parametrize(
    ("ended", "inputs", "name"),
    [
        (None, BY_HAND, "auto"),  # It may be this render that has died of it.
        ("finished", BY_HAND, "auto-2"),
        ("stopped", BY_HAND, "auto-2"),
        (None, {**BY_HAND, "stages.age": "f00"}, "auto-2"),
    ],
)
def test_a_render_by_hand_goes_on_with_a_run_that_was_broken_off_and_else_has_a_folder_of_its_own(
    tmp_path, monkeypatch, ended, inputs, name
):
    monkeypatch.chdir(tmp_path)
    finished(tmp_path / "out/auto", ended, inputs)
    with folder_by_hand(Pipeline(), BY_HAND) as folder:
        assert folder.path == tmp_path / "out" / name


def test_a_render_by_hand_leaves_a_run_alone_that_is_under_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    under_way = output_folder(finished(tmp_path / "out/auto", None, BY_HAND), (), resume=True)
    with under_way, folder_by_hand(Pipeline(), BY_HAND) as folder:
        assert folder.path == tmp_path / "out/auto-2"


def test_a_render_by_hand_of_several_sources_is_named_after_the_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with folder_by_hand(Pipeline(sources={"door": 0, "yard": 1}), {}, "house") as folder:
        assert folder.path == tmp_path / "out/house"
        folder.remove_if_empty(refused=False)
    assert list(tmp_path.iterdir()) == []  # Nothing has come of it.


def test_a_render_by_hand_that_is_told_a_folder_goes_on_there_or_is_refused(tmp_path):
    named = Pipeline(render=replace(Pipeline().render, output=str(tmp_path)))
    for ended in (None, "stopped"):
        finished(tmp_path, ended, BY_HAND)
        with folder_by_hand(named, BY_HAND) as folder:
            assert folder.path == tmp_path
    finished(tmp_path, "finished", BY_HAND)
    with pytest.raises(OutputFolderError, match="holds a run that is finished"), folder_by_hand(named, BY_HAND):
        pass


def test_a_summary_that_cannot_be_written_is_a_sentence(tmp_path):
    with output_folder(tmp_path, ()) as folder:
        (tmp_path / "summary.json").mkdir()
        with pytest.raises(OutputFolderError, match="summary.json could not be written: "):
            folder.write_summary({"status": 0})
