"""What the cores of capture and render have heard and decided, in plain values; and the same history played again.

`Dispatcher` and `Joiner` have no clock and no chance in them, so what they heard in a real run brings them to the same
decisions once more: a proof that this is so, and a way to look at a run that went wrong, step by step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

import numpy as np
from msgspec import Struct

from ..delivery import events, joiner
from ..delivery.dispatcher import Dispatcher
from ..delivery.joiner import Joiner
from ..delivery.rules import Rules
from ..errors import FacepipeError
from ..names import short
from ..protocol.messages import TO_CAPTURE, Attribute, FaceCrops, Faces

CAPTURE, RENDER = "capture", "render"  # whose core it is
SHOWN_CHARACTERS = 300  # of the decisions of one step
# What becomes of values that are not what a core expects. It checks none: messages are checked before it hears of them.
_UNPLAYABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

_UNIONS = (events.Event, events.Action, joiner.Event, joiner.Action)
_CLASSES = {known.__name__: known for union in _UNIONS for known in (*union.__args__, *TO_CAPTURE, Rules)}
_MADE_BY = {"tuple": tuple, "list": list}


class HistoryError(FacepipeError):
    """A history that cannot be played."""


def plain(value: object) -> object:
    """An event, an action or a part of one as lists, texts and numbers; of pixels their shape."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return ["dict", *([plain(key), plain(of_key)] for key, of_key in value.items())]
        case list() | tuple():
            return [type(value).__name__, *map(plain, value)]
        case np.ndarray():
            return ["array", *value.shape]
        case _ if type(value).__name__ in _CLASSES:
            return [type(value).__name__, *(plain(getattr(value, name)) for name in _field_names(type(value)))]
        case _:
            raise TypeError(f"{type(value).__name__} is in no history")


def decided(actions: list) -> list:
    """Actions as `plain` has them; of a message that one passes on there is its name, for the event has all of it."""
    return ["list", *(plain(_brief(action)) for action in actions)]


def _brief(action: events.Action | joiner.Action) -> events.Action | joiner.Action:
    match action:
        case events.KeepCrops(crops):
            return replace(action, crops=_name(crops))
        case joiner.Contradicted(faces):
            return replace(action, faces=_name(faces))
        case joiner.Emit(_, picture, faces, answers):
            named = {"faces": faces and _name(faces), "answers": {s: _name(answer) for s, answer in answers.items()}}
            return replace(action, picture=f"the picture at {picture.time} s", **named)
        case _:
            return action


def _name(message: FaceCrops | Faces | Attribute) -> str:
    """Enough to tell it from another one of the same frame."""
    return f"{message.kind}, try {message.attempt}, boxes {message.boxes_hash}, grant {message.grant}"


def restored(value: object) -> object:
    """The inverse of `plain`; pixels are black. Raises `HistoryError` for what `plain` never gave."""
    if not isinstance(value, list):
        return value
    kind, *members = value or ["list without a kind"]
    if not isinstance(kind, str):
        raise HistoryError(f"the history has a {type(kind).__name__} where a kind should be; make another one.")
    if kind == "dict":
        return {restored(key): restored(of_key) for key, of_key in members}
    if kind == "array":
        return np.broadcast_to(np.uint8(0), members)  # It takes no memory, however large it says that it is.
    members = [restored(member) for member in members]
    if kind in _MADE_BY:
        return _MADE_BY[kind](members)
    known = _CLASSES.get(kind)
    if known is None or len(members) != len(_field_names(known)):
        raise HistoryError(
            f"the history has a {short(kind)} that is not of this version; replay it with the one that made it."
        )
    return known(**dict(zip(_field_names(known), members, strict=True)))


def _field_names(known: type) -> tuple[str, ...]:
    """Of a message, or of a dataclass that is none."""
    return known.__struct_fields__ if issubclass(known, Struct) else tuple(f.name for f in fields(known))


@dataclass(frozen=True, slots=True)
class CoreStarted:
    """A core was made: of capture with its rules, first frame and who is evicted, of render with its attribute
    stages and `next_frame`."""

    who: str  # the process and its life, and of render the source
    core: str  # CAPTURE or RENDER
    arguments: list  # plain


@dataclass(frozen=True, slots=True)
class CoreStep:
    """A core has heard one event."""

    who: str
    now_s: float | None  # None: a core without a clock
    event: list  # plain
    actions: list  # plain: what it has decided


@dataclass(slots=True)
class Replayer:
    """Plays a history through cores of today."""

    steps: int = 0
    differing: list[str] = field(default_factory=list)  # "step 17 of capture-0/0, Tick: ..."
    _cores: dict[str, Dispatcher | Joiner] = field(default_factory=dict)

    def play(self, lines: Iterable[CoreStarted | CoreStep]) -> Replayer:
        """Play all of it. A core that has decided otherwise once may go on doing so.

        Raises `HistoryError`, from its cause, where a core cannot take what it is said to have heard.
        """
        for line in lines:
            try:
                if isinstance(line, CoreStarted):
                    self._cores[line.who] = _core(line)
                else:
                    self._step(line)
            except _UNPLAYABLE as error:
                reason = f"{type(error).__name__} {short(str(error))}" if str(error) else type(error).__name__
                raise HistoryError(
                    f"step {self.steps} of the history, of {short(line.who)}, cannot be played ({reason});"
                    " it is damaged or of another version."
                ) from error
        return self

    def _step(self, step: CoreStep) -> None:
        self.steps += 1
        core, event = self._cores[step.who], restored(step.event)
        actions = core.step(event) if step.now_s is None else core.step(event, step.now_s)
        if (now := decided(actions)) != step.actions:
            then = [str(restored(step.actions))[:SHOWN_CHARACTERS], str(restored(now))[:SHOWN_CHARACTERS]]
            what = type(event.message if isinstance(event, events.FromWorker) else event).__name__
            self.differing.append(f"step {self.steps} of {short(step.who)}, {what}: then {then[0]}, now {then[1]}")


def _core(started: CoreStarted) -> Dispatcher | Joiner:
    first, next_frame, *evicted = (restored(argument) for argument in started.arguments)
    return Dispatcher(first, next_frame, *evicted) if started.core == CAPTURE else Joiner(first, next_frame=next_frame)
