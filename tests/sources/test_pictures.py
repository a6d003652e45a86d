"""Single pictures, folders and globs."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from stages.sources.base import SourceError
from stages.sources.listing import natural
from stages.sources.opening import open_source
from tests.sources.material import (
    COLOURS,
    CORNERED,
    corners,
    encoded,
    exif,
    numbered,
    red_corner,
    write_picture,
    write_video,
)

HEIC = b"\0\0\0\x14ftypheic\0\0\0\0mif1"  # the beginning of one
GREY = np.full((6, 8), 120, np.uint8)


def pixels_of(path) -> np.ndarray:
    (picture,) = open_source(str(path)).pictures()
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape[2] == 3
    return picture.pixels


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".webp", ".jpg", ".JPG"])
def test_every_kind_of_picture_is_read(tmp_path, suffix):
    write_picture(tmp_path / f"face{suffix}", numbered(20, (64, 48)))
    source = open_source(str(tmp_path / f"face{suffix}"))
    (picture,) = source.pictures()
    assert np.abs(picture.pixels[-20:, -20:].astype(int) - 90).max() <= 2
    assert red_corner(picture.pixels) == "upper left"
    assert (picture.time, picture.rate, picture.file) == (0.0, None, None)
    assert (source.name, source.description, source.frames, source.live) == (f"face{suffix}", "64 x 48", 1, False)
    assert list(source.pictures(start=1)) == []


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".jpg", ".bmp"])
def test_a_grey_picture_has_three_equal_channels(tmp_path, suffix):
    pixels = pixels_of(write_picture(tmp_path / f"grey{suffix}", GREY))
    assert pixels.shape == (6, 8, 3)
    assert np.abs(pixels.astype(int) - 120).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bits_are_scaled_to_8(tmp_path, suffix):
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    assert pixels_of(write_picture(tmp_path / f"deep{suffix}", deep))[0, :, 0].tolist() == [0, 100, 255]


def test_white_is_where_the_file_says_it_is(tmp_path):
    (tmp_path / "ten.pgm").write_bytes(b"P5\n# ten bits\n3 1\n1023\n" + np.array([0, 512, 1023], ">u2").tobytes())
    assert pixels_of(tmp_path / "ten.pgm")[0, :, 0].tolist() == [0, 128, 255]


def test_floats_are_white_at_one(tmp_path):
    write_picture(tmp_path / "float.tif", np.array([[-1.0, 0.0, 0.5, 1.0, 7.0, np.nan]], np.float32))
    assert pixels_of(tmp_path / "float.tif")[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_what_is_transparent_lies_on_white(tmp_path, suffix):
    rgba = np.zeros((16, 24, 4), np.uint8)
    rgba[:] = (10, 20, 200, 0)
    rgba[:, :8, 3] = 255
    rgba[:, 8:16, 3] = 128
    parameters = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    (tmp_path / f"clear{suffix}").write_bytes(cv2.imencode(suffix, rgba, parameters)[1].tobytes())
    pixels = pixels_of(tmp_path / f"clear{suffix}")
    assert pixels[8, 4].tolist() == [10, 20, 200]
    assert pixels[8, 20].tolist() == [255, 255, 255]
    assert pixels[8, 12].tolist() == [132, 137, 227]


def test_a_picture_of_one_pixel_is_read(tmp_path):
    assert pixels_of(write_picture(tmp_path / "dot.png", np.full((1, 1, 3), 7, np.uint8))).tolist() == [[[7, 7, 7]]]


def test_a_picture_of_48_megapixels_is_read(tmp_path):
    path = write_picture(tmp_path / "huge.jpg", np.full((6000, 8000, 3), 99, np.uint8))
    assert open_source(str(path)).description == "8000 x 6000"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.avif", "without-suffix", "a.mp4", "a.gif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_kind_of_picture_stands_upright_whatever_its_name(tmp_path, name, orientation):
    kinds = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".avif": "AVIF", ".mp4": "AVIF"}
    kind = kinds.get((tmp_path / name).suffix, "JPEG")
    (tmp_path / name).write_bytes(encoded(kind, orientation))
    assert corners(pixels_of(tmp_path / name)) == "red green blue white"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_transparent_picture_stands_upright_too(tmp_path, kind, orientation):
    (tmp_path / "clear").write_bytes(encoded(kind, orientation, "RGBA"))
    assert corners(pixels_of(tmp_path / "clear")) == "red green blue white"


def test_exif_is_found_behind_other_segments_and_in_either_order_of_bytes(tmp_path):
    turned = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0)
    other = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    file = encoded("JPEG", pixels=CORNERED.transpose(1, 0, 2)[::-1])
    for name, segments in {"big.jpg": [turned], "behind.jpg": [other, turned]}.items():
        written = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in segments)
        (tmp_path / name).write_bytes(file[:2] + written + file[2:])
        assert corners(pixels_of(tmp_path / name)) == "red green blue white"


def test_an_avif_that_says_twice_how_it_is_turned_is_turned_once(tmp_path):
    stored = np.ascontiguousarray(CORNERED.transpose(1, 0, 2)[::-1, :, ::-1])
    turned = np.frombuffer(exif(6), np.uint8)
    file = cv2.imencodeWithMetadata(".avif", stored, [cv2.IMAGE_METADATA_EXIF], [turned])[1].tobytes()
    assert b"Exif" in file and b"irot" in file
    (tmp_path / "a.avif").write_bytes(file)
    assert corners(pixels_of(tmp_path / "a.avif")) == "red green blue white"


@pytest.mark.parametrize("suffix", [".avif", "", ".mp4"])
def test_tiles_are_put_together_in_their_order(tmp_path, suffix):
    (tmp_path / f"tiles{suffix}").write_bytes(_tiles())
    pixels = pixels_of(tmp_path / f"tiles{suffix}")
    assert pixels.shape == (128, 128, 3)
    assert corners(pixels) == "red green blue white"


def test_what_is_transparent_in_an_avif_lies_on_white(tmp_path):
    rgba = np.dstack([CORNERED, np.full((48, 64), 255, np.uint8)])
    rgba[:24, :32, 3] = 0
    (tmp_path / "clear.avif").write_bytes(encoded("AVIF", pixels=rgba))
    assert corners(pixels_of(tmp_path / "clear.avif")) == "white green blue white"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_pixels_that_are_said_not_to_be_square_are_shown_as_browsers_show_them(tmp_path, kind):
    (tmp_path / "scan").write_bytes(encoded(kind, dpi=(72, 144)))
    assert open_source(str(tmp_path / "scan")).description == "64 x 48"


def test_cmyk_and_big_tiff_are_read(tmp_path):
    for name, file in {
        "print.jpg": encoded("JPEG", 5, "CMYK"),
        "print.tif": encoded("TIFF", 1, "CMYK"),
        "big.tif": encoded("TIFF", big_tiff=True),
    }.items():
        (tmp_path / name).write_bytes(file)
        assert corners(pixels_of(tmp_path / name)) == "red green blue white"


def test_floats_of_which_most_are_above_one_are_white_at_255_or_65535(tmp_path):
    for white in (255, 65535):
        write_picture(tmp_path / "float.tif", np.array([[0.0, white / 2, white, white]], np.float32))
        assert pixels_of(tmp_path / "float.tif")[0, :, 0].tolist() == [0, 128, 255, 255]


def test_of_two_pages_only_the_first_is_read_and_that_is_said(tmp_path):
    (tmp_path / "scan.tif").write_bytes(_two_pages())
    assert corners(pixels_of(tmp_path / "scan.tif")) == "red green blue white"
    assert notes_of(tmp_path / "scan.tif") == ["scan.tif has 2 pages; only the first is read."]
    (tmp_path / "one.tif").write_bytes(encoded("TIFF"))
    assert notes_of(tmp_path / "one.tif") == []


def test_views_as_large_as_the_first_are_remarked_on_and_previews_are_not(tmp_path):
    first = Image.fromarray(CORNERED)
    for name, other in {"stereo.mpo": first, "phone.jpg": first.resize((32, 24))}.items():
        first.save(tmp_path / name, "MPO", save_all=True, append_images=[other], quality=95)
        assert corners(pixels_of(tmp_path / name)) == "red green blue white"
    assert notes_of(tmp_path / "stereo.mpo") == ["stereo.mpo holds several pictures; only the first is read."]
    assert notes_of(tmp_path / "phone.jpg") == []


def test_pictures_one_after_the_other_are_a_video_unless_the_name_says_a_picture(tmp_path):
    for name in ("dump", "dump.jpg"):
        (tmp_path / name).write_bytes(3 * encoded("JPEG"))
    assert len(list(open_source(str(tmp_path / "dump")).pictures())) == 3
    assert notes_of(tmp_path / "dump.jpg") == ["dump.jpg holds several pictures; only the first is read."]


@pytest.mark.parametrize(("kind", "frames"), [("GIF", 2), ("PNG", 2), ("WEBP", 1), ("AVIF", 1)])
def test_an_animation_without_a_suffix_plays_or_says_that_its_first_picture_is_shown(tmp_path, kind, frames):
    (tmp_path / "wave").write_bytes(encoded(kind, save_all=True, append_images=[Image.fromarray(CORNERED[::-1])]))
    source = open_source(str(tmp_path / "wave"))
    assert len(list(source.pictures())) == frames
    assert source.notes == ([] if frames == 2 else ["wave is an animation; its first picture is shown."])


def test_hdr_is_remarked_on(tmp_path):
    file = cv2.imencode(".png", GREY)[1].tobytes()
    (tmp_path / "hdr.png").write_bytes(file[:33] + _chunk(b"cICP", bytes([9, 16, 0, 1])) + file[33:])
    assert notes_of(tmp_path / "hdr.png") == ["hdr.png is HDR (PQ) and read as it is, without tone mapping."]


def test_a_folder_reads_every_file_by_its_content_too(tmp_path):
    (tmp_path / "a.mp4").write_bytes(encoded("JPEG", 5))
    (tmp_path / "b.avif").write_bytes(encoded("AVIF", 7))
    (tmp_path / "c.jpg").write_bytes(HEIC)
    source = open_source(str(tmp_path))
    assert [corners(picture.pixels) for picture in source.pictures()] == 2 * ["red green blue white"]
    assert source.notes == ["Skipped: c.jpg is a HEIC picture that is cut off: copy it again."]


def test_names_outside_ascii_are_read(tmp_path):
    assert pixels_of(write_picture(tmp_path / "Gesicht ä 顔 🙂.png", numbered(1, (8, 8)))).shape == (8, 8, 3)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def notes_of(path) -> list[str]:
    source = open_source(str(path))
    assert len(list(source.pictures())) == 1
    return source.notes


def _two_pages(smaller_first: bool = False) -> bytes:
    first = Image.fromarray(CORNERED)
    if not smaller_first:
        return encoded("TIFF", save_all=True, append_images=[Image.fromarray(CORNERED[::-1])])
    preview, file = first.resize((16, 12)), io.BytesIO()
    preview.save(file, "TIFF", save_all=True, append_images=[first], tiffinfo={254: 1})
    return file.getvalue()


def _tiles(coding: bytes = b"av01") -> bytes:
    """An AVIF of 128 x 128 pixels in four tiles, of one colour each."""

    def box(name: bytes, *content: bytes) -> bytes:
        return struct.pack(">I", 8 + sum(map(len, content))) + name + b"".join(content)

    def part_of(file: bytes, name: bytes) -> bytes:
        at = file.index(name)
        return file[at - 4 : at - 4 + int.from_bytes(file[at - 4 : at], "big")]

    files = [encoded("AVIF", pixels=np.full((64, 64, 3), colour, np.uint8)) for colour in COLOURS.values()]
    tiles = [part_of(file, b"mdat")[8:] for file in files]
    entries = [(1, b"grid")] + [(number, coding) for number in (2, 3, 4, 5)]
    infe = [box(b"infe", b"\x02\0\0\0", struct.pack(">HH", number, 0), kind, b"\0") for number, kind in entries]
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, 128, 128)
    properties = box(
        b"ipco",
        box(b"ispe", bytes(4), struct.pack(">II", 64, 64)),
        part_of(files[0], b"pixi"),
        part_of(files[0], b"av1C"),
        box(b"ispe", bytes(4), struct.pack(">II", 128, 128)),
    )
    links = [struct.pack(">HB", 1, 2) + bytes([4, 2])]
    links += [struct.pack(">HB", number, 3) + bytes([1, 2, 0x83]) for number in (2, 3, 4, 5)]

    def meta(places: list[tuple[int, int]]) -> bytes:
        extents = [struct.pack(">HHHII", number, 0, 1, *place) for number, place in enumerate(places, 1)]
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), struct.pack(">H", 1)),
            box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", 5), *extents),
            box(b"iinf", bytes(4), struct.pack(">H", 5), *infe),
            box(b"iref", bytes(4), box(b"dimg", struct.pack(">HH4H", 1, 4, 2, 3, 4, 5))),
            box(b"iprp", properties, box(b"ipma", bytes(4), struct.pack(">I", 5), *links)),
        )

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    content = [grid, *tiles]
    at, places = len(head) + len(meta([(0, 0)] * 5)) + 8, []
    for part in content:
        places.append((at, len(part)))
        at += len(part)
    return head + meta(places) + box(b"mdat", *content)


def _cut_off(suffix: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    file = cv2.imencode(suffix, noise)[1].tobytes()
    return file[: len(file) // 2]


def _claims_more(suffix: str) -> bytes:
    file = cv2.imencode(suffix, GREY)[1].tobytes()
    return file.replace(struct.pack(">HH", 6, 8), struct.pack(">HH", 50000, 60000), 1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"Dear diary\n" * 9, "is not a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or PNM picture"),
        ("phone.heic", HEIC, "is a HEIC picture that is cut off"),
        ("mail.jpg", HEIC, "is a HEIC picture that is cut off"),
        ("tiles.heif", _tiles(coding=b"vvc1"), "is a HEIF picture of a coding that is not read; save it as JPEG or"),
        ("cut.avif", encoded("AVIF")[:-20], "cannot be decoded: it is damaged, cut off"),
        ("IMG_0001.dng", _two_pages(smaller_first=True), "begins with a preview, as raw files of cameras do"),
        (
            "cut.jpg",
            b"\xff\xd8\xff\xe1\x40\x00Exif" + b"\0" * 3000,
            "is damaged or cut off before its size is said; copy",
        ),
        ("cut.png", _cut_off(".png"), "cannot be decoded: it is damaged, cut off"),
        ("head.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "is damaged or cut off"),
        ("none.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 8 + b"\x08\x02\0\0\0\0\0\0\0", "cannot be decoded"),
        (
            "bomb.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 20000, 20000) + b"\x08\x02\0\0\0\0\0\0\0",
            "says it has 20000 x 20000 pixels; at most 100 megapixels are read",
        ),
        ("bomb.jpg", _claims_more(".jpg"), "says it has 60000 x 50000 pixels"),
        ("bomb.pgm", b"P5 100000 100000 255\n", "says it has 100000 x 100000 pixels"),
        (
            "bomb.bmp",
            b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 30000, -30000) + b"\0" * 24,
            "says it has 30000 x 30000",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, capfd, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as error:
        open_source(str(tmp_path / name))
    assert f"{tmp_path / name} {said}" in str(error.value)
    assert "\n" not in str(error.value)
    assert "OpenCV" not in capfd.readouterr().err


def test_a_folder_is_read_in_natural_order_counting_on(tmp_path):
    write_picture(tmp_path / "img10.png", numbered(10, (50, 30)))
    write_picture(tmp_path / "img2.png", numbered(2, (32, 48)))
    write_picture(tmp_path / "IMG1.png", numbered(1, (64, 24)))
    write_video(tmp_path / "img3.mp4", frames=3)
    write_picture(tmp_path / ".hidden.png", numbered(5, (64, 48)))
    (tmp_path / "deeper").mkdir()
    write_picture(tmp_path / "deeper" / "img4.png", numbered(4, (64, 48)))
    source = open_source(str(tmp_path))
    pictures = list(source.pictures())
    assert [(p.file, p.rate, round(p.time, 2), p.pixels.shape[:2]) for p in pictures] == [
        ("IMG1.png", None, 0.0, (24, 64)),
        ("img2.png", None, 0.0, (48, 32)),
        ("img3.mp4", 25.0, 0.0, (48, 64)),
        ("img3.mp4", 25.0, 0.04, (48, 64)),
        ("img3.mp4", 25.0, 0.08, (48, 64)),
        ("img10.png", None, 0.0, (30, 50)),
    ]
    assert (source.name, source.description, source.frames) == (tmp_path.name, "3 pictures and 1 video", 6)
    assert (source.notes, source.skipped, source.live) == ([], 0, False)
    for start in range(8):
        assert [(p.file, p.time) for p in source.pictures(start)] == [(p.file, p.time) for p in pictures[start:]]


def test_every_picture_on_the_way_to_the_first_one_is_told(tmp_path):
    for number in range(5):
        write_picture(tmp_path / f"{number}.png", numbered(number, (8, 8)))
    source, passed = open_source(str(tmp_path)), []
    source.passed = lambda: passed.append(True)
    assert next(source.pictures(start=3)).file == "3.png"
    assert len(passed) >= 3


def test_a_real_folder_is_read(media):
    source = open_source(str(media))
    pictures = source.pictures(start=4 + 1)  # behind the GIF of four frames and a PNG
    assert next(pictures).file == "biden.jpg"
    assert source.description == "9 pictures and 3 videos"
    source.close()


def test_files_that_cannot_be_read_are_skipped_and_take_no_number(tmp_path):
    write_picture(tmp_path / "a.png", numbered(1, (64, 48)))
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.mp4").write_bytes(b"not a video")
    write_picture(tmp_path / "d.png", numbered(4, (64, 48)))
    (tmp_path / "e.txt").write_text("nothing to see")
    source = open_source(str(tmp_path))
    for _ in range(2):
        assert [p.file for p in source.pictures()] == ["a.png", "d.png"]
        assert source.skipped == 2
    assert [p.file for p in source.pictures(start=1)] == ["d.png"]
    assert source.notes == [
        f"1 file of {tmp_path.name} left out, neither picture nor video by name (.txt).",
        "Skipped: b.jpg is empty, whatever its name says.",
        "Skipped: c.mp4 is not a video that can be read: "
        "its content is of no known format, or cut off at a vital place.",
    ]


def test_a_file_that_was_mended_is_no_longer_skipped(tmp_path):
    write_picture(tmp_path / "a.png", GREY)
    (tmp_path / "b.png").write_bytes(b"")
    source = open_source(str(tmp_path))
    assert (len(list(source.pictures())), source.skipped) == (1, 1)
    write_picture(tmp_path / "b.png", GREY)
    assert (len(list(source.pictures())), source.skipped) == (2, 0)


def test_a_folder_in_which_nothing_can_be_read_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"text")
    source = open_source(str(tmp_path))
    with pytest.raises(SourceError, match=f"none of the 2 files of {tmp_path.name} can be read. Skipped: b.png is not"):
        list(source.pictures())


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text on this system")
def test_names_that_are_no_text_become_text_and_stay_different(tmp_path):
    for name in ("\udcff.png", "\udcfd.png"):
        write_picture(tmp_path / "a.png", GREY).rename(tmp_path / name)
    (tmp_path / "\udcfe.png").write_bytes(b"")
    source = open_source(str(tmp_path))
    assert [p.file for p in source.pictures()] == [r"\udcfd.png", r"\udcff.png"]
    assert source.notes == [r"Skipped: \udcfe.png is empty, whatever its name says."]
    assert open_source(str(tmp_path / "\udcff.png")).name == r"\udcff.png"


def test_a_glob_takes_what_matches(tmp_path, monkeypatch):
    for name in ("a1.png", "a2.png", "b1.png", "a3.txt"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", GREY)[1].tobytes())
    source = open_source(str(tmp_path / "a*.png"))
    assert [p.file for p in source.pictures()] == ["a1.png", "a2.png"]
    assert source.name == tmp_path.name
    monkeypatch.chdir(tmp_path)
    relative = open_source("a?.png")
    assert [p.file for p in relative.pictures()] == ["a1.png", "a2.png"]
    assert relative.name == tmp_path.name


def test_two_stars_go_through_folders(tmp_path):
    for name in ("shots/x.png", "shots/day 10/y.png", "shots/day 9/deep/z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / name, GREY)
    source = open_source(str(tmp_path / "shots" / "**" / "*.png"))
    assert [p.file for p in source.pictures()] == ["day 9/deep/z.png", "day 10/y.png", "x.png"]
    assert source.name == "shots"


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path):
    assert pixels_of(write_picture(tmp_path / "face[1].png", GREY)).shape == (6, 8, 3)


def test_natural_order_compares_numbers_by_value(tmp_path):
    names = ["b", "a10", "A9", "a1b", "a01", "a", "10", "9"]
    paths = sorted((tmp_path / name for name in names), key=natural)
    assert [path.name for path in paths] == ["9", "10", "a", "a01", "a1b", "A9", "a10", "b"]
