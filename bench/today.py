"""The loop that people run today, as a program: Haar and two mini-Xceptions asked by `model.predict`, in one process.

python -m bench.today CLIP OUTPUT GENDER.hdf5 EMOTION.hdf5 STEP NEIGHBOURS SMALLEST: says what bench/loop.py says. The
detector has the settings of the pipeline; all else is as tutorials have it. Needs TensorFlow and the two files.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GENDERS = ("woman", "man")


def main() -> None:
    """Work through one clip."""
    from keras.models import load_model

    clip, output, gender_file, emotion_file, step, neighbours, smallest = sys.argv[1:]
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    gender, emotion = load_model(gender_file, compile=False), load_model(emotion_file, compile=False)
    for model in (gender, emotion):
        model.predict(np.zeros((1, 64, 64, 1), np.float32), verbose=0)  # The first call compiles.
    video, writer = cv2.VideoCapture(clip), None
    Path(output).mkdir(parents=True, exist_ok=True)
    print("ready", flush=True)
    sys.stdin.readline()

    began_s, began_cpu_s, frames, faces = time.monotonic(), time.process_time(), 0, 0
    while True:
        there, picture = video.read()
        if not there:
            break
        if writer is None:
            size = picture.shape[1::-1]
            writer = cv2.VideoWriter(str(Path(output) / "today.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30.0, size)
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        side = round(float(smallest) * min(grey.shape))
        for x, y, width, height in cascade.detectMultiScale(grey, float(step), int(neighbours), minSize=(side, side)):
            crop = cv2.resize(grey[y : y + height, x : x + width], (64, 64)).astype(np.float32)
            crop = (crop / 255 - 0.5)[None, :, :, None] * 2
            said = (
                GENDERS[gender.predict(crop, verbose=0).argmax()],
                EMOTIONS[emotion.predict(crop, verbose=0).argmax()],
            )
            cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 255, 0), 2)
            cv2.putText(picture, " ".join(said), (x, y - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 255, 0), 2)
            faces += 1
        writer.write(picture)
        frames += 1
    ended_s, cpu_s = time.monotonic(), time.process_time() - began_cpu_s

    said = {"frames": frames, "faces": faces, "began_s": began_s, "ended_s": ended_s, "cpu_s": cpu_s}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
