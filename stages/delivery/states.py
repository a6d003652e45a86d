"""The states of a frame, of a worker and of a source at capture, and every transition between them. Pure.

`after` is the only way from one state to the next. A pair of state and event that is not in a table is a fault of the
program. docs/protocol.md has these tables as diagrams, which are drawn from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar


class FrameState(Enum):
    """Where a frame is, from reading to the end of capture's interest in it."""

    QUEUED = "queued"  # no detect has been given it, and render does not know it
    DETECTING = "detecting"  # given to a detect; there are no crops of it
    CROPPED = "cropped"  # its crops are here, for the attribute stages
    FACELESS = "faceless"  # a detect has found no face in it
    UNANALYSED = "unanalysed"  # detect is given up: only its picture is still wanted
    ACKNOWLEDGED = "acknowledged"  # in the outputs
    DROPPED = "dropped"  # in no output, and in the account; of a live source
    WITHDRAWN = "withdrawn"  # as if never read: a person has asked to stop


class FrameEvent(Enum):
    """What changes the state of a frame."""

    ASSIGNED = "assigned to a detect"
    CROPS = "crops"
    NO_FACES = "crops of no face"
    CROPS_REJECTED = "crops rejected"
    DETECT_GIVEN_UP = "detect given up"
    ACK = "ack"
    DROP = "drop"
    STOP = "stop"


class WorkerState(Enum):
    """What a worker that has said hello may be given."""

    SERVING = "serving"  # tasks up to its credit
    DRAINING = "draining"  # asked to finish what it holds, for one quarantined task
    ISOLATED = "isolated"  # has one quarantined task, and nothing else
    EVICTED = "evicted"  # nothing more in this run
    LOST = "lost"  # its connection is gone


class WorkerEvent(Enum):
    """What changes the state of a worker."""

    ISOLATE = "isolate"
    ASSIGNED = "quarantined task"  # It has nothing left, it says, and is given one.
    FINISHED = "finished"
    FAILED = "failed"
    EVICT = "evict"
    LOSE = "disconnected, silent or replaced"


class SourceState(Enum):
    """How far a source is."""

    WAITING = "waiting"  # for render and for one worker of every stage: nothing is read
    READING = "reading"
    ENDED = "ended"  # there are no more frames, or a person has asked to stop
    FINISHED = "finished"  # the outputs are closed
    REPLACED = "replaced"  # render has died: another dispatcher begins a new epoch


class SourceEvent(Enum):
    """What changes the state of a source."""

    COMPLETE = "every stage and render heard"
    END = "end or stop"
    CLEAN = "clean ack"
    NEW_RENDER = "ack of a new render"


State = TypeVar("State", FrameState, WorkerState, SourceState)
Event = TypeVar("Event", FrameEvent, WorkerEvent, SourceEvent)

