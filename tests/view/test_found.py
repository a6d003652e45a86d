"""What the terminal says about one picture."""

from __future__ import annotations

from stages.results.jsonl import line
from stages.view.found import found_in
from tests.report.material import followed
from tests.results.frames import face, flat, frame

PICTURE = {"rate": None, "time": 0.0}


def found(folder, *frames) -> list[str]:
    (folder / "results.jsonl").write_bytes(b"".join(map(line, frames)))
    return found_in(folder / "results.jsonl")


def test_each_face_of_a_picture_has_a_line_from_left_to_right(tmp_path):
    old = face(2, 9, 20)
    old.answers.pop("emotion")
    assert found(tmp_path, frame(0, faces=[face(40, 1, 9), old], **PICTURE)) == [
        "woman 97 %, age 31 (25-38)",
        "woman 97 %, happy 91 %, age 31 (25-38)",
    ]


def test_of_a_crowd_the_first_ten_are_told_and_the_others_counted(tmp_path):
    said = found(tmp_path, frame(0, flat(640, 64), [face(30.0 * n, 1, 20) for n in range(12)], **PICTURE))
    assert len(said) == 11 and said[-1] == "and 2 more"


def test_of_several_pictures_a_video_or_what_could_not_be_analysed_nothing_is_told(tmp_path):
    one = frame(0, faces=[face(2, 2, 20)], **PICTURE)
    assert found(tmp_path, one, one) == []
    assert found(tmp_path, frame(0, faces=[followed(1)])) == []
    assert found(tmp_path, frame(0, error="it is too large", **PICTURE)) == []
    assert found(tmp_path) == []
    assert found_in(tmp_path / "none.jsonl") == []
