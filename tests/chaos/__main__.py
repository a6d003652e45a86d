"""make chaos: kills stages all along, for some minutes, and says what is different afterwards: nothing."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av

from stages.supervision.command import alive
from tests.chaos.killing import compare
from tests.end_to_end.command import somewhere
from tests.sinks.clips import frames_in

CLIP_FRAMES = 2000


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="at least so long (default: 3)")
    parser.add_argument("--frames", type=int, default=CLIP_FRAMES, help=f"of the clip (default: {CLIP_FRAMES})")
    parser.add_argument("--kills", type=int, default=45, help="in each round (default: 45)")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between two kills (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of which process is killed when (default: 1)")
    parser.add_argument("--clip", type=Path, help="a video in place of the demo, played again and again")
    arguments = parser.parse_args()
    ends_s, seed, differences = time.monotonic() + 60 * arguments.minutes, arguments.seed, 0
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        clip = repeated(arguments.clip, arguments.frames, Path(folder) / "clip.mp4")
        while True:
            differences += one_round(clip, Path(folder) / str(seed), seed, arguments)
            seed += 1
            if time.monotonic() >= ends_s:
                return int(differences > 0)


def one_round(clip: Path, folder: Path, seed: int, arguments: argparse.Namespace) -> int:
    folder.mkdir()
    with somewhere(folder) as place, alive(f"seed {seed}: one undisturbed run, then one with kills"):
        came = compare(
            place,
            clip,
            "--set=hang=3",
            seed=seed,
            kills=arguments.kills,
            every_s=arguments.every,
            stops=2,
            timeout_s=3600,
        )
    lines, videos = came.disturbed.results.count(b"\n"), ("annotated/clip.mp4", came.calm, came.disturbed)
    shown = [frames_in(ran.output / videos[0]) for ran in videos[1:]]
    differences = came.differences + (shown[0] != shown[1]) + came.disturbed.status
    print(
        f"seed {seed}: {lines} frames, {sum(came.kills.values())} kills"
        f" ({', '.join(f'{stage} {count}' for stage, count in sorted(came.kills.items()))}),"
        f" {sum(came.stops.values())} stopped ({', '.join(sorted(came.stops))}), {came.restarts} restarts,"
        f" {shown[1]} frames in the video, status {came.disturbed.status},"
        f" {came.disturbed.took_s:.0f} s against {came.calm.took_s:.0f} s: {differences} differences",
        flush=True,
    )
    if differences:
        print(came.disturbed.err, file=sys.stderr)
    return differences


def repeated(clip: Path | None, frames: int, path: Path) -> Path:
    """So many frames of a clip, 640 pixels wide, again and again; of the demo where there is none."""
    from stages.sources.opening import open_source

    source = open_source(str(clip) if clip else "demo")
    with av.open(str(path), "w") as out:
        stream, count = None, 0
        while count < frames:
            for picture in source.pictures():
                if stream is None:
                    stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
                    height, width = picture.pixels.shape[:2]
                    stream.width, stream.height = 640, 2 * round(320 * height / width)
                    stream.pix_fmt = "yuv420p"
                frame = av.VideoFrame.from_ndarray(picture.pixels, "bgr24").reformat(stream.width, stream.height)
                frame.pts, frame.time_base = count, Fraction(1, 25)
                out.mux(stream.encode(frame))
                count += 1
                if count == frames:
                    break
        out.mux(stream.encode(None))
    source.close()
    return path


if __name__ == "__main__":
    sys.exit(main())
