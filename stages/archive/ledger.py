"""What is done of an archive: there is a file for everything, so that another start finds it and goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from .. import time_of_day
from ..config.schema import ConfigError
from ..layout import RESULTS, RUN
from ..project import VERSION
from ..sources.urls import is_url
from .dataset import table_names
from .finding import FilmFile
from .names import LOCK, MANIFEST, PLAN, WHOLE, WORK, done_name, part_file, plan_name, work_name
from .storage import Storage, StorageError

SAVED_S = 30.0  # between two times that the manifest is written while the work goes on, at least
SAVED_SHARE = 0.02  # and at most this share of the time goes into it: that of many films is large


class _Manifest(msgspec.Struct):
    """What archive.json must hold."""

    archive: Annotated[str, msgspec.Meta(min_length=1)]
    started: str
    root: str
    inputs: dict[str, object]
    films: list[dict[str, object]]


class Plan(msgspec.Struct, frozen=True):
    """How one film is divided."""

    key: str
    parts: list[float]  # seconds of each; one, where it is analysed in one piece
    frames: int
    part_s: float  # what it was divided by
    whole: str | None = None  # why it is analysed in one piece

    @property
    def seconds(self) -> float:
        return sum(self.parts)

    def seconds_of(self, number: str) -> float:
        return self.parts[0 if number == WHOLE else int(number)]

    def undivided(self, why: str) -> Plan:
        """The same film in one piece."""
        return Plan(self.key, [self.seconds], self.frames, self.part_s, why)

    def numbers(self) -> list[str]:
        """What its parts are called."""
        return [WHOLE] if self.whole is not None else [f"{number:05}" for number in range(len(self.parts))]


class Done(msgspec.Struct, frozen=True):
    """One film that is finished."""

    stamp: list
    seconds: float
    frames: int
    faces: int
    parts: int
    core_s: float  # that one core has worked for it
    whole: str | None = None
    notes: list[str] = []  # what is wrong with the film, such as that it ends early


@dataclass
class FilmState:
    """How one film stands."""

    film: FilmFile
    plan: Plan | None = None
    parts: set[str] = field(default_factory=set)  # those that are there
    done: Done | None = None
    failed: str | None = None  # why it cannot be analysed, in this start
    lacks_tables: bool = False  # it is finished, and not in the data set


def key_of(film: FilmFile, inputs: dict, part_s: float) -> str:
    """The name of what is made of this version of a film, by this version of facepipe with these inputs."""
    said = json.dumps([VERSION, film.stamp, inputs, part_s], sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()[:12]


class Ledger:
    """The archive in one storage. Its methods raise `StorageError`."""

    def __init__(self, storage: Storage):
        self.storage = storage
        self.name, self.started = uuid.uuid4().hex[:12], time_of_day.written()
        self.root: str | None = None  # the folder that the names of films count from; None of one that begins
        self.inputs: dict | None = None  # what films are analysed with
        self.sentences: list[str] = []  # what a person should know of what was found
        self._rows: dict[str, dict] = {}  # of films, as they were written before
        self._saved_s, self._took_s = time.monotonic(), 0.0
        self._read()

    def refuse_other(self, inputs: dict) -> None:
        """Raise `ConfigError` where the archive was begun with other inputs, or something else is there."""
        if self.inputs is None:
            # A command that was killed before it wrote anything leaves its lock.
            if first := next((name for name in self.storage.names() if name != LOCK), None):
                raise ConfigError(
                    f"{self.storage.address} holds {first} and no {MANIFEST}, so it is no archive; choose another"
                    " --output."
                )
            return
        other = (key for key in {**inputs, **self.inputs} if inputs.get(key) != self.inputs.get(key))
        if difference := next(other, None):
            raise ConfigError(
                f"the archive in {self.storage.address} was begun with another {difference}; choose another --output"
                " for a new one."
            )

    def begin(self, root: str, inputs: dict, films: Iterable[FilmFile]) -> list[FilmState]:
        """Begin the archive, or go on with it; returns how these films stand.

        The storage must be held against others: what is left of a film that was changed is removed. Raises
        `ConfigError` where another command has begun it since, and where a film would replace what is not of this
        archive.
        """
        if self.storage.read(MANIFEST) != self._content:
            raise ConfigError(f"another command has written to {self.storage.address}; start this one again.")
        self.root, self.inputs = root, inputs
        self._drop_lost_films()
        return self._found(films, inputs)

    def save(self, states: Iterable[FilmState], *, only_if_due: bool = False) -> None:
        """Write the manifest."""
        now_s = time.monotonic()
        if only_if_due and now_s - self._saved_s < max(SAVED_S, self._took_s / SAVED_SHARE):
            return
        self._rows |= {state.film.name: _row(state) for state in states}
        said = {
            "archive": self.name,
            "facepipe": VERSION,
            "started": self.started,
            "root": self.root,
            "inputs": self.inputs,
            "films": [self._rows[name] for name in sorted(self._rows)],
        }
        text = json.dumps(said, indent=1, ensure_ascii=False) + "\n"
        self.storage.write(MANIFEST, text.encode("utf-8", "backslashreplace"))
        self._saved_s = time.monotonic()
        self._took_s = self._saved_s - now_s

    def forget(self, film: FilmFile) -> None:
        """Remove what was made of a film, also what is finished."""
        self.storage.remove(done_name(film.name))
        self.storage.remove(work_name(film.name))

    def _read(self) -> None:
        self._content = content = self.storage.read(MANIFEST)
        if content is None:
            return
        try:
            said = msgspec.convert(json.loads(content), _Manifest)
            rows = {msgspec.convert(row["film"], str): row for row in said.films}
        except (ValueError, KeyError, RecursionError, msgspec.ValidationError):
            raise StorageError(
                f"{self.storage.address}/{MANIFEST} is damaged; put it back, or choose another --output."
            ) from None
        self.name, self.root, self.inputs, self.started = said.archive, said.root, said.inputs, said.started
        self._rows = rows

    def _drop_lost_films(self) -> None:
        """A film that could not be read, and whose file is no longer there, is not of the archive any more."""
        if is_url(self.root):  # Each would have to be asked for.
            return
        for name in [name for name, row in self._rows.items() if row.get("state") == "failed"]:
            if not os.path.lexists(os.path.join(self.root, name)):
                del self._rows[name]

    def _found(self, films: Iterable[FilmFile], inputs: dict) -> list[FilmState]:
        """How these films stand by the files that are there."""
        names = set(self.storage.names())
        work: dict[str, set[str]] = {}
        for name in names:
            if name.startswith(f"{WORK}/"):
                film, _, file = name.removeprefix(f"{WORK}/").rpartition("/")
                work.setdefault(film, set()).add(file)
        films = list(films)
        self._refuse_foreign(films, names)
        return [self._state(film, work.get(film.name, set()), names, inputs) for film in films]

    def _refuse_foreign(self, films: list[FilmFile], names: set[str]) -> None:
        """Raise `ConfigError` where the folder of a film that is new here holds something: it would be replaced."""
        above = {str(folder) for name in names for folder in PurePosixPath(name).parents}
        for film in films:
            if film.name in self._rows or done_name(film.name) in names or plan_name(film.name) in names:
                continue
            if film.name in above or film.name in names:
                raise ConfigError(
                    f"{self.storage.address}/{film.name} is not of this archive, and the results of a film would take"
                    " its place; move it away, or choose another --output."
                )

    def _state(self, film: FilmFile, work: set[str], names: set[str], inputs: dict) -> FilmState:
        state = FilmState(film)
        if done_name(film.name) in names:
            done, has_results = self._done(film), names.issuperset(f"{film.name}/{file}" for file in (RESULTS, RUN))
            if done is not None and done.stamp == film.stamp and has_results:
                if work:  # The process that finished the film was ended before it removed them.
                    self.storage.remove(work_name(film.name))
                state.done, state.lacks_tables = done, not names.issuperset(table_names(film.name))
                return state
            how = "was changed since it was analysed" if has_results else "has no results any more"
            self.sentences.append(f"{film.name} {how}, so it is analysed anew")
            self.forget(film)
        elif PLAN in work:
            plan = decoded(self.storage.read(plan_name(film.name)), Plan)
            if plan is not None and plan.key == key_of(film, inputs, plan.part_s):
                state.plan = plan
                state.parts = {number for number in plan.numbers() if part_file(plan.key, number) in work}
            else:
                self.forget(film)
        return state

    def _done(self, film: FilmFile) -> Done | None:
        """From the manifest where it says so, which is one file for many films."""
        row = self._rows.get(film.name, {})
        if row.get("state") == "done":
            with contextlib.suppress(msgspec.ValidationError):  # Its own file says it as well.
                return msgspec.convert(row, Done)
        return decoded(self.storage.read(done_name(film.name)), Done)


def _row(state: FilmState) -> dict:
    row: dict = {"film": state.film.name, "stamp": state.film.stamp}
    if state.done is not None:
        return row | {"state": "done"} | msgspec.to_builtins(state.done)
    if state.failed is not None:
        return row | {"state": "failed", "reason": state.failed}
    return row | {"state": "open"}


def decoded(content: bytes | None, kind: type):
    """A value that was written as JSON; None where nothing is there, or something else."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(content or b"", type=kind)
    return None
