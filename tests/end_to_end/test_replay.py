"""One stage alone on the record of a run, and a run among faults whose record is decided alike."""

from __future__ import annotations

import re

import pytest

from stages import replay
from stages.delivery import joiner
from tests.end_to_end.command import Ran, asked, somewhere
from tests.end_to_end.material import FACES

pytestmark = pytest.mark.timeout(300)  # A run in which three processes begin anew, on a machine that may be busy.


@pytest.fixture(scope="module")
def record(film, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    with somewhere(folder) as here:
        here.run(film, "--record", str(folder / "trace")).succeeded()
        again = here.run(film, "--record", str(folder / "trace"))
        assert (again.status, "this file is there already" in again.complaint) == (2, True)
    return folder / "trace"


ASKED = sum(faces > 0 and "age" in asked(frame) for frame, faces in enumerate(FACES))


@pytest.mark.parametrize(("stage", "tasks"), [("detect", len(FACES)), ("age", ASKED)])
def test_the_same_stage_gives_the_same_answers(record, capsys, stage, tasks):
    assert replay.main([str(record), "--only", stage, "--set=stages.detect.detector=haar"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tasks} tasks, ") and said.endswith(f"; 0 of {tasks} answers differ.\n")


def test_another_detector_gives_others(record, capsys):
    assert replay.main([str(record), "--only", "detect", "--set=stages.detect.detector=dlib"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("frame ") and " of film.mp4: " in said[0]
    assert f"of {len(FACES)} answers differ" in said[-1]


@pytest.fixture(scope="module")
def disturbed(film, tmp_path_factory) -> Ran:
    """A recorded run with messages late, lost, doubled, overtaken and corrupt, a detect that dies, both ends killed."""
    folder = tmp_path_factory.mktemp("disturbed")
    faulty = "{delay: 0.005, drop: 0.03, duplicate: 0.1, reorder: 0.1, corrupt: 0.02}"
    chaos = ", ".join(f"{stage}: {faulty}" for stage in ("capture", "gender", "age", "render"))
    crash = "detect: {drop: 0.03, duplicate: 0.1, crash_at: [6], once: true}"
    rules = (f"--set=chaos={{{chaos}, {crash}}}", "--set=resend_after=0.5", "--record", str(folder / "trace"))
    with somewhere(folder) as here:
        run = here.start(film, *rules).until_lines(5)
        run.stages()["capture"][0].kill()
        run.until_lines(12).stages()["render"][0].kill()
        return run.end(timeout_s=200)


def test_messages_that_are_late_lost_doubled_overtaken_and_corrupt_change_nothing(disturbed, shown: Ran):
    assert disturbed.status == 0, disturbed.err
    assert disturbed.results == shown.results


@pytest.mark.parametrize("whose", ["capture", "render"])
def test_what_capture_and_render_heard_leads_to_the_same_decisions_again(record, disturbed, capsys, whose):
    assert replay.main([str(record), "--only", whose]) == 0
    calm = capsys.readouterr().out
    assert re.fullmatch(r"\d\d+ steps; 0 are decided otherwise.\n", calm)
    assert (
        replay.main([str(disturbed.output.parent / "trace"), "--only", whose]) == 1
    )  # Those that were killed have not told their end.
    incomplete, said = capsys.readouterr().out.splitlines()
    assert re.match("INCOMPLETE: (capture-0/0, render/0|render/0, capture-0/0) did not come to its end; ", incomplete)
    assert re.fullmatch(r"\d\d+ steps; 0 are decided otherwise.", said)


def test_a_core_that_decides_otherwise_is_noticed(record, capsys, monkeypatch):
    monkeypatch.setattr(joiner.Joiner, "step", lambda self, event: [])
    assert replay.main([str(record), "--only", "render"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.match(r"step \d+ of render/0 film.mp4, \w+: then \[.+, now \[\]$", said[0])
    assert not said[-1].endswith(" 0 are decided otherwise.")


def test_what_is_no_record_is_one_sentence(film, capsys):
    assert replay.main([str(film), "--only", "age"]) == 2
    assert "is not a record" in capsys.readouterr().err
