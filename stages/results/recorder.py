"""All that is written about one source: results.jsonl, the annotated videos and pictures, and subtitles."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Container
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..errors import reason
from ..frames import FinishedFrame
from ..layout import ANNOTATED, DROP_LOG, RESULTS
from ..names import output_name
from ..sinks.images import AnnotatedPictures
from ..sinks.segments import delete_segments, made_segment, rate_in, segments_folder
from ..sinks.subtitles import subtitles_path, write_subtitles
from ..sinks.video import VideoWriter
from ..sources.listing import root_of
from ..sources.spec import path_of
from .comparing import missing_in
from .drops import DropLog
from .jsonl import JsonLines
from .lines import NotALine
from .manifest import Manifest
from .reading import is_plain
from .recovery import Restored, Survey, restore, survey

CHECK_S = 1.0  # how often it is looked whether the results are still there


class Recorder:
    """Takes the finished frames of one source in order; each video of a folder gets a video of its own."""

    def __init__(
        self,
        folder: Path,
        spec: str | int | None,
        annotated: bool,
        run_with_heartbeat: Callable[[Callable[[], object]], object] = lambda work: work(),
        continuing: bool = False,
        subtitles: bool = False,
        manifest: Manifest | None = None,
        *,
        source: str | None = None,
        live: bool = False,
        found: Survey | None = None,
        apart: Container[str] = (),
    ):
        """`spec`: what the source was opened with, to find the sound of its videos; None where it is not known here.

        `run_with_heartbeat` runs what takes long, the joining of a video, while its caller shows that it is alive.
        `continuing`: what the outputs hold is kept, as far as all of them hold it; otherwise they begin empty.
        `subtitles`: whether each annotated video gets some beside it. `manifest`: of the output folder, where this one
        lies in it. `source`: whose outputs these have to be; `live`: whether what is lost cannot be read again;
        `found`: what was seen of the outputs already; `apart`: as in `output_name`.
        """
        self.notes: list[str] = []  # what a person should know of it, in sentences
        self.failures: list[str] = []  # what of the outputs is missing although it was written, in sentences
        self._manifest = manifest = manifest or Manifest(folder)
        self.restored = Restored()
        if continuing:
            self.restored = run_with_heartbeat(
                lambda: restore(found or survey(folder, annotated, manifest, apart=apart), manifest, source, live)
            )
        if live:
            self.notes += self.restored.missing
        self._source = self.restored.source
        self._live, self._folder, self._checked_s = live, folder, time.monotonic()
        self._lines = JsonLines(folder / RESULTS, continuing, manifest)
        self.drop_log = DropLog(folder / DROP_LOG, manifest)
        self.paths: list[Path] = [folder / RESULTS, *self.restored.paths]  # everything that was written
        self._annotated = folder / ANNOTATED if annotated else None
        self._spec, self._run_with_heartbeat = spec, run_with_heartbeat
        self._apart = apart
        self._pictures = AnnotatedPictures(folder / ANNOTATED, manifest, apart)
        self._video: VideoWriter | None = None
        self._video_of: str | None = None  # the file of the source that is being written
        self._begins = 0  # where in results.jsonl its lines begin, in bytes
        self._subtitles = subtitles
        self._closed = False
        if self.restored.unfinished:
            video, self._video_of = self.restored.unfinished
            self._video = VideoWriter(video, rate_in(segments_folder(video)), self.restored.position, manifest)
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
        begins, self._source = self._lines.size, frame.source
        self._lines.write(frame)
        if self._annotated is None:
            return
        if still:
            self.paths.append(self._pictures.write(frame, drawn))
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

        Raises OutputError. What is annotated and is not there any more is told in `failures`.
        """
        if not self._closed:
            self._closed = True
            with ExitStack() as lines:  # Closed also where the video cannot be.
                lines.callback(self.drop_log.close)
                lines.callback(self._lines.close)
                self._end_video()
            self._run_with_heartbeat(self._look_for_outputs)

    def _start_video(self, frame: FinishedFrame, begins: int) -> None:
        path = self._annotated / output_name(frame.source, frame.picture.file, False, self._apart)
        # What an earlier run left unfinished is not part of this one.
        delete_segments(segments_folder(path), self._manifest)
        if self.restored.last and self.restored.last[:2] == (path, frame.picture.file):
            # A person had ended the run here, and now it goes on.
            made_segment(path, self.restored.last[2], self.restored.first_s, self._manifest)
            self.paths.remove(path)
            begins = self.restored.begins
        self._begins = begins
        self._video = VideoWriter(path, frame.picture.rate, frame.frame, self._manifest)
        self._video_of = frame.picture.file

    def _end_video(self) -> None:
        if self._video is None:
            return
        video, self._video = self._video, None
        video.finish()
        if self._lines.lost() is None:  # Who closes the lines hears of it.
            self._run_with_heartbeat(lambda: self._compare(video.path))
            if self._subtitles:  # Before the video is joined: killed in between, render comes here again.
                self._write_subtitles(subtitles_path(video.path))
        sound = self._run_with_heartbeat(lambda: video.close(self._original(self._video_of)))
        if video.path.is_file():
            self.paths.append(video.path)
        self.notes += [*video.notes, *([f"{video.path.name}: {sound}"] if sound else [])]

    def _compare(self, video: Path) -> None:
        """Find out which frames the video will lack; of a live source that goes on, what it lacked then is known."""
        since = self.restored.position if self._live else 0
        try:
            missing = missing_in(self._folder, self._source, self._begins, only=True, since=since, apart=self._apart)
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
