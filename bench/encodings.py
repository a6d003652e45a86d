"""What it costs to send pictures as JPEG, PNG or raw: bytes, processor time, and what becomes of the answers.

Every picture of a clip is encoded, decoded and given to the detector and the models, and the answers are held against
those for the untouched picture. Nothing travels, so a network is not needed.
"""

from __future__ import annotations

import sys
import time
from itertools import islice

import numpy as np

from bench.loop import Loop
from bench.options import Options, command
from bench.table import Figure, figure
from stages.frames import Face, FinishedFrame, Picture
from stages.plan import Plan
from stages.protocol.messages import Encoded, FramePicture
from stages.sources.opening import open_source
from stages.transport.images import decoded, encoded

TITLE = "pictures between machines"
ENCODINGS = (("jpeg", 75), ("jpeg", 90), ("jpeg", 95), ("png", 90))
SAME_FACE = 0.5  # share of the common area from which two boxes are of one face
RATE = 30  # frames a second, for the bandwidth


def measure(options: Options) -> list[Figure]:
    """Size and time of every encoding, and the faces and labels that it changes."""
    loop = Loop(Plan.of(*options.pipeline()))
    source = open_source(options.clip or "demo")
    pictures = [picture.pixels for picture in islice(source.pictures(), options.frames)]
    source.close()
    truth = [_answers(loop, pixels) for pixels in pictures]
    raw_kb = pictures[0].nbytes / 1000
    height, width = pictures[0].shape[:2]
    note = f"{width} x {height}, {len(pictures)} frames with {sum(len(f.faces) for f in truth)} faces"
    figures = [
        figure("raw: size", raw_kb, "kB", "", f"{raw_kb * RATE * 8 / 1000:.0f} Mbit/s at {RATE} a second; {note}")
    ]
    for encoding, quality in ENCODINGS:
        name = f"{encoding} {quality}" if encoding == "jpeg" else encoding
        sizes, encode_ms, decode_ms, came = _there_and_back(loop, pictures, encoding, quality)
        rate = f"{np.mean(sizes) * RATE * 8 / 1e6:.1f} Mbit/s at {RATE} a second"
        figures += [
            figure(f"{name}: size", np.mean(sizes) / 1000, "kB", "", rate),
            figure(f"{name}: encode", encode_ms, "ms", "", "once for all that are sent it"),
            figure(f"{name}: decode", decode_ms, "ms"),
            *_differences(name, truth, came),
        ]
    return figures


def _answers(loop: Loop, pixels: np.ndarray) -> FinishedFrame:
    return loop.finish("clip", 0, Picture(pixels, 0.0, None))


def _there_and_back(
    loop: Loop, pictures: list[np.ndarray], encoding: str, quality: int
) -> tuple[list[int], float, float, list[FinishedFrame]]:
    """Sizes in bytes, milliseconds of processor time a picture for either way, and the answers for what has come."""
    sizes, answers, encode_s, decode_s = [], [], 0.0, 0.0
    for pixels in pictures:
        began_s = time.process_time()
        sent = encoded(pixels, encoding, quality)
        encoded_s = time.process_time()
        came = _opened(sent)
        encode_s, decode_s = encode_s + encoded_s - began_s, decode_s + time.process_time() - encoded_s
        sizes.append(len(sent.buffer))
        answers.append(_answers(loop, came))
    return sizes, 1000 * encode_s / len(pictures), 1000 * decode_s / len(pictures), answers


def _opened(picture: Encoded) -> np.ndarray:
    message = FramePicture(
        run="", epoch=0, source="s", frame=0, file=None, time=0.0, rate=None, asked=[], arrays=(picture,)
    )
    return decoded(message).arrays[0]


def _differences(name: str, truth: list[FinishedFrame], came: list[FinishedFrame]) -> list[Figure]:
    faces = sum(len(frame.faces) for frame in truth)
    pairs = [pair for a, b in zip(truth, came, strict=True) for pair in _pairs(a.faces, b.faces)]
    lost, more = faces - len(pairs), sum(len(frame.faces) for frame in came) - len(pairs)
    figures = [figure(f"{name}: faces no longer found", 100 * lost / max(1, faces), "%", "", f"{more} others instead")]
    for stage in pairs[0][0].answers if pairs else ():
        answers = [(a.answers[stage], b.answers[stage]) for a, b in pairs]
        if hasattr(answers[0][0], "label"):
            changed = 100 * np.mean([a.label != b.label for a, b in answers])
            figures.append(figure(f"{name}: another {stage}", changed, "%", "", "of the faces found in both"))
        elif hasattr(answers[0][0], "years"):
            off = np.mean([abs(a.years - b.years) for a, b in answers])
            figures.append(figure(f"{name}: {stage} off by", off, "years"))
    return figures


def _pairs(faces: list[Face], others: list[Face]) -> list[tuple[Face, Face]]:
    """Every face with the one of the others that lies where it does."""
    pairs, left = [], list(others)
    for face in faces:
        best = max(left, key=lambda other: _common(face.box, other.box), default=None)
        if best is not None and _common(face.box, best.box) >= SAME_FACE:
            left.remove(best)
            pairs.append((face, best))
    return pairs


def _common(box: tuple, other: tuple) -> float:
    """The common area of two boxes (x, y, width, height), as a share of what they cover together."""
    x, y = max(box[0], other[0]), max(box[1], other[1])
    width, height = min(box[0] + box[2], other[0] + other[2]) - x, min(box[1] + box[3], other[1] + other[3]) - y
    common = max(0.0, width) * max(0.0, height)
    return common / (box[2] * box[3] + other[2] * other[3] - common)


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
