"""Whether faces stay themselves and labels are steady, on clips of which is known who is where."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.options import BenchError, Options, command
from bench.pipeline import run
from bench.scenes import RATE, SCENES, Truth, read_truth, truth_path, write_scene
from bench.table import Figure, figure

TITLE = "faces that stay themselves"
_NEAR = 0.5  # of a face's side: so far from the truth a box is the face's

# hamilton_clip.mp4 of github.com/ageitgey/face_recognition, its frames looked at one by one: where each face that Haar
# ever finds is (frame, x, y, side), and between these evenly. People who are seen from the side only are left out.
HAMILTON = "0b5ff4c55a4cd69f79956f312681730881fe1e2a9e6146e75c31636dffcc7e28"  # sha256
HAMILTON_RATE = 29.97
HAMILTON_TRUTH = {
    "the singer, far away": ((0, 546, 74, 55), (20, 543, 83, 54)),
    "the singer": (
        (82, 186, 112, 84), (90, 207, 122, 99), (96, 225, 131, 103), (104, 246, 134, 97), (110, 253, 143, 96),
        (126, 230, 92, 100), (132, 209, 80, 90), (140, 199, 103, 108), (150, 252, 91, 109), (158, 297, 89, 111),
        (172, 256, 122, 111), (188, 252, 90, 107), (200, 295, 103, 113), (210, 308, 98, 114),
    ),
    "the woman who laughs": ((211, 61, 104, 62), (242, 72, 96, 64), (274, 70, 104, 61)),
    "the woman in grey": ((211, 182, 136, 70), (242, 188, 139, 68), (274, 186, 139, 62)),
}  # fmt: skip


@dataclass(slots=True)
class Followed:
    """What became of one person of a clip."""

    visible: int = 0  # frames in which the face can be seen
    ids: list[int] = field(default_factory=list)  # of the frames in which it was found
    faces: list[dict] = field(default_factory=list)  # what the results say of it in these


@dataclass(frozen=True, slots=True)
class Tracked:
    """How well the faces of a clip were followed."""

    people: int
    found: float  # the share of the visible faces that the detector found
    switches: int  # a person is given the number of another
    lost: int  # a person is given a new number
    others: int  # numbers that belong to nobody: what the detector took for a face


def measure(options: Options) -> list[Figure]:
    """The demo's people in three scenes; with `--clip` a clip whose truth is known, or lies beside it."""
    if options.clip is not None:
        clip = Path(options.clip)
        rate, truths = read_truth(clip) if truth_path(clip).is_file() else (HAMILTON_RATE, _known(clip))
        return _figures_of("clip", rate, *_ran(options, clip, truths))
    figures = []
    for number, scene in enumerate(SCENES):
        clip = options.folder / f"scene-{number}.mp4"
        truth = write_scene(clip, scene)
        figures += _figures_of(scene.name, RATE, *_ran(options, clip, truth))
    return figures


def follow(records: Sequence[dict], truths: Sequence[Sequence[Truth]]) -> tuple[Tracked, dict[str, Followed]]:
    """Who is who in the lines of results.jsonl, by where they are in truth."""
    people: dict[str, Followed] = {}
    numbers = {face["id"] for record in records for face in record["faces"]}
    for record, truth in zip(records, truths, strict=True):
        for someone in truth:
            people.setdefault(someone.person, Followed()).visible += 1
        for someone, face in _pairs(truth, record["faces"]):
            people[someone.person].ids.append(face["id"])
            people[someone.person].faces.append(face)
    switches, lost = _changes(records, truths)
    own = {number for person in people.values() for number in person.ids}
    found = sum(len(person.ids) for person in people.values()) / max(1, sum(p.visible for p in people.values()))
    return Tracked(len(people), found, switches, lost, len(numbers - own)), people


def _changes(records: Sequence[dict], truths: Sequence[Sequence[Truth]]) -> tuple[int, int]:
    """How often a person's number changes to one that was another's, and to a new one."""
    switches = lost = 0
    number_of: dict[str, int] = {}
    owner_of: dict[int, str] = {}
    for record, truth in zip(records, truths, strict=True):
        for someone, face in _pairs(truth, record["faces"]):
            number, person = face["id"], someone.person
            if number_of.get(person, number) != number:
                switches += owner_of.get(number, person) != person
                lost += owner_of.get(number, person) == person
            elif owner_of.get(number, person) != person:
                switches += 1  # They came into sight with the number of somebody else.
            number_of[person], owner_of[number] = number, person
    return switches, lost


