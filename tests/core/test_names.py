from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.names import output_name, printable


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
