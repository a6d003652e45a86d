"""Outputs that somebody has damaged: refused as they are, or made whole again, and never taken for whole."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from stages.layout import MANIFEST
from stages.results.drops import DropLog
from stages.results.errors import DamagedState, OutputError
from stages.results.source_folder import SourceFolder
from stages.sinks.recorder import Recorder
from stages.sinks.recovery import restore, survey
from stages.sinks.segments import segments_folder
from tests.results.frames import face, frame
from tests.sinks.clips import frames_in
from tests.sinks.recording import recording
from tests.sinks.test_recovery import killed

FILES = ["a.jpg", *["b.mp4"] * 12, "c.png", *["d.mp4"] * 30]
VIDEO = [None] * 30
NO_LINE = ":11 is no line of results"


def pictured(number: int, files: list, **more):
    """Frame `number`, with a picture of its own that needs more than a few bytes."""
    file = files[number]
    rate = None if file and not file.endswith("mp4") else 25.0
    noise = random.Random(number).randbytes(64 * 48 * 3)
    time = 0.0 if rate is None else (number - files.index(file)) / 25 + more.pop("later", 0.0)
    pixels = np.frombuffer(noise, np.uint8).reshape(48, 64, 3)
    return frame(number, pixels, [face(5, 5, 20)], file=file, rate=rate, time=time, **more)


def write(recorder: Recorder, numbers, files: list = VIDEO, **more) -> None:
    for number in numbers:
        one = pictured(number, files, **more)
        recorder.write(one, one.picture.pixels)


def broken_off(folder: Path, files: list = VIDEO, until: int | None = None, deaths: tuple = (10, 20), **more) -> Path:
    """A run that was killed before frame `until`, and before some others."""
    until = len(files) if until is None else until
    for life, end in enumerate((*(d for d in deaths if d < until), until)):
        recorder = recording(folder, continuing=life > 0)
        write(recorder, range(recorder.restored.position, end), files, **more)
        killed(recorder)
    return folder


def stopped(folder: Path, files: list = VIDEO, until: int | None = None, **more) -> Path:
    """A run that a person has ended before frame `until`."""
    recorder = recording(folder)
    write(recorder, range(len(files) if until is None else until), files, **more)
    recorder.close()
    assert recorder.failures == []
    return folder


def resumed(folder: Path, files: list = VIDEO) -> Recorder:
    """Go on to the end."""
    recorder = recording(folder, continuing=True, source="clip.mp4")
    write(recorder, range(recorder.restored.position, len(files)), files)
    recorder.close()
    return recorder


def everything_in(folder: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else str(path.lstat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def is_whole(folder: Path, files: list) -> bool:
    """Whether the outputs are those of a run that nobody disturbed."""
    calm = stopped(folder.parent / "calm", files) if not (folder.parent / "calm").exists() else folder.parent / "calm"
    same = (folder / "results.jsonl").read_bytes() == (calm / "results.jsonl").read_bytes()
    names = {path.name for path in (calm / "annotated").iterdir()}
    videos = [name for name in names if name.endswith("mp4")]
    return (
        same
        and {path.name for path in (folder / "annotated").iterdir()} == names
        and all(frames_in(folder / "annotated" / v) == frames_in(calm / "annotated" / v) for v in videos)
    )


# --- Everything that can happen to a file ---


def removed(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    os.truncate(path, random.Random(path.name).randrange(1, path.stat().st_size))


def zeroed(path: Path) -> None:
    size = path.stat().st_size
    begins = random.Random(path.name).randrange(size // 2)
    content = path.read_bytes()
    path.write_bytes(content[:begins] + bytes(min(512, size - begins)) + content[begins + 512 :])


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def made_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def swapped(path: Path) -> None:
    like = [other for other in path.parent.glob(f"*{path.suffix}") if other != path and other.is_file()]
    other = like[0] if like else path.with_name("none")
    if not like:
        return path.write_bytes(b"something else\n")
    kept = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return None


DAMAGES = [removed, emptied, cut, zeroed, made_a_folder, made_a_fifo, made_a_link, swapped]
BROKEN_OFF = ["results.jsonl", *(f"annotated/.clip.mp4.parts/{first:08}.mp4" for first in (0, 9, 19))]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", BROKEN_OFF)
def test_a_video_that_was_broken_off_and_damaged_is_refused_or_made_whole(tmp_path, name, damage):
    folder = broken_off(tmp_path / "out", VIDEO, 27)
    assert sorted(everything_in(folder)) == [
        MANIFEST,
        "annotated",
        "annotated/.clip.mp4.parts",
        *sorted(BROKEN_OFF[1:]),
        "results.jsonl",
    ]
    damage(folder / name)
    before = everything_in(folder)
    try:
        recorder = resumed(folder)
    except DamagedState as error:
        assert "--replace" in str(error)
        assert everything_in(folder) == before
    else:
        assert recorder.failures == []
        assert is_whole(folder, VIDEO)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["results.jsonl", *(f"annotated/{name}" for name in ("a.jpg", "b.mp4", "c.png", "d.mp4"))]
)
def test_a_folder_that_was_stopped_and_damaged_is_refused_or_made_whole(tmp_path, name, damage):
    folder = stopped(tmp_path / "out", FILES, 30)
    damage(folder / name)
    before = everything_in(folder)
    try:
        recorder = resumed(folder, FILES)
    except DamagedState as error:
        assert "--replace" in str(error)
        assert everything_in(folder) == before
    else:
        assert recorder.failures == []
        assert is_whole(folder, FILES)


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(5, 20))])
def test_a_video_zeroed_anywhere_is_never_taken_for_whole(tmp_path, seed):
    folder = broken_off(tmp_path / "out", VIDEO, 27)
    draw = random.Random(seed)
    part = draw.choice(sorted(segments_folder(folder / "annotated/clip.mp4").iterdir()))
    content = bytearray(part.read_bytes())
    begins = draw.randrange(900, len(content) - 64)
    content[begins : begins + 64] = bytes(64)
    part.write_bytes(content)
    recorder = resumed(folder)
    assert recorder.restored.position < 26
    assert recorder.failures == []
    assert is_whole(folder, VIDEO)


# --- Lines ---


def lines(folder: Path) -> list[bytes]:
    return (folder / "results.jsonl").read_bytes().splitlines(keepends=True)


def edited(at: int, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda old: [*old[:at], *change(old[at:])]


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda rest: rest[2:], ":11 is frame 12, but frames 10 to 11 are missing, and account.jsonl does not say"),
        (lambda rest: [rest[0], *rest], ":12 is frame 10, which should come before frame 10 and only once"),
        (lambda rest: [rest[1], rest[0], *rest[2:]], ":11 is frame 11, but frame 10 is missing"),
        (lambda rest: [b"\n", *rest], NO_LINE),
        (lambda rest: [b"7\n", *rest[1:]], NO_LINE),
        (lambda rest: [b"null\n", *rest[1:]], NO_LINE),
        (lambda rest: [b"[]\n", *rest[1:]], NO_LINE),
        (lambda rest: [rest[0].replace(b'"faces": [{', b'"faces": [{"x": 1, '), *rest[1:]], NO_LINE),
        (lambda rest: [rest[0].replace(b"happy", b"h\xffppy"), *rest[1:]], NO_LINE),
        (lambda rest: [rest[0].replace(b'"clip.mp4"', b'"other.mp4"'), *rest[1:]], ":11 is about other.mp4"),
        (lambda rest: [rest[0][:40] + b"\n", *rest[1:]], NO_LINE),
        (lambda rest: [bytes(len(rest[0]) - 1) + b"\n", *rest[1:]], NO_LINE),
        (lambda rest: [*rest, b"7"], "is no line of results"),
        (lambda rest: [line.replace(b"\n", b"\r\n") for line in rest], ":11 is not as it was written"),
        (lambda rest: [b"\xef\xbb\xbf" + rest[0], *rest[1:]], ":11 is not as it was written"),
        (lambda rest: [b" " + rest[0], *rest[1:]], ":11 is not as it was written"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_as_it_was_written_is_refused_by_its_number(tmp_path, change, sentence):
    folder = broken_off(tmp_path / "out")
    (folder / "results.jsonl").write_bytes(b"".join(edited(10, change)(lines(folder))))
    before = everything_in(folder)
    with pytest.raises(DamagedState) as refused:
        recording(folder, continuing=True)
    assert sentence in str(refused.value)
    assert "put the file back, or use --replace" in str(refused.value)
    assert everything_in(folder) == before


def test_it_says_how_many_lines_are_whole(tmp_path):
    folder = broken_off(tmp_path / "out")
    (folder / "results.jsonl").write_bytes(b"".join([*lines(folder)[:20], b"\n"]))
    with pytest.raises(
        DamagedState, match=":21 is no line of results; the 20 lines before it are whole; put the file back"
    ):
        survey(SourceFolder.alone(folder))


@pytest.mark.parametrize("text", [b"\n", b"7\n", b"{}\n", b'{"what": "dropped"}\n', b"\xff\n"])
def test_an_account_that_is_not_as_it_was_written_is_refused_by_its_line(tmp_path, text):
    folder = broken_off(tmp_path / "out")
    DropLog(folder / "account.jsonl").given_up(3, "age", "late")
    with (folder / "account.jsonl").open("ab") as account:
        account.write(text)
    before = everything_in(folder)
    with pytest.raises(DamagedState, match="account.jsonl:2 is no line of an account"):
        recording(folder, continuing=True)
    assert everything_in(folder) == before


def test_zeros_that_a_power_cut_leaves_behind_the_last_line_are_cut_off(tmp_path):
    folder = broken_off(tmp_path / "out")
    with (folder / "results.jsonl").open("ab") as results:
        results.write(bytes(300))
    assert recording(folder, continuing=True).restored.position == 29
    assert len(lines(folder)) == 29


def test_results_of_another_source_are_refused_before_anything_is_cut(tmp_path):
    folder = broken_off(tmp_path / "out")
    before = everything_in(folder)
    with pytest.raises(DamagedState, match="holds results of clip.mp4, not of other.mp4"):
        recording(folder, continuing=True, source="other.mp4")
    assert everything_in(folder) == before


# --- Of a live source nothing is lost ---


@pytest.mark.parametrize("damage", [removed, emptied, cut, zeroed, swapped])
def test_of_a_live_source_no_line_is_cut_for_a_part_of_its_video(tmp_path, damage):
    folder = broken_off(tmp_path / "out")
    written = (folder / "results.jsonl").read_bytes()
    damage(folder / "annotated/.clip.mp4.parts/00000009.mp4")
    recorder = recording(folder, continuing=True, live=True)
    assert recorder.restored.position == 30
    assert any(" in results.jsonl but not in annotated/clip.mp4" in note for note in recorder.notes)
    write(recorder, range(30, 40), [None] * 40)
    recorder.close()
    assert (folder / "results.jsonl").read_bytes().startswith(written)
    assert recorder.failures == []
    assert frames_in(folder / "annotated/clip.mp4") >= 20


def test_a_video_of_a_live_source_that_was_moved_away_is_begun_anew(tmp_path):
    folder = stopped(tmp_path / "out")
    written = (folder / "results.jsonl").read_bytes()
    (folder / "annotated/clip.mp4").rename(tmp_path / "kept.mp4")
    for first, end in ((30, 40), (40, 50)):
        recorder = recording(folder, continuing=True, live=True)
        assert recorder.restored.position == first
        assert recorder.notes == ["frames 0 to 29 are in results.jsonl but not in annotated/clip.mp4"]
        write(recorder, range(first, end), [None] * 50)
        recorder.close()
        assert recorder.failures == []
    assert (folder / "results.jsonl").read_bytes().startswith(written)
    assert frames_in(folder / "annotated/clip.mp4") == 20
    with av.open(str(folder / "annotated/clip.mp4")) as container:
        assert float(container.duration / 1e6) == pytest.approx(20 / 25, abs=0.01)


def test_frames_that_were_dropped_at_the_end_of_a_live_source_stay_accounted_for(tmp_path):
    folder = broken_off(tmp_path / "out")
    DropLog(folder / "account.jsonl").dropped(30, 34, "detect", "queue full")
    restored = restore(survey(SourceFolder.alone(folder)), live=True)
    assert (restored.position, dict(restored.dropped)) == (35, {("detect", "queue full"): 5})


# --- While it is written, and at its end ---


@pytest.mark.parametrize("damage", [removed, emptied, swapped])
def test_a_part_of_the_video_that_is_taken_while_the_run_goes_on_is_said_at_the_end(tmp_path, damage):
    folder = broken_off(tmp_path / "out")
    recorder = recording(folder, continuing=True)
    write(recorder, range(recorder.restored.position, 30))
    damage(folder / "annotated/.clip.mp4.parts/00000009.mp4")
    recorder.close()
    assert recorder.failures[0].startswith("frames 9 to 1")
    assert recorder.failures[0].endswith(" are in results.jsonl but not in annotated/clip.mp4")
    again = resumed(folder)
    assert again.restored.position == 9
    assert again.failures == []
    assert is_whole(folder, VIDEO)


def test_all_parts_of_the_video_taken_is_said_at_the_end(tmp_path):
    recorder = recording(tmp_path)
    write(recorder, range(20))
    shutil.rmtree(segments_folder(tmp_path / "annotated/clip.mp4"))
    recorder.close()
    assert recorder.failures[0] == "frames 0 to 19 are in results.jsonl but not in annotated/clip.mp4"


def test_a_picture_that_is_taken_while_the_run_goes_on_is_said_at_the_end(tmp_path):
    recorder = recording(tmp_path)
    write(recorder, range(14), FILES)
    (tmp_path / "annotated/a.jpg").unlink()
    recorder.close()
    assert recorder.failures == [f"{tmp_path}/annotated/a.jpg: written, and not there any more"]


@pytest.mark.parametrize(
    "how, sentence",
    [
        (removed, "was removed or moved away while it was written"),
        (lambda path: os.replace(shutil.copy(path, f"{path}.new"), path), "was replaced by another file"),
        (lambda path: os.truncate(path, 100), "was cut by somebody else"),
        (lambda path: path.open("ab").write(b"x\n"), "was written to by somebody else"),
    ],
)
def test_results_that_are_taken_while_they_are_written_are_noticed(tmp_path, how, sentence):
    recorder = recording(tmp_path)
    write(recorder, range(10))
    how(tmp_path / "results.jsonl")
    with pytest.raises(OutputError, match=sentence):
        recorder.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == 10  # It is not lost for it.


def test_json_is_still_what_the_lines_are(tmp_path):
    folder = stopped(tmp_path / "out")
    assert [json.loads(line)["frame"] for line in lines(folder)] == list(range(30))
