"""Tiers for ELAN hold what results.jsonl says, in a file as the schema of EAF 3.0 has it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stages.export.elan import eaf
from stages.export.film import Film
from stages.export.spans import people_of
from stages.export.timecode import Rate
from tests.export.material import answering, exported, shot
from tests.export.test_editing import NASTY, shot_lines
from tests.report.material import followed

Tiers = dict[str, list[tuple[int, int, str]]]


def tiers(text: str) -> Tiers:
    """Every annotation by its tier, in milliseconds, of a file that is checked by the rules of the schema.

    These are the order of the elements, the attributes that must be there, unique IDs, and that all that is referred to
    is there; and of ELAN's own rules that annotations of a tier do not overlap and moments are in order.
    """
    root = ET.fromstring(text)
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= root.attrib.keys()
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"]
    places = [order.index(element.tag) for element in root]
    assert places == sorted(places) and places.count(0) == places.count(1) == 1
    assert root.find("HEADER/MEDIA_DESCRIPTOR").attrib.keys() >= {"MEDIA_URL", "MIME_TYPE"}
    moments = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.find("TIME_ORDER")}
    assert list(moments.values()) == sorted(moments.values())
    kinds = [kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")]
    ids = [annotation.get("ANNOTATION_ID") for annotation in root.iter("ALIGNABLE_ANNOTATION")]
    assert all(len(set(names)) == len(names) for names in (kinds, ids)) and not set(ids) & set(moments)
    read: Tiers = {}
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in kinds and tier.get("TIER_ID") not in read
        rows = read[tier.get("TIER_ID")] = []
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (moments[annotation.get(f"TIME_SLOT_REF{which}")] for which in (1, 2))
            assert start < end and (not rows or start >= rows[-1][1])
            rows.append((start, end, annotation.findtext("ANNOTATION_VALUE")))
    return read


def test_each_person_has_tiers_with_an_annotation_for_as_long_as_an_answer_holds(tmp_path):
    def at(n: int) -> list:
        return [answering(4, "happy" if n < 50 else "sad")] if n < 100 else [followed(5)] if n >= 125 else []

    folder = exported(tmp_path, shot(150, at), "--eaf")
    assert tiers((folder / "clip.eaf").read_text()) == {
        "in view@4": [(0, 4000, "#4")],
        "gender@4": [(0, 4000, "woman")],
        "emotion@4": [(0, 2000, "happy"), (2000, 4000, "sad")],
        "age@4": [(0, 4000, "30-39")],
        "in view@5": [(5000, 6000, "#5")],
        "gender@5": [(5000, 6000, "woman")],
        "emotion@5": [(5000, 6000, "happy")],
        "age@5": [(5000, 6000, "30-39")],
    }


def test_a_face_that_is_not_found_for_less_than_a_second_is_there(tmp_path):
    folder = exported(tmp_path, shot(150, lambda n: [] if 30 <= n < 50 or 80 <= n < 110 else [followed(4)]), "--eaf")
    [in_view, *_] = tiers((folder / "clip.eaf").read_text()).values()
    assert in_view == [(0, 3200, "#4"), (4400, 6000, "#4")]


def test_the_same_results_make_the_same_bytes(tmp_path):
    frames = shot(50, lambda n: [followed(4)])
    first = (exported(tmp_path, frames, "--eaf") / "clip.eaf").read_bytes()
    again = (exported(tmp_path, frames, "--eaf") / "clip.eaf").read_bytes()
    assert again.split(b"<HEADER")[1] == first.split(b"<HEADER")[1]


times = st.lists(st.floats(0, 1e5), min_size=2, max_size=40, unique=True).map(sorted)


@given(times, st.text(max_size=9) | st.just(NASTY), st.sampled_from(["glasses", "in view", "a@b", "\x1b\u202e"]))
def test_any_times_labels_and_stages_make_a_valid_file(times, label, stage):
    def with_stage(n: int):
        one = answering(n % 3, label, stage)
        return one if n % 2 else replace(one, smoothed={}, answers={})

    frames = shot(len(times), lambda n: [with_stage(n)])
    lines = [replace(line, time=time_s) for line, time_s in zip(shot_lines(frames), times, strict=True)]
    film = Film(label, None, (96, 64), 0.0, 1e5, people_of(lines, 1.0), Rate(25), False)
    tiers("".join(eaf(film, "2026-11-29T09:00:00+00:00")).encode("utf-8", "backslashreplace").decode())
