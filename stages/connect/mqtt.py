"""Sends events, counts and pictures of a run to an MQTT broker.

Events wait in their file until the broker has acknowledged them, so none is lost by a broker that is away. Of counts
and pictures only the newest matters: at most one of each is under way, and none is queued.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ..backoff import Backoff
from .client import Client, ConnectionTrouble, OldBroker
from .ending import Ending
from .endpoints import Broker
from .link import Link
from .outbox import Message, Outbox
from .pictures import Pictures
from .topics import OFFLINE, ONLINE, Topics, announcements

NAME = "mqtt"  # of the outbox
TURN_S = 0.2  # how soon a new event is noticed
UNACKNOWLEDGED_S = 60.0  # a broker that is silent about an event for so long is connected to anew


class MqttSender:
    """Keeps a connection to a broker, and sends what there is."""

    def __init__(self, broker: Broker, outbox: Outbox, pictures: Pictures, say: Callable[[str], None]):
        """`say` is told what a person should know."""
        self.broker, self.outbox, self.pictures = broker, outbox, pictures
        self._say, self._protocol = say, 0
        self._refused: set[str] = set()  # topics of which that was said
        self.link = Link(f"the MQTT broker {broker.shown}", say)

    def run(self, ending: Ending) -> None:
        """Send until the end, however often the connection is lost."""
        backoff = Backoff()

        def works() -> None:
            self.link.works()
            backoff.succeeded()

        while True:
            was_asked = ending.is_asked
            try:
                with contextlib.closing(Client(self.broker, self._protocol)) as client:
                    return _Session(client, self, works).serve(ending)
            except ConnectionTrouble as trouble:
                if isinstance(trouble, OldBroker):
                    self._protocol = 1 - self._protocol
                self.link.fails(str(trouble), "it is connected to again")
            self.outbox.rewind()
            self.outbox.save(time.monotonic(), at_once=True)
            self.pictures.connection_lost()
            if was_asked or ending.is_past:
                return
            ending.wait(backoff.failed())

    def say_refused(self, topic: str, why: str) -> None:
        """Say, once for each topic, that the broker does not take what can be left out."""
        if topic not in self._refused:
            self._refused.add(topic)
            self._say(f"{self.link.name} refuses messages at {topic}: {why}; allow the topic there. Events are sent.")


@dataclass(slots=True)
class _SourceState:
    """What the broker has been told of one source over this connection."""

    counts: dict | None = None
    announced: set[str] = field(default_factory=set)
    is_under_way: bool = False


class _Session:
    """What is under way over one connection."""

    def __init__(self, client: Client, sender: MqttSender, works: Callable[[], None]):
        """`works` is called when something has arrived."""
        self._client, self._sender, self._works = client, sender, works
        self._outbox, self._broker, self._pictures = sender.outbox, sender.broker, sender.pictures
        self._topics = Topics(self._broker.topic)
        self._events: deque[tuple[int, Message]] = deque()  # sent, oldest first
        self._arrived: set[int] = set()  # of these
        self._moved_s = time.monotonic()  # when the oldest of these became it
        self._others: dict[int, Callable[[str | None], None]] = {}  # what to do when they are acknowledged
        self._sources: dict[str, _SourceState] = {}
        self._sent_nothing = False

    def serve(self, ending: Ending) -> None:
        """Send until the end; raises `ConnectionTrouble`."""
        self._tell(self._topics.status, ONLINE)
        while not ending.is_past:
            self._send_events()
            self._client.turn(TURN_S)
            self._hear()
            self._send_counts()
            self._send_pictures()
            self._outbox.save(time.monotonic())
            is_told = self._sent_nothing and not self._events and not self._others
            if is_told and (ending.is_asked or (ending.with_run and self._outbox.is_over)):
                break
        self._outbox.save(time.monotonic(), at_once=True)
        self._say_good_bye(ending)

    def _say_good_bye(self, ending: Ending) -> None:
        self._tell(self._topics.status, OFFLINE)
        with contextlib.suppress(ConnectionTrouble):  # Then the broker publishes the last will, which says the same.
            while self._others and not ending.is_past:
                self._client.turn(TURN_S)
                self._hear()
            self._client.disconnect()

    # --- Events ---

    def _send_events(self) -> None:
        now_s = time.monotonic()
        messages = self._outbox.take(self._client.window - len(self._events), now_s)
        self._sent_nothing = not messages
        if not self._events:
            self._moved_s = now_s
        for message in messages:
            payload = json.dumps(message.body)
            number = self._client.publish(self._topics.event(message.source), payload, self._broker.qos)
            self._events.append((number, message))
        if self._events and now_s - self._moved_s > UNACKNOWLEDGED_S:
            raise ConnectionTrouble(f"has not acknowledged an event for {UNACKNOWLEDGED_S:.0f} s")

    def _hear(self) -> None:
        for number, refused in self._client.acknowledged():
            if number in self._others:
                self._others.pop(number)(refused)
            elif refused is not None:
                topics = {number: self._topics.event(message.source) for number, message in self._events}
                raise ConnectionTrouble(f"refuses events at {topics.get(number)}: {refused}; allow the topic there")
            else:
                self._arrived.add(number)
        while self._events and self._events[0][0] in self._arrived:
            number, message = self._events.popleft()
            self._arrived.discard(number)
            self._outbox.confirm(message)
            self._moved_s = time.monotonic()
            self._works()

    # --- Everything else ---

    def _send_counts(self) -> None:
        for source, counts in self._outbox.counts().items():
            told, now = self._sources.setdefault(source, _SourceState()), counts.published()
            if told.is_under_way or now == told.counts:
                continue
            self._announce(source, told, now)
            told.counts, told.is_under_way = now, True
            self._tell(self._topics.people(source), json.dumps(now), then=lambda told=told: self._counts_arrived(told))

    def _counts_arrived(self, told: _SourceState) -> None:
        told.is_under_way = False
        if not self._events:
            self._works()

    def _announce(self, source: str, told: _SourceState, counts: dict) -> None:
        """Tell Home Assistant of what it has not been told over this connection."""
        if (prefix := self._broker.discovery) is None:
            return
        picture = self._broker.picture_s is not None
        for topic, payload in announcements(self._topics, prefix, source, counts, picture):
            if topic not in told.announced:
                told.announced.add(topic)
                self._tell(topic, json.dumps(payload))

    def _send_pictures(self) -> None:
        for source, picture in self._pictures.due(self._outbox.folders(), time.monotonic()):
            if len(picture) > self._client.payload_bytes:
                self._pictures.refused(f"of {len(picture)} bytes is larger than what it takes")
            else:
                self._tell(self._topics.picture(source), picture, then=self._pictures.arrived)

    def _tell(self, topic: str, payload: str | bytes, then: Callable[[], None] = lambda: None) -> None:
        """Publish what replaces what was there before, retained; `then` is called when it has arrived."""

        def acknowledged(refused: str | None) -> None:
            if refused is not None:
                self._sender.say_refused(topic, refused)
            then()

        self._others[self._client.publish(topic, payload, qos=1, retain=True)] = acknowledged
