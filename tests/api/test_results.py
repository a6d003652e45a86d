"""The results of a run, read back."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from datetime import datetime

import pytest

from stages import api
from stages.errors import FacepipeError
from stages.people.__main__ import main as people
from stages.report.__main__ import main as report


def test_every_frame_is_read_back_as_it_was_written(shown, album):
    for folder in (shown, album):
        written = (folder / "results.jsonl").read_text().splitlines()
        assert [json.dumps(frame.to_json()) for frame in api.read(folder).frames()] == written


def test_how_the_run_ended(shown):
    run = api.read(str(shown))
    assert run.ended == "finished" and run.summary["sources"][0]["rendered"] == len(list(run.frames()))


def test_people_seconds_and_days_are_the_tables_of_the_command(shown, album, tmp_path):
    folder = tmp_path / "shown"
    shutil.copytree(shown, folder)
    begins = "2026-11-29T09:59+01:00"
    assert people([str(folder), "--begins", begins]) == 0
    run = api.read(folder)
    tables = {"people": run.people(), "seconds": list(run.seconds()), "days": run.days(datetime.fromisoformat(begins))}
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open(newline="") as file:
            written = list(csv.DictReader(file))
        said = [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in rows]
        assert written and len(written) == len(said)
        for row, one in zip(written, said, strict=True):
            assert {key: row[key] for key in one} == one
    assert api.read(album).people() == []


def test_events_are_the_lines_of_events_jsonl(shown, album):
    lines = (shown / "events.jsonl").read_text().splitlines()
    assert lines and [json.dumps(event) for event in api.read(shown).events()] == lines
    assert list(api.read(album).events()) == []


def test_events_that_cannot_be_read_are_said_to_be_so(shown, tmp_path):
    shutil.copytree(shown, tmp_path / "out")
    (tmp_path / "out" / "events.jsonl").rename(tmp_path / "events.jsonl")
    (tmp_path / "out" / "events.jsonl").symlink_to(tmp_path / "events.jsonl")
    with pytest.raises(FacepipeError, match=r"events\.jsonl cannot be read: it is a symbolic link; "):
        list(api.read(tmp_path / "out").events())


def test_the_table_is_that_of_the_report(album, shown, tmp_path):
    pytest.importorskip("pyarrow")
    for name, folder in (("album", album), ("shown", shown)):
        shutil.copytree(folder, tmp_path / name)
        assert report([str(tmp_path / name), "--csv"]) == 0
        with (tmp_path / name / "faces.csv").open(newline="") as file:
            expected = list(csv.DictReader(file))
        table = api.read(folder).to_arrow()
        assert table.column_names == list(expected[0])
        rows = [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in table.to_pylist()]
        assert rows == expected


def test_a_data_frame_has_the_same_rows_or_says_what_to_install(shown):
    if importlib.util.find_spec("pandas"):
        table = api.read(shown).to_pandas()
        assert len(table) == sum(len(frame.faces) for frame in api.read(shown).frames())
        assert table["id"].dtype == "Int64" and set(table["gender"].dropna()) <= {"woman", "man"}
    else:
        with pytest.raises(FacepipeError, match="pip install pandas"):
            api.read(shown).to_pandas()


def test_a_run_under_way_has_its_frames_so_far(shown, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    said = json.loads((shown / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(said | {"ended": None}))
    lines = (shown / "results.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(b"")
    run = api.read(folder)
    assert list(run.frames()) == run.people() == list(run.events()) == [] and run.ended is None and run.summary == {}
    (folder / "results.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:50])  # As a kill may leave it.
    assert [frame.frame for frame in run.frames()] == [0, 1, 2]


def test_a_table_of_no_frames_is_empty(shown, tmp_path):
    pytest.importorskip("pyarrow")
    shutil.copy(shown / "run.json", tmp_path)
    (tmp_path / "results.jsonl").write_bytes(b"")
    assert api.read(tmp_path).to_arrow().num_rows == 0


@pytest.mark.parametrize("what", ["missing", "a file", "a folder", "a folder of runs", "other lines"])
def test_what_is_no_run_is_refused_in_a_sentence(what, shown, tmp_path):
    folder = tmp_path / "out"
    if what == "a file":
        folder.write_text("a letter")
    elif what != "missing":
        folder.mkdir()
    if what == "a folder of runs":
        shutil.copytree(shown, folder / "clip")
    if what == "other lines":
        (folder / "results.jsonl").write_text('{"name": "somebody else\'s"}\n')
    with pytest.raises(FacepipeError, match="out") as refused:
        list(api.read(folder).frames())
    assert str(refused.value).endswith(".")
