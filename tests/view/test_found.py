"""What the terminal says about photographs."""

from __future__ import annotations

from dataclasses import replace

from stages.results.jsonl import line
from stages.view.found import found_in
from tests.report.material import followed
from tests.results.frames import face, flat, frame, seen

PICTURE = {"rate": None, "time": 0.0}
WHO = "woman 97 %, happy 91 %, about 31 (25-38)"


def found(folder, *frames) -> list[str]:
    (folder / "results.jsonl").write_bytes(b"".join(map(line, frames)))
    return found_in(folder / "results.jsonl")


def picture(number: int, *faces, **more):
    return frame(number, flat(90, 60), list(faces), **{"file": f"{number}.jpg"} | PICTURE | more)


def test_each_face_of_a_picture_has_its_number_from_left_to_right_and_its_place(tmp_path):
    old = face(2, 9, 20)
    old.answers.pop("emotion")
    assert found(tmp_path, frame(0, flat(90, 60), [face(70, 1, 9), old, face(40, 20, 9)], **PICTURE)) == [
        "face 1 (left): woman 97 %, about 31 (25-38)",
        f"face 2 (centre): {WHO}",
        f"face 3 (right): {WHO}",
    ]


def test_where_faces_are_above_each_other_their_places_say_so(tmp_path):
    places = [text.partition(":")[0] for text in found(tmp_path, picture(0, face(2, 2, 9), face(5, 45, 9)))]
    assert places == ["face 1 (top left)", "face 2 (bottom left)"]


def test_the_only_face_needs_no_place_and_one_without_answers_has_its_box(tmp_path):
    assert found(tmp_path, picture(0, face(2, 2, 20))) == [f"face 1: {WHO}"]
    bare = replace(face(2, 4, 20), answers={})
    assert found(tmp_path, picture(0, bare)) == ["face 1: 20 x 20 pixels at 2, 4"]
    assert found(tmp_path, picture(0, bare, missing=["age"])) == ["face 1: no age"]


def test_an_unsure_face_says_why(tmp_path):
    [said] = found(tmp_path, picture(0, seen(face(2, 2, 20), quality=0.1, unsure=True)))
    assert said.startswith("face 1: unsure, because it is too small")


def test_a_picture_without_a_face_says_so(tmp_path):
    assert found(tmp_path, picture(0, file=None, source="cup.png")) == ["No face was found in cup.png."]
    assert found(tmp_path, picture(0, error="it is too large")) == ["0.jpg was not analysed: it is too large"]


def test_several_pictures_have_their_names_and_a_line_about_all(tmp_path):
    assert found(tmp_path, picture(0, face(2, 2, 20)), picture(1)) == [
        f"0.jpg: face 1: {WHO}",
        "1.jpg: no face",
        "2 pictures: 1 face in 1 of them",
    ]


def test_of_thousands_the_first_are_listed_and_all_are_counted(tmp_path):
    said = found(tmp_path, *(picture(number, face(2, 2, 20)) for number in range(400)))
    assert len(said) == 21 and said[-2:] == ["...", "400 pictures: 400 faces"]


def test_of_a_video_or_what_cannot_be_read_nothing_is_told(tmp_path):
    assert found(tmp_path, frame(0, faces=[followed(1)])) == []
    assert found(tmp_path, frame(0), frame(1)) == []
    assert found(tmp_path) == []
    assert found_in(tmp_path / "none.jsonl") == []
