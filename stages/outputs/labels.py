"""What is said about a face, line by line, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass

from stages.core.frames import Age, Classes, Face, Value

NEUTRAL = (225, 225, 225)  # BGR, of everything that has no colour of its own
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
_SPEAK_FOR_THEMSELVES = {"gender", "emotion"}  # 'happy 91 %' needs no 'emotion:' before it
_LONGEST = 40  # characters


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    bgr: tuple[int, int, int]


def lines_about(face: Face, show: frozenset[str] | None) -> list[Line]:
    """One line for each answer of a stage in `show` (None: all); without any answer, how sure the detector is."""
    if show is None and not face.shown:
        return [Line(f"face {_percent(face.score)}", NEUTRAL)]
    return [_line(stage, answer) for stage, answer in face.shown.items() if show is None or stage in show]


def _line(stage: str, answer: Classes | Age | Value) -> Line:
    match answer:
        case Age(years, low, high):
            return Line(_shortened(f"{stage} {_years(years)} ({_years(low)}-{_years(high)})"), NEUTRAL)
        case Classes(label, confidence):
            text = f"{label} {_percent(confidence)}"
            said = text if stage in _SPEAK_FOR_THEMSELVES else f"{stage}: {text}"
            return Line(_shortened(said), LABEL_COLOURS.get(label, NEUTRAL))
        case Value(value):
            return Line(_shortened(f"{stage}: {value:.4g}"), NEUTRAL)
    raise TypeError(f"no way to draw an answer of type {type(answer).__name__}")


def _years(years: float) -> str:
    return f"{max(years, 0.0):.0f}"  # The range of a newborn reaches below 0.


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def _shortened(text: str) -> str:
    """At most so many characters; the end stays, because it has the confidence."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 12]}...{text[-9:]}"
