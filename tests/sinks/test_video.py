from __future__ import annotations

import itertools
import os
import re
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from stages.layout import MANIFEST
from stages.results.errors import OutputError
from stages.results.manifest import Manifest
from stages.sinks.segments import segments_folder
from stages.sinks.video import VideoWriter, encoded_size
from tests.conftest import PROJECT
from tests.results.frames import flat, frame
from tests.sinks.clips import sine_clip, sound_packets, watch


def write(writer: VideoWriter, times: list[float], pixels=None) -> None:
    for number, time in enumerate(times):
        picture = flat(64, 48, 10 * number % 250) if pixels is None else pixels
        writer.write(frame(number, picture, time=time), picture)


def written(
    folder: Path, times: list[float], pixels=None, rate: float | None = 25, source: Path | None = None, sound=None
) -> VideoWriter:
    """Write clip.mp4 with these frames, and say what became of the sound of `source`."""
    writer = VideoWriter(folder / "clip.mp4", rate)
    write(writer, times, pixels)
    assert writer.close(source) == sound
    return writer


def greys(pictures: list[np.ndarray]) -> list[int]:
    return [round(float(picture.mean())) for picture in pictures]


def boxes(path: Path) -> list[bytes]:
    """The names of an mp4's outermost boxes, in order."""
    content, names, position = path.read_bytes(), [], 0
    while position < len(content):
        names.append(content[position + 4 : position + 8])
        position += int.from_bytes(content[position : position + 4], "big")
    return names


def test_a_browser_can_play_it_while_it_loads(tmp_path: Path, astronaut):
    writer = VideoWriter(tmp_path / "annotated" / "clip.mp4", 25)
    write(writer, [0, 0.04, 0.08], astronaut)
    writer.close()
    film = watch(tmp_path / "annotated" / "clip.mp4")
    assert (film.codec, film.pixel_format, len(film.pictures)) == ("h264", "yuv420p", 3)
    assert cv2.PSNR(film.pictures[2], astronaut) > 32
    names = boxes(tmp_path / "annotated" / "clip.mp4")
    assert names.index(b"moov") < names.index(b"mdat") and b"moof" not in names
    assert sorted(os.listdir(tmp_path / "annotated")) == [MANIFEST, "clip.mp4"]


def test_colours_come_back_as_they_were(tmp_path: Path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32], pixels[:32, 32:], pixels[32:, :32], pixels[32:, 32:] = (
        (0, 0, 255), (0, 255, 0), (255, 0, 0), (200, 100, 50),
    )  # fmt: skip
    written(tmp_path, [0], pixels)
    back = watch(tmp_path / "clip.mp4").pictures[0].astype(int)
    for row, column in ((16, 16), (16, 48), (48, 16), (48, 48)):
        assert np.abs(back[row, column] - pixels[row, column]).max() < 12


def test_a_variable_frame_rate_is_kept_and_the_last_frame_lasts_one_nominal_frame(tmp_path: Path):
    times = [0, 0.04, 0.1, 0.50001, 0.6, 2.0]
    writer = written(tmp_path, times)
    film = watch(tmp_path / "clip.mp4")
    assert film.times == pytest.approx(times, abs=1e-5)
    assert film.duration == pytest.approx(2.04, abs=1e-4)
    assert writer.frames == 6


HALF_A_DAY_S = 43_200.0


@pytest.mark.parametrize(
    "times",
    [
        [HALF_A_DAY_S * number for number in range(6)],
        [0, 0.04, HALF_A_DAY_S, HALF_A_DAY_S + 0.04, 80_000],
        [0, 0.04, 60 * HALF_A_DAY_S, 60 * HALF_A_DAY_S + 0.04],
        [0, 20_000, 20_000.04],
    ],
)
def test_gaps_of_hours_and_days_are_kept(tmp_path: Path, times):
    writer = written(tmp_path, times)
    film = watch(tmp_path / "clip.mp4")
    assert film.times == pytest.approx(times, abs=1e-3)
    assert film.duration == pytest.approx(times[-1] + 0.04, abs=1e-2)
    assert greys(film.pictures) == pytest.approx([10 * number for number in range(len(times))], abs=3)
    assert writer.notes == []


