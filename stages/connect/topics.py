"""The MQTT topics and what is announced to Home Assistant: pure. docs/connect.md lists both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..config.connections import EVENTS

ONLINE, OFFLINE = "online", "offline"  # what Home Assistant expects, by default, at an availability topic


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics below one beginning."""

    base: str

    @property
    def status(self) -> str:
        """Whether events are sent: "online" or "offline", retained."""
        return f"{self.base}/status"

    def event(self, source: str) -> str:
        """Each event of a source, as JSON; not retained."""
        return f"{self.base}/{level(source)}/event"

    def people(self, source: str) -> str:
        """How many people there are, as JSON, retained."""
        return f"{self.base}/{level(source)}/people"

    def picture(self, source: str) -> str:
        """The last annotated picture, a JPEG, retained."""
        return f"{self.base}/{level(source)}/picture"


def level(name: str) -> str:
    """A name as one level of a topic and as an ID of Home Assistant: what neither may have becomes `_`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name) or "_"


def announcements(topics: Topics, prefix: str, source: str, counts: dict, picture: bool) -> Iterator[tuple[str, dict]]:
    """What is published, retained, below the discovery `prefix`: pairs of topic and payload.

    `counts`: as they are published, for their zones and lines; `picture`: whether there are pictures.

    The keys are those of "MQTT Sensor", "MQTT Camera" and "MQTT Event" in Home Assistant's documentation. Required are
    `state_topic`, of a camera `topic`, of an event also `event_types`; `unique_id` and `device` make an entity that a
    person can rename and find under one device.
    """
    device = f"{level(topics.base.replace('/', '_'))}_{level(source)}"
    common = {
        "availability_topic": topics.status,
        "device": {
            "identifiers": [device],
            "name": f"{topics.base} {source}",
            "manufacturer": "facepipe",
            "model": "face analysis",
        },
        "origin": {"name": "facepipe"},
    }

    def entity(component: str, name: str, key: str, keys: dict) -> tuple[str, dict]:
        unique = f"{device}_{key}"
        return f"{prefix}/{component}/{unique}/config", {"name": name, "unique_id": unique, **keys, **common}

    def sensor(name: str, key: str, value: str, state_class: str) -> tuple[str, dict]:
        keys = {
            "state_topic": topics.people(source),
            "value_template": f"{{{{ value_json{value} }}}}",
            "state_class": state_class,
            "unit_of_measurement": "people",
            "icon": "mdi:account-group",
        }
        return entity("sensor", name, key, keys)

    yield sensor("People now", "now", ".now", "measurement")
    yield sensor("People in total", "total", ".total", "total_increasing")
    for zone in counts["zones"]:
        yield sensor(f"People in {zone}", f"zone_{level(zone)}", f".zones[{_quoted(zone)}]", "measurement")
    for line, ways in counts["lines"].items():
        for way in ways:
            value = f".lines[{_quoted(line)}][{_quoted(way)}]"
            yield sensor(f"{line} crossed {way}", f"line_{level(line)}_{way}", value, "total_increasing")
    # Its payload must have an event_type; ours has `event`.
    template = "{{ dict(value_json, event_type=value_json.event) | tojson }}"
    said = {"state_topic": topics.event(source), "event_types": list(EVENTS), "value_template": template}
    yield entity("event", "Event", "event", said)
    if picture:
        yield entity("camera", "Picture", "picture", {"topic": topics.picture(source)})


def _quoted(name: str) -> str:
    """A name as a text in a template."""
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
