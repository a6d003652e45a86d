"""Tiers for ELAN in its format EAF 3.0: of each person when they are in view, and what each stage says. Pure."""

from __future__ import annotations

import mimetypes
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from ..sinks.subtitles import one_line
from .film import Film
from .spans import Person, Span

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_IN_VIEW = "in view"


def eaf(film: Film, date: str) -> Iterator[str]:
    """The text of the file in parts; `date`: when the results were made, in ISO 8601 with zone."""
    tiers = [tier for person in film.people for tier in _tiers_of(person)]
    root = ET.Element("ANNOTATION_DOCUMENT", AUTHOR="facepipe", DATE=date, FORMAT="3.0", VERSION="3.0")
    root.set("xmlns:xsi", _XSI)
    root.set("xsi:noNamespaceSchemaLocation", SCHEMA)
    _add_header(root, film, sum(len(tier.rows) for tier in tiers))
    slots = _add_slots(root, tiers)
    numbers = count(1)
    for tier in tiers:
        within = ET.SubElement(root, "TIER", LINGUISTIC_TYPE_REF=tier.kind, PARTICIPANT=tier.person, TIER_ID=tier.id)
        for _, _, label in tier.rows:
            annotation = ET.SubElement(
                ET.SubElement(within, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{next(numbers)}",
                TIME_SLOT_REF1=next(slots),
                TIME_SLOT_REF2=next(slots),
            )
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = one_line(label)
    for kind in dict.fromkeys(tier.kind for tier in tiers):
        ET.SubElement(
            root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID=kind, TIME_ALIGNABLE="true"
        )
    ET.indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield ET.tostring(root, encoding="unicode") + "\n"


@dataclass(frozen=True, slots=True)
class _Tier:
    kind: str
    person: str
    id: str
    rows: list[tuple[int, int, str]]  # from and to in milliseconds, and the label


def _tiers_of(person: Person) -> Iterator[_Tier]:
    spans_of = {_IN_VIEW: person.in_view}
    for stage, spans in person.said.items():
        kind = one_line(stage)
        spans_of[f"{kind} answer" if kind in spans_of else kind] = spans  # A stage may be called like another tier.
    for kind, spans in spans_of.items():
        yield _Tier(kind, person.name, f"{kind}@{person.id}", list(_in_milliseconds(spans)))


def _add_header(root: ET.Element, film: Film, annotations: int) -> None:
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    name = quote(film.name, errors="surrogatepass")
    kind = mimetypes.guess_type(film.name)[0] or "video/*"
    # ELAN looks in the folder of its file, and asks where the video is when it is not there.
    ET.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=f"./{name}", MIME_TYPE=kind, RELATIVE_MEDIA_URL=f"./{name}")
    ET.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(annotations)


def _in_milliseconds(spans: list[Span]) -> Iterator[tuple[int, int, str]]:
    """Each takes at least one, and begins not before the end of the one before it."""
    ended = 0
    for span in spans:
        start = max(ended, round(1000 * span.start_s))
        ended = max(start + 1, round(1000 * span.end_s))
        yield start, ended, span.label


def _add_slots(root: ET.Element, tiers: list[_Tier]) -> Iterator[str]:
    """Add the moments, in order; returns the IDs of those at which each row begins and ends, row by row.

    Each has its own, or ELAN would move the ends of other annotations with the one that is dragged.
    """
    moments = [moment for tier in tiers for start, end, _ in tier.rows for moment in (start, end)]
    order, ids = ET.SubElement(root, "TIME_ORDER"), [""] * len(moments)
    for number, place in enumerate(sorted(range(len(moments)), key=moments.__getitem__), 1):
        ids[place] = f"ts{number}"
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=ids[place], TIME_VALUE=str(moments[place]))
    return iter(ids)
