"""What the files of an archive are called, below its root.

    archive.json                        the films and how each of them stands, and what they are analysed with
    archive.html                        the page over all films
    dataset/TABLE/film=FILM/            the tables of all films
    FILM/                               what a run over this film leaves
    .archive/parts/FILM/plan.json        how the film is divided
    .archive/parts/FILM/KEY.index        its frames by their time stamps
    .archive/parts/FILM/KEY-00012.part   the answers of one part
    .archive/done/FILM                   the film is finished: FILM/ is whole

KEY names the version of the film, what it is analysed with, and its division: files of another one are never taken.
"""

from __future__ import annotations

from ..layout import ARCHIVE, ARCHIVE_REPORT

MANIFEST, HIDDEN, DATASET, REPORT = ARCHIVE, ".archive", "dataset", ARCHIVE_REPORT
RESERVED = frozenset({MANIFEST, HIDDEN, DATASET, REPORT})  # no film has results of such a name
WORK, DONE = f"{HIDDEN}/parts", f"{HIDDEN}/done"
LOCK = f"{HIDDEN}/lock"
PLAN = "plan.json"
WHOLE = "whole"  # in place of the number of a part: the film in one piece


def work_name(film: str) -> str:
    """The folder of what is made of a film until it is finished."""
    return f"{WORK}/{film}"


def done_name(film: str) -> str:
    """The file that says so. It has the name of the film alone, which may be as long as a name can be."""
    return f"{DONE}/{film}"


def plan_name(film: str) -> str:
    return f"{work_name(film)}/{PLAN}"


def index_name(film: str, key: str) -> str:
    return f"{work_name(film)}/{key}.index"


def part_file(key: str, number: str) -> str:
    return f"{key}-{number}.part"


def part_name(film: str, key: str, number: str) -> str:
    return f"{work_name(film)}/{part_file(key, number)}"
