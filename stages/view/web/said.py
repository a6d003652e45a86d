"""What browsers are told about faces, in JSON."""

from __future__ import annotations

from collections.abc import Iterable

from ...answers import Answer
from ...frames import Face, FinishedFrame
from ..overlay.labels import LABEL_COLOURS, NEUTRAL, css_colour, id_colour

_MOST_FACES = 100  # with labels in one picture, the largest first: a browser has to draw them all


class Labels(dict):
    """By stage: [label, colour] for each class, or what its numbers are. Grows as answers come."""

    def face(self, face: Face, place: int) -> list:
        """[number, colour, score, answers, unsure] of a face. `place`: its place in the frame, from 0.

        A face that is not tracked has a number below zero, for this frame alone. An answer is its numbers, in the order
        of the stage's labels.
        """
        number = face.id if face.id is not None else -1 - place
        answers = {stage: self._numbers(stage, answer) for stage, answer in face.shown.items()}
        return [number, css_colour(id_colour(abs(number))), plain(face.score, 3), answers, face.says_unsure]

    def picture(self, frame: FinishedFrame) -> dict:
        """A picture with what is drawn on it: faces as by `face`, each with its box, in pixels of the whole picture."""
        picture = frame.picture
        height, width = picture.pixels.shape[:2]
        faces = [
            [*self.face(face, place), [plain(value, 1) for value in face.box]]
            for place, face in largest(frame.faces, _MOST_FACES)
        ]
        said = {"frame": frame.frame, "file": picture.file, "width": width, "height": height, "faces": faces}
        said |= {"time": plain(picture.time, 3), "clock": picture.clock, "of": len(frame.faces)}
        said |= {"missing": frame.missing} if frame.missing else {}
        return said | ({"error": frame.error} if frame.error is not None else {})

    def _numbers(self, stage: str, answer: Answer) -> list[float | None]:
        if stage not in self:
            colours = [[label, css_colour(LABEL_COLOURS.get(label, NEUTRAL))] for label in answer.shares]
            self[stage] = colours or list(answer.numbers)
        return [plain(number, answer.chart_decimals) for number in answer.numbers.values()]


def largest(faces: Iterable[Face], most: int) -> list[tuple[int, Face]]:
    """The largest faces, each with its place in the frame, in the order of these places."""
    chosen = sorted(enumerate(faces), key=lambda item: -item[1].box[2] * item[1].box[3])[:most]
    return sorted(chosen, key=lambda item: item[0])


def plain(number: float, decimals: int) -> float | None:
    """What JSON can say: it has no word for what is no number."""
    return round(number, decimals) if number - number == 0 else None
