"""The simulation is worth something only if it notices broken code: each of these breaks one rule."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from stages.delivery import dispatcher, joiner, quarantine, tasks, workers
from tests.simulation import world
from tests.simulation.test_histories import plans

BROKEN = {
    "frames are emitted as soon as their picture is there": (
        joiner,
        "wants = [] if frame.picture is not None else [PICTURE]",
        "wants = [] if frame.picture is not None else [PICTURE]\n"
        "        if not wants and frame.faces:\n            return wants",
        "ends",
    ),
    "frames are emitted in any order": (
        joiner,
        "            elif (frame := self._open.get(self.next_frame)) is not None and not self._wants(frame):",
        "            elif (frame := self._open.get(self.next_frame + 1)) is not None and not self._wants(frame):\n"
        "                self.next_frame += 1",
        "poison",
    ),
    "a part that comes after its frame is kept": (joiner, "if event.frame < self.next_frame or", "if", "losses"),
    "answers are joined along any boxes": (
        joiner,
        "part is not None and part.boxes_hash == frame.faces.boxes_hash",
        "part is not None",
        "boxes",
    ),
    "dropped frames are waited for": (joiner, "self._drops[0].first <= self.next_frame", "False", "camera"),
    "drops are counted short": (
        joiner,
        "+= drop.last + 1 - self.next_frame",
        "+= drop.last - self.next_frame",
        "camera",
    ),
    "a newer try does not replace an older one": (joiner, "and came.attempt > known.attempt", "and False", "boxes"),
    "faces of an older try stay": (
        joiner,
        "                    frame.faces = None",
        "                    pass",
        "between",
    ),
    "what is missing again is not handed out again": (
        dispatcher,
        "        self._tasks.make_due_what_nobody_holds()\n",
        "",
        "between",
    ),
    "a try along the boxes of an older one stays an old one": (
        dispatcher,
        "if stage not in frame.given_up and (is_new or again):",
        "if stage not in frame.given_up and is_new:",
        "between",
        116,
    ),
    "an answer stays one of the try that gave it first": (
        joiner,
        "return replace(known, attempt=came.attempt, worker=came.worker)",
        "return known",
        "seldom between",
        344,
    ),
    "a worker that dies takes its work with it": (
        tasks,
        "                del frame.holders[stage]\n                self.make_due(number, stage)\n",
        "                del frame.holders[stage]\n",
        "kills",
    ),
    "the window is one too wide": (
        dispatcher,
        "len(self._frames) < self._rules.window",
        "len(self._frames) <= self._rules.window",
        "kills",
    ),
    "credit is not counted": (workers, "min(self.credit, share) - len(self.under_way)", "1", "stop"),
    "pictures are forgotten when detect has them": (
        dispatcher,
        "        yield KeepCrops(came.frame)\n",
        "        yield KeepCrops(came.frame)\n        yield Forget(came.frame, None)\n",
        "kills",
    ),
    "nothing is sent again without progress": (
        dispatcher,
        "now_s - self._progress_s < self._resend_after_s",
        "True",
        "boxes",
    ),
    "a drop is said once": (
        dispatcher,
        "        yield from self._drops\n",
        "        yield from self._drops\n        self._drops = []\n",
        "camera",
    ),
    "what is late is waited for": (
        dispatcher,
        "            late = now_s - frame.read_s >= self._rules.deadline_s\n",
        "            late = False\n",
        "late",
    ),
    "crops of any try are kept": (
        dispatcher,
        "frame.crops is None or frame.crops.attempt < came.attempt",
        "True",
        "losses",
    ),
    "a stopped source counts what it never handed out": (
        dispatcher,
        "            self.read -= 1\n",
        "            break\n",
        "stop",
    ),
    "the end is said before the last frame": (
        dispatcher,
        "yield SendEnd(self.read)",
        "yield SendEnd(max(0, self.read - 1))",
        "poison",
    ),
    "a render that comes back finds what was forgotten": (
        dispatcher,
        "            self._is_over = True\n            yield StartEpoch()\n            return\n",
        "            pass\n",
        "camera ends",
    ),
    "a capture that comes back begins at the beginning": (
        dispatcher,
        "            self.read = ack.acked_up_to\n",
        "            pass\n",
        "ends",
    ),
    "a live capture that comes back counts from the beginning": (
        dispatcher,
        "self.read = max(self.read, ack.heard, ack.acked_up_to)",
        "self.read = max(self.read, ack.acked_up_to)",
        "camera ends",
    ),
    "what died with a live capture is waited for": (
        dispatcher,
        "            self._drops.append(SendDrop(self.acked_up_to, self.read - 1, holder, RESTART))",
        "            pass",
        "camera ends",
    ),
    "a frame heard of is forgotten with its capture": (
        joiner,
        "        return max(self.next_frame, self._heard)",
        "        return self.next_frame",
        "camera ends",
    ),
    "an end beside other tasks counts as a failure": (
        quarantine,
        "        if not isolated:\n            return None",
        "",
        "hangs",
    ),
    "a kill from outside is a failure": (quarantine, "if cause not in OWN_FAULT:", "if False:", "kills isolated"),
    "how a worker on another machine has ended is not heard": (
        dispatcher,
        "                    yield from self._take_end(WorkerExited(came.stage, came.worker, incarnation, cause))",
        "                    pass",
        "far",
    ),
    "failures are never enough": (quarantine, "if ends.failures >= self._tries", "if False", "poison"),
    "a worker that was isolated stays isolated": (
        dispatcher,
        "worker.isolated_frame)\n            worker.isolated_frame, worker.is_isolated = None, False\n",
        "worker.isolated_frame)\n",
        "poison",
    ),
    "a hello to an older welcome counts": (
        workers,
        "if came.session_id != self._session_ids.get(came.connection, came.session_id):",
        "if False:",
        "cuts",
    ),
    "a worker is welcomed once": (
        dispatcher,
        "elif not self._workers.is_refused(connection):",
        "elif not self._workers.is_refused(connection) and self._workers._session_ids.get(connection) is None:",
        "boxes",
    ),
}


PARTS = {tasks: "Tasks", quarantine: "Quarantine", workers: "Workers"}  # of the dispatcher: module -> class


def swapped(module, old: str, new: str) -> tuple:
    """Where the simulation, or the dispatcher, takes a module from, under which name, and what is broken there and
    whole."""
    broken = rewritten(module, old, new)
    if module in PARTS:
        return dispatcher, PARTS[module], *(getattr(made, PARTS[module]) for made in (broken, module))
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
        "resend_after_s": 1e6, "credit": 2,
    },
    "seldom between": {
        "kills": 6, "dies_between": 0.3, "frames": 40, "differing_boxes": True, "replicas": {"detect": 3},
        "resend_after_s": 1e6, "credit": 2,
    },
    "cuts": {"cuts": 30, "frames": 60, "resend_after_s": 1e6, "credit": 2},
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
    "kills isolated": {
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
