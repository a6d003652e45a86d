"""Files for video editors: markers as an EDL and as Final Cut Pro 7 XML, chapters, and SubRip subtitles. Pure.

Each function gives the text of one file in parts. Labels may be anything that somebody wrote into a model card.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence

from ..frames import Face
from ..sinks.subtitles import clock, cues, one_line
from .film import Film
from .spans import Person
from .timecode import Rate

TITLE_MOST = 70  # characters of a title in CMX 3600
EVENTS_MOST = 999  # that it can number with three digits
_COLOURS = ("Blue", "Green", "Yellow", "Red", "Pink", "Purple", "Cyan", "Fuchsia")  # of markers in Resolve


def edl(film: Film, rate: Rate, begins: int) -> Iterator[str]:
    """Markers as DaVinci Resolve exports and imports them in CMX 3600: one a person, as long as they are there.

    `begins`: the frame number of the time code at which the video begins in the timeline.
    """
    yield f"TITLE: {one_line(film.name)[:TITLE_MOST]}\n"
    yield f"FCM: {'DROP FRAME' if rate.drops else 'NON-DROP FRAME'}\n"
    for number, person in enumerate(film.people, 1):
        first, frames = _frames_of(person, rate)
        code, after = (rate.timecode(begins + first + further) for further in (0, 1))
        colour = _COLOURS[(person.id - 1) % len(_COLOURS)]
        said = one_line(_said(person).replace("|", "/"))
        yield f"\n{number:03}  001      V     C        {code} {after} {code} {after}  \n"
        yield f" |C:ResolveColor{colour} |M:{said} |D:{frames}\n"


def final_cut_xml(film: Film, rate: Rate, begins: int) -> Iterator[str]:
    """A sequence with the video and a marker a person, in version 4 of the XML of Final Cut Pro 7.

    Premiere Pro and Resolve import it. `begins`: as in `edl`.
    """
    root = ET.Element("xmeml", version="4")
    sequence = ET.SubElement(root, "sequence", id="sequence-1")
    length = max(1, rate.frame_at(film.end_s))
    name = one_line(film.name)
    _texts(sequence, name=name, duration=length)
    _add_rate(sequence, rate)
    timecode = ET.SubElement(sequence, "timecode")
    _add_rate(timecode, rate)
    _texts(timecode, string=rate.timecode(begins), frame=begins, displayformat="DF" if rate.drops else "NDF")
    video = ET.SubElement(ET.SubElement(sequence, "media"), "video")
    _add_format(video, film, rate)
    clip = ET.SubElement(ET.SubElement(video, "track"), "clipitem", id="clipitem-1")
    _texts(clip, name=name, duration=length)
    _add_rate(clip, rate)
    _texts(clip, start=0, end=length, **{"in": 0, "out": length})
    file = ET.SubElement(clip, "file", id="file-1")
    _texts(file, name=name, duration=length)
    _add_rate(file, rate)
    _add_format(ET.SubElement(ET.SubElement(file, "media"), "video"), film)
    for person in film.people:
        first, frames = _frames_of(person, rate)
        marker = ET.SubElement(sequence, "marker")
        _texts(marker, name=person.name, comment=one_line(person.summary), **{"in": first, "out": first + frames})
    ET.indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n'
    yield ET.tostring(root, encoding="unicode") + "\n"


def ffmetadata(film: Film) -> Iterator[str]:
    """Chapters in the text format that FFmpeg puts into a video."""
    yield f";FFMETADATA1\ntitle={_escaped(one_line(film.name))}\n"
    for chapter in film.chapters:
        start, end = (round(1000 * seconds) for seconds in (chapter.start_s, chapter.end_s))
        title = _escaped(one_line(chapter.title))
        yield f"\n[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"


def chapters_vtt(film: Film) -> Iterator[str]:
    """Chapters in WebVTT, for `<track kind="chapters">` of a page."""
    yield "WEBVTT\n"
    for chapter in film.chapters:
        title = one_line(chapter.title).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"\n{clock(chapter.start_s)} --> {clock(chapter.end_s)}\n{title}\n"


def subrip(frames: Iterable[tuple[float, Sequence[Face]]]) -> Iterator[str]:
    """Subtitles in SubRip, from times in seconds and the faces that were found at them."""
    # The format has no escapes, and players read what is in such brackets as tags.
    without_tags = str.maketrans("<>{}", "\u2039\u203a()")
    for number, (start_s, end_s, text) in enumerate(cues(frames), 1):
        times = f"{clock(start_s)} --> {clock(end_s)}".replace(".", ",")
        yield f"{number}\n{times}\n{text.translate(without_tags)}\n\n"


def _said(person: Person) -> str:
    return f"{person.name} {person.summary}".strip()


def _frames_of(person: Person, rate: Rate) -> tuple[int, int]:
    """The first frame in which they are there, and how many it is until the last one."""
    first = rate.frame_at(person.first.time)
    return first, max(1, rate.frame_at(person.until_s) - first)


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", text)


def _texts(parent: ET.Element, **texts: str | int) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = str(text)


def _add_rate(parent: ET.Element, rate: Rate) -> None:
    _texts(ET.SubElement(parent, "rate"), timebase=rate.base, ntsc="TRUE" if rate.is_ntsc else "FALSE")


def _add_format(video: ET.Element, film: Film, rate: Rate | None = None) -> None:
    above = video if rate is None else ET.SubElement(video, "format")
    characteristics = ET.SubElement(above, "samplecharacteristics")
    if rate is not None:
        _add_rate(characteristics, rate)
    width, height = film.size
    _texts(characteristics, width=width, height=height)
