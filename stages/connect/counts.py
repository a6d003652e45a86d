"""How many people there are, counted from the events: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """The people of one source. A person is an id of the tracker."""

    total: int = 0  # people who have appeared since the run began
    present: set[int] = field(default_factory=set)
    zones: dict[str, set[int]] = field(default_factory=dict)  # who is in each zone that somebody has entered
    lines: dict[str, dict[str, int]] = field(default_factory=dict)  # how often each line was crossed, by direction

    @classmethod
    def before_any(cls, zones: Iterable[str], lines: Iterable[str]) -> Counts:
        """Those of a source with these zones and lines before its first event."""
        return cls(zones={zone: set() for zone in zones}, lines={line: {"in": 0, "out": 0} for line in lines})

    def step(self, event: dict) -> None:
        """Take the next event; what it does not say is left as it was."""
        person, zone, line = event.get("id"), event.get("zone"), event.get("line")
        if not isinstance(person, int):
            return
        match event.get("event"):
            case "appeared":
                self.total += 1
                self.present.add(person)
            case "left":
                self.present.discard(person)
                for people in self.zones.values():
                    people.discard(person)
            case "entered" if isinstance(zone, str):
                self.zones.setdefault(zone, set()).add(person)
            case "exited" if isinstance(zone, str):
                self.zones.setdefault(zone, set()).discard(person)
            case "crossed" if isinstance(line, str):
                directions, way = self.lines.setdefault(line, {"in": 0, "out": 0}), event.get("direction")
                if isinstance(way, str) and way in directions:
                    directions[way] += 1

    def forget_present(self) -> None:
        """Events are missing: who is there, and in which zone, is not known. Who comes is counted from here on."""
        self.present.clear()
        for people in self.zones.values():
            people.clear()

    def published(self) -> dict:
        """The numbers, as they are sent."""
        zones = {zone: len(people) for zone, people in sorted(self.zones.items())}
        return {
            "now": len(self.present),
            "total": self.total,
            "zones": zones,
            "lines": dict(sorted(self.lines.items())),
        }

    def to_json(self) -> dict:
        zones = {zone: sorted(people) for zone, people in self.zones.items()}
        return {"total": self.total, "present": sorted(self.present), "zones": zones, "lines": self.lines}

    @classmethod
    def from_json(cls, said: dict) -> Counts:
        """The inverse of `to_json`; raises `KeyError`, `TypeError` or `AttributeError` for anything else."""
        zones = {zone: set(people) for zone, people in said["zones"].items()}
        lines = {line: {"in": int(ways["in"]), "out": int(ways["out"])} for line, ways in said["lines"].items()}
        return cls(int(said["total"]), set(said["present"]), zones, lines)
