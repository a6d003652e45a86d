"""The loop of detect and of the attribute stages: take work from every capture, answer it, say how much room there is.

A worker holds nothing across frames. It may be started before, during or after a run, and any number of its kind may
work beside it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from stages.core import limits
from stages.core.desk import Desk
from stages.core.disorder import Disorder
from stages.core.errors import NotTaken
from stages.core.messages import (
    FROM_RENDER,
    TO_WORKER,
    Beat,
    Crops,
    Failed,
    Frame,
    Message,
    Reserved,
    Welcome,
    WorkerHello,
    kinds,
)
from stages.runtime.chaos import links_with, meet, meet_between
from stages.runtime.curve import Security
from stages.runtime.link import Connected
from stages.runtime.settings import Settings

BEAT_S = 0.1
FOUND_S = 1.0  # so often render is told that this worker is there, beside the answers that it gets
REASON_CHARACTERS = 300  # of what a detector or a net raised
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
    ended: list = field(default_factory=list)  # [incarnation, cause] of former lives: no other machine hears of them

    @classmethod
    def of(cls, settings: Settings, card: str) -> Identity:
        """Of the process that was told this; `card`: the hash of its model. Started by hand, its life is the clock's.

        An incarnation is compared with a predecessor's, never subtracted.
        """
        incarnation = settings.incarnation or int(time.time() * 1000)
        return cls(settings.stage, settings.host, settings.replica, incarnation, card, settings.ended)


def serve(
    identity: Identity,
    render: str,
    captures: Iterable[str],
    answer: Callable[[list[Frame | Crops]], list[Answer]],
    launcher,
    once: bool = False,
    security: Security | None = None,
    fits: Callable[[Frame | Crops], bool] = lambda piece: True,
    disorder: Disorder | None = None,
) -> None:
    """Work until the launcher says stop; with `once`, until every capture that welcomed this worker has said finish.

    `render` and `captures` are addresses. `answer` gets what waits, pieces of up to 32 faces in all or a single piece,
    and returns one answer for each. `security`: the locks, where the run spans several machines; `fits`: whether it can
    take a piece; one that it cannot is thrown away; `disorder`: faults on purpose.
    """
    links = links_with(disorder, security, launcher.say)
    try:
        _Worker(identity, links, render, captures, answer, launcher, once, fits, disorder).run()
    finally:
        links.close()


class _Worker:
    def __init__(self, identity, links, render, captures, answer, launcher, once, fits, disorder):
        self._identity, self._links, self._launcher, self._once = identity, links, launcher, once
        self._answer, self._fits, self._disorder = answer, fits, disorder
        self._render: Connected = links.connect(render, kinds(*FROM_RENDER))
        listens_to = kinds(*TO_WORKER)
        self._desks: list[tuple[Connected, Desk]] = [(links.connect(c, listens_to), Desk()) for c in captures]
        self._beat_due_s = self._found_due_s = 0.0
        self._told_s: dict[Connected, float] = {}  # when each capture has been told last what is finished
        self._told_room: dict[Connected, int] = {}
        self._held: list[tuple[tuple[Connected, Desk], Frame | Crops, Answer | Exception]] = []  # not sent yet
        self._held_until_s = inf
        self._render_run: str | None = None  # until render has welcomed us to a run, answers would be lost on their way
        self._refusals: set[str] = set()

    def run(self) -> None:
        self._launcher.ready()
        while not self._launcher.stop_requested and not (self._once and self._served):
            self._receive()
            at, pieces = self._take_batch()
            if pieces:
                self._work(at, pieces)
            if self._held and (time.monotonic() >= self._held_until_s or not self._has_work):
                self._send_answers()
            self._clear_for_one()
            if time.monotonic() >= self._beat_due_s:
                self._beat()
            if not self._has_work:
                self._links.wait(self._beat_due_s - time.monotonic())
        if self._held:
            self._send_answers()
        if self._once and not self._launcher.stop_requested and not any(desk.served for _, desk in self._desks):
            raise NotTaken(self._refusal(next(desk.refused for _, desk in self._desks if desk.refused)))

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
                    if not self._once:  # Otherwise it is the last word.
                        self._launcher.say(self._refusal(desk.refused))

    def _refusal(self, reason: str) -> str:
        return f"{self._identity.stage} is refused by capture: {reason}."

    def _take_batch(self) -> tuple[tuple[Connected, Desk] | None, list[Frame | Crops]]:
        """What waits on one desk, up to a batch of faces; a picture goes alone. The desks take turns."""
        only = self._reserved_by
        places = ((n, desk) for n, (_, desk) in enumerate(self._desks) if only is None or desk is only)
        place = next((n for n, desk in places if desk.waiting), None)
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

    @property
    def _has_work(self) -> bool:
        return any(desk.waiting for _, desk in self._desks)

    def _work(self, at: tuple[Connected, Desk], pieces: list[Frame | Crops]) -> None:
        _, desk = at
        if desk.is_alone:
            self._launcher.at(f"frame {pieces[0].frame} of {pieces[0].source}")
        # Of its processor time: what else the machine does makes a piece no larger.
        began_s = time.thread_time()
        answers = list(self._answers(pieces))
        desk.worked(time.thread_time() - began_s, len(pieces))
        now_s = time.monotonic()
        self._held_until_s = min(self._held_until_s if self._held else inf, now_s + desk.held_s)
        self._held += [(at, piece, answer) for piece, answer in answers]

    def _send_answers(self) -> None:
        """What is known by now travels together: who is woken for one answer can as well take several."""
        held, self._held = self._held, []
        alone = [desk for _, desk in self._desks if desk.is_alone]
        # Capture first: others wait for the crops, and render will wait for them.
        for (link, _), piece, answer in held:
            if isinstance(answer, Exception):
                link.send(self._failed(piece, answer))
            elif answer.to_capture is not None:
                link.send(answer.to_capture)
                self._told_s[link] = time.monotonic()
                meet_between(self._disorder, piece.frame)
        for (_, desk), piece, answer in held:
            desk.answered(piece)
            if not isinstance(answer, Exception):
                self._render.send(answer.to_render)
                if answer.to_capture is not None:
                    desk.told()
            self._launcher.finished()
        for link, desk in self._desks:
            if desk.credit_is_spent or desk in alone:
                self._beat_to(link, desk)

    def _answers(self, pieces: list[Frame | Crops]) -> Iterator[tuple[Frame | Crops, Answer | Exception]]:
        """Each piece with its answer. One that raises is told to capture, which decides whether it is tried again."""
        try:
            for piece in pieces:
                meet(self._disorder, piece.frame)
            yield from zip(pieces, self._answer(pieces), strict=True)
        except Exception as error:  # Whatever a detector or a net raises over a picture, the next one may be well.
            if len(pieces) == 1:
                traceback.print_exc()
                yield pieces[0], error
                return
            for piece in pieces:
                yield from self._answers([piece])

    def _failed(self, piece: Frame | Crops, error: Exception) -> Failed:
        me = self._identity
        return Failed(
            run=piece.run,
            epoch=piece.epoch,
            source=piece.source,
            frame=piece.frame,
            stage=me.stage,
            incarnation=me.incarnation,
            seq=piece.seq,
            reason=f"{type(error).__name__}: {error}"[:REASON_CHARACTERS],
        )

    # --- Alone with a piece that may be the end of this process ---

    @property
    def _reserved_by(self) -> Desk | None:
        return next((desk for _, desk in self._desks if desk.is_alone), None)

    def _clear_for_one(self) -> None:
        """A capture that has asked for it is told when nothing lies on any desk; one capture at a time."""
        if self._reserved_by is not None or self._has_work:
            return
        for link, desk in self._desks:
            if desk.clear_for_one():
                me = self._identity
                link.send(Reserved(run=desk.run, epoch=desk.epoch, source=desk.source, incarnation=me.incarnation))
                for each in self._desks:
                    self._beat_to(*each)
                return

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
                epoch=desk.epoch,
                account=desk.account,
                ended=me.ended,
            )
        )
        self._beat_to(link, desk)

    def _beat(self) -> None:
        now_s = time.monotonic()
        welcomed = all(desk.run and desk.run == self._render_run for _, desk in self._desks)
        self._beat_due_s = now_s + (BEAT_S if welcomed else KNOCK_S)
        self._launcher.beat()
        if not welcomed or now_s >= self._found_due_s:
            # Render needs no more than to be found again after it was away.
            self._found_due_s = now_s + FOUND_S
            self._render.send(self._beat_message(run=self._render_run or "", room=0, finished=0))
        for link, desk in self._desks:
            is_lately = now_s - self._told_s.get(link, -inf) < BEAT_S and self._told_room.get(link) == self._room(desk)
            if not welcomed or not is_lately:
                self._beat_to(link, desk)

    def _beat_to(self, link: Connected, desk: Desk) -> None:
        self._told_s[link], self._told_room[link] = time.monotonic(), self._room(desk)
        link.send(self._beat_message(desk.run, self._room(desk), desk.finished))
        desk.told()

    def _room(self, desk: Desk) -> int:
        is_asked = any(other.asked for _, other in self._desks)
        return desk.room if desk.run == self._render_run and not desk.served and not is_asked else 0

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
