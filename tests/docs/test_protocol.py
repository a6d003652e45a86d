"""docs/protocol.md says what the code does."""

from __future__ import annotations

import re

from docs.protocol_tables import diagram, with_tables
from stages.delivery import states
from stages.project import PROJECT

PAGE = (PROJECT / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_its_tables_and_diagrams_are_those_of_today():
    assert with_tables(PAGE) == PAGE, "run make pictures"
    assert len(re.findall("written by make pictures", PAGE)) == 4


def test_a_diagram_has_every_state_and_every_event():
    drawn = diagram(states.FRAME, states.FrameState.QUEUED)
    assert all(named.value in drawn for named in (*states.FrameState, *states.FrameEvent))
    assert "    detecting --> cropped: crops\n" in drawn
