"""A place to publish at is opened, or refused in one sentence; files of others stay as they are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.config.load import read_config
from stages.config.schema import ConfigError, Pipeline
from stages.config.settings import PublishSettings
from stages.errors import FacepipeError
from stages.transport.publisher import Publisher


def published(address: str) -> Publisher:
    place = PublishSettings(address, pixels=False, host="", keys="")
    return Publisher(SimpleNamespace(publish=place, pipeline=Pipeline()), lambda said: None)


@pytest.fixture
def taken(tmp_path) -> Iterator[Path]:
    """A folder with files and sockets of others in it."""
    (tmp_path / "letter.txt").write_text("Dear Sir")
    (tmp_path / "locked.sock.lock").write_text("1234\n")
    (tmp_path / "link.sock").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy:
        live.bind(str(tmp_path / "live.sock"))
        live.listen(0)
        busy.bind(str(tmp_path / "busy.sock"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere/faces.sock", "/nowhere/faces.sock does not exist; make it, or change render.publish."),
        ("letter.txt", "letter.txt is a file of somebody's; remove it, or change render.publish."),
        ("link.sock", "link.sock is a file of somebody's; remove it, or change render.publish."),
        ("locked.sock", "locked.sock.lock, a file of somebody's; change render.publish."),
        ("live.sock", "live.sock is taken by another program; change render.publish."),
        ("busy.sock", "busy.sock is taken by another program; change render.publish."),
        ("x" * 120, "x is longer than the 107 bytes of a socket's path; shorten render.publish."),
    ],
)
def test_a_path_that_is_not_free_is_refused_and_stays(taken, name, sentence):
    before = sorted(path.name for path in taken.iterdir())
    with pytest.raises(FacepipeError) as refused:
        published(f"ipc://{taken / name}")
    assert str(refused.value).endswith(sentence)
    assert set(before) <= {path.name for path in taken.iterdir()}
    assert ((taken / "letter.txt").read_text(), (taken / "locked.sock.lock").read_text()) == ("Dear Sir", "1234\n")


def test_a_path_is_held_until_it_is_closed_and_one_of_a_dead_process_is_taken(tmp_path):
    path = tmp_path / "faces.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    first = published(f"ipc://{path}")
    with pytest.raises(FacepipeError, match=r"faces\.sock is taken by process \d+; change render\.publish\."):
        published(f"ipc://{path}")
    first.close()
    assert not path.exists()
    published(f"ipc://{path}").close()


def test_a_port_that_is_taken_and_an_address_that_is_none_are_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(FacepipeError, match=f"{address} cannot be opened: Address already in use; change render"):
            published(address)
    with pytest.raises(FacepipeError, match="the address no.such.host.invalid is not known here"):
        published("tcp://no.such.host.invalid:5700")
    with pytest.raises(FacepipeError, match="0.0.0.0 can be reached from other machines, and no socket is opened"):
        published("tcp://0.0.0.0:5700")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("tcp://localhost", "render.publish is 'tcp://localhost'; write tcp://ADDRESS:PORT"),
        ("tcp://127.0.0.1:99999", "write tcp://ADDRESS:PORT, the port from 1 to 65535, or ipc://PATH"),
        ("{pixels: true}", "render.publish needs an address"),
        ("{address: 'ipc://a', pixels: 'ipc://b'}", "render.publish.pixels is 'ipc://b'; write true"),
    ],
)
def test_what_is_no_address_is_refused_where_it_is_read(written, sentence):
    with pytest.raises(ConfigError) as refused:
        read_config(f"render: {{publish: {written}}}", "p")
    assert sentence in str(refused.value)
