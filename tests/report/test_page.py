"""The report: made by its command, and looked at as a browser would read it."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from stages.answers import Age, Classes
from stages.layout import MANIFEST
from stages.report.__main__ import main
from stages.results.manifest import Manifest
from stages.results.run_file import RunFile
from tests.report.material import film, followed, recorded, said, still, written
from tests.results.frames import face, flat, frame
from tests.results.frames import seen as with_landmarks


class Page(HTMLParser):
    """Checks that every element is closed, and keeps texts and pictures."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if tag == "a" and name == "href"]
        self.sources += [value for name, value in attrs if tag != "a" and name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1:] not in (["style"], ["script"]) and text.strip():
            self.texts.append(text.strip())

    @property
    def text(self) -> str:
        return " ".join(self.texts).replace("\u202f", " ")

    @property
    def pictures(self) -> list[np.ndarray]:
        coded = [source.removeprefix("data:image/jpeg;base64,") for source in self.sources]
        return [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in coded]


def report(folder, *options: str) -> Page:
    assert main([str(folder), *options]) == 0
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def detail(picture: np.ndarray) -> float:
    """How much a picture differs from what six blocks across can show."""
    coarse = cv2.resize(cv2.resize(picture, (6, 6), interpolation=cv2.INTER_AREA), picture.shape[1::-1])
    return float(np.abs(picture.astype(float) - coarse).mean())


def test_the_page_says_who_was_there_and_needs_nothing_else(tmp_path):
    page = report(recorded(tmp_path, film(50, followed(1), followed(7, x=50.0, emotion="sad"))))
    for words in (
        "clip.mp4",
        "2.0 s",
        "2 people, or fewer if somebody came back; at most 2 at once",
        "#1",
        "#7",
        "happy 100 %",
        "sad 100 %",
        "woman 97 %",
        "31 years, 25 to 38",
    ):
        assert words in page.text
    assert "Nothing: every frame was analysed" in page.text
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources) and page.sources
    assert not re.search(r"https?:|@import|url\(", text)
    assert "default-src 'none'" in text


def test_the_page_begins_with_people_and_ends_with_how_the_run_went_which_is_folded(tmp_path):
    faces = followed(1), followed(2, x=40.0, emotion="sad", gender=Classes("man", 0.9, {"man": 0.9, "woman": 0.1}))
    page = report(recorded(tmp_path, film(25, *faces)))
    titles = ["People", "Best moments", "Who was there, and when", "Each of them", "How the run went"]
    places = [page.text.index(f" {title} ") for title in titles]
    assert places == sorted(places)
    for words in ("people, at most 2 at once, at most 2", "man / woman 1 / 1", "age 31", "happy 50 % sad 50 %"):
        assert words in page.text
    assert "no result is missing" in page.text
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<details class="engineering">' in text  # Without `open`.


