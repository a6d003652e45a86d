"""A film that is analysed in parts has the results of one that is read from its beginning to its end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.archive.analysing import analyse
from stages.archive.film import FilmPart, NotDivisible, index, parts_of, whole_part
from stages.archive.joining import WrongParts, join
from stages.config.schema import Capture, Pipeline
from stages.project import PROJECT
from stages.sources.base import EmptyPart, SourceError
from tests.archive.films import PixelAnalyst, pictures, write_film

FRAMES, CUTS = 60, (5, 12, 13, 24, 25, 36, 47)  # some at key frames, and beside them
GROUPS = {"g": "12", "bf": "3"}
OPEN = {"bf": "3", "x264-params": "open-gop=1:scenecut=0:keyint=12:min-keyint=6"}
OPEN_HEVC = {"x265-params": "keyint=12:min-keyint=6:open-gop=1:bframes=3:scenecut=0:log-level=none"}
REFRESH = {"bf": "0", "x264-params": "intra-refresh=1:keyint=12"}
UNEVEN = np.cumsum(np.random.default_rng(1).choice([10, 33, 40, 41, 100, 350], FRAMES)).tolist()

DIVISIBLE = {
    "plain.mp4": {"options": {"g": "12", "bf": "0"}},
    "b-frames.mp4": {"options": GROUPS},
    "b-frames.mkv": {"options": GROUPS},
    "b-frames.ts": {"options": GROUPS},
    "b-frames.flv": {"options": GROUPS},
    "variable-rate.mp4": {"options": GROUPS, "times_ms": UNEVEN},
    "variable-rate.mkv": {"options": GROUPS, "times_ms": UNEVEN},
    "open.mp4": {"options": OPEN},
    "open.mkv": {"options": OPEN},
    "open.ts": {"options": OPEN},
    "hevc-open.mp4": {"codec": "libx265", "options": OPEN_HEVC},
    "hevc-open.ts": {"codec": "libx265", "options": OPEN_HEVC},
    "keys-anywhere.mp4": {"options": {"g": "99", "bf": "2"}, "keys": (5, 12, 14, 15, 24, 37)},
    "every-frame-a-key.mp4": {"options": {"g": "1"}},
    "turned.mp4": {"options": GROUPS, "turned": 90},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "10"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "10"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"g": "12", "preset": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "0"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": GROUPS},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": GROUPS},
    "mpeg2.ts": {"codec": "mpeg2video", "options": GROUPS},
    "motion-jpeg.avi": {"codec": "mjpeg"},
}
ONE_PART = {
    "one-key.mp4": {"options": {"g": "99", "x264-params": "scenecut=0"}},
    "b-frames.avi": {"options": GROUPS},  # It has no times of showing.
    "stream.h264": {"options": GROUPS},  # It has no stamps at all.
}
KINDS = DIVISIBLE | ONE_PART
USUAL = {"b-frames.mp4", "b-frames.ts", "variable-rate.mkv", "open.mp4", "hevc-open.ts", "vp8.webm", "turned.mp4"}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Makes a film of one of `KINDS`, once."""
    folder, shown = tmp_path_factory.mktemp("films"), pictures(FRAMES, CUTS)

    def film(name: str) -> Path:
        path = folder / name
        codec = KINDS[name].get("codec", "libx264")
        if codec not in av.codec.codecs_available:
            pytest.skip(f"needs {codec}")
        return path if path.exists() else write_film(path, shown, **KINDS[name])

    return film


@pytest.fixture(scope="module")
def analyst() -> PixelAnalyst:
    pipeline = Pipeline()
    return PixelAnalyst(dataclasses.replace(pipeline, render=dataclasses.replace(pipeline.render, annotated=False)))


class Left:
    """What is left of a film: the bytes of results and events, and what summary.json tells."""

    def __init__(self, path: Path, parts: Sequence[FilmPart], analyst: PixelAnalyst, output: Path):
        analysed = {part.number: analyse(path, part, analyst) for part in reversed(parts)}  # In any order.
        film = index(path, analyst.pipeline)
        came = join(path, film, [analysed[part.number] for part in parts], analyst.pipeline, PROJECT, output)
        self.results, self.events = (output / "results.jsonl").read_bytes(), (output / "events.jsonl").read_bytes()
        source = came.sources[0]
        self.told = source.rendered, source.faces, source.people, source.cut_short, came.notes

    def __eq__(self, other: Left) -> bool:
        return (self.results, self.events, self.told) == (other.results, other.events, other.told)


def in_parts(path: Path, seconds: float, analyst: PixelAnalyst, output: Path) -> Left:
    return Left(path, parts_of(index(path, analyst.pipeline), seconds), analyst, output)


def as_one(path: Path, analyst: PixelAnalyst, output: Path) -> Left:
    return Left(path, [whole_part(index(path, analyst.pipeline))], analyst, output)


def reading(analyst: PixelAnalyst, **capture: float) -> PixelAnalyst:
    return PixelAnalyst(dataclasses.replace(analyst.pipeline, capture=Capture(**capture)))


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in USUAL else pytest.mark.long) for n in DIVISIBLE])
def test_parts_leave_what_one_reading_leaves(films, analyst, tmp_path, name):
    path = films(name)
    parts = parts_of(index(path, analyst.pipeline), 0)
    assert len(parts) > 1
    assert sum(part.frames for part in parts) == FRAMES
    assert Left(path, parts, analyst, tmp_path / "parts") == as_one(path, analyst, tmp_path / "one")


@pytest.mark.parametrize("name", ["trimmed-edit-list.mp4", "mirrored-matrix.mp4", "2000-frames-a-second.mp4"])
def test_films_that_were_read_wrongly_once_are_divided(bugs, analyst, tmp_path, name):
    parts = parts_of(index(bugs / name, analyst.pipeline), 0)
    assert len(parts) > 1
    assert Left(bugs / name, parts, analyst, tmp_path / "parts") == as_one(bugs / name, analyst, tmp_path / "one")


