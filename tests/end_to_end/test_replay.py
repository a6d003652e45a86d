"""One stage alone on the record of a run."""

from __future__ import annotations

import pytest

from stages import replay
from tests.end_to_end.material import FACES


@pytest.fixture(scope="module")
def record(film, tmp_path_factory):
    from tests.end_to_end.command import somewhere

    folder = tmp_path_factory.mktemp("recorded")
    with somewhere(folder) as here:
        ran = here.run(film, "--record", str(folder / "tape"))
        assert ran.status == 0, ran.err
        again = here.run(film, "--record", str(folder / "tape"))
        assert (again.status, "this file is there already" in again.complaint) == (2, True)
    return folder / "tape"


@pytest.mark.parametrize(("stage", "pieces"), [("detect", len(FACES)), ("age", sum(map(bool, FACES)))])
def test_the_same_stage_gives_the_same_answers(record, capsys, stage, pieces):
    assert replay.main([str(record), "--only", stage]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{pieces} pieces of work, ") and said.endswith(f"; 0 of {pieces} answers differ.\n")


def test_another_detector_gives_others(record, capsys):
    assert replay.main([str(record), "--only", "detect", "--set=stages.detect.detector=dlib"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("frame ") and " of film.mp4: " in said[0]
    assert f"of {len(FACES)} answers differ" in said[-1]


def test_what_is_no_record_is_one_sentence(film, capsys):
    assert replay.main([str(film), "--only", "age"]) == 2
    assert "is not a record" in capsys.readouterr().err
