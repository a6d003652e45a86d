"""The exit statuses have one home, and the documentation says what they are."""

from __future__ import annotations

import re

from stages.exit_status import ExitStatus, after_signal
from stages.project import PROJECT


def test_the_table_of_exit_statuses_in_the_documentation_has_all_of_them_and_no_other():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "README.md", *PROJECT.glob("docs/*.md")))
    [table] = re.findall(r"^\| exit status \|.*\n\|[- |]+\|\n((?:\|.*\n)+)", pages, re.MULTILINE | re.IGNORECASE)
    cells = [row.split("|")[1] for row in table.splitlines()]
    assert {int(number) for cell in cells for number in re.findall(r"\d+", cell)} == set(ExitStatus)


def test_a_signal_has_the_status_that_a_shell_gives_it():
    assert (after_signal(2), after_signal(15)) == (ExitStatus.INTERRUPTED, ExitStatus.TERMINATED)
