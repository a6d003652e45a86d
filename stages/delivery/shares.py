"""How many tasks a worker takes from each of several live sources. Pure.

Captures know nothing of each other. If each of sixteen gave a worker as much as a single one may, what waits there
would be late before its turn came, and all that the worker does would be in vain. So a worker gives credit for no more
than it can do in time, first to those that it has served longest ago. A source that does not use its credit keeps one
task of it: a quiet one is served at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..protocol import limits
from .session import WorkerSession

# Shares of the deadline: what may wait at one worker before credit is shared out, and what waits there then. The next
# stages need the rest.
SCARCE, SHARE = 0.5, 0.25
IDLE_S = 0.1  # a source that has not used its credit for so long has nothing to give


def are_scarce(sessions: Iterable[WorkerSession], deadline_s: float) -> bool:
    """Whether tasks would be late if every live source gave this worker as many as a single one may."""
    live = _live(sessions)
    return len(live) * limits.CREDIT * _task_s(live) > SCARCE * deadline_s


def credits_of(sessions: Sequence[WorkerSession], deadline_s: float, now_s: float) -> list[int]:
    """The credit of each session; they come in the order of their turns, see `Turns`.

    Files have what they need: they have no deadline, and take turns with the others.
    """
    live = _live(sessions)
    for session in live:
        _note_use(session, now_s)
    if not are_scarce(sessions, deadline_s):
        return [session.credit for session in sessions]
    busy = [session for session in live if not _is_idle(session, now_s)]
    given = {id(session): max(1, min(session.held, session.credit)) for session in live}
    given |= {id(session): min(session.held, session.credit) for session in busy}
    left = max(1, int(SHARE * deadline_s / _task_s(live))) - sum(session.held for session in live)
    for _ in range(limits.CREDIT):
        for session in busy:
            if left > 0 and given[id(session)] < session.credit:
                given[id(session)] += 1
                left -= 1
    return [given.get(id(session), session.credit) for session in sessions]


def _live(sessions: Iterable[WorkerSession]) -> list[WorkerSession]:
    """Those of live sources that this worker works for: their captures give it no more than `CREDIT`."""
    return [s for s in sessions if s.run and not s.served and s.most <= limits.CREDIT]


def _task_s(live: Iterable[WorkerSession]) -> float:
    """What a task takes here, of the source whose tasks take longest."""
    return max((session.elapsed_s or 0.0 for session in live), default=0.0)


def _note_use(session: WorkerSession, now_s: float) -> None:
    if session.stated <= session.held:
        session.unused_since_s = None
    elif session.unused_since_s is None:
        session.unused_since_s = now_s


def _is_idle(session: WorkerSession, now_s: float) -> bool:
    return session.unused_since_s is not None and now_s - session.unused_since_s >= IDLE_S
