"""Pictures, folders and globs of them, mixed with videos and with files that cannot be read."""

from __future__ import annotations

import re
import shutil

import cv2
import numpy as np
import pytest

from tests.end_to_end.command import Ran, somewhere
from tests.end_to_end.material import FACES, HEIGHT, WIDTH, scene, watch, write_clip, write_picture


def by_file(ran: Ran) -> dict[str, list[dict]]:
    files: dict[str, list[dict]] = {}
    for line in ran.lines:
        files.setdefault(line["file"], []).append(line)
    return files


def test_one_picture(place, astronaut):
    ran = place.run(write_picture(place.folder / "face.jpg", astronaut))
    assert ran.status == 0, ran.err
    [line] = ran.lines
    assert (line["source"], line["frame"], line["time"], line["width"]) == ("face.jpg", 0, 0.0, 512)
    [face] = line["faces"]
    assert {"gender", "emotion", "age"} <= face.keys()
    annotated = cv2.imread(str(ran.output / "annotated/face.jpg"))
    assert annotated.shape == astronaut.shape
    *_, found, last = ran.out.splitlines()
    assert last.startswith("1 frame in ")
    assert re.fullmatch(r"(wo)?man \d+ %, [a-z]+ \d+ %, age \d+ \(\d+-\d+\)", found)


@pytest.fixture(scope="module")
def album(astronaut, film, tmp_path_factory):
    """A folder of everything: what is well comes first in its name's list, what is bad is called bad."""
    folder = tmp_path_factory.mktemp("album")
    two = scene(astronaut, 20)
    grey = cv2.cvtColor(two, cv2.COLOR_BGR2GRAY)
    alpha = np.dstack([two, np.full(two.shape[:2], 255, np.uint8)])
    pictures = {
        "img2.png": two,
        "img10.jpg": two,
        "grey.png": grey,
        "sixteen.png": two.astype(np.uint16) * 257,
        "rgba.png": alpha,
        "tiny.png": two[:1, :1],
        "wide.png": two[100:101],
    }
    for name, pixels in pictures.items():
        write_picture(folder / name, pixels)
    (folder / "turned.jpg").write_bytes(_turned_jpeg(two))
    shutil.copy(film, folder / "film.mp4")
    half = write_clip(folder / "bad-half.mp4", [scene(astronaut, n) for n in range(32)], rate=25)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])  # Without its index, which stands at the end.
    (folder / "bad-empty.jpg").touch()
    (folder / "bad-text.jpg").write_text("no picture")
    (folder / "bad-text.mp4").write_text("no video")
    cut = (folder / "img10.jpg").read_bytes()
    (folder / "bad-cut.png").write_bytes((folder / "img2.png").read_bytes()[:200])
    (folder / "bad-cut.jpg").write_bytes(cut[:100])
    (folder / "notes.txt").write_text("left alone")
    return folder


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
    assert list(by_file(ran)) == [
        "film.mp4",
        "grey.png",
        "img2.png",
        "img10.jpg",
        "rgba.png",
        "sixteen.png",
        "tiny.png",
        "turned.jpg",
        "wide.png",
    ]
    assert [line["time"] for line in by_file(ran)["film.mp4"]] == pytest.approx([n / 25 for n in range(32)])


def test_faces_are_found_whatever_the_pictures_depth_colours_and_orientation(ran: Ran):
    files = by_file(ran)
    assert [len(line["faces"]) for line in files["film.mp4"]] == FACES
    for name in ("img2.png", "img10.jpg", "grey.png", "sixteen.png", "rgba.png", "turned.jpg"):
        [line] = files[name]
        assert (line["width"], line["height"], len(line["faces"])) == (WIDTH, HEIGHT, 2), name
    assert files["sixteen.png"][0]["faces"] == files["rgba.png"][0]["faces"] == files["img2.png"][0]["faces"]
    assert [(files[name][0]["width"], files[name][0]["height"]) for name in ("tiny.png", "wide.png")] == [
        (1, 1),
        (480, 1),
    ]


def test_files_that_cannot_be_read_are_skipped_named_and_counted(ran: Ran):
    for name in ("bad-half.mp4", "bad-empty.jpg", "bad-text.jpg", "bad-text.mp4", "bad-cut.png", "bad-cut.jpg"):
        [note] = [line for line in ran.out.splitlines() if line.startswith(f"Skipped: {name} ")]
        assert note.endswith(".")
    assert "1 file of album0 left out, neither picture nor video by name (.txt)." in ran.out
    assert "6 files not read" in ran.out.splitlines()[-1]
    assert ran.summary["sources"][0]["skipped"] == 6


def test_each_picture_and_each_video_has_its_own_annotated_one(ran: Ran):
    names = sorted(path.name for path in (ran.output / "annotated").iterdir())
    assert names == sorted(by_file(ran))
    assert len(watch(ran.output / "annotated/film.mp4").times) == 32
    assert watch(ran.output / "annotated/film.mp4").sound_packets > 0
    assert cv2.imread(str(ran.output / "annotated/turned.jpg")).shape == (HEIGHT, WIDTH, 3)
    assert cv2.imread(str(ran.output / "annotated/tiny.png")).shape == (1, 1, 3)


def test_a_glob_takes_what_matches(place, album, ran: Ran):
    globbed = place.run(f"{album}/img*.*")
    assert globbed.status == 0, globbed.err
    assert [line["file"] for line in globbed.lines] == ["img2.png", "img10.jpg"]
    assert [line["faces"] for line in globbed.lines] == [
        by_file(ran)[name][0]["faces"] for name in ("img2.png", "img10.jpg")
    ]


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
    ended = run.end()
    assert ended.status == 0, ended.err
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
    ran = place.run(folder)
    assert ran.status == 0, ran.err
    assert [(line["file"], len(line["faces"])) for line in ran.lines] == [(r"caf\udce9.jpg", 1)]
    again = place.run(folder, "--resume")
    assert again.status == 0
    assert "is finished; there is nothing to resume" in again.err


def test_a_run_file_that_cannot_be_written_costs_no_earlier_results(place, astronaut):
    picture = write_picture(place.folder / "face.jpg", astronaut)
    before = place.run(picture)
    (before.output / ".run.json.part").mkdir()
    ran = place.run(picture)
    assert ran.status != 0
    assert ran.results == before.results