def _pairs(truth: Sequence[Truth], faces: Sequence[dict]) -> list[tuple[Truth, dict]]:
    """Truth and boxes that belong together, the nearest first."""
    near = []
    for number, someone in enumerate(truth):
        for place, face in enumerate(faces):
            x, y, width, height = face["box"]
            far = math.hypot(x + width / 2 - someone.x, y + height / 2 - someone.y) / someone.side
            if far <= _NEAR and 0.5 < width / someone.side < 2:
                near.append((far, number, place))
    pairs, taken = [], set()
    for _, number, place in sorted(near):
        if not {("truth", number), ("face", place)} & taken:
            taken |= {("truth", number), ("face", place)}
            pairs.append((truth[number], faces[place]))
    return pairs


def flips(labels: Sequence[str]) -> int:
    """How often a label is another than in the frame before."""
    return sum(a != b for a, b in zip(labels, labels[1:], strict=False))


def _figures_of(name: str, rate: float, tracked: Tracked, people: dict[str, Followed]) -> list[Figure]:
    faces = [person.faces for person in people.values() if len(person.faces) > 1]
    minutes = sum(map(len, faces)) / rate / 60

    def flips_a_minute(stage: str, smoothed: bool) -> float:
        return sum(flips([_said(f, smoothed)[stage]["label"] for f in of if stage in f]) for of in faces) / minutes

    def deviation(smoothed: bool) -> float:
        return statistics.mean(
            statistics.pstdev([_said(f, smoothed)["age"]["years"] for f in of if "age" in f]) for of in faces
        )

    return [
        figure(f"{name}", tracked.people, "people", "", f"{tracked.others} more numbers for what is no face of theirs"),
        figure("found", 100 * tracked.found, "%", "", "of the faces that can be seen"),
        figure("identity switches", tracked.switches, "times"),
        figure("lost tracks", tracked.lost, "times"),
        *(
            figure(f"{stage}: label flips, {how}", flips_a_minute(stage, how == "smoothed"), "a minute and face")
            for stage in ("gender", "emotion")
            for how in ("raw", "smoothed")
        ),
        *(
            figure(f"age: standard deviation, {how}", deviation(how == "smoothed"), "years")
            for how in ("raw", "smoothed")
        ),
    ]


def _said(face: dict, smoothed: bool) -> dict:
    return face["smoothed"] if smoothed else face


def _ran(options: Options, clip: Path, truths: list[list[Truth]]) -> tuple[Tracked, dict[str, Followed]]:
    each = options.with_overrides("stages.gender.every=1", "stages.age.every=1")  # Raw answers of every frame.
    ran = run(each, clip, "render.annotated=false")
    records = [json.loads(line) for line in (ran.output / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return follow(records, truths)


def _known(clip: Path) -> list[list[Truth]]:
    if not clip.is_file() or hashlib.sha256(clip.read_bytes()).hexdigest() != HAMILTON:
        raise BenchError(
            f"nobody has looked at {clip} and said who is where; leave --clip out, or give hamilton_clip.mp4 of"
            " github.com/ageitgey/face_recognition."
        )
    last = max(keys[-1][0] for keys in HAMILTON_TRUTH.values())
    return [
        [truth for person, keys in HAMILTON_TRUTH.items() if (truth := _between(person, keys, frame))]
        for frame in range(last + 1)
    ]


def _between(person: str, keys: Sequence[tuple[int, int, int, int]], frame: int) -> Truth | None:
    for (first, *a), (second, *b) in zip(keys, keys[1:], strict=False):
        if first <= frame <= second:
            share = (frame - first) / (second - first)
            return Truth(person, *(p + share * (q - p) for p, q in zip(a, b, strict=True)))
    return None


if __name__ == "__main__":
    sys.exit(command(measure, TITLE))
