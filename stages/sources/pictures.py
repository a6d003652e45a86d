"""Several files as one source: the pictures and videos of a folder or a glob, in natural order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..frames import Picture
from ..kinds import PICTURES, VIDEOS
from ..names import as_text, counted
from .base import EmptyPart, Source, SourceError, name_of
from .listing import Listing, Pinned, root_of
from .part import Part
from .picture import StillFile, is_still, read_picture
from .refusal import nothing_in, unreadable_folder
from .video import Clip, Video

_SKIPPED = "Skipped: "
_VIDEOS_COUNTED = 32  # so many headers are read for an estimate; in a folder with more, nothing is estimated


def open_file(path: Path) -> Source:
    """A single picture or video, by its name, and by its content where the name says nothing."""
    return StillFile(path) if is_still(path) else Video(path)


class Pictures(Source):
    """Frames count on from file to file; a file that cannot be read is noted and takes no number."""

    def __init__(self, name: str, root: Path, files: list[Path], pinned: Pinned | None = None):
        """`files` are in the order of reading; each is called by its path below `root`."""
        self._pinned = pinned or Pinned([])
        self._root = root
        self._files = [file for file in files if file.suffix.lower() in PICTURES | VIDEOS]
        self._unreadable: set[Path] = set()
        super().__init__(name, _contents(self._files))
        self.frames = _frames(self._files)
        if left_out := [file for file in files if file not in set(self._files)]:
            kinds = ", ".join(sorted({file.suffix.lower() or "without suffix" for file in left_out}))
            self._note(
                f"{counted(len(left_out), 'file')} of {name} left out, neither picture nor video by name ({kinds})."
            )

    def take(self, part: Part) -> None:
        if any(file.suffix.lower() in VIDEOS for file in self._files):
            super().take(part)
            self.frames = None

    @classmethod
    def of(cls, spec: str, pinned: Pinned | None = None) -> Pictures:
        """The files of a folder or a glob: those that were pinned, or else those that are there now."""
        root = root_of(spec)
        try:
            files = [root / name for name in pinned.names] if pinned is not None else Listing.of(spec).files
        except OSError as error:
            raise unreadable_folder(root, error) from error
        source = cls(name_of(root), root, files, pinned)
        if not source._files:
            raise nothing_in(spec)
        return source

    @property
    def skipped(self) -> int:
        return len(self._unreadable)

    def _frames_before(self, file: str, start: int) -> int:
        """How many frames a file has had that has gone since: those behind it must not get its numbers."""
        frames = self._pinned.frames_of(file, start)
        if frames is None:
            raise SourceError(
                f"{file} of {self.name} was removed after it was read, and the frames behind it cannot be counted;"
                " put it back to continue."
            )
        return frames

    def _read(self, start: int) -> Iterator[Picture]:
        self._unreadable = set()
        # Told anew by this reading: what has gone meanwhile may have been read, by the results that it goes on from.
        self.notes = [note for note in self.notes if not note.startswith(_SKIPPED)]
        self.cut_short = count = 0
        for path in self._files:
            self.passed()
            file = as_text(path.relative_to(self._root).as_posix())
            if count < start and not path.exists() and (frames := self._frames_before(file, start)):
                count += frames
                continue
            try:
                if not path.exists():
                    raise SourceError(f"{file} is not there any more.")
                if is_still(path):
                    # Decoded also before `start`: only then is it known whether the file takes a number.
                    pixels, remark = read_picture(path, file)
                    if remark:
                        self._note(remark)
                    if count >= start:
                        yield Picture(pixels, 0.0, None, file)
                    count += 1
                else:
                    with Clip(str(path), file) as clip:
                        yield from clip.pictures(self._note, start - count, file, self.part, self.passed)
                        count += clip.taken
                        self.cut_short += clip.lacks_frames
            except SourceError as error:
                self._unreadable.add(path)
                self._note(f"{_SKIPPED}{error}")
        if count == 0 and len(self._unreadable) < len(self._files):
            raise EmptyPart(f"no video of {self.name} has a frame {self.part.words}.")
        if count == 0:
            raise SourceError(
                f"none of the {counted(len(self._files), 'file')} of {self.name} can be read. {self.notes[-1]}"
            )


def _contents(files: list[Path]) -> str:
    videos = sum(file.suffix.lower() in VIDEOS for file in files)
    kinds = [(len(files) - videos, "picture"), (videos, "video")]
    return " and ".join(counted(number, noun) for number, noun in kinds if number)


def _frames(files: list[Path]) -> int | None:
    videos = [file for file in files if file.suffix.lower() in VIDEOS]
    if len(videos) > _VIDEOS_COUNTED:
        return None
    frames = len(files) - len(videos)
    for video in videos:
        try:
            with Clip(str(video), video.name) as clip:
                frames += clip.frames or 0
        except SourceError:  # Told when it is its turn to be read.
            continue
    return frames
