"""Run one stage alone on the trace of a run and print what differs: `python -m stages.replay FILE --only age`.

For capture and render, replay the recorded events through the state machines and compare the decisions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .config.settings import Settings
from .errors import FacepipeError
from .exit_status import ExitStatus
from .names import short
from .plan import Plan, read_pipeline
from .project import PACKAGE
from .protocol.messages import Attribute, Crops, Faces, Frame
from .supervision.arguments import Arguments
from .supervision.command import run, say
from .supervision.worker import Answer, Identity
from .trace.history import CAPTURE, RENDER, Replayer
from .trace.recorder import TraceReader

SHOWN = 10  # differences in full
NUMBERS = 19  # of a face with landmarks: box, score, five points, pose and quality


class ReplayError(FacepipeError):
    """A record that this stage cannot work on."""


@dataclass(slots=True)
class Replayed:
    """What came of a replay."""

    tasks: int = 0
    compared: int = 0  # with an answer of then
    differing: list[str] = field(default_factory=list)  # "frame 7 of clip.mp4: ..."
    largest: float = 0.0  # difference between two numbers
    work_s: float = 0.0


def main(argv: list[str] | None = None) -> int:
    """Replay; returns 0 also where answers differ, 1 where the record is incomplete, 2 where something is wrong."""
    parser = Arguments(prog=f"python -m {PACKAGE}.replay", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a trace written by run_pipeline.py --record")
    parser.add_argument("--only", metavar="STAGE", required=True, help="the stage to run, or capture or render")
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: pipeline.yaml)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set a key of the configuration"
    )
    parser.add_argument(
        "--original-speed", action="store_true", help="send the tasks at their original times instead of immediately"
    )
    arguments = parser.parse_args(argv)
    try:
        record = TraceReader(arguments.file)
        if arguments.only in (CAPTURE, RENDER):
            lines = told_decisions(Replayer().play(record.history(arguments.only)))
        else:
            plan = Plan.of(*read_pipeline(arguments.config, arguments.set))
            answer, fits = answerer(plan.settings(arguments.only, 0))
            lines = told(replay(record, arguments.only, answer, fits, arguments.original_speed))
        incomplete = [f"INCOMPLETE: {record.incomplete}; what is there was replayed."] if record.incomplete else []
        say(*incomplete, *lines)
    except FacepipeError as error:
        print(f"facepipe: {error}", file=sys.stderr)
        return ExitStatus.REFUSED
    return ExitStatus.FAILED if record.incomplete else ExitStatus.DONE


def answerer(settings: Settings) -> tuple[Callable[[list], list[Answer]], Callable[[Frame | Crops], bool]]:
    """What the stage does with tasks, and whether one is for it; raises a `FacepipeError` where it cannot."""
    identity = Identity.of(settings, "")
    if settings.stage == "detect":
        from .detect import answerer as detecting
        from .detect import is_frame
        from .vision.detectors import make_detector

        return detecting(identity, make_detector(settings.detector)), is_frame
    from .attribute import answerer as attributing
    from .attribute import are_crops_for
    from .vision.inference import load_model
    from .vision.inference.card import load_card

    card = load_card(Path(settings.models[settings.stage]))
    model = load_model(card, settings.pipeline.attributes()[settings.stage].device)

    def fits(task: Frame | Crops) -> bool:
        return isinstance(task, Crops) and are_crops_for(card.geometry, task)

    return attributing(identity, model, lambda: None), fits


def replay(
    record: TraceReader,
    stage: str,
    answer: Callable[[list], list[Answer]],
    fits: Callable[[Frame | Crops], bool],
    original_speed: bool,
) -> Replayed:
    """Give the stage every task of the record, and hold its answers against those of then.

    Raises `ReplayError` for a task that does not fit.
    """
    replayed, now, then = Replayed(), {}, {}
    for traced in _paced(record.messages(), original_speed):
        message = traced.message
        if traced.stage != stage:
            continue
        if isinstance(message, (Frame, Crops)):
            if (message.source, message.frame) in now:
                continue  # It was sent again.
            if not fits(message):
                raise ReplayError(
                    f"frame {message.frame} of {short(message.source)} was cut for another model than {stage} has;"
                    " write the --config and --set of then."
                )
            started_s = time.perf_counter()
            [answered] = answer([message])
            replayed.work_s += time.perf_counter() - started_s
            replayed.tasks += 1
            now[message.source, message.frame] = answered.to_render
        else:
            then.setdefault((message.source, message.frame), message)
    for place, message in now.items():
        if place in then:
            replayed.compared += 1
            _compare(then[place], message, place, replayed)
    return replayed


def _paced(traced: Iterator, original_speed: bool) -> Iterator:
    started_s = None
    for one in traced:
        if original_speed:
            started_s = time.monotonic() - one.at_s if started_s is None else started_s
            time.sleep(max(0.0, started_s + one.at_s - time.monotonic()))
        yield one


def _compare(then: Faces | Attribute, now: Faces | Attribute, place: tuple[str, int], replayed: Replayed) -> None:
    before, after = _numbers(then), _numbers(now)
    if before == after:
        return
    where = f"frame {place[1]} of {short(place[0])}"
    if [len(row) for row in before] != [len(row) for row in after]:
        replayed.differing.append(f"{where}: {len(before)} faces then, {len(after)} now")
        return
    largest = max(abs(a - b) for rows in zip(before, after, strict=True) for a, b in zip(*rows, strict=True))
    replayed.largest = max(replayed.largest, largest)
    replayed.differing.append(f"{where}: differs by up to {largest:.4g}")


def _numbers(message: Faces | Attribute) -> list[list[float]]:
    if isinstance(message, Attribute):
        return message.answers
    faces = [[*box, score] for box, score in zip(message.boxes, message.scores, strict=True)]
    for face, points, pose, quality in zip(faces, message.landmarks, message.poses, message.qualities, strict=False):
        face += [*points, *pose, quality] if points else []
    return [face + [0.0] * (NUMBERS - len(face)) for face in faces]


def told(replayed: Replayed) -> list[str]:
    """What came of it, in lines."""
    each = f", {1000 * replayed.work_s / replayed.tasks:.1f} ms each" if replayed.tasks else ""
    most = f", by up to {replayed.largest:.4g}" if replayed.largest else ""
    differ = f"{len(replayed.differing)} of {replayed.compared} answers differ{most}"
    why = " The run may have had another model or other settings: repeat its --config and --set." if most else ""
    return [*_some(replayed.differing), f"{replayed.tasks} tasks{each}; {differ}.{why}"]


def told_decisions(replayer: Replayer) -> list[str]:
    """The same of decisions."""
    return [*_some(replayer.differing), f"{replayer.steps} steps; {len(replayer.differing)} are decided otherwise."]


def _some(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} others"]


if __name__ == "__main__":
    run(main)
