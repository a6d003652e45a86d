"""How the page says things: times, shares, colours, answers and the picture of a face, as HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TypeVar

from ..answers import Answer
from ..answers.base import NARROW
from ..answers.base import percent as plain_percent
from ..reading.words import people
from ..view.overlay.labels import ID_COLOURS, LABEL_COLOURS, css_colour
from .thumbnails import Thumbnail

Key = TypeVar("Key")  # what pictures are known by
NO_BREAK = "\u00a0"  # a space at which no line is broken, wider than NARROW


def colour_of(what: str) -> str:
    """The colour of a label: that of the overlay, or one of its own by its name."""
    if what in LABEL_COLOURS:
        return css_colour(LABEL_COLOURS[what])
    return css_colour(ID_COLOURS[sum(what.encode()) % len(ID_COLOURS)])


def percent(share: float) -> str:
    return plain_percent(share, NARROW)


def part(share: float) -> str:
    """A share of a whole; all of it only where there is no other piece."""
    return f"over{NO_BREAK}99{NARROW}%" if 0.995 <= share < 1 else percent(share)


def clock(seconds: float, length_s: float) -> str:
    """A time in a video of that length: 7.2 s, 12:30, 3:05:00."""
    if length_s < 60:
        return f"{seconds:.1f}{NARROW}s"
    whole = int(seconds + 0.5)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """7.2 s, 12 min 30 s, 3 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f}{NARROW}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}{NARROW}min {int(seconds % 60)}{NARROW}s"
    return f"{int(seconds // 3600)}{NARROW}h {int(seconds // 60 % 60)}{NARROW}min"


def followed(count: int, most_at_once: int) -> str:
    """How many people there were, and how many of them at the same time."""
    at_once = f"; at most {most_at_once} at once" if count > 1 and most_at_once else ""
    return f"{people(count)}{at_once}"


def size_of(path: Path) -> str:
    """Of a file, such as 1.2 MB."""
    count = path.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def sentence(stage: str, answer: Answer) -> str:
    """What a stage says about a face."""
    before, emphasised, after = map(escape, answer.sentence(stage))
    return f"{before}<strong>{emphasised}</strong>{after}"


def image(pictures: Mapping[Key, Thumbnail], moment: Key | None, said: str) -> str:
    """The picture of a face, in the page itself; nothing where there is none."""
    if moment is None or moment not in pictures:
        return ""
    picture = pictures[moment]
    coded = base64.b64encode(picture.jpeg).decode()
    title = ' title="brightened"' if picture.is_brightened else ""
    return f'<img alt="{escape(said)}"{title} src="data:image/jpeg;base64,{coded}">'
