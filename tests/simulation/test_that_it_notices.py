"""The simulation is worth something only if it notices broken code: each of these breaks one rule."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from stages.core import flow, join, pieces, suspects, workers
from tests.simulation import world
from tests.simulation.test_flow_and_join import plans

BROKEN = {
    "frames are emitted as soon as their picture is there": (
        join,
        "wants = [] if frame.picture is not None else [PICTURE]",
        "wants = [] if frame.picture is not None else [PICTURE]\n"
        "        if not wants and frame.faces:\n            return wants",
        "ends",
    ),
    "frames are emitted in any order": (
        join,
        "            elif (frame := self._open.get(self.done)) is not None and not self._wants(frame):",
        "            elif (frame := self._open.get(self.done + 1)) is not None and not self._wants(frame):\n"
        "                self.done += 1",
        "poison",
    ),
    "a part that comes after its frame is kept": (join, "if event.frame < self.done or", "if", "losses"),
    "answers are joined along any boxes": (
        join,
        "part is not None and part.boxes == frame.faces.boxes",
        "part is not None",
        "boxes",
    ),
    "dropped frames are waited for": (join, "self._drops[0].first <= self.done", "False", "camera"),
    "drops are counted short": (join, "+= drop.last + 1 - self.done", "+= drop.last - self.done", "camera"),
    "a newer try does not replace an older one": (join, "and came.attempt > known.attempt", "and False", "boxes"),
    "faces of an older try stay": (
        join,
        "                    frame.faces = None",
        "                    pass",
        "between",
    ),
    "what lacks again is not handed out again": (
        flow,
        "        self._pieces.make_due_what_nobody_holds()\n",
        "",
        "between",
    ),
    "a try along the boxes of an older one stays an old one": (
        flow,
        "if stage not in frame.given_up and (is_new or again):",
        "if stage not in frame.given_up and is_new:",
        "between",
        116,
    ),
    "an answer stays one of the try that gave it first": (
        join,
        "return replace(known, attempt=came.attempt, worker=came.worker)",
        "return known",
        "seldom between",
        344,
    ),
    "a worker that dies takes its work with it": (
        pieces,
        "                del frame.holders[stage]\n                self.make_due(number, stage)\n",
        "                del frame.holders[stage]\n",
        "kills",
    ),
    "the window is one too wide": (
        flow,
        "len(self._frames) < self._rules.window",
        "len(self._frames) <= self._rules.window",
        "kills",
    ),
    "room is not counted": (workers, "min(self.room, share) - len(self.under_way)", "1", "stop"),
    "pictures are forgotten when detect has them": (
        flow,
        "        yield KeepCrops(came.frame)\n",
        "        yield KeepCrops(came.frame)\n        yield Forget(came.frame, None)\n",
        "kills",
    ),
    "nothing is sent again without progress": (
        flow,
        "now_s - self._progress_s < self._resend_after_s",
        "True",
        "boxes",
    ),
    "a drop is said once": (
        flow,
        "        yield from self._drops\n",
        "        yield from self._drops\n        self._drops = []\n",
        "camera",
    ),
    "what is late is waited for": (
        flow,
        "            late = now_s - frame.read_s >= self._rules.deadline_s\n",
        "            late = False\n",
        "late",
    ),
    "crops of any try are kept": (
        flow,
        "frame.crops is None or frame.crops.attempt < came.attempt",
        "True",
        "losses",
    ),
    "a stopped source counts what it never handed out": (
        flow,
        "            self.read -= 1\n",
        "            break\n",
        "stop",
    ),
    "the end is said before the last frame": (
        flow,
        "yield SayEnd(self.read)",
        "yield SayEnd(max(0, self.read - 1))",
        "poison",
    ),
    "a render that comes back finds what was forgotten": (
        flow,
        "            self._is_over = True\n            yield StartAnew()\n            return\n",
        "            pass\n",
        "camera ends",
    ),
    "a capture that comes back begins at the beginning": (
        flow,
        "            self.read = ack.done\n",
        "            pass\n",
        "ends",
    ),
    "a live capture that comes back counts from the beginning": (
        flow,
        "self.read = max(self.read, ack.heard, ack.done)",
        "self.read = max(self.read, ack.done)",
        "camera ends",
    ),
    "what died with a live capture is waited for": (
        flow,
        "            self._drops.append(SayDrop(self.done, self.read - 1, holder, RESTART))",
        "            pass",
        "camera ends",
    ),
    "a frame heard of is forgotten with its capture": (
        join,
        "        return max(self.done, self._heard)",
        "        return self.done",
        "camera ends",
    ),
    "an end beside other pieces counts as a strike": (
        suspects,
        "        if not alone:\n            return None",
        "",
        "hangs",
    ),
    "a kill from outside is a strike": (suspects, "if cause not in OWN_DOING:", "if False:", "kills alone"),
    "how a worker on another machine has ended is not heard": (
        flow,
        "                    yield from self._take_end(WorkerEnded(came.stage, came.worker, incarnation, cause))",
        "                    pass",
        "far",
    ),
    "strikes are never enough": (suspects, "if ends.strikes >= self._tries", "if False", "poison"),
    "a worker that was alone stays alone": (
        flow,
        "worker.alone)\n            worker.alone, worker.is_reserved = None, False\n",
        "worker.alone)\n",
        "poison",
    ),
    "a hello to an older welcome counts": (
        workers,
        "if came.account != self._accounts.get(came.connection, came.account):",
        "if False:",
        "cuts",
    ),
    "a worker is welcomed once": (
        flow,
        "elif not self._workers.is_refused(connection):",
        "elif not self._workers.is_refused(connection) and self._workers._accounts.get(connection) is None:",
        "boxes",
    ),
}


BOOKS = {pieces: "Pieces", suspects: "Suspects", workers: "Workers"}  # of the flow: module -> class


def swapped(module, old: str, new: str) -> tuple:
    """Where the simulation, or the flow, takes a module from, under which name, and what is broken there and whole."""
    broken = rewritten(module, old, new)
    if module in BOOKS:
        return flow, BOOKS[module], *(getattr(made, BOOKS[module]) for made in (broken, module))
    return world, module.__name__.rpartition(".")[2], broken, module


def rewritten(module, old: str, new: str):
    """The module with one place of its source replaced, under the same name."""
    source = Path(module.__file__).read_text()
    assert source.count(old) == 1, f"this place is not there once any more: {old}"
    made = importlib.util.module_from_spec(importlib.util.spec_from_file_location(module.__name__, module.__file__))
    sys.modules[module.__name__], kept = made, sys.modules[module.__name__]
    try:
        exec(compile(source.replace(old, new), module.__file__, "exec"), made.__dict__)
    finally:
        sys.modules[module.__name__] = kept
    return made


EVERYBODY = {"attributes": ("gender", "age"), "window": 16, "window_bytes": 10**9}
POISON = {("detect", 7): "exit", ("gender", 11): "fail"}
KINDS = {
    "boxes": {
        "kills": 6, "frames": 60, "differing_boxes": True, "replicas": {"detect": 3},
        "resend_after_s": 1.0, "lose": 0.08,
    },
    "kills": {"kills": 8, "frames": 60, "repeat": 0.0, "resend_after_s": 1e6},
    "losses": {"lose": 0.05, "frames": 30, "resend_after_s": 2.0, "kills": 3},
    "camera": {"live": True, "frames": 100, "service_s": {"detect": 0.1, "age": 0.3}, "lose": 0.02},
    "late": {"live": True, "frames": 100, "attributes": ("gender", "age"), "service_s": {"age": 2.0}},
    "between": {
        "kills": 20, "dies_between": 0.5, "frames": 40, "differing_boxes": True, "replicas": {"detect": 3},
        "resend_after_s": 1e6, "room": 2,
    },
    "seldom between": {
        "kills": 6, "dies_between": 0.3, "frames": 40, "differing_boxes": True, "replicas": {"detect": 3},
        "resend_after_s": 1e6, "room": 2,
    },
    "cuts": {"cuts": 30, "frames": 60, "resend_after_s": 1e6, "room": 2},
    "ends": {"frames": 40, "kills": 3, "render_kills": 3, "capture_kills": 2, "resend_after_s": 1e6},
    "camera ends": {"live": True, "frames": 100, "render_kills": 2, "capture_kills": 2, **EVERYBODY},
    "far": {
        "frames": 30, "poison": {("gender", 11): "exit"}, "far": frozenset({"gender"}), "resend_after_s": 1e6,
        **EVERYBODY,
    },
    "poison": {"frames": 30, "poison": POISON, "resend_after_s": 1e6, **EVERYBODY},
    "hangs": {
        "frames": 40, "hangs": 40, **EVERYBODY, "replicas": {}, "service_s": {"detect": 0.3, "gender": 0.3},
        "resend_after_s": 1e6,
    },
    "kills alone": {
        "frames": 40, "kills": 12, "hangs": 3, **EVERYBODY, "attributes": ("gender",), "replicas": {},
        "service_s": {"detect": 0.3, "gender": 0.3}, "resend_after_s": 1e6,
    },
    "stop": {"frames": 10_000, "window_bytes": 10**9, "stop_at_s": 3.0, "service_s": {"detect": 0.05}},
}  # fmt: skip


SEEDS = 20


def histories(first: str, seed_of_first: int = 0):
    """Of every kind some, that which is the most telling for this rule first."""
    for seed in range(seed_of_first, seed_of_first + SEEDS):
        yield plans(seed, every={}, **KINDS[first]), seed
    for seed in range(SEEDS):
        for kind in KINDS:
            yield plans(seed, every={}, **KINDS[kind]), seed


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_is_it_passes_these_histories(kind):
    for seed in range(2):
        world.ended(plans(seed, every={}, **KINDS[kind]), seed)


@pytest.mark.parametrize("rule", BROKEN)
def test_the_simulation_notices_when(rule, monkeypatch):
    module, old, new, *first = BROKEN[rule]
    place, name, broken, whole = swapped(module, old, new)
    for plan, seed in histories(*first):
        monkeypatch.setattr(place, name, broken)
        if goes_wrong(plan, seed):
            monkeypatch.setattr(place, name, whole)
            if not goes_wrong(plan, seed):  # A history that costs the whole code too much proves nothing.
                return
    pytest.fail(f"no history noticed that {rule}")


def goes_wrong(plan: world.Plan, seed: int) -> bool:
    try:
        emitted = world.ended(plan, seed).emitted
    except Exception:  # Whatever goes wrong, it is noticed.
        return True
    is_whole = plan.live or plan.stop_at_s is not None
    return not is_whole and [emit.frame for emit in emitted] != list(range(plan.frames))
