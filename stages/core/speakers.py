"""Who may say what: a host is heard only for the stages that the configuration puts on it. Pure."""

from __future__ import annotations

from stages.core.messages import Attribute, Beat, CutCrops, Faces, Failed, Message, Reserved, WorkerHello
from stages.core.placement import Placement


def may_say(placement: Placement, host: str, message: Message) -> bool:
    """Whether a process on this host can have said that; `message` is one that capture or render listens to."""
    match message:
        case WorkerHello():
            return message.host == host and placement.works(host, message.stage)
        case Beat() | Attribute() | Failed():
            return placement.works(host, message.stage)
        case Faces() | CutCrops():
            return placement.works(host, "detect")
        case Reserved():
            return host in placement.peers_of_captures()
        case _:  # Everything else is said by the capture of a source.
            return placement.reads(host, message.source)
