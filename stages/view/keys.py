"""The keys of the window: what each of them does, and which of them do something now. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

ESCAPE, BACK, NEXT, QUIT = "\x1b", "left", "right", "q"
_SWITCHES = {"g": "gender", "e": "emotion", "a": "age"}
# What the arrows are in the toolkits: X11's key symbols (Qt, GTK), Windows' virtual keys, AppKit's function keys.
_SPECIAL = {
    0xFF51: BACK, 0x250000: BACK, 0xF702: BACK,
    0xFF53: NEXT, 0x270000: NEXT, 0xF703: NEXT,
    0xFF1B: ESCAPE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the person at the window asked for so far."""

    hidden: frozenset[str] = frozenset()  # stages whose labels are switched off
    paused: bool = False  # the display stands still; the pipeline does not
    keys: bool = False  # the keys are shown
    numbers: bool = False  # how the run goes is shown
    full_screen: bool = False
    saves: int = 0  # how often a picture was to be saved
    steps: int = 0  # pictures on, less those back
    quit: bool = False

    def show(self, stages: Iterable[str]) -> frozenset[str]:
        """Which of the stages have their labels drawn."""
        return frozenset(stages) - self.hidden


@dataclass(frozen=True, slots=True)
class Situation:
    """What the window shows, as far as it decides which keys do something."""

    stages: frozenset[str]  # those whose labels are drawn, or would be
    has_faces: bool = False
    are_followed: bool = False  # they have a history
    face_is_open: bool = False  # the answers about one face are shown
    goes_on: bool = False  # another picture follows by itself
    has_previous: bool = False  # pictures before and after this one that the arrows lead to
    has_next: bool = False
    finished: bool = False  # everything is written


def on_key(view: KeyState, key: str, now: Situation) -> KeyState:
    """What a key does: `keys_for` describes each. Other keys do nothing.

    `now`: of all windows together, on which the keys act.
    """
    key = key.lower()
    if key in (BACK, NEXT):
        return replace(view, steps=view.steps + (1 if key == NEXT else -1))
    if key in _SWITCHES:
        return replace(view, hidden=view.hidden ^ {_SWITCHES[key]})
    if key == " ":
        return replace(view, paused=not view.paused) if _can_pause(view, now) else view
    if key == "h":
        return replace(view, keys=not view.keys)
    if key == "d":
        return replace(view, numbers=not view.numbers) if _has_numbers(view, now) else view
    if key == "s":
        return replace(view, saves=view.saves + 1)
    if key == "f" or (key == ESCAPE and view.full_screen):
        return replace(view, full_screen=not view.full_screen)
    if key in (QUIT, ESCAPE):
        return replace(view, quit=True)
    return view


def keys_for(view: KeyState, now: Situation) -> list[tuple[str, str]]:
    """The keys that do something now, each with what it does."""
    said = [
        (key.upper(), f"{'show' if stage in view.hidden else 'hide'} {stage}")
        for key, stage in _SWITCHES.items()
        if stage in now.stages
    ]
    if _has_numbers(view, now):
        said.append(("D", "hide statistics" if view.numbers else "show statistics"))
    said.append(("S", "save the picture"))
    if _can_pause(view, now):
        said.append(("space", "continue" if view.paused else "pause"))
    if now.has_previous:
        said.append(("left", "previous picture"))
    if now.has_next:
        said.append(("right", "next picture"))
    if now.face_is_open:
        said.append(("click", "close the face"))
    elif now.has_faces:
        said.append(("click", "a face: its history" if now.are_followed else "a face: all answers"))
    said.append(("F, Esc", "leave full screen") if view.full_screen else ("F", "full screen"))
    said.append(("H", "hide the keys"))
    ends = "close the window" if now.finished else "end the run"
    return [*said, ("Q" if view.full_screen else "Q, Esc", ends)]


def _has_numbers(view: KeyState, now: Situation) -> bool:
    """Where everything is written, they are all 0."""
    return not now.finished or view.numbers


def _can_pause(view: KeyState, now: Situation) -> bool:
    """A picture that nothing follows stands still by itself."""
    return now.goes_on or view.paused


def key_of(code: int) -> str:
    """The key of a code of OpenCV's `pollKey`: a character, `BACK`, `NEXT`, or nothing for keys that we do not know.

    Its lower byte alone would take the left arrow, 0xFF51, for a Q.
    """
    if code in _SPECIAL:
        return _SPECIAL[code]
    code &= 0xFFFF  # GTK puts what else is held down, and Num Lock, above it.
    return _SPECIAL.get(code) or (chr(code) if code < 0x100 else "")
