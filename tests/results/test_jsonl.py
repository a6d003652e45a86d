from __future__ import annotations

import json
import os
import resource
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from stages.answers import Classes, Value
from stages.frames import Face
from stages.results.errors import OutputError
from stages.results.jsonl import JsonLines, line, lines_of, parsed, record
from tests.results.frames import face, flat, frame, seen


def test_a_line_is_what_the_manual_shows_to_the_byte():
    written = line(frame(17, flat(640, 360), [face(201, 88, 120)]))
    assert written == (
        b'{"source": "clip.mp4", "frame": 17, "time": 0.68, "width": 640, "height": 360, '
        b'"faces": [{"box": [201.0, 88.0, 120.0, 120.0], "score": 0.98, '
        b'"gender": {"label": "woman", "confidence": 0.97, "scores": {"man": 0.03, "woman": 0.97}}, '
        b'"emotion": {"label": "happy", "confidence": 0.91, "scores": {"angry": 0.09, "happy": 0.91}}, '
        b'"age": {"years": 31.2, "low": 25.0, "high": 38.0, "group": "30-39"}}]}\n'
    )


def test_landmarks_pose_and_quality_stand_behind_the_score_of_a_face_that_has_them():
    one = seen(replace(face(100, 200, 100), answers={}), quality=1 / 3)
    assert line(frame(17, flat(640, 360), [one, face(300, 9, 9)])).startswith(
        b'{"source": "clip.mp4", "frame": 17, "time": 0.68, "width": 640, "height": 360, '
        b'"faces": [{"box": [100.0, 200.0, 100.0, 100.0], "score": 0.98, '
        b'"landmarks": [[130.0, 230.0], [170.0, 230.0], [150.0, 250.0], [130.0, 270.0], [170.0, 270.0]], '
        b'"pose": {"yaw": 12.5, "pitch": -3.0, "roll": 20.0}, "quality": 0.3333}, '
        b'{"box": [300.0, 9.0, 9.0, 9.0], "score": 0.98, "gender": '
    )
    assert record(frame(faces=[replace(one, unsure=True)]))["faces"][0]["unsure"] is True


def test_file_missing_and_error_stand_in_a_line_only_where_there_is_something_to_say():
    assert list(record(frame())) == ["source", "frame", "time", "width", "height", "faces"]
    full = record(frame(file="a/b.jpg", missing=["age"], error="detect gave it up"))
    assert list(full) == ["source", "frame", "file", "time", "width", "height", "faces", "missing", "error"]
    assert (full["file"], full["missing"], full["error"]) == ("a/b.jpg", ["age"], "detect gave it up")


def test_a_frame_of_a_live_source_has_the_time_of_day_with_its_zone_and_it_is_read_back(tmp_path):
    live = frame()
    live = replace(live, picture=replace(live.picture, clock=1_800_000_000.0625))
    (path := tmp_path / "results.jsonl").write_bytes(line(live))
    [read] = lines_of(path)
    assert list(record(live)) == ["source", "frame", "time", "clock", "width", "height", "faces"]
    assert datetime.fromisoformat(read.clock).timestamp() == 1_800_000_000.062
    assert datetime.fromisoformat(read.clock).tzinfo is not None


@pytest.mark.parametrize("clock", ["5", "yesterday", "2026-11-29T18:04:05", 5, True, []])
def test_a_clock_that_is_no_time_of_day_with_a_zone_is_no_line(clock):
    said = record(frame()) | {"clock": clock}
    with pytest.raises(ValueError, match="no line of results"):
        parsed(json.dumps(said).encode())


def test_faces_stand_from_left_to_right_then_from_top_to_bottom():
    boxes = [f["box"][:2] for f in record(frame(faces=[face(9, 0, 5), face(1, 8, 5), face(1, 2, 5)]))["faces"]]
    assert boxes == [[1, 2], [1, 8], [9, 0]]


def test_numbers_are_rounded_to_four_decimals_whatever_type_they_come_in():
    box = (np.float32(1 / 3), -0.00001, np.float64(10), 10)
    written = record(frame(time=1 / 3, faces=[Face(box, 2 / 3, {"beauty": Value(3.14159265)})]))
    assert written["time"] == 0.3333
    assert json.dumps(written["faces"]) == (
        '[{"box": [0.3333, 0.0, 10.0, 10.0], "score": 0.6667, "beauty": {"value": 3.1416}}]'
    )


def test_what_is_not_a_number_becomes_null_because_json_has_no_nan():
    broken = Face((0, 0, 1, 1), float("nan"), {"gender": Classes("man", float("inf"), {"man": float("nan")})})
    assert json.loads(line(frame(faces=[broken])))["faces"] == [
        {"box": [0, 0, 1, 1], "score": None, "gender": {"label": "man", "confidence": None, "scores": {"man": None}}}
    ]


def test_names_in_any_script_stay_readable_and_names_that_are_not_text_survive():
    assert '"file": "müde/男.jpg"'.encode() in line(frame(file="müde/男.jpg"))
    not_text = os.fsdecode(b"\xff.jpg")
    assert json.loads(line(frame(file=not_text)).decode())["file"] == not_text


def test_a_line_is_in_the_file_when_write_returns(tmp_path: Path):
    lines = JsonLines(tmp_path / "out" / "results.jsonl")
    lines.write(frame(0))
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == line(frame(0))
    lines.close()
    lines.close()


def test_an_earlier_file_is_replaced_or_continued(tmp_path: Path):
    path = tmp_path / "results.jsonl"
    for append, expected in ((False, [0]), (True, [0, 0]), (False, [0])):
        lines = JsonLines(path, append=append)
        lines.write(frame(0))
        lines.close()
        assert [json.loads(text)["frame"] for text in path.read_text().splitlines()] == expected


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot write .*results.jsonl: "):
        JsonLines(tmp_path / "out" / "results.jsonl")


def test_a_line_that_fits_only_in_part_is_one_sentence_and_leaves_nothing_of_itself(tmp_path: Path):
    path, first = tmp_path / "results.jsonl", line(frame(0))
    lines = JsonLines(path)
    lines.write(frame(0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(first) + 20, before[1]))
    try:
        with pytest.raises(OutputError, match="^cannot write .*results.jsonl: File too large; .*--output.$"):
            lines.write(frame(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == first
