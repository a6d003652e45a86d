"""Where a video has a cut, and that no face keeps its number across one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stages.sources.base import Loop
from stages.sources.part import Part
from stages.sources.shots import Shots
from stages.sources.video import Video
from stages.vision.following import Follower
from tests.results.frames import face, frame

RATE = 25
HAMILTON = [20, 82, 211]  # seen with the eyes


def scene(seed: int, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    """A picture of coarse shapes, twice as wide as is shown of it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 20, 3), np.uint8)
    return cv2.resize(coarse, (2 * size[0], size[1]), interpolation=cv2.INTER_CUBIC)


def panned(picture: np.ndarray, by: int) -> np.ndarray:
    return picture[:, by : by + picture.shape[1] // 2]


def written(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"g": "30"})
        stream.height, stream.width = pictures[0].shape[:2]
        for number, pixels in enumerate(pictures):
            one = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="bgr24")
            one.pts, one.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(one))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def three_shots(tmp_path_factory) -> Video:
    """10 frames of each of three scenes over which the camera pans."""
    shots = [panned(scene(seed), 4 * number) for seed in (1, 2, 3) for number in range(10)]
    return Video(written(tmp_path_factory.mktemp("cuts") / "shots.mp4", shots))


def cuts(source, start: int = 0, most: int = 10**6) -> list[int]:
    pictures = source.pictures(start)
    found = [start + n for n, picture in zip(range(most), pictures, strict=False) if picture.cut]
    source.close()
    return found


def test_a_frame_that_begins_a_shot_is_marked(three_shots):
    assert cuts(three_shots) == [10, 20]


def test_of_a_real_clip_every_cut_is_found_and_nothing_else(media):
    assert cuts(Video(media / "hamilton.mp4")) == HAMILTON


@pytest.mark.parametrize("start", [1, 9, 10, 11, 20, 29])
def test_reading_from_any_frame_marks_the_same_ones(three_shots, start):
    assert cuts(three_shots, start) == [number for number in (10, 20) if number >= start]


def test_where_frames_are_left_out_the_next_one_that_is_read_is_marked(tmp_path):
    shots = [panned(scene(seed), 4 * number) for seed in (1, 2, 3) for number in range(10)]
    video = Video(written(tmp_path / "shots.mp4", shots))
    video.take(Part(fps=RATE / 4))
    pictures = list(video.pictures())
    assert [round(picture.time * RATE) for picture in pictures if picture.cut] == [12, 20]


def test_the_first_frame_that_is_read_is_never_marked(tmp_path):
    shots = [panned(scene(seed), 4 * number) for seed in (1, 2) for number in range(10)]
    video = Video(written(tmp_path / "shots.mp4", shots))
    video.take(Part(start_s=10 / RATE))
    assert cuts(video) == []


def test_a_round_begins_with_a_cut(three_shots):
    assert cuts(Loop(three_shots), most=65) == [10, 20, 30, 40, 50, 60]


def dark(picture: np.ndarray) -> np.ndarray:
    return (picture // 8).astype(np.uint8)


def noisy(picture: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 12, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def flat(grey: int) -> np.ndarray:
    return np.full((180, 320, 3), grey, np.uint8)


_ONE = panned(scene(1), 0)
NO_CUTS = {
    "nothing changes": [_ONE, _ONE],
    "the camera pans fast": [panned(scene(1), 0), panned(scene(1), 16), panned(scene(1), 32)],
    "a flash": [dark(_ONE), np.clip(_ONE.astype(int) + 60, 0, 255).astype(np.uint8), dark(_ONE)],
    "the light goes out": [_ONE, dark(_ONE), dark(_ONE)],
    "noise in the dark": [noisy(flat(8), seed) for seed in range(3)],
    "a fade to black": [(_ONE * (1 - n / 40)).astype(np.uint8) for n in range(41)],
    "somebody walks through": [
        cv2.rectangle(_ONE.copy(), (20 * n, 60), (20 * n + 60, 180), (20, 30, 40), -1) for n in range(8)
    ],
}


@pytest.mark.parametrize("pictures", NO_CUTS.values(), ids=NO_CUTS)
def test_what_is_no_cut_is_not_marked(pictures):
    shots = Shots()
    assert not any(
        [shots.begins(av.VideoFrame.from_ndarray(np.ascontiguousarray(one), format="bgr24")) for one in pictures]
    )


@pytest.mark.parametrize("size", [(320, 180), (64, 48), (18, 320), (2, 2)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le", "gray", "rgba", "nv12", "pal8"])
def test_pictures_of_every_format_and_size_are_compared(size, pixel_format):
    shots = Shots()
    for seed in (1, 2):
        shown = cv2.resize(panned(scene(seed), 0), size, interpolation=cv2.INTER_AREA)
        one = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="bgr24")
        begins = shots.begins(one.reformat(format="rgb8" if pixel_format == "pal8" else pixel_format))
    assert begins or min(size) < 10


def test_a_face_in_the_place_of_another_one_is_somebody_else_after_a_cut():
    follower = Follower(1.0, {"gender": 2.0})
    frames = [frame(number, faces=[face(10, 10, 50)], cut=number == 2) for number in range(4)]
    assert [[one.id for one in follower.follow(each).faces] for each in frames] == [[1], [1], [2], [2]]