def test_a_restart_within_a_time_lapse_keeps_its_gaps(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    for first in (0, 2, 4):  # Frame 3 is written twice: the second one counts.
        writer = VideoWriter(path, 25, first)
        for number in range(first, min(first + 4, 6)):
            writer.write(frame(number, time=HALF_A_DAY_S * number), flat(64, 48, 10 * number))
        if first < 4:
            writer.finish()
    writer.close()
    assert watch(path).times == pytest.approx([HALF_A_DAY_S * number for number in range(6)])


def test_a_gap_beyond_what_mp4_holds_is_shortened_and_said(tmp_path: Path):
    writer = written(tmp_path, [0, 4e9, 4e9 + 1])
    assert watch(tmp_path / "clip.mp4").times == pytest.approx([0, 2**31 - 2, 2**31 - 1])
    said = "clip.mp4 has at most 68 years between two frames, the most that mp4 holds; there are more before frame 1"
    assert writer.notes == [said]


def test_two_thousand_frames_a_second_have_their_times(tmp_path: Path):
    times = [number / 2000 for number in range(40)]
    written(tmp_path, times, rate=2000)
    film = watch(tmp_path / "clip.mp4")
    assert film.times == pytest.approx(times, abs=1e-5)
    assert film.duration == pytest.approx(0.02, abs=1e-4)


def test_times_that_stand_still_or_go_back_are_moved_on_and_no_frame_is_lost(tmp_path: Path):
    written(tmp_path, [0, 0.04, 0.04, 0.02, 0.2])
    times = watch(tmp_path / "clip.mp4").times
    assert times == pytest.approx([0, 0.04, 0.04, 0.04, 0.2], abs=1e-4) and times == sorted(set(times))


def test_a_camera_that_was_opened_earlier_begins_at_zero(tmp_path: Path):
    written(tmp_path, [7.0, 7.1, 7.3], rate=None)
    assert watch(tmp_path / "clip.mp4").times == pytest.approx([0, 0.1, 0.3], abs=1e-5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 360), (640, 360)),
        ((641, 359), (642, 360)),
        ((1, 1), (16, 16)),
        ((3, 500), (16, 500)),
        ((4096, 2304), (4096, 2304)),
    ],
)
def test_sizes_are_padded_by_repeating_the_last_column_and_row(tmp_path: Path, size, expected):
    pixels = flat(*size, 60)
    pixels[:, -1] = pixels[-1, :] = 200
    writer = written(tmp_path, [0, 0.04], pixels)
    film = watch(tmp_path / "clip.mp4")
    high, wide, _ = film.pictures[1].shape
    assert (wide, high) == expected == encoded_size(*size)
    if expected != size:
        assert abs(int(film.pictures[1][-1, -1, 0]) - 200) < 30
    assert writer.notes == []


def test_a_picture_beyond_what_players_take_is_scaled_down_and_it_is_said(tmp_path: Path):
    writer = written(tmp_path, [0], flat(8000, 6000, 90))
    high, wide, _ = watch(tmp_path / "clip.mp4").pictures[0].shape
    assert (wide, high) == (3546, 2660) and wide * high <= 36_864 * 256
    assert writer.notes == ["clip.mp4 is scaled from 8000 x 6000 to 3546 x 2660, the most that players take"]
    assert max(encoded_size(40_000, 10)) <= 8688


def test_frames_of_another_size_are_fitted_into_the_first_ones(tmp_path: Path):
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    for number, (width, height) in enumerate([(64, 48), (128, 48), (20, 100)]):
        writer.write(frame(number), flat(width, height, 200))
    writer.close()
    pictures = watch(tmp_path / "clip.mp4").pictures
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    wide, high = pictures[1], pictures[2]
    assert wide[24].mean() > 180 and wide[2].mean() < 20  # black above and below
    assert high[:, 32].mean() > 180 and high[:, 5].mean() < 20  # and at the sides


def test_without_a_frame_there_is_no_video_and_nothing_else(tmp_path: Path):
    VideoWriter(tmp_path / "clip.mp4", 25).close()
    assert os.listdir(tmp_path) == [MANIFEST]


def test_closing_twice_changes_nothing(tmp_path: Path):
    writer = written(tmp_path, [0])
    before = (tmp_path / "clip.mp4").read_bytes()
    assert writer.close() is None
    assert (tmp_path / "clip.mp4").read_bytes() == before


KILLED = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from stages.sinks.video import VideoWriter
from tests.results.frames import flat, frame
first, count = int(sys.argv[2]), int(sys.argv[3])
writer = VideoWriter(Path(sys.argv[1]), 25, first)
for number in range(first, first + count):
    writer.write(frame(number), flat(64, 48, 10 * number))
