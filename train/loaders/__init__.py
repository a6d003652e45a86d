"""Readers of the data sets as people have them. A new one is one module, and its line in READERS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from train.loaders.aaf import read_aaf
from train.loaders.fairface import WIDE_FOLDERS, read_fairface, read_fairface_wide
from train.loaders.fer2013 import read_fer2013
from train.loaders.folders import read_folders
from train.loaders.imdb import read_imdb
from train.loaders.jaffe import read_jaffe
from train.loaders.reading import Read
from train.loaders.utkface import read_utkface
from train.loaders.web import read_web


@dataclass(frozen=True, slots=True)
class Reader:
    """How a data set is read, and under which name it is expected in the folder of all of them."""

    read: Callable[[Path], Read]
    folder: str
    holds: str = "."  # what must lie in it, as a pattern, for the data set to be there
    apart_from: tuple[str, ...] = ()  # data sets read before it: what these hold out is left out of this one

    def is_in(self, data_dir: Path) -> bool:
        """Whether the folder of all data sets has this one."""
        folder = data_dir / self.folder
        return folder.is_dir() and (self.holds == "." or any(folder.glob(self.holds)))


# Collections from the web: some of their pictures are in these two as well, which hold out what figures are given for.
APART_FROM = ("utkface", "fairface")
READERS = {
    "fer2013": Reader(read_fer2013, "fer2013"),
    "utkface": Reader(read_utkface, "UTKFace"),
    "fairface": Reader(read_fairface, "fairface"),
    "fairface_wide": Reader(read_fairface_wide, "fairface", holds=WIDE_FOLDERS),
    "web": Reader(read_web, "web", apart_from=APART_FROM),
    "aaf": Reader(read_aaf, "All-Age-Faces Dataset", apart_from=APART_FROM),
    "jaffe": Reader(read_jaffe, "jaffe"),
}

__all__ = ["APART_FROM", "READERS", "Read", "Reader", "read_folders", "read_imdb"]
