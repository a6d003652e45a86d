"""Times and geometry of videos: those that ffprobe and players have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.sources.base import Source
from stages.sources.opening import open_source
from stages.sources.part import Part
from tests.sources.material import number_of, numbered, red_corner, write_video


def times(source: Source) -> list[float]:
    return [round(picture.time, 4) for picture in source.pictures()]


def every(step: float, count: int) -> list[float]:
    return [round(step * number, 4) for number in range(count)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reference.mp4", [*every(0.04, 26), 1.08]),
        ("concatenated.ts", every(0.04, 20)),
        ("pi-camera-no-timestamps.h264", every(0.04, 15)),
        ("b-frames.avi", every(0.04, 25)),
        ("trimmed-edit-list.mp4", every(0.04, 32)),
        ("2000-frames-a-second.mp4", every(0.0005, 400)),
        ("half-a-day-between-frames.mkv", every(43200, 6)),
    ],
)
def test_times_are_right_whatever_the_stamps(bugs, name, expected):
    source = open_source(str(bugs / name))
    assert times(source) == expected
    assert (source.notes, source.cut_short) == ([], 0)


@pytest.mark.parametrize(
    ("name", "part", "count"),
    [
        ("pi-camera-no-timestamps.h264", Part(fps=5), 3),
        ("b-frames.avi", Part(fps=25), 25),
        ("2000-frames-a-second.mp4", Part(end_s=0.1), 200),
        ("concatenated.ts", Part(start_s=0.4), 10),
        ("concatenated.ts", Part(fps=5), 4),
    ],
)
def test_parts_count_in_these_times(bugs, name, part, count):
    assert len(times(open_source(str(bugs / name), part=part))) == count


def recorded_from(path: Path, begins_ms: int) -> bytes:
    """Ten frames of a transport stream, whose clock began long before."""
    stamps = [begins_ms + 40 * number for number in range(10)]
    return write_video(path, times_ms=stamps, options={"bf": "2"}).read_bytes()


@pytest.mark.parametrize("begins_ms", [30_000, 200_000, 95_000_000])
def test_an_older_recording_behind_a_newer_one_goes_on_one_frame_later(tmp_path, begins_ms):
    newer, older = recorded_from(tmp_path / "newer.ts", begins_ms), recorded_from(tmp_path / "older.ts", 0)
    (tmp_path / "both.ts").write_bytes(newer + older)
    pictures = list(open_source(str(tmp_path / "both.ts")).pictures())
    assert [round(picture.time, 4) for picture in pictures] == every(0.04, 20)
    assert [number_of(picture.pixels) for picture in pictures] == 2 * list(range(10))


def test_a_clock_that_begins_again_within_a_recording_goes_on(tmp_path):
    lap_ms = 2**33 // 90
    wrapping = recorded_from(tmp_path / "wrapping.ts", lap_ms - 200)
    assert times(open_source(str(tmp_path / "wrapping.ts"))) == every(0.04, 10)
    (tmp_path / "twice.ts").write_bytes(wrapping + wrapping)
    assert times(open_source(str(tmp_path / "twice.ts"))) == every(0.04, 20)
    stamps = [lap_ms - 100, lap_ms - 60, lap_ms - 20, lap_ms + 7000, lap_ms + 7040]  # A gap over the turn stays one.
    write_video(tmp_path / "gap.ts", frames=5, times_ms=stamps)
    assert times(open_source(str(tmp_path / "gap.ts"))) == [0, 0.04, 0.08, 7.1, 7.14]


def test_b_frames_in_avi_with_more_places_than_frames_are_whole_and_in_time(tmp_path):
    source = open_source(
        str(write_video(tmp_path / "clip.avi", frames=12, options={"bf": "2"}))
    )  # 1,000 places a second
    assert times(source) == every(0.04, 12)
    assert (source.notes, source.cut_short) == ([], 0)


def test_b_frames_in_asf_have_the_times_of_players(tmp_path):
    source = open_source(str(write_video(tmp_path / "clip.asf", frames=12, options={"bf": "2"})))
    assert times(source) == every(0.04, 12)


def uncompressed(path: Path) -> Path:
    frame = b"FRAME\n" + bytes(64 * 48 * 3 // 2)
    path.write_bytes(b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n" + 12 * frame)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: uncompressed(folder / "clip.y4m"),
        lambda folder: write_video(folder / "clip.ivf", frames=12, codec="libvpx-vp9"),
        lambda folder: write_video(folder / "clip.nut", frames=12),
        lambda folder: write_video(folder / "clip.m2v", frames=12, codec="mpeg2video"),
        lambda folder: write_video(folder / "clip.vob", frames=12, codec="mpeg2video"),
        lambda folder: write_video(folder / "clip.264", frames=12, options={"bf": "2"}),
    ],
)
def test_simple_containers_and_bare_streams_are_read_also_in_a_folder(tmp_path, make):
    path = make(tmp_path)
    assert times(open_source(str(path))) == every(0.04, 12)
    assert times(open_source(str(tmp_path))) == every(0.04, 12)


@pytest.mark.parametrize("name", ["concatenated.ts", "b-frames.avi", "pi-camera-no-timestamps.h264"])
def test_read_again_from_any_frame_times_are_the_same(bugs, name):
    source = open_source(str(bugs / name))
    whole = times(source)
    for start in (1, 9, 10, 11, len(whole) - 1):
        assert [round(picture.time, 4) for picture in source.pictures(start)] == whole[start:]


def test_pixels_that_are_not_square_are_shown_as_players_do(bugs):
    source = open_source(str(bugs / "anamorphic-sar-2-1.mp4"))
    assert {picture.pixels.shape for picture in source.pictures()} == {(360, 640, 3)}
    assert source.description == "640 x 360 at 25 frames/s"


def test_the_video_of_a_front_camera_is_mirrored_and_upright(bugs):
    plain = [picture.pixels for picture in open_source(str(bugs / "reference.mp4")).pictures()]
    mirrored = [picture.pixels for picture in open_source(str(bugs / "mirrored-matrix.mp4")).pictures()]
    assert len(mirrored) == 27
    assert all((one[:, ::-1] == other).all() for one, other in zip(plain, mirrored, strict=True))


def test_of_several_streams_the_largest_is_read_and_it_is_said(bugs):
    source = open_source(str(bugs / "preview-stream-first.mkv"))
    assert {picture.pixels.shape for picture in source.pictures()} == {(360, 640, 3)}
    said = "preview-stream-first.mkv has 2 streams of pictures; read is the largest, of 640 x 360."
    assert source.notes == [said]


def test_a_rate_that_the_codec_states_holds_without_a_container(tmp_path):
    shaped(tmp_path / "clip.h264", (64, 48), Fraction(1), rate=50)
    assert open_source(str(tmp_path / "clip.h264")).description == "64 x 48 at 50 frames/s"


def test_a_video_that_starts_late_does_not_end_early(tmp_path):
    late_ms = [60_000 + 40 * number for number in range(10)]
    source = open_source(str(write_video(tmp_path / "clip.mkv", frames=10, times_ms=late_ms)))
    assert times(source) == every(0.04, 10)
    assert (source.notes, source.cut_short, source.frames) == ([], 0, 10)


def shaped(path: Path, size: tuple[int, int], aspect: Fraction, rate: int = 25, frames: int = 3) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number, size), format="bgr24")))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".h264"])
@pytest.mark.parametrize(
    ("aspect", "shown"),
    [
        (Fraction(2), (128, 48)),
        (Fraction(1, 2), (64, 96)),
        (Fraction(16, 15), (68, 48)),
        (Fraction(8, 9), (64, 54)),
        (Fraction(1), (64, 48)),
        (Fraction(200), (64, 48)),  # absurd, so the header is not believed
    ],
)
def test_the_shape_of_pixels_is_heeded_wherever_it_is_stated(tmp_path, suffix, aspect, shown):
    source = open_source(str(shaped(tmp_path / f"clip{suffix}", (64, 48), aspect, frames=20)))
    assert {picture.pixels.shape[1::-1] for picture in source.pictures()} == {shown}


def test_a_shape_that_changes_gets_bars_and_is_not_squeezed(tmp_path):
    wide = shaped(tmp_path / "wide.ts", (64, 48), Fraction(2)).read_bytes()
    plain = shaped(tmp_path / "plain.ts", (64, 48), Fraction(1)).read_bytes()
    (tmp_path / "clip.ts").write_bytes(plain + wide)
    source = open_source(str(tmp_path / "clip.ts"))
    pictures = [picture.pixels for picture in source.pictures()]
    assert {pixels.shape for pixels in pictures} == {(48, 64, 3)}
    assert [int(pixels[2].max()) < 8 for pixels in pictures] == [False] * 3 + [True] * 3
    said = "clip.ts: the size changes from 64 x 48 to 128 x 48 at frame 3 and is scaled back, with black bars."
    assert source.notes == [said]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(
    ("matrix", "corner", "turned"),
    [
        ((1, 0, 0, 1), "upper left", False),
        ((-1, 0, 0, 1), "upper right", False),
        ((-1, 0, 0, -1), "lower right", False),
        ((1, 0, 0, -1), "lower left", False),
        ((0, 1, 1, 0), "upper left", True),
        ((0, 1, -1, 0), "upper right", True),
        ((0, -1, -1, 0), "lower right", True),
        ((0, -1, 1, 0), "lower left", True),
    ],
)
def test_all_eight_orientations_are_shown_upright(tmp_path, suffix, matrix, corner, turned):
    path = write_video(tmp_path / f"clip{suffix}", frames=2)
    a, b, c, d = (number << 16 for number in matrix)
    path.write_bytes(with_matrix(path.read_bytes(), [a, b, 0, c, d, 0, 0, 0, 1 << 30]))
    picture = next(open_source(str(path)).pictures())
    assert red_corner(picture.pixels) == corner
    assert picture.pixels.shape == ((64, 48, 3) if turned else (48, 64, 3))
    assert picture.pixels.flags["C_CONTIGUOUS"]


def with_matrix(file: bytes, matrix: list[int]) -> bytes:
    """The file with another display matrix in its track header: it lies 44 bytes behind the header's name."""
    place = file.index(b"tkhd") + 44
    return file[:place] + np.array(matrix, ">i4").tobytes() + file[place + 36 :]


