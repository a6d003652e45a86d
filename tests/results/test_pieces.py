"""The folders of the pieces of one source."""

from __future__ import annotations

import pytest

from stages.layout import PIECES, RESULTS
from stages.results.errors import DamagedState
from stages.results.pieces import pieces_in


def test_a_copy_of_a_piece_is_refused_because_its_frames_would_be_read_twice(tmp_path):
    for name in ("000001", "000002", "000002-2026-01-01T00-00-00"):
        (tmp_path / PIECES / name).mkdir(parents=True)
        (tmp_path / PIECES / name / RESULTS).touch()
    with pytest.raises(DamagedState, match="000002 and 000002-2026-01-01T00-00-00 are the same piece"):
        pieces_in(tmp_path)
    (tmp_path / PIECES / "000002").rename(tmp_path / "copy")
    assert [path.name for path in pieces_in(tmp_path)] == ["000001", "000002-2026-01-01T00-00-00"]
