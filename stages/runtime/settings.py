"""What a stage process is told at its start: the whole configuration, its own place in it, addresses and cards.

Only the standard library and the schema are imported at the top: every stage process pays for what stands there.
"""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from stages.core.config import Pipeline

if TYPE_CHECKING:
    from stages.core.frames import CropGeometry


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What one capture reads."""

    spec: str | int
    name: str | None  # None: the source is named after what it is
    paced: bool  # whether a file is read at its own speed


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What capture has to know of the model of an attribute stage, without loading it."""

    hash: str  # what a worker must show
    width: int  # pixels of the crop
    height: int
    channels: int
    scale: float  # side of the square cut, in units of the normalised box's


@dataclass(frozen=True, slots=True)
class Machines:
    """What a process has to know where the run spans several machines."""

    host: str  # the one that it runs on
    keys: str  # absolute path of the folder with the keys
    owners: dict[str, str]  # address of a socket on another host -> that host, whose key it shows


@dataclass(frozen=True, slots=True)
class Settings:
    """All that one stage process is told; it travels as one line of JSON, never on the command line."""

    stage: str
    replica: int  # counts from 0 within the stage; of capture: the place of its source in the configuration
    pipeline: Pipeline
    render: str  # address at which this process finds render
    captures: tuple[str, ...]  # and each capture, in the order of the sources
    sources: tuple[SourceSettings, ...]  # in the same order
    models: dict[str, str]  # stage -> absolute path of its card; of detect: of its model file, where it has one
    cards: dict[str, CardSettings]  # attribute stage -> what its card asks for
    output: str  # absolute path of the folder for the results
    # A worker ends when every capture that welcomed it has said that it needs nothing more, render when all have.
    once: bool = False
    binds: tuple[str, ...] = ()  # what this process binds: for peers on its machine, and for those on others
    machines: Machines | None = None  # None: everything runs on one

    @property
    def host(self) -> str:
        """The machine that this process runs on, by its name in the configuration if it has one there."""
        return self.machines.host if self.machines else socket.gethostname()

    @property
    def source(self) -> SourceSettings:
        """What this capture reads."""
        return self.sources[self.replica]

    @property
    def detector(self) -> dict:
        """The arguments of `stages.detectors.make_detector`."""
        detect = self.pipeline.detect
        return {
            "name": detect.detector,
            "longest_side": detect.longest_side,
            "smallest_face": detect.smallest_face,
            "step": detect.step,
            "neighbours": detect.neighbours,
            "model": self.models.get("detect"),
        }

    @property
    def geometries(self) -> dict[str, CropGeometry]:
        """The crop that each attribute stage wants, by stage in the order of the configuration."""
        from stages.core.frames import CropGeometry

        return {
            stage: CropGeometry(card.width, card.height, card.channels, card.scale)
            for stage, card in self.cards.items()
        }

    def to_json(self) -> dict:
        """Everything as plain dicts, lists, texts and numbers."""
        return asdict(self) | {"pipeline": self.pipeline.to_json()}

    @classmethod
    def from_json(cls, plain: dict) -> Settings:
        """The inverse of `to_json`; it takes its word for what is in it."""
        return cls(
            **plain
            | {
                "pipeline": Pipeline.from_json(plain["pipeline"]),
                "captures": tuple(plain["captures"]),
                "binds": tuple(plain["binds"]),
                "machines": Machines(**plain["machines"]) if plain["machines"] else None,
                "sources": tuple(SourceSettings(**source) for source in plain["sources"]),
                "cards": {stage: CardSettings(**card) for stage, card in plain["cards"].items()},
            }
        )
