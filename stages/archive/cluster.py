"""Ray: the machines that there are, and tasks that are done on them, one core each, again where a machine is lost."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would send statistics of use to its makers.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # It warns on standard error, between our lines.

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from ..errors import FacepipeError, reason
from .outcome import Failed, Trouble, outcome_of

AGAIN = 5  # times that a task is done again whose process or machine was lost
STORE_BYTES = 100_000_000  # of Ray's memory for objects, where Ray is started here: what is large goes through files
ABOVE_SOCKETS = 15  # characters of the folder for temporary files: with what Ray adds, a socket's path has 107 at most
HERE = "local"
ANSWER_S = 10.0  # for the machine at an address


class ClusterError(FacepipeError):
    """There is no cluster at an address, or none can be started."""


class Cluster:
    """A connection to Ray. `submit` gives tasks to it, `finished` gives back what has come of them."""

    def __init__(self):
        self._task = ray.remote(num_cpus=1, max_retries=AGAIN)(outcome_of)
        self._running: dict[ray.ObjectRef, Any] = {}

    @property
    def cores(self) -> int:
        """Processor cores of all machines that there are now."""
        return max(1, int(ray.cluster_resources().get("CPU", 0)))

    @property
    def running(self) -> int:
        """Tasks that were submitted and are not finished."""
        return len(self._running)

    def put(self, value: object) -> object:
        """Send a value to every machine that needs it, once; what is returned stands for it in `submit`."""
        return ray.put(value)

    def submit(self, label: Any, function: Callable, *given: object) -> None:
        """Have a function called on some machine; `label` comes back with its outcome."""
        self._running[self._task.remote(function, *given)] = label

    def finished(self, within_s: float) -> Iterator[tuple[Any, object]]:
        """Labels and outcomes of tasks that are finished; waits for one, but no longer than this."""
        if not self._running:
            return
        ready, _ = ray.wait(list(self._running), timeout=within_s)
        for ref in ready:
            yield self._running.pop(ref), _outcome(ref)


@contextmanager
def cluster_at(address: str | None, cores: int) -> Iterator[Cluster]:
    """Join a cluster by its address, `auto` for the one that this machine belongs to; None starts Ray on this machine.

    `cores`: how many of this machine's may be used, where Ray is started here. Until it is left, nothing can be printed
    on the standard output. Raises `ClusterError`.
    """
    above = tempfile.gettempdir() if len(tempfile.gettempdir()) <= ABOVE_SOCKETS else "/tmp"
    folder = tempfile.mkdtemp(prefix="facepipe-", dir=above) if address is None else None
    signals = _Signals()
    # A thread of Ray writes some lines to the standard output whenever a process is lost.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        try:
            signals.note()
            _connect(address, cores, folder)
            signals.note()  # Ray has put its own handler in place of that for SIGTERM.
            yield Cluster()
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(*(interrupt.args or signals.heard)) from None
        finally:
            ray.shutdown()
            signals.restore()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


class _Signals:
    """Which signal has come: Ray raises a `KeyboardInterrupt` of its own for it, which does not say."""

    def __init__(self):
        self.heard: tuple[int, ...] = ()
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(self) -> None:
        """From now on a signal is noted, and then handled as it was before."""
        for number, handler in self._handlers.items():
            if callable(handler):
                signal.signal(number, self._note)

    def restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.heard = (number,)
        self._handlers[number](number, frame)


def _connect(address: str | None, cores: int, folder: str | None) -> None:
    told = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is not None:
            _refuse_silent(address)
            with _silent():
                ray.init(address, **told)
            return
        # Its ports are open to the network, and Ray asks for a token; one of its own would stay in the home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        own = os.path.join(folder, "ray")  # Ray lets everybody write into it; the folder above belongs to this user.
        here = {"num_cpus": cores, "object_store_memory": STORE_BYTES, "include_dashboard": False, "_temp_dir": own}
        with _silent():
            ray.init(HERE, **here, **told)
    except Exception as error:  # Where a start takes too long, Ray raises no class of its own.
        if address is None:
            raise ClusterError(
                f"Ray does not start on this machine: {reason(error)}; start the command again when it has less to do."
            ) from error
        raise ClusterError(
            f"there is no Ray cluster at {address} that this machine can join: {reason(error)}; run the command on a"
            " machine of the cluster, or leave --ray out to use this machine alone."
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches the standard error within: Ray writes there which level its log has, whatever that level is."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _refuse_silent(address: str) -> None:
    """Raise `OSError` where nobody listens at HOST:PORT: Ray itself waits for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S):
            pass


def _outcome(ref: ray.ObjectRef) -> object:
    try:
        return ray.get(ref)
    except RayTaskError as error:  # The function was not called at all: a machine cannot read it.
        return Failed(Trouble.ARCHIVE, f"a machine cannot do the work, as without facepipe: {reason(error.cause)}.")
    except OutOfMemoryError:
        return Failed(Trouble.FILM, f"its machine had no memory left, {AGAIN + 1} times; give it more, or fewer cores.")
    except (WorkerCrashedError, NodeDiedError):
        return Failed(Trouble.FILM, f"its process or its machine was lost {AGAIN + 1} times.")
    except RayError as error:
        return Failed(Trouble.ARCHIVE, f"Ray has lost a task: {reason(error)}; run the command again to continue.")