FRAME: dict[tuple[FrameState, FrameEvent], FrameState] = {
    (FrameState.QUEUED, FrameEvent.ASSIGNED): FrameState.DETECTING,
    (FrameState.QUEUED, FrameEvent.DETECT_GIVEN_UP): FrameState.UNANALYSED,
    (FrameState.QUEUED, FrameEvent.ACK): FrameState.ACKNOWLEDGED,  # Render is believed, whatever it says.
    (FrameState.QUEUED, FrameEvent.DROP): FrameState.DROPPED,
    (FrameState.QUEUED, FrameEvent.STOP): FrameState.WITHDRAWN,
    (FrameState.DETECTING, FrameEvent.ASSIGNED): FrameState.DETECTING,
    (FrameState.DETECTING, FrameEvent.CROPS): FrameState.CROPPED,
    (FrameState.DETECTING, FrameEvent.NO_FACES): FrameState.FACELESS,
    (FrameState.DETECTING, FrameEvent.DETECT_GIVEN_UP): FrameState.UNANALYSED,
    (FrameState.DETECTING, FrameEvent.ACK): FrameState.ACKNOWLEDGED,
    (FrameState.DETECTING, FrameEvent.DROP): FrameState.DROPPED,
    (FrameState.CROPPED, FrameEvent.ASSIGNED): FrameState.CROPPED,
    (FrameState.CROPPED, FrameEvent.CROPS): FrameState.CROPPED,
    (FrameState.CROPPED, FrameEvent.NO_FACES): FrameState.FACELESS,
    (FrameState.CROPPED, FrameEvent.CROPS_REJECTED): FrameState.DETECTING,
    (FrameState.CROPPED, FrameEvent.DETECT_GIVEN_UP): FrameState.UNANALYSED,
    (FrameState.CROPPED, FrameEvent.ACK): FrameState.ACKNOWLEDGED,
    (FrameState.CROPPED, FrameEvent.DROP): FrameState.DROPPED,
    (FrameState.FACELESS, FrameEvent.ASSIGNED): FrameState.FACELESS,
    (FrameState.FACELESS, FrameEvent.CROPS): FrameState.CROPPED,
    (FrameState.FACELESS, FrameEvent.NO_FACES): FrameState.FACELESS,
    (FrameState.FACELESS, FrameEvent.CROPS_REJECTED): FrameState.DETECTING,
    (FrameState.FACELESS, FrameEvent.DETECT_GIVEN_UP): FrameState.UNANALYSED,
    (FrameState.FACELESS, FrameEvent.ACK): FrameState.ACKNOWLEDGED,
    (FrameState.FACELESS, FrameEvent.DROP): FrameState.DROPPED,
    (FrameState.UNANALYSED, FrameEvent.ACK): FrameState.ACKNOWLEDGED,
    (FrameState.UNANALYSED, FrameEvent.DROP): FrameState.DROPPED,
}

WORKER: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (WorkerState.SERVING, WorkerEvent.ISOLATE): WorkerState.DRAINING,
    (WorkerState.SERVING, WorkerEvent.EVICT): WorkerState.EVICTED,
    (WorkerState.SERVING, WorkerEvent.LOSE): WorkerState.LOST,
    (WorkerState.DRAINING, WorkerEvent.ASSIGNED): WorkerState.ISOLATED,
    (WorkerState.DRAINING, WorkerEvent.EVICT): WorkerState.EVICTED,
    (WorkerState.DRAINING, WorkerEvent.LOSE): WorkerState.LOST,
    (WorkerState.ISOLATED, WorkerEvent.FINISHED): WorkerState.SERVING,
    (WorkerState.ISOLATED, WorkerEvent.FAILED): WorkerState.SERVING,
    (WorkerState.ISOLATED, WorkerEvent.EVICT): WorkerState.EVICTED,
    (WorkerState.ISOLATED, WorkerEvent.LOSE): WorkerState.LOST,
}

SOURCE: dict[tuple[SourceState, SourceEvent], SourceState] = {
    (SourceState.WAITING, SourceEvent.COMPLETE): SourceState.READING,
    (SourceState.WAITING, SourceEvent.END): SourceState.ENDED,
    (SourceState.WAITING, SourceEvent.NEW_RENDER): SourceState.REPLACED,
    (SourceState.READING, SourceEvent.END): SourceState.ENDED,
    (SourceState.READING, SourceEvent.NEW_RENDER): SourceState.REPLACED,
    (SourceState.ENDED, SourceEvent.CLEAN): SourceState.FINISHED,
    (SourceState.ENDED, SourceEvent.NEW_RENDER): SourceState.REPLACED,
    (SourceState.FINISHED, SourceEvent.NEW_RENDER): SourceState.REPLACED,
}


class NoTransition(LookupError):
    """This cannot happen in this state: a fault of the program."""


def after(table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    """The state after an event; raises `NoTransition` for a pair that is not in the table."""
    try:
        return table[state, event]
    except KeyError:
        raise NoTransition(f"{event} cannot happen in {state}") from None
