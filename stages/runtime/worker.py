"""The loop of detect and of the attribute stages: take work from every capture, answer it, say how much room there is.

A worker holds nothing across frames. It may be started before, during or after a run, and any number of its kind may
work beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stages.core import limits
from stages.core.desk import Desk
from stages.core.messages import FROM_RENDER, TO_WORKER, Beat, Crops, Frame, Message, Welcome, WorkerHello, kinds
from stages.runtime.curve import Security
from stages.runtime.link import Connected, Links

BEAT_S = 0.1
KNOCK_S = 0.02  # until the first capture has answered: everything is started at once, and the first frame waits for it


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says about one piece of work."""

    to_render: Message
    to_capture: Message | None = None  # the crops, which also say that the piece is finished


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this worker is, as its messages say it."""

    stage: str
    host: str
    replica: int
    incarnation: int
    card: str

    @classmethod
    def new(cls, stage: str, host: str, replica: int, card: str) -> Identity:
        """A new incarnation. The wall clock is right here: it is compared with a predecessor's, never subtracted."""
        return cls(stage, host, replica, int(time.time() * 1000), card)


def serve(
    identity: Identity,
    render: str,
    captures: Iterable[str],
    answer: Callable[[list[Frame | Crops]], list[Answer]],
    launcher,
    once: bool = False,
    security: Security | None = None,
    fits: Callable[[Frame | Crops], bool] = lambda piece: True,
) -> None:
    """Work until the launcher says stop; with `once`, until every capture that welcomed this worker has said finish.

    `render` and `captures` are addresses. `answer` gets what waits, pieces of up to 32 faces in all or a single piece,
    and returns one answer for each. `security`: the locks, where the run spans several machines; `fits`: whether it can
    take a piece; one that it cannot is thrown away.
    """
    links = Links(security, launcher.say)
    try:
        _Worker(identity, links, render, captures, answer, launcher, once, fits).run()
    finally:
        links.close()


class _Worker:
    def __init__(self, identity, links, render, captures, answer, launcher, once, fits):
        self._identity, self._links, self._launcher, self._once = identity, links, launcher, once
        self._answer, self._fits = answer, fits
        self._render: Connected = links.connect(render, kinds(*FROM_RENDER))
        listens_to = kinds(*TO_WORKER)
        self._desks: list[tuple[Connected, Desk]] = [(links.connect(c, listens_to), Desk()) for c in captures]
        self._beat_due_s = 0.0
        self._render_run: str | None = None  # until render has welcomed us to a run, answers would be lost on their way
        self._refusals: set[str] = set()

    def run(self) -> None:
        self._launcher.ready()
        while not self._launcher.stop_requested and not (self._once and self._served):
            self._receive()
            link, pieces = self._take_batch()
            if pieces:
                self._work(link, pieces)
            if time.monotonic() >= self._beat_due_s:
                self._beat()
            if not any(desk.waiting for _, desk in self._desks):
                self._links.wait(self._beat_due_s - time.monotonic())

    @property
    def _served(self) -> bool:
        welcomed = [desk for _, desk in self._desks if desk.run]
        return bool(welcomed) and all(desk.served or desk.refused for desk in welcomed)

    def _receive(self) -> None:
        for message in self._render.receive():
            if isinstance(message, Welcome) and message.run != self._render_run:
                self._render_run = message.run
                self._beat_due_s = 0.0  # There is room now: say so at once.
        for link, desk in self._desks:
            for message in link.receive():
                if isinstance(message, (Frame, Crops)) and not self._fits(message):
                    continue  # Of no capture of ours: it would be the end of this process.
                if desk.take(message):
                    self._say_hello(link, desk)
                elif desk.served:
                    self._beat_to(link, desk)  # Capture waits for it: what it says last would else be lost as it ends.
                if desk.refused and desk.refused not in self._refusals:
                    self._refusals.add(desk.refused)
                    self._launcher.say(f"{self._identity.stage} is refused by capture: {desk.refused}.")

    def _take_batch(self) -> tuple[tuple[Connected, Desk] | None, list[Frame | Crops]]:
        """What waits on one desk, up to a batch of faces; a picture goes alone. The desks take turns."""
        place = next((n for n, (_, desk) in enumerate(self._desks) if desk.waiting), None)
        if place is None:
            return None, []
        link, desk = self._desks.pop(place)
        self._desks.append((link, desk))
        batch, faces = [], 0
        while desk.waiting:
            size = len(desk.waiting[0].arrays[0]) if isinstance(desk.waiting[0], Crops) else limits.BATCH_FACES
            if batch and faces + size > limits.BATCH_FACES:
                break
            batch.append(desk.waiting.popleft())
            faces += size
        return (link, desk), batch

    def _work(self, at: tuple[Connected, Desk], pieces: list[Frame | Crops]) -> None:
        link, desk = at
        for piece, answer in zip(pieces, self._answer(pieces), strict=True):
            # Capture first: others wait for the crops, and render will wait for them.
            if answer.to_capture is not None:
                link.send(answer.to_capture)
            self._render.send(answer.to_render)
            desk.answered(piece)
            if answer.to_capture is not None:
                desk.told()
        if desk.credit_is_spent:
            self._beat_to(link, desk)

    def _say_hello(self, link: Connected, desk: Desk) -> None:
        me = self._identity
        link.send(
            WorkerHello(
                run=desk.run,
                stage=me.stage,
                host=me.host,
                replica=me.replica,
                incarnation=me.incarnation,
                card=me.card,
            )
        )
        self._beat_to(link, desk)

    def _beat(self) -> None:
        welcomed = all(desk.run and desk.run == self._render_run for _, desk in self._desks)
        self._beat_due_s = time.monotonic() + (BEAT_S if welcomed else KNOCK_S)
        self._launcher.beat()
        # Render needs no more than to be found again after it was away.
        self._render.send(self._beat_message(run=self._render_run or "", room=0, finished=0))
        for link, desk in self._desks:
            self._beat_to(link, desk)

    def _beat_to(self, link: Connected, desk: Desk) -> None:
        room = desk.room if desk.run == self._render_run and not desk.served else 0
        link.send(self._beat_message(desk.run, room, desk.finished))
        desk.told()

    def _beat_message(self, run: str, room: int, finished: int) -> Beat:
        me = self._identity
        return Beat(
            run=run,
            stage=me.stage,
            replica=me.replica,
            incarnation=me.incarnation,
            room=room,
            finished=finished,
        )
