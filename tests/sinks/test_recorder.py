"""All that is written about one source."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stages.layout import MANIFEST
from stages.names import names_apart
from stages.report.__main__ import main as report
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from stages.sinks.recorder import Recorder
from stages.sinks.segments import segments_folder
from tests.results.frames import face, flat, frame
from tests.sinks.clips import frames_in, sine_clip
from tests.sinks.recording import recording
from tests.sinks.test_recovery import killed


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_a_folder_of_pictures_and_videos_gets_its_like_in_one_order(tmp_path):
    recorder = recording(tmp_path, spec="holiday")
    files = ["a.jpg", "b.mp4", "b.mp4", "c.png", "d.gif", "d.gif", "d.gif"]
    for number, file in enumerate(files):
        rate = None if file.endswith(("jpg", "png")) else 25.0
        recorder.write(frame(number, file=file, rate=rate, source="holiday"), flat(64, 48))
    recorder.close()
    assert [(line["frame"], line["file"]) for line in lines(tmp_path)] == list(enumerate(files))
    written = [path.relative_to(tmp_path).as_posix() for path in recorder.paths]
    assert written == ["results.jsonl", "annotated/a.jpg", "annotated/b.mp4", "annotated/c.png", "annotated/d.gif.mp4"]
    assert frames_in(tmp_path / "annotated/b.mp4") == 2
    assert frames_in(tmp_path / "annotated/d.gif.mp4") == 3


def test_a_recorder_that_is_closed_early_leaves_whole_files(tmp_path):
    recorder = recording(tmp_path)
    for number in range(3):
        recorder.write(frame(number), flat(64, 48))
    recorder.close()
    recorder.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == len(lines(tmp_path)) == 3


def test_without_annotation_only_the_lines_are_written(tmp_path):
    recorder = recording(tmp_path, annotated=False)
    assert not recorder.draws
    recorder.write(frame(0), None)
    recorder.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "results.jsonl"]


def test_what_a_killed_run_left_of_a_video_is_not_part_of_the_next(tmp_path):
    left = recording(tmp_path)
    for number in range(5):
        left.write(frame(number), flat(64, 48))
    assert segments_folder(tmp_path / "annotated/clip.mp4").is_dir()
    del left  # Without close, as after a kill.
    recorder = recording(tmp_path)
    recorder.write(frame(0), flat(64, 48))
    recorder.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == 1


def test_the_sound_of_the_source_is_copied_and_nothing_is_said_of_it(tmp_path):
    original = sine_clip(tmp_path / "clip.mp4", "aac")
    recorder = recording(tmp_path / "out", spec=str(original))
    for number in range(10):
        recorder.write(frame(number), flat(64, 48))
    recorder.close()
    assert recorder.notes == []
    with av.open(str(tmp_path / "out/annotated/clip.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_a_source_that_has_no_file_here_has_no_sound_to_copy_and_nothing_is_said(tmp_path):
    for spec in (0, "rtsp://door/stream", None):
        recorder = recording(tmp_path, spec=spec)
        recorder.write(frame(0), flat(64, 48))
        recorder.close()
        assert recorder.notes == []


# --- Subtitles ---


def subtitled(folder: Path, until: int | None = None) -> Recorder:
    """A folder's pictures and videos, with subtitles; `until`: killed before that frame."""
    recorder = recording(folder, spec="holiday", subtitles=True, continuing=True)
    files = ["a.jpg", *["b.mp4"] * 30, "c.png", *["d.gif"] * 20]
    for number, file in enumerate(files):
        if number == until:
            return recorder
        if number >= recorder.restored.position:
            rate = 25.0 if file in ("b.mp4", "d.gif") else None
            time = 0.0 if rate is None else (number - files.index(file)) / 25
            faces = [replace(face(5, 5, 20), id=None if rate is None else 1 + number // 10)]
            recorder.write(frame(number, file=file, rate=rate, time=time, faces=faces, source="holiday"), flat(64, 48))
    recorder.close()
    return recorder


def test_each_annotated_video_gets_subtitles_of_its_own_lines(tmp_path):
    recorder = subtitled(tmp_path)
    assert [path.name for path in recorder.paths if path.suffix == ".vtt"] == ["b.vtt", "d.gif.vtt"]
    b = (tmp_path / "annotated/b.vtt").read_text()
    assert b.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\n#1 woman") and "#4" in b and "#5" not in b
    assert "#5" in (tmp_path / "annotated/d.gif.vtt").read_text()
    assert not (tmp_path / "annotated/a.vtt").exists()


@pytest.mark.parametrize("until", [1, 5, 31, 32, 40, 52])
def test_killed_at_any_moment_the_subtitles_are_the_same(tmp_path, until):
    subtitled(tmp_path / "calm")
    left = subtitled(tmp_path / "killed", until)
    del left  # Without close, as after a kill.
    recorder = subtitled(tmp_path / "killed")
    for name in ("b.vtt", "d.gif.vtt"):
        calm, after = ((tmp_path / which / "annotated" / name).read_bytes() for which in ("calm", "killed"))
        assert after == calm
    assert len(recorder.paths) == len(set(recorder.paths)) == 7


def test_killed_between_subtitles_and_video_both_are_made_again(tmp_path, monkeypatch):
    subtitled(tmp_path / "calm")
    monkeypatch.setattr("stages.sinks.recorder.VideoWriter.close", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        subtitled(tmp_path / "killed")
    assert (tmp_path / "killed/annotated/b.vtt").exists()
    assert not (tmp_path / "killed/annotated/b.mp4").exists()
    monkeypatch.undo()
    subtitled(tmp_path / "killed")
    for name in ("b.vtt", "d.gif.vtt"):
        calm, after = ((tmp_path / which / "annotated" / name).read_bytes() for which in ("calm", "killed"))
        assert after == calm
    assert frames_in(tmp_path / "killed/annotated/b.mp4") == 30


@pytest.mark.parametrize("fault", ["a folder of that name", "an error of ours"])
def test_subtitles_that_cannot_be_made_are_left_out_and_all_else_is_whole(tmp_path, monkeypatch, fault):
    subtitled(tmp_path / "calm")
    if fault == "a folder of that name":
        (tmp_path / "out/annotated/b.vtt").mkdir(parents=True)
    else:
        monkeypatch.setattr("stages.sinks.recorder.write_subtitles", lambda *_: 1 / 0)
    recorder = subtitled(tmp_path / "out")
    assert [note for note in recorder.notes if note.startswith("b.vtt is left out: ")]
    for name in ("results.jsonl", "annotated/b.mp4", "annotated/d.gif.mp4", "annotated/c.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()


def test_the_command_makes_the_same_subtitles_from_the_results(tmp_path, capsys):
    subtitled(tmp_path)
    made = {path: path.read_bytes() for path in (tmp_path / "annotated").glob("*.vtt")}
    for path in made:
        path.unlink()
    assert report([str(tmp_path), "--vtt"]) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "annotated").glob("*.vtt")} == made
    assert capsys.readouterr().out.count("Wrote ") == 2


ALIKE = ["A.jpg", "a.jpg", "B.mp4", "B.mp4", "b.mp4", "b.mp4", "b.mp4", "c.bmp", "C.BMP"]


@pytest.mark.parametrize("until", range(len(ALIKE) + 1))
def test_files_that_differ_only_in_capitals_get_one_each_and_the_same_when_the_run_goes_on(tmp_path, until):
    apart = names_apart(dict.fromkeys(ALIKE))
    for life, end in enumerate((until, len(ALIKE))):
        recorder = recording(tmp_path, continuing=life > 0, apart=apart)
        for number in range(recorder.restored.position, end):
            rate = 25.0 if ALIKE[number].endswith("mp4") else None
            time = 0.0 if rate is None else (number - ALIKE.index(ALIKE[number])) / 25
            taken = frame(number, file=ALIKE[number], rate=rate, time=time, source="shots")
            recorder.write(taken, flat(64, 48, number * 20))
        if not life:
            killed(recorder)
    recorder.close()
    assert (recorder.failures, len(lines(tmp_path))) == ([], len(ALIKE))
    written = [path.name for path in recorder.paths[1:]]
    assert sorted(written) == sorted(path.name for path in (tmp_path / "annotated").iterdir())
    assert [re.sub("-[0-9a-f]{8}", "-mark", name) for name in written] == [
        "A.jpg", "a-mark.jpg", "B.mp4", "b-mark.mp4", "c.bmp.png", "C-mark.BMP.png",
    ]  # fmt: skip
    assert [frames_in(path) for path in recorder.paths[3:5]] == [2, 3]


def test_the_report_finds_the_faces_of_files_that_are_kept_apart(tmp_path, capsys):
    pins = ["shots", [["A.jpg", 1, 2], ["a.jpg", 1, 2]]]
    RunFile("ab12", {"source shots": pins, "render.blur": "none"}, ended="finished").write(tmp_path)
    recorder = recording(tmp_path, manifest=Manifest(tmp_path), apart={"a.jpg"})
    for number, (file, grey) in enumerate((("A.jpg", 150), ("a.jpg", 200))):
        taken = frame(number, flat(64, 48, grey), [face(5, 5, 30)], file=file, rate=None, time=0.0, source="shots")
        recorder.write(taken, taken.picture.pixels)
    recorder.close()
    assert report([str(tmp_path)]) == 0
    cut = re.findall(r"data:image/jpeg;base64,([^\"')]+)", (tmp_path / "report.html").read_text())
    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_GRAYSCALE) for one in cut]
    assert sorted(round(float(picture.mean()), -1) for picture in pictures) == [150, 200]
