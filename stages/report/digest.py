"""What the page over an archive says of one film: made of its results once, and kept beside them as digest.json.

The results of 100,000 hours are 10 TB. Nobody reads them again because one film was added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..decimals import rounded
from ..layout import DIGEST
from ..reading.lines import (
    NoFrames,
    Results,
    areas_of,
    cannot_be_read,
    cannot_be_written,
    coast_of,
    manifest_of,
    results_in,
)
from .gathering import Gathered, gather
from .overview import Best, Overview, best_moments

COUNTED = 1000  # people of a film whose answers are counted: those who are there longest
MOMENTS = 4  # of a film


@dataclass(frozen=True, slots=True)
class Digest:
    """One film. What is counted by label are numbers of the tracker, of at most `COUNTED` of them."""

    results_bytes: int  # of the results that it was made of
    frames: int = 0
    seconds: float = 0.0
    faces: int = 0
    numbers: int = 0  # people, as far as following tells
    at_once: int = 0
    errors: int = 0  # frames that were not analysed
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)  # stage with two labels -> how many have which
    ages: tuple[float, float, float] | None = None  # the lowest, the mean and the highest, in years
    age_count: int = 0
    groups: dict[str, dict[str, int]] = field(default_factory=dict)  # age group -> how many, by the first of `kinds`
    stage: str | None = None  # of the moods
    moods: dict[str, float] = field(default_factory=dict)  # label -> for how many seconds faces had it
    moments: list[Best] = field(default_factory=list)


def digest_of(results: Sequence[Results]) -> Digest:
    """Read the results of a film; raises `ResultsError`."""
    of_bytes = bytes_of(results)  # First: what a run that is under way adds meanwhile is not in the digest.
    every = [one for one in map(_gathered, results) if one is not None]
    about = [Overview.of(one) for one in every]
    films = [film for one in every for film in one.films]
    ages = [years for one in about for years in one.ages]
    moods = sum((film.labels for film in films), Counter())
    moods.pop("", None)
    return Digest(
        results_bytes=of_bytes,
        frames=sum(one.frames for one in every),
        seconds=rounded(sum(one.seconds for one in every)),
        faces=sum(one.faces for one in every),
        numbers=sum(one.people for one in every),
        at_once=max((film.most_at_once for film in films), default=0),
        errors=sum(one.errors.total() for one in every),
        kinds=_merged([one.kinds for one in about]),
        ages=(rounded(min(ages)), rounded(sum(ages) / len(ages)), rounded(max(ages))) if ages else None,
        age_count=len(ages),
        groups=_merged([one.groups for one in about]),
        stage=next((one.coloured for one in every if one.coloured), None),
        moods={label: rounded(seconds) for label, seconds in sorted(moods.items())},
        moments=sorted((best for one in every for best in best_moments(one)), key=lambda best: -best.worth)[:MOMENTS],
    )


def _gathered(results: Results) -> Gathered | None:
    try:
        return gather(results, COUNTED, coast_of(results.folder), areas_of(results.folder))
    except NoFrames:
        return None


def _merged(counts: Sequence[dict[str, Counter[str]]]) -> dict[str, dict[str, int]]:
    merged: dict[str, Counter[str]] = {}
    for one in counts:
        for key, labels in one.items():
            merged.setdefault(key, Counter()).update(labels)
    return {key: dict(sorted(labels.items())) for key, labels in merged.items()}


def bytes_of(results: Sequence[Results]) -> int:
    """The size of all results.jsonl of a run; raises `ResultsError`."""
    try:
        return sum(part.path.stat().st_size for one in results for part in one.parts())
    except OSError as error:
        raise cannot_be_read(Path(error.filename), error) from error


def write_digest(folder: Path) -> Digest:
    """Write digest.json into the folder of a run; raises `ResultsError` and `ForeignFile`."""
    digest = digest_of(results_in(folder))
    keep_digest(folder, digest)
    return digest


def keep_digest(folder: Path, digest: Digest) -> None:
    """Write this one; raises as `write_digest`."""
    try:
        manifest_of(folder).write(folder / DIGEST, msgspec.json.encode(digest) + b"\n")
    except OSError as error:
        raise cannot_be_written(folder / DIGEST, error) from error


def read_digest(content: bytes | None) -> Digest | None:
    """What digest.json says; None where it is not what facepipe writes."""
    try:
        return None if content is None else msgspec.json.decode(content, type=Digest)
    except (msgspec.DecodeError, RecursionError):
        return None