@pytest.mark.parametrize("name", ONE_PART)
def test_what_cannot_be_divided_is_one_part(films, analyst, tmp_path, name):
    path = films(name)
    (part,) = parts_of(index(path, analyst.pipeline), 0)
    assert Left(path, [part], analyst, tmp_path / "parts") == as_one(path, analyst, tmp_path / "one")


@pytest.mark.parametrize("name", ["open.mp4", "hevc-open.mp4"])
def test_these_groups_are_open(films, name):
    with av.open(str(films(name))) as container:
        stamps = [(packet.pts, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    keys = [place for place, (_, is_key) in enumerate(stamps) if is_key and place]
    assert any(stamps[place + 1][0] < stamps[place][0] for place in keys)


@given(data=st.data())
def test_the_length_of_the_parts_changes_nothing(films, analyst, tmp_path_factory, data):
    name = data.draw(st.sampled_from(["variable-rate.mkv", "open.mp4", "keys-anywhere.mp4", "every-frame-a-key.mp4"]))
    start, end = data.draw(st.floats(0, 1)), data.draw(st.floats(1.1, 3))
    fps = data.draw(st.none() | st.floats(1, 30))
    seconds = data.draw(st.floats(0, 1.5))
    path, chosen = films(name), reading(analyst, start=start, end=end, fps=fps)
    output = tmp_path_factory.mktemp("left")
    assert in_parts(path, seconds, chosen, output / "parts") == as_one(path, chosen, output / "one")


def test_only_the_parts_are_analysed_that_hold_what_is_read(films, analyst):
    path = films("plain.mp4")
    parts = parts_of(index(path, reading(analyst, start=1.5, end=1.7).pipeline), 0)
    assert sum(part.frames for part in parts) == 5
    assert sum(part.owned for part in parts) < FRAMES / 3


def test_a_part_that_holds_no_frame_is_refused_as_by_a_run(films, analyst):
    chosen = reading(analyst, start=60)
    path = films("plain.mp4")
    with pytest.raises(EmptyPart, match=r"plain\.mp4 has no frame from 60 s; it was read to 2\.36 s\."):
        index(path, chosen.pipeline)


def test_key_frames_that_are_not_exact_are_found_out(tmp_path, analyst):
    path = write_film(tmp_path / "refresh.mp4", pictures(FRAMES), options=REFRESH)
    parts = parts_of(index(path, analyst.pipeline), 0)
    assert len(parts) > 1
    with pytest.raises(NotDivisible):
        Left(path, parts, analyst, tmp_path / "parts")


def test_parts_of_different_pictures_do_not_fit(tmp_path, analyst):
    options = {"g": "12", "bf": "0", "x264-params": "scenecut=0"}
    paths = [tmp_path / "film.mp4", tmp_path / "other.mp4"]
    for path, begin in zip(paths, (0, 7), strict=True):
        write_film(path, pictures(FRAMES + begin)[begin:], options=options)
    films = [index(path, analyst.pipeline) for path in paths]
    first, second = ([analyse(p, part, analyst) for part in parts_of(f, 1)] for p, f in zip(paths, films, strict=True))
    assert len(first) == len(second) == 2
    with pytest.raises(NotDivisible):
        join(paths[0], films[0], [first[0], second[1]], analyst.pipeline, PROJECT, tmp_path / "out")
    with pytest.raises(WrongParts):
        join(paths[0], films[0], first[:1], analyst.pipeline, PROJECT, tmp_path / "out")


@pytest.mark.parametrize("name", ["b-frames.mp4", "b-frames.ts", "open.mkv", "mpeg2.mpg"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 8))])
def test_a_damaged_film_is_one_part_or_the_same(films, tmp_path, analyst, name, seed):
    damaged, random = bytearray(films(name).read_bytes()), np.random.default_rng(seed)
    begin = int(random.integers(len(damaged) // 3, len(damaged) * 2 // 3))
    damaged[begin : begin + 40] = random.bytes(40)
    path = tmp_path / name
    path.write_bytes(damaged)
    try:
        left = in_parts(path, 0, analyst, tmp_path / "parts")
    except NotDivisible:
        left = as_one(path, analyst, tmp_path / "parts")
    assert left == as_one(path, analyst, tmp_path / "one")


@pytest.mark.parametrize("name", ["b-frames.ts", "mpeg2.ts"])
@pytest.mark.parametrize("begin", [0.13, pytest.param(0.3, marks=pytest.mark.long)])
def test_a_recording_that_was_begun_between_key_frames(films, tmp_path, analyst, name, begin):
    recorded = films(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(recorded[round(begin * len(recorded) / 188) * 188 :])
    parts = parts_of(index(path, analyst.pipeline), 0)
    assert len(parts) > 1
    assert Left(path, parts, analyst, tmp_path / "parts") == as_one(path, analyst, tmp_path / "one")


@pytest.mark.parametrize("name", ["b-frames.mkv", "b-frames.ts", "mpeg4.avi"])
def test_a_film_that_is_cut_off_is_told_of_once(films, tmp_path, analyst, name):
    path = tmp_path / name
    whole = films(name).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    film = index(path, analyst.pipeline)
    left = as_one(path, analyst, tmp_path / "one")
    if film.whole is None:
        assert film.is_cut_short == bool(left.told[3])
    with contextlib.suppress(NotDivisible):
        assert in_parts(path, 0, analyst, tmp_path / "parts") == left


def test_what_is_no_film_is_refused(tmp_path, analyst):
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(SourceError):
        index(tmp_path / "notes.mp4", analyst.pipeline)
