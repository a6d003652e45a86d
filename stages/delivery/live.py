"""What a live source drops, gives up and offers for showing at once, so that it is never late. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from .congestion import CongestionWindow
from .control_block import ControlBlock
from .events import Action, SendPreview
from .notices import NOTICE_S
from .states import FrameEvent, FrameState
from .tasks import DETECT, PICTURE, InFlight

LATE = "late"  # why a frame is dropped that cannot be shown in time
OVERLOAD = "overload"  # why a frame goes without what a stage has no time to say about it
PREVIEW_S = 1.0  # a preview that was lost is not waited for longer


class LivePolicy:
    """Deadlines, load shedding and previews."""

    def __init__(self, block: ControlBlock):
        self._block, self._rules, self._tasks, self._workers = block, block.rules, block.tasks, block.workers
        self._congestion = CongestionWindow(block.rules.window, block.rules.deadline_s)
        self._previewed: int | None = None  # the newest frame offered as preview
        self._previewed_s = float("-inf")

    def window(self, idle_s: float) -> int:
        """How many frames may be with workers and render at once, if detect was given the last one so long ago."""
        return self._congestion.frames(idle_s)

    def acknowledged(self, frame: InFlight, now_s: float) -> None:
        """Render is done with a frame; of one that has waited for answers that were given up nothing is learned."""
        if now_s - frame.read_s < self._rules.deadline_s:
            self._congestion.in_time()
        elif not frame.given_up:
            self._congestion.late(now_s)

    def make_room(self, newest: int) -> Iterator[Action]:
        """Beyond the window the oldest frame that detect has not been given goes; if it has been given all, the
        newest."""
        frames = self._tasks.frames
        is_full = len(frames) > self._rules.window or self._tasks.bytes > self._rules.window_bytes
        if is_full and len(frames) > 1:
            unsent = [number for number in self._tasks.due[DETECT] if frames[number].state is FrameState.QUEUED]
            yield from self._drop(min(unsent, default=newest), DETECT, "queue full")

    def preview(self, frame: int, now_s: float) -> Iterator[Action]:
        """Offer the newest picture, one at a time."""
        taken = self._block.ack.preview if self._block.ack is not None else None
        if taken is None or frame == self._previewed or frame not in self._tasks.frames:
            return
        previewed = self._previewed if self._previewed is not None else -1
        if taken > previewed or now_s - self._previewed_s >= PREVIEW_S:
            self._previewed, self._previewed_s = frame, now_s
            yield SendPreview(frame)

    def drop_stale(self, now_s: float) -> Iterator[Action]:
        """Of the frames that detect has not been given, only the newest may have waited for half of the deadline: work
        on an older one would be in vain, because it is late before all is said about it."""
        frames = self._tasks.frames
        queued = sorted(n for n in self._tasks.due[DETECT] if frames[n].state is FrameState.QUEUED)
        for number in queued[:-1]:
            if now_s - frames[number].read_s >= self._rules.deadline_s / 2:
                yield from self._drop(number, DETECT, LATE)

    def give_up_late(self, gone: Set[str], now_s: float) -> Iterator[Action]:
        """After the deadline answers are given up, and frames without faces dropped; so for a stage that is gone."""
        for number, frame in list(self._tasks.frames.items()):
            age_s = now_s - frame.read_s
            is_late = age_s >= self._rules.deadline_s
            if not is_late and not gone:
                break  # Frames are held in the order in which they were read.
            reason = LATE if is_late else "stage gone"
            missing_parts = self._tasks.missing_parts(number)
            # What render is missing is known from its last ack: only if that is from well after the deadline it is
            # lost.
            is_lost = age_s >= self._rules.deadline_s + 2 * NOTICE_S and missing_parts & {PICTURE, DETECT}
            if is_lost or (frame.crops is None and (is_late or DETECT in gone)):
                yield from self._note_late_workers(number, (DETECT,))
                if frame.crops is not None:  # Detect has answered: it is render that is behind.
                    self._congestion.late(now_s)
                yield from self._drop(number, DETECT, reason)
            elif frame.crops is not None and (frame.crops.faces or self._tasks.contradicts(frame, missing_parts)):
                stages = frame.attributes if is_late else [s for s in frame.attributes if s in gone]
                yield from self._note_late_workers(number, stages)
                self._block.give_up(number, stages, reason)

    def shed(self) -> None:
        """Attributes go before frames do: with half of the window in use, a stage that a quarter of it waits for keeps
        the newest of these tasks only. What it says is of now then, and the others' frames are done."""
        if 2 * len(self._tasks.frames) <= self._rules.window:
            return
        for stage in self._tasks.attributes:
            if 4 * len(self._tasks.due[stage]) >= self._rules.window:
                for number in sorted(self._tasks.due[stage])[:-1]:
                    self._block.give_up(number, (stage,), OVERLOAD)

    def _note_late_workers(self, number: int, stages: Iterable[str]) -> Iterator[Action]:
        frame = self._tasks.frames[number]
        missing_parts = self._tasks.missing_parts(number) - frame.given_up.keys()
        for stage in [stage for stage in stages if stage in missing_parts]:
            worker = self._workers.get(connection := frame.holders.get(stage))
            if worker is None or worker.has(number):
                continue
            if reason := self._block.health.late(worker, self._workers.has_others(worker)):
                yield from self._block.evict(connection, reason)

    def _drop(self, number: int, stage: str, reason: str) -> Iterator[Action]:
        self._block.notices.drop_one(number, stage, reason)
        yield from self._block.finish_frame(number, FrameEvent.DROP)
