"""HLS on the disk: what a player reads, what is left after a kill, and what is never touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.config.schema import ConfigError
from stages.locks import locked
from stages.sinks.segments import TIME_BASE
from stages.sinks.video import planes_of
from stages.streams.folder import MARKER, StreamFolder, refuse_folder
from stages.streams.hls import HlsOutput
from stages.streams.output import Format
from stages.streams.playlist import KEPT, LISTED, Playlist
from tests.results.frames import flat
from tests.streams.players import frames_of, needs_ffmpeg

FORMAT = Format("software", (64, 48), 25.0)
NOW_S = 1_700_000_000


def picture(number: int) -> np.ndarray:
    return planes_of(flat(64, 48, 10 * number % 250), FORMAT.size)


def streamed(playlist: Path, frames: int, has_ended: bool | None = False, began_s: int = NOW_S) -> None:
    """Write so many frames; `has_ended` None: the process is killed then."""
    folder = StreamFolder(playlist)
    with folder.held():
        output = HlsOutput(folder, FORMAT, lambda: began_s)
        for number in range(frames):
            output.write(picture(number), round(number / 25 / TIME_BASE))
        if has_ended is not None:
            output.close(has_ended)


def told(playlist: Path) -> Playlist:
    return Playlist.parse(playlist.read_text())


def numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("live-[0-9]*.ts"))


@pytest.fixture
def live(tmp_path) -> Path:
    return tmp_path / "hls" / "live.m3u8"


@needs_ffmpeg
def test_a_player_sees_every_frame_and_can_begin_at_every_segment(live):
    streamed(live, 113, has_ended=True)
    assert [segment.duration_s for segment in told(live).segments] == [1.0, 1.0, 1.0, 1.0, 0.52]
    assert len(frames_of(live)) == 113
    assert [len(frames_of(path)) for path in sorted(live.parent.glob("*.ts"))] == [25, 25, 25, 25, 13]


@needs_ffmpeg
def test_after_a_kill_the_stream_goes_on_with_a_break_and_its_numbers_do_not_go_back(live):
    streamed(live, 60, has_ended=None)
    assert told(live).next_number == NOW_S + 2  # The frames of the third second were not written yet.
    streamed(live, 30, has_ended=True, began_s=NOW_S + 60)
    playlist = told(live)
    assert [segment.number - NOW_S for segment in playlist.segments] == [0, 1, 2, 3]
    assert [segment.is_break for segment in playlist.segments] == [False, False, True, False]
    assert len(frames_of(live)) == 80


@pytest.mark.parametrize("lost", ["removed", "torn"])
def test_without_its_playlist_it_is_numbered_by_the_clock_which_is_further_than_any_before(live, lost):
    streamed(live, 60)
    live.unlink() if lost == "removed" else live.write_text("#EXTM3U\n#EXT-X-MED")
    streamed(live, 60)
    assert told(live).first == NOW_S
    assert numbers(live.parent) == [NOW_S, NOW_S + 1, NOW_S + 2]


def test_a_long_stream_keeps_some_segments_and_leaves_the_files_of_others_alone(live):
    streamed(live, 25)
    others = {live.parent / name: name for name in ("index.html", "live-1.mp4", "live-x.ts", "alive-1.ts", "yard-7.ts")}
    for path, content in others.items():
        path.write_text(content)
    streamed(live, 40 * 25)
    assert len(told(live).segments) == LISTED and len(numbers(live.parent)) == KEPT
    assert numbers(live.parent)[-1] == told(live).next_number - 1
    assert {path: path.read_text() for path in others} == others


def test_what_a_killed_process_was_writing_is_cleared_away_and_what_another_stream_writes_is_not(live):
    streamed(live, 25)
    ours, others = live.with_name(".live-8.ts.0123456789ab.part"), live.with_name(".live-2-8.ts.0123456789ab.part")
    for part in (ours, others):
        part.write_bytes(b"half")
    streamed(live, 25)
    assert not ours.exists() and others.read_bytes() == b"half"


def test_several_streams_have_one_folder(live):
    streamed(live.with_name("door.m3u8"), 25)
    streamed(live.with_name("yard.m3u8"), 25)
    refuse_folder(live)
    assert told(live.with_name("door.m3u8")).segments and told(live.with_name("yard.m3u8")).segments


def test_a_folder_with_files_of_somebody_else_is_refused_and_nothing_is_left_there(live):
    live.parent.mkdir()
    (live.parent / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="it is not empty, and thesis.tex is no file of a stream"):
        refuse_folder(live)
    with pytest.raises(OSError):
        streamed(live, 25)
    assert [path.name for path in live.parent.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["best.m3u8", "best-7.ts"])
def test_files_of_somebody_else_beside_a_stream_are_not_taken_for_another_one(live, name):
    streamed(live, 25)
    (live.parent / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"{name} cannot be written: no stream of facepipe has written it; "):
        refuse_folder(live.with_name("best.m3u8"))
    with pytest.raises(OSError):
        streamed(live.with_name("best.m3u8"), 25)
    streamed(live, 25)
    assert (live.parent / name).read_text() == "mine"


def test_where_nothing_can_be_written_is_refused_and_looking_makes_nothing(tmp_path, live):
    refuse_folder(live)
    assert not live.parent.exists()
    live.parent.write_text("a file")
    with pytest.raises(ConfigError, match="it is no folder"):
        refuse_folder(live)
    elsewhere = tmp_path / "elsewhere.m3u8"
    elsewhere.write_text("mine")
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "live.m3u8").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="it is no regular file"):
        refuse_folder(folder / "live.m3u8")


def test_a_name_that_is_too_long_for_its_segments_is_refused(live):
    refuse_folder(live.with_name("n" * 200 + ".m3u8"))
    with pytest.raises(ConfigError, match="File name too long; choose a shorter name or choose another folder"):
        refuse_folder(live.with_name("n" * 240 + ".m3u8"))


def test_a_stream_that_is_written_by_another_process_is_refused(live):
    live.parent.mkdir()
    (live.parent / MARKER).touch()
    with locked(live.parent / ".facepipe.live.lock"), pytest.raises(ConfigError, match="is written by process"):
        refuse_folder(live)
