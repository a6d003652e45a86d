"""The folder for the results: what is replaced, what is refused, what is left alone."""

from __future__ import annotations

import json
import os

import pytest

from stages.runtime.output_folder import OutputFolderError, logs_only, output_folder

LINE = '{"source": "clip.mp4", "frame": 0, "faces": []}\n'


def test_the_results_of_an_earlier_run_are_replaced_and_nothing_else(tmp_path):
    (tmp_path / "annotated").mkdir()
    for name in ("results.jsonl", "annotated/clip.mp4", "annotated/holiday.mp4", "notes.txt"):
        (tmp_path / name).write_text(LINE)
    (tmp_path / "summary.json").write_text(json.dumps({"outputs": ["results.jsonl", "annotated/clip.mp4"]}))
    with output_folder(tmp_path, ()) as folder:
        assert (tmp_path / "annotated/clip.mp4").exists()  # until the run is sure to begin
        assert folder.clear() is True
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"annotated/holiday.mp4", "notes.txt"}


def test_what_was_made_of_the_results_goes_with_them_where_the_folder_is_known_to_be_ours(tmp_path):
    (tmp_path / "annotated").mkdir()
    made = ("report.html", "faces.csv", "faces.parquet", "annotated/clip.vtt")
    for name in ("results.jsonl", "annotated/clip.mp4", "annotated/own.vtt", *made):
        (tmp_path / name).write_text(LINE)
    (tmp_path / "summary.json").write_text(json.dumps({"outputs": ["results.jsonl", "annotated/clip.mp4"]}))
    (tmp_path / "run.json").write_text("{}")
    with output_folder(tmp_path, ()) as folder:
        folder.clear()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"annotated/own.vtt"}
    (tmp_path / "report.html").write_text("of somebody else")
    with output_folder(tmp_path, ()) as folder:
        folder.clear()
    assert (tmp_path / "report.html").exists()


def test_the_results_of_a_run_that_left_no_summary_are_replaced(tmp_path):
    (tmp_path / "results.jsonl").write_text(LINE)
    with output_folder(tmp_path, ()) as folder:
        assert folder.clear() is True
    assert not (tmp_path / "results.jsonl").exists()


def test_what_stages_by_hand_have_annotated_is_known_from_their_results(tmp_path):
    lines = (
        (0, ', "file": "a/b/x.jpg"'),
        (1, ', "file": "y.mp4"'),
        (2, ', "file": "y.mp4"'),
        (3, ', "file": "../z.png"'),
    )
    results = [f'{{"source": "pictures", "frame": {n}{file}, "time": 0.0, "faces": []}}\n' for n, file in lines]
    (tmp_path / "results.jsonl").write_text("".join(results) + '{"source": "pic')
    (tmp_path / "run.json").write_text("{}")
    ours = ("a/b/x.jpg", "y.mp4", "y.vtt")
    for name in (*ours, "own.mp4", "c/own.jpg", "../z.png"):
        (tmp_path / "annotated" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "annotated" / name).touch()
    with output_folder(tmp_path, ()) as folder:
        folder.clear()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"annotated", "annotated/own.mp4", "annotated/c", "annotated/c/own.jpg", "logs", "z.png"}


def test_each_of_several_sources_has_its_own_results(tmp_path):
    for name in ("door", "garage"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.jsonl").write_text(LINE)
    with output_folder(tmp_path, ["door", "yard"]) as folder:
        folder.clear()
    assert not (tmp_path / "door/results.jsonl").exists()
    assert (tmp_path / "garage/results.jsonl").exists()


def test_the_logs_of_stages_that_do_not_run_any_more_are_removed_and_nothing_else(tmp_path):
    with output_folder(tmp_path, ()) as folder:
        for name in ("render.log", "age.log", "detect-0.log", "detect-1.log", "detect-24346.log", "mine.log"):
            (folder.logs / name).touch()
        (tmp_path / "outside.log").touch()
        folder.remove_logs(keep=["render"])  # Without a summary nobody knows whose they are.
        assert len(list(folder.logs.iterdir())) == 6
        replicas = {"render": 1, "age": 1, "detect": 2, "../outside": 1}
        (tmp_path / "summary.json").write_text(json.dumps({"replicas": replicas}))
        folder.remove_logs(keep=["render", "detect-0"])
        left = sorted(path.name for path in folder.logs.iterdir())
    assert left == ["detect-0.log", "detect-24346.log", "mine.log", "render.log"]
    assert (tmp_path / "outside.log").exists()


def test_in_a_new_folder_there_is_nothing_to_replace(tmp_path):
    with output_folder(tmp_path / "a" / "b", ()) as folder:
        assert folder.clear() is False
        assert folder.logs.is_dir()
    assert not (tmp_path / "a/b/.facepipe.lock").exists()


@pytest.mark.parametrize("text", ["something else\n", '{"source": 1}\n', "[1, 2]\n", "\xff\n"])
def test_a_results_file_of_somebody_else_is_refused_and_stays(tmp_path, text):
    (tmp_path / "results.jsonl").write_text(text)
    with pytest.raises(OutputFolderError, match="was not written by facepipe"), output_folder(tmp_path, ()):
        pass
    assert (tmp_path / "results.jsonl").read_text() == text


@pytest.mark.parametrize("listed", ["../outside.mp4", "/etc/hostname", "linked/outside.mp4", "", 7, None])
def test_a_summary_that_names_files_elsewhere_costs_none_of_them(tmp_path, listed):
    outside, folder = tmp_path / "outside.mp4", tmp_path / "out"
    outside.write_text("precious")
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path)
    (folder / "summary.json").write_text(json.dumps({"outputs": [listed]}))
    with output_folder(folder, ()) as held:
        assert held.clear() is False
    assert outside.read_text() == "precious"


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with output_folder(tmp_path, ()):
        with pytest.raises(OutputFolderError) as refusal, output_folder(tmp_path, ()):
            pass
        assert str(refusal.value) == (
            f"{tmp_path} is being written to by another run (process {os.getpid()}); choose another one with --output."
        )
        logs_only(tmp_path)  # a helper may leave its log


def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputFolderError, match="out/logs cannot be used for the results: Not a directory"):
        logs_only(tmp_path / "out")


def test_a_summary_that_cannot_be_written_is_a_sentence(tmp_path):
    with output_folder(tmp_path, ()) as folder:
        (tmp_path / "summary.json").mkdir()
        with pytest.raises(OutputFolderError, match="summary.json could not be written: Is a directory"):
            folder.write_summary({"status": 0})
