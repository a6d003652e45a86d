"""One connection to an MQTT broker, by paho-mqtt: every way that it can fail is a `ConnectionTrouble`."""

from __future__ import annotations

import hashlib
import logging
import socket
import time
from collections.abc import Iterator

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ..errors import reason
from .endpoints import Broker, verified
from .topics import OFFLINE, Topics
from .troubles import why_unreachable

CONNECT_S = 10.0  # for each of: the connection, TLS, the broker's welcome
KEEPALIVE_S = 30
PAYLOAD_BYTES = 268_000_000  # MQTT's own limit for a packet
_PROTOCOLS = (mqtt.MQTTv5, mqtt.MQTTv311)  # 5 says why something is refused; brokers that are old know 3.1.1 only

_log = logging.getLogger(__name__)


class ConnectionTrouble(Exception):
    """The broker cannot be used; its text goes on after the broker's name."""


class OldBroker(ConnectionTrouble):
    """It may know another version of the protocol."""


class Client:
    """A connection that stands: publish, then `turn` again and again, and ask what was acknowledged."""

    def __init__(self, broker: Broker, version: int = 0):
        """Connect; raises `ConnectionTrouble`. `version`: 0 for MQTT 5, 1 for 3.1.1."""
        self._broker = broker
        self.payload_bytes, self.window, self.qos = PAYLOAD_BYTES, 20, broker.qos
        self._answer: ReasonCode | None = None
        self._acknowledged: list[tuple[int, ReasonCode]] = []
        self._lost: ReasonCode | None = None
        self._retains = True
        self._mqtt = self._new_client(_PROTOCOLS[version])
        try:
            self._connect(_PROTOCOLS[version])
        except BaseException:
            self.close()
            raise

    def publish(self, topic: str, payload: str | bytes, qos: int = 1, retain: bool = False) -> int:
        """Hand over a message, which is sent by `turn`; returns its number for `acknowledged`."""
        return self._mqtt.publish(topic, payload, min(qos, self.qos), retain and self._retains).mid

    def turn(self, within_s: float) -> None:
        """Send and receive, for at most so long if nothing comes; raises `ConnectionTrouble`."""
        try:
            status = self._mqtt.loop(within_s)
        except Exception as error:  # Of paho, on packets that no broker sends: the connection is given up.
            _log.debug("a packet that cannot be read", exc_info=True)
            raise ConnectionTrouble(f"sends what is not MQTT ({type(error).__name__})") from error
        if self._lost is not None or status != mqtt.MQTT_ERR_SUCCESS:
            raise ConnectionTrouble(self._why_lost(status))

    def acknowledged(self) -> Iterator[tuple[int, str | None]]:
        """The numbers that were acknowledged since the last call, each with the reason for which it was refused."""
        acknowledged, self._acknowledged = self._acknowledged, []
        for number, code in acknowledged:
            yield number, str(code) if code.is_failure else None

    def disconnect(self) -> None:
        """Say good-bye: the broker does not publish the last will then."""
        self._mqtt.disconnect()

    def close(self) -> None:
        """Close the connection, in whichever state it is."""
        # Without the cycle its own sockets are closed now, and not when memory is collected.
        self._mqtt.on_connect = self._mqtt.on_publish = self._mqtt.on_disconnect = None
        if sock := self._mqtt.socket():
            sock.close()

    # --- Connecting ---

    def _new_client(self, protocol: int) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, _client_id(self._broker), protocol=protocol, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_S
        client.on_connect, client.on_publish, client.on_disconnect = self._on_connect, self._on_publish, self._on_lost
        client.will_set(Topics(self._broker.topic).status, OFFLINE, qos=1, retain=True)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            try:
                client.tls_set_context(verified(self._broker.ca, self._broker.certificate, self._broker.key))
            except (OSError, ValueError) as error:
                raise ConnectionTrouble(f"needs certificates that cannot be read now: {reason(error)}") from error
        return client

    def _connect(self, protocol: int) -> None:
        try:
            self._mqtt.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise ConnectionTrouble(why_unreachable(error)) from error
        by_s = time.monotonic() + CONNECT_S
        while self._answer is None:
            if time.monotonic() > by_s:
                raise ConnectionTrouble("does not answer; is that the port of a broker?")
            try:
                self.turn(0.2)
            except ConnectionTrouble:
                if self._answer is None:
                    raise OldBroker("closes the connection before its welcome; is that the port of a broker?") from None
        if self._answer.is_failure:
            kind = OldBroker if "protocol version" in str(self._answer).lower() else ConnectionTrouble
            raise kind(f"refuses the connection: {self._answer}")

    def _on_connect(self, client, userdata, flags, code: ReasonCode, properties) -> None:
        self._answer = code
        # What a broker of MQTT 5 says that it takes.
        self.payload_bytes = min(getattr(properties, "MaximumPacketSize", PAYLOAD_BYTES) - 1000, PAYLOAD_BYTES)
        self.window = min(getattr(properties, "ReceiveMaximum", self.window), self.window)
        self.qos = min(getattr(properties, "MaximumQoS", 2), 2)
        self._retains = bool(getattr(properties, "RetainAvailable", 1))

    def _on_publish(self, client, userdata, number: int, code: ReasonCode, properties) -> None:
        self._acknowledged.append((number, code))

    def _on_lost(self, client, userdata, flags, code: ReasonCode, properties) -> None:
        self._lost = code

    def _why_lost(self, status: int) -> str:
        if self._lost is not None and self._lost.is_failure and self._lost != _UNSPECIFIED:
            return f"has ended the connection: {self._lost}"
        if status == mqtt.MQTT_ERR_PROTOCOL:
            return "sends what is not MQTT"
        return "has ended the connection"


_UNSPECIFIED = ReasonCode(PacketTypes.DISCONNECT, "Unspecified error")


def _client_id(broker: Broker) -> str:
    """The same in every life of this process: the broker ends a former one, and its last will comes before the new.

    Two installations at one broker have different topics, as docs/connect.md asks for.
    """
    named = hashlib.blake2b(f"{socket.gethostname()}\0{broker.topic}".encode(), digest_size=6)
    return f"facepipe-{named.hexdigest()}"
