"""Where finished frames are published: open before anything is written, locked, and never waited for."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ..config.placement import Placement
from ..config.settings import Settings
from ..locks import Taken, locked
from .addresses import IPC, LOCK, PATH_BYTES, TCP
from .curve import Security, is_beyond
from .keys import read_keys
from .sockets import SocketError, Transport


class Publisher:
    """One socket that anybody may subscribe to: on this machine, or with a key of a host of the configuration."""

    def __init__(self, settings: Settings, say: Callable[[str], None]):
        """Open what `render.publish` says; raises a `FacepipeError` that says what is in the way."""
        place = settings.publish
        security = None
        if place.address.startswith(TCP) and place.host and is_beyond(place.address):
            keyring = read_keys(Path(place.keys), place.host, settings.pipeline.hosts)
            security = Security(keyring, {}, Placement.of(settings.pipeline))
        with ExitStack() as opened:
            if place.address.startswith(IPC):
                _make_way(Path(place.address.removeprefix(IPC)), opened)
            transport = Transport(security, say)
            opened.callback(transport.close)
            self._broadcast = transport.broadcast(place.address)
            self._opened = opened.pop_all()

    def send(self, parts: list[bytes]) -> None:
        """Give a message to everybody who listens and keeps up."""
        self._broadcast.send(parts)

    def close(self) -> None:
        """Close the socket, and give its path and lock back."""
        self._opened.close()


def _make_way(path: Path, opened: ExitStack) -> None:
    """Hold a socket's path, and remove what a dead process left there; ZeroMQ would take it away from anybody."""
    if len(os.fsencode(str(path))) > PATH_BYTES:
        raise SocketError(f"{path} is longer than the {PATH_BYTES} bytes of a socket's path; shorten render.publish.")
    if not path.parent.is_dir():
        raise SocketError(f"the folder of {path} does not exist; make it, or change render.publish.")
    try:
        opened.enter_context(locked(path.with_name(path.name + LOCK)))
        if os.path.lexists(path):
            found = path.lstat()
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
                raise SocketError(f"{path} is a file of somebody's; remove it, or change render.publish.")
            if _is_answered(path):
                raise Taken("another program")
            path.unlink()
    except Taken as taken:
        raise SocketError(f"{IPC}{path} is taken by {taken.holder}; change render.publish.") from None
    except OSError as error:
        raise SocketError(f"{path} cannot be opened: {error.strerror}; change render.publish.") from None
    opened.callback(path.unlink, missing_ok=True)


def _is_answered(path: Path) -> bool:
    """Whether a process listens at a socket's path; one that is too busy to answer, or speaks otherwise, counts too."""
    with socket.socket(socket.AF_UNIX) as trial:
        trial.setblocking(False)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            pass
    return True
