"""What the policy is told and what it decides: pure data.

A message of a stage is an event as it is, with the label of its process.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..exit_status import ExitStatus
from ..protocol.control import FromStage


@dataclass(frozen=True, slots=True)
class Member:
    """One process of the run."""

    label: str  # "render", "detect-0": unique in the run
    stage: str
    hang_s: float  # without a sign of life for so long it counts as hung
    replica: int = 0


# --- Events ---


@dataclass(frozen=True, slots=True)
class StageMessage:
    """A process has said something to its launcher."""

    label: str
    message: FromStage


@dataclass(frozen=True, slots=True)
class Exited:
    """A process has ended."""

    label: str
    status: int  # negative: the signal that killed it
    sentence: str | None = None  # why, as it said itself
    last_words: str | None = None  # of its log
    log: str | None = None  # its path, for a person


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person has asked for the end: by Ctrl-C, another signal, or in the window."""

    status: int = ExitStatus.DONE  # of the run, if nothing goes wrong


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """Another source is to be read, beside those that are."""

    member: Member  # its capture


@dataclass(frozen=True, slots=True)
class SourceRemoved:
    """A source is not to be read any more, and the others go on."""

    label: str  # of its capture


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = StageMessage | Exited | StopAsked | SourceAdded | SourceRemoved | Tick

# --- Actions ---


@dataclass(frozen=True, slots=True)
class TellStop:
    """Ask a process to end in order."""

    label: str
    leave: bool = False  # as in `stages.protocol.control.Stop`


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM."""

    label: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    label: str


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start this process again: its settings are told anew."""

    label: str


@dataclass(frozen=True, slots=True)
class ReportExit:
    """Tell the captures that this process has ended, and by what."""

    label: str
    cause: str  # EXIT, HANG or KILLED


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the person."""

    sentence: str


@dataclass(frozen=True, slots=True)
class SourceIsThere:
    """An added source has been opened, or is waited for: the other processes are to know it."""

    label: str
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A capture has ended for good, and the run goes on without it."""

    label: str
    failure: str | None = None  # why, where nobody has asked for it: a sentence
    was_refused: bool = False  # it was added, and could not be opened
    is_complete: bool = True  # removed by a person: every frame that was read is finished


Action = TellStop | Terminate | Kill | StartAgain | ReportExit | Announce | SourceIsThere | SourceEnded
