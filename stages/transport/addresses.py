"""Where the processes of a run meet on one machine: addresses that follow from the port, and a lock on each.

A stage that is started by hand computes the same addresses from the same configuration.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import FacepipeError
from ..locks import Taken, locked

IPC, TCP = "ipc://", "tcp://"
HAS_IPC = sys.platform != "win32"  # libzmq's Windows wheels are built without it
LOCK = ".lock"  # beside the socket that it is about
PATH_BYTES = 107  # what a Unix socket's address holds, without the zero at its end


class RunDirectoryError(FacepipeError):
    """The place where the processes of a run meet cannot be used."""


class PlaceTaken(RunDirectoryError):
    """It is somebody else's; the one of another port may be free."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What render and each capture bind, and everybody else connects to."""

    render: str
    captures: tuple[str, ...]  # in the order of the sources


def addresses(port: int, sources: int) -> Addresses:
    """The addresses of the run with this port, whether or not it is running."""
    if HAS_IPC:
        folder = _folder(port)
        places = [f"{IPC}{folder / name}" for name in ("render", *(f"capture-{i}" for i in range(sources)))]
        _check_length(places)
    else:
        places = [f"{TCP}127.0.0.1:{port + i}" for i in range(sources + 1)]
    return Addresses(places[0], tuple(places[1:]))


@contextmanager
def claim(places: Iterable[str], port: int) -> Iterator[None]:
    """Hold these addresses against other runs, and clear away what a dead one left; raises `RunDirectoryError`."""
    with ExitStack() as held:
        for place in places:
            held.enter_context(_claim_ipc(place, port) if place.startswith(IPC) else _claim_tcp(place, port))
        yield


def claim_free(ports: Iterable[int], places: Callable[[int], Iterable[str]], held: ExitStack) -> int:
    """Hold the places of the first of these ports that has them free, as long as `held` lasts; returns that port.

    Raises `RunDirectoryError`: `PlaceTaken` of the last one where all of them are taken.
    """
    taken: PlaceTaken | None = None
    for port in ports:
        try:
            held.enter_context(claim(places(port), port))
            return port
        except PlaceTaken as error:
            taken = error
    raise taken


def _folder(port: int) -> Path:
    if os.environ.get("XDG_RUNTIME_DIR"):
        return Path(os.environ["XDG_RUNTIME_DIR"]) / f"facepipe-{port}"
    return Path(tempfile.gettempdir()) / f"facepipe-{os.getuid()}-{port}"


def _check_length(places: list[str]) -> None:
    longest = max(places, key=len).removeprefix(IPC)
    if len(os.fsencode(longest)) > PATH_BYTES:
        variable = "XDG_RUNTIME_DIR" if os.environ.get("XDG_RUNTIME_DIR") else "TMPDIR"
        raise RunDirectoryError(
            f"{longest} is longer than the {PATH_BYTES} bytes of a socket's path; set {variable} to a shorter folder."
        )


@contextmanager
def _claim_ipc(place: str, port: int) -> Iterator[None]:
    path = Path(place.removeprefix(IPC))
    try:
        with ExitStack() as held:
            _lock(path.with_suffix(LOCK), held)
            _clear_after_the_dead(path.parent)
            path.unlink(missing_ok=True)  # Left by a run that was killed: its lock is free.
            held.callback(path.unlink, missing_ok=True)
            yield
    except Taken as taken:
        raise _is_taken(port, f" run ({taken.holder})") from None
    finally:
        with contextlib.suppress(OSError):  # Another stage of ours still holds its part, or somebody removed it.
            path.parent.rmdir()


def _lock(lock: Path, held: ExitStack) -> None:
    """Hold a lock in a folder that each run makes and removes, whatever others that come and go do meanwhile."""
    while True:
        _make_private(lock.parent)
        with contextlib.suppress(FileNotFoundError):  # Removed just now, by a run that left or was refused.
            held.enter_context(locked(lock))
            return


def _clear_after_the_dead(folder: Path) -> None:
    """Remove the sockets of processes that were killed, and of which this run may have none."""
    for lock in folder.glob(f"*{LOCK}"):
        with contextlib.suppress(Taken, OSError), locked(lock):
            lock.with_suffix("").unlink(missing_ok=True)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except FileExistsError:
        raise _is_not_ours(folder) from None
    except FileNotFoundError as error:
        if folder.parent.is_dir():
            return  # Removed again already; whoever locks something in it sees that.
        raise RunDirectoryError(
            f"{folder} cannot be made: {error.strerror}; set XDG_RUNTIME_DIR to a folder of your own."
        ) from None
    except OSError as error:
        raise RunDirectoryError(
            f"{folder} cannot be made: {error.strerror}; set XDG_RUNTIME_DIR to a folder of your own."
        ) from None
    # In a folder that others may write to, somebody else could have put it there, and would be given our pictures.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise _is_not_ours(folder)


def _is_not_ours(folder: Path) -> PlaceTaken:
    return PlaceTaken(f"{folder} is not a folder of yours alone; remove it, or choose another place: --set port=N.")


@contextmanager
def _claim_tcp(place: str, port: int) -> Iterator[None]:
    family, address = resolved(place)
    try:
        with socket.socket(family) as trial:
            if os.name == "posix":  # As ZeroMQ does: else what a run before has left of its connections is in the way.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise RunDirectoryError(
                f"{address[0]} is no address of this machine; correct it under hosts, or say with --host which machine"
                " this is."
            ) from None
        raise _is_taken(port, f" program ({place.removeprefix(TCP)})") from None
    yield


def resolved(place: str) -> tuple[socket.AddressFamily, tuple]:
    """Family and socket address of a `tcp` place; raises `RunDirectoryError` for a name that nobody knows."""
    host, _, number = place.removeprefix(TCP).rpartition(":")
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(number), type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise RunDirectoryError(
            f"the address {host} is not known here ({error.strerror}); correct it under hosts."
        ) from None
    return family, address


def _is_taken(port: int, holder: str) -> PlaceTaken:
    return PlaceTaken(f"port {port} is taken by another{holder}; choose another one: --set port={port + 100}.")
