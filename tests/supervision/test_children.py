"""What is left of a process that does not belong to the run any more."""

from __future__ import annotations

import sys
from queue import SimpleQueue

import pytest

from stages.supervision.child import Start
from stages.supervision.children import children
from stages.supervision.events import Exited, Member
from stages.supervision.exits import exit_description


@pytest.mark.parametrize("crashed", [True, False])
def test_the_log_of_a_source_that_was_not_added_is_left_where_the_error_names_it(tmp_path, crashed):
    logs = tmp_path / "logs"
    logs.mkdir()
    crash = [sys.executable, "-c", "raise IndexError('out of range')"]
    events = SimpleQueue()
    with children([Start(Member("capture-2", "capture", 60.0, 2), crash)], logs, events) as processes:
        exited = events.get(timeout=30)
        assert isinstance(exited, Exited)
        said = exit_description(exited, "exit") if crashed else "notes.mp4 is no video."
        processes.forget("capture-2", said)
    left = [path for path in logs.iterdir() if str(path) in said]
    assert left == list(logs.iterdir()) and len(left) == crashed
    assert all("Traceback" in path.read_text() for path in left)
