"""All that is written about one source: results.jsonl, the annotated videos and pictures, and subtitles."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..errors import reason
from ..frames import FinishedFrame
from ..project import command
from ..results.atomic import is_plain
from ..results.drops import DropLog
from ..results.errors import NotALine
from ..results.jsonl import JsonLines
from ..results.source_folder import SourceFolder
from ..sources.listing import root_of
from ..sources.spec import path_of
from .comparing import missing_in
from .encoders import SOFTWARE
from .images import write_picture
from .recovery import Restored
from .segments import delete_segments, made_segment, rate_in, segments_folder
from .sound import COPIED
from .subtitles import subtitles_path, write_subtitles
from .video import VideoWriter

_log = logging.getLogger(__name__)

CHECK_S = 1.0  # how often it is looked whether the results are still there


class Recorder:
    """Takes the finished frames of one source in order; each video of a folder gets a video of its own."""

    def __init__(
        self,
        place: SourceFolder,
        restored: Restored | None = None,
        *,
        spec: str | int | None = None,
        live: bool = False,
        subtitles: bool = False,
        encoder: str = SOFTWARE,
        run_with_heartbeat: Callable[[Callable[[], object]], object] = lambda work: work(),
    ):
        """`restored`: what `restore` has left of the outputs, to which this adds; None: they begin empty.

        `spec`: what the source was opened with, to find the sound of its videos; None where it is not known here.
        `live`: whether what is lost cannot be read again; `subtitles`: whether each annotated video gets some beside
        it; `encoder`: of the videos, `render.encoder`. `run_with_heartbeat` runs what takes long, the joining of a
        video, while its caller shows that it is alive.
        """
        self.restored = restored or Restored()
        # What a person should know of it, in sentences.
        self.notes: list[str] = list(self.restored.missing) if live else []
        self.failures: list[str] = []  # what of the outputs is missing although it was written, in sentences
        # What became of the frames that are written, those of earlier lives and pieces included, as in `Restored`.
        self.counts = Counter(self.restored.counts)
        self._place, self._manifest = place, place.manifest
        self._source, self._live = self.restored.source, live
        self._lines = JsonLines(place.results, restored is not None, place.manifest)
        self._checked_s = time.monotonic()  # when it was looked whether the results are still there
        self.drop_log = DropLog(place.drop_log, place.manifest)
        self.paths: list[Path] = [place.results, *self.restored.paths]  # everything that was written
        self._spec, self._subtitles, self._run_with_heartbeat = spec, subtitles, run_with_heartbeat
        self._encoder = encoder
        self._video: VideoWriter | None = None
        self._video_of: str | None = None  # the file of the source that is being written
        self._begins = 0  # where in results.jsonl its lines begin, in bytes
        self._closed = False
        if self.restored.unfinished:
            video, self._video_of = self.restored.unfinished
            rate = rate_in(segments_folder(video))
            self._video = VideoWriter(video, rate, self.restored.position, place.manifest, encoder)
            self._begins = self.restored.begins

    @property
    def draws(self) -> bool:
        """Whether the annotated picture is wanted at all."""
        return self._place.is_annotated

    def write(self, frame: FinishedFrame, drawn: np.ndarray | None) -> None:
        """Write the line, then the picture, uint8 (H, W, 3) BGR; raises OutputError."""
        still = frame.picture.rate is None
        if self._video is not None and (still or frame.picture.file != self._video_of):
            self._end_video()  # Before the line: only the file of the last line may have a video that is not whole.
        begins, self._source = self._lines.size, frame.source
        self._lines.write(frame)
        self.counts.update(rendered=1, faces=len(frame.faces), missing=len(frame.missing))
        self.counts.update(errors=int(frame.error is not None))
        if not self._place.is_annotated:
            return
        if still:
            path = self._place.still(frame.source, frame.picture.file)
            write_picture(path, drawn, self._manifest)
            self.paths.append(path)
            return
        if self._video is None:
            self._start_video(frame, begins)
        self._video.write(frame, drawn)

    def check(self) -> None:
        """See now and then that the results are still where they are written; raises OutputError."""
        now_s = time.monotonic()
        if now_s - self._checked_s >= CHECK_S and not self._closed:
            self._checked_s = now_s
            self._lines.check()

    def close(self) -> None:
        """Bring all outputs into their final form; closing again does nothing.

        Raises OutputError. Annotated outputs that are missing are listed in `failures`.
        """
        if not self._closed:
            self._closed = True
            with ExitStack() as lines:  # Closed also where the video cannot be.
                lines.callback(self.drop_log.close)
                lines.callback(self._lines.close)
                self._end_video()
            self._run_with_heartbeat(self._look_for_outputs)

    def _start_video(self, frame: FinishedFrame, begins: int) -> None:
        path = self._place.video(frame.source, frame.picture.file)
        # What an earlier run left unfinished is not part of this one.
        delete_segments(segments_folder(path), self._manifest)
        if self.restored.last and self.restored.last[:2] == (path, frame.picture.file):
            # A person had ended the run here, and now it goes on.
            made_segment(path, self.restored.last[2], self.restored.first_s, self._manifest)
            self.paths.remove(path)
            begins = self.restored.begins
        self._begins = begins
        self._video = VideoWriter(path, frame.picture.rate, frame.frame, self._manifest, self._encoder)
        self._video_of = frame.picture.file

    def _end_video(self) -> None:
        if self._video is None:
            return
        video, self._video = self._video, None
        video.finish()
        if self._lines.lost() is None:  # Closing the lines raises for it.
            self._run_with_heartbeat(lambda: self._compare(video.path))
            if self._subtitles:  # Before the video is joined: killed in between, render comes here again.
                self._write_subtitles(subtitles_path(video.path))
        sound = self._run_with_heartbeat(lambda: video.close(self._original(self._video_of)))
        if video.path.is_file():
            self.paths.append(video.path)
        self.notes += [*video.notes, *([f"{video.path.name}: {sound}"] if sound not in (None, COPIED) else [])]

    def _compare(self, video: Path) -> None:
        """Find out which frames the video will lack; of a live source that goes on, what it lacked then is known."""
        since = self.restored.position if self._live else 0
        try:
            missing = missing_in(self._place, self._source, self._begins, only=True, since=since)
        except (NotALine, OSError) as error:
            self.failures.append(f"{self.paths[0]} was changed while it was written ({error})")
            return
        self.failures += missing.sentences()
        if (lost := missing.earlier - self.restored.missing_frames) > 0:
            self.failures.append(f"{lost} frames before frame {since} are not in {video.name} any more")

    def _look_for_outputs(self) -> None:
        gone = [path for path in self.paths[1:] if not (is_plain(path) and path.stat().st_size)]
        if gone:
            others = f", and {len(gone) - 1} others" if len(gone) > 1 else ""
            self.failures.append(f"{gone[0]}{others}: written, and not there any more")

    def _write_subtitles(self, path: Path) -> None:
        results = self.paths[0]
        try:
            self._run_with_heartbeat(
                lambda: write_subtitles(path, results, self._begins, self._video_of, self._manifest)
            )
        except Exception as error:  # They can be made again from the results, which are whole without them.
            _log.exception("%s is left out", path.name)
            self.notes.append(f"{path.name} is left out: {reason(error)}; {command('report')} --vtt makes it")
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
