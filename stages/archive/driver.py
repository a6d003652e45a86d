"""Which task comes next. Ray places tasks and does them again; here is only what depends on what, and how many wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import FacepipeError
from . import tasks
from .ledger import Done, FilmState, Ledger, Plan
from .names import work_name
from .outcome import Failed, Trouble
from .progress import Progress

LOOK_S = 0.5  # between two looks at the cluster, which may have grown


class ArchiveStopped(FacepipeError):
    """The archive cannot go on now; started again it goes on."""


class Workers(Protocol):
    """What the driver needs of a `Cluster`."""

    @property
    def cores(self) -> int: ...

    @property
    def running(self) -> int: ...

    def submit(self, label: Any, function: Any, *given: object) -> None: ...

    def finished(self, within_s: float) -> Iterator[tuple[Any, object]]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done about a film."""

    film: FilmState
    what: str  # the function of `tasks`
    given: tuple = ()


class Driver:
    """Has all films looked through, their parts analysed and joined."""

    def __init__(self, states: list[FilmState], ledger: Ledger, workers: Workers, setup: object, view):
        """`setup`: a `Setup`, or what stands for it at the workers; `view` is shown the `Progress`."""
        self._states, self._ledger, self._workers, self._setup, self._view = states, ledger, workers, setup, view
        # Films are finished before others are begun: so few of them are open, and their copies fit the disks.
        self._joins: deque[Task] = deque()
        self._parts: deque[Task] = deque()
        self._looks: deque[Task] = deque()
        self._analysed_s, self._began_s = 0.0, time.monotonic()  # seconds of film, in this start

    def work(self) -> None:
        """Do all that is not done; raises `ArchiveStopped` where it cannot go on."""
        for state in self._states:
            if state.done is None and state.plan is None:
                self._looks.append(Task(state, "look"))
            elif state.done is None:
                self._divided(state)
            elif state.lacks_tables:
                self._joins.append(Task(state, "tabulate"))
        while self._workers.running or self._waiting:
            self._submit()
            for task, outcome in self._workers.finished(LOOK_S):
                self._came(task, outcome)
            self._view.show(self.progress)
            self._ledger.save(self._states, only_if_due=True)

    def progress(self) -> Progress:
        """How far it is."""
        elapsed_s = time.monotonic() - self._began_s
        return Progress.of(self._states, self._analysed_s / elapsed_s if self._analysed_s else None)

    @property
    def _waiting(self) -> bool:
        return bool(self._joins or self._parts or self._looks)

    def _submit(self) -> None:
        """Give the cluster what its cores need, and as much again, so that none of them waits for this process."""
        most = 2 * self._workers.cores
        while self._workers.running < most and self._waiting:
            task = next(queue for queue in (self._joins, self._parts, self._looks) if queue).popleft()
            if task.film.failed is None:
                function = getattr(tasks, task.what)
                self._workers.submit(task, function, self._setup, task.film.film, *task.given)

    def _came(self, task: Task, outcome: object) -> None:
        state = task.film
        if task.given and task.given[0] is not state.plan:
            return  # Of the parts of a film that is analysed in one piece now.
        if isinstance(outcome, Failed):
            self._failed(task, outcome)
        elif isinstance(outcome, Plan):
            state.plan, state.parts = outcome, set()
            self._divided(state)
        elif isinstance(outcome, Done):
            state.done = outcome
        elif task.what == "tabulate":
            state.lacks_tables = False
        elif state.failed is None:
            _, number = task.given
            state.parts.add(number)
            self._analysed_s += state.plan.seconds_of(number)
            self._join_if_whole(state)

    def _divided(self, state: FilmState) -> None:
        missing = [number for number in state.plan.numbers() if number not in state.parts]
        self._parts.extend(Task(state, "analyse", (state.plan, number)) for number in missing)
        if not missing:
            self._join_if_whole(state)

    def _join_if_whole(self, state: FilmState) -> None:
        if state.parts.issuperset(state.plan.numbers()):
            self._joins.append(Task(state, "join", (state.plan,)))

    def _failed(self, task: Task, failed: Failed) -> None:
        state = task.film
        match failed.trouble:
            case Trouble.ARCHIVE:
                raise ArchiveStopped(failed.sentence)
            case Trouble.DIVISION if state.plan.whole is None:
                state.plan = state.plan.undivided(failed.sentence)
                self._parts = deque(task for task in self._parts if task.film is not state)
                self._joins.append(Task(state, "undivided", (state.plan,)))
            case Trouble.DEFECT:
                trace = f"{work_name(state.film.name)}/traceback.txt"
                self._ledger.storage.write(trace, failed.trace.encode("utf-8", "backslashreplace"))
                state.failed = f"facepipe failed: {failed.sentence}; {trace} says where."
            case _:
                state.failed = failed.sentence
