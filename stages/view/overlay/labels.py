"""What is said about a face, line by line, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass

from ...answers import Answer
from ...answers.base import named, percent
from ...frames import UNSURE, Face

NEUTRAL = (225, 225, 225)  # BGR, of everything that has no colour of its own
RIM = (24, 24, 24)  # the dark edge of what is drawn, so that it shows on a bright ground too
LABEL_COLOURS = {
    "woman": (190, 120, 250),
    "man": (250, 180, 90),
    "angry": (70, 70, 240),
    "disgust": (60, 160, 110),
    "fear": (210, 90, 160),
    "happy": (60, 215, 250),
    "sad": (235, 150, 60),
    "surprise": (80, 160, 255),
    "neutral": (190, 205, 190),
}
# Of faces that are tracked, in the order of their ids: bright, and neighbours unlike each other.
ID_COLOURS = (
    (90, 220, 255), (255, 190, 80), (150, 120, 255), (120, 230, 120), (240, 130, 240), (80, 160, 255),
    (230, 230, 110), (130, 130, 250), (90, 250, 190), (255, 160, 170), (100, 200, 200), (200, 200, 255),
)  # fmt: skip
_LONGEST = 40  # characters
_MOST_BARS = 8  # for one answer: those of a model with a hundred labels would fill the picture


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    bgr: tuple[int, int, int]


_UNSURE = Line(UNSURE, NEUTRAL)


@dataclass(frozen=True, slots=True)
class Bar:
    """A line that shows how much of something there is: its name, a bar, and the number."""

    text: str
    bgr: tuple[int, int, int]
    share: float  # of the bar that is filled, in [0, 1]
    said: str


def lines_about(face: Face, show: frozenset[str] | None) -> list[Line]:
    """One line for each answer of a stage in `show` (None: all); without any answer, how sure the detector is.

    Of a face whose picture is too poor to be labelled, that it is.
    """
    if show is None and not face.shown and not face.unsure:
        return [Line(f"face {percent(face.score)}", NEUTRAL)]
    lines = [_line(stage, answer) for stage, answer in face.shown.items() if show is None or stage in show]
    if face.says_unsure and show != frozenset():
        lines = [_UNSURE]
    if lines and face.id is not None:
        lines[0] = Line(f"#{face.id}  {lines[0].text}", lines[0].bgr)
    return lines


def everything_about(face: Face, show: frozenset[str] | None) -> list[Line | Bar]:
    """The same, with its id, how sure the detector is, and a bar for each of several classes, the strongest first."""
    lines: list[Line | Bar] = []
    if face.id is not None:
        lines.append(Line(f"#{face.id}  face {percent(face.score)}", id_colour(face.id)))
    elif show is None and not face.shown:
        return lines_about(face, show)
    if face.says_unsure and show != frozenset():
        return [*lines, _UNSURE]
    for stage, answer in face.shown.items():
        if show is not None and stage not in show:
            continue
        lines += _bars(stage, answer.shares) if len(answer.shares) > 2 else [_line(stage, answer)]
    return lines


def id_colour(number: int) -> tuple[int, int, int]:
    """The colour, BGR, of a face that is tracked."""
    return ID_COLOURS[(number - 1) % len(ID_COLOURS)]


def css_colour(bgr: tuple[int, int, int]) -> str:
    """The same colour in a style sheet, such as "#fa8c5a"."""
    return "#{:02x}{:02x}{:02x}".format(*reversed(bgr))


def box_colour(face: Face, lines: list[Line]) -> tuple[int, int, int]:
    """The colour of its id; without one, that of its first label."""
    if face.id is not None:
        return id_colour(face.id)
    return lines[0].bgr if lines else NEUTRAL


def _bars(stage: str, scores: dict[str, float]) -> list[Line | Bar]:
    # Where a score is no number it comes last; of equal ones the first of the card.
    strongest = sorted(scores.items(), key=lambda item: item[1] if item[1] == item[1] else -1.0, reverse=True)
    before = named(stage, "").strip()
    return ([Line(before, NEUTRAL)] if before else []) + [
        Bar(_shortened(label), LABEL_COLOURS.get(label, NEUTRAL), score if score == score else 0.0, percent(score))
        for label, score in strongest[:_MOST_BARS]
    ]


def colour_of(answer: Answer) -> tuple[int, int, int]:
    """The colour, BGR, of what is said: that of its label, where it has one."""
    return LABEL_COLOURS.get(answer.top[0], NEUTRAL) if answer.top else NEUTRAL


def _line(stage: str, answer: Answer) -> Line:
    return Line(_shortened(answer.text(stage)), colour_of(answer))


def _shortened(text: str) -> str:
    """At most so many characters; the end stays, because it has the confidence."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 12]}...{text[-9:]}"
