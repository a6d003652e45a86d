"""What cannot be run is refused in one sentence, with status 2; what is only odd is run."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from tests.end_to_end.command import Workplace
from tests.end_to_end.material import FACES, HEIGHT, WIDTH, scene, watch, write_clip


def refusal(place: Workplace, source: object, *options: str, **places) -> str:
    """The sentence of a run that is refused, which leaves nothing and says nothing else."""
    ran = place.run(source, *options, **places)
    assert ran.status == 2, ran.err
    assert not ran.output.exists()
    assert "no window" not in ran.err
    assert "frames in" not in ran.out
    return ran.complaint


# --- Sources ---


def test_a_file_that_is_not_there_with_the_nearest_name(place, film):
    wrong = film.with_name("flim.mp4")
    assert refusal(place, wrong) == (
        f"There is no file or folder {wrong} (did you mean {film}?); write a path, a camera number, demo or auto."
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("letter.mp4", b"Dear diary,\n" * 40, "is not a video that can be read"),
        ("noise.mp4", bytes(range(256)) * 40, "is not a video that can be read"),
        ("empty.jpg", b"", "is empty."),
        ("letter.jpg", b"Dear diary", "is not a JPEG, PNG"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(place, name, content, said):
    (place.folder / name).write_bytes(content)
    complaint = refusal(place, place.folder / name)
    assert complaint.startswith(f"{place.folder / name} ") and said in complaint


def test_a_folder_without_pictures_and_a_glob_without_matches(place):
    (place.folder / "none").mkdir()
    assert "none holds no picture and no video" in refusal(place, place.folder / "none")
    assert "*.jpg matches no picture and no video" in refusal(place, place.folder / "none/*.jpg")


def test_a_folder_in_which_nothing_can_be_read(place):
    (place.folder / "bad").mkdir()
    (place.folder / "bad/a.jpg").write_text("no picture")
    ran = place.run(place.folder / "bad")
    assert ran.status in (1, 2)  # Found out only when it is read.
    assert "None of the 1 file of bad can be read." in ran.complaint


def test_a_camera_that_does_not_open(place):
    complaint = refusal(place, "63", "--set=reconnect=0")
    assert complaint.startswith(("There is no camera 63; ", "Camera 63 does not open"))


def test_a_stream_that_nobody_serves_does_not_show_the_password(place):
    complaint = refusal(place, "rtsp://anna:secret@127.0.0.1:9/door", "--set=reconnect=0")
    assert "rtsp://127.0.0.1:9/door cannot be opened: Connection refused" in complaint
    assert "secret" not in complaint


def test_a_video_that_ends_early_gives_what_it_has(place, astronaut):
    whole = write_clip(place.folder / "whole.mp4", [scene(astronaut, n) for n in range(32)], index_first=True)
    half = place.folder / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    ran = place.run(half)
    assert ran.status == 0, ran.err
    assert 8 <= len(ran.lines) < 32
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    assert len(watch(ran.output / "annotated/half.mp4").times) == len(ran.lines)
    assert f"half.mp4: read {len(ran.lines)} of 32 frames; " in ran.out
    assert ", 1 video cut short. Wrote " in ran.out.splitlines()[-1]


def test_a_rotation_flag_is_heeded(place, astronaut):
    lying = [scene(astronaut, n).swapaxes(0, 1)[:, ::-1].copy() for n in (20, 21, 22)]  # Turned clockwise.
    ran = place.run(write_clip(place.folder / "turned.mp4", lying, turned=90))
    assert ran.status == 0, ran.err
    assert [(line["width"], line["height"], len(line["faces"])) for line in ran.lines] == [(WIDTH, HEIGHT, 2)] * 3
    assert watch(ran.output / "annotated/turned.mp4").size == (WIDTH, HEIGHT)


def test_a_variable_frame_rate_is_kept(place, astronaut):
    times_s = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0, 2.02]
    ran = place.run(write_clip(place.folder / "vfr.mp4", [scene(astronaut, n) for n in range(7)], times_s=times_s))
    assert ran.status == 0, ran.err
    assert [line["time"] for line in ran.lines] == pytest.approx(times_s, abs=2e-3)
    assert watch(ran.output / "annotated/vfr.mp4").times == pytest.approx(times_s, abs=2e-3)


def test_a_video_whose_rows_are_padded_in_memory(place, astronaut):
    """Decoders align rows, so at most widths a decoded picture is not one piece of memory."""
    size = (426, 240)
    pictures = [cv2.resize(scene(astronaut, number), size) for number in (20, 21)]
    ran = place.run(write_clip(place.folder / "padded.mp4", pictures))
    assert ran.status == 0, ran.err
    assert [(line["width"], line["height"], len(line["faces"])) for line in ran.lines] == [(*size, 2)] * 2
    assert watch(ran.output / "annotated/padded.mp4").size == size


def test_a_video_of_odd_size(place, astronaut):
    # H.264 in yuv420p has even sizes only; this is a lossless RGB one.
    import av

    path = place.folder / "odd.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 479, 269, "bgr0"
        for number in (20, 21):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(astronaut, number)[:269, :479].copy(), "bgr24")))
        out.mux(stream.encode())
    ran = place.run(path)
    assert ran.status == 0, ran.err
    assert [(line["width"], line["height"], len(line["faces"])) for line in ran.lines] == [(479, 269, 2)] * 2
    assert watch(ran.output / "annotated/odd.mkv.mp4").size == (480, 270)


@pytest.mark.parametrize("name", ["it's %d \n & Füße-日本語.mp4", "x" * 250 + ".mp4"], ids=["odd", "long"])
def test_a_file_with_an_odd_name(place, film, name):
    shutil.copy(film, place.folder / name)
    ran = place.run(place.folder / name)
    assert ran.status == 0, ran.err
    assert len(ran.lines) == len(FACES)
    assert ran.lines[0]["source"] == name[:200]
    [annotated] = (ran.output / "annotated").iterdir()
    assert len(watch(annotated).times) == len(FACES)


def test_of_a_crowd_beyond_the_limit_the_surest_faces_are_kept_and_it_is_said(place, astronaut):
    face = cv2.resize(astronaut[40:200, 150:310], (96, 96), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(place.folder / "crowd.png"), np.tile(face, (14, 20, 1)))
    fine = ("stages.detect.longest_side=1920", "stages.detect.smallest_face=0.03", "hang=60")
    ran = place.run(place.folder / "crowd.png", *(f"--set={setting}" for setting in fine))
    assert ran.status == 0, ran.err
    assert len(ran.faces) == 256
    assert all(face.keys() >= {"gender", "emotion", "age"} for face in ran.faces)
    assert "faces beyond 256 in a frame were left out" in ran.out + ran.err


# --- Configuration ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("windov: 3", "mine.yaml:1: windov is not a key; write one of "),
        ("window: '5'", "mine.yaml:1: window is '5'; write a whole number from 1 to 1000"),
        ("stages: {detect: {detector: harr}}", "mine.yaml:1: stages.detect.detector is 'harr'; write "),
        ("stages:\n  glasses: {}", "mine.yaml:2: stages.glasses is not a known stage"),
        ("render: {display: wall}", "mine.yaml:1: render.display is 'wall'; write one of auto, window, web, none"),
        ("window: [", "mine.yaml:"),
    ],
)  # fmt: skip
def test_a_wrong_configuration(place, film, text, said):
    config = place.folder / "mine.yaml"
    config.write_text(text)
    complaint = refusal(place, film, config=config, display=None)
    assert said in complaint


def test_check_finds_the_same_and_starts_nothing(place, film):
    good = place.run(film, "--check")
    assert (good.status, good.err) == (0, "")
    assert f"source film.mp4: {WIDTH} x {HEIGHT} at 25 frames/s" in good.out
    assert not good.output.exists()
    assert "windov" in refusal(place, film, "--check", "--set=windov=3")
    assert "There is no file or folder" in refusal(place, "nowhere.mp4", "--check")


def test_a_mistake_keeps_the_results_of_an_earlier_run(place, film):
    earlier = place.folder / "out/results.jsonl"
    earlier.parent.mkdir()
    earlier.write_text('{"source": "a", "frame": 0, "faces": []}\n')
    (place.folder / "letter.mp4").write_text("Dear diary")
    for source, options in ((film, ["--detector", "harr"]), (place.folder / "letter.mp4", [])):
        assert place.run(source, *options).status == 2
        assert earlier.read_text() == '{"source": "a", "frame": 0, "faces": []}\n'
