"""How a run is asked to change its sources: by files in its folder, and by its configuration file.

`facepipe source` writes a request into a folder of the run that only its user may write to, and waits for the answer.
A thread of the run looks there, and at the configuration; it also waits for a disk that does not answer, which the
launcher must not. Both ways become the same `Request`.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from ..config.schema import Pipeline
from ..errors import FacepipeError, reason
from ..layout import LOCK, REQUESTS
from ..locks import Taken, locked
from ..results.atomic import make_private_folder, open_plain
from ..supervision.run_sources import Remark, Request

ASKED, ANSWERED = ".json", ".answer"  # what the names of requests and answers end in
LOOK_S, LOOK_AT_CONFIG_S = 0.1, 1.0
ENDING_S = 0.5
LARGEST_BYTES = 1_000_000
ANSWER_S = 150.0  # a source that is removed has ten seconds, one that is added may open slowly

Put = Callable[[Request | Remark], None]


class NotAsked(FacepipeError):
    """The run cannot be asked, or has not answered."""


# --- The run's side ---


@dataclass(frozen=True, slots=True)
class ConfigWatch:
    """A configuration file whose sources are followed."""

    path: Path
    read: Callable[[], Pipeline]  # raises a `FacepipeError`
    say: Callable[[str], None]  # for the thread that answers requests


@contextmanager
def heard(folder: Path, pipeline: Pipeline, watch: ConfigWatch | None, put: Put) -> Iterator[None]:
    """Hear requests as long as this lasts, and hand them to `put`.

    `folder`: that of the run; `pipeline`: what it was begun with.
    """
    over = threading.Event()
    mailbox, follower = _Mailbox(folder / REQUESTS, put), _Follower(watch, pipeline, put) if watch else None

    def hear() -> None:
        mailbox.open()
        look_at_config_s = time.monotonic() + LOOK_AT_CONFIG_S
        while not over.wait(LOOK_S):
            mailbox.look()
            if follower and time.monotonic() >= look_at_config_s:
                look_at_config_s = time.monotonic() + LOOK_AT_CONFIG_S
                follower.look()
        mailbox.close()

    thread = threading.Thread(target=hear, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ENDING_S)  # It may wait for a disk, and a person for the end of the run.


class _Mailbox:
    """Requests and answers as files; only the thread of `heard` touches them."""

    def __init__(self, place: Path, put: Put):
        self._place, self._put = place, put
        self._answers: SimpleQueue[tuple[Path, dict]] = SimpleQueue()  # filled by the launcher

    def open(self) -> None:
        """Without it nobody can ask, and the run is well."""
        with contextlib.suppress(OSError):
            if self._place.is_dir():  # Of a run that was killed. Before it is made: whoever sees it may ask.
                _clear(self._place)
            make_private_folder(self._place)

    def look(self) -> None:
        """Take what has come, and write what was answered."""
        self._write_answers()
        for path in sorted(self._place.glob(f"*{ASKED}")):
            with contextlib.suppress(OSError):
                self._take(path)

    def close(self) -> None:
        """Leave nothing. Who has not read the answer yet is given a moment."""
        self._write_answers()
        with contextlib.suppress(OSError):
            if any(self._place.iterdir()):
                time.sleep(LOOK_S)
            _clear(self._place)
            self._place.rmdir()

    def _take(self, path: Path) -> None:
        with open_plain(path) as file:
            text = file.read(LARGEST_BYTES)
        path.unlink()

        def answer(is_done: bool, lines: list[str]) -> None:
            self._answers.put((path.with_suffix(ANSWERED), {"done": is_done, "lines": lines}))

        try:
            request = _request(json.loads(text), answer)
        except (ValueError, KeyError, TypeError, RecursionError):
            answer(False, ["the request is none of facepipe source."])
            return
        self._put(request)

    def _write_answers(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                path, said = self._answers.get_nowait()
                with contextlib.suppress(OSError):  # Who has asked is gone, and the folder too.
                    _write(path, said)


def _request(asked: dict, answer: Callable[[bool, list[str]], None]) -> Request:
    """Raises `ValueError`, `KeyError` or `TypeError` for what is no request."""
    action, name, spec = asked["action"], asked["name"], asked["spec"]
    if action not in ("add", "remove", "list") or not (isinstance(name, str) and type(spec) in (str, int)):
        raise ValueError
    return Request(action, answer, name, spec)


class _Follower:
    """Makes requests of what has changed in the configuration file."""

    def __init__(self, watch: ConfigWatch, pipeline: Pipeline, put: Put):
        self._watch, self._put = watch, put
        self._last = pipeline  # what the file said last
        self._seen: tuple | None = None  # Not that of now: it may have changed while the processes started.
        self._read: dict[str, str | int] = dict(pipeline.sources)  # as far as it follows from the file
        self._asked: set[str] = set()  # not answered yet: a camera takes its time to open
        self._refused: set[tuple[str, str | int | None]] = set()  # not asked again before the file changes
        self._answers: SimpleQueue[tuple[str, str | int | None, bool]] = SimpleQueue()  # filled by the launcher

    def look(self) -> None:
        """Look whether the file has changed."""
        stamp = self._stamp()
        is_answered = self._note_answers()
        if stamp is None or stamp == self._seen:  # An editor may have taken it away for a moment.
            if is_answered:  # The file may have changed again before that.
                self._compare()
            return
        self._seen = stamp
        try:
            wanted = self._watch.read()
        except FacepipeError as error:
            self._put(Remark(f"{error} The run continues as it is."))
            return
        last, self._last = self._last, wanted
        if _but_sources(wanted) != _but_sources(last):
            name = self._watch.path.name
            self._put(Remark(f"{name} was changed: during a run it only adds and removes sources"))
        self._refused.clear()
        self._compare()

    def _compare(self) -> None:
        """Ask for what the file says and is not so; one change of a source after the other."""
        wanted = self._last
        for source in [source for source in self._read if source not in wanted.sources]:
            self._ask("remove", source, None)
        for source, spec in wanted.sources.items():
            if source not in self._read:
                self._ask("add", source, spec, wanted.zones.get(source, {}), wanted.lines.get(source, {}))
            elif self._read[source] != spec and (source, spec) not in self._refused:
                self._refused.add((source, spec))
                self._put(Remark(f"{self._watch.path.name}: {source} is another source now; give that another name"))

    def _ask(self, action: str, source: str, spec: str | int | None, *areas: dict) -> None:
        if source not in self._asked and (source, spec) not in self._refused:
            self._asked.add(source)
            said = () if spec is None else (spec, *areas)
            self._put(Request(action, self._answer(source, spec), source, *said))

    def _answer(self, source: str, spec: str | int | None) -> Callable[[bool, list[str]], None]:
        def answer(is_done: bool, lines: list[str]) -> None:
            self._answers.put((source, spec, is_done))
            for line in lines:
                self._watch.say(line.rstrip("."))

        return answer

    def _note_answers(self) -> bool:
        """Note what has become of what was asked; returns whether anything has."""
        before = len(self._asked)
        with contextlib.suppress(Empty):
            while True:
                source, spec, is_done = self._answers.get_nowait()
                self._asked.discard(source)
                if not is_done:
                    self._refused.add((source, spec))
                elif spec is None:
                    self._read.pop(source, None)
                else:
                    self._read[source] = spec
                    # What was the only source that was left is not that any more.
                    self._refused = {(name, said) for name, said in self._refused if said is not None}
        return len(self._asked) < before

    def _stamp(self) -> tuple | None:
        try:
            found = os.stat(self._watch.path)
        except OSError:
            return None
        is_file = stat.S_ISREG(found.st_mode)  # A pipe holds nothing any more.
        return (found.st_ino, found.st_size, found.st_mtime_ns) if is_file else None


def _but_sources(pipeline: Pipeline) -> Pipeline:
    """What is left of a configuration without its sources, and the zones and lines of those."""
    return replace(pipeline, sources={}, zones={}, lines={})


# --- The other side ---


def ask(folder: Path, action: str, name: str = "", spec: str | int = "") -> tuple[bool, list[str]]:
    """Ask the run in a folder; returns whether it is done, and sentences.

    Raises `NotAsked` where no run is going on there that can be asked.
    """
    place = folder / REQUESTS
    if not is_running(folder):
        raise NotAsked(f"no run is writing to {folder}; name the folder of one that is with --output.")
    if not place.is_dir():
        raise NotAsked(
            f"the run in {folder} has one source, and no other can be added; begin one with sources: and two names."
        )
    asked = place / f"{uuid.uuid4().hex}{ASKED}"
    try:
        _write(asked, {"action": action, "name": name, "spec": spec})
    except OSError as error:
        raise NotAsked(f"{place} cannot be written to: {reason(error)}; ask as the user of the run.") from None
    return _awaited(folder, asked)


def is_running(folder: Path) -> bool:
    """Whether a run holds this folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        with locked(folder / LOCK):
            return False
    except Taken:
        return True
    except OSError:  # Another user's: it is not ours to lock.
        return True


def _awaited(folder: Path, asked: Path) -> tuple[bool, list[str]]:
    answered, until_s = asked.with_suffix(ANSWERED), time.monotonic() + ANSWER_S
    while time.monotonic() < until_s:
        with contextlib.suppress(FileNotFoundError):
            said = json.loads(answered.read_bytes())
            answered.unlink(missing_ok=True)
            return said["done"], said["lines"]
        if not asked.parent.is_dir():
            raise NotAsked(f"the run in {folder} has ended, and has not answered.")
        time.sleep(LOOK_S / 2)
    raise NotAsked(f"the run in {folder} has not answered for {ANSWER_S:.0f} s; look at what it says.")


def _write(path: Path, said: dict) -> None:
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(said, file)
    os.replace(part, path)


def _clear(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()
