"""A real server, as `python -m stages.serve` starts it, and connections to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.browser import until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


class Server:
    """Serves from `with` on."""

    def __init__(self, folder: Path, *options: str, **environment: str):
        """`folder`: for what it says."""
        self._said = folder / f"said-{len(list(folder.glob('said-*')))}"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stages.serve", "--port", "0", *options],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    @property
    def url(self) -> str:
        return re.search(r"http://[^/]+", self.said)[0]

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def __enter__(self) -> Server:
        until(lambda: "http://" in self.said or self.process.poll() is not None, "a server")
        assert self.process.poll() is None, self.said
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """`headers`: with _ for -."""
        connection = self.connect()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def analyze(self, picture: object, content_type: str = "image/jpeg", **headers: str) -> Answer:
        return self.ask("POST", "/v1/analyze", picture, Content_Type=content_type, **headers)

    def raw(self, sent: bytes) -> socket.socket:
        """A connection over which this was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), 60)
        connection.sendall(sent)
        return connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def form(picture: bytes, boundary: str = "b0undary", files: int = 1) -> bytes:
    head = 'Content-Disposition: form-data; name="picture"; filename="a.jpg"\r\nContent-Type: image/jpeg'
    part = f"--{boundary}\r\n{head}\r\n\r\n".encode() + picture + b"\r\n"
    return part * files + f"--{boundary}--\r\n".encode()
