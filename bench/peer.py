"""The package `fer` of PyPI at work on a clip, as a program of its own environment, which has nothing of this project.

VENV/bin/python -P bench/peer.py CLIP haar|mtcnn: says what bench/loop.py says. The work is that of its documentation,
faces and emotions of every frame; it draws and writes nothing.
"""

from __future__ import annotations

import json
import sys
import time

import cv2


def main() -> None:
    """Work through one clip."""
    from fer.fer import FER  # not of `fer` itself, which loads a library for editing films

    clip, detector = sys.argv[1:]
    peer = FER(mtcnn=detector == "mtcnn")
    video = cv2.VideoCapture(clip)
    there, picture = video.read()
    peer.detect_emotions(picture)  # The first call prepares what it needs.
    print("ready", flush=True)
    sys.stdin.readline()

    began_s, began_cpu_s, frames, faces = time.monotonic(), time.process_time(), 0, 0
    while there:
        faces += len(peer.detect_emotions(picture))
        frames += 1
        there, picture = video.read()
    ended_s, cpu_s = time.monotonic(), time.process_time() - began_cpu_s

    said = {"frames": frames, "faces": faces, "began_s": began_s, "ended_s": ended_s, "cpu_s": cpu_s}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