def coloured(path: Path, size: tuple[int, int], tag: int | None, **more) -> Path:
    """A video of one green, (0, 192, 64) in RGB, as BT.709 has it; tagged, or not."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if tag:
            stream.codec_context.colorspace = tag
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(*size, "yuv420p")
        for plane, value in zip(frame.planes, (138, 97, 44), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        if tag:
            frame.colorspace = tag
        for name, value in more.items():
            setattr(frame, name, value)
        frame.pts, frame.time_base = 0, Fraction(1, 5)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("size", "tag", "is_709"),
    [
        ((1280, 720), None, True),
        ((720, 1280), None, True),
        ((1280, 536), None, True),
        ((640, 360), None, False),
        ((720, 576), None, False),
        ((640, 360), 1, True),
        ((1280, 720), 5, False),
    ],
)
def test_colours_are_those_of_bt_709_where_it_is_said_or_the_picture_is_hd(tmp_path, size, tag, is_709):
    picture = next(open_source(str(coloured(tmp_path / "clip.mp4", size, tag))).pictures())
    of_709, of_601 = (picture.pixels[9, 9].astype(int) - known for known in (GREEN_709, GREEN_601))
    assert np.abs(of_709 if is_709 else of_601).max() <= 5, picture.pixels[9, 9]


GREEN_709, GREEN_601 = np.array([76, 197, 0]), np.array([77, 222, 5])  # BGR; of BT.601 as FFmpeg converts it


def test_high_dynamic_range_is_one_remark(tmp_path):
    source = open_source(str(coloured(tmp_path / "clip.mp4", (64, 48), 9, color_trc=16)))
    list(source.pictures())
    assert len(source.notes) == 1
    assert source.notes[0].startswith("clip.mp4 is HDR (PQ), and its pictures are read without tone mapping")


def test_interlaced_pictures_are_one_remark(tmp_path):
    path = write_video(tmp_path / "clip.mkv", frames=4, options={"x264-params": "tff=1"})
    source = open_source(str(path))
    assert len(list(source.pictures())) == 4
    assert len(source.notes) == 1
    assert source.notes[0].startswith("clip.mkv is interlaced, and its pictures are read as they are")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_video_that_is_called_a_picture_plays_also_in_a_folder(tmp_path, suffix):
    write_video(tmp_path / f"clip{suffix}", frames=12).rename(tmp_path / "clip.jpg")
    assert times(open_source(str(tmp_path / "clip.jpg"))) == every(0.04, 12)
    assert times(open_source(str(tmp_path))) == every(0.04, 12)


@pytest.mark.parametrize("bf", ["0", "2"])
def test_pixels_of_a_bare_stream_change_their_shape_with_the_frame(tmp_path, bf):
    """Half of the file has pixels twice as wide as high."""
    parts = []
    for wide in (1, 2):
        options = {"bf": bf, "x264-params": f"sar={wide}/1"}
        parts.append(write_video(tmp_path / f"{wide}.h264", options=options).read_bytes())
    (tmp_path / "clip.h264").write_bytes(b"".join(parts))
    source = open_source(str(tmp_path / "clip.h264"))
    tops = [picture.pixels[0].max() for picture in source.pictures()]  # The bars are black.
    assert [top < 5 for top in tops] == [False] * 10 + [True] * 10


def test_of_a_matroska_file_each_stream_has_a_length_of_its_own(tmp_path):
    """A poster of a moment, larger than the video: it is what is read, and it does not end early."""
    with av.open(str(tmp_path / "clip.mkv"), "w") as out:
        streams = [out.add_stream("libx264", rate=25), out.add_stream("libx264", rate=25)]
        sizes = [(128, 96), (64, 48)]
        for stream, size in zip(streams, sizes, strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for stream, size, frames in zip(streams, sizes, [3, 75], strict=True):
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(numbered(number % 20, size), format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    source = open_source(str(tmp_path / "clip.mkv"))
    assert times(source) == every(0.04, 3)
    assert (len(source.notes), source.cut_short) == (1, 0)


def test_a_short_video_without_a_count_that_is_cut_off_is_noted(tmp_path):
    whole = write_video(tmp_path / "clip.mkv", frames=20).read_bytes()
    source = open_source(str(tmp_path / "clip.mkv"))
    assert (len(times(source)), source.notes) == (20, [])
    (tmp_path / "clip.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    source = open_source(str(tmp_path / "clip.mkv"))
    assert 5 < len(times(source)) < 18
    assert "its header says 0.8 s" in source.notes[0] and source.cut_short == 1
