"""What follows when a worker ends, fails at a task, or gives an answer that cannot be taken. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Set

from .control_block import ControlBlock
from .events import Action, AnswerRefused, WorkerExited
from .quarantine import OWN_FAULT
from .states import FrameState, WorkerEvent
from .tasks import DETECT


class Failures:
    """Quarantines and gives up tasks, and evicts workers."""

    def __init__(self, block: ControlBlock):
        self._block, self._tasks, self._workers = block, block.tasks, block.workers
        self._quarantine, self._health = block.quarantine, block.health

    def exited(self, ended: WorkerExited) -> Iterator[Action]:
        """What a worker held that ended by its own fault goes out again in isolation; what it had in isolation has
        failed once more."""
        for connection in self._workers.note_end(ended):
            self._block.lose_worker(connection)
        worker = self._workers.pop_exited(ended)
        for number in set(worker.under_way.values()) if worker is not None else ():
            if number in self._tasks.frames and worker.stage not in self._tasks.frames[number].given_up:
                isolated = worker.isolated_frame == number
                if isolated and ended.cause in OWN_FAULT:
                    self._health.note_redelivery(number, worker)
                if reason := self._quarantine.ended(worker.stage, number, ended.cause, isolated):
                    yield from self._block.give_up_for_good(number, worker.stage, reason)

    def failed(self, connection: str, number: int, reason: str) -> Iterator[Action]:
        """A worker could not answer a task, and lives."""
        worker, frame = self._workers.here[connection], self._tasks.frames[number]
        self._health.note_redelivery(number, worker)
        if frame.holders.get(worker.stage) == connection:
            del frame.holders[worker.stage]
        if given_up := self._quarantine.failed(worker.stage, number, reason, worker.isolated_frame == number):
            yield from self._block.give_up_for_good(number, worker.stage, given_up)
        else:
            self._tasks.make_due(number, worker.stage)
        if worker.isolated_frame == number:
            self._block.release(worker, WorkerEvent.FAILED)

    def refused(self, refused: AnswerRefused) -> Iterator[Action]:
        """Whose answer cannot be taken is given nothing more, and what it has is given to others."""
        of_stage = self._workers.of(refused.stage)
        connection = next((c for c, w in of_stage.items() if w.number == refused.worker), None)
        if connection is None:
            return  # It is gone, and all that it had was given to others then.
        worker = of_stage[connection]
        if (frame := self._tasks.frames.get(refused.frame)) is not None:
            self._health.refused(refused.frame, worker, self._workers.taken)
            if frame.holders.get(worker.stage) == connection and worker.stage != DETECT:
                self._tasks.make_due(refused.frame, worker.stage)
        yield from self._block.evict(connection, f"its answer for frame {refused.frame} {refused.reason}")

    def give_up_without_workers(self, gone: Set[str]) -> Iterator[Action]:
        """Of a file: a stage that is gone is not waited for if all its workers gave answers that could not be taken."""
        distrusted = self._health.stages
        for stage in [stage for stage in self._tasks.stages if stage in gone and stage in distrusted]:
            reason = f"no process of {stage} is left whose answers can be taken"
            for number, frame in self._tasks.frames.items():
                if frame.state is FrameState.UNANALYSED or number not in self._tasks.due[stage]:
                    continue
                missing_parts = self._tasks.missing_parts(number) - frame.given_up.keys()
                # Where render has faces, but nobody has their crops any more, it is the attributes that are given up.
                missing = (stage,) if stage in missing_parts else frame.attributes if stage == DETECT else ()
                for one in [one for one in missing if one in missing_parts]:
                    yield from self._block.give_up_for_good(number, one, reason)
