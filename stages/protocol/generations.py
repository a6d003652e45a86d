"""The generation counters: who counts what up, and what is void by it. Pure.

Each tells an old thing from its successor of the same name, so that what an old one still says does no harm.

    counter       counted up by                          fences off
    run           render, or the launcher: a new name    messages and results of another run
    epoch         capture, with each start of capture    tasks, answers and credit from before the death: workers clear
                  or of render                           their session, render forgets what is not complete
    incarnation   the launcher, with each start of a     a predecessor: its hello is refused, its end is known by it;
                  process; by hand the clock's           of render also its older acknowledgements (with `number`)
    life          the launcher, from 0 in each run       nothing on the wire: a process knows that it was started again,
                                                         and keeps its port, the name of its source and its log
    session       capture, with each welcome of a        tasks that were on their way when the connection was lost:
                  connection that it does not know       `seq` and credit begin anew with it
    attempt       capture, with each hand-out of a       boxes and crops of an older detection of the same frame
                  frame to detect

Beside them: `seq` numbers the tasks of one session, for credit; `number` the acknowledgements of one incarnation.
"""

from __future__ import annotations

from typing import NewType

Run = NewType("Run", str)
Epoch = NewType("Epoch", int)
Incarnation = NewType("Incarnation", int)
Life = NewType("Life", int)
SessionId = NewType("SessionId", int)
Attempt = NewType("Attempt", int)
