"""Faults on purpose, as the configuration's `chaos` asks for them: off unless it does."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from stages.core.messages import pack
from stages.runtime.link import Bound, Connected, Links
from stages.runtime.settings import Settings

if TYPE_CHECKING:
    from stages.core.disorder import Disorder
    from stages.runtime.curve import Security


ON_ITS_WAY_S = 0.2  # what a message needs to have left this process


def disorder_of(settings: Settings) -> Disorder | None:
    """The faults of this process; None where there are none to be."""
    chaos = settings.pipeline.chaos.get(settings.stage)
    if chaos is None or (chaos.once and settings.life):
        return None
    from stages.core.disorder import Disorder  # Every process would pay for `random`.

    return Disorder(chaos, settings.stage, settings.replica, settings.life)


def links_with(disorder: Disorder | None, security: Security | None, say: Callable[[str], None]) -> Links:
    """The sockets of a process, with these faults; the rest as `Links` takes it."""
    return Links(security, say) if disorder is None else UnrulyLinks(disorder, security, say)


def meet(disorder: Disorder | None, frame: int) -> None:
    """Do to this process what the frame does to it, if anything; raises `RuntimeError` where it is to fail."""
    if disorder is not None and disorder.slow_s:
        time.sleep(disorder.slow_s)
    match disorder and disorder.deed(frame):
        case "crash":
            os.abort()
        case "hang":
            time.sleep(1e6)
        case "fail":
            raise RuntimeError("chaos asks for a failure at this frame")


def meet_between(disorder: Disorder | None, frame: int) -> None:
    """End this process between its two answers to a frame, the first on its way, if the frame does that to it."""
    if disorder is not None and disorder.ends_between(frame):
        time.sleep(ON_ITS_WAY_S)
        os.abort()


class UnrulyLinks(Links):
    """Sockets whose messages are late, lost, doubled or spoilt."""

    def __init__(self, disorder: Disorder, security: Security | None, say: Callable[[str], None]):
        super().__init__(security, say)
        self._disorder = disorder
        self._late: list[tuple] = []  # a heap: when, in which order, which link, which of its sockets, which parts
        self._order = 0

    def bind(self, *arguments) -> _Unruly:
        return _Unruly(super().bind(*arguments), self)

    def connect(self, *arguments) -> _Unruly:
        return _Unruly(super().connect(*arguments), self)

    def wait(self, timeout_s: float) -> None:
        self._send_what_is_due()
        until_next_s = self._late[0][0] - time.monotonic() if self._late else timeout_s
        super().wait(min(timeout_s, until_next_s))
        self._send_what_is_due()

    def send(self, link: Bound | Connected, place: int, address: list[bytes], parts: list) -> bool:
        """Send as fate has it; False where a message that was sent at once found nobody."""
        now_s, arrived = time.monotonic(), True
        for due_s, is_spoilt in self._disorder.fates(now_s):
            whole = [*address, self._disorder.spoil(parts[0]) if is_spoilt else parts[0], *parts[1:]]
            if due_s <= now_s:
                arrived = link._send(link.sockets[place], whole) and arrived
            else:
                self._order += 1
                heapq.heappush(self._late, (due_s, self._order, link, place, whole))
        return arrived

    def _send_what_is_due(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, link, place, parts = heapq.heappop(self._late)
            link._send(link.sockets[place], parts)


class _Unruly:
    """A link whose messages go through the disorder of its process."""

    def __init__(self, link: Bound | Connected, links: UnrulyLinks):
        self._link, self._links = link, links

    def __getattr__(self, name: str) -> object:
        return getattr(self._link, name)

    def send(self, *connection_and_message) -> bool:
        *connection, message = connection_and_message
        place, _, name = connection[0].partition("-") if connection else ("0", "", "")
        return self._links.send(self._link, int(place), [bytes.fromhex(name)] if connection else [], pack(message))
