"""A part of a video, a share of its frames, and reading again and again."""

from __future__ import annotations

from itertools import islice

import pytest

from stages.errors import StartupRejected
from stages.sources.base import Source, SourceError
from stages.sources.opening import open_source
from stages.sources.part import Part
from tests.sources.material import number_of, numbered, write_picture, write_video


def read(source: Source, start: int = 0, most: int | None = None) -> list[tuple[int, float, str | None]]:
    """Of each frame what number is in its pixels, its time in milliseconds, and its file."""
    return [(number_of(p.pixels), round(1000 * p.time), p.file) for p in islice(source.pictures(start), most)]


def numbers(source: Source) -> list[int]:
    return [number for number, _, _ in read(source)]


@pytest.fixture
def clip(tmp_path) -> str:
    """25 frames in a second; its own times begin at 7.013 s, so none of them is a round number."""
    times_ms = [7013 + 40 * number for number in range(25)]
    return str(write_video(tmp_path / "clip.mkv", frames=25, times_ms=times_ms))


def test_start_is_the_first_frame_read_and_end_the_first_one_not_read(clip):
    assert numbers(open_source(clip, part=Part(0.2, 0.4))) == [5, 6, 7, 8, 9]
    assert numbers(open_source(clip, part=Part(0.201, 0.401))) == [6, 7, 8, 9, 10]
    assert numbers(open_source(clip, part=Part(0.9))) == [23, 24]
    assert numbers(open_source(clip, part=Part(end_s=0.04))) == [0]


def test_times_stay_those_of_the_video_and_frames_are_counted_from_the_first_one_read(clip):
    source = open_source(clip, part=Part(0.2, 0.4))
    assert [time for _, time, _ in read(source)] == [200, 240, 280, 320, 360]
    assert read(source, start=3) == read(source)[3:] == [(8, 320, None), (9, 360, None)]


def test_so_many_frames_of_each_second_are_read_evenly(clip):
    assert numbers(open_source(clip, part=Part(fps=5))) == [0, 5, 10, 15, 20]
    assert numbers(open_source(clip, part=Part(fps=10))) == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]
    assert numbers(open_source(clip, part=Part(fps=0.5))) == [0]
    assert numbers(open_source(clip, part=Part(fps=60))) == list(range(25))
    assert numbers(open_source(clip, part=Part(0.2, fps=5))) == [5, 10, 15, 20]
    assert {p.rate for p in open_source(clip, part=Part(fps=5)).pictures()} == {5.0}


def test_a_second_without_frames_gives_none_however_many_are_asked_for(tmp_path):
    clip = write_video(tmp_path / "clip.mkv", frames=5, times_ms=[0, 100, 2000, 2100, 5000])
    assert numbers(open_source(str(clip), part=Part(fps=1))) == [0, 2, 4]


def test_what_is_expected_is_what_comes(tmp_path):
    clip = str(write_video(tmp_path / "clip.mp4", frames=25))
    for part in (Part(), Part(0.2, 0.4), Part(fps=5), Part(0.2, fps=5), Part(0.5)):
        source = open_source(clip, part=part)
        assert source.frames == pytest.approx(len(numbers(source)), abs=1)


def test_the_line_at_the_start_says_which_part(tmp_path):
    clip = str(write_video(tmp_path / "clip.mp4"))
    assert open_source(clip, part=Part(0.2, 0.4, 5)).description == (
        "64 x 48 at 25 frames/s, from 0.2 s to 0.4 s, 5 of each second"
    )
    assert open_source(clip, loop=True).description == "64 x 48 at 25 frames/s, again and again"


def test_what_lies_behind_the_end_is_not_missed(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", frames=25, container={"movflags": "faststart"})
    clip.write_bytes(clip.read_bytes()[:-400])
    source = open_source(str(clip), part=Part(end_s=0.2))
    assert numbers(source) == [0, 1, 2, 3, 4]
    assert (source.notes, source.cut_short) == ([], False)


def test_a_part_without_a_frame_is_refused_in_a_sentence(clip, tmp_path):
    with pytest.raises(StartupRejected, match=r"clip.mkv has no frame from 60 s; it was read to 0.96 s."):
        numbers(open_source(clip, part=Part(60)))
    with pytest.raises(StartupRejected, match="no video of .* has a frame from 60 s."):
        numbers(open_source(str(tmp_path), part=Part(60)))


def test_every_video_of_a_folder_has_its_own_part_and_pictures_are_read_whole(tmp_path):
    for name in ("a.mp4", "c.mp4"):
        write_video(tmp_path / name, frames=10)
    write_picture(tmp_path / "b.png", numbered(30, (64, 48)))
    source = open_source(str(tmp_path), part=Part(0.32))
    assert read(source) == [
        (8, 320, "a.mp4"),
        (9, 360, "a.mp4"),
        (30, 0, "b.png"),
        (8, 320, "c.mp4"),
        (9, 360, "c.mp4"),
    ]
    assert read(source, start=3) == read(source)[3:]


def test_in_a_loop_frames_and_times_go_on(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.mp4", frames=4)), loop=True)
    came = read(source, most=10)
    assert [number for number, _, _ in came] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [time for _, time, _ in came] == [40 * number for number in range(10)]
    assert source.frames is None


@pytest.mark.parametrize("knows", [True, False])
def test_a_loop_can_be_read_from_any_frame(tmp_path, knows):
    for name in ("a.mp4", "c.mp4"):
        write_video(tmp_path / name, frames=3)
    write_picture(tmp_path / "b.png", numbered(30, (64, 48)))
    every = read(open_source(str(tmp_path), part=Part(0.04), loop=True), most=40)
    assert [file for _, _, file in every[:6]] == ["a.mp4", "a.mp4", "b.png", "c.mp4", "c.mp4", "a.mp4"]
    again = open_source(str(tmp_path), part=Part(0.04), loop=True)
    for start in (0, 1, 4, 5, 7, 23):
        if not knows:
            again = open_source(str(tmp_path), part=Part(0.04), loop=True)
        assert read(again, start, most=8) == every[start : start + 8]


def test_a_loop_over_a_file_that_was_changed_says_so(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", frames=4)
    source = open_source(str(clip), loop=True)
    pictures = source.pictures()
    assert len(list(islice(pictures, 6))) == 6
    write_video(clip, frames=3)
    pictures = source.pictures(4)
    with pytest.raises(SourceError, match=r"clip.mp4 had 4 frames at first and 3 when it was read again"):
        list(islice(pictures, 6))


def test_the_demo_has_parts_and_rounds_too():
    demo = open_source("demo", part=Part(0.4, 0.6, 10), loop=True)
    assert [round(1000 * p.time) for p in islice(demo.pictures(), 4)] == [400, 520, 620, 740]


def test_one_picture_can_be_read_again_and_again(tmp_path):
    source = open_source(str(write_picture(tmp_path / "a.png", numbered(4, (64, 48)))), part=Part(60, fps=1), loop=True)
    assert read(source, most=3) == [(4, 0, None)] * 3
