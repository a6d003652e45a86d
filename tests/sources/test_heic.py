"""Photographs in HEIC, as phones take them, written by pillow-heif and changed by hand where it writes no such file."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest

from stages.sources.base import SourceError
from stages.sources.opening import open_source
from stages.sources.picture import decode_picture
from tests.sources.material import COLOURS, CORNERED, as_stored, corners, encoded, exif

pillow_heif = pytest.importorskip("pillow_heif")

GREEN = np.full((256, 256, 3), COLOURS["green"], np.uint8)


def heic(*pictures: np.ndarray, mode: str = "RGB", orientation: int = 1, **more) -> bytes:
    """A file of pictures, without loss, that were stored as a camera that was held so stores them.

    pillow-heif writes the orientation twice: into the container, and as EXIF. `more`: as it has it.
    """
    file, out = pillow_heif.HeifFile(), io.BytesIO()
    for pixels in pictures or (as_stored(CORNERED, orientation),):
        picture = file.add_frombytes(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes())
        picture.info["exif"] = b"Exif\0\0" + exif(orientation)
    file.save(out, quality=-1, **more)
    return out.getvalue()


def read(path, file: bytes) -> tuple[np.ndarray, list[str]]:
    path.write_bytes(file)
    source = open_source(str(path))
    (picture,) = source.pictures()
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape[2] == 3
    return picture.pixels, source.notes


def test_a_heic_is_read_under_any_name_and_a_heic_by_name_alone_is_what_it_holds(tmp_path):
    for name in ("IMG_0001.HEIC", "a.heif", "a.hif", "mail.jpg", "without-suffix"):
        assert corners(read(tmp_path / name, heic())[0]) == "red green blue white"
    assert corners(read(tmp_path / "jpeg.heic", encoded("JPEG", 6))[0]) == "red green blue white"
    assert corners(read(tmp_path / "avif.heic", encoded("AVIF"))[0]) == "red green blue white"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_whose_container_and_exif_both_say_how_it_is_turned_is_turned_once(tmp_path, orientation):
    file = heic(orientation=orientation)
    assert b"Exif" in file and (b"irot" in file or b"imir" in file) == (orientation > 1)
    assert corners(read(tmp_path / "a.heic", file)[0]) == "red green blue white"


def test_where_exif_alone_says_that_a_heic_is_turned_it_is_shown_as_it_is_stored_as_viewers_do(tmp_path):
    file = heic(CORNERED, orientation=6).replace(b"irot\3", b"irot\0")
    assert corners(read(tmp_path / "a.heic", file)[0]) == "red green blue white"


def test_what_is_cropped_by_the_container_is_not_seen(tmp_path):
    """HEVC codes blocks of pixels; without the crop these 50 x 37 would have an edge."""
    assert read(tmp_path / "a.heic", heic(GREEN[:37, :50]))[0].shape == (37, 50, 3)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_white_grey_and_black_are_the_same_at_any_depth(tmp_path, monkeypatch, bits):
    grey = np.repeat(np.array([0, 128, 255]), 64)[None].repeat(64, 0)
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    wide = (np.dstack([grey] * 3) * 257).astype(np.uint16)
    file = heic(wide, mode="RGB;16") if bits > 8 else heic((wide >> 8).astype(np.uint8))
    assert pillow_heif.open_heif(io.BytesIO(file)).info["bit_depth"] == bits
    pixels, _ = read(tmp_path / "a.heic", file)
    assert np.abs(pixels[32, [32, 96, 160]].astype(int) - np.array([[0], [128], [255]])).max() <= 1


def test_a_grey_heic_has_three_equal_channels(tmp_path):
    pixels, _ = read(tmp_path / "a.heic", heic(np.full((48, 64), 77, np.uint8), mode="L"))
    assert pixels.shape == (48, 64, 3) and np.ptp(pixels) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "RGBa"])
def test_what_is_transparent_in_a_heic_lies_on_white(tmp_path, mode):
    clear = np.dstack([CORNERED, np.full((48, 64), 255, np.uint8)])
    clear[:24, :32] = 0
    assert corners(read(tmp_path / "a.heic", heic(clear, mode=mode))[0]) == "white green blue white"


def test_of_several_pictures_the_main_one_is_read_which_is_said_and_thumbnails_are_none(tmp_path):
    pixels, notes = read(tmp_path / "burst.heic", heic(GREEN, CORNERED, GREEN, primary_index=1))
    assert corners(pixels) == "red green blue white"
    assert notes == ["burst.heic holds 3 pictures; only its main one is read."]
    pixels, notes = read(tmp_path / "phone.heic", heic(GREEN, thumbnails=[64]))
    assert pixels.shape == GREEN.shape and notes == []


def test_tiles_of_a_heic_are_one_picture(tmp_path, monkeypatch):
    pixels, notes = read(tmp_path / "a.heic", tiled(monkeypatch))
    assert corners(pixels) == "red green blue white" and pixels.shape == (768, 1024, 3) and notes == []


def test_depth_and_gain_maps_are_neither_pictures_nor_transparency(tmp_path):
    clear = np.dstack([CORNERED, np.zeros((48, 64), np.uint8)])
    alpha = b"urn:mpeg:hevc:2015:auxid:1"  # so libheif calls what is transparent
    file = heic(clear, mode="RGBA")
    assert alpha in file
    pixels, notes = read(tmp_path / "portrait.heic", file.replace(alpha, alpha[:-1] + b"2"))  # which is depth
    assert corners(pixels) == "red green blue white" and notes == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file[:200], "is damaged or cut off before its size is said"),
        (lambda file: file[:-300], "cannot be decoded: it is damaged, cut off"),
        (lambda file: resized(file, (1024, 768), (64, 48)), "cannot be decoded"),  # says less than it holds
        (lambda file: resized(file, (1024, 768), (20000, 20000)), "says it has 20000 x 20000 pixels; at most 100"),
        (lambda file: resized(file, (512, 512), (20000, 20000)), "says it has 20000 x 20000 pixels"),  # its tiles
    ],
)
def test_a_heic_that_is_damaged_or_a_bomb_is_one_sentence(tmp_path, monkeypatch, change, said):
    (tmp_path / "a.heic").write_bytes(change(tiled(monkeypatch)))
    with pytest.raises(SourceError) as error:
        open_source(str(tmp_path / "a.heic"))
    assert f"{tmp_path / 'a.heic'} {said}" in str(error.value)


def test_whatever_byte_is_another_one_a_heic_is_read_or_refused_in_one_sentence():
    """Only its boxes: what is wrong with pixels is libheif's own matter."""
    file = heic(GREEN[:16, :16])
    for place in range(file.index(b"mdat")):
        for value in {0, 1, 255, file[place] ^ 0x40} - {file[place]}:
            changed = file[:place] + bytes([value]) + file[place + 1 :]
            try:
                decode_picture(changed, "a.heic")
            except SourceError as error:
                assert "\n" not in str(error)


def test_without_pillow_heif_the_sentence_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(heic())
    (tmp_path / "b.png").write_bytes(encoded("PNG"))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceError, match=r"a\.heic is a HEIC picture; to read it, run .*heif"):
        open_source(str(tmp_path / "a.heic"))
    source = open_source(str(tmp_path))
    assert len(list(source.pictures())) == 1
    assert "Skipped: a.heic is a HEIC picture; to read it, run" in source.notes[0]


def tiled(monkeypatch) -> bytes:
    """1024 x 768 pixels in tiles of 512 x 512, as phones write their pictures."""
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", 512)
    file = heic(CORNERED.repeat(16, 0).repeat(16, 1))
    assert b"grid" in file
    return file


def resized(file: bytes, size: tuple[int, int], to: tuple[int, int]) -> bytes:
    """With another size in the properties, and the pixels as they were."""
    before = struct.pack(">II", *size)
    assert before in file
    return file.replace(before, struct.pack(">II", *to))
