"""The outputs of one source within the output folder of a run."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from ..layout import ANNOTATED, DROP_LOG, EVENTS, PIECES, PORTRAITS, RESULTS
from ..names import output_name
from .manifest import Manifest


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """Where they are, and what is written there. Of a single source it is the output folder itself.

    With `render.rotate`, of one piece of them.
    """

    path: Path
    manifest: Manifest  # of the output folder
    is_annotated: bool = True  # whether annotated pictures and videos are written
    apart: Container[str] = ()  # the files that share their name with another one, by `names_apart`
    piece: str | None = None  # the name of the piece, `stages.results.pieces`; None: there is one folder for all

    @classmethod
    def alone(cls, path: Path, is_annotated: bool = True) -> SourceFolder:
        """That of a single source."""
        return cls(path, Manifest(path), is_annotated)

    @property
    def own(self) -> Path:
        """The folder of the piece, or that of the source."""
        return self.path if self.piece is None else self.path / PIECES / self.piece

    @property
    def results(self) -> Path:
        return self.own / RESULTS

    @property
    def events(self) -> Path:
        return self.own / EVENTS

    @property
    def drop_log(self) -> Path:
        """One for all pieces: what was dropped may be before a border and behind it."""
        return self.path / DROP_LOG

    @property
    def annotated(self) -> Path:
        return self.own / ANNOTATED

    @property
    def portraits(self) -> Path:
        return self.own / PORTRAITS

    def video(self, source: str, file: str | None) -> Path:
        """Where the annotated video of a file of the source is; `file`: None for a source that is one file."""
        return self.annotated / output_name(source, file, False, self.apart)

    def still(self, source: str, file: str | None) -> Path:
        """Where its annotated picture is."""
        return self.annotated / output_name(source, file, True, self.apart)
