"""The keys for what leaves the machine: an MQTT broker and webhooks. A part of the schema, with its rules.

No `annotations` from the future: who reads the schema goes by the types of its fields, which would be texts.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from .keys import Between, Matching

SOURCE_PLACE = "{source}"  # in the address of a stream: the name of its source
EVENTS = ("appeared", "left", "entered", "exited", "crossed")
MQTT_PORT, MQTTS_PORT = 1883, 8883

_PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
_HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})"
# The playlist names its segments after itself, as URIs: of #1-7.ts, 1?-7.ts and 1%-7.ts players would ask for others.
_PLAYLIST = r"([^\0]*/)?[^/#?%\0-\x1f\x7f]+\.m3u8"
_STORED = r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:[^\0]{1,4096}"

BrokerAddress = Annotated[
    str,
    Matching(
        "mqtt://HOST:PORT or mqtts://HOST:PORT, without user and password, which have keys of their own",
        rf"mqtts?://{_HOST}(:{_PORT})?/?",
        hides=True,
    ),
]
# A configuration is shown, copied and committed. A secret is not written in it.
Secret = Annotated[str, Matching("env:NAME for an environment variable, or file:PATH", _STORED, hides=True)]
Url = Annotated[
    str,
    Matching(
        "an address such as https://example.org/hook without user and password, or env:NAME or file:PATH where it is"
        " stored",
        rf"https?://{_HOST}(:{_PORT})?([/?][!-~]*)?|{_STORED}",
        most=4096,
        hides=True,
    ),
]
# A + or # would be a pattern, and what begins with $ belongs to the broker.
Topic = Annotated[
    str,
    Matching(
        "1 to 128 of the characters A-Z a-z 0-9 _ . - and / between names",
        r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
        most=128,
    ),
]
# A user and password may stand in it, where servers expect them; no sentence shows them.
StreamAddress = Annotated[
    str,
    Matching(
        "rtsp://HOST:PORT/PATH, the path of a playlist that ends in .m3u8 and has no # ? % in its name, or env:NAME or"
        " file:PATH where it is stored",
        rf"rtsps?://([!-.0-?A-~]+@)?{_HOST}(:{_PORT})?/[!-~]+|(?![A-Za-z][A-Za-z0-9+.-]+:/){_PLAYLIST}|{_STORED}",
        most=4096,
        hides=True,
    ),
]
FilePath = Annotated[str, Matching("the path of a file", r"[^\0]*", fewest=1, most=4096)]
EventKinds = Annotated[list[Literal[EVENTS]], Matching(f"a list of {', '.join(EVENTS)}", fewest=1, most=len(EVENTS))]
_CA = "A file with the certificates (PEM) that are trusted instead of those of the system, for a CA of your own."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """The broker that events, counts and pictures are sent to."""

    broker: Annotated[
        BrokerAddress | None,
        "The broker. `mqtts` is TLS, with the certificate verified. Default ports: 1883 and 8883. Without it, nothing"
        " is sent.",
    ] = None
    user: Annotated[Annotated[str, Matching("a name", r"[^\0]*", 1, 256)] | None, "The user name, if any."] = None
    password: Annotated[Secret | None, "Where the password is stored."] = None
    ca: Annotated[FilePath | None, f"`mqtts`: {_CA}"] = None
    certificate: Annotated[
        FilePath | None, "`mqtts`: the certificate (PEM) of this client, if the broker asks for one."
    ] = None
    key: Annotated[FilePath | None, "`mqtts`: the private key of `certificate`, if it is another file."] = None
    topic: Annotated[Topic, "The beginning of every topic. Two installations at one broker need different ones."] = (
        "facepipe"
    )
    qos: Annotated[
        int,
        Between(0, 2),
        "Quality of service of the events. 0: events can be lost with the connection; 1: none is lost, some may arrive"
        " twice; 2: between this client and the broker none arrives twice.",
    ] = 1
    discovery: Annotated[
        Topic | Literal["none"],
        "The discovery prefix of Home Assistant, which then shows sensors by itself. `none`: no discovery.",
    ] = "homeassistant"
    picture: Annotated[
        Annotated[float, Between(0.1, 86400)] | None,
        "The number of seconds between two annotated pictures that are sent, as JPEG. Default: no pictures are sent.",
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A server that events are posted to."""

    url: Annotated[Url, "The address that events are posted to, or where it is stored if it is a secret."]
    secret: Annotated[
        Secret | None, "Where the secret is stored that requests are signed with. Default: no signature."
    ] = None
    ca: Annotated[FilePath | None, f"`https`: {_CA}"] = None
    events: Annotated[EventKinds, "The events that are sent. Default: all."] = field(
        default_factory=lambda: list(EVENTS)
    )
    batch: Annotated[int, Between(1, 100), "Maximum number of events in a request."] = 1
    timeout: Annotated[
        float, Between(0.1, 600), "The number of seconds that a request may take as a whole, its answer included."
    ] = 10.0


def is_stored(value: str) -> bool:
    """Whether a value says where it is stored."""
    return value.startswith(("env:", "file:"))
