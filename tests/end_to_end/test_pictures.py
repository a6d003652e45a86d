"""One picture, and one folder of everything: pictures, videos, odd names, and files that cannot be read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.end_to_end.command import Ran, somewhere
from tests.end_to_end.material import FACES, HEIGHT, WIDTH, scene, watch, write_clip, write_picture

ODD, LONG = "it's %d \n & Füße-日本語.mp4", "x" * 250 + ".mp4"
SMALL = (426, 240)  # Decoders align rows, so at most widths a decoded picture is not one piece of memory.
TIMES_S = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0, 2.02]
BAD = ("bad-empty.jpg", "bad-text.jpg", "bad-text.mp4", "bad-cut.png", "bad-cut.jpg", "bad-half.mp4")


def by_file(ran: Ran) -> dict[str, list[dict]]:
    files: dict[str, list[dict]] = {}
    for line in ran.lines:
        files.setdefault(line["file"], []).append(line)
    return files


def test_one_picture(place, astronaut):
    picture = write_picture(place.folder / "face.jpg", astronaut)
    ran = place.run(picture).succeeded()
    [line] = ran.lines
    assert (line["source"], line["frame"], line["time"], line["width"]) == ("face.jpg", 0, 0.0, 512)
    [face] = line["faces"]
    assert {"gender", "emotion", "age"} <= face.keys()
    annotated = cv2.imread(str(ran.output / "annotated/face.jpg"))
    assert annotated.shape == astronaut.shape
    found, files = ran.out.splitlines()
    assert re.fullmatch(r"face 1: (wo)?man \d+ %, [a-z]+ \d+ %, about \d+ \(\d+-\d+\)", found)
    assert files == f"Wrote {ran.output}/results.jsonl and {ran.output}/annotated/face.jpg."
    (ran.output / ".run.json.part").mkdir()
    results = ran.results
    again = place.run(picture)
    assert again.status != 0 and again.results == results


# --- A folder ---


@pytest.fixture(scope="module")
def album(astronaut, tmp_path_factory) -> Path:
    """What cannot be read is called bad."""
    folder = tmp_path_factory.mktemp("album")
    two = scene(astronaut, 20)
    pictures = {
        "img2.png": two,
        "img10.jpg": two,
        "grey.png": cv2.cvtColor(two, cv2.COLOR_BGR2GRAY),
        "sixteen.png": two.astype(np.uint16) * 257,
        "rgba.png": np.dstack([two, np.full(two.shape[:2], 255, np.uint8)]),
        "tiny.png": two[:1, :1],
        "wide.png": two[100:101],
    }
    for name, pixels in pictures.items():
        write_picture(folder / name, pixels)
    (folder / "turned.jpg").write_bytes(_turned_jpeg(two))
    _write_videos(folder, astronaut)
    half = write_clip(folder / "bad-half.mp4", [two] * 8)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])  # Without its index, which stands at the end.
    (folder / "bad-empty.jpg").touch()
    (folder / "bad-text.jpg").write_text("no picture")
    (folder / "bad-text.mp4").write_text("no video")
    (folder / "bad-cut.png").write_bytes((folder / "img2.png").read_bytes()[:200])
    (folder / "bad-cut.jpg").write_bytes((folder / "img10.jpg").read_bytes()[:100])
    (folder / "notes.txt").write_text("left alone")
    return folder


def _write_videos(folder: Path, portrait: np.ndarray) -> None:
    whole = write_clip(folder / "cut.mp4", [scene(portrait, n) for n in range(32)], index_first=True)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    lying = [scene(portrait, n).swapaxes(0, 1)[:, ::-1].copy() for n in (20, 21, 22)]  # Turned clockwise.
    write_clip(folder / "rotated.mp4", lying, turned=90)
    write_clip(folder / "vfr.mp4", [scene(portrait, n) for n in range(7)], times_s=TIMES_S)
    write_clip(folder / "padded.mp4", [cv2.resize(scene(portrait, n), SMALL) for n in (20, 21)])
    for name in (ODD, LONG):
        write_clip(folder / name, [scene(portrait, n) for n in (20, 21)], sound=True)
    with av.open(str(folder / "odd.mkv"), "w") as out:  # H.264 in yuv420p has even sizes only.
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 479, 269, "bgr0"
        for number in (20, 21):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(portrait, number)[:269, :479].copy(), "bgr24")))
        out.mux(stream.encode())


def _turned_jpeg(pixels: np.ndarray) -> bytes:
    """Stored lying on its side, with the EXIF orientation that says how to hold it."""
    stored = cv2.imencode(".jpg", cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    return stored[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + stored[2:]


@pytest.fixture(scope="module")
def ran(album, tmp_path_factory) -> Ran:
    with somewhere(tmp_path_factory.mktemp("ran")) as here:
        return here.run(album)


def test_a_folder_is_read_in_natural_order_and_frames_count_on(ran: Ran):
    assert ran.status == 0, ran.err
    assert [line["frame"] for line in ran.lines] == list(range(len(ran.lines)))
    pictures = [name for name in by_file(ran) if name.endswith((".png", ".jpg"))]
    assert pictures == [
        "grey.png",
        "img2.png",
        "img10.jpg",
        "rgba.png",
        "sixteen.png",
        "tiny.png",
        "turned.jpg",
        "wide.png",
    ]


def test_faces_are_found_whatever_the_pictures_depth_colours_and_orientation(ran: Ran):
    files = by_file(ran)
    for name in ("img2.png", "img10.jpg", "grey.png", "sixteen.png", "rgba.png", "turned.jpg"):
        [line] = files[name]
        assert (line["width"], line["height"], len(line["faces"])) == (WIDTH, HEIGHT, 2), name
    assert files["sixteen.png"][0]["faces"] == files["rgba.png"][0]["faces"] == files["img2.png"][0]["faces"]
    assert [(files[name][0]["width"], files[name][0]["height"]) for name in ("tiny.png", "wide.png")] == [
        (1, 1),
        (480, 1),
    ]


@pytest.mark.parametrize(
    ("name", "size", "shown"),
    [
        ("rotated.mp4", (WIDTH, HEIGHT), (WIDTH, HEIGHT)),
        ("padded.mp4", SMALL, SMALL),
        ("odd.mkv", (479, 269), (480, 270)),
        (ODD, (WIDTH, HEIGHT), (WIDTH, HEIGHT)),
        (LONG, (WIDTH, HEIGHT), (WIDTH, HEIGHT)),
    ],
    ids=["rotated", "padded", "odd size", "odd name", "long name"],
)
def test_videos_of_every_size_orientation_and_name_have_their_annotated_one(ran: Ran, name, size, shown):
    lines = by_file(ran)[name]
    assert {(line["width"], line["height"], len(line["faces"])) for line in lines} == {(*size, 2)}
    [annotated] = [path for path in (ran.output / "annotated").iterdir() if path.name.startswith(name[:4])]
    film = watch(annotated)
    assert (film.size, len(film.times)) == (shown, len(lines))
    assert (film.sound_packets > 0) == (name in (ODD, LONG))


def test_a_variable_frame_rate_is_kept(ran: Ran):
    assert [line["time"] for line in by_file(ran)["vfr.mp4"]] == pytest.approx(TIMES_S, abs=2e-3)
    assert watch(ran.output / "annotated/vfr.mp4").times == pytest.approx(TIMES_S, abs=2e-3)


def test_a_video_that_ends_early_gives_what_it_has(ran: Ran):
    lines = by_file(ran)["cut.mp4"]
    assert 8 <= len(lines) < 32 and [len(line["faces"]) for line in lines] == FACES[: len(lines)]
    assert len(watch(ran.output / "annotated/cut.mp4").times) == len(lines)
    assert f"cut.mp4: read {len(lines)} of 32 frames; " in ran.out
    assert "1 video cut short" in ran.out


def test_files_that_cannot_be_read_are_skipped_named_and_counted(ran: Ran):
    for name in BAD:
        [note] = [line for line in ran.out.splitlines() if line.startswith(f"Skipped: {name} ")]
        assert note.endswith(".")
    assert re.search(r"1 file of album\d+ left out, neither picture nor video by name \(.txt\)\.", ran.out)
    assert "6 files not readable" in ran.out
    assert ran.summary["sources"][0]["skipped"] == 6
    assert len(list((ran.output / "annotated").iterdir())) == len(by_file(ran))
    assert cv2.imread(str(ran.output / "annotated/turned.jpg")).shape == (HEIGHT, WIDTH, 3)
    assert cv2.imread(str(ran.output / "annotated/tiny.png")).shape == (1, 1, 3)


@pytest.mark.long
def test_pictures_of_48_megapixels_go_one_at_a_time(place, astronaut):
    folder = place.folder / "large"
    folder.mkdir()
    canvas = np.full((6000, 8000, 3), 120, np.uint8)
    canvas[500:5500, 1500:6500] = cv2.resize(astronaut, (5000, 5000))
    for name in ("a.jpg", "b.jpg"):
        write_picture(folder / name, canvas)
    run = place.start(folder, "--set=render.annotated=false")
    peak = 0

    def over() -> bool:
        nonlocal peak
        held = [p.memory_info().rss for processes in run.stages().values() for p in processes]
        peak = max(peak, sum(held))
        return run.line_count >= 2

    run.until(over, "two lines")
    ended = run.end().succeeded()
    assert [(line["width"], line["height"], len(line["faces"])) for line in ended.lines] == [(8000, 6000, 1)] * 2
    assert peak < 2_500_000_000  # A picture has 144 MB, and no process needs more than a few of them.


def test_a_folder_with_a_name_that_is_no_text_is_read_and_known_again(place, astronaut):
    folder = place.folder / "nu"
    folder.mkdir()
    picture = write_picture(place.folder / "face.jpg", astronaut)
    try:
        shutil.copy(picture, folder / "caf\udce9.jpg")  # The byte E9 alone, as Latin-1 has it.
    except OSError:
        pytest.skip("this file system has names in Unicode only")
    ran = place.run(f"{folder}/*.jpg").succeeded()
    assert [(line["file"], len(line["faces"])) for line in ran.lines] == [(r"caf\udce9.jpg", 1)]
    again = place.run(f"{folder}/*.jpg", "--resume")
    assert again.status == 0
    assert "is finished; there is nothing to resume" in again.err


@pytest.mark.long
def test_of_a_crowd_beyond_the_limit_the_surest_faces_are_kept_and_it_is_said(place, astronaut):
    face = cv2.resize(astronaut[40:200, 150:310], (96, 96), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(place.folder / "crowd.png"), np.tile(face, (14, 20, 1)))
    fine = ("stages.detect.longest_side=1920", "stages.detect.smallest_face=0.03", "hang=60")
    ran = place.run(place.folder / "crowd.png", *(f"--set={setting}" for setting in fine)).succeeded()
    assert len(ran.faces) == 256
    assert all(face.keys() >= {"gender", "emotion", "age"} for face in ran.faces)
    assert "faces beyond 256 in a frame were left out" in ran.out + ran.err
