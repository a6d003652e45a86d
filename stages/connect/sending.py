"""All senders of a run: one thread each, so that none waits for another."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import FacepipeError, reason, way_out
from ..exit_status import ExitStatus
from ..layout import CONNECT
from ..locks import Taken, locked
from ..results.atomic import make_private_folder
from .ending import Ending
from .endpoints import Endpoints
from .outbox import Outbox
from .pictures import Pictures
from .run_folder import RunFolder

LOOK_S = 0.2
REPORT_S = 0.5

_log = logging.getLogger(__name__)


class SendingError(FacepipeError):
    """The events of this folder cannot be sent."""


def send(
    folder: Path,
    run: str | None,
    endpoints: Endpoints,
    ending: Ending,
    say: Callable[[str], None],
    report: Callable[[dict[str, dict]], None],
) -> None:
    """Send the events of a run until the end; raises `SendingError` where another process does so already.

    `run`: its name, if the folder may hold another one until it begins. `report` is told, by
    name of the destination, what has become of the events.
    """
    if not _is_there(RunFolder(folder, run), ending):
        return
    with _alone(folder):
        senders = dict(_senders(folder, run, endpoints, say))
        threads = [threading.Thread(target=_run, args=(sender, ending), daemon=True) for sender in senders.values()]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not ending.is_past:
            report({name: _report(sender) for name, sender in senders.items()})
            for thread in threads:
                thread.join(REPORT_S / len(threads))
        report({name: {**_report(s), "waiting": s.outbox.waiting()} for name, s in senders.items()})


def _is_there(folder: RunFolder, ending: Ending) -> bool:
    """Wait for the run to begin; nothing is made in its folder before that."""
    while not ending.is_asked:
        folder.look()
        if folder.run is not None:
            return True
        ending.wait(LOOK_S)
    folder.look()
    return folder.run is not None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            make_private_folder(folder / CONNECT)
            held.enter_context(locked(folder / CONNECT / "lock"))
        except Taken as taken:
            raise SendingError(f"{taken.holder} sends the events in {folder} already; end it first.") from None
        except OSError as error:
            remedy = way_out(error) or "move it away"
            raise SendingError(f"{folder / CONNECT} cannot be used: {reason(error)}; {remedy}.") from None
        yield


def _senders(
    folder: Path, run: str | None, endpoints: Endpoints, say: Callable[[str], None]
) -> Iterator[tuple[str, object]]:
    if endpoints.broker is not None:
        from .mqtt import NAME, MqttSender  # The one module that needs paho-mqtt, which may not be installed.

        pictures = Pictures(endpoints.broker.picture_s, folder, say)
        outbox = Outbox(RunFolder(folder, run), NAME, say, areas=endpoints.areas)
        yield NAME, MqttSender(endpoints.broker, outbox, pictures, say)
    if endpoints.hooks:
        from .webhook import WebhookSender

        for hook in endpoints.hooks:
            name = f"webhook-{hook.name}"
            yield name, WebhookSender(hook, Outbox(RunFolder(folder, run), name, say, hook.events), say)


def _run(sender, ending: Ending) -> None:
    try:
        sender.run(ending)
    except Exception:  # A defect of ours: the process ends, its launcher starts it again, and nothing is lost.
        _log.exception("%s ends by a defect", sender.link.name)
        os._exit(ExitStatus.FAILED)


def _report(sender) -> dict:
    box = sender.outbox
    deleted = {"deleted": box.deleted} if box.deleted else {}
    return {"sent": box.sent, "refused": box.refused, **deleted, "connected": sender.link.is_up}
