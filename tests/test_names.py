from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kinds import PICTURES, VIDEOS
from stages.names import names_apart, output_name, printable


@pytest.mark.parametrize(
    ("source", "file", "still", "expected"),
    [
        ("clip.mp4", None, False, "clip.mp4"),
        ("clip.MP4", None, False, "clip.MP4"),
        ("clip.gif", None, False, "clip.gif.mp4"),
        ("camera0", None, False, "camera0.mp4"),
        ("my.holiday.mp4", None, False, "my.holiday.mp4"),
        ("cam.local:8554/live/1?x=2", None, False, "cam.local_8554_live_1_x=2.mp4"),
        ("portrait.png", None, True, "portrait.png"),
        ("folder", "a.jpg", True, "a.jpg"),
        ("folder", "deep/er/b.JPEG", True, "deep/er/b.JPEG"),
        ("folder", "./a//b.jpg", True, "a/b.jpg"),
        ("folder", "c.bmp", True, "c.bmp.png"),
        ("folder", "IMG_1.HEIC", True, "IMG_1.HEIC.jpg"),
        ("folder", "IMG_1.HEIC.jpg", True, "IMG_1.HEIC.jpg.png"),
        ("folder", "männer/男.webp", True, "männer/男.webp.png"),
        ("folder", "clip.mov", False, "clip.mov.mp4"),
    ],
)
def test_names_stay_and_other_formats_get_theirs_after_it(source, file, still, expected):
    assert str(output_name(source, file, still)) == expected


def test_names_that_end_like_an_output_do_not_meet_that_output():
    videos = ["clip.gif", "clip.mp4", "clip.gif.mp4", "clip.gif.mp4.mp4", "clip.mov"]
    assert len({output_name("folder", name, still=False) for name in videos}) == len(videos)
    stills = ["a.bmp", "a.png", "a.bmp.png", "a.jpg"]
    assert len({output_name("folder", name, still=True) for name in stills}) == len(stills)


SUFFIXES = sorted(PICTURES | VIDEOS | {suffix.upper() for suffix in PICTURES | VIDEOS})


def test_no_two_files_with_one_stem_have_one_annotated_name_whatever_they_turn_out_to_be():
    annotated: dict[str, set[str]] = {}
    for first in ("", *SUFFIXES):
        for second in SUFFIXES:
            name = f"a{first}{second}"
            for still in (True, False) if second.lower() in VIDEOS else (True,):
                annotated.setdefault(str(output_name("folder", name, still)).lower(), set()).add(name.lower())
    assert all(len(originals) == 1 for originals in annotated.values())


def test_names_that_differ_only_in_capitals_or_in_how_accents_are_written_are_kept_apart():
    files = ["A.jpg", "a.JPG", "a.jpg", "X/a.png", "x/A.png", "caf\u00e9.png", "cafe\u0301.png", "b.jpg"]
    apart = names_apart(files)
    assert apart == {"a.JPG", "a.jpg", "x/A.png", "cafe\u0301.png"}
    names = [str(output_name("folder", file, True, apart)) for file in files]
    assert names[0] == "A.jpg" and names[-1] == "b.jpg" and names[3] == "X/a.png"
    assert re.fullmatch(r"a-[0-9a-f]{8}\.JPG", names[1]) and re.fullmatch(r"x/A-[0-9a-f]{8}\.png", names[4])
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names}) == len(files)


def test_names_of_the_longest_files_fit_with_all_that_is_added_to_them():
    files = ["x" * 251 + ".bmp", "x" * 250 + "y.bmp", "\U0001f600" * 62 + ".mov", "X" * 251 + ".BMP"]
    names = [output_name("folder", file, still, {files[3]}).name for file in files for still in (True, False)]
    assert len(set(names)) == len(names) and all(len(f".{name}.parts".encode()) <= 255 for name in names)


def test_files_whose_names_had_to_be_changed_are_kept_apart():
    names = ["a:b.jpg", "a_b.jpg", "a?b.jpg", "a*b.jpg"]
    assert len({output_name("folder", name, still=True) for name in names}) == len(names)


@pytest.mark.parametrize(
    "evil", ["..", "../../x.jpg", "/etc/passwd", "a/../../b.jpg", "C:\\x.jpg", "C:/x.jpg", "", "/"]
)
def test_no_name_leads_out_of_the_folder(tmp_path, evil):
    for source, file in ((evil, None), ("folder", evil)):
        for still in (True, False):
            path = (tmp_path / output_name(source, file, still)).resolve()
            assert path.is_relative_to(tmp_path) and path != tmp_path


@given(st.text(max_size=400), st.booleans())
def test_any_name_becomes_one_that_a_file_system_takes(name, still):
    for path in (output_name(name, None, still), output_name("folder", name, still)):
        assert not path.is_absolute()
        for part in path.parts:
            assert part not in ("", ".", "..") and not set(part) & set('<>:"|?*\\/\0')
            assert len(part.encode("utf-8", "surrogatepass")) <= 200


def test_names_that_windows_keeps_for_itself_are_changed():
    assert str(output_name("nul", None, still=True)) == "_nul.png"
    assert str(output_name("con.mp4", None, still=False)) == "_con.mp4"
    assert str(output_name("console.mp4", None, still=False)) == "console.mp4"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("Gesicht ä 顔 🙂 👨‍👩‍👧.png", "Gesicht ä 顔 🙂 👨‍👩‍👧.png"),
        ("a\x1b[2Jb.png", "a\\x1b[2Jb.png"),
        ("a\nfacepipe: done\r.png", "a\\nfacepipe: done\\r.png"),
        ("gnp\u202egpj.exe", "gnp\\u202egpj.exe"),
        ("a\u2066b\u2069\u200f\u2028\x9b\x7f.png", "a\\u2066b\\u2069\\u200f\\u2028\\x9b\\x7f.png"),
        ("\udcff.png", "\\udcff.png"),
    ],
)
def test_nothing_in_a_name_acts_on_a_terminal(name, shown):
    assert printable(name) == shown


@pytest.mark.parametrize("odd", ["\u202e", "\u2066", "\u200f", "\u2028", "\x9b", "\x1b", "\n", "\ufeff"])
def test_an_annotated_name_holds_nothing_that_acts_on_a_terminal(odd):
    name = str(output_name("shots", f"a{odd}b.png", still=True))
    assert printable(name) == name and name.startswith("a_b-")
