"""Whose answers capture does not rely on: who is asked last, and who is given nothing more. Pure.

An answer that cannot be taken has one reason. That a task stays unanswered has many: messages are lost, a cable is
pulled, render takes its time. So a worker is blamed for it only after a stall in which render was heard, if it calls
the task finished, and if that is so with most of what it had, or with the same tasks again and again. Until then it
costs it nothing but that others are asked first. Who is slow calls nothing finished, and who is started again is asked
anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from ..names import printable
from ..protocol import limits
from ..protocol.messages import WorkerHello
from .events import WorkerProcess
from .states import FrameState
from .tasks import DETECT, InFlight, Tasks
from .workers import Worker, Workers

UNANSWERED = 5  # so many tasks that a worker calls finished and render is missing, and it is not believed any more
UNANSWERED_AND_SILENT = 8  # the same of one task, where nothing after it was answered: a cable may be pulled for long
UNANSWERED_OF_MANY = 20  # the same of one that has answered others: messages can be lost and late in a row
WITHHELD = 3  # so many tasks given up because nobody answered them, and who had them last is not believed any more
LATE = 20  # the same of a live source, where it has answered nothing in time


@dataclass(slots=True)
class Redeliveries:
    """Who was given a task and has not answered it so that the answer could be taken."""

    hosts: set[str] = field(default_factory=set)
    workers: Counter[tuple[str, int]] = field(default_factory=Counter)
    refused: int = 0  # answers that could not be taken
    unanswered: int = 0  # times that a worker had finished it, as it said, and render was missing it after a stall
    newest: int | None = None  # once these are too many: only workers that were here by then are still asked
    nobody_since_s: float | None = None  # there is none that may be asked

    def may_ask(self, worker: Worker) -> bool:
        """After too many answers that could not be taken nobody keeps a frame open by coming again and again."""
        return self.newest is None or worker.number <= self.newest

    def nobody_for_s(self, able: bool, now_s: float) -> float:
        """For how long there has been none that may be asked. Who has just had a task in isolation, for this source or
        for another, says a moment later that it has room again."""
        if able:
            self.nobody_since_s = None
            return 0.0
        if self.nobody_since_s is None:
            self.nobody_since_s = now_s
        return now_s - self.nobody_since_s

    def rank(self, worker: Worker) -> tuple:
        """The smaller, the sooner this worker is asked: who has answered others, and on other hosts than before.

        A message may have been lost, so one is asked twice before those are who have never answered anything.
        """
        return self.workers[worker.worker] >= 2, not worker.answered, *self.others_first(worker), worker.number

    def others_first(self, worker: Worker) -> tuple[bool, bool]:
        """The smaller, the less this worker, and its host, had to do with it."""
        return worker.host in self.hosts, worker.worker in self.workers

    def has_asked_all(self, workers: Iterable[Worker]) -> bool:
        """Whether each of these who is not stuck with another task has had it."""
        return all(worker.worker in self.workers for worker in workers if worker.credit and not worker.is_stuck)

    def add(self, worker: Worker) -> None:
        self.hosts.add(worker.host)
        self.workers[worker.worker] += 1


@dataclass(slots=True)
class Stalled:
    """What is to be done after a stall."""

    tasks: list[tuple[int, str, str]] = field(default_factory=list)  # to be given up: frame, stage and reason
    workers: list[tuple[str, str]] = field(default_factory=list)  # to be evicted: connection and reason


class WorkerHealth:
    """What the workers of one capture have done with their tasks."""

    def __init__(self, tries: int, evicted: Iterable[WorkerProcess] = (), answering: Iterable[tuple[str, str]] = ()):
        """`tries`: so many answers that cannot be taken, and a task is not given to those who come after."""
        self._tries = tries
        self._evicted: dict[WorkerProcess, None] = dict.fromkeys(evicted)
        self._unanswered: Counter[tuple[str, str]] = Counter()  # tasks, by stage and host: see `never_answers`
        self._answering = set(answering)  # stage and host of those whose answers are in the outputs
        self._redeliveries: dict[tuple[str, int], Redeliveries] = {}  # by stage and frame

    @property
    def evicted(self) -> tuple[WorkerProcess, ...]:
        """Those that are given nothing more."""
        return tuple(self._evicted)

    @property
    def answering(self) -> tuple[tuple[str, str], ...]:
        """Stage and host of those whose answers are in the outputs."""
        return tuple(sorted(self._answering))

    @property
    def has_cause(self) -> bool:
        """Whether there is anything to blame anybody for."""
        return bool(self._evicted or self._unanswered)

    @property
    def stages(self) -> set[str]:
        """The stages that have, or had, workers whose answers cannot be had."""
        silent = {stage for stage, host in self._unanswered if self.never_answers(stage, host)}
        return silent | {stage for stage, _, _ in self._evicted}

    def evict(self, process: WorkerProcess) -> None:
        if len(self._evicted) >= limits.EVICTIONS:
            del self._evicted[next(iter(self._evicted))]
        self._evicted[process] = None

    def reason_to_refuse(self, came: WorkerHello) -> str | None:
        """Why one that has come is not taken, if it is for what it, or its host, has done before."""
        host, on = came.host, printable(came.host)
        if (came.stage, came.worker, came.incarnation) in self._evicted:
            return f"the answers of this {came.stage} on {on} could not be taken"
        like_it = sum((stage, worker[0]) == (came.stage, host) for stage, worker, _ in self._evicted)
        if like_it >= limits.EVICTED:
            return f"the answers of {limits.EVICTED} processes of {came.stage} on {on} could not be taken"
        if self.never_answers(came.stage, host):
            return f"no {came.stage} on {on} has answered any of its tasks"
        return None

    # --- One task ---

    def note_redelivery(self, number: int, worker: Worker) -> Redeliveries:
        """This worker had the task of this frame, and others are asked now."""
        redeliveries = self._redeliveries.setdefault((worker.stage, number), Redeliveries())
        redeliveries.add(worker)
        return redeliveries

    def refused(self, number: int, worker: Worker, taken: int) -> None:
        """Its answer could not be taken; `taken`: the highest number of a worker so far."""
        redeliveries = self.note_redelivery(number, worker)
        redeliveries.refused += 1
        if redeliveries.refused == self._tries:
            redeliveries.newest = taken

    def redeliveries(self, stage: str, number: int) -> Redeliveries:
        return self._redeliveries.get((stage, number)) or Redeliveries()

    def to_redeliver(self, stage: str, frames: Set[int]) -> list[int]:
        """The frames whose task somebody was asked for in vain, in order."""
        return (
            sorted(number for number in frames if (stage, number) in self._redeliveries) if self._redeliveries else []
        )

    def forget(self, number: int, stages: Iterable[str]) -> None:
        """A frame is done."""
        if self._redeliveries:
            for stage in stages:
                self._redeliveries.pop((stage, number), None)

    # --- What a worker makes of its tasks ---

    def answered(self, worker: Worker) -> None:
        """An answer of it is in the outputs."""
        worker.answered += 1
        self._answering.add((worker.stage, worker.host))

    def unanswered(self, worker: Worker) -> None:
        """It calls a task finished that render is missing."""
        worker.unanswered += 1
        host = (worker.stage, worker.host)
        if host not in self._unanswered and len(self._unanswered) >= limits.WORKERS:
            self._unanswered.clear()
        self._unanswered[host] += 1

    def never_answers(self, stage: str, host: str) -> bool:
        """Whether the workers of a host, who may come under ever new names, hold tasks back and have answered none."""
        return self._unanswered[stage, host] >= UNANSWERED and (stage, host) not in self._answering

    def late(self, worker: Worker, has_others: bool) -> str | None:
        """Live: a worker that calls its tasks finished, and never once has answered one in time, is in the way."""
        worker.unanswered += 1
        if has_others and worker.unanswered >= LATE and not worker.answered:
            return f"none of {worker.unanswered} tasks was answered in time"
        return None

    def stalled(self, tasks: Tasks, workers: Workers) -> Stalled:
        """A task that a worker calls finished and render is missing was lost, or never answered: another one is asked.

        Who does that with most of its tasks is to be evicted. Messages are lost too, but not most of them, and not
        each time that of the same task.
        """
        answered, unanswered = self._finished(tasks, workers)
        found = Stalled()
        for number, worker, connection in unanswered:
            self.unanswered(worker)
            redeliveries = self.note_redelivery(number, worker)
            redeliveries.unanswered += 1
            # Messages of one worker keep their order: who is heard later has not been cut off.
            most = UNANSWERED if max(answered[connection], default=-1) > number else UNANSWERED_AND_SILENT
            if redeliveries.unanswered >= most and redeliveries.has_asked_all(workers.of(worker.stage).values()):
                worker.withheld += 1
                last = f"{worker.stage} {worker.worker[1]} on {printable(worker.host)} the last time"
                says = f"asked {redeliveries.unanswered} times without an answer, {last}"
                found.tasks.append((number, worker.stage, says))
        for connection, worker in workers.here.items():
            worker.is_stuck = bool(worker.under_way)
            has_answered = worker.answered + len(answered[connection])
            is_most = worker.unanswered >= UNANSWERED_OF_MANY and worker.unanswered >= has_answered
            never = worker.unanswered and not has_answered and self.never_answers(worker.stage, worker.host)
            if is_most or never or worker.withheld >= WITHHELD:
                says = f"it says that it has finished {worker.unanswered} tasks that render has no answer for"
                found.workers.append((connection, says))
        return found

    def _finished(self, tasks: Tasks, workers: Workers) -> tuple[dict[str, list[int]], list[tuple[int, Worker, str]]]:
        """Of the tasks that their workers call finished, the answered ones by connection, and the others."""
        answered: defaultdict[str, list[int]] = defaultdict(list)
        unanswered = []
        for number, frame in tasks.frames.items():
            missing_parts = tasks.missing_parts(number)
            for stage, connection in frame.holders.items():
                worker = workers.get(connection)
                is_new = frame.state is FrameState.QUEUED
                if worker is None or worker.has(number) or is_new or stage in frame.given_up:
                    continue
                if stage != DETECT and not self._is_cut_well(frame, workers):
                    continue
                if stage == DETECT and tasks.contradicts(frame, missing_parts):
                    frame.forget_crops()
                if stage in missing_parts or (stage == DETECT and frame.crops is None):
                    unanswered.append((number, worker, connection))
                else:
                    answered[connection].append(number)
        return answered, unanswered

    def _is_cut_well(self, frame: InFlight, workers: Workers) -> bool:
        """Whether an attribute stage that is not heard may be to blame, and not a detect that told render of others."""
        maker = workers.get(frame.cut_by) if frame.crops is not None else None
        if maker is None or any((stage, of[0]) == (DETECT, maker.host) for stage, of, _ in self._evicted):
            return False
        return (DETECT, maker.host) in self._answering and frame.crops.attempt == frame.attempt
