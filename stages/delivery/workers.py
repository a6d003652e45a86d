"""Who works for one capture: greeted, taken or refused, lost, and taken again. Pure.

Workers are known by the name of their connection as long as it lasts, and by stage, host and replica beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from ..protocol import limits
from ..protocol.generations import Incarnation
from ..protocol.messages import WorkerHello
from .events import WorkerExited, WorkerProcess
from .states import WORKER, WorkerEvent, WorkerState, after


@dataclass(slots=True)
class Worker:
    """A worker that has said hello and was taken."""

    stage: str
    worker: tuple[str, int]  # host and replica
    incarnation: Incarnation
    heard_s: float
    number: int  # by which the grants of its tasks name it
    credit: int = 0
    last_seq: int = 0
    last_given: int = 0  # the number of the last task that it was given, of all that were given to anybody
    under_way: dict[int, int] = field(default_factory=dict)  # seqs sent and not seen finished -> frame
    state: WorkerState = WorkerState.SERVING
    isolated_frame: int | None = None  # ISOLATED: the frame of its quarantined task
    is_waited_for: bool = False  # it was already draining or isolated at the last stall
    answered: int = 0  # tasks of frames that are done
    unanswered: int = 0  # tasks that it has finished, it says, and render is missing
    withheld: int = 0  # tasks that were given up because it, the last of all, did not answer them
    is_stuck: bool = False  # it has finished nothing since the last stall

    def step(self, event: WorkerEvent) -> None:
        """Go to the next state; raises `NoTransition`."""
        self.state = after(WORKER, self.state, event)

    @property
    def is_isolated(self) -> bool:
        """Whether it was asked to take one quarantined task in isolation: it is given nothing else."""
        return self.state in (WorkerState.DRAINING, WorkerState.ISOLATED)

    @property
    def is_able(self) -> bool:
        """Whether it takes tasks, now or after the one that it takes in isolation."""
        return self.credit > 0 or self.is_isolated

    @property
    def free(self) -> int:
        return self.free_of(self.credit)

    def free_of(self, share: int) -> int:
        """How many tasks more it can take, where it is to hold no more than a share."""
        return 0 if self.is_isolated else min(self.credit, share) - len(self.under_way)

    @property
    def host(self) -> str:
        return self.worker[0]

    @property
    def process(self) -> WorkerProcess:
        return self.stage, self.worker, self.incarnation

    def has(self, frame: int) -> bool:
        """Whether it has been given a task of this frame, and has not said that it has finished it."""
        return frame in self.under_way.values()

    def finish_one(self, frame: int) -> bool:
        """It has finished the task of this frame that it was given first; returns whether it had one."""
        tasks = [seq for seq, of in self.under_way.items() if of == frame]
        if tasks:
            del self.under_way[min(tasks)]
        return bool(tasks)

    def finish_up_to(self, seq: int) -> None:
        """It has finished all tasks up to this one."""
        under_way = {sent: frame for sent, frame in self.under_way.items() if sent > seq}
        self.is_stuck = self.is_stuck and len(under_way) == len(self.under_way)
        self.under_way = under_way


class Workers:
    """Those that have said hello and were taken, by connection, and what is known of others."""

    def __init__(self):
        self.here: dict[str, Worker] = {}
        self.taken = 0  # the highest number that one was given
        self._given = 0  # tasks so far
        self._lost: dict[tuple, Worker] = {}  # identity -> its last incarnation that is gone, until it is known why
        self._ended: dict[tuple, int] = {}  # identity -> the highest incarnation whose process has ended
        self._session_ids: dict[str, int | None] = {}  # connection -> its session; None when it was lost
        self._sessions_opened = 0
        self._refused: dict[str, tuple] = {}  # connection -> the stage and worker that it says it is

    @property
    def stages(self) -> set[str]:
        return {worker.stage for worker in self.here.values()}

    def get(self, connection: str | None) -> Worker | None:
        return self.here.get(connection)

    def of(self, stage: str) -> dict[str, Worker]:
        """The workers of one stage, by connection."""
        return {c: w for c, w in self.here.items() if w.stage == stage}

    @property
    def some_are_stuck(self) -> bool:
        """Whether some have finished nothing since the last stall."""
        return any(worker.is_stuck for worker in self.here.values())

    def credit(self, stage: str) -> dict[str, int]:
        """Who can be given something, and how many tasks."""
        return {c: w.free for c, w in self.here.items() if w.stage == stage and w.free > 0}

    def batch_credit(self, stage: str, due: int, share: int, is_more_to_come: bool) -> dict[str, int]:
        """As `credit`, where so many tasks are due and nobody is to hold more than a share.

        Who has something to do already, or can wait because more is to come, is given something only if half of what
        it may hold can travel at once.
        """
        here = {c: (w, w.free_of(share)) for c, w in self.here.items() if w.stage == stage}
        return {
            connection: free
            for connection, (worker, free) in here.items()
            if free > 0
            and (not (worker.under_way or is_more_to_come) or 2 * min(free, due) >= min(worker.credit, share))
        }

    def with_most_credit(self, credit: dict[str, int]) -> str | None:
        """Who of these can take most, which is one less then; None if nobody can take anything."""
        # Of equals the one that was asked longest ago: other sources hand out work too, and unseen by each other all
        # of them would ask the same one first.
        with_most_credit = max(credit, key=lambda c: (credit[c], -self.here[c].last_given), default=None)
        if with_most_credit is None or credit[with_most_credit] <= 0:
            return None
        credit[with_most_credit] -= 1
        return with_most_credit

    def given(self, connection: str) -> Worker:
        """A worker that is given a task now."""
        self._given += 1
        worker = self.here[connection]
        worker.last_given = self._given
        return worker

    def has_others(self, worker: Worker) -> bool:
        """Whether its stage has other workers."""
        return any(other.stage == worker.stage and other is not worker for other in self.here.values())

    def is_at_work(self, number: int, connection: str | None) -> bool:
        """Whether a worker that is here has not said yet that it has finished this frame: slow is not lost."""
        worker = self.here.get(connection)
        return worker is not None and worker.has(number)

    def all_heard(self, now_s: float) -> None:
        """This process was away itself: nobody counts as silent before now."""
        for worker in self.here.values():
            worker.heard_s = now_s

    def silent(self, now_s: float, limit_s: dict[str, float]) -> list[str]:
        """Who has been silent for longer than its stage may be."""
        if not limit_s:
            return []
        return [c for c, w in self.here.items() if now_s - w.heard_s > limit_s.get(w.stage, float("inf"))]

    # --- Hello ---

    def session_id(self, connection: str) -> int:
        """The session of the welcome for a connection that has not said hello."""
        if self._session_ids.get(connection) is None:
            if len(self._session_ids) >= limits.GREETED:
                self._session_ids = {c: session_id for c, session_id in self._session_ids.items() if c in self.here}
            self._sessions_opened += 1
            self._session_ids[connection] = self._sessions_opened
        return self._session_ids[connection]

    def is_new(self, connection: str, came: WorkerHello) -> bool:
        """Whether this hello is to be looked at."""
        if connection in self._refused:
            return False
        if connection in self.here:
            return False  # It was welcomed twice because two of its messages came before its hello.
        if came.session_id != self._session_ids.get(connection, came.session_id):
            return False  # It answers an earlier welcome, and will throw away what it is given before it has the later.
        return came.incarnation > self._ended.get((came.stage, came.worker), -1)  # Or it has died since.

    def same(self, came: WorkerHello) -> dict[str, Worker]:
        """The workers that are here under the same name, by connection."""
        return {c: w for c, w in self.here.items() if (w.stage, w.worker) == (came.stage, came.worker)}

    def take(self, connection: str, came: WorkerHello, now_s: float) -> None:
        """One whose connection was lost goes on under its number, with what is known of it."""
        former = self._lost.get((came.stage, came.worker))
        worker = Worker(came.stage, came.worker, came.incarnation, now_s, self.taken + 1)
        if former is not None and former.incarnation == came.incarnation:
            worker.number, worker.answered, worker.unanswered = former.number, former.answered, former.unanswered
            worker.withheld = former.withheld
        else:
            self.taken += 1
        self.here[connection] = worker

    def to_make_place(self, host: str) -> str | None:
        """The worker of this host that was heard longest ago, of those that have answered nothing yet."""
        idle = {c: w for c, w in self.here.items() if w.host == host and not w.answered and not w.under_way}
        return min(idle, key=lambda connection: idle[connection].heard_s) if idle else None

    def is_refused(self, connection: str) -> bool:
        return connection in self._refused

    def refuse(self, connection: str, who: tuple) -> None:
        """Not listened to from now on; `who`: stage and worker."""
        if len(self._refused) >= limits.GREETED:
            self._refused.clear()
        self._refused[connection] = who

    def listen_again(self, who: tuple) -> None:
        """Those that were refused because of this stage and worker may say hello again."""
        self._refused = {c: refused for c, refused in self._refused.items() if refused != who}

    # --- Ends ---

    def lose(self, connection: str) -> Worker | None:
        """A connection is gone; returns who it was, if it had been taken."""
        if connection in self._session_ids:
            self._session_ids[connection] = None  # If it is heard again, its session starts anew.
        self._refused.pop(connection, None)
        worker = self.here.pop(connection, None)
        if worker is not None:
            if worker.state is not WorkerState.EVICTED:
                worker.step(WorkerEvent.LOSE)
            if len(self._lost) >= limits.WORKERS:
                del self._lost[next(iter(self._lost))]
            self._lost[worker.stage, worker.worker] = worker
        return worker

    def note_end(self, ended: WorkerExited) -> list[str]:
        """A process has ended; returns the connections that it had, which are to be lost."""
        identity = (ended.stage, ended.worker)
        before = self._ended.pop(identity, 0)
        if len(self._ended) >= limits.WORKERS:
            del self._ended[next(iter(self._ended))]
        self._ended[identity] = max(ended.incarnation, before)
        return [c for c, w in self.here.items() if w.process == (*identity, ended.incarnation)]

    def pop_exited(self, ended: WorkerExited) -> Worker | None:
        """Who it was that has ended, once; None if that is told already or was never known."""
        worker = self._lost.get((ended.stage, ended.worker))
        if worker is None or worker.incarnation != ended.incarnation:
            return None
        return self._lost.pop((ended.stage, ended.worker))


class StageAbsence:
    """For how long a stage has been without a worker."""

    def __init__(self, stages: Iterable[str], give_up_after_s: float):
        self._give_up_after_s = give_up_after_s
        self._since_s: dict[str, float | None] = dict.fromkeys(stages)

    def gone(self, present: Set[str], now_s: float) -> list[str]:
        """The stages that have not been present for longer than one is waited for."""
        gone = []
        for stage, since_s in self._since_s.items():
            if stage in present:
                self._since_s[stage] = None
            elif since_s is None:
                self._since_s[stage] = now_s
            elif now_s - since_s >= self._give_up_after_s:
                gone.append(stage)
        return gone
