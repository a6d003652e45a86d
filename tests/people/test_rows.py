"""Tables of people: who was there for how long, where, and what was said about them."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import datetime

import pytest

from stages.answers import Age, Classes
from stages.areas import Areas
from stages.frames import Face, Pose
from stages.layout import LOCK
from stages.locks import locked
from stages.people.__main__ import main
from stages.people.events import events_of
from stages.people.of_run import PeopleOfRun
from stages.people.rows import columns_of, days, people, seconds
from stages.reading.lines import ResultsError, manifest_of, results_in
from tests.people.material import at, seen, walk
from tests.report.material import film, followed, written
from tests.results.frames import ANSWERS, face, frame

AREAS = Areas({"left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))}, {"middle": ((0.5, 1.0), (0.5, 0.0))})


def saying(face: Face, emotion: str, years: float = 30.0, yaw: float = 0.0, gender: str = "woman") -> Face:
    scores = {"happy": 0.1, "sad": 0.1, "neutral": 0.1} | {emotion: 0.8}
    answers = {
        "gender": Classes(gender, 0.9, {"man": 0.1, "woman": 0.1} | {gender: 0.9}),
        "emotion": Classes(emotion, 0.8, scores),
        "age": Age(years, years - 5, years + 5, "20-29" if years < 30 else "30-39"),
    }
    return replace(face, answers=answers, smoothed=answers, pose=Pose(yaw, 0.0, 0.0), landmarks=None)


def test_a_person_has_a_row_with_time_places_and_what_was_said_over_it():
    faces = [saying(at(1, 20), "happy", 20.0, 30.0)] * 2 + [saying(at(1, 80), "sad", 40.0)] * 6
    [row] = people([seen(n, face) for n, face in enumerate(faces)], 1.0, AREAS)
    assert (row["id"], row["first"], row["last"], row["seconds"], row["gaps"]) == (1, 0.0, 0.8, 0.8, 0.0)
    assert (row["zone_left"], row["line_middle_in"], row["line_middle_out"]) == (0.2, 1, 0)
    assert (row["emotion"], row["emotion_sad"], row["emotion_happy"], row["emotion_neutral"]) == ("sad", 0.75, 0.25, 0)
    assert (row["age"], row["age_low"], row["age_high"], row["age_group"]) == (35.0, 30.0, 40.0, "30-39")
    assert (row["gender"], row["gender_confidence"], row["facing"]) == ("woman", 0.9, 0.75)
    assert (row["best_picture"], row["first_clock"]) == (None, None)


def test_a_gap_is_not_in_view_and_counted_apart():
    lines = [*walk(1, *[20] * 5), *[seen(n) for n in range(5, 10)], *walk(1, *[20] * 5, first=10)]
    [row] = people(lines)
    assert (row["seconds"], row["gaps"], row["last"]) == (1.0, 0.5, 1.5)


def test_rows_stand_by_id_and_are_of_those_whom_events_tell_of():
    brief = [seen(n, *([at(9, 80)] if n == 3 else [])) for n in range(8)]
    long, short = [at(1, 20)] * 20, [*[None] * 3, *[at(2, 60)] * 5]
    both = [seen(n, *filter(None, (a, b))) for n, (a, b) in enumerate(zip(long, short + [None] * 12, strict=True))]
    assert [row["id"] for row in people(both, coast_s=0.2)] == [1, 2]
    assert list(people(brief)) == []
    assert {event.id for event in events_of(both, 0.2)} == {1, 2}


def test_a_second_has_a_row_for_each_person_in_view():
    faces = [saying(at(1, 20), "happy")] * 12 + [saying(at(1, 80), "sad")] * 3
    first, second = seconds([seen(n, face) for n, face in enumerate(faces)], 1.0, AREAS)
    assert (first["second"], first["seconds"], first["zone_left"], first["emotion"]) == (0, 1.0, 1.0, "happy")
    assert (second["second"], second["seconds"], second["zone_left"], second["emotion"]) == (1, 0.5, 0.2, "sad")


def test_the_seconds_of_a_person_are_those_of_their_row():
    lines = [*walk(1, *[20] * 17), *[seen(n) for n in range(17, 22)], *walk(1, *[70] * 9, first=22)]
    [person] = people(lines, 1.0, AREAS)
    rows = list(seconds(lines, 1.0, AREAS))
    assert sum(row["seconds"] for row in rows) == pytest.approx(person["seconds"])
    assert sum(row["zone_left"] for row in rows) == pytest.approx(person["zone_left"])


def test_visitors_are_counted_in_the_hour_in_which_they_came():
    def visit(number: int, hour: int, years: float, gender: str) -> list:
        clock = f"2026-11-29T{hour:02}:59:59.000+01:00"
        of = saying(at(number, 20), "happy", years, gender=gender)
        return [seen(100 * number + n, of, clock=clock) for n in range(5)]

    lines = [
        *visit(1, 9, 25.0, "woman"),
        *visit(2, 9, 25.0, "woman"),
        *visit(3, 9, 35.0, "man"),
        *visit(4, 10, 35.0, "man"),
    ]
    rows = [tuple(row.values()) for row in days(people(lines))]
    assert rows == [
        ("clip.mp4", "2026-11-29", 9, "man", "30-39", 1),
        ("clip.mp4", "2026-11-29", 9, "woman", "20-29", 2),
        ("clip.mp4", "2026-11-29", 10, "man", "30-39", 1),
    ]


def test_a_video_has_days_once_it_is_said_when_it_begins():
    rows = list(people(walk(1, *[20] * 5)))
    assert list(days(rows)) == []
    [row] = days(rows, datetime.fromisoformat("2026-11-29T23:59:59+01:00"))
    assert (row["day"], row["hour"], row["visitors"]) == ("2026-11-29", 23, 1)


def test_columns_of_all_rows_are_in_the_order_of_each():
    rows = [{"a": 1, "d": None}, {"a": 2, "b": "x", "c": 0.5, "d": True}]
    assert columns_of(rows) == {"a": int, "b": str, "c": float, "d": bool}


# --- The command ---


def table(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(tmp_path):
    """A run over half a second of two people, whose zone is the left half."""
    folder = written(tmp_path / "clip", film(13, followed(4), followed(5, x=70.0)))
    zone = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    said = {
        "run": "a1",
        "incarnation": 1,
        "ended": "finished",
        "inputs": {"zones": {"left": zone}, "render.coast": 1.0},
    }
    (folder / "run.json").write_text(json.dumps(said))
    return folder


def test_the_command_writes_the_tables_with_the_zones_of_the_run(run, capsys):
    assert main([str(run), "--begins", "2026-11-29T09:00+01:00"]) == 0
    four, five = table(run / "people.csv")
    assert (four["id"], four["zone_left"], five["zone_left"]) == ("4", "0.52", "0.0")
    assert len(table(run / "seconds.csv")) == 2
    [row] = table(run / "days.csv")
    assert (row["hour"], row["visitors"]) == ("9", "2")
    assert capsys.readouterr().out.count("Wrote") == 3 and not (run / "events.jsonl").exists()


def test_without_a_time_of_day_there_is_no_table_of_days_and_that_is_said(run, capsys):
    assert main([str(run)]) == 0
    assert "No table of days" in capsys.readouterr().out and not (run / "days.csv").exists()


def test_a_table_of_days_does_not_stay_beside_tables_that_are_newer(run, capsys):
    assert main([str(run), "--begins", "2026-11-29T09:00+01:00"]) == 0
    assert main([str(run)]) == 0
    assert "Removed" in capsys.readouterr().out and not (run / "days.csv").exists()
    (run / "days.csv").write_text("mine")
    assert main([str(run)]) == 0
    assert (run / "days.csv").read_text() == "mine"


def test_events_are_not_written_without_what_the_run_was_begun_with(run, capsys):
    (run / "run.json").write_text("[1]")
    assert main([str(run), "--events"]) == 2
    assert "run.json" in capsys.readouterr().err and not (run / "events.jsonl").exists()


def test_that_nobody_has_a_number_is_said(tmp_path, capsys):
    photo = written(tmp_path / "photo", [frame(0, faces=[face(10, 10, 50)], rate=None)])
    assert main([str(photo)]) == 0
    assert "Nobody has a number" in capsys.readouterr().out


def test_other_zones_are_taken_from_another_configuration(run, tmp_path):
    (tmp_path / "shop.yaml").write_text("zones: {door: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}\n")
    assert main([str(run), "--csv", "--events", "--config", str(tmp_path / "shop.yaml")]) == 0
    assert [row["zone_door"] for row in table(run / "people.csv")] == ["0.0", "0.52"]
    events = [json.loads(text) for text in (run / "events.jsonl").read_text().splitlines()]
    assert [(e["event"], e["id"]) for e in events if "zone" in e] == [("entered", 5), ("exited", 5)]


@pytest.mark.parametrize("where", ["", "door"])
def test_the_zones_of_one_of_several_sources_are_its_own_also_where_it_alone_has_frames(run, tmp_path, where):
    house = tmp_path / "house"
    shutil.move(run, house / "door")
    shutil.move(house / "door/run.json", house / "run.json")
    written(house / "gate", [])
    zones = "zones: {door: {far: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}, gate: {}}"
    (tmp_path / "house.yaml").write_text(f"sources: {{door: 0, gate: 1}}\n{zones}\n")
    assert main([str(house / where), "--config", str(tmp_path / "house.yaml")]) == 0
    assert [row["zone_far"] for row in table(house / where / "people.csv")] == ["0.0", "0.52"]


def test_parquet_has_the_same_rows(run):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main([str(run), "--csv", "--parquet"]) == 0
    rows = parquet.read_table(run / "people.parquet").to_pylist()
    assert [str(row["zone_left"]) for row in rows] == [row["zone_left"] for row in table(run / "people.csv")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--begins", "nine"], "'nine' is no time of day with its zone"),
        (["--begins", "2026-11-29T09:00"], "no time of day with its zone"),
        (["--config", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run, capsys, options, sentence):
    try:
        status = main([str(run), *options])
    except SystemExit as exit_:
        status = exit_.code
    assert status == 2 and sentence in capsys.readouterr().err
    assert not (run / "people.csv").exists()


def test_the_events_of_a_run_that_is_under_way_are_left_to_it(run, capsys):
    with locked(run / LOCK):
        assert main([str(run), "--events"]) == 2
    assert "is under way" in capsys.readouterr().err and not (run / "events.jsonl").exists()


def test_one_time_of_day_is_not_that_of_several_videos(tmp_path, capsys):
    frames = [*film(10, followed(1), file="a.mp4"), *film(10, followed(2), file="b.mp4")]
    folder = written(tmp_path, [replace(one, frame=number) for number, one in enumerate(frames)])
    assert main([str(folder), "--begins", "2026-11-29T09:00+01:00"]) == 2
    assert "this run has several" in capsys.readouterr().err
    assert main([str(folder)]) == 0


def test_a_video_ends_before_the_calendar_does(tmp_path, capsys):
    folder = written(tmp_path, [frame(number, faces=[followed(1)], time=number / 25 + 5) for number in range(10)])
    assert main([str(folder), "--begins", "9999-12-31T23:59:59+00:00"]) == 2
    assert "after the year 9999" in capsys.readouterr().err and not (folder / "people.csv").exists()


@pytest.mark.parametrize("zones", [5, [], {"left": [[0, 0], [9, 9], [1, 1]]}, {"left": None}, {"left": {"a": []}}])
def test_a_run_file_whose_zones_are_none_is_refused(run, capsys, zones):
    (run / "run.json").write_text(json.dumps({"inputs": {"zones": zones}}))
    assert main([str(run)]) == 2
    assert "run.json is damaged at zones" in capsys.readouterr().err


def test_a_table_of_somebody_else_is_left_alone(run, capsys):
    (run / "people.csv").write_text("mine")
    assert main([str(run)]) == 2
    assert "people.csv was not written by facepipe" in capsys.readouterr().err
    assert (run / "people.csv").read_text() == "mine"


def test_pictures_give_tables_without_rows(tmp_path):
    folder = written(tmp_path, [replace(one, picture=replace(one.picture, file="a.jpg")) for one in film(1)])
    assert main([str(folder)]) == 0
    assert table(folder / "people.csv") == []
    assert (folder / "people.csv").read_text().startswith("source,file,id")


def test_each_answer_of_an_event_is_also_in_the_table_under_its_stage():
    [row] = people(walk(1, *[20] * 5))
    assert ANSWERS.keys() <= row.keys()


def test_people_in_pieces_are_found_where_what_a_piece_begins_with_is_damaged_or_gone(tmp_path):
    """It is in the lines where a piece begins; only the events need what was known before."""
    for number, frames in enumerate((film(40, followed(1))[:20], film(40, followed(1))[20:]), start=1):
        written(tmp_path / "pieces" / f"{number:06}", frames)
    (tmp_path / "pieces" / "000002" / "piece.json").write_text("{")
    of_run = PeopleOfRun(tmp_path, manifest_of(tmp_path), results_in(tmp_path))
    assert [row["id"] for row in of_run.people()] == [1]
    shutil.rmtree(tmp_path / "pieces" / "000001")  # As render.keep does.
    [source] = PeopleOfRun(tmp_path, manifest_of(tmp_path), results_in(tmp_path)).sources
    with pytest.raises(ResultsError, match=r"piece\.json is missing or damaged, .*; put it back\.$"):
        next(source.events(manifest_of(tmp_path)))
