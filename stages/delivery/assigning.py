"""Which worker is given which task, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..protocol import limits
from .control_block import ControlBlock
from .events import Action, AskInstead, SendCrops, SendFrame, SendIsolate, SendPicture
from .states import FrameEvent, FrameState, WorkerEvent
from .tasks import DETECT

LINGER_S = 0.1  # so long tasks of a stage that has nothing to do wait for others


class Assigner:
    """Hands out what is due, to the worker with the most credit."""

    def __init__(self, block: ControlBlock):
        self._block, self._rules = block, block.rules
        self._tasks, self._workers = block.tasks, block.workers
        self._quarantine, self._health = block.quarantine, block.health
        self._assigned_s = dict.fromkeys(self._tasks.stages, float("-inf"))  # when a stage was given something last

    def hand_out(self, now_s: float, window: int) -> Iterator[Action]:
        """Give what is due to those who have credit; at most `window` frames are with workers and render."""
        for stage in reversed(self._tasks.stages):  # Attributes first: what is nearly done frees the window.
            due = self._tasks.due[stage]
            if quarantined := self._quarantine.of(stage):
                yield from self._isolate(stage)
                due = due - quarantined
            for number in self._health.to_redeliver(stage, due):
                due = due - {number}
                yield from self._redeliver(stage, number, now_s)
            credit = self._credit(stage, len(due), now_s) if due else {}
            while due and (connection := self._workers.with_most_credit(credit)) is not None:
                number = min(due)
                is_new = stage == DETECT and self._tasks.frames[number].state is FrameState.QUEUED
                if is_new and self._tasks.at_render >= window:
                    break  # Render has a whole window before it.
                due.discard(number)
                self._tasks.due[stage].discard(number)
                self._assigned_s[stage] = now_s
                yield from self.assign(stage, number, connection)

    def idle_s(self, now_s: float) -> float:
        """For how long detect has been given nothing."""
        return now_s - self._assigned_s[DETECT]

    def assign(self, stage: str, number: int, connection: str) -> Iterator[Action]:
        """Give the task of a frame to a worker."""
        frame, worker = self._tasks.frames[number], self._workers.given(connection)
        worker.last_seq += 1
        worker.under_way[worker.last_seq] = number
        frame.holders[stage] = connection
        if stage != DETECT:
            yield SendCrops(connection, stage, number, worker.last_seq)
            return
        is_new = frame.state is FrameState.QUEUED
        frame.step(FrameEvent.ASSIGNED)
        frame.attempt += 1
        if is_new and (asked := self._tasks.ask_instead(number)) is not None:
            yield AskInstead(number, asked)
        # The frame first: render will be waiting for what detect finds in it, not for the picture.
        yield SendFrame(connection, number, worker.last_seq, frame.attempt, tuple(frame.given_up))
        if is_new:
            yield SendPicture(number)

    def assign_isolated(self, connection: str) -> Iterator[Action]:
        """A worker has nothing left, it says: it is given a quarantined task."""
        worker = self._workers.here[connection]
        due = self._tasks.due[worker.stage] & self._quarantine.of(worker.stage)
        if not due:
            self._block.lose_worker(connection)  # It was answered meanwhile. A new welcome sets the worker free.
            return
        worker.under_way.clear()  # What it had it calls finished.
        worker.step(WorkerEvent.ASSIGNED)
        worker.isolated_frame = min(due)
        self._tasks.due[worker.stage].discard(worker.isolated_frame)
        yield from self.assign(worker.stage, worker.isolated_frame, connection)

    def _credit(self, stage: str, due: int, now_s: float) -> dict[str, int]:
        """How many tasks each worker can be given now."""
        if not self._rules.batches:
            return self._workers.credit(stage)
        # A part of the window is for what is further on: other stages are to have something to do too.
        share = max(limits.CREDIT, self._rules.window // (1 + len(self._workers.of(stage))))
        # As long as detect is at work, more will be due soon, and what an attribute waits for holds nobody up.
        is_more_to_come = stage != DETECT and any(w.under_way for w in self._workers.of(DETECT).values())
        is_more_to_come = is_more_to_come and now_s - self._assigned_s[stage] < LINGER_S
        return self._workers.batch_credit(stage, due, share, is_more_to_come)

    def _isolate(self, stage: str) -> Iterator[Action]:
        """One worker of the stage is to take one of its quarantined tasks in isolation; the others go on with the
        rest."""
        quarantined = self._tasks.due[stage] & self._quarantine.of(stage)
        if not quarantined:
            return
        free = {c: w for c, w in self._workers.of(stage).items() if w.is_able}
        if free and not any(worker.is_isolated for worker in free.values()):
            redeliveries = self._health.redeliveries(stage, min(quarantined))
            connection = min(free, key=lambda c: (*redeliveries.others_first(free[c]), len(free[c].under_way)))
            free[connection].step(WorkerEvent.ISOLATE)
            free[connection].is_waited_for = False
            yield SendIsolate(connection)

    def _redeliver(self, stage: str, number: int, now_s: float) -> Iterator[Action]:
        """Somebody was asked for this task in vain: who is most likely to answer gets it, however busy he is."""
        redeliveries = self._health.redeliveries(stage, number)
        able = {c: w for c, w in self._workers.of(stage).items() if w.is_able and redeliveries.may_ask(w)}
        if (
            redeliveries.newest is not None
            and redeliveries.nobody_for_s(bool(able), now_s) >= self._rules.give_up_after_s
        ):
            says = f"{stage} gave {redeliveries.refused} answers for this frame that could not be taken"
            yield from self._block.give_up_for_good(number, stage, says)
            return
        able = {c: w for c, w in able.items() if not w.is_isolated}
        asked = {c: w for c, w in able.items() if not w.is_stuck} or able
        if not asked:
            return
        connection = min(asked, key=lambda c: redeliveries.rank(asked[c]))
        if asked[connection].free > 0:
            self._tasks.due[stage].discard(number)
            yield from self.assign(stage, number, connection)
