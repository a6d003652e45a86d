"""The events of a run that one destination has not confirmed yet. The queue is the file, so that memory stays flat."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import reason, way_out
from ..layout import CONNECT
from ..people.event_file import BLOCK, Event, EventFile, Place
from ..results.atomic import BINARY, NO_LINK, make_private_folder, write_all
from .counts import Counts
from .position import Confirmed, Position
from .run_folder import RunFolder

SAVE_S = 1.0  # between two saves: what was confirmed since is sent again after a kill


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way."""

    event_id: str  # the same whenever and however often this event is sent
    source: str
    body: dict  # what is sent
    folder: str
    event: Event


class Outbox:
    """Gives out events in their order, and keeps durably which of them are confirmed."""

    def __init__(
        self,
        folder: RunFolder,
        name: str,
        say: Callable[[str], None],
        kinds: Iterable[str] | None = None,
        areas: Mapping[str, list[list[str]]] | None = None,
    ):
        """`name`: of the destination, and of the file for its position; `kinds`: the events that it wants, if not all.

        `say` is told what a person should know; `areas` as in `Endpoints`.
        """
        self._areas = areas or {}
        self._folder, self._name, self._say = folder, name, say
        self._kinds = None if kinds is None else frozenset(kinds)
        self._position: Position | None = None
        self._files: dict[str, EventFile] = {}
        self._again: deque[Message] = deque()  # given out and taken back
        self._out: deque[Message] = deque()  # given out
        self._saved_s, self._is_saved, self._is_full = float("-inf"), True, False

    @property
    def sent(self) -> int:
        return self._position.sent if self._position else 0

    @property
    def refused(self) -> int:
        return self._position.refused if self._position else 0

    @property
    def deleted(self) -> int:
        """Events that were deleted with an old piece of the results before they were read."""
        return self._position.deleted if self._position else 0

    @property
    def is_over(self) -> bool:
        """Whether the run is, as far as was seen before the last `take`."""
        return self._folder.is_over

    def take(self, most: int, now_s: float) -> list[Message]:
        """The next events, at most so many; none where there are none yet. `now_s`: a monotonic clock."""
        if not self._has_begun():
            return []
        for folder in self._folder.sources:
            if len(self._again) < most:
                self._again += self._read(folder, now_s)
        taken = [self._again.popleft() for _ in range(min(most, len(self._again)))]
        self._out += taken
        return taken

    def confirm(self, message: Message, refused: bool = False) -> None:
        """The oldest event that was given out has arrived, or was `refused` for good and set aside."""
        if not self._out or self._out[0] is not message:
            return  # It is of a run that another one has replaced meanwhile.
        self._out.popleft()
        confirmed = self._confirmed(message.folder)
        confirmed.place = message.event.after
        confirmed.counts.step(message.event.fields)
        self._position.sent += not refused
        self._position.refused += refused
        self._is_saved = False

    def rewind(self) -> None:
        """Nothing more will be heard of what was given out: `take` gives it again."""
        self._again = self._out + self._again
        self._out = deque()

    def counts(self) -> dict[str, Counts]:
        """The people of each source, by its name, as of the last confirmed event."""
        if self._position is None:
            return {}
        return {name: self._confirmed(folder).counts for folder, name in self._folder.sources.items()}

    def folders(self) -> dict[str, str]:
        """The names of the sources by the folders of their results."""
        return self._folder.sources

    def waiting(self) -> int:
        """How many events there are that are not confirmed, whether or not they were read."""
        if not self._has_begun():
            return 0
        unread = sum(self._file(folder).waiting(self._wants) for folder in self._folder.sources)
        return len(self._again) + len(self._out) + unread

    def save(self, now_s: float, at_once: bool = False) -> None:
        """Make what was confirmed durable, now and then or at once. On a full disk it goes on without."""
        if self._is_saved or not (at_once or now_s - self._saved_s >= SAVE_S):
            return
        self._saved_s = now_s
        try:
            self._position.write(self._path(".json"))
        except OSError as error:
            if not self._is_full:
                self._say(
                    f"{self._name}: which events have arrived cannot be written to {self._folder.path / CONNECT}:"
                    f" {reason(error)}; {way_out(error, 'until then a restart sends them again')}."
                )
            self._is_full = True
        else:
            self._is_saved, self._is_full = True, False

    def set_aside(self, line: bytes) -> Path:
        """Append what a destination has refused to a file, and return its path; raises `OSError`."""
        path = self._path(".refused.jsonl")
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINK | BINARY, 0o600)
        try:
            write_all(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path

    def _path(self, ending: str) -> Path:
        folder = self._folder.path / CONNECT
        make_private_folder(folder)
        return folder / f"{self._name}{ending}"

    def _has_begun(self) -> bool:
        """Look at the folder; whether the run is there. Of a new one, read what is confirmed of it."""
        self._folder.look()
        if self._folder.run is None:
            return False
        if self._position is None or self._position.run != self._folder.run:
            self._begin(self._folder.run)
        return True

    def _begin(self, run: str) -> None:
        self._position = Position.read(self._folder.path / CONNECT / f"{self._name}.json", run)
        self._files.clear()
        self._again.clear()
        self._out.clear()

    def _read(self, folder: str, now_s: float) -> list[Message]:
        """The next events of a source, or none where there are no more at the moment."""
        file = self._file(folder)
        before, deleted = file.began_again, file.deleted
        try:
            events = file.read(BLOCK, now_s)
            while events and not (wanted := [event for event in events if self._wants(event)]):
                self._pass_over(folder, file.place)
                events = file.read(BLOCK, now_s)
        except OSError:
            return []  # It is asked for again soon; render says what is wrong with a disk.
        if file.deleted > deleted:
            self._position.deleted += file.deleted - deleted
            self._confirmed(folder).counts.forget_present()
            self._pass_over(folder, file.went_on_at)
            self._say(
                f"{self._name}: {file.deleted - deleted} events of {self._folder.sources[folder]} were deleted before"
                " they were sent, as render.keep says."
            )
        if file.began_again > before:
            self._confirmed(folder).counts = self._before_any(folder)
            self._say(
                f"{self._name}: {file.path} is not the file that was read before; it is sent from its beginning, and"
                " what was sent before has the same event_id."
            )
        return [self._message(folder, event) for event in wanted] if events else []

    def _file(self, folder: str) -> EventFile:
        if folder not in self._files:
            confirmed = self._confirmed(folder)
            self._files[folder] = EventFile(self._folder.folder_of(folder), confirmed.place)
        return self._files[folder]

    def _confirmed(self, folder: str) -> Confirmed:
        known = self._position.sources
        if folder not in known:
            known[folder] = Confirmed(counts=self._before_any(folder))
        return known[folder]

    def _before_any(self, folder: str) -> Counts:
        return Counts.before_any(*self._areas.get(folder, ([], [])))

    def _wants(self, event: Event) -> bool:
        return self._kinds is None or event.kind in self._kinds

    def _pass_over(self, folder: str, place: Place) -> None:
        """Events up to this place are not wanted; they count as confirmed unless one before them is not."""
        if not any(message.folder == folder for message in (*self._out, *self._again)):
            self._position.sources[folder].place, self._is_saved = place, False

    def _message(self, folder: str, event: Event) -> Message:
        source = self._folder.sources[folder]
        said = "\0".join([self._position.run, source, str(event.number), event.digest])
        event_id = hashlib.blake2b(said.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
        ours = {"event_id": event_id, "run": self._position.run}
        # A stage may be called like one of them, as in `people.events.named`.
        fields = {f"{key}_answer" if key in ours else key: value for key, value in event.fields.items()}
        body = {**ours, "source": source, **fields}
        return Message(event_id, source, body, folder, event)
