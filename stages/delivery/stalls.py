"""What is sent again, and to whom, when render makes no progress. Pure.

It guards against lost messages. One timer for the whole source, so that a stall makes no storm; it doubles.
"""

from __future__ import annotations

from collections.abc import Iterator

from .assigning import Assigner
from .control_block import ControlBlock
from .events import Action, SendPicture
from .health import UNANSWERED
from .states import FrameState
from .tasks import DETECT, PICTURE

LONGEST_RESEND = 16  # times `resend_after_s`, however often nothing has come of it
STALLS = 3  # after so many stalls what a worker holds is taken for lost too
HEARD_S = 2.0  # with two acknowledgements within so long, since the timer ran, render lives and says what it is missing


class Stalls:
    """The timer, and what is done when it fires."""

    def __init__(self, block: ControlBlock, assigner: Assigner):
        self._block, self._assigner = block, assigner
        self._tasks, self._workers, self._health = block.tasks, block.workers, block.health
        self._since_s = 0.0  # the last progress, or the last stall
        self._resend_after_s = block.rules.resend_after_s
        self._count = 0  # stalls since the last progress

    def start(self, now_s: float) -> None:
        """The first frame in flight has been read: the timer runs."""
        self._since_s = now_s

    def progressed(self, now_s: float) -> None:
        """Render has acknowledged a frame."""
        self._since_s, self._resend_after_s, self._count = now_s, self._block.rules.resend_after_s, 0

    def check(self, now_s: float) -> Iterator[Action]:
        """Send again what render is missing, if it has made no progress for long."""
        if not self._tasks.frames or now_s - self._since_s < self._resend_after_s or self._is_somebody_awaited:
            return
        # Twice, because the first acknowledgement may have been on its way when render died.
        is_render_heard = self._block.acked_s[0] > max(self._since_s, now_s - HEARD_S)
        self._since_s = now_s
        self._resend_after_s = min(2 * self._resend_after_s, LONGEST_RESEND * self._block.rules.resend_after_s)
        self._count += 1
        if self._count >= STALLS:
            for worker in self._workers.here.values():
                worker.under_way.clear()
        yield from self._lose_isolated()
        # Else it is render that is silent, and what it is missing is not known.
        if is_render_heard:
            yield from self._blame()
        for number, frame in self._tasks.frames.items():
            if PICTURE in self._tasks.missing_parts(number) and frame.state is not FrameState.QUEUED:
                yield SendPicture(number)
            self._make_due(number)
        yield from self.hand_to_the_idle()

    @property
    def _is_somebody_awaited(self) -> bool:
        """Whether a stage is not there, but for those that no worker is left of whose answers can be taken."""
        return not self._health.stages.issuperset(self._block.awaited)

    def _lose_isolated(self) -> Iterator[Action]:
        """Who was to take one task in isolation and has not: another one is asked, or after some stalls the same
        again."""
        for connection, worker in [(c, w) for c, w in self._workers.here.items() if w.is_isolated]:
            if (worker.is_waited_for and self._workers.has_others(worker)) or self._count >= STALLS:
                due = self._tasks.due[worker.stage]
                isolated = {worker.isolated_frame} if worker.isolated_frame is not None else due
                for number in isolated & self._block.quarantine.of(worker.stage):
                    self._health.note_redelivery(number, worker)
                self._health.unanswered(worker)
                if self._count >= UNANSWERED:
                    reason = "it does not answer the one task that it is to take in isolation"
                    yield from self._block.evict(connection, reason)
                else:
                    self._block.lose_worker(connection)
            worker.is_waited_for = True

    def _blame(self) -> Iterator[Action]:
        """Give up tasks that nobody answers, and evict workers that answer nothing."""
        stalled = self._health.stalled(self._tasks, self._workers)
        for number, stage, reason in stalled.tasks:
            yield from self._block.give_up_for_good(number, stage, reason)
        for connection, reason in stalled.workers:
            yield from self._block.evict(connection, reason)

    def _make_due(self, number: int) -> None:
        """What render is missing of a frame, and nobody is at work on, is handed out again."""
        frame, missing_parts = self._tasks.frames[number], self._tasks.missing_parts(number)
        if DETECT not in frame.holders and self._tasks.contradicts(frame, missing_parts):
            frame.forget_crops()  # Who told two different things is gone: the frame is looked at again.
        for stage in self._tasks.stages:
            is_at_work = self._workers.is_at_work(number, frame.holders.get(stage))
            if (stage in missing_parts or stage == DETECT) and not is_at_work:
                frame.holders.pop(stage, None)
                self._tasks.make_due(number, stage)

    def hand_to_the_idle(self, of_the_stuck: bool = False) -> Iterator[Action]:
        """What somebody has been at for long is given to one more, of those who have nothing else to do.

        `of_the_stuck`: attributes between two stalls, of those who have finished nothing since the last one, to those
        who have answered others. Otherwise a worker that takes tasks and is silent would cost a stall for each.
        """
        for stage in self._tasks.attributes if of_the_stuck else self._tasks.stages:
            here = self._workers.of(stage).items()
            idle = [c for c, w in here if w.free > 0 and not w.under_way and (w.answered or not of_the_stuck)]
            for number in self._tasks.frames:
                if idle and self._is_wanted_again(stage, number, of_the_stuck):
                    holder = self._tasks.frames[number].holders[stage]
                    self._health.note_redelivery(number, self._workers.here[holder])
                    yield from self._assigner.assign(stage, number, idle.pop())

    def _is_wanted_again(self, stage: str, number: int, of_the_stuck: bool) -> bool:
        """Whether somebody is at work on a task that render is missing, outside quarantine."""
        frame = self._tasks.frames[number]
        holder = frame.holders.get(stage)
        if not self._workers.is_at_work(number, holder) or number in self._block.quarantine.of(stage):
            return False
        if of_the_stuck and not self._workers.here[holder].is_stuck:
            return False
        is_asked = frame.state is not FrameState.UNANALYSED and stage not in frame.given_up
        return is_asked and stage in self._tasks.missing_parts(number) and (frame.is_cut or stage == DETECT)
