"""A new follower that is given the lines of the file goes on as if it had been there from the start."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age, Classes, Value, age_group
from stages.frames import Face, FinishedFrame, doubted
from stages.results.jsonl import line, parsed
from stages.vision.following import Follower
from tests.results.frames import face, frame, seen

# --- Histories: faces that tremble, cross, go and come back, in a folder of videos and pictures ---

UNROUNDED = st.floats(0.001, 0.999)


@st.composite
def answers(draw) -> dict:
    happy, woman, years = draw(UNROUNDED), draw(UNROUNDED), 100 * draw(UNROUNDED)
    said = {
        "gender": Classes("woman" if woman > 0.5 else "man", max(woman, 1 - woman), {"man": 1 - woman, "woman": woman}),
        "emotion": Classes(
            "happy" if happy > 0.5 else "sad", max(happy, 1 - happy), {"sad": 1 - happy, "happy": happy}
        ),
        "age": Age(years, years - 7 * happy, years + 9 * woman, age_group(years)),
        "beauty": Value(draw(st.sampled_from([0.0, 1 / 3, float("nan")]))),
    }
    return {stage: answer for stage, answer in said.items() if draw(st.integers(0, 5))}  # Some come too late.


@st.composite
def faces(draw) -> list[Face]:
    places = draw(st.lists(st.sampled_from([0, 30, 60, 200]), unique=True, max_size=3))
    found = []
    for x in places:
        one = Face((x + draw(UNROUNDED), 50 + draw(UNROUNDED), 60, 60), draw(UNROUNDED), draw(answers()))
        found.append(seen(one, draw(UNROUNDED)) if draw(st.booleans()) else one)
    return found


@st.composite
def histories(draw) -> list[FinishedFrame]:
    time_s, frames = 0.0, []
    for number in range(draw(st.integers(1, 8))):
        file = draw(st.sampled_from(["a.mp4", "b.jpg", "c.mp4"])) if number == 0 else frames[-1].picture.file
        if frames and draw(st.integers(0, 4)) == 0:
            file, time_s = f"{number}{file}", 0.0
        elif frames and draw(st.integers(0, 4)) == 0:
            file = draw(st.sampled_from([one.picture.file for one in frames]))  # With --loop it comes again.
        time_s += draw(st.sampled_from([1 / 30, 1 / 3, 2.0]))
        still = file.endswith("jpg")
        found = draw(faces())
        error = draw(st.sampled_from([None, None, "detect gave it up"])) if not found else None
        frames.append(
            frame(
                number,
                faces=found,
                file=file,
                time=0.0 if still else time_s,
                rate=None if still else 30.0,
                cut=not still and draw(st.integers(0, 4)) == 0,
                error=error,
            )
        )
    return frames


def follower() -> Follower:
    return Follower(coast_s=1.0, over_s={"gender": 3.0, "emotion": 0.15, "age": 5.0, "beauty": 0.0})


def restored(lines: list[bytes]) -> Follower:
    """A new one that has read what another one's frames were written as."""
    new = follower()
    for said in map(parsed, lines):
        new.replay(said.file, said.time, said.faces, said.cut)
    return new


def written(by: Follower, frames: list[FinishedFrame]) -> list[bytes]:
    return [line(by.follow(doubted(one, unsure_below=0.4))) for one in frames]


@given(frames=histories(), data=st.data())
def test_wherever_the_file_is_cut_what_follows_is_the_same_to_the_byte(frames, data):
    undisturbed = written(follower(), frames)
    cut = data.draw(st.integers(0, len(frames)))
    assert written(restored(undisturbed[:cut]), frames[cut:]) == undisturbed[cut:]


@pytest.mark.parametrize("between", [[], [face(10, 10, 60)]])
def test_a_picture_between_two_rounds_of_a_video_is_one_whether_it_has_faces_or_not(between):
    frames = [
        frame(0, faces=[face(10, 10, 60)], file="a.mp4", time=0.0),
        frame(1, faces=between, file="b.jpg", time=0.0, rate=None),
        frame(2, faces=[face(10, 10, 60)], file="a.mp4", time=0.04),
    ]
    undisturbed = written(follower(), frames)
    assert [[face.get("id") for face in json.loads(text)["faces"]] for text in undisturbed] == [
        [1],
        [None] * len(between),
        [2],
    ]
    assert written(restored(undisturbed[:2]), frames[2:]) == undisturbed[2:]


@given(histories())
def test_what_is_read_back_is_what_was_written(frames):
    for text, one in zip(written(follower(), frames), frames, strict=True):
        again = FinishedFrame(one.source, one.frame, one.picture, parsed(text).faces, error=one.error)
        assert line(again) == text


# --- What a person sees of it ---


def ids(text: bytes) -> list[int | None]:
    return [one.get("id") for one in json.loads(text)["faces"]]


def test_a_face_in_a_video_has_a_number_and_one_in_a_picture_has_none():
    one = follower()
    lines = written(one, [frame(0, faces=[face(9, 9, 90)]), frame(1, faces=[face(10, 9, 90)]), frame(2)])
    assert [ids(text) for text in lines] == [[1], [1], []]
    [still] = written(one, [frame(0, faces=[face(9, 9, 90)], rate=None)])
    assert ids(still) == [None]


def test_another_video_shows_other_people():
    clips = [frame(0, faces=[face(9, 9, 90)], file="a.mp4"), frame(1, faces=[face(9, 9, 90)], file="b.mp4")]
    assert [ids(text) for text in written(follower(), clips)] == [[1], [2]]


def test_a_frame_that_could_not_be_analysed_is_no_reason_to_forget_anybody():
    frames = [frame(0, faces=[face(9, 9, 90)]), frame(1, error="detect gave it up"), frame(2, faces=[face(9, 9, 90)])]
    assert [ids(text) for text in written(follower(), frames)] == [[1], [], [1]]


def test_a_line_that_is_no_json_is_not_taken_for_one():
    with pytest.raises(ValueError):
        restored([b'{"frame": 0, "ti'])
