"""Faces of single pictures in this process, by the functions that the stages call."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..analyst import Analyst, one_thread
from ..config.schema import Pipeline
from ..frames import Face, FinishedFrame, Picture
from ..plan import DEFAULT_CONFIG
from ..view.overlay.draw import annotate as draw
from ..view.postprocess import PostProcessor
from .configuration import Overrides, PathLike, overrides_of, read
from .pictures import Colour, NotAPicture, PictureLike, in_order, pixels_of

KEPT = 4  # configurations whose models stay in memory; a fifth takes the place of the one that was used longest ago
STYLES = ("compact", "full", "plain", "none")

# One picture at a time. The nets hold their tensors, so two threads cannot use one; and the answers are those of the
# pipeline only while OpenCV computes on one thread, which is set for the whole process.
_LOCK = threading.Lock()
_loaded: dict[tuple, Analyzer] = {}  # by what it was made of; the one that was used last comes last


def analyze(
    picture: PictureLike,
    *,
    colour: Colour = "bgr",
    config: PathLike | None = None,
    detector: str | None = None,
    overrides: Overrides | None = None,
) -> list[Face]:
    """Find the faces of one picture, with gender, emotion and age of each: what a run over it writes, bit for bit.

    `picture`: a path, the bytes of a file, or an array uint8: (H, W, 3), (H, W, 4) with alpha, or (H, W) grey.
    `colour`: the order of the channels of an array, "bgr" or "rgb"; files are read right whatever it is.
    `config`: the path of a configuration, by default the project's; `detector`: another detector than it names;
    `overrides`: other keys of it, such as {"stages.detect.threshold": 0.7}.

    Returns the faces from left to right, with boxes in pixels of the upright picture. Models are loaded by the first
    call and kept. May be called from several threads, which take turns. Raises a `FacepipeError`: `NotAPicture`,
    `SourceError` for a file that cannot be read, `ConfigError`, `CardError` or `DetectorError`.
    """
    return analyzed(pixels_of(picture, colour), config, overrides_of(detector, overrides)).faces


def analyzed(pixels: np.ndarray, config: PathLike | None, given: Mapping[str, object]) -> FinishedFrame:
    """One picture, uint8 (H, W, 3) BGR, as a run finishes it: with `render.blur`, its pixels show no face.

    `given`: the keys that are not as in `config`. Threads take turns. Raises as `analyze` does.
    """
    with _LOCK, one_thread():
        return _analyzer(config, given).frame(pixels)


def annotate(
    picture: PictureLike, faces: Sequence[Face], *, colour: Colour = "bgr", style: str = "compact"
) -> np.ndarray:
    """A copy of a picture with the faces drawn in it, as in the annotated pictures of a run.

    `picture`, `colour`: as for `analyze`. `style`: "compact"; "plain", a line for each answer; "full", a bar
    for each emotion; "none", nothing. Returns uint8
    (H, W, 3) in the order of `colour`. Equal arguments give equal pixels. Raises as `analyze` does.
    """
    if style not in STYLES:
        raise NotAPicture(f"style is {style!r}; write one of {', '.join(STYLES)}.")
    return in_order(draw(pixels_of(picture, colour), list(faces), style=style), colour)


class Analyzer:
    """The detector and the nets of one configuration, loaded. Not for several threads at once."""

    def __init__(self, pipeline: Pipeline, folder: Path):
        """`folder`: what the paths of its models count from. Raises `ConfigError`, `CardError`, `DetectorError`."""
        doubts = pipeline.render.blur != "none"
        self._pipeline, self._analyst = pipeline, Analyst(pipeline, folder, doubts=doubts)

    def frame(self, pixels: np.ndarray) -> FinishedFrame:
        """One picture, uint8 (H, W, 3) BGR, with its faces rounded as they are written."""
        said = self._analyst.answers(pixels)
        faces, doubtful = said.faces(self._analyst.cards), [tuple(box) for box in said.doubtful]
        frame = FinishedFrame("", 0, Picture(pixels, 0.0, None), faces, doubtful=doubtful)
        return PostProcessor(self._pipeline).finish(frame, all_known=not said.capped)


def _analyzer(config: PathLike | None, given: Mapping[str, object]) -> Analyzer:
    """The one of this configuration, loaded where it is not there or the file has been changed since."""
    path = DEFAULT_CONFIG if config is None else Path(os.path.abspath(config))
    changed = (found.st_mtime_ns, found.st_size) if (found := _stat(path)) else None
    key = (path, changed, repr(sorted(given.items())))
    _loaded[key] = analyzer = _loaded.pop(key, None) or Analyzer(*read(config, given))
    while len(_loaded) > KEPT:
        del _loaded[next(iter(_loaded))]
    return analyzer


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None  # Reading it says why.
