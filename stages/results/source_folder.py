"""The outputs of one source within the output folder of a run."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from ..layout import ANNOTATED, DROP_LOG, EVENTS, RESULTS
from ..names import output_name
from .manifest import Manifest


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """Where they are, and what is written there. Of a single source it is the output folder itself."""

    path: Path
    manifest: Manifest  # of the output folder
    is_annotated: bool = True  # whether annotated pictures and videos are written
    apart: Container[str] = ()  # the files that share their name with another one, by `names_apart`

    @classmethod
    def alone(cls, path: Path, is_annotated: bool = True) -> SourceFolder:
        """That of a single source."""
        return cls(path, Manifest(path), is_annotated)

    @property
    def results(self) -> Path:
        return self.path / RESULTS

    @property
    def events(self) -> Path:
        return self.path / EVENTS

    @property
    def drop_log(self) -> Path:
        return self.path / DROP_LOG

    @property
    def annotated(self) -> Path:
        return self.path / ANNOTATED

    def video(self, source: str, file: str | None) -> Path:
        """Where the annotated video of a file of the source is; `file`: None for a source that is one file."""
        return self.annotated / output_name(source, file, False, self.apart)

    def still(self, source: str, file: str | None) -> Path:
        """Where its annotated picture is."""
        return self.annotated / output_name(source, file, True, self.apart)