os.kill(os.getpid(), signal.SIGKILL)
"""


def write_and_be_killed(path: Path, first: int, count: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(first), str(count)], cwd=PROJECT)
    assert done.returncode == -signal.SIGKILL


def test_a_killed_process_loses_only_its_last_frame_and_the_next_continues(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    write_and_be_killed(path, 0, 8)
    segment = segments_folder(path) / "00000000.mp4"
    assert greys(watch(segment).pictures) == pytest.approx([0, 10, 20, 30, 40, 50, 60], abs=3)
    assert not path.exists()
    writer = VideoWriter(path, 25, 5)  # Frames 5 and 6 are written again: another output held only five.
    for number in range(5, 10):
        writer.write(frame(number), flat(64, 48, 10 * number))
    writer.close()
    film = watch(path)
    assert greys(film.pictures) == pytest.approx([10 * n for n in range(10)], abs=3)
    assert film.times == pytest.approx([n / 25 for n in range(10)], abs=1e-5)
    assert sorted(os.listdir(tmp_path)) == [MANIFEST, "clip.mp4"]


def test_frames_after_a_restart_have_the_size_of_those_before(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    write_and_be_killed(path, 0, 3)
    writer = VideoWriter(path, 25, 2)
    writer.write(frame(2), flat(100, 20, 200))
    writer.close()
    pictures = watch(path).pictures
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 3
    assert pictures[2][24].mean() > 180 and pictures[2][2].mean() < 20  # the wide picture, black above and below


def test_beginning_again_forgets_what_an_earlier_run_left(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    write_and_be_killed(path, 0, 4)
    os.close(Manifest(tmp_path).create(segments_folder(path) / "00000007.mp4"))
    writer = VideoWriter(path, 25, 0)
    writer.write(frame(0), flat(32, 32, 99))
    writer.close()
    assert greys(watch(path).pictures) == pytest.approx([99], abs=3)


def test_a_segment_cut_at_any_byte_gives_every_frame_that_is_whole(tmp_path: Path):
    path = tmp_path / "whole.mp4"
    writer = VideoWriter(path, 25)
    noise = np.random.default_rng(5).integers(0, 256, (6, 48, 64, 3), np.uint8)
    ends = []  # of the frames, in bytes
    segment = segments_folder(path) / "00000000.mp4"
    for number in range(6):
        writer.write(frame(number), noise[number])
        ends.append(segment.stat().st_size)
    content = segment.read_bytes()
    writer.close()
    for length in [0, 5, 40, *range(ends[0] - 1, len(content), 211), *ends[1:]]:
        cut = tmp_path / "cut.mp4"
        again = VideoWriter(cut, 25, 9)
        with os.fdopen(Manifest(tmp_path).create(segments_folder(cut) / "00000000.mp4"), "wb") as of_the_killed:
            of_the_killed.write(content[:length])
        again.close()
        whole = sum(end <= length for end in ends[1:])
        assert (len(watch(cut).pictures) if cut.exists() else 0) == whole, length
        Manifest(tmp_path).remove(cut)


def test_sound_is_copied_packet_by_packet(tmp_path: Path):
    source = sine_clip(tmp_path / "source.mp4", "aac")
    written(tmp_path, [n / 25 for n in range(50)], sound="sound copied", source=source)
    before, after = sound_packets(source), sound_packets(tmp_path / "clip.mp4")
    inside = [(time, content) for time, content in before if time < 2.0]
    assert [content for _, content in after] == [content for _, content in inside]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in inside], abs=1e-3)
    assert watch(tmp_path / "clip.mp4").times[0] == 0


def test_sound_stays_with_the_picture_when_it_began_earlier_and_ends_with_the_video(tmp_path: Path):
    source = sine_clip(tmp_path / "source.mkv", "aac", seconds=2.0, video_starts_s=1.0)
    written(tmp_path, [n / 25 for n in range(25)], sound="sound copied", source=source)
    before, after = dict(map(reversed, sound_packets(source))), sound_packets(tmp_path / "clip.mp4")
    assert [before[content] - time for time, content in after] == pytest.approx([1.0] * len(after), abs=2e-3)
    assert -0.05 < after[0][0] <= 0 and 0.95 < after[-1][0] < 1.0


@pytest.mark.parametrize(
    "codec, suffix", [("libmp3lame", ".mkv"), ("ac3", ".mkv"), ("libopus", ".mkv"), ("flac", ".mkv")]
)
def test_other_kinds_of_sound_that_mp4_holds_are_copied(tmp_path: Path, codec, suffix):
    source = sine_clip(tmp_path / f"source{suffix}", codec, seconds=0.5)
    written(tmp_path, [n / 25 for n in range(12)], sound="sound copied", source=source)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert sum(block.samples for block in container.decode(audio=0)) > 15_000


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: sine_clip(path, "pcm_s16le"), "sound not copied: mp4 does not hold pcm_s16le"),
        (lambda path: path.write_text("text"), "sound not copied: cannot read source.mkv (Invalid data found"),
        (lambda path: None, "sound not copied: cannot read source.mkv (No such file or directory)"),
    ],
)
def test_sound_that_cannot_be_copied_is_one_line_and_the_video_is_whole(tmp_path: Path, make, said):
    source = tmp_path / "source.mkv"
    make(source)
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    write(writer, [0, 0.04])
    assert writer.close(source).startswith(said)
    assert len(watch(tmp_path / "clip.mp4").pictures) == 2


@pytest.mark.parametrize("spoil", ["a rate of 8000 Hz, which mp4 has no mp3 of", "an error of the library"])
def test_sound_that_cannot_be_written_is_left_out_and_the_video_is_whole(tmp_path: Path, spoil, monkeypatch):
    source = sine_clip(tmp_path / "source.mkv", "libmp3lame", rate=8_000 if "8000" in spoil else 48_000)
    if "library" in spoil:
        monkeypatch.setattr("stages.sinks.sound.first_picture_s", lambda path: path.no_such_thing)
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    write(writer, [0, 0.04])
    assert writer.close(source).startswith("sound not copied: ")
    assert len(watch(tmp_path / "clip.mp4").pictures) == 2
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert not container.streams.audio
    assert sorted(os.listdir(tmp_path)) == [MANIFEST, "clip.mp4", "source.mkv"]


def assert_without_a_hole(times: list[float], ends_s: float) -> None:
    """Of packets of sound: from 0 on, one after the other, to the end of the pictures."""
    assert all(0.01 < after - before < 0.05 for before, after in itertools.pairwise(times))
    assert -0.03 < times[0] <= 0 and ends_s - 0.05 < times[-1] < ends_s


@pytest.mark.parametrize("suffix", [".ts", ".vob"])
def test_the_sound_of_concatenated_files_goes_on_with_the_pictures_of_each(tmp_path: Path, suffix):
    parts = [sine_clip(tmp_path / f"{n}{suffix}", "mp2", seconds=0.6, video="mpeg2video") for n in range(3)]
    source = tmp_path / f"source{suffix}"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    written(tmp_path, [n / 25 for n in range(45)], sound="sound copied", source=source)
    times = [time for time, _ in sound_packets(tmp_path / "clip.mp4")]
    assert_without_a_hole(times, ends_s=1.8)


def test_a_tick_of_the_source_that_is_less_than_one_of_mp4_gives_no_time_twice(tmp_path: Path, media: Path):
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    write(writer, [n / 25 for n in range(20)])
    assert writer.close(media.parent / "bugs/concatenated.ts") == "sound copied"
    times = [time for time, _ in sound_packets(tmp_path / "clip.mp4")]
    assert len(watch(tmp_path / "clip.mp4").pictures) == 20
    assert len(times) == 36 and all(before < after for before, after in itertools.pairwise(times))


def test_a_source_without_sound_needs_no_line(tmp_path: Path):
    silent = VideoWriter(tmp_path / "silent.mp4", 25)
    write(silent, [0, 0.04])
    silent.close()
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    write(writer, [0, 0.04])
    assert writer.close(tmp_path / "silent.mp4") is None


def test_a_real_clip_comes_through_frame_by_frame_with_its_sound(tmp_path: Path, media: Path):
    source = media / "hamilton.mp4"
    writer = VideoWriter(tmp_path / "hamilton.mp4", 29.97)
    with av.open(str(source)) as container:
        pictures = list(itertools.islice(container.decode(video=0), 90))
    times = [picture.time - pictures[0].time for picture in pictures]
    for number, (picture, time) in enumerate(zip(pictures, times, strict=True)):
        pixels = picture.to_ndarray(format="bgr24")
        writer.write(frame(number, pixels, time=time), pixels)
    assert writer.close(source) == "sound copied"
    film = watch(tmp_path / "hamilton.mp4")
    assert film.times == pytest.approx(times, abs=1e-5)
    assert film.duration == pytest.approx(times[-1] + 1 / 29.97, abs=1e-3)
    assert film.duration - 0.05 < sound_packets(tmp_path / "hamilton.mp4")[-1][0] < film.duration


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    noise = np.random.default_rng(5).integers(0, 256, (20, 48, 64, 3), np.uint8)
    writer = VideoWriter(path, 25)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match="^cannot write .*clip.mp4: File too large; allow larger"):
            for number in range(20):
                writer.write(frame(number), noise[number])
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))  # Now the joined video does not fit either.
        with pytest.raises(OutputError, match="its parts are kept in .*clip.mp4.parts"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.exists()
    VideoWriter(path, 25, 1000).close()
    assert 3 <= len(watch(path).pictures) < 20


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "annotated").write_text("a file")
    with pytest.raises(OutputError, match="cannot write .*clip.mp4: "):
        VideoWriter(tmp_path / "annotated" / "clip.mp4", 25)


def test_of_two_sound_tracks_the_one_that_players_take_is_copied(tmp_path: Path):
    tracks = [sine_clip(tmp_path / f"{codec}.mkv", codec, seconds=0.5) for codec in ("pcm_s16le", "aac")]
    source = tmp_path / "source.mkv"
    with av.open(str(source), "w") as out, av.open(str(tracks[0])) as first, av.open(str(tracks[1])) as second:
        streams = [first.streams.video[0], first.streams.audio[0], second.streams.audio[0]]
        copies = [out.add_stream_from_template(stream) for stream in streams]
        copies[1].disposition, copies[2].disposition = Disposition(0), Disposition.default
        for stream, copy in zip(streams, copies, strict=True):
            for packet in stream.container.demux(stream):
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
            stream.container.seek(0)
    written(tmp_path, [n / 25 for n in range(12)], sound="sound copied", source=source)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.audio[0].codec.name == "aac"


def test_damaged_sound_costs_its_own_packets_alone(tmp_path: Path):
    source = sine_clip(tmp_path / "source.ts", "aac", seconds=2.0)
    headers = [match.start() for match in re.finditer(rb"\xff\xf1", source.read_bytes())]
    damaged = bytearray(source.read_bytes())
    damaged[headers[20] : headers[20] + 2] = b"\0\0"
    source.write_bytes(damaged)
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    write(writer, [n / 25 for n in range(50)])
    said = writer.close(source)
    assert re.fullmatch(r"sound copied, but for \d+ damaged packets?", said)
    assert len(watch(tmp_path / "clip.mp4").pictures) == 50
    assert len(sound_packets(tmp_path / "clip.mp4")) > 80


def test_sound_counts_from_the_stream_whose_pictures_are_read(tmp_path: Path):
    clip = sine_clip(tmp_path / "clip.mkv", "aac", seconds=1.0)
    source = tmp_path / "source.mkv"
    with av.open(str(clip)) as given, av.open(str(source), "w") as out:
        preview = out.add_stream("libx264", rate=25)
        preview.width, preview.height, preview.pix_fmt = 32, 24, "yuv420p"
        copies = {stream: out.add_stream_from_template(stream) for stream in given.streams}
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8), "bgr24")
            picture.pts, picture.time_base = number + 15, Fraction(1, 25)  # It begins 0.6 s late.
            out.mux(preview.encode(picture))
        out.mux(preview.encode(None))
        for packet in given.demux():
            if packet.size:
                packet.stream = copies[packet.stream]
                out.mux(packet)
    written(tmp_path, [n / 25 for n in range(25)], sound="sound copied", source=source)
    times = [time for time, _ in sound_packets(tmp_path / "clip.mp4")]
    assert -0.05 < times[0] <= 0 and 0.95 < times[-1] < 1.0


@pytest.mark.parametrize("begins_s", [30, 200])
def test_the_sound_of_an_older_recording_behind_a_newer_one_stays_with_its_pictures(tmp_path: Path, begins_s):
    newer = sine_clip(tmp_path / "newer.ts", "mp2", seconds=0.6, video="mpeg2video", later_s=begins_s)
    older = sine_clip(tmp_path / "older.ts", "mp2", seconds=0.6, video="mpeg2video")
    source = tmp_path / "source.ts"
    source.write_bytes(newer.read_bytes() + older.read_bytes())
    written(tmp_path, [n / 25 for n in range(30)], sound="sound copied", source=source)
    times = [time for time, _ in sound_packets(tmp_path / "clip.mp4")]
    assert_without_a_hole(times, ends_s=1.2)