def test_somebody_who_comes_back_is_counted_again_which_is_said(tmp_path):
    assert "1.0 s · 1 person" in report(written(tmp_path / "one", film(25, followed(1)))).text
    one_after_the_other = [frame(n, flat(96, 64), [followed(1 + n // 20)]) for n in range(80)]
    page = report(written(tmp_path / "four", one_after_the_other))
    assert "4 people, or fewer if somebody came back; at most 1 at once" in page.text


def test_of_a_camera_the_card_says_the_time_of_day_the_zone_and_where_they_looked(tmp_path):
    of_camera = [frame(n, flat(96, 64), [with_landmarks(followed(1, x=40.0))], source="door") for n in range(25)]
    of_camera = [replace(one, picture=replace(one.picture, clock=1764444600.0 + one.frame / 25)) for one in of_camera]
    folder = written(tmp_path, of_camera)
    zones = {"bench": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    (folder / "run.json").write_text(json.dumps({"inputs": {"render.blur": "none", "zones": zones}}))
    page = report(folder)
    begins, ends = (datetime.fromtimestamp(1764444600 + passed).strftime("%H:%M:%S") for passed in (0, 0.96))
    assert f"{begins} to {ends}" in page.text
    assert "facing the camera 100 %" in page.text and "in bench for 1.0 s" in page.text
    assert "zone_bench" in page.text  # A column of its table.


def test_the_thumbnails_are_the_faces_of_the_annotated_video(tmp_path):
    page = report(recorded(tmp_path, film(30, followed(1, x=30.0, side=40.0))))
    assert "cut out of the annotated pictures" in page.text
    for picture in page.pictures:
        height, width = picture.shape[:2]
        assert max(height, width) == 128
        assert picture[height * 3 // 4, width // 4].mean() < 60  # The black edge of the white square.
        assert picture[height // 4, width // 4].mean() > 200


def test_a_damaged_video_costs_thumbnails_and_not_the_page(tmp_path, capsys):
    recorded(tmp_path, film(30, followed(1, x=30.0, side=40.0)))
    (tmp_path / "annotated/clip.mp4").write_bytes(b"no video at all")
    assert main([str(tmp_path)]) == 0
    note = "Not all faces of clip.mp4 could be cut out: "
    assert note in capsys.readouterr().out
    assert note in (tmp_path / "report.html").read_text()


def test_each_thumbnail_is_of_its_own_frame(tmp_path):
    """A face that moves is cut out where it was, near the end of a video with several key frames too."""
    frames = [frame(n, flat(96, 64), [followed(1 + n // 40, x=2.0 * (n % 40), side=16.0)]) for n in range(160)]
    page = report(recorded(tmp_path, frames))
    assert len(page.pictures) == 12  # In the lanes, on the cards, and as the best moments.
    for picture in page.pictures:
        assert picture[32, 64].mean() > 170 and picture[96, 32].mean() < 90


@dataclass(frozen=True, slots=True)
class Seen:
    """Results in the folder of one of several sources, and the picture that they are of."""

    folder: Path
    picture: Path

    def is_hidden(self, *options: str) -> bool:
        page = report(self.folder, "--source", str(self.picture), *options)
        [shown] = page.pictures
        is_hidden = detail(shown) < 25
        assert page.links == ([] if is_hidden else ["../../clip.png"] * 2)  # Nobody is led to what is hidden here.
        return is_hidden


@pytest.fixture
def seen(tmp_path) -> Seen:
    blocks = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    picture = tmp_path / "clip.png"
    cv2.imwrite(str(picture), cv2.resize(blocks, (96, 64), interpolation=cv2.INTER_NEAREST))
    of_picture = frame(0, flat(96, 64), [face(30, 10, 40)], rate=None, source="clip.png")
    return Seen(written(tmp_path / "out" / "door", [of_picture]), picture)


@pytest.mark.parametrize(
    ("run", "option", "is_hidden"), [("none", None, False), ("none", "--blur", True), ("pixelate", None, True)]
)
def test_with_blur_and_after_a_run_with_blur_nobody_is_recognised(seen, run, option, is_hidden):
    said(seen.folder, run)
    assert seen.is_hidden(*([option] if option else [])) == is_hidden


@pytest.mark.parametrize("run", ["none", "pixelate"])
def test_of_several_sources_the_folder_above_says_whether_faces_were_hidden(seen, run, capsys):
    said(seen.folder.parent, run)
    assert seen.is_hidden() == (run == "pixelate")
    assert "run.json" not in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "", "7", '{"inputs": {}}', "[" * 200_000])
def test_where_no_run_json_says_that_faces_were_shown_they_are_hidden(seen, text, capsys):
    said(seen.folder.parent)
    if text is None:
        (seen.folder.parent / "run.json").unlink()
    else:
        (seen.folder / "run.json").write_text(text)
    assert seen.is_hidden()
    assert "has no run.json that says whether faces were hidden" in capsys.readouterr().out


def test_the_run_json_of_another_run_in_the_folder_above_says_nothing(seen):
    written(said(seen.folder.parent), film(1))
    assert seen.is_hidden()


def test_without_annotated_pictures_the_page_says_so_and_a_source_helps(tmp_path):
    recorded(tmp_path / "seen", film(10, followed(1, x=30.0, side=40.0)))
    folder = written(tmp_path / "out", film(10, followed(1, x=30.0, side=40.0)))
    page = report(folder)
    assert page.pictures == [] and "There are no pictures of the faces" in page.text
    page = report(folder, "--source", str(tmp_path / "seen/annotated/clip.mp4"))
    assert len(page.pictures) == 3 and "no pictures of the faces" not in page.text


def test_a_source_that_is_not_what_the_run_was_given_is_said_to_be_so(tmp_path, capsys):
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), flat(96, 64))
    page = report(written(tmp_path / "out", film(10, followed(1, x=30.0, side=40.0))[5:]), "--source", str(other))
    says = f"There are no pictures of the faces: {other} has none of the frames of this run."
    assert page.pictures == [] and says in page.text and says in capsys.readouterr().out


def test_a_run_that_left_frames_out_is_shown_by_the_frames_that_it_read(tmp_path):
    """Every fifth frame from the hundredth on; numbers count those that were read, times are the video's."""
    frames = [frame(n, flat(96, 64), [followed(1, x=0.5 * n, side=16.0)]) for n in range(140)]
    recorded(tmp_path / "seen", frames)
    read = [frame(n, flat(96, 64), one.faces, time=one.picture.time) for n, one in enumerate(frames[100::5])]
    page = report(written(said(tmp_path / "out"), read), "--source", str(tmp_path / "seen/annotated/clip.mp4"))
    assert len(page.pictures) == 3
    for picture in page.pictures:
        assert picture[40, 80].mean() > 170 and picture[88, 48].mean() < 90


@pytest.mark.parametrize("spec", ["0", "/dev/video0", "auto", "rtsp://door/1"])
def test_a_camera_is_never_opened_for_thumbnails(tmp_path, capsys, spec):
    assert main([str(written(tmp_path, film(2, followed(1)))), "--source", spec]) == 2
    assert "faces are cut out of files only" in capsys.readouterr().err


def test_pictures_are_a_gallery(tmp_path):
    frames = [frame(0, flat(96, 64), [face(30, 10, 40)], rate=None, time=0.0, file="a <b>.png", source="shots")]
    frames.append(frame(1, flat(96, 64), [], rate=None, time=0.0, file="b.png", source="shots"))
    page = report(recorded(tmp_path, frames))
    assert "2 pictures, 1 of them without a face" in page.text and "a <b>.png" in page.text
    assert len(page.pictures) == 1 and "timeline" not in page.tags


def test_faces_of_pictures_lead_to_their_annotated_pictures_whatever_these_are_called(tmp_path):
    [link, same] = report(recorded(tmp_path, [still(0, 'javascript:a "b" <c>&#%?é.png')])).links
    assert link == same and link.startswith("annotated/")
    assert (tmp_path / unquote(link)).is_file()


@pytest.mark.parametrize("run", ["pixelate", None])
def test_a_page_of_a_run_with_blur_leads_to_pictures_in_which_faces_are_hidden_and_to_no_others(tmp_path, run):
    folder = recorded(tmp_path, [still(0)])
    if run is None:
        (folder / "run.json").unlink()
    else:
        said(folder, run)
    assert report(folder).links == (["annotated/0.png"] * 2 if run else [])


def test_the_faces_of_pictures_are_sorted_as_asked_for(tmp_path):
    folder = written(tmp_path, [still(n, age=Age(a, a, a, "")) for n, a in enumerate((40.0, 10.0, 90.0))])
    for order, files in ((), "0 1 2"), (("--sort", "age"), "1 0 2"), (("--sort", "age:desc"), "2 0 1"):
        shown = re.findall(r"\b\d\.png", report(folder, *order).text)
        assert " ".join(name[0] for name in shown) == files


def test_of_pictures_the_terminal_and_the_page_count_pictures_and_of_videos_frames(tmp_path, capsys):
    frames = [
        frame(n, flat(96, 64), [face(30, 10, 40)] * n, rate=None, time=0.0, file=f"{n}.png", source="shots")
        for n in range(3)
    ]
    page = report(written(tmp_path / "shots", frames))
    assert "pictures 3" in page.text and "pictures dropped 0" in page.text
    assert re.search(r"report.html, \d+ kB: 3 pictures, 3 faces\.$", capsys.readouterr().out)
    report(written(tmp_path / "clip", film(5, followed(1))))
    assert re.search(r", \d+ kB: 5 frames, 1 person\.$", capsys.readouterr().out)
    report(written(tmp_path / "both", [frames[0], *film(5, followed(1), followed(2), file="clip.mp4", source="shots")]))
    assert re.search(
        r", \d+ kB: 1 picture, 5 frames, 2 people, or fewer if somebody came back\.$", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("brief", "said"),
    [
        (1, "1 face was seen for less than 0.3 s, and is left out: what is seen so briefly is mostly no face."),
        (2, "2 faces were seen for less than 0.3 s each, and are left out: what is seen so briefly is mostly no face."),
    ],
)
def test_who_was_seen_too_briefly_is_counted(tmp_path, brief, said):
    frames = [frame(n, flat(96, 64), [followed(i) for i in range(1 + brief * (n < 2))]) for n in range(50)]
    assert said in report(written(tmp_path, frames)).text


def test_a_share_is_the_whole_only_where_there_is_no_other_piece(tmp_path):
    frames = [frame(n, flat(96, 64), [followed(1, emotion="sad" if n == 7 else "happy")]) for n in range(500)]
    assert "happy over 99 %" in report(written(tmp_path, frames)).text.replace("\u00a0", " ")


def test_names_and_labels_of_others_are_text_and_nothing_else(tmp_path):
    bad = "<img src=x onerror=alert(1)>'\""
    one = followed(1, emotion=bad)
    folder = written(tmp_path, film(5, one, source=bad))
    source = {"source": bad, "latency_ms": {bad: 12.0}}
    stages = {"replicas": {bad: 1}, "busy": {bad: 0.5}, "restarts": {bad: 3}}
    (folder / "summary.json").write_text(json.dumps({"sources": [source], "notes": [bad], "failure": bad} | stages))
    page = report(folder)
    assert "img" not in page.tags and bad in page.text


def test_what_is_missing_is_said_with_its_reason(tmp_path):
    folder = written(tmp_path, [*film(5), *(frame(n, flat(96, 64), missing=["age"]) for n in range(9, 12))])
    entries = [{"what": "dropped", "first": 5, "last": 8, "stage": "detect", "reason": "late"}]
    entries += [
        {"what": "given up", "first": n, "last": n, "stage": "age", "reason": "stage gone"} for n in (9, 10, 11)
    ]
    (folder / "account.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    page = report(folder)
    assert "dropped detect late 4" in page.text and "given up age stage gone 3" in page.text
    assert "frames dropped 4" in page.text


def test_the_summary_is_told(tmp_path):
    folder = written(tmp_path, film(5))
    summary = {
        "sources": [{"source": "clip.mp4", "seconds": 2.0, "latency_ms": {"p50": 12.0}}],
        "replicas": {"render": 1, "capture": 1, "age": 1, "gender": 1, "detect": 2},
        "busy": {"detect": 0.5},
        "restarts": {"detect": 3},
        "notes": ["sound copied"],
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    page = report(folder)
    for words in (
        "restarts 3",
        "capture 1 – 0 detect 2 50 % 3 age 1 – 0 gender 1 – 0 render 1 – 0",
        "sound copied",
        "p50 12 ms",
        "frames a second 2.5",
    ):
        assert words in page.text


def test_frames_a_second_are_those_of_the_last_start(tmp_path):
    folder = written(tmp_path, film(5))
    source = {"source": "clip.mp4", "seconds": 2.0, "rendered": 5, "before": 2}
    (folder / "summary.json").write_text(json.dumps({"sources": [source]}))
    assert "frames a second 1.5" in report(folder).text


@pytest.mark.parametrize(
    "text", ["", "7", "{", "[" * 200_000, '{"sources": 5, "busy": [], "restarts": "x", "notes": {"a": 1}}']
)
def test_a_summary_that_is_none_is_left_out(tmp_path, text):
    folder = written(tmp_path, film(5))
    (folder / "summary.json").write_text(text)
    (folder / "run.json").write_text(text)
    assert "There is no summary.json" in report(folder).text


def test_a_pipe_in_the_place_of_a_summary_is_left_out_and_not_waited_for(tmp_path):
    folder = written(tmp_path, film(5))
    for name in ("summary.json", "run.json"):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    assert "There is no summary.json" in report(folder).text


def test_several_sources_are_told_one_after_the_other(tmp_path):
    recorded(tmp_path / "door", film(10, followed(1), source="door"))
    recorded(tmp_path / "yard", film(10, followed(1), source="yard"))
    page = report(said(tmp_path))
    assert page.tags.count("h2") == 2 and "door, yard" in page.text
    assert len(page.pictures) == 6
    assert main([str(tmp_path), "--source", "x.mp4"]) == 2


@pytest.mark.parametrize("command", ["report", "people", "export"])
def test_of_several_sources_one_without_a_frame_costs_the_others_nothing(tmp_path, command, capsys):
    """A camera was away, or was added a moment ago."""
    said(tmp_path)
    written(tmp_path / "door", film(20, followed(1)))
    written(tmp_path / "gate", [])
    main_of = import_module(f"stages.{command}.__main__").main
    assert main_of([str(tmp_path), *(["--srt"] if command == "export" else [])]) == 0
    assert "gate is left out" in capsys.readouterr().out


def test_of_a_folder_that_holds_runs_the_newest_is_told_and_named_and_runs_are_never_put_together(tmp_path, capsys):
    for number, name in enumerate(("clip-2", "demo", "clip")):
        Manifest(tmp_path / name).write(written(tmp_path / name, film(5 + number)) / "x", b"")
        RunFile("ab12", {"render.blur": "none"}, number).write(tmp_path / name)
    assert main([str(tmp_path), "--csv", "--html"]) == 0
    assert f"{tmp_path} holds runs and is none itself; the newest of them is in {tmp_path}/clip." in (
        capsys.readouterr().out
    )
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.suffix in (".html", ".csv")}
    assert made == {"clip/report.html", "clip/faces.csv"}
    for name in ("clip-2", "demo", "clip"):
        (tmp_path / name / MANIFEST).unlink()
    assert main([str(tmp_path)]) == 2
    assert "holds 3 runs and is none itself; write the folder of one, such as " in capsys.readouterr().err


def test_a_torn_run_is_told_as_far_as_it_came(tmp_path, capsys):
    page = report(written(tmp_path, film(5), torn=b'{"source"'))
    assert "The last line is torn" in page.text
    assert "is torn" in capsys.readouterr().out


def test_a_source_whose_name_no_file_can_have_has_subtitles_all_the_same(tmp_path):
    folder = written(tmp_path, film(5, followed(1), source="door"))
    text = (folder / "results.jsonl").read_text().replace('"door"', r'"\ud800x"')
    (folder / "results.jsonl").write_text(text)
    assert main([str(folder), "--vtt"]) == 0
    assert [path.name for path in (folder / "annotated").iterdir()] == ["_x.vtt"]


def test_pictures_have_no_subtitles_which_is_said(tmp_path, capsys):
    folder = written(tmp_path, [frame(0, flat(96, 64), [face(30, 10, 40)], rate=None, source="clip.png")])
    assert main([str(folder), "--vtt"]) == 0
    assert "No subtitles for" in capsys.readouterr().out and not list(tmp_path.rglob("*.vtt"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "there is no run below out/"), (("out", "--people", "0"), "from 1 to 1000"), (("out", "--vt"), "--vtt")],
)
def test_a_mistake_in_the_arguments_is_one_sentence(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(SystemExit):
        main(list(arguments))
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("facepipe: ") and said in sentence


def test_a_person_who_is_not_shown_is_counted(tmp_path):
    faces = [followed(number, x=10.0) for number in range(1, 5)]
    frames = [frame(n, flat(96, 64), faces[: 1 + n // 20]) for n in range(80)]
    page = report(written(tmp_path, frames), "--people", "3")
    assert "1 other was there for less long, 0.8 s in all, and is not shown" in page.text


@pytest.mark.parametrize(("frames_long", "labels"), [(5, ["happy"]), (20, ["happy", "sad"])])
def test_every_colour_of_the_chart_is_in_the_legend_and_no_other(tmp_path, frames_long, labels):
    """One who is left out has no colour; one who is not shown has, because they are counted."""
    brief = followed(2, x=40.0, emotion="sad")
    frames = [frame(n, flat(96, 64), [followed(1), *([brief] if n < frames_long else [])]) for n in range(50)]
    report(written(tmp_path, frames), "--people", "1")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    [legend], [chart] = re.findall(r'class="legend">(.*?)</p>', text), re.findall(r'<svg class="areas".*?</svg>', text)
    assert re.findall(r"</i>(.*?)</span>", legend) == labels
    assert set(re.findall(r"background:(#\w+)", legend)) == set(re.findall(r'fill="(#\w+)"', chart))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "has no results.jsonl"), (b"", "holds no frame"), (b"hello\n", "is no line of results")],
)
def test_what_is_no_result_is_one_sentence_and_status_2(tmp_path, capsys, content, said):
    if content is not None:
        (tmp_path / "results.jsonl").write_bytes(content)
    assert main([str(tmp_path)]) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("facepipe: ") and said in sentence
    assert not (tmp_path / "report.html").exists()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    folder = written(tmp_path, film(2))
    (folder / "report.html").mkdir()
    (folder / "faces.csv").mkdir()
    for option in ("--html", "--csv"):
        assert main([str(folder), option]) == 2
        assert "was not written by facepipe, or was changed since; move it away" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["faces.csv", "report.html", "results.jsonl"]


@pytest.mark.parametrize("option", ["--html", "--csv", "--vtt"])
@pytest.mark.parametrize(
    ("error", "way"), [(errno.ENOSPC, "make room there"), (errno.EROFS, "copy the results to where you may write")]
)
def test_a_disk_that_takes_no_more_is_a_sentence_and_nothing_is_left_behind(
    tmp_path, capsys, monkeypatch, option, error, way
):
    def refuse(*_args, **_more):
        raise OSError(error, os.strerror(error))

    folder = written(tmp_path, film(2))
    before = sorted(tmp_path.rglob("*.*"))
    monkeypatch.setattr(os, "replace", refuse)
    assert main([str(folder), option]) == 2
    assert capsys.readouterr().err.endswith(f" cannot be written: {os.strerror(error)}; {way}.\n")
    assert sorted(set(tmp_path.rglob("*.*")) - {folder / MANIFEST}) == before


def test_a_folder_in_which_no_file_can_be_made_is_a_sentence(tmp_path, capsys, monkeypatch):
    def refuse(path, *_args, **_more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    folder = written(tmp_path, film(2))
    results = (folder / "results.jsonl").open("rb")
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(Path, "open", lambda path, mode="r", **_: results if mode == "rb" else refuse(path))
    with results:
        assert main([str(folder), "--csv"]) == 2
    assert "faces.csv cannot be written: Read-only file system" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "x", "1001"])
def test_a_number_of_people_that_is_none_is_refused(tmp_path, count, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), f"--people={count}"])
    assert ended.value.code == 2 and "whole number from 1 to 1000" in capsys.readouterr().err
