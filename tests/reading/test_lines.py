"""What is read of a folder of results, and what is said where there is something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.reading.lines import DropEntry, Results, ResultsError, losses_of, place_of, results_in, results_with_frames
from stages.results.manifest import Manifest
from tests.report.material import film, followed, written

GOOD = {"source": "a", "frame": 0, "time": 0.0, "width": 8, "height": 8, "faces": []}
FACE = {"id": 1, "box": [1, 2, 3, 4], "score": 0.5}


def test_every_line_is_read_as_it_was_written_and_may_be_read_again(tmp_path):
    [results] = results_in(written(tmp_path, film(3, followed(1))))
    for _ in range(2):
        lines = list(results)
        assert [(line.source, line.frame, line.time) for line in lines] == [
            ("clip.mp4", 0, 0.0),
            ("clip.mp4", 1, 0.04),
            ("clip.mp4", 2, 0.08),
        ]
        assert lines[0].faces == [followed(1)]
    assert not results.is_torn


def test_a_torn_last_line_is_left_out_and_noted(tmp_path):
    [results] = results_in(written(tmp_path, film(2), torn=b'{"source": "clip.mp4", "fra'))
    assert len(list(results)) == 2
    assert results.is_torn


def test_a_first_line_that_breaks_off_leaves_no_frame(tmp_path):
    [results] = results_in(written(tmp_path, [], torn=b'{"source": "clip.mp4", "fra'))
    with pytest.raises(ResultsError, match="holds no frame"):
        list(results)


def test_an_empty_file_is_a_sentence(tmp_path):
    [results] = results_in(written(tmp_path, []))
    with pytest.raises(ResultsError, match="holds no frame: the run ended before its first one"):
        list(results)


def test_a_source_of_several_that_has_no_frame_is_left_out_which_is_said(tmp_path):
    door, gate, said = written(tmp_path / "door", film(2)), written(tmp_path / "gate", []), []
    assert [results.folder for results in results_with_frames(tmp_path, said.append)] == [door]
    assert said == [f"{gate}/results.jsonl holds no frame; gate is left out."]
    (door / "results.jsonl").write_bytes(b"")
    with pytest.raises(ResultsError, match="holds no frame: the run ended before its first one"):
        list(results_with_frames(tmp_path, said.append)[0])


def test_the_place_of_a_piece_is_known_without_a_look_at_all_the_others(tmp_path, monkeypatch):
    """There may be thousands, and each is asked for its place: a list for every one takes hours."""
    piece = written(tmp_path / "run/pieces/000002", film(2))
    monkeypatch.setattr("stages.reading.lines.pieces_of", lambda place: pytest.fail("they are listed"))
    assert place_of(piece, Manifest(tmp_path / "run")).results == piece / "results.jsonl"


def test_the_folder_that_pieces_lie_in_is_not_taken_for_a_run_of_several_sources(tmp_path, monkeypatch):
    for number, frames in enumerate((film(3)[:2], film(3)[2:]), start=1):
        written(tmp_path / "run" / "pieces" / f"{number:06}", frames)
    assert [len(list(results)) for results in results_in(tmp_path / "run")] == [3]
    with pytest.raises(ResultsError, match=rf"holds the pieces of a run; write the folder of the run, {tmp_path}/run,"):
        results_in(tmp_path / "run" / "pieces")
    monkeypatch.chdir(tmp_path / "run" / "pieces")
    with pytest.raises(ResultsError, match=r"write the folder of the run, \.\., or"):
        results_in(Path())


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\xff\x17 no text",
        b"name,age\nAda,36\n",
        b"[]\n",
        b"7\n",
        b'{"a": 1}\n',
        b"[" * 100_000 + b"\n",
        json.dumps(GOOD | {"time": 1e300}).encode() + b"\n",
        json.dumps(GOOD | {"time": float("inf")}).encode() + b"\n",
        json.dumps(GOOD | {"frame": "7"}).encode() + b"\n",
        json.dumps(GOOD | {"frame": 10**400}).encode() + b"\n",
        json.dumps(GOOD | {"width": 0}).encode() + b"\n",
        json.dumps(GOOD | {"faces": [FACE | {"box": [1, 2, 3]}]}).encode() + b"\n",
        json.dumps(GOOD | {"faces": [FACE | {"box": [1, 2, 3, "4"]}]}).encode() + b"\n",
        json.dumps(GOOD | {"faces": [FACE | {"id": "1"}]}).encode() + b"\n",
        json.dumps(GOOD | {"faces": [FACE | {"g": {"label": 5, "confidence": 1, "scores": {}}}]}).encode() + b"\n",
        json.dumps(GOOD | {"faces": [FACE | {"g": {"label": "a", "confidence": "1", "scores": {}}}]}).encode() + b"\n",
        json.dumps(GOOD | {"missing": 5}).encode() + b"\n",
    ],
)
def test_a_file_that_is_no_results_is_a_sentence_with_the_line(tmp_path, text):
    (tmp_path / "results.jsonl").write_bytes(text)
    with pytest.raises(ResultsError, match=r"results.jsonl:1 is no line of results; write a folder that facepipe"):
        list(Results(tmp_path))


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    written(tmp_path, film(3))
    lines = (tmp_path / "results.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join([lines[0], lines[1][:20] + b"\n", lines[2]]))
    with pytest.raises(ResultsError, match=r"results.jsonl:2 "):
        list(Results(tmp_path))


def test_a_line_as_long_as_a_disk_is_not_read_into_memory(tmp_path):
    with (tmp_path / "results.jsonl").open("wb") as file:
        file.truncate(3_000_000_000)  # of nothing: it takes no room
    with pytest.raises(ResultsError, match=r":1 is no line"):
        list(Results(tmp_path))


@pytest.mark.parametrize(("place", "said"), [("nowhere", "is not there"), ("file", "is not a folder"), ("", "has no")])
def test_a_folder_that_is_none_is_a_sentence(tmp_path, place, said):
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=said):
        results_in(tmp_path / place)


def test_each_of_several_sources_is_read_from_its_own_folder(tmp_path):
    for name in ("yard", "door"):
        written(tmp_path / name, film(1))
    assert [results.folder.name for results in results_in(tmp_path)] == ["door", "yard"]


def test_losses_are_read_and_a_torn_last_one_is_left_out(tmp_path):
    entry = {"what": "dropped", "first": 3, "last": 5, "stage": "detect", "reason": "late"}
    (tmp_path / "account.jsonl").write_text(json.dumps(entry) + '\n{"what": "dro')
    assert list(losses_of(tmp_path)) == [DropEntry("dropped", 3, 5, "detect", "late")]
    assert list(losses_of(tmp_path / "nowhere")) == []


ENTRY = {"what": "dropped", "first": 1, "last": 2, "stage": "age", "reason": "late"}


@pytest.mark.parametrize(
    "text",
    [
        "7\n",
        "\n",
        '{"what": "dropped"}\n',
        "[" * 200_000 + "\n",
        json.dumps(ENTRY | {"first": "1"}) + "\n",
        json.dumps(ENTRY | {"last": 10**4000}) + "\n",
        json.dumps(ENTRY | {"what": ["dropped"]}) + "\n",
        json.dumps(ENTRY | {"stage": {"age": 1}}) + "\n",
        json.dumps(ENTRY | {"reason": None}) + "\n",
    ],
)
def test_an_account_that_is_none_is_a_sentence(tmp_path, text):
    (tmp_path / "account.jsonl").write_text(text)
    with pytest.raises(ResultsError, match=r"account.jsonl:1 is no line of an account"):
        list(losses_of(tmp_path))
