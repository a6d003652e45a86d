"""The simulation is worth something only if it notices broken code: each of these breaks one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from stages.delivery import states
from stages.delivery.dispatcher import RESTART, Dispatcher
from stages.delivery.events import Forget, KeepCrops
from stages.delivery.joiner import Joiner, _Open
from stages.delivery.live import LivePolicy
from stages.delivery.notices import Notices
from stages.delivery.quarantine import Quarantine
from stages.delivery.stalls import Stalls
from stages.delivery.states import FrameEvent, FrameState, WorkerEvent, WorkerState
from stages.delivery.tasks import InFlight, Tasks
from stages.delivery.workers import Worker, Workers
from stages.protocol.messages import Attribute, Drop, End, Heartbeat
from tests.simulation import world
from tests.simulation.test_histories import plans

pytestmark = pytest.mark.long  # A minute and a half.

Break = Callable[[pytest.MonkeyPatch], None]


def in_place_of(owner: type, name: str, broken: Callable) -> Break:
    """A method is another one."""
    return lambda patch: patch.setattr(owner, name, broken)


def around(owner: type, name: str, broken: Callable) -> Break:
    """As `in_place_of`; the other one is given the whole one first."""
    whole = getattr(owner, name)
    return in_place_of(owner, name, lambda *arguments: broken(whole, *arguments))


def leading_to(table: dict, transition: tuple, state: object) -> Break:
    """An entry of a table of states is another one."""
    return lambda patch: patch.setitem(table, transition, state)


def nothing(*_) -> Iterator:
    return iter(())


def emit_the_next_but_one(whole, joiner: Joiner) -> Iterator:
    frame = joiner._open.get(joiner.next_frame + 1)
    if frame is not None and not joiner._wants(frame):
        joiner.next_frame += 1
    yield from whole(joiner)


def keep_what_is_late(whole, joiner: Joiner, event) -> list:
    if event.frame < joiner.next_frame:
        joiner._open.setdefault(event.frame, _Open())
        return []
    return whole(joiner, event)


def count_drops_short(whole, joiner: Joiner) -> Iterator:
    for action in whole(joiner):
        if isinstance(action, Drop):
            joiner.dropped[action.stage, action.reason] -= 1
        yield action


def keep_faces(whole, joiner: Joiner, event) -> list:
    frame = joiner._open.get(event.frame)
    faces = frame.faces if frame is not None and isinstance(event, Attribute) else None
    actions = whole(joiner, event)
    if faces is not None and not actions:
        frame.faces = faces
    return actions


def lose_work(tasks: Tasks, connection: str, stage: str) -> None:
    for frame in tasks.frames.values():
        if frame.holders.get(stage) == connection:
            del frame.holders[stage]


def forget_too_early(whole, dispatcher: Dispatcher, *said) -> Iterator:
    for action in whole(dispatcher, *said):
        yield action
        if isinstance(action, KeepCrops):
            yield Forget(action.crops.frame, None)


def say_drops_once(whole, notices: Notices, *known) -> Iterator:
    said = list(whole(notices, *known))
    if said:
        notices._drops = []
    yield from said


def say_a_frame_less(whole, notices: Notices, *known) -> Iterator:
    for notice in whole(notices, *known):
        yield replace(notice, frames=max(0, notice.frames - 1)) if isinstance(notice, End) else notice


def take_a_new_render_for_the_old_one(whole, dispatcher: Dispatcher, ack, now_s: float) -> Iterator:
    known = dispatcher._block.ack
    if known is not None and ack.incarnation > known.incarnation:
        dispatcher._block.ack = replace(known, incarnation=ack.incarnation, number=0)
    return whole(dispatcher, ack, now_s)


def begin_at_the_beginning(whole, dispatcher: Dispatcher, ack) -> None:
    read = dispatcher.read
    whole(dispatcher, ack)
    if dispatcher._live is None:
        dispatcher._block.read = read


def welcome_once(whole, dispatcher: Dispatcher, connection: str, message, now_s: float) -> Iterator:
    workers = dispatcher._workers
    is_welcomed = workers.get(connection) is None and workers._session_ids.get(connection) is not None
    return (
        nothing() if is_welcomed and isinstance(message, Heartbeat) else whole(dispatcher, connection, message, now_s)
    )


def is_known_session(whole, workers: Workers, connection: str, hello) -> bool:
    session_id = workers._session_ids.get(connection, hello.session_id)
    return whole(workers, connection, replace(hello, session_id=session_id))


# By rule: how it is broken, the kind of histories that is the most telling, and the seed to begin with.
BROKEN: dict[str, tuple] = {
    "frames are emitted as soon as their picture is there": (
        around(
            Joiner, "_wants", lambda whole, self, frame: [] if frame.picture and frame.faces else whole(self, frame)
        ),
        "ends",
    ),
    "frames are emitted in any order": (around(Joiner, "_advance", emit_the_next_but_one), "poison"),
    "a part that comes after its frame is kept": (around(Joiner, "_take", keep_what_is_late), "losses"),
    "answers are joined along any boxes": (
        in_place_of(Joiner, "_answer", lambda self, frame, stage: frame.answers.get(stage)),
        "boxes",
    ),
    "dropped frames are waited for": (in_place_of(Joiner, "_drop", nothing), "camera"),
    "drops are counted short": (around(Joiner, "_advance", count_drops_short), "camera"),
    "a newer try does not replace an older one": (
        around(
            Joiner,
            "_newer",
            lambda whole, self, known, came: known if known and came.cut != known.cut else whole(self, known, came),
        ),
        "boxes",
    ),
    "faces of an older try stay": (around(Joiner, "_take", keep_faces), "between"),
    "what is missing again is not handed out again": (
        in_place_of(Tasks, "make_due_what_nobody_holds", nothing),
        "between",
    ),
    "a try along the boxes of an older one stays an old one": (
        in_place_of(Dispatcher, "_is_asked_again", lambda *_: False),
        "between",
        116,
    ),
    "an answer stays one of the try that gave it first": (
        around(
            Joiner,
            "_newer",
            lambda whole, self, known, came: known if known and came.cut == known.cut else whole(self, known, came),
        ),
        "seldom between",
        344,
    ),
    "a worker that dies takes its work with it": (
        in_place_of(Tasks, "make_due_what_was_held_by", lose_work),
        "kills",
    ),
    "the window is one too wide": (
        in_place_of(
            Dispatcher,
            "may_read",
            lambda self, size: self.started and not self.ended and self.in_flight <= self._rules.window,
        ),
        "kills",
    ),
    "credit is not counted": (in_place_of(Worker, "free_of", lambda self, share: int(not self.is_isolated)), "stop"),
    "pictures are forgotten when detect has them": (around(Dispatcher, "_take_crops", forget_too_early), "kills"),
    "nothing is sent again without progress": (in_place_of(Stalls, "check", nothing), "boxes"),
    "a drop is said once": (around(Notices, "due", say_drops_once), "camera"),
    "what is late is waited for": (in_place_of(LivePolicy, "give_up_late", nothing), "late"),
    "crops of any try are kept": (
        in_place_of(InFlight, "may_take", lambda self, crops: self.state is not FrameState.UNANALYSED),
        "losses",
    ),
    "a stopped source counts what it never handed out": (
        in_place_of(Dispatcher, "_is_queued", lambda *_: False),
        "stop",
    ),
    "a frame that a detect has counts as not handed out": (
        leading_to(states.FRAME, (FrameState.QUEUED, FrameEvent.ASSIGNED), FrameState.QUEUED),
        "stop",
    ),
    "the end is said before the last frame": (around(Notices, "due", say_a_frame_less), "poison"),
    "a render that comes back finds what was forgotten": (
        around(Dispatcher, "_take_ack", take_a_new_render_for_the_old_one),
        "camera ends",
    ),
    "a capture that comes back begins at the beginning": (around(Dispatcher, "_begin", begin_at_the_beginning), "ends"),
    "a live capture that comes back counts from the beginning": (
        around(Dispatcher, "_begin", lambda whole, self, ack: whole(self, replace(ack, heard=0))),
        "camera ends",
    ),
    "what died with a live capture is waited for": (
        around(Notices, "drop", lambda whole, self, *drop: whole(self, *drop) if drop[-1] != RESTART else None),
        "camera ends",
    ),
    "a frame heard of is forgotten with its capture": (
        in_place_of(Joiner, "heard", property(lambda self: self.next_frame)),
        "camera ends",
    ),
    "an end beside other tasks counts as a failure": (
        around(
            Quarantine,
            "_count_failure",
            lambda whole, self, stage, frame, _, reason: whole(self, stage, frame, True, reason),
        ),
        "hangs",
    ),
    "a kill from outside is a failure": (
        around(
            Quarantine,
            "ended",
            lambda whole, self, stage, frame, cause, isolated: whole(self, stage, frame, "exit", isolated),
        ),
        "kills isolated",
    ),
    "how a worker on another machine has ended is not heard": (
        around(
            Dispatcher,
            "_take_hello",
            lambda whole, self, connection, hello, now_s: whole(self, connection, replace(hello, ended=[]), now_s),
        ),
        "far",
    ),
    "failures are never enough": (
        around(Quarantine, "__init__", lambda whole, self, stages, tries: whole(self, stages, 10**9)),
        "poison",
    ),
    "a worker that was isolated stays isolated": (
        leading_to(states.WORKER, (WorkerState.ISOLATED, WorkerEvent.FINISHED), WorkerState.DRAINING),
        "poison",
    ),
    "a hello to an older welcome counts": (around(Workers, "is_new", is_known_session), "cuts"),
    "a worker is welcomed once": (around(Dispatcher, "_take_message", welcome_once), "boxes"),
}


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
    broken, *first = BROKEN[rule]
    for plan, seed in histories(*first):
        with monkeypatch.context() as patch:
            broken(patch)
            is_noticed = goes_wrong(plan, seed)
        if is_noticed and not goes_wrong(plan, seed):  # A history that costs the whole code too much proves nothing.
            return
    pytest.fail(f"no history noticed that {rule}")


def goes_wrong(plan: world.Plan, seed: int) -> bool:
    try:
        emitted = world.ended(plan, seed).emitted
    except Exception:  # Whatever goes wrong, it is noticed.
        return True
    is_whole = plan.live or plan.stop_at_s is not None
    return not is_whole and [emit.frame for emit in emitted] != list(range(plan.frames))
