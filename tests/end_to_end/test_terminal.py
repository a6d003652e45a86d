"""What a person sees at a terminal, and what becomes of a run whose listener goes away."""

from __future__ import annotations

import os
import pty
import shutil
import signal

from tests.end_to_end.command import PROJECT, Ran
from tests.end_to_end.material import FACES


def test_on_a_terminal_one_live_line_says_where_it_is_and_its_end_ends_the_run(place, endless_film):
    terminal, stderr = pty.openpty()
    try:
        run = place.start(endless_film, "--set=pace=true", stderr=stderr).until_lines(18)
        os.close(stderr)
        ran = run.signal(signal.SIGHUP).end()
        said = _read_all(terminal)
    finally:
        os.close(terminal)
    assert ran.status == 129
    assert said.startswith("starting ")
    drawn = [part for part in said.replace("\x1b[K", "").split("\r") if " % |" in part]
    assert "/240 frames" in drawn[-1] and "face" in drawn[-1] and "frames/s" in drawn[-1] and "left" in drawn[-1]
    assert all(len(part) <= 79 for part in drawn if "\x1b" not in part)
    assert " % |" not in said.rpartition("\x1b[K")[2]


def _read_all(terminal: int) -> str:
    said = b""
    try:
        while part := os.read(terminal, 65536):
            said += part
    except OSError:  # How Linux says that the other end is closed.
        pass
    return said.decode()


# --- A run is not spoilt by nobody listening to what it says at its end ---


def test_listeners_that_have_gone_do_not_spoil_a_good_run(place, film, shown: Ran):
    read, write = os.pipe()
    os.close(read)  # As in `run_pipeline.py | head -1`, when head has seen enough.
    run = place.start(film, stdout=write, stderr=write)
    os.close(write)
    ran = run.end()
    assert (ran.status, ran.results) == (0, shown.results)


def test_it_runs_from_any_folder_whatever_lies_there_also_names_that_the_terminal_cannot_show(place, film):
    here = place.folder / "here"
    (here / "stages").mkdir(parents=True)
    (here / "stages/__init__.py").write_text("raise SystemExit('the wrong stages')")
    (here / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    shutil.copy(film, here / "日本.mp4")
    place.environment |= {"PYTHONIOENCODING": "latin-1"}
    ran = place.run("日本.mp4", "--detector=haar", config=PROJECT / "pipeline.yaml", cwd=here).succeeded()
    assert len(ran.lines) == len(FACES) and ran.lines[0]["source"] == "日本.mp4"
    assert "32 frames, " in ran.out and "no frame missing" in ran.out
