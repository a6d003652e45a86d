"""Subtitles: valid WebVTT, legible, and the same however often they are made."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age, Classes
from stages.sinks.subtitles import MOST, subtitles, subtitles_path
from tests.results.frames import face

TIME = r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})"


def parsed(text: str) -> list[tuple[float, float, str]]:
    """Read as strictly as the grammar of WebVTT has it: times ascend, and nothing stands where it must not."""
    head, *blocks = text.removesuffix("\n").split("\n\n")
    assert head == "WEBVTT" and text.endswith("\n") and "\r" not in text and "\0" not in text
    cues = []
    for block in blocks:
        timing, *lines = block.split("\n")
        found = re.fullmatch(f"{TIME} --> {TIME}", timing)
        assert found, timing
        h1, m1, s1, t1, h2, m2, s2, t2 = map(int, found.groups())
        start, end = 3600 * h1 + 60 * m1 + s1 + t1 / 1000, 3600 * h2 + 60 * m2 + s2 + t2 / 1000
        assert start < end and (not cues or start >= cues[-1][1])
        assert lines and all(line.strip() for line in lines)
        assert not any("-->" in line or "<" in line or ">" in line for line in lines)
        assert not re.search(r"&(?!amp;|lt;|gt;)", "\n".join(lines))
        cues.append((start, end, "\n".join(lines)))
    return cues


def cues(*frames) -> list[tuple[float, float, str]]:
    return parsed("".join(subtitles(frames)))


def someone(number: int, emotion: str = "happy", side: float = 20.0):
    return replace(face(10, 10, side, emotion=Classes(emotion, 0.9, {emotion: 0.9})), id=number)


def test_who_is_seen_is_said_for_as_long_as_it_stays_the_same():
    frames = [(n / 25, [someone(4)] if n < 30 else [someone(4, "sad")]) for n in range(50)]
    assert cues(*frames) == [(0.0, 1.0, "#4 woman, happy, 31"), (1.0, 2.0, "#4 woman, sad, 31")]


def test_an_answer_that_changes_for_less_than_a_slice_is_not_said():
    def at(n: int) -> list:
        years = 31.2 + 0.9 * (n % 2)
        blink = someone(4, "sad") if n == 37 else someone(4)
        return [] if 75 <= n < 87 else [replace(blink, answers=blink.answers | {"age": Age(years, 25, 38, "30-39")})]

    assert cues(*((n / 25, at(n)) for n in range(125))) == [(0.0, 5.0, "#4 woman, happy, 31")]


def test_nothing_is_said_while_nobody_is_seen():
    frames = [(n / 25, [someone(4)] if not 25 <= n < 50 else []) for n in range(75)]
    assert [(start, end) for start, end, _ in cues(*frames)] == [(0.0, 1.0), (2.0, 3.0)]


def test_several_people_have_a_line_each_in_the_order_of_their_numbers():
    [(_, _, text)] = cues((0.0, [someone(12), someone(3)]))
    assert text == "#3 woman, happy, 31\n#12 woman, happy, 31"


def test_of_a_crowd_the_largest_are_named_and_the_others_counted():
    [(_, _, text)] = cues((0.0, [someone(number, side=10.0 + number) for number in range(1, 10)]))
    assert [line.split()[0] for line in text.splitlines()] == ["#6", "#7", "#8", "#9", "and"]
    assert text.endswith(f"and {9 - MOST} more")


def test_faces_without_a_number_are_those_of_the_newest_frame():
    assert cues((0.0, [face(1, 1, 20)]), (0.1, [face(1, 1, 20), face(30, 1, 20)])) == [
        (0.0, 0.5, "woman, happy, 31\nwoman, happy, 31")
    ]


def test_where_a_video_has_few_frames_what_was_said_stands_until_the_next_but_not_for_long():
    frames = [(0.0, [someone(1)]), (1.0, [someone(1)]), (30.0, [someone(1)])]
    assert [(start, end) for start, end, _ in cues(*frames)] == [(0.0, 1.5), (30.0, 30.5)]


def test_labels_of_others_cannot_break_the_file():
    bad = "a\n\n00:00 --> 00:09\r<b>&amp;\0\u2028"
    [(_, _, text)] = cues((0.0, [someone(1, bad)]))
    assert "&lt;b&gt;&amp;amp;" in text and "\n" not in text


def test_a_video_without_a_face_has_none_and_the_file_is_valid():
    assert cues((0.0, []), (0.04, [])) == [] and cues() == []


def test_an_hour_later_times_have_hours():
    [(start, _, _)] = cues((36_000.25, [someone(1)]))
    assert start == 36_000.0


times = st.lists(st.floats(0, 20_000), max_size=30)


@given(times, st.lists(st.text(max_size=9), min_size=1, max_size=4), st.booleans())
def test_any_times_and_labels_make_a_valid_file(times, labels, ascending):
    times = sorted(times) if ascending else times
    frames = [(t, [someone(1 + n % 3, labels[n % len(labels)])]) for n, t in enumerate(times)]
    cues(*frames)


@pytest.mark.parametrize(("video", "beside"), [("a/clip.mp4", "a/clip.vtt"), ("a/clip.gif.mp4", "a/clip.gif.vtt")])
def test_they_lie_where_players_look_for_them(tmp_path, video, beside):
    assert subtitles_path(tmp_path / video) == tmp_path / beside
