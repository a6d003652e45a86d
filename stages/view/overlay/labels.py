"""What is said about a face, line by line, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...answers import Age, Answer
from ...answers.base import named, percent
from ...frames import UNSURE, Face

Colour = tuple[int, int, int]  # BGR

NEUTRAL = (225, 225, 225)  # BGR, of everything that has no colour of its own
RIM = (24, 24, 24)  # the dark edge of what is drawn, so that it shows on a bright ground too
LABEL_COLOURS = {
    "woman": (245, 140, 185),  # violet and teal: not the pink and blue of toy shops
    "man": (165, 205, 70),
    # Chosen like those of people below, each near the hue that people expect: the two that are most alike are 36 apart
    # in CIELAB, 25 with deuteranopia and protanopia.
    "angry": (66, 66, 214),
    "disgust": (137, 199, 136),
    "fear": (171, 103, 172),
    "happy": (27, 205, 244),
    "sad": (255, 183, 0),
    "surprise": (67, 140, 245),
    "neutral": (191, 185, 191),
}
# Of people, in the order of their numbers: a palette by the method of Glasbey et al. 2007, made by the package glasbey
# 0.4.0 (McInnes) for people who do not see green, with lightness 45 to 90 and chroma 30 to 100. The two that are most
# alike are 25 apart in CIELAB, 18 with deuteranopia, 17 with protanopia (simulated after Machado et al. 2009), as far
# as the most alike of Okabe and Ito's 7; with tritanopia, which is rare, 5. All stand out from label boxes by 3.5 : 1.
# In another order: red is not the second, because it looks like an error.
ID_COLOURS = (
    (255, 138, 12), (0, 239, 251), (162, 93, 235), (154, 210, 170), (0, 166, 247), (255, 235, 40),
    (215, 138, 178), (101, 150, 85), (0, 45, 239), (206, 235, 65), (150, 239, 239), (89, 158, 182),
)  # fmt: skip
_LONGEST = 40  # characters
_MOST_BARS = 8  # for one answer: those of a model with a hundred labels would fill the picture
_NONE = percent(0.0)  # a bar of it shows nothing
_WHO = ("gender", "age")  # stages whose answers are one line


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    bgr: Colour


_UNSURE = Line(UNSURE, NEUTRAL)


@dataclass(frozen=True, slots=True)
class Bar:
    """A line that shows how much of something there is: its name, a bar, and the number."""

    text: str
    bgr: Colour
    share: float  # of the bar that is filled, in [0, 1]
    said: str  # behind the bar; of "" there is no room kept either


@dataclass(frozen=True, slots=True)
class Tag:
    """How a face is told from others: a name is always there where there are several, so that nobody needs colours."""

    name: str  # "#4", "2", or "" for none
    bgr: Colour


def lines_about(face: Face, show: frozenset[str] | None, tag: Tag | None = None) -> list[Line]:
    """A line for each answer of a stage in `show` (None: all), the first with the name of its `tag` before it, or else
    with its id.

    Of a face whose picture is too poor to be labelled, that it is; of one without any answer its name, or "face".
    """
    tag = tag or tag_of(face, None)
    if show is None and not face.shown and not face.unsure:
        return [Line(tag.name or "face", NEUTRAL)]
    lines = [_line(stage, answer) for stage, answer in face.shown.items() if show is None or stage in show]
    if face.says_unsure and show != frozenset():
        lines = [_UNSURE]
    return _tagged(lines, tag)


def brief_lines(face: Face, show: frozenset[str] | None, tag: Tag | None = None) -> list[Line | Bar]:
    """What one wants to know at a glance: "woman 32" in one line, a small bar for the emotion, then other answers."""
    tag = tag or tag_of(face, None)
    answers = {stage: answer for stage, answer in face.shown.items() if show is None or stage in show}
    if face.says_unsure and show != frozenset():
        return _tagged([_UNSURE], tag)
    if not answers:
        return [Line(tag.name, NEUTRAL)] if tag.name and show is None else []
    lines: list[Line | Bar] = []
    if who := _who(answers):
        lines.append(Line(_shortened(who), NEUTRAL))
    for stage, answer in answers.items():
        if stage == "emotion" and answer.top:
            label, share = answer.top
            lines.append(Bar(_shortened(label), colour_of(answer), _filled(share), ""))
        elif stage not in _WHO:
            lines.append(Line(_shortened(answer.brief(stage)), NEUTRAL))
    return _tagged(lines, tag)


def everything_about(face: Face, show: frozenset[str] | None, tag: Tag | None = None) -> list[Line | Bar]:
    """All that is known: how sure the detector is, too, and a bar for each class that is not at 0 %, the strongest
    first."""
    tag = tag or tag_of(face, None)
    said = f"face {percent(face.score)}"
    lines: list[Line | Bar] = [] if show == frozenset() else _tagged([Line(said, tag.bgr)], tag)
    if face.says_unsure and show != frozenset():
        return [*lines, _UNSURE]
    for stage, answer in face.shown.items():
        if show is not None and stage not in show:
            continue
        lines += _bars(stage, answer.shares) if len(answer.shares) > 2 else [_line(stage, answer)]
    return lines


def tag_of(face: Face, place: int | None, is_alone: bool = False) -> Tag:
    """A face is called and coloured by its id, or else by its `place` in the picture: 1 for the leftmost.

    Without a place it has neither name nor colour; one that `is_alone` needs no name.
    """
    if face.id is not None:
        return Tag(f"#{face.id}", id_colour(face.id))
    if place is None:
        return Tag("", NEUTRAL)
    return Tag("" if is_alone else str(place), id_colour(place))


def id_colour(number: int) -> Colour:
    """The colour, BGR, of the person with this number."""
    return ID_COLOURS[(number - 1) % len(ID_COLOURS)]


def css_colour(bgr: Colour) -> str:
    """The same colour in a style sheet, such as "#fa8c5a"."""
    return "#{:02x}{:02x}{:02x}".format(*reversed(bgr))


def _who(answers: dict[str, Answer]) -> str:
    """Gender and age in one line: "woman 32"."""
    said = [answers[stage].brief(stage) for stage in _WHO if stage in answers]
    is_bare_age = len(said) == 1 and isinstance(answers.get("age"), Age)
    return f"age {said[0]}" if is_bare_age else " ".join(said)


def _tagged(lines: list, tag: Tag) -> list:
    if not (lines and tag.name):
        return lines
    return [replace(lines[0], text=f"{tag.name}  {lines[0].text}"), *lines[1:]]


def _bars(stage: str, scores: dict[str, float]) -> list[Line | Bar]:
    # Where a score is no number it comes last; of equal ones the first of the card.
    strongest = sorted(scores.items(), key=lambda item: item[1] if item[1] == item[1] else -1.0, reverse=True)
    before = named(stage, "").strip()
    return ([Line(before, NEUTRAL)] if before else []) + [
        Bar(_shortened(label), LABEL_COLOURS.get(label, NEUTRAL), _filled(score), percent(score))
        for label, score in strongest[:_MOST_BARS]
        if percent(score) != _NONE
    ]


def _filled(share: float) -> float:
    """In whole percents, as it is said: then label boxes are alike from frame to frame, and need no new layout."""
    return round(share, 2) if share == share else 0.0


def colour_of(answer: Answer) -> Colour:
    """The colour, BGR, of what is said: that of its label, where it has one."""
    return LABEL_COLOURS.get(answer.top[0], NEUTRAL) if answer.top else NEUTRAL


def _line(stage: str, answer: Answer) -> Line:
    return Line(_shortened(answer.text(stage)), colour_of(answer))


def _shortened(text: str) -> str:
    """At most so many characters; the end stays, because it has the confidence."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 12]}...{text[-9:]}"
