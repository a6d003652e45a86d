"""All that is written about one source."""

from __future__ import annotations

import json
from pathlib import Path

import av

from stages.outputs.recorder import Recorder
from stages.outputs.segments import segments_folder
from tests.outputs.clips import sine_clip
from tests.outputs.frames import flat, frame


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_folder_of_pictures_and_videos_gets_its_like_in_one_order(tmp_path):
    recorder = Recorder(tmp_path, spec="holiday", annotated=True)
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
    recorder = Recorder(tmp_path, spec=None, annotated=True)
    for number in range(3):
        recorder.write(frame(number), flat(64, 48))
    recorder.close()
    recorder.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == len(lines(tmp_path)) == 3


def test_without_annotation_only_the_lines_are_written(tmp_path):
    recorder = Recorder(tmp_path, spec=None, annotated=False)
    assert not recorder.draws
    recorder.write(frame(0), None)
    recorder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_what_a_killed_run_left_of_a_video_is_not_part_of_the_next(tmp_path):
    left = Recorder(tmp_path, spec=None, annotated=True)
    for number in range(5):
        left.write(frame(number), flat(64, 48))
    assert segments_folder(tmp_path / "annotated/clip.mp4").is_dir()
    del left  # Without close, as after a kill.
    recorder = Recorder(tmp_path, spec=None, annotated=True)
    recorder.write(frame(0), flat(64, 48))
    recorder.close()
    assert frames_in(tmp_path / "annotated/clip.mp4") == 1


def test_the_sound_of_the_source_is_copied_and_said(tmp_path):
    original = sine_clip(tmp_path / "clip.mp4", "aac")
    recorder = Recorder(tmp_path / "out", spec=str(original), annotated=True)
    for number in range(10):
        recorder.write(frame(number), flat(64, 48))
    recorder.close()
    assert recorder.notes == ["clip.mp4: sound copied"]
    with av.open(str(tmp_path / "out/annotated/clip.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_a_source_that_has_no_file_here_has_no_sound_to_copy_and_nothing_is_said(tmp_path):
    for spec in (0, "rtsp://door/stream", None):
        recorder = Recorder(tmp_path, spec=spec, annotated=True)
        recorder.write(frame(0), flat(64, 48))
        recorder.close()
        assert recorder.notes == []
