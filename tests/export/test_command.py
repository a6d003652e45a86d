"""The command writes its files where nobody else's are, and says in a sentence what it cannot do."""

from __future__ import annotations

import json

import av
import pytest

from tests.export.material import exported, film, main, shot, written
from tests.report.material import followed, recorded
from tests.results.frames import flat, frame

ALL = {"clip.chapters.vtt", "clip.eaf", "clip.edl", "clip.ffmetadata", "clip.srt", "clip.xml"}


def test_without_an_option_all_files_are_made_and_made_anew(tmp_path):
    frames = film(30, followed(1))
    first = {path.name: path.read_bytes() for path in exported(tmp_path, frames).iterdir()}
    assert first.keys() == ALL
    assert {path.name: path.read_bytes() for path in exported(tmp_path, frames).iterdir()}.keys() == ALL
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "export", ".facepipe.manifest"}


def test_a_file_of_somebody_else_stays(tmp_path, capsys):
    written(tmp_path, film(30, followed(1)))
    (tmp_path / "export").mkdir()
    (tmp_path / "export/clip.edl").write_text("mine")
    assert main([str(tmp_path), "--edl"]) == 2
    assert "not written by facepipe" in capsys.readouterr().err
    assert (tmp_path / "export/clip.edl").read_text() == "mine"


def test_each_video_of_a_folder_has_its_own_files_and_pictures_have_none(tmp_path):
    frames = [
        frame(0, flat(96, 64), [followed(1)], time=0.0, file="a.mp4"),
        *(frame(n, flat(96, 64), [followed(1)], time=n / 25, file="a.mp4") for n in range(1, 30)),
        frame(30, flat(96, 64), [], time=0.0, file="b.jpg"),
        *(frame(31 + n, flat(96, 64), [followed(2)], time=n / 25, file="sub/a.gif") for n in range(30)),
    ]
    folder = exported(tmp_path, frames, "--edl")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.edl")} == {"a.edl", "sub/a.gif.edl"}
    assert "#2" in (folder / "sub/a.gif.edl").read_text() and "#1" not in (folder / "sub/a.gif.edl").read_text()


def test_each_of_several_sources_has_its_own_folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"inputs": {}}))
    for name in ("door", "shop"):
        written(tmp_path / name, film(30, followed(1), source=name))
    assert main([str(tmp_path), "--eaf"]) == 0
    assert (tmp_path / "door/export/door.eaf").is_file() and (tmp_path / "shop/export/shop.eaf").is_file()


def test_a_name_leads_nowhere_else(tmp_path):
    frames = shot(30, lambda n: [followed(1)], file="../..//\u202eevil\n|<&>.mp4")
    folder = exported(tmp_path / "out", frames)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_annotated_video_is_copied_with_its_chapters(tmp_path):
    frames = [one for one in shot(500, lambda n: [followed(1 if n < 300 else 2)]) if one.picture.time >= 4]
    recorded(tmp_path, frames)
    assert main([str(tmp_path), "--chaptered"]) == 0
    with av.open(str(tmp_path / "annotated/clip.mp4")) as original, av.open(str(tmp_path / "export/clip.mp4")) as copy:
        chapters = [(c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in copy.chapters()]
        assert chapters == [(0, 8), (8, 16)] and original.chapters() == []
        assert [(p.pts * p.time_base, bytes(p)) for p in copy.demux(video=0) if p.size] == [
            (p.pts * p.time_base, bytes(p)) for p in original.demux(video=0) if p.size
        ]


@pytest.mark.parametrize(
    ("frames", "options", "said"),
    [
        ([frame(0, flat(96, 64), [])], [], "holds no video"),
        (film(30, followed(1)), ["--chaptered"], "--chapters"),
        (film(30, followed(1)), ["--edl", "--begins", "1h"], "--begins"),
        (film(30, followed(1)), ["--xml", "--rate", "29.97", "--begins", "00:01:00;01"], "drop frame"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(tmp_path, capsys, frames, options, said):
    written(tmp_path, frames)
    assert main([str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert said in error and error.startswith("facepipe: ") and error.count("\n") == 1
    assert not (tmp_path / "export").exists()


def test_a_rate_that_is_none_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), "--rate", "fast"])
    assert ended.value.code == 2 and "29.97" in capsys.readouterr().err
