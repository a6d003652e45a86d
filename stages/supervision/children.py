"""The processes of a run, as the launcher has them: started, told what they have to know, and started again."""

from __future__ import annotations

import errno
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from ..config.settings import Settings
from ..errors import reason, way_out
from ..exit_status import ExitStatus
from ..protocol import limits
from ..protocol.control import Restarts, SettingsChanged, ToStage, WorkerExit, encode
from ..results.manifest import Manifest
from .child import CannotStart, Child, Start
from .events import Event, Exited
from .stage_log import StageLog

ENDING_S = 2.0  # what a killed process may take to end: one that waits for a broken device never does
LEAVING_S = 0.1  # for one that is left behind
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


@contextmanager
def children(starts: list[Start], logs: Path, events: SimpleQueue[Event]) -> Iterator[Children]:
    """The processes while they run; none is left afterwards, whatever happens."""
    started = Children(starts, logs, events)
    try:
        for start in starts:
            started.start(start.member.label)
        yield started
    finally:
        started.end()


class Children:
    """The processes of a run by label; what they say and their ends are put into a queue."""

    def __init__(self, starts: list[Start], logs: Path, events: SimpleQueue[Event]):
        """`logs`: the folder of their logs. Nothing is started yet."""
        self.is_over = False  # whether the run is: then all have ended that a kill ends
        self._starts = {start.member.label: start for start in starts}
        self._folder, self._manifest, self._events = logs, Manifest(logs.parent), events
        self._children: dict[str, Child] = {}
        self._logs: dict[str, StageLog] = {}
        self._settings: dict[str, Settings] = {}
        self._incarnations: dict[str, int] = dict.fromkeys(self._starts, 0)
        self._lives: dict[str, int] = dict.fromkeys(self._starts, 0)
        self._ended: dict[str, deque] = {label: deque(maxlen=limits.ENDS) for label in self._starts}
        self._restarts: dict[str, int] = {}  # by stage

    def start(self, label: str) -> None:
        """Start a process for the first time; raises `CannotStart` where this machine has no room for it."""
        try:
            self._logs[label] = StageLog(self._folder / f"{label}.log", self._manifest)
            self._begin(label)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise  # A defect of ours.
            raise CannotStart(f"{label} cannot be started: {reason(error)}; {way_out(error)}.") from None

    def add(self, start: Start, settings: Settings) -> None:
        """Start another process of the run, and tell it its settings; raises `CannotStart`, and then there is none."""
        label = start.member.label
        self._starts[label], self._settings[label] = start, settings
        self._incarnations[label] = self._lives[label] = 0
        self._ended[label] = deque(maxlen=limits.ENDS)
        try:
            self.start(label)
        except CannotStart:
            self.forget(label, refused="")
            raise
        self._tell_settings(label)

    def forget(self, label: str, refused: str | None = None) -> None:
        """A process that has ended does not belong to the run any more.

        `refused`: the sentence that says why it never did; then nothing is left of it but a log that this names.
        """
        if child := self._children.pop(label, None):
            child.close(ENDING_S)
        if log := self._logs.pop(label, None):
            log.close()
            if refused is not None and log.path and log.path not in refused:
                self._manifest.remove(Path(log.path))
        self._starts.pop(label, None)

    def start_again(self, label: str) -> None:
        """Start a process again; where that cannot be, it has ended once more."""
        if child := self._children.pop(label, None):
            child.close(ENDING_S)
        self._lives[label] += 1
        try:
            self._begin(label)
        except OSError as error:
            words = f"it could not be started: {reason(error)}"
            self._events.put(Exited(label, ExitStatus.FAILED, last_words=words))
            return
        self._tell_settings(label)
        self._tell_restarts(label)

    def _begin(self, label: str) -> None:
        # The wall clock is right here: it is compared with a predecessor's, also of an earlier run, never subtracted.
        self._incarnations[label] = max(int(time.time() * 1000), self._incarnations[label] + 1)
        self._children[label] = Child(self._starts[label], self._logs[label], self._events)

    def log_troubles(self) -> Iterator[str]:
        """What a person should know of the logs."""
        return (log.trouble for log in self._logs.values() if log.trouble)

    def terminate(self, label: str) -> None:
        """Send a process SIGTERM, if it is there."""
        if child := self._children.get(label):
            child.terminate()

    def kill(self, label: str) -> None:
        """Send a process SIGKILL, if it is there."""
        if child := self._children.get(label):
            child.kill()

    def end(self) -> None:
        """No process is left, but for one that not even a kill ends."""
        for child in self._children.values():
            child.kill()
        by_s = time.monotonic() + (LEAVING_S if self.is_over else ENDING_S)
        for child in self._children.values():
            child.close(by_s - time.monotonic())
        for log in self._logs.values():
            log.close()

    def stage_of(self, label: str) -> str:
        """The stage of a process."""
        return self._starts[label].member.stage

    def life_of(self, label: str) -> int:
        """How often a process has been started again."""
        return self._lives[label]

    # --- What they are told ---

    def tell(self, label: str, message: ToStage) -> None:
        """Send a message to a process, if it is there."""
        if child := self._children.get(label):
            child.tell(encode(message))

    def tell_on(self) -> None:
        """Hand over what a process that was busy has not been told yet."""
        for child in self._children.values():
            child.tell_on()

    def tell_settings(self, settings: dict[str, Settings]) -> None:
        """Tell each process its settings, by label."""
        self._settings = settings
        for label in settings:
            self._tell_settings(label)

    def keep(self, label: str, **kept: object) -> None:
        """Fields of its settings that a later life of the process is told: what its first life has found out."""
        self._settings[label] = replace(self._settings[label], **kept)

    def change_sources(self, **changed: object) -> None:
        """Tell render and the workers, also their later lives, which sources are read; captures know of no other."""
        for label in self._starts:
            if self.stage_of(label) != "capture":
                self.keep(label, **changed)
                self.tell(label, SettingsChanged(self._in_this_life(label).to_json()))

    def settings_of(self, label: str) -> Settings:
        """What a process is told in its next life, but for what each life has of its own."""
        return self._settings[label]

    def tell_exit(self, label: str, cause: str) -> None:
        """Tell every capture here that a worker's process has ended; those elsewhere hear of it from its next life."""
        self._ended[label].append((self._incarnations[label], cause))
        member, host = self._starts[label].member, self._settings[label].host
        ended = WorkerExit(member.stage, host, member.replica, self._incarnations[label], cause)
        for other in self._starts:
            if self.stage_of(other) == "capture":
                self.tell(other, ended)

    def note_restarts(self, restarts: dict[str, int]) -> None:
        """Tell render, for whoever looks, how often the processes of each stage were started again."""
        if restarts != self._restarts:
            self._restarts = restarts
            for label in self._starts:
                self._tell_restarts(label)

    def _tell_restarts(self, label: str) -> None:
        if self.stage_of(label) == "render":
            self.tell(label, Restarts(self._restarts))

    def _tell_settings(self, label: str) -> None:
        if child := self._children.get(label):
            child.tell(json.dumps(self._in_this_life(label).to_json()).encode() + b"\n")

    def _in_this_life(self, label: str) -> Settings:
        return replace(
            self._settings[label],
            incarnation=self._incarnations[label],
            life=self._lives[label],
            ended=list(self._ended[label]),
        )
