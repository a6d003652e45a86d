"""The work of the pipeline in one plain loop, as a program: what its processes and messages are measured against.

python -m bench.loop CLIP OUTPUT [--one-thread] [--paced] [--config FILE] [--set KEY=VALUE …]: says "ready", waits for a
line, works, and says in a line of JSON what it took. It decodes, detects, cuts, infers, draws, encodes and writes
results.jsonl with the very functions of the stages.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2

from stages.delivery.rules import asked
from stages.frames import Face, FinishedFrame, Picture, marked
from stages.plan import Plan, read_pipeline
from stages.results.source_folder import SourceFolder
from stages.sinks.recorder import Recorder
from stages.sources.opening import open_source
from stages.view.postprocess import PostProcessor
from stages.vision.crop import crop_faces
from stages.vision.detectors import make_detector
from stages.vision.detectors.quality import marks_of
from stages.vision.inference import load_model
from stages.vision.inference.answers import answer
from stages.vision.inference.card import load_card


def main() -> None:
    """Work through one clip."""
    given = _arguments()
    plan = Plan.of(*read_pipeline(given.config, given.set))
    loop = Loop(plan)
    # Making the detector sets one thread; "as they come" is what OpenCV does by itself.
    cv2.setNumThreads(1 if given.one_thread else -1)
    source = open_source(given.clip)
    place = SourceFolder.alone(Path(given.output), plan.pipeline.render.annotated)
    recorder = Recorder(place, spec=given.clip)
    print("ready", flush=True)
    sys.stdin.readline()

    began_s, began_cpu_s, frames, faces = time.monotonic(), time.process_time(), 0, 0
    for picture in source.pictures():
        if given.paced:
            time.sleep(max(0.0, began_s + picture.time - time.monotonic()))
        frame = loop.finish(source.name, frames, picture)
        drawn = loop.postprocessor.draw(frame) if recorder.draws else None
        recorder.write(frame, drawn)
        frames, faces = frames + 1, faces + len(frame.faces)
    ended_s, cpu_s = time.monotonic(), time.process_time() - began_cpu_s

    recorder.close()
    source.close()
    said = {"frames": frames, "faces": faces, "began_s": began_s, "ended_s": ended_s, "cpu_s": cpu_s}
    print(json.dumps(said), flush=True)


class Loop:
    """Detector and models, and what they say about a picture."""

    def __init__(self, plan: Plan):
        settings = plan.settings("detect", 0)
        self._detector = make_detector(settings.detector)
        self._cards = {stage: load_card(Path(plan.models[stage])) for stage in plan.cards}
        self._models = {stage: load_model(card) for stage, card in self._cards.items()}
        self.postprocessor, self._every = PostProcessor(plan.pipeline), plan.pipeline.every()

    def finish(self, source: str, number: int, picture: Picture) -> FinishedFrame:
        """The faces of a picture with everything that the models say."""
        found = self._detector.detect(picture.pixels)
        faces = [
            Face(tuple(box), score) for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
        ]
        if marks := marks_of(picture.pixels, found):
            faces = [marked(face, *mark) for face, mark in zip(faces, marks, strict=True)]
        if faces:
            cards = {stage: self._cards[stage] for stage in asked(number, picture.rate, self._every)}
            geometries = {card.geometry for card in cards.values()}
            crops = {geometry: crop_faces(picture.pixels, found, geometry) for geometry in geometries}
            for stage, card in cards.items():
                rows = self._models[stage].answers(crops[card.geometry]).tolist()
                for face, row in zip(faces, rows, strict=True):
                    face.answers[stage] = answer(card, row)
        return self.postprocessor.finish(FinishedFrame(source, number, picture, faces))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("output")
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--paced", action="store_true", help="take the frames at the clip's own speed")
    parser.add_argument("--config")
    parser.add_argument("--set", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
