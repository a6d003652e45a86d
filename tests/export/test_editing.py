"""Markers, chapters and subtitles are what editors and players read, whatever is written in labels and names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.export.editing import edl, ffmetadata, final_cut_xml, subrip
from stages.export.film import Film
from stages.export.spans import people_of
from stages.export.timecode import Rate, rate_named
from tests.export.material import answering, exported, shot
from tests.report.material import followed
from tests.results.frames import face

NTSC = Fraction(30_000, 1001)
NASTY = 'a|b <i>&\r\n\n\u202e"x" --> \x1b[2J\0 ;#=\\ \u2028é 日本 {\\an8}'
CODE = r"(\d\d:\d\d:\d\d[:;]\d\d)"
EVENT = re.compile(
    rf"(\d{{3,}})  001      V     C        {CODE} {CODE} {CODE} {CODE}  \n \|C:(\w+) \|M:(.*) \|D:(\d+)\n"
)


def two_people(n: int) -> list:
    """One who stays, and one who comes after four seconds of 25 frames and goes after two."""
    return [followed(1), *([followed(2, x=50)] if 100 <= n < 150 else [])]


def markers(text: str) -> list[tuple[str, str, int]]:
    """From when, what and for how many frames, read as strictly as the format is written by Resolve itself."""
    title, mode, *rest = text.split("\n", 2)
    assert title.startswith("TITLE: ") and mode in ("FCM: NON-DROP FRAME", "FCM: DROP FRAME")
    events = rest[0].split("\n\n") if rest[0] else []
    read = [EVENT.fullmatch(event.strip("\n") + "\n") for event in events]
    assert all(read) and [int(found[1]) for found in read] == list(range(1, len(read) + 1))
    assert all(found[2] == found[4] and found[3] == found[5] for found in read)
    assert all((";" in found[2]) == (mode == "FCM: DROP FRAME") for found in read)
    return [(found[2], found[7], int(found[8])) for found in read]


def test_an_edl_has_a_marker_a_person_for_as_long_as_they_are_there(tmp_path):
    folder = exported(tmp_path, shot(200, two_people), "--edl")
    assert markers((folder / "clip.edl").read_text()) == [
        ("01:00:00:00", "#1 woman, happy, 30-39", 200),
        ("01:00:04:00", "#2 woman, happy, 30-39", 50),
    ]


def test_time_codes_of_ntsc_are_drop_frame_unless_told_otherwise(tmp_path):
    frames = shot(1900, lambda n: [followed(1)] if n >= 1800 else [], NTSC)
    folder = exported(tmp_path, frames, "--edl", "--begins", "00:00:00:00")
    assert markers((folder / "clip.edl").read_text())[0][0] == "00:01:00;02"
    folder = exported(tmp_path, frames, "--edl", "--begins", "10:00:00:00", "--non-drop")
    assert markers((folder / "clip.edl").read_text())[0][0] == "10:01:00:00"


def test_a_variable_rate_is_said_and_can_be_set(tmp_path, capsys):
    frames = [one for n, one in enumerate(shot(150, two_people, 29.3)) if n % 7 not in (0, 1)]
    exported(tmp_path, frames, "--edl")
    assert "--rate" in capsys.readouterr().out
    folder = exported(tmp_path, frames, "--edl", "--rate", "50")
    assert "--rate" not in capsys.readouterr().out
    (_, _, first), (begins, _, _) = markers((folder / "clip.edl").read_text())
    assert begins == f"01:00:03:{round(100 / 29.3 * 50) % 50:02}" and abs(first - 150 / 29.3 * 50) < 3


def test_premiere_gets_a_sequence_with_the_video_and_the_same_markers(tmp_path):
    folder = exported(tmp_path, shot(200, two_people, NTSC), "--xml", "--begins", "00:00:00:00")
    sequence = ET.parse(folder / "clip.xml").getroot().find("sequence")
    assert (sequence.findtext("rate/timebase"), sequence.findtext("rate/ntsc")) == ("30", "TRUE")
    assert sequence.findtext("timecode/displayformat") == "DF" and sequence.findtext("duration") == "200"
    assert sequence.findtext("media/video/track/clipitem/file/name") == "clip.mp4"
    read = [
        tuple(marker.findtext(tag) for tag in ("name", "comment", "in", "out")) for marker in sequence.iter("marker")
    ]
    assert read == [("#1", "woman, happy, 30-39", "0", "200"), ("#2", "woman, happy, 30-39", "100", "150")]


def test_chapters_begin_where_other_people_are_there_and_ffmpeg_reads_them(tmp_path):
    def at(n: int) -> list:
        return [followed(1 if n < 250 else 2)] if n < 500 else []

    folder = exported(tmp_path, shot(700, at), "--chapters")
    with av.open(str(folder / "clip.ffmetadata")) as read:
        chapters = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in read.chapters()]
    assert chapters == [
        (0, 10, {"title": "#1 woman, happy, 30-39"}),
        (10, 20, {"title": "#2 woman, happy, 30-39"}),
        (20, 28, {"title": "nobody"}),
    ]
    text = (folder / "clip.chapters.vtt").read_text()
    assert re.findall(r"(\S+) --> (\S+)\n(.*)", text)[1] == ("00:00:10.000", "00:00:20.000", "#2 woman, happy, 30-39")


def test_a_video_that_was_read_from_later_on_has_no_chapter_before(tmp_path):
    frames = [one for one in shot(400, lambda n: [followed(1)]) if one.picture.time >= 8]
    assert "START=8000\nEND=16000" in (exported(tmp_path, frames, "--chapters") / "clip.ffmetadata").read_text()


def test_subtitles_are_what_ffmpeg_reads_as_subrip(tmp_path):
    folder = exported(tmp_path, shot(200, two_people), "--srt")
    assert read_subrip(folder / "clip.srt") == [
        (0, 4, "#1 woman, happy, 31"),
        (4, 6, "#1 woman, happy, 31\n#2 woman, happy, 31"),
        (6, 8, "#1 woman, happy, 31"),
    ]


def read_subrip(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path), format="srt") as read:
        packets = [packet for packet in read.demux() if packet.size]
        return [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base), bytes(p).decode()) for p in packets
        ]


labels = st.text(max_size=12) | st.just(NASTY)


@given(labels, labels)
def test_no_label_or_name_breaks_a_file(tmp_path_factory, label, name):
    frames = shot(20, lambda n: [answering(3, label)])
    film = Film(name, name or None, (96, 64), 0.0, 0.8, people_of(shot_lines(frames), 1.0), Rate(25), True)
    [(_, said, _)] = markers("".join(edl(film, film.rate, 0)))
    assert "|" not in said and said.startswith("#3 woman")
    xml = "".join(final_cut_xml(film, film.rate, 0)).encode("utf-8", "backslashreplace")
    assert len(list(ET.fromstring(xml).iter("marker"))) == 1
    folder = tmp_path_factory.getbasetemp()
    (folder / "x.ffmetadata").write_text("".join(ffmetadata(film)), "utf-8", "backslashreplace")
    with av.open(str(folder / "x.ffmetadata")) as read:
        assert [chapter["metadata"]["title"][:2] for chapter in read.chapters()] == ["#3"]
    text = "".join(subrip((one.picture.time, one.faces) for one in frames))
    assert not set("<>{}") & set(text.replace(" --> ", ""))
    (folder / "x.srt").write_text(text, "utf-8", "backslashreplace")
    [(start, end, _)] = read_subrip(folder / "x.srt")
    assert (start, end) == (0, 1)


def shot_lines(frames: list):
    from stages.results.jsonl import Line

    for one in frames:
        yield Line(one.source, one.frame, None, one.picture.time, 96, 64, one.faces, [], None)


def test_faces_without_an_id_are_in_subtitles_and_no_markers(tmp_path, capsys):
    folder = exported(tmp_path, shot(50, lambda n: [face(1, 1, 20)]))
    assert markers((folder / "clip.edl").read_text()) == []
    assert "no id" in capsys.readouterr().out and "woman" in (folder / "clip.srt").read_text()


@pytest.mark.parametrize("rate", ["25", "29.97", "59.94"])
def test_markers_of_a_camera_go_on_after_a_day(rate):
    rate = rate_named(rate).dropping()
    frames = shot(20, lambda n: [followed(1)])
    lines = [*shot_lines(frames)]
    later = [
        type(line)(*(line.source, n, None, 90_000 + line.time, 96, 64, line.faces, [], None))
        for n, line in enumerate(lines)
    ]
    film = Film("door", None, (96, 64), 90_000.0, 90_001.0, people_of(later, 1.0), rate, True)
    [(begins, _, _)] = markers("".join(edl(film, rate, 0)))
    assert begins.startswith("01:00:00")
