"""Render's side of a stream: a short queue, and a thread that feeds the process behind it and starts it again.

`put` never waits. What the stream cannot take, because its server is away or slow, is dropped and counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np

from ..backoff import Backoff
from ..errors import reason
from ..frames import FinishedFrame
from ..project import IMPORT_ROOT
from ..protocol.stats import StreamReport
from ..sinks.encoders import chosen
from ..sinks.video import encoded_size, planes_of
from .destination import Destination
from .output import Format
from .wire import TAKEN, Ended, Shown, Task, widen

MOST_FRAMES, MOST_BYTES = 16, 64_000_000  # that wait: the burst of a window of frames that were finished together
STABLE_S = 10.0  # a connection that held for so long was good: the next attempt after it is made soon
LONGEST_S = 15.0  # between two attempts: a server at home is started by a person who looks at the screen
STUCK_S = 20.0  # without an answer, where the process itself should have ended: it was stopped
CLOSING_S, KILLED_S = 0.8, 0.4  # for what is queued, and for the end by force; render has 1.6 s in all
_DEFAULT_RATE = 25.0


class Sender:
    """One stream of one source."""

    def __init__(self, destination: Destination, encoder: str, say: Callable[[str], None]):
        """`encoder`: `render.encoder`; `say` is told what a person should know, from another thread."""
        self.destination = destination
        self._encoder, self._say = encoder, say
        self._waiting: deque[Shown] = deque()
        self._changed = threading.Condition()
        self._end: Ended | None = None
        self._format: Format | None = None
        self._process: subprocess.Popen | None = None
        self._is_away = self._is_connected = False
        self._trouble: str | None = None  # what was said last
        self._sent = self._dropped = 0
        self._answer_due_s: float | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()  # Its process is there when the first frame is.

    @property
    def wants(self) -> bool:
        """Whether the next picture has any chance to be sent: nothing need be drawn for a server that is away."""
        return not self._is_away

    def put(self, frame: FinishedFrame, drawn: np.ndarray | None) -> None:
        """Queue the annotated picture, uint8 (H, W, 3) BGR, of a frame; it may be changed afterwards.

        None: it was not drawn, because it was not wanted.
        """
        self._end_if_stuck()
        if drawn is None or not self.wants:
            return self._drop(1)
        if self._format is None:
            height, width = drawn.shape[:2]
            size, rate = encoded_size(width, height), frame.picture.rate or _DEFAULT_RATE
            self._format = Format(chosen(self._encoder, size), size, rate)
        shown = Shown(frame.picture.time, planes_of(drawn, self._format.size))
        most = max(1, min(MOST_FRAMES, MOST_BYTES // shown.planes.nbytes))
        with self._changed:
            self._waiting.append(shown)
            while len(self._waiting) > most:
                self._waiting.popleft()
                self._drop(1)
            self._changed.notify()

    def report(self) -> StreamReport:
        """How it stands."""
        return StreamReport(sent=self._sent, dropped=self._dropped, connected=self._is_connected)

    def end(self, of_source: bool) -> None:
        """Send what is queued and then the end; `of_source`: the source has ended. Returns at once."""
        with self._changed:
            self._end = Ended(of_source)
            self._changed.notify()

    def close(self, within_s: float) -> None:
        """Wait for the end, and break off what takes longer."""
        self._thread.join(max(0.0, within_s))
        if (process := self._process) is not None:
            with suppress(OSError):
                process.kill()
        self._thread.join(KILLED_S)
        self._drop_waiting()

    def _end_if_stuck(self) -> None:
        due_s, process = self._answer_due_s, self._process
        if due_s is not None and process is not None and time.monotonic() > due_s:
            self._answer_due_s = None
            process.kill()

    # --- In the thread ---

    def _run(self) -> None:
        backoff = Backoff(longest_s=LONGEST_S)
        while True:
            began_s = time.monotonic()
            trouble = self._connection()
            self._is_connected = False
            with self._changed:
                if self._end is not None or trouble is None:
                    return
                self._is_away = True
            self._drop_waiting()
            if time.monotonic() - began_s > STABLE_S:
                backoff.succeeded()
            self._say_trouble(trouble)
            with self._changed:
                if self._changed.wait_for(lambda: self._end is not None, backoff.failed()):
                    return

    def _connection(self) -> str | None:
        """Start the process and feed it; returns None at the end, or why it came to nothing."""
        try:
            process = self._process = self._started()
        except OSError as error:
            return f"its process cannot be started: {reason(error)}"
        answer = b""
        try:
            widen(process.stdin.fileno())
            with self._changed:  # What is sent is known with the first frame.
                self._changed.wait_for(lambda: self._format is not None or self._end is not None)
            if self._format is None:
                return None
            answer = self._tell(process, Task(self.destination.address, self._format).to_bytes())
            if answer == TAKEN:
                self._connected()
            while answer == TAKEN:
                told = self._next()
                answer = self._tell(process, *(told.to_buffers() if isinstance(told, Shown) else (told.to_bytes(),)))
                if isinstance(told, Ended):
                    return None
                self._sent += answer == TAKEN
                self._drop(answer != TAKEN)
        except BrokenPipeError:
            self._drop(1)
            answer = process.stdout.readline()
        finally:
            self._answer_due_s = None
            status = _ended(process)
        return answer.decode(errors="replace").strip() or _why(status)

    def _started(self) -> subprocess.Popen:
        paths = filter(None, (str(IMPORT_ROOT), os.environ.get("PYTHONPATH")))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __package__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            bufsize=0,
        )

    def _tell(self, process: subprocess.Popen, *buffers: bytes | memoryview) -> bytes:
        """Send one message, and return the answer; an empty one where the process has ended."""
        self._answer_due_s = time.monotonic() + STUCK_S
        for buffer in buffers:
            view = memoryview(buffer)
            while view:
                view = view[os.write(process.stdin.fileno(), view) :]
        answer = process.stdout.readline()
        self._answer_due_s = None
        return answer

    def _next(self) -> Shown | Ended:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end is not None)
            return self._waiting.popleft() if self._waiting else self._end

    def _connected(self) -> None:
        self._is_connected = True
        if self._is_away:
            self._is_away, self._trouble = False, None
            self._say(f"the stream {self.destination.shown} continues; {self._dropped} frames are missing in it.")

    def _say_trouble(self, trouble: str) -> None:
        if trouble == self._trouble:
            return  # Once for each change, and not for each attempt.
        self._trouble = trouble
        self._say(f"the stream {self.destination.shown} is interrupted: {trouble}; it is tried again.")

    def _drop_waiting(self) -> None:
        with self._changed:
            self._drop(len(self._waiting))
            self._waiting.clear()

    def _drop(self, count: int) -> None:
        with self._changed:
            self._dropped += count


class SourceStreams:
    """All streams of one source; without destinations there are none."""

    def __init__(self, destinations: Iterable[Destination], encoder: str, say: Callable[[str], None]):
        self._senders = [Sender(destination, encoder, say) for destination in destinations]
        self._skips = False

    @property
    def wants_drawn(self) -> bool:
        """Whether the annotated picture of the next frame is wanted."""
        return any(sender.wants for sender in self._senders)

    def take(self, frame: FinishedFrame, drawn: np.ndarray | None) -> None:
        """Stream a frame of a video or camera; a picture is no part of one."""
        if frame.picture.rate is None:
            self._skips = bool(self._senders)
            return
        for sender in self._senders:
            sender.put(frame, drawn)

    @property
    def notes(self) -> list[str]:
        """What a person should know, in sentences."""
        return ["pictures are not streamed, only videos and cameras are"] if self._skips else []

    def report(self) -> dict[str, StreamReport]:
        """How each stands, by its address for a person."""
        return {sender.destination.shown: sender.report() for sender in self._senders}

    def close(self, has_ended: bool = False) -> None:
        """End all of them; `has_ended`: the source has. What cannot be sent soon is dropped."""
        for sender in self._senders:
            sender.end(has_ended)
        until_s = time.monotonic() + CLOSING_S
        for sender in self._senders:
            sender.close(until_s - time.monotonic())


def _ended(process: subprocess.Popen) -> int:
    """End it, wait for it, and return its status: that of its own end where that came first."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.2)
    with suppress(OSError):
        process.kill()
    status = process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()
    return status


def _why(status: int) -> str:
    if status == -getattr(signal, "SIGALRM", 0):
        return "the server does not answer"
    return f"its process was ended by {signal.Signals(-status).name}" if status < 0 else "its process ended"
