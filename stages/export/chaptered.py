"""A copy of an annotated video with chapters in it; nothing is encoded again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from ..errors import reason
from ..reading.lines import ResultsError
from ..results.manifest import Manifest
from ..sinks.subtitles import one_line
from .film import Film

_TICK = Fraction(1, 1000)


def copy_with_chapters(video: Path, path: Path, film: Film, manifest: Manifest) -> None:
    """Write `video`, the annotated one of `film`, to `path` with the chapters of the film.

    Raises `ResultsError` where there is no such video, `ForeignFile` and `OSError`.
    """
    if not video.is_file():
        raise ResultsError(f"{video} is not there, and chapters are put into a copy of it; use --chapters alone.")
    with manifest.replacing(path) as temporary:
        try:
            _copy(video, temporary, film)
        except av.FFmpegError as error:
            raise ResultsError(f"{video} cannot be copied: {reason(error)}; use --chapters alone.") from None


def _copy(video: Path, path: Path, film: Film) -> None:
    with (
        av.open(f"file:{video.absolute()}") as read,
        av.open(f"file:{path.absolute()}", "w", format="mp4", options={"movflags": "faststart"}) as written,
    ):
        written.metadata.update(read.metadata)
        streams = {
            stream: written.add_stream_from_template(stream) for stream in (*read.streams.video, *read.streams.audio)
        }
        written.set_chapters(
            [
                {
                    "id": number,
                    "start": round((chapter.start_s - film.start_s) / _TICK),  # The video begins with that frame.
                    "end": round((chapter.end_s - film.start_s) / _TICK),
                    "time_base": _TICK,
                    "metadata": {"title": one_line(chapter.title)},
                }
                for number, chapter in enumerate(film.chapters)
            ]
        )
        for packet in read.demux(list(streams)):
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                written.mux(packet)
