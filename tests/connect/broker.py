"""A real broker, Debian's mosquitto, and a subscriber that keeps what it hears."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests.browser import free_port, until

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
ANYBODY = "allow_anonymous true\n"
MANY = "max_queued_messages 0\n"  # no message is dropped because the subscriber is slow


class Mosquitto:
    """A broker at a free port of this machine; it can be stopped, killed and started again at the same port."""

    def __init__(self, folder: Path, configuration: str, port: int | None = None):
        if MOSQUITTO is None:
            pytest.skip("needs mosquitto, a broker")
        self.port = port or free_port()
        self._path, self._log = folder / "mosquitto.conf", folder / "mosquitto.log"
        # As the user of these tests: it could not read their certificates as another one.
        self._path.write_text(f"listener {self.port} 127.0.0.1\nuser root\nlog_type all\n{MANY}{configuration}")
        self._process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._path)], stdout=log, stderr=log)
        until(self._answers, f"mosquitto answers: {self.log}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Heard:
    """What a subscriber has heard."""

    def __init__(self, port: int, topics: str = "#", **login: str):
        self.messages: list[tuple[str, bytes, bool]] = []  # topic, payload, retained
        self._subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        if login:
            self._client.username_pw_set(**login)
        self._client.reconnect_delay_set(0.1, 0.1)
        self._client.on_message = lambda _, __, m: self.messages.append((m.topic, m.payload, m.retain))
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def at(self, topic: str) -> list[bytes]:
        return [payload for at, payload, _ in self.messages if at == topic]

    def events(self, source: str = "door") -> list[dict]:
        return [json.loads(payload) for payload in self.at(f"facepipe/{source}/event")]

    def last(self, topic: str) -> bytes | None:
        return (self.at(topic) or [None])[-1]

    def until(self, happened: Callable[[Heard], object], what: str) -> None:
        until(lambda: happened(self), what)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def mosquitto(folder: Path, configuration: str = ANYBODY, **options) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder, configuration, **options)
    try:
        yield broker
    finally:
        broker.kill()


@contextmanager
def heard(port: int, **options) -> Iterator[Heard]:
    subscriber = Heard(port, **options)
    try:
        yield subscriber
    finally:
        subscriber.close()


@contextmanager
def slow(port: int, bytes_per_s: int) -> Iterator[int]:
    """The port of a network that lets through so many bytes a second to this port, and as many back."""
    server = socket.create_server(("127.0.0.1", 0))

    def carry(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(max(1, bytes_per_s // 50)):
                other.sendall(part)
                time.sleep(len(part) / bytes_per_s)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", port))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def certificates(folder: Path) -> Path:
    """A CA of one's own and a certificate for 127.0.0.1 by it: ca.pem, server.pem, server.key in this folder."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs openssl, for certificates")
    folder.mkdir()

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a CA of one's own")
    run("req", *new[:3], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    run("x509", "-req", "-in", "server.csr", "-out", "server.pem", *by)
    return folder
