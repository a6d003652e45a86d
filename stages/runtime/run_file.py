"""run.json: which run the results in a folder belong to, what they were made of, and whether it has ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from stages.results.atomic import sync_folder
from stages.results.manifest import Manifest

RUN = "run.json"


@dataclass(frozen=True, slots=True)
class RunFile:
    """What `run.json` says."""

    run: str  # the name that render gives the run
    inputs: dict = field(default_factory=dict)  # all that results depend on, under names that a person can read
    incarnation: int = 0  # of the last render
    ended: str | None = None  # "finished", "stopped" by a person, or None: under way, or broken off

    @classmethod
    def read(cls, folder: Path) -> RunFile | None:
        """None where there is none that can be read."""
        try:
            said = json.loads((folder / RUN).read_bytes())
            return cls(str(said["run"]), dict(said["inputs"]), int(said["incarnation"]), said["ended"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def prepare(self, folder: Path) -> None:
        """Write it beside its place: after that hardly anything can hinder `write`.

        Raises `OSError`, and `ForeignFile` where a file of somebody else's has its name.
        """
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        # Names of files need not be valid text on Linux; what is not is written as JSON's own \udcXX and reads back so.
        manifest = Manifest(folder)
        manifest.refuse_foreign(folder / RUN)
        manifest.write(part_of(folder), text.encode("utf-8", "backslashreplace"))

    def write(self, folder: Path) -> None:
        """Replace it as a whole; raises `OSError`."""
        self.prepare(folder)
        Manifest(folder).rename(part_of(folder), folder / RUN)
        sync_folder(folder)

    def with_end(self, ended: str | None) -> RunFile:
        return replace(self, ended=ended)

    def difference(self, inputs: dict) -> str | None:
        """The name of the first input that is not the same now."""
        return next((name for name in {**inputs, **self.inputs} if inputs.get(name) != self.inputs.get(name)), None)


def part_of(folder: Path) -> Path:
    """Where it is prepared."""
    return folder / f".{RUN}.part"
