"""Tables: one row for each face in each frame."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from datetime import datetime

import pytest

from stages.answers import Classes, Value
from stages.report.__main__ import main
from tests.report.material import between, film, followed, written
from tests.results.frames import ANSWERS, face, flat, frame, seen


def table(folder) -> list[dict[str, str]]:
    with (folder / "faces.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_has_everything_that_is_said_about_a_face(tmp_path, capsys):
    folder = written(tmp_path, [*film(2, followed(4), followed(5, x=40.0)), frame(2, flat(96, 64))])
    assert main([str(folder), "--csv"]) == 0
    rows = table(folder)
    assert [(row["frame"], row["time"], row["id"]) for row in rows] == [
        ("0", "0.0", "4"),
        ("0", "0.0", "5"),
        ("1", "0.04", "4"),
        ("1", "0.04", "5"),
    ]
    row = rows[0]
    assert (row["source"], row["file"], row["box_x"], row["box_width"]) == ("clip.mp4", "", "10.0", "20.0")
    assert (row["gender"], row["gender_confidence"], row["gender_man"]) == ("woman", "0.97", "0.03")
    assert (row["age"], row["age_low"], row["age_group"], row["smoothed_emotion"]) == ("31.2", "25.0", "30-39", "happy")
    assert "4 rows" in capsys.readouterr().out
    assert not (folder / "report.html").exists()


def test_where_there_are_landmarks_points_pose_and_quality_have_columns(tmp_path):
    points = replace(seen(face(40, 10, 20), quality=0.05), unsure=True)
    main([str(written(tmp_path, [frame(0, flat(96, 64), [face(1, 1, 9), points])])), "--csv"])
    without, row = table(tmp_path)
    assert (row["right_eye_x"], row["right_eye_y"], row["mouth_left_x"], row["nose_y"]) == (
        "46.0",
        "16.0",
        "54.0",
        "20.0",
    )
    assert (row["pose_yaw"], row["pose_pitch"], row["pose_roll"]) == ("12.5", "-3.0", "20.0")
    assert (row["quality"], row["unsure"], row["gender"]) == ("0.05", "True", "woman")
    assert (without["quality"], without["unsure"], without["nose_x"]) == ("", "", "")
    main([str(written(tmp_path, [frame(0, flat(96, 64), [face(1, 1, 9)])])), "--csv"])
    assert "quality" not in table(tmp_path)[0]


def test_the_time_of_day_has_a_column_where_the_source_was_live(tmp_path):
    one, other = film(2, followed(1))
    live = [replace(one, picture=replace(one.picture, clock=1_800_000_000.0)), other]
    main([str(written(tmp_path / "live", live)), "--csv"])
    main([str(written(tmp_path / "file", [one, other])), "--csv"])
    first, second = table(tmp_path / "live")
    assert datetime.fromisoformat(first["clock"]).timestamp() == 1_800_000_000 and second["clock"] == ""
    assert "clock" not in table(tmp_path / "file")[0]


def test_a_table_is_sorted_by_any_of_its_columns_and_holds_the_same_rows(tmp_path):
    faces = [face(10.0 * n, 1, 9, emotion=Classes(said, 0.6, {said: 0.6})) for n, said in enumerate(("sad", "happy"))]
    folder = written(tmp_path, [frame(n, flat(96, 64), faces, file=f"{n}.png") for n in (0, 1)])
    main([str(folder), "--csv"])
    plain = table(folder)
    main([str(folder), "--csv", "--sort", "emotion,file:desc"])
    assert [(row["emotion"], row["file"]) for row in table(folder)] == [
        ("happy", "1.png"),
        ("happy", "0.png"),
        ("sad", "1.png"),
        ("sad", "0.png"),
    ]
    assert sorted(map(str, table(folder))) == sorted(map(str, plain))


def test_columns_are_there_although_only_the_last_face_needs_them_and_what_was_not_said_is_empty(tmp_path):
    one = frame(0, flat(96, 64), [face(1, 1, 9)])
    other = frame(1, flat(96, 64), [face(1, 1, 9, height=Value(float("nan"))), face(20, 1, 9, height=Value(1.5))])
    main([str(written(tmp_path, [one, other])), "--csv"])
    assert [row["height"] for row in table(tmp_path)] == ["", "", "1.5"]
    assert [row["id"] for row in table(tmp_path)] == ["", "", ""]


def test_where_not_every_frame_is_asked_about_columns_keep_their_order_and_what_is_carried_on_is_in_each_row(tmp_path):
    one = followed(4)
    faces = [between(one, carried_on=False), between(one, carried_on=False), one, between(one)]
    main([str(written(tmp_path, [frame(n, flat(96, 64), [of]) for n, of in enumerate(faces, start=1)])), "--csv"])
    rows = table(tmp_path)
    assert [row["gender"] for row in rows] == ["", "", "woman", ""]
    assert [row["smoothed_gender"] for row in rows] == ["", "", "woman", "woman"]
    assert [name for name in rows[0] if name in ANSWERS] == list(ANSWERS)
    assert [name for name in rows[0] if name.removeprefix("smoothed_") in ANSWERS] == [
        *ANSWERS,
        *(f"smoothed_{stage}" for stage in ANSWERS),
    ]


def test_a_stage_that_is_called_like_a_column_does_not_take_its_place(tmp_path):
    main([str(written(tmp_path, [frame(3, flat(96, 64), [face(1, 1, 9, time=Value(1.5))])])), "--csv"])
    assert [(row["time"], row["time_answer"]) for row in table(tmp_path)] == [("0.12", "1.5")]


def test_texts_with_commas_quotes_and_line_ends_come_back_as_they_were(tmp_path):
    name = 'a,"b"\n.png'
    main([str(written(tmp_path, film(1, face(1, 1, 9), file=name, rate=None))), "--csv"])
    assert [row["file"] for row in table(tmp_path)] == [name]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_name_that_a_spreadsheet_would_run_stands_behind_an_apostrophe(tmp_path, begins):
    name = f"{begins}HYPERLINK(1)"
    label = Classes(name, 0.5, {name: 0.5, "b": 0.5})
    one = face(-4, 1, 9, **{name: label})
    main([str(written(tmp_path, film(1, one, file=name, source=name, rate=None))), "--csv"])
    [row] = table(tmp_path)
    assert [row["source"], row["file"], row[f"'{name}"], row["box_x"]] == [f"'{name}"] * 3 + ["-4.0"]
    assert row[f"'{name}_confidence"] == "0.5"


def test_several_sources_are_one_table(tmp_path):
    written(tmp_path / "door", film(2, followed(1), source="door"))
    written(tmp_path / "yard", film(1, followed(1), source="yard"))
    main([str(tmp_path), "--csv"])
    assert [row["source"] for row in table(tmp_path)] == ["door", "door", "yard"]


def test_parquet_has_the_same_with_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = written(tmp_path, film(3, followed(4), face(40, 1, 9)))
    assert main([str(folder), "--csv", "--parquet"]) == 0
    read = parquet.read_table(folder / "faces.parquet")
    assert [str(field.type) for field in read.schema][:6] == ["string", "string", "int64", "double", "int64", "double"]
    assert read.column_names == list(table(folder)[0])
    text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in read.to_pylist()]
    assert text == table(folder)


def test_without_the_library_one_sentence_says_what_installs_it(tmp_path):
    from stages.dependencies import missing

    assert "make install-tables" in missing(ModuleNotFoundError(name="pyarrow.parquet"))


def test_that_the_library_is_missing_is_found_out_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match="pyarrow"):
        main([str(written(tmp_path, film(3, followed(1)))), "--csv", "--parquet"])
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_a_table_that_cannot_be_finished_leaves_nothing(tmp_path, capsys):
    folder = written(tmp_path, film(3, followed(1)))
    with (folder / "results.jsonl").open("ab") as file:
        file.write(b"no line\n")
    assert main([str(folder), "--csv"]) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["results.jsonl"]
