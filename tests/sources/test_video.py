"""Video files and animations."""

from __future__ import annotations

import gc
import os
import sys

import cv2
import numpy as np
import pytest

from stages.sources import video
from stages.sources.base import SourceError
from stages.sources.opening import open_source
from tests.sources.material import number_of, numbered, red_corner, write_video


def test_a_video_yields_every_frame_with_its_time(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.mp4", frames=10, rate=25)))
    pictures = list(source.pictures())
    assert [number_of(p.pixels) for p in pictures] == list(range(10))
    assert [round(p.time, 6) for p in pictures] == [round(n / 25, 6) for n in range(10)]
    assert {(p.rate, p.file, p.pixels.shape, p.pixels.dtype.name) for p in pictures} == {
        (25.0, None, (48, 64, 3), "uint8")
    }
    assert (source.name, source.description) == ("clip.mp4", "64 x 48 at 25 frames/s")
    assert (source.live, source.frames, source.notes, source.skipped, source.chosen) == (False, 10, [], 0, None)


def test_a_real_clip_is_read_whole(media):
    source = open_source(str(media / "hamilton.mp4"))
    pictures = source.pictures(start=270)
    assert [round(p.time, 3) for p in pictures] == [9.009, 9.042, 9.076, 9.109, 9.142]
    assert source.frames == 275
    assert source.notes == []


def test_a_name_that_is_given_replaces_the_file_s(tmp_path):
    assert open_source(str(write_video(tmp_path / "clip.mp4")), name="door").name == "door"


@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_reading_from_a_frame_equals_skipping_those_before_it(tmp_path, b_frames):
    source = open_source(str(write_video(tmp_path / "clip.mp4", frames=20, options={"bf": b_frames})))
    every = [(p.time, p.pixels.tobytes()) for p in source.pictures()]
    for start in (0, 1, 7, 19, 20, 25):
        assert [(p.time, p.pixels.tobytes()) for p in source.pictures(start)] == every[start:]


def test_every_frame_on_the_way_to_the_first_one_is_told(tmp_path):
    source, passed = open_source(str(write_video(tmp_path / "clip.mp4", frames=20))), []
    source.passed = lambda: passed.append(True)
    next(source.pictures(start=7))
    assert len(passed) == 7


def test_a_negative_start_is_our_own_defect(tmp_path):
    with pytest.raises(ValueError):
        open_source(str(write_video(tmp_path / "clip.mp4"))).pictures(-1)


def test_b_frames_come_in_the_order_of_showing(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.mp4", frames=20, options={"bf": "3"})))
    assert [number_of(p.pixels) for p in source.pictures()] == list(range(20))


def test_a_variable_frame_rate_is_kept(tmp_path):
    times_ms = [0, 40, 50, 500, 520, 2000]
    source = open_source(str(write_video(tmp_path / "clip.mkv", frames=6, times_ms=times_ms)))
    assert [round(p.time * 1000) for p in source.pictures()] == times_ms


def test_time_counts_from_the_first_frame(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.mkv", frames=3, times_ms=[7000, 7040, 7200])))
    assert [round(p.time * 1000) for p in source.pictures()] == [0, 40, 200]


@pytest.mark.parametrize(
    ("turned", "corner", "description"),
    [(90, "lower left", "48 x 64"), (180, "lower right", "64 x 48"), (270, "upper right", "48 x 64")],
)
def test_a_rotation_flag_turns_the_picture_upright(tmp_path, turned, corner, description):
    source = open_source(str(write_video(tmp_path / "clip.mp4", turned=turned)))
    picture = next(source.pictures())
    assert red_corner(picture.pixels) == corner
    assert source.description == f"{description} at 25 frames/s"
    assert f"{picture.pixels.shape[1]} x {picture.pixels.shape[0]}" == description
    assert picture.pixels.flags["C_CONTIGUOUS"]
    source.close()


@pytest.mark.parametrize("size", [(65, 49), (1, 1), (17, 2), (2, 33)])
def test_odd_sizes_are_kept(tmp_path, size):
    source = open_source(str(write_video(tmp_path / "clip.mkv", size=size, frames=2, codec="ffv1")))
    assert [p.pixels.shape for p in source.pictures()] == [(size[1], size[0], 3)] * 2


def test_a_video_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    whole = write_video(tmp_path / "clip.mp4", frames=60, container={"movflags": "+faststart"}).read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    source = open_source(str(tmp_path / "clip.mp4"))
    read = len(list(source.pictures()))
    assert 10 < read < 60
    assert len(source.notes) == 1
    assert source.notes[0].startswith(f"clip.mp4: read {read} of 60 frames; ")
    assert source.cut_short == 1
    list(source.pictures())
    assert len(source.notes) == 1  # A second reading does not say it again.


def test_a_cut_off_video_without_a_count_in_its_header_is_noted_too(tmp_path):
    whole = write_video(tmp_path / "clip.mkv", frames=60).read_bytes()
    (tmp_path / "clip.mkv").write_bytes(whole[: len(whole) // 3])
    source = open_source(str(tmp_path / "clip.mkv"))
    read = len(list(source.pictures()))
    assert 5 < read < 30
    assert source.notes == [
        f"clip.mkv: read {read} frames; its header says 2.4 s, and its pictures end at {read / 25:.1f} s."
    ]


def test_reading_goes_on_behind_a_damaged_place(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=60, size=(320, 240), container={"movflags": "+faststart"})
    file = bytearray(path.read_bytes())
    middle = len(file) // 2
    file[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(file)
    source = open_source(str(path))
    numbers = [number_of(p.pixels) for p in source.pictures()]
    assert numbers[:10] == list(range(10))
    assert numbers[-1] == 59
    assert len(numbers) < 60
    assert source.notes == [f"clip.mp4: read {len(numbers)} of 60 frames; {source.notes[0].split('; ')[1]}"]
    assert "damaged in" in source.notes[0]


def test_damage_is_shown_the_same_in_every_run(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=40, size=(160, 120))
    file = bytearray(path.read_bytes())
    file[2000:2200] = b"\x55" * 200
    path.write_bytes(file)
    source = open_source(str(path))
    assert [p.pixels.tobytes() for p in source.pictures()] == [p.pixels.tobytes() for p in source.pictures()]


def test_a_size_that_changes_is_scaled_back_to_the_first(tmp_path):
    small = write_video(tmp_path / "small.mjpeg", frames=3, size=(64, 48), codec="mjpeg").read_bytes()
    large = write_video(tmp_path / "large.mjpeg", frames=3, size=(128, 96), codec="mjpeg").read_bytes()
    (tmp_path / "clip.mjpeg").write_bytes(small + large)
    source = open_source(str(tmp_path / "clip.mjpeg"))
    assert [p.pixels.shape for p in source.pictures()] == [(48, 64, 3)] * 6
    assert source.notes == ["clip.mjpeg: the size changes from 64 x 48 to 128 x 96 at frame 3 and is scaled back."]


def test_a_list_of_files_that_calls_itself_a_video_is_refused(tmp_path):
    write_video(tmp_path / "private.mp4", frames=3)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile private.mp4\n")
    with pytest.raises(SourceError, match="is not a video that can be read: it is a text file"):
        open_source(str(tmp_path / "list.mp4"))


def test_a_video_whose_header_is_missing_is_refused(tmp_path):
    whole = write_video(tmp_path / "clip.mp4", frames=30).read_bytes()
    (tmp_path / "clip.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="clip.mp4 is not a video that can be read"):
        open_source(str(tmp_path / "clip.mp4"))


def test_a_video_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "PICTURE_PIXELS", 3_000_000)
    with pytest.raises(SourceError, match="clip.mp4 has pictures of 2048 x 1536 pixels; at most 3 megapixels are read"):
        open_source(str(write_video(tmp_path / "clip.mp4", frames=1, size=(2048, 1536))))


def test_a_sound_file_is_refused_for_what_it_is(tmp_path):
    import av

    with av.open(str(tmp_path / "song.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        out.mux(stream.encode(sound))
        out.mux(stream.encode())
    with pytest.raises(SourceError, match="song.mp4 holds no pictures, only audio"):
        open_source(str(tmp_path / "song.mp4"))


def test_a_gif_is_a_video(media):
    source = open_source(str(media / "animated_hopper.gif"))
    assert [(p.time, p.rate) for p in source.pictures()] == [(0.0, 2.0), (0.5, 2.0), (1.0, 2.0), (1.5, 2.0)]
    assert source.frames == 4


def test_a_gif_lies_on_white_where_it_is_transparent(tmp_path):
    moving = cv2.Animation()
    clear = np.zeros((20, 30, 4), np.uint8)
    clear[:, :10] = (0, 0, 255, 255)
    moving.frames, moving.durations = [clear, clear[:, ::-1].copy()], np.array([100, 100], np.int32)
    assert cv2.imwriteanimation(str(tmp_path / "clear.gif"), moving)
    first = next(open_source(str(tmp_path / "clear.gif")).pictures()).pixels
    assert first[10, 20].tolist() == [255, 255, 255]
    assert first[10, 5, 2] > 180 and first[10, 5, 0] < 60


def test_a_gif_of_one_frame_is_a_still(tmp_path):
    assert cv2.imwrite(str(tmp_path / "one.gif"), numbered(3, (40, 30)))
    source = open_source(str(tmp_path / "one.gif"))
    assert (source.description, source.frames) == ("40 x 30", 1)
    assert [(p.time, p.rate, p.pixels.shape) for p in source.pictures()] == [(0.0, None, (30, 40, 3))]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_closing_gives_back_every_descriptor(tmp_path):
    path = str(write_video(tmp_path / "clip.mp4", frames=20))
    gc.collect()  # Earlier tests leave sources open.
    before = len(os.listdir("/proc/self/fd"))
    sources = [open_source(path) for _ in range(5)]
    for source in sources:
        next(source.pictures())
        next(source.pictures(3))
    assert len(os.listdir("/proc/self/fd")) == before + 5
    for source in sources:
        source.close()
        source.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_closing_the_source_can_be_read_again(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.mp4")))
    next(source.pictures())
    source.close()
    assert len(list(source.pictures())) == 10
