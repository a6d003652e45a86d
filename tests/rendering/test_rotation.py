"""Outputs in pieces: joined they are what one file would be, wherever render was killed; old ones are deleted."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stages.answers import Age, Classes
from stages.config.load import read_config
from stages.config.settings import Settings, SourceSettings
from stages.frames import FinishedFrame
from stages.protocol.messages import SourceHello
from stages.rendering.outputs import RunOutputs, SourceOutputs
from stages.rendering.screens import Screens
from stages.results.errors import DamagedState, OutputError
from stages.results.pieces import pieces_in, results_in_pieces
from stages.supervision.stage import ControlChannel
from stages.time_of_day import read as time_of_day
from tests.results.frames import face, flat, frame
from tests.sinks.clips import frames_in

ZONE = "zones: {left: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}\n"
FRAMES = 15  # four of them a second; three pieces of a second are full, the last one holds three
ROTATED = "rotate: 1s, annotated: false"


def walking(number: int, **more) -> FinishedFrame:
    """Somebody walks through the picture from the third frame on, and is gone in the twelfth; another one came before.

    What is said about them changes from frame to frame, so that smoothing shows.
    """
    answers = {"age": Age(30.0 + number % 4, 25.0, 38.0, "30-39"), "gender": Classes("woman", *_woman(number % 3 / 10))}
    if number < 2:
        faces = [face(120, 40, 30, **answers)]
    else:
        faces = [face(8.0 * (number - 2), 10, 40, **answers)] if number < 11 else []
    return frame(number, flat(160, 90, 10 * number), faces, time=number / 4, rate=4.0, **more)


def _woman(less: float) -> tuple[float, dict[str, float]]:
    return 0.9 - less, {"man": 0.1 + less, "woman": 0.9 - less}


def settings(folder: Path, render: str) -> Settings:
    pipeline = read_config(f"source: clip.mp4\n{ZONE}render: {{display: none, {render}}}\n", "pipeline.yaml")
    source = SourceSettings("clip.mp4", None, False)
    return Settings("render", 0, pipeline, "", ("",), (source,), {}, {}, str(folder), run="r", inputs={"a": render})


@contextmanager
def opened(folder: Path, render: str = ROTATED, live: bool = False, life: int = 0) -> Iterator[SourceOutputs]:
    """The outputs as a render opens them that was started for the `life`-th time."""
    control = ControlChannel(lambda message: None)
    control.run_with_heartbeat = lambda work: work()
    run = RunOutputs(replace(settings(folder, render), life=life), control)
    yield run.open(SourceHello(run="r", source="clip.mp4", epoch=1, live=live, key="k"), Screens())


def write(outputs: SourceOutputs, frames: Callable[[int], FinishedFrame] = walking, end: int = FRAMES) -> None:
    """Write what the outputs lack, as capture would send it again."""
    for number in range(outputs.recorder.restored.position, end):
        outputs.take(frames(number), True, False)
    outputs.close(has_ended=end == FRAMES)


def made(folder: Path, render: str = ROTATED, **more) -> Path:
    with opened(folder, render) as outputs:
        write(outputs, **more)
    return folder


def joined(folder: Path, name: str) -> bytes:
    return b"".join((path / name).read_bytes() for path in pieces_in(folder))


def held(folder: Path) -> dict[str, list[int]]:
    """The numbers of the frames in each piece."""
    return {
        path.parent.name: [int(line.split(b'"frame": ')[1].split(b",")[0]) for line in path.read_bytes().splitlines()]
        for path in results_in_pieces(folder)
    }


PIECES = {
    "000001": [0, 1, 2, 3],
    "000002": [4, 5, 6, 7],
    "000003": [8, 9, 10, 11],
    "000004": [12, 13, 14],
}


def test_the_pieces_joined_are_what_one_file_would_be(tmp_path):
    whole, rotated = made(tmp_path / "whole", "annotated: false"), made(tmp_path / "rotated")
    assert held(rotated) == PIECES
    assert joined(rotated, "results.jsonl") == (whole / "results.jsonl").read_bytes()
    assert joined(rotated, "events.jsonl") == (whole / "events.jsonl").read_bytes()
    told = [json.loads(line)["event"] for line in joined(rotated, "events.jsonl").splitlines()]
    assert sorted(told) == ["appeared", "appeared", "entered", "exited", "left", "left"]


def test_each_piece_has_a_video_of_its_own(tmp_path):
    folder = made(tmp_path / "run", "rotate: 1s")
    videos = [path / "annotated/clip.mp4" for path in pieces_in(folder)]
    assert list(map(frames_in, videos)) == [4, 4, 4, 3]


class Killed(BaseException):
    """What stands for the end of a process."""


class Death:
    """Ends render at one of its changes to the disk: before it, or when a write is half done. Nothing happens after."""

    CHANGES = ("open", "write", "replace", "rename", "unlink", "mkdir", "rmdir", "truncate", "ftruncate", "fsync")

    def __init__(self, at: int, error: OSError | None = None):
        """`error`: it is a disk that is full from then on, and nobody dies."""
        self.count, self._at, self._error = 0, at, error

    @property
    def came(self) -> bool:
        return self.count > self._at

    @contextmanager
    def awaited(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in self.CHANGES if self._error is None else ("write",):
                patch.setattr(os, name, partial(self._change, getattr(os, name), name))
            yield

    def _change(self, change: Callable, name: str, *given, **options):
        if name == "open" and not given[1] & (os.O_WRONLY | os.O_RDWR):
            return change(*given, **options)
        self.count += 1
        if self.came and name == "write" and self.count == self._at + 1:
            change(given[0], bytes(given[1])[: len(given[1]) // 2])
        if self.came:
            raise self._error or Killed
        return change(*given, **options)


@pytest.mark.parametrize(("render", "step"), [(ROTATED + ", keep: 1s", 1), ("rotate: 1s", 16)])
def test_wherever_render_is_killed_the_pieces_come_out_the_same(tmp_path, render, step):
    whole = made(tmp_path / "whole", render)
    at = 0
    while True:
        folder, death = tmp_path / f"killed-{at}", Death(at)
        with death.awaited(), suppress(Killed):
            made(folder, render)
        if not death.came:
            break
        with opened(folder, render, life=1) as outputs:
            write(outputs)
        for name in ("results.jsonl", "events.jsonl"):
            assert joined(folder, name) == joined(whole, name), at
        assert held(folder) == held(whole), at
        at += step
    assert at > 100


@pytest.mark.parametrize("track", ["true", "false"])
def test_with_blur_a_face_out_of_sight_stays_hidden_where_render_is_killed_behind_a_border(tmp_path, track):
    """People turn away and back: where they were is hidden for two seconds more, by whatever process."""

    def seen(number: int) -> FinishedFrame:
        noise = np.random.default_rng(number).integers(0, 256, (90, 160, 3), np.uint8)
        return frame(number, noise, [face(40, 20, 40)] if number < 4 else [], time=number / 4, rate=4.0)

    render, hidden = f"rotate: 1s, blur: pixelate, track: {track}", []
    for killed_after in (None, 4):
        folder = tmp_path / str(killed_after)
        with opened(folder, render) as outputs:
            for number in range(8 if killed_after is None else killed_after + 1):
                shown = outputs.take(seen(number), True, False)
        if killed_after is not None:
            with opened(folder, render, life=1) as outputs:
                for number in range(outputs.recorder.restored.position, 8):
                    shown = outputs.take(seen(number), True, False)
        hidden.append((shown.picture.pixels != seen(7).picture.pixels).any(axis=2))
    assert hidden[0][20:60, 40:80].mean() > 0.9 and np.array_equal(*hidden)


def test_a_disk_that_fills_at_any_moment_ends_the_run_and_nothing_is_lost(tmp_path):
    whole = made(tmp_path / "whole")
    at = 0
    while True:
        folder, full = tmp_path / f"full-{at}", Death(at, OSError(errno.ENOSPC, "No space left on device"))
        with full.awaited(), suppress(OutputError, OSError):
            made(folder)
        if not full.came:
            break
        with opened(folder, life=1) as outputs:
            write(outputs)
        for name in ("results.jsonl", "events.jsonl"):
            assert joined(folder, name) == joined(whole, name), at
        at += 1
    assert at > 50


def test_a_border_that_cannot_be_written_is_one_sentence(tmp_path):
    with opened(tmp_path / "run") as outputs:
        for number in range(4):
            outputs.take(walking(number), True, False)
        full = Death(0, OSError(errno.ENOSPC, "No space left on device"))
        with full.awaited(), pytest.raises(OutputError, match="No space left on device; make room"):
            outputs.take(walking(4), True, False)
    assert held(tmp_path / "run") == {"000001": [0, 1, 2, 3]}


def test_pieces_that_are_older_than_what_is_kept_are_deleted(tmp_path):
    folder = made(tmp_path / "run", ROTATED + ", keep: 1s")
    # The fourth begins at 3 s: the first ended at 1 s, the second at 2 s.
    assert list(held(folder)) == ["000002", "000003", "000004"]
    assert sorted(os.listdir(folder / "pieces")) == ["000002", "000003", "000004"]


def test_a_clock_that_was_years_ahead_for_a_moment_keeps_no_pieces_for_years(tmp_path):
    begins_s = time_of_day("2026-11-29T10:00:00.000+00:00").timestamp()

    def seen(number: int) -> FinishedFrame:
        one, ahead_s = walking(number), 10 * 365 * 86_400 if 3 <= number < 6 else 0
        return replace(one, picture=replace(one.picture, clock=begins_s + number / 4 + ahead_s))

    with opened(tmp_path / "run", ROTATED + ", keep: 1s", live=True) as outputs:
        write(outputs, seen, 25)
    assert len(held(tmp_path / "run")) <= 3


def test_pieces_are_deleted_where_all_of_them_take_more_than_is_kept(tmp_path):
    size = sum(path.stat().st_size for path in (made(tmp_path / "all") / "pieces/000003").iterdir())
    folder = made(tmp_path / "run", f"{ROTATED}, keep: {size / 1000:.3f} kB")
    assert list(held(folder)) == ["000003", "000004"]


def test_foreign_files_and_what_was_changed_stay_in_a_piece_that_is_deleted(tmp_path):
    folder = tmp_path / "run"
    with opened(folder, ROTATED + ", keep: 1s") as outputs:
        for number in range(5):
            outputs.take(walking(number), True, False)
        first, second = folder / "pieces/000001", folder / "pieces/000002"
        (first / "mine.txt").write_text("mine")
        (first / "mine").mkdir()
        (first / "events.jsonl").write_text("changed")
        for number in range(5, FRAMES):
            outputs.take(walking(number), True, False)
    assert sorted(path.name for path in first.iterdir()) == ["events.jsonl", "mine", "mine.txt"]
    assert list(held(folder)) == ["000002", "000003", "000004"] and second.is_dir()


def test_a_live_source_has_its_borders_at_the_full_hour_of_the_clock_and_pieces_named_by_it(tmp_path):
    begins_s = time_of_day("2026-11-29T09:59:59.000+00:00").timestamp()

    def seen(number: int) -> FinishedFrame:
        one = walking(number)
        return replace(one, picture=replace(one.picture, clock=begins_s + number / 4))

    with opened(tmp_path / "run", "rotate: 1h, annotated: false", live=True) as outputs:
        write(outputs, seen)
    first, second = held(tmp_path / "run").items()
    assert first[1] == [0, 1, 2, 3] and first[0].startswith("000001-")
    assert second[1][0] == 4 and second[0].startswith("000002-") and second[0].endswith("-00-00")


def test_a_run_goes_on_where_old_pieces_were_moved_away(tmp_path):
    folder = tmp_path / "run"
    with opened(folder) as outputs:
        write(outputs, end=10)
    for name in ("000001", "000002"):
        shutil.rmtree(folder / "pieces" / name)
    with opened(folder, life=1) as outputs:
        assert outputs.recorder.restored.counts["rendered"] == 10
        write(outputs)
        assert outputs.people == 2
    whole = made(tmp_path / "whole")
    assert joined(folder, "events.jsonl") == b"".join(
        (whole / "pieces" / name / "events.jsonl").read_bytes() for name in ("000003", "000004")
    )


@pytest.mark.parametrize("key", ["frame", "begins", "counts", "state"])
def test_a_piece_whose_beginning_is_not_known_is_refused(tmp_path, key):
    folder = tmp_path / "run"
    with opened(folder) as outputs:
        write(outputs, end=10)
    path = folder / "pieces/000003/piece.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: {"faces": {"file": 3}}}))
    with pytest.raises(DamagedState) as refused:
        opened(folder, life=1).__enter__()
    assert str(refused.value).startswith(f"{path} is damaged; put it back, or use --replace")


def test_videos_of_a_folder_and_pictures_are_not_divided(tmp_path):
    def filed(number: int) -> FinishedFrame:
        one = walking(number)
        return replace(one, picture=replace(one.picture, file=f"{number // 8}.mp4"))

    assert list(held(made(tmp_path / "run", frames=filed))) == ["000001"]


SENT = "annotated: false, rotate: 1s, keep: 1s}\nwebhooks: {shop: {url: https://shop.example.org/hook}"


def test_no_more_than_so_many_events_that_were_not_sent_are_kept(tmp_path, monkeypatch):
    folder = made(tmp_path / "all", SENT)
    assert len(pieces_in(folder)) == 4
    size = (folder / "pieces/000001/events.jsonl").stat().st_size
    monkeypatch.setattr("stages.results.pieces.UNREAD_BYTES", size - 1)
    assert [path.name for path in pieces_in(made(tmp_path / "few", SENT))] == ["000002", "000003", "000004"]


def test_events_that_were_not_sent_are_kept_longer_than_their_piece(tmp_path):
    folder = tmp_path / "run"
    with opened(folder, SENT) as outputs:
        write(outputs, end=13)
        first = folder / "pieces/000001"
        assert sorted(os.listdir(first)) == ["events.jsonl"] and list(held(folder)) == ["000002", "000003", "000004"]
        (folder / ".facepipe.connect").mkdir()
        place = {"piece": "000002", "bytes": 0, "lines": 1, "tail": ""}
        said = {"sources": {"": {"place": place}}}
        (folder / ".facepipe.connect/webhook-shop.json").write_text(json.dumps(said))
    with opened(folder, SENT, life=1) as outputs:
        write(outputs, end=17)
    assert not first.exists()
