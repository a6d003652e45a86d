"""How often label boxes jump, on clips in which people move, cross and hide.

    python -m bench.labels                      the scenes of bench.scenes
    python -m bench.labels --clip film.mp4      any other clip

A label box jumps where it goes elsewhere beside its face from one frame to the next, appears, or disappears, while the
face stays. Each clip is analysed once; the label boxes are those of the annotated video, and, to compare, those that
each frame would have if it were drawn alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.options import Options, command
from bench.pipeline import run
from bench.scenes import CROSSING, SCENES, write_scene
from bench.table import Figure, figure
from stages.areas import Areas
from stages.results.jsonl import Line, lines_of
from stages.view.overlay.layout import FaceLayout, lay_out_faces
from stages.view.overlay.steady import SteadyLabels

TITLE = "label boxes that stay where they are"
_MOVES = 0.25  # of a face's side: what a label box moves by beside its face without a jump


@dataclass(frozen=True, slots=True)
class Steadiness:
    jumps: int  # of all label boxes
    seconds: float  # of the clip
    without: float  # share of the faces that have no label box

    @property
    def a_minute(self) -> float:
        return 60 * self.jumps / self.seconds if self.seconds else 0.0


def measure(options: Options) -> list[Figure]:
    """Jumps a minute, clip by clip."""
    style = options.pipeline()[0].render.style
    figures = []
    for name, clip in _clips(options):
        lines = list(lines_of(run(options, clip, "render.annotated=false").output / "results.jsonl"))
        steady, alone = steadiness(lines, style), steadiness(lines, style, is_steady=False)
        figures += [
            figure(f"{name}: jumps", steady.a_minute, "a minute", "", f"{alone.a_minute:.1f} if each is drawn alone"),
            figure("faces without a label box", 100 * steady.without, "%"),
        ]
    return figures


def steadiness(lines: Iterable[Line], style: str, is_steady: bool = True) -> Steadiness:
    """Of the label boxes of one video; `is_steady`: as they are drawn, and not as if each frame were drawn alone."""
    labels, before = SteadyLabels(style, Areas()), {}
    times, jumps, faces, without = [], 0, 0, 0
    for line in lines:
        said = {"file": line.file, "cut": line.cut, "missing": line.missing, "error": line.error}
        places = labels.update(line.faces, line.width, line.height, line.time, **said) if is_steady else ()
        laid_out = lay_out_faces(line.faces, line.width, line.height, style=style, former=places)
        now = {face.id: _beside(of) for face, of in zip(line.faces, laid_out, strict=True)}
        jumps += 0 if line.cut else sum(has_jumped(before[number], now[number]) for number in before.keys() & now)
        faces, without = faces + len(now), without + sum(place is None for place in now.values())
        before = now
        times.append(line.time)
    return Steadiness(jumps, times[-1] - times[0] if times else 0.0, without / max(1, faces))


def _beside(face: FaceLayout) -> np.ndarray | None:
    """From the middle of a face to the four corners of its label box, (4, 2), in sides of the face."""
    if face.label_box is None:
        return None
    x1, y1, x2, y2 = face.box
    wide, high = face.label_box.size
    corners = np.add(face.corner, [(0, 0), (wide, 0), (0, high), (wide, high)])
    return (corners - ((x1 + x2) / 2, (y1 + y2) / 2)) / max(1.0, x2 - x1, y2 - y1)


def has_jumped(before: np.ndarray | None, now: np.ndarray | None) -> bool:
    """Of two label boxes, by their corners beside the face, float (4, 2) in sides of the face; None: there is none."""
    if before is None or now is None:
        return before is not now
    # Where one corner stays, it has only another text.
    return bool(np.linalg.norm(now - before, axis=1).min() > _MOVES)


def _clips(options: Options) -> Iterable[tuple[str, Path]]:
    if options.clip is not None:
        return [("clip", Path(options.clip))]
    scenes = [(scene.name, scene) for scene in (*SCENES, CROSSING)]
    clips = [(name, options.folder / f"scene-{number}.mp4", scene) for number, (name, scene) in enumerate(scenes)]
    for _, clip, scene in clips:
        write_scene(clip, scene)
    return [(name, clip) for name, clip, _ in clips]


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
