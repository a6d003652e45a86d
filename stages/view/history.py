"""The pictures of one window in their order: what was seen, what stands there, and what waits for its turn. Pure."""

from __future__ import annotations

from ..frames import FinishedFrame

MOST_ENTRIES, MOST_BYTES = 100, 256_000_000  # that are kept to go back to


class ImageHistory:
    """Goes from picture to picture: by itself after `delay_s`, and when a person asks for it.

    Without a delay the newest picture is shown as soon as it comes, unless the person has gone back. With one, every
    picture is shown for so long; what has not been yet is never thrown away, and `unseen` is how much that is.
    """

    def __init__(self, delay_s: float = 0.0, most: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES):
        self._delay_s, self._most, self._most_bytes = delay_s, most, most_bytes
        self._entries: list[FinishedFrame] = []
        self._at = self._seen = -1  # the entry that is shown, and the last one that ever did
        self._went_back = False
        self._since_s = 0.0  # when the entry that is shown was turned to

    @property
    def unseen(self) -> list[FinishedFrame]:
        """What still has to be shown, oldest first; nothing where there is no delay."""
        return self._entries[self._seen + 1 :] if self._delay_s else []

    @property
    def has_previous(self) -> bool:
        """Whether there is a picture before the one that is shown."""
        return self._at > 0

    @property
    def has_next(self) -> bool:
        return 0 <= self._at < len(self._entries) - 1

    def add(self, frame: FinishedFrame) -> None:
        """The next picture has come."""
        self._entries.append(frame)
        if not self._delay_s:
            self._seen = len(self._entries) - 1
        while self._seen > 0 and (len(self._entries) > self._most or self._bytes > self._most_bytes):
            del self._entries[0]
            self._seen -= 1
            self._at = max(0, self._at - 1)

    def turn(self, now_s: float, steps: int = 0, paused: bool = False) -> FinishedFrame | None:
        """The entry that is to be shown from now on, if it is another one; `steps`: entries on or, below 0, back."""
        if not self._entries:
            return None
        newest = len(self._entries) - 1
        if steps and self._at >= 0:
            at = min(max(self._at + steps, 0), newest)
            self._went_back = at < newest
        elif paused and self._at >= 0:
            return None
        elif not self._delay_s:
            at = self._at if self._went_back else newest
        else:
            at = min(self._at + 1, newest) if self._is_over(now_s) else self._at
        if at == self._at:
            return None
        self._at, self._since_s = at, now_s
        self._seen = max(self._seen, at)
        return self._entries[at]

    def _is_over(self, now_s: float) -> bool:
        """Whether the entry that is shown has stood long enough."""
        return self._at < 0 or not is_still(self._entries[self._at]) or now_s - self._since_s >= self._delay_s

    @property
    def _bytes(self) -> int:
        return sum(frame.picture.pixels.nbytes for frame in self._entries)


def is_still(frame: FinishedFrame) -> bool:
    """Whether it is a picture to look at, and no frame of a video that goes on by itself."""
    return frame.picture.rate is None
