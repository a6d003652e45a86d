"""Authorization: a host is heard only for the stages that the configuration puts on it. Pure."""

from __future__ import annotations

from ..config.placement import Placement
from ..protocol.messages import Attribute, FaceCrops, Faces, Failed, Heartbeat, Isolated, Message, WorkerHello


def is_authorized(placement: Placement, host: str, message: Message) -> bool:
    """Whether a process on this host can have said that; `message` is one that capture or render listens to."""
    match message:
        case WorkerHello():
            return message.host == host and placement.works(host, message.stage)
        case Heartbeat() | Attribute() | Failed():
            return placement.works(host, message.stage)
        case Faces() | FaceCrops():
            return placement.works(host, "detect")
        case Isolated():
            return host in placement.peers_of_captures()
        case _:  # Everything else is said by the capture of a source.
            return placement.reads(host, message.source)
