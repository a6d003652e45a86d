"""All that is written about one source: results.jsonl, the annotated videos and pictures, and subtitles."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.core.errors import reason
from stages.core.frames import FinishedFrame
from stages.core.names import output_name
from stages.inputs.listing import root_of
from stages.inputs.spec import path_of
from stages.outputs.jsonl import JsonLines
from stages.outputs.losses import Losses
from stages.outputs.pictures import AnnotatedPictures
from stages.outputs.restore import LOSSES, RESULTS, Restored, restore
from stages.outputs.segments import made_segment, rate_in, segments_folder
from stages.outputs.subtitles import subtitles_path, write_subtitles
from stages.outputs.video import VideoWriter


class Recorder:
    """Takes the finished frames of one source in order; each video of a folder gets a video of its own."""

    def __init__(
        self,
        folder: Path,
        spec: str | int | None,
        annotated: bool,
        patiently: Callable[[Callable[[], object]], object] = lambda work: work(),
        continuing: bool = False,
        subtitles: bool = False,
    ):
        """`spec`: what the source was opened with, to find the sound of its videos; None where it is not known here.

        `patiently` runs what takes long, the joining of a video, while its caller shows that it is alive.
        `continuing`: what the outputs hold is kept, as far as all of them hold it; otherwise they begin empty.
        `subtitles`: whether each annotated video gets some beside it.
        """
        self.notes: list[str] = []  # what a person should know of it, in sentences
        self.restored = patiently(lambda: restore(folder, annotated)) if continuing else Restored()
        self._lines = JsonLines(folder / RESULTS, append=continuing)
        self.losses = Losses(folder / LOSSES)
        self.paths: list[Path] = [folder / RESULTS, *self.restored.paths]  # everything that was written
        self._annotated = folder / "annotated" if annotated else None
        self._spec, self._patiently = spec, patiently
        self._pictures = AnnotatedPictures(folder / "annotated")
        self._video: VideoWriter | None = None
        self._video_of: str | None = None  # the file of the source that is being written
        self._begins = 0  # where in results.jsonl its lines begin, in bytes
        self._subtitles = subtitles
        self._closed = False
        if self.restored.unfinished:
            video, self._video_of = self.restored.unfinished
            self._video = VideoWriter(video, rate_in(segments_folder(video)), self.restored.position)
            self._begins = self.restored.begins

    @property
    def draws(self) -> bool:
        """Whether the annotated picture is wanted at all."""
        return self._annotated is not None

    def write(self, frame: FinishedFrame, drawn: np.ndarray | None) -> None:
        """Write the line, then the picture, uint8 (H, W, 3) BGR; raises OutputError."""
        still = frame.picture.rate is None
        if self._video is not None and (still or frame.picture.file != self._video_of):
            self._end_video()  # Before the line: only the file of the last line may have a video that is not whole.
        begins = self._lines.size
        self._lines.write(frame)
        if self._annotated is None:
            return
        if still:
            self.paths.append(self._pictures.write(frame, drawn))
            return
        if self._video is None:
            self._start_video(frame, begins)
        self._video.write(frame, drawn)

    def close(self) -> None:
        """Bring all outputs into their final form; closing again does nothing."""
        if not self._closed:
            self._closed = True
            self._end_video()
            self._lines.close()

    def _start_video(self, frame: FinishedFrame, begins: int) -> None:
        path = self._annotated / output_name(frame.source, frame.picture.file, still=False)
        # What an earlier run left unfinished is not part of this one.
        shutil.rmtree(segments_folder(path), ignore_errors=True)
        if self.restored.last and self.restored.last[:2] == (path, frame.picture.file):
            made_segment(path, self.restored.last[2])  # A person had ended the run here, and now it goes on.
            self.paths.remove(path)
            begins = self.restored.begins
        self._begins = begins
        self._video = VideoWriter(path, frame.picture.rate, frame.frame)
        self._video_of = frame.picture.file

    def _end_video(self) -> None:
        if self._video is None:
            return
        video, self._video = self._video, None
        if self._subtitles:  # Before the video is joined: killed in between, render comes here again.
            self._write_subtitles(subtitles_path(video.path))
        sound = self._patiently(lambda: video.close(self._original(self._video_of)))
        self.paths.append(video.path)
        self.notes += [*video.notes, *([f"{video.path.name}: {sound}"] if sound else [])]

    def _write_subtitles(self, path: Path) -> None:
        results = self.paths[0]
        try:
            self._patiently(lambda: write_subtitles(path, results, self._begins, self._video_of))
        except Exception as error:  # They can be made again from the results, which are whole without them.
            traceback.print_exc()
            self.notes.append(f"{path.name} is left out: {reason(error)}; python -m stages.report --vtt makes it")
            return
        if path not in self.paths:  # A run that goes on has some already.
            self.paths.append(path)

    def _original(self, file: str | None) -> Path | None:
        """The file that the video was made of, if it can be seen from here."""
        path = None if self._spec is None else path_of(self._spec)
        if path is None:
            return None
        candidates = [Path(path)] if file is None else [root_of(self._spec) / file]
        return next((path for path in candidates if path.is_file()), None)
