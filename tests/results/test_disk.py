"""A file system that does not answer."""

from __future__ import annotations

import os
import time

from stages.results import disk
from stages.results.disk import can_be_changed


def test_a_folder_that_is_there_or_gone_answers(tmp_path):
    assert can_be_changed(tmp_path, 20.0)
    assert can_be_changed(tmp_path / "gone", 20.0)


def test_what_the_folder_will_lie_in_is_asked_and_keeps_its_times(tmp_path):
    os.utime(tmp_path, ns=(10**18, 10**18))
    assert can_be_changed(tmp_path / "run/of/today", 20.0)
    assert os.stat(tmp_path).st_mtime_ns == 10**18


def test_one_whose_writes_never_return_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_CHANGE", "import time; time.sleep(600)")
    started_s = time.monotonic()
    assert not can_be_changed(tmp_path, 0.2)
    assert time.monotonic() - started_s < 5.0
