"""Reads the source on a thread of its own: a little ahead, and again from where render has to be given it anew."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

from ..frames import Picture
from ..sources.base import Source
from ..transport.sockets import Waker

KEPT = 2  # pictures of frames that are done: of a render that dies the video lacks one or two that have a line
AHEAD = 4  # pictures of a file that are decoded before the window has room for them: as many as travel at once
AHEAD_BYTES = 16_000_000  # of these; one may always be decoded
_CLOSE_S = 1.0


class Reader:
    """Decodes on a thread of its own, ahead of what the window takes; can go back to an earlier frame."""

    def __init__(self, source: Source, waker: Waker, paced: bool, on_frame: Callable[[int], None] = lambda frame: None):
        """`on_frame` is called, on that thread, with the frame that is read next."""
        self.ended = False  # after the last picture was taken
        source.passed = self._goes_on
        self._source, self._waker, self._paced, self._on_frame = source, waker, paced, on_frame
        self._reading: _Reading | None = None
        self._next = 0  # the frame that the next picture is
        self._given: dict[int, Picture] = {}  # the last ones: what is in flight, and KEPT more
        self._exhausted_at: int | None = None  # how many frames there are, once that is known
        self._stopped = False

    @property
    def is_reading(self) -> bool:
        return self._reading is not None

    def has_stood_still(self, for_s: float) -> bool:
        """Whether the decoder has been at one picture for longer.

        A live source may be silent for as long as it likes: it finds out itself whether it is lost.
        """
        since_s = self._reading.decoding_since_s if self._reading is not None and not self._source.live else None
        return since_s is not None and time.monotonic() - since_s > for_s

    def read_from(self, frame: int) -> None:
        """Give `frame` next: what was given lately is given again, anything else is decoded anew."""
        if self._stopped:
            return
        wanted = range(frame, self._next)
        if self._reading is None or frame > self._next or not all(number in self._given for number in wanted):
            self._end_reading()
            self._given.clear()
            self._exhausted_at = None
            self._reading = _Reading(self._source, self._waker, self._paced, frame, self._on_frame)
        self._next = frame
        self.ended = self._next == self._exhausted_at

    def has_first(self) -> bool:
        """Whether the first picture of a reading that begins is there; raises what the source raised instead of it."""
        return self._reading is not None and self._reading.has_first()

    def stop(self) -> None:
        """Read no more."""
        self._stopped = self.ended = True
        if self._reading is not None:
            self._reading.stop()

    def close(self) -> None:
        """Let go of the source, unless a camera's driver or a broken stream still holds the thread that reads it."""
        self.stop()
        if self._end_reading():
            self._source.close()

    def clear_wakes(self) -> None:
        """The owner of the loop is awake: only what is read from now on wakes it again."""
        self._waker.clear()

    def take(self) -> Picture | None:
        """The next picture if it is there; raises what the source raised."""
        if self.ended or self._reading is None:
            return None
        picture = self._given.get(self._next)
        if picture is None:
            picture = self._reading.take()
            if self._reading.ended:
                self.ended, self._exhausted_at = True, self._next
            if picture is None:
                return None
            if not self._source.live:
                self._given[self._next] = picture
        self._next += 1
        self.ended = self._next == self._exhausted_at
        return picture

    @property
    def next_size(self) -> int:
        """Bytes of the picture that `take` would give; 0 where there is none."""
        if (picture := self._given.get(self._next)) is not None:
            return picture.pixels.nbytes
        return self._reading.next_size if self._reading is not None else 0

    def discard(self) -> int:
        """Throw away what has come, and say how many pictures that were; raises what the source raised."""
        return sum(1 for _ in iter(self.take, None))

    def forget(self, acked_up_to: int) -> None:
        """Frames below `acked_up_to` are written; the last of them can still be cut off again when render dies."""
        for number in [n for n in self._given if n < acked_up_to - KEPT]:
            del self._given[number]

    def _goes_on(self) -> None:
        if self._reading is not None:
            self._reading.decoding_since_s = time.monotonic()

    def _end_reading(self) -> bool:
        """Whether the thread that reads has ended."""
        reading, self._reading = self._reading, None
        return reading is None or reading.close()


class _Reading:
    """One reading of the source, from a certain frame on."""

    def __init__(self, source: Source, waker: Waker, paced: bool, start: int, on_frame: Callable[[int], None]):
        self.ended, self._on_frame = False, on_frame
        self.decoding_since_s: float | None = None  # since when the thread is at one picture; None: it waits for room
        self._source, self._waker, self._paced, self._start = source, waker, paced, start
        self._came: deque[Picture | Exception | None] = deque()
        self._changed = threading.Condition()  # what has come, and what is wanted
        self._is_wanted = True  # whoever takes the pictures waits for one
        self._ahead = 1 if source.live else AHEAD
        self._stopped = threading.Event()
        self._begun = threading.Event()  # the first picture was taken
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def has_first(self) -> bool:
        if self._came and isinstance(self._came[0], Exception):
            raise self._came[0]
        return bool(self._came) or self._begun.is_set()

    def stop(self) -> None:
        self._stopped.set()
        self._begun.set()
        self.ended = True
        with self._changed:
            self._changed.notify()

    def close(self) -> bool:
        self.stop()
        self._thread.join(_CLOSE_S)
        return not self._thread.is_alive()

    def take(self) -> Picture | None:
        if self.ended:
            return None
        with self._changed:
            self._is_wanted = not self._came
            if self._is_wanted:
                return None
            came = self._came.popleft()
            self._changed.notify()
        self._begun.set()
        self.ended = came is None or isinstance(came, Exception)
        if isinstance(came, Exception):
            raise came
        return came

    @property
    def next_size(self) -> int:
        came = self._came[0] if self._came else None
        return came.pixels.nbytes if isinstance(came, Picture) else 0

    def _read(self) -> None:
        last: Exception | None = None
        try:
            for picture in self._at_its_pace(self._decoded()):
                if not self._put(picture):
                    return
        except Exception as error:  # Raised again by `take`, in the thread that owns the loop.
            last = error
        self._put(last)

    def _decoded(self) -> Iterator[Picture]:
        pictures = self._source.pictures(self._start)
        for number in count(self._start):
            self.decoding_since_s = time.monotonic()
            self._on_frame(number)
            picture = next(pictures, None)
            self.decoding_since_s = None
            if picture is None:
                return
            yield picture

    def _at_its_pace(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
        """The pictures of each video when their time has come, if that is asked for; a live source has its own pace."""
        file, started_s = None, None
        for picture in pictures:
            if self._paced and picture.rate and not self._source.live:
                if started_s is None or picture.file != file:
                    file, started_s = picture.file, time.monotonic() - picture.time
                self._stopped.wait(max(0.0, started_s + picture.time - time.monotonic()))
            yield picture
            if not self._begun.is_set():  # The clock runs from when the first picture is wanted.
                self._begun.wait()
                started_s = time.monotonic() - picture.time

    def _put(self, came: Picture | Exception | None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped.is_set() or self._has_room(came))
            if self._stopped.is_set():
                return False
            self._came.append(came)
            is_wanted, self._is_wanted = self._is_wanted, False
        if is_wanted:  # Otherwise whoever takes the pictures has no room, and looks when there is some.
            self._waker.wake()
        return True

    def _has_room(self, came: Picture | Exception | None) -> bool:
        if not self._came:
            return True
        size = sum(p.pixels.nbytes for p in (*self._came, came) if isinstance(p, Picture))
        return len(self._came) < self._ahead and size <= AHEAD_BYTES
