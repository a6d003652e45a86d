"""Joins what the stages say about each frame, in order, and draws, shows and writes it."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.core import join, limits
from stages.core.claim import Claim
from stages.core.frames import Face, FinishedFrame, Picture
from stages.core.histogram import Histogram
from stages.core.history import RENDER
from stages.core.join import Join
from stages.core.messages import (
    TO_RENDER,
    Ack,
    Attribute,
    Drop,
    End,
    Faces,
    Finish,
    FramePicture,
    GivenUp,
    Message,
    Preview,
    SourceHello,
    Welcome,
    WorkerRefused,
    kinds,
)
from stages.core.pulse import Beat, Pulse
from stages.inference.card import Card, answer, load_card
from stages.outputs import OutputError, cannot_write
from stages.outputs.display import Display, open_display
from stages.outputs.look import Look
from stages.outputs.panels import numbers
from stages.outputs.publication import Publication
from stages.outputs.recorder import Recorder
from stages.outputs.restore import RESULTS
from stages.outputs.web import open_web
from stages.runtime.chaos import disorder_of, links_with, meet
from stages.runtime.curve import security_of
from stages.runtime.link import Bound, Links
from stages.runtime.output_folder import OutputFolder
from stages.runtime.process import Launcher, Settings, run_stage
from stages.runtime.publisher import Publisher
from stages.runtime.run_file import RunFile
from stages.runtime.settings import cores
from stages.runtime.tape import Tape

if TYPE_CHECKING:
    from stages.outputs.web.server import Web

LARGE_BYTES = 30_000_000  # of a picture: ten megapixels
ACK_S = 0.2  # at least so often, besides after every emission
WAIT_S = 0.05
PROGRESS_S = 0.5
LOST_S = 60.0  # so long a capture on another machine is waited for after the end: its cable may be plugged in again
NUMBERS_S = 0.5  # between two readings of the panel: faster nobody reads
WINDOW_WAIT_S = 0.01  # how soon a key is noticed


def main(settings: Settings, launcher: Launcher) -> None:
    disorder = disorder_of(settings)
    links = links_with(disorder, security_of(settings), launcher.say)

    def met(frame: int, source: str) -> None:
        if settings.life:  # One that has died before names the frame that it may die at again.
            launcher.at(f"frame {frame} of {source}")
        meet(disorder, frame)

    try:
        _Render(settings, launcher, links, met).run()
    finally:
        links.close()


class _Render:
    def __init__(self, settings: Settings, launcher: Launcher, links: Links, met: Callable[[int, str], None]):
        self._settings, self._launcher, self._links, self._met = settings, launcher, links, met
        self._folder = Path(settings.output)
        before = RunFile.read(self._folder)
        self._continuing = before is not None and self._is_ours(before)
        self._run = before.run if self._continuing else settings.run or uuid.uuid4().hex[:12]
        last = before.incarnation if self._continuing else 0
        self._incarnation = settings.incarnation or max(int(time.time() * 1000), last + 1)
        self._cards = {stage: load_card(Path(settings.models[stage])) for stage in settings.pipeline.attributes()}
        shown = settings.pipeline.render
        saved = Path(settings.output) / "saved"
        self._display = open_display(shown.display, self._cards, saved, launcher.say, shown.style, shown.delay)
        self._web = self._open_web() if shown.web_port else None
        self._publisher = Publisher(settings, launcher.say) if settings.publish else None
        quality = settings.pipeline.frames.quality if settings.publish and settings.publish.pixels else None
        self._publication = Publication(self._incarnation, quality)
        self._peers: Bound = links.bind(settings.binds, kinds(*TO_RENDER))
        self._welcomed: set[str] = set()
        self._sources: dict[str, _Source] = {}
        self._told_s = self._told_web_s = float("-inf")  # when display and page were told how the run goes
        self._said_progress_s, self._said_finished = float("-inf"), False
        self._tape = Tape(Path(settings.record), f"render/{settings.life}") if settings.record else None

    def _open_web(self) -> Web:
        pipeline = self._settings.pipeline
        shown = pipeline.render
        web = open_web(
            host=shown.web_host,
            port=shown.web_port,
            token=self._settings.web_token,
            sources=tuple(pipeline.sources),
            stages=pipeline.replicas(cores()),
            style=shown.style,
            blur=shown.blur,
            life=self._incarnation,
            stays=shown.display == "web",
        )
        if not self._settings.life:
            self._launcher.say(f"the page is at {web.address}")
        return web

    def _is_ours(self, before: RunFile) -> bool:
        """Whether the results in the folder are to be gone on with: a launcher names the run, by hand they must fit."""
        if self._settings.run:
            return before.run == self._settings.run
        return before.ended != "finished" and before.difference(self._settings.inputs) is None

    def run(self) -> None:
        self._launcher.ready()
        with ExitStack() as opened:  # Closes all of them, also when one cannot be closed.
            for shown in filter(None, (self._web, self._display, self._publisher)):
                opened.callback(shown.close)
            opened.callback(self._close_sources)
            while not self._launcher.stop_requested and not (self._settings.once and self._is_over):
                self._turn()
        if self._tape is not None:
            self._tape.close()
        self._launcher.report(self._report())

    def _turn(self) -> None:
        self._links.wait(WINDOW_WAIT_S if self._display else WAIT_S)
        for connection, message in self._peers.receive():
            self._welcome(connection, message.run)
            self._hear(connection, message)
        if self._display:
            self._look_at(self._display)
        if self._web:
            self._tell(self._web)
        for source in self._sources.values():
            if source.acknowledge():
                self._launcher.finished()
        self._speak()

    def _look_at(self, display: Display) -> None:
        """Let the windows work, and do what the person at them asks for."""
        now_s = time.monotonic()
        if display.wants_numbers and now_s - self._told_s >= NUMBERS_S:
            self._told_s = now_s
            for name, source in self._sources.items():
                display.tell(name, numbers(source.beat(now_s)))
        display.poll()
        if display.quit_requested:
            self._launcher.quit()

    def _tell(self, web: Web) -> None:
        """Say to the page how the run goes."""
        now_s = time.monotonic()
        if now_s - self._told_web_s >= NUMBERS_S:
            self._told_web_s = now_s
            for name, source in self._sources.items():
                web.told(name, source.beat(now_s), source.dropped, self._launcher.restarts)

    def _close_sources(self) -> None:
        with ExitStack() as sources:
            for source in self._sources.values():
                sources.callback(source.close)

    def _speak(self) -> None:
        self._launcher.beat()
        now_s = time.monotonic()
        if self._sources and now_s - self._said_progress_s >= PROGRESS_S:
            self._said_progress_s = now_s
            self._launcher.progress(self._report())  # The account so far, should this process be killed.
        # A launcher knows better whether it is the end, or a person who has asked for it.
        if not self._settings.run and not self._said_finished and self._is_clean:
            self._said_finished = True
            self._write_run_file("finished")

    @property
    def _is_clean(self) -> bool:
        everything = len(self._sources) == len(self._settings.captures)
        return everything and all(source.is_clean for source in self._sources.values())

    def _write_run_file(self, ended: str | None = None) -> None:
        try:
            RunFile(self._run, self._settings.inputs, self._incarnation, ended).write(self._folder)
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    @property
    def _is_over(self) -> bool:
        """Whether every capture has heard that its outputs are closed."""
        everybody = len(self._sources) == len(self._settings.captures)
        return everybody and all(source.is_left for source in self._sources.values())

    def _welcome(self, connection: str, run: str) -> None:
        """Who does not know the run yet, or knows another one, is told again: a welcome may be lost."""
        if connection not in self._welcomed or run != self._run:
            if len(self._welcomed) >= limits.GREETED:
                self._welcomed.clear()
            self._welcomed.add(connection)
            self._peers.send(connection, Welcome(run=self._run, incarnation=self._incarnation))

    def _hear(self, connection: str, message: Message) -> None:
        if isinstance(message, SourceHello):
            self._hello(connection, message)
        elif message.run == self._run and (source := self._sources.get(getattr(message, "source", None))):
            if self._tape is not None and isinstance(message, (Faces, Attribute)):
                self._tape.keep(getattr(message, "stage", "detect"), message)
            source.hear(message)

    def _hello(self, connection: str, hello: SourceHello) -> None:
        source = self._sources.get(hello.source)
        if source is None:
            if not hello.is_complete:
                return  # A person who gives up waiting for the other machines has lost nothing.
            if len(self._sources) >= len(self._settings.captures):
                return  # A capture that this run does not know; it says hello again, and is never answered.
            source = self._sources[hello.source] = self._new_source(hello)
        if reason := source.start(connection, hello):
            self._peers.send(connection, WorkerRefused(run=hello.run, reason=reason))

    def _new_source(self, hello: SourceHello) -> _Source:
        settings = self._settings.pipeline
        folder = Path(self._settings.output)
        if not self._sources:
            # Only now: before its source was opened the run could fail, and what an earlier one left be lost for
            # nothing.
            if not self._continuing and OutputFolder.at(folder, settings.sources).clear():
                self._launcher.say(f"replacing the results of an earlier run in {folder}")
            self._write_run_file()
        if len(self._settings.captures) > 1:
            folder = folder / hello.source
        specs = {s.name or hello.source: s.spec for s in self._settings.sources}
        spec = specs.get(hello.source)
        recorder = Recorder(
            folder,
            spec,
            settings.writes_annotated,
            self._launcher.patiently,
            self._continuing,
            settings.render.subtitles,
        )
        if recorder.restored.source not in (None, hello.source):
            raise OutputError(
                f"{folder} holds results of {recorder.restored.source}, not of {hello.source}; use --fresh."
            )
        look = Look(settings)
        if self._continuing and not self._settings.life:
            self._launcher.say(f"{hello.source} goes on at frame {recorder.restored.position}")
        if self._continuing:
            self._launcher.patiently(lambda: look.replay(folder / RESULTS))
        somebody = self._display is not None or self._web is not None
        previews = somebody and hello.live and settings.render.shows_latest
        return _Source(
            hello.source,
            self._run,
            self._incarnation,
            self._cards,
            recorder,
            look,
            self._peers,
            self._launcher.patiently,
            met=self._met,
            display=self._display,
            web=self._web,
            previews=previews,
            tape=self._tape,
            publish=self._publish if self._publisher else None,
        )

    def _publish(self, frame: FinishedFrame) -> None:
        self._publisher.send(self._publication.parts(frame))

    def _report(self) -> dict:
        reports = {name: source.report() for name, source in self._sources.items()}
        outputs = [str(path) for source in self._sources.values() for path in source.recorder.paths]
        notes = [note for source in self._sources.values() for note in source.notes]
        refused = self._peers.refused + (self._web.refused if self._web else Counter())
        return {"sources": reports, "outputs": outputs, "notes": notes, "refused": dict(refused)}


class _Source:
    """One source at render: its join, its outputs, and what is said to its capture."""

    def __init__(
        self,
        name: str,
        run: str,
        incarnation: int,
        cards: dict[str, Card],
        recorder: Recorder,
        look: Look,
        peers: Bound,
        patiently: Callable[[Callable[[], object]], object],
        *,
        met: Callable[[int, str], None] = lambda frame, source: None,
        display: Display | None = None,
        web: Web | None = None,
        previews: bool = False,
        tape: Tape | None = None,
        publish: Callable[[FinishedFrame], None] | None = None,
    ):
        """`previews`: whether pictures that are not analysed yet are shown; `met` is told of every frame before it is
        drawn, `publish` afterwards.
        """
        self.recorder, self._look, self._met = recorder, look, met
        self._tape, self._publish = tape, publish
        self._patiently = patiently
        self._has_finished = False  # its capture has said that it has heard all
        self._lost_s: float | None = None  # since when its capture cannot be reached
        self._name, self._run, self._incarnation = name, run, incarnation
        self._cards, self._peers, self._previews = cards, peers, previews
        self._display, self._web = display, web
        before = recorder.restored
        self._join = Join(tuple(cards), done=before.position)
        if tape is not None:
            tape.began(RENDER, name, tuple(cards), before.position)
        self._rendered_before, self._dropped_before = before.counts.pop("rendered", 0), before.dropped
        self._claim = Claim()
        self._is_live = False
        self._clean = False
        self._due, self._number, self._said_s = False, 0, 0.0
        self._worked: list[tuple[int, float]] = []
        self._preview_taken = 0
        self._newest: FinishedFrame | None = None
        self._counts: Counter[str] = before.counts
        self._given_up: set[tuple[int, str]] = set()  # written down already
        self._said_done = before.position
        self._spent_s: Counter[str] = Counter()
        self._services = {stage: Histogram() for stage in ("detect", *cards, "render")}
        self._pulse = Pulse(("detect", *cards, "render"))
        self._frames: int | None = None  # how many there are, once capture has said so

    def start(self, connection: str, hello: SourceHello) -> str | None:
        """Take a capture's hello; returns why it is refused: another one has this name and still beats."""
        if hello.epoch == self._join.epoch:
            self._claim.lost()  # It is the same one, on a connection that was made anew.
        has_name = self._claim.hello(connection, time.monotonic())
        if not has_name:
            return None if has_name is None else f"{self._name} is already read by another capture"
        self._is_live = hello.live
        if hello.latency is not None:
            self._pulse.told(hello.latency, time.monotonic())
        if hello.epoch >= (self._join.epoch or 0):
            self._step(join.SourceStarted(hello.epoch))
            self._due = True
        return None

    def hear(self, message: Message) -> None:
        if message.epoch != self._join.epoch:
            self._counts["ignored"] += 1
            return
        match message:
            case FramePicture(frame=frame, time=seconds, rate=rate, file=file):
                self._pulse.came(time.monotonic())
                self._step(join.PictureCame(frame, Picture(message.arrays[0], seconds, rate, file)))
            case Faces(frame=frame, attempt=attempt, rectangles=rectangles, scores=scores):
                if len(scores) == len(rectangles):
                    self._step(join.FacesCame(frame, attempt, _boxes(message, len(scores)), len(scores), message))
            case Attribute(frame=frame, attempt=attempt, stage=stage, answers=answers):
                if stage in self._cards and all(len(row) == len(self._cards[stage].shown) for row in answers):
                    self._step(join.AttributeCame(frame, attempt, _boxes(message, len(answers)), stage, message))
            case Drop(first=first, last=last, stage=stage, reason=reason):
                self._step(join.Dropped(first, last, stage, reason))
            case GivenUp(frame=frame, stage=stage, reason=reason):
                if frame >= self._join.done and (frame, stage) not in self._given_up:
                    self._given_up.add((frame, stage))
                    self.recorder.losses.given_up(frame, stage, reason)
                self._step(join.GivenUp(frame, stage, reason))
            case End(frames=frames):
                self._frames = frames
                self._step(join.SourceEnded(frames))
            case Finish():
                self._has_finished = self._clean
            case Preview(frame=frame):
                self._preview(frame, message)

    @property
    def is_left(self) -> bool:
        """Whether its capture has heard that all is closed, or cannot be told any more."""
        lost_s = 0.0 if self._lost_s is None else time.monotonic() - self._lost_s
        return self._has_finished or (self._clean and lost_s > LOST_S)

    def acknowledge(self) -> bool:
        """Say what is in the outputs and what is lacking: after every change, and now and then in any case.

        Returns whether there is more in them than the last time.
        """
        now_s = time.monotonic()
        if self._claim.holder is None or not (self._due or now_s - self._said_s >= ACK_S):
            return False
        has_moved, self._said_done = self._join.done > self._said_done, self._join.done
        self._due, self._said_s = False, now_s
        self._number += 1
        done = self._done
        ack = Ack(
            run=self._run,
            source=self._name,
            epoch=self._join.epoch,
            incarnation=self._incarnation,
            number=self._number,
            done=done,
            lacks=[[frame, []] for frame in range(done, self._join.done)] + [list(lack) for lack in self._join.lacks()],
            clean=self._clean and not self._is_looked_at,
            preview=self._preview_taken if self._wants_previews else None,
            heard=self._join.heard,
            worked=self._worked,
        )
        self._worked = []
        if self._peers.send(self._claim.holder, ack):
            self._lost_s = None
        else:
            self._lost_s = self._lost_s or now_s
            self._claim.lost()
        return has_moved

    @property
    def _done(self) -> int:
        """What is acknowledged. A picture that waits for its turn in the window counts as under way, so that no more of
        them than `window` and `window_memory` wait, and the source is read as fast as a person looks.
        """
        unseen = self._display.unseen(self._name) if self._display and not self._previews else None
        return self._join.done if unseen is None else min(unseen, self._join.done)

    @property
    def is_clean(self) -> bool:
        """Whether the source has ended and its outputs are closed."""
        return self._clean

    @property
    def _wants_previews(self) -> bool:
        """Whether anybody is shown pictures that are not analysed yet."""
        return self._previews and (self._display is not None or self._web.is_watched)

    @property
    def _is_looked_at(self) -> bool:
        """Whether a person still has the last picture of a folder before them; a stream's is no still picture."""
        screens = filter(None, (self._display, self._web))
        return not self._previews and any(screen.waits_for(self._name) for screen in screens)

    def close(self) -> None:
        """Bring the outputs in order, whether or not the source has ended."""
        self.recorder.close()

    @property
    def notes(self) -> list[str]:
        """What a person should know of what was written."""
        capped = self._counts["capped"]
        beyond = f"{self._name}: {capped} faces beyond {limits.FACES} in a frame were left out, the least certain first"
        notes = [*self.recorder.notes, *([beyond] if capped else [])]
        if note := self._look.note(self._name):
            notes.append(note)
        return notes

    def beat(self, now_s: float) -> Beat:
        """How this source goes at the moment."""
        return self._pulse.read(now_s, self._join.lacks())

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """The frames that are not in the outputs and will not be, by stage and reason."""
        return self._dropped_before + self._join.dropped

    def report(self) -> dict:
        dropped = [{"stage": s, "reason": r, "count": n} for (s, r), n in sorted(self.dropped.items())]
        names = ("faces", "missing", "errors", "capped", "ignored")
        counts = {name: self._counts[name] for name in names}
        spent = {stage: round(seconds, 3) for stage, seconds in self._spent_s.items()}
        rendered = self._rendered_before + self._join.emitted
        services = {stage: service.to_json() for stage, service in self._services.items()}
        told = {"spent": spent, "services": services}
        return {"captured": self._frames, "rendered": rendered, "dropped": dropped, **counts, **told}

    def _step(self, event: join.Event) -> None:
        done = self._join.done
        actions = self._join.step(event)
        if self._tape is not None:
            self._tape.heard(self._name, event, actions, None, _named)
        self._due = self._due or self._join.done != done
        for action in actions:
            match action:
                case join.Emit():
                    self._emit(action)
                case join.Skipped(first, last, stage, reason):
                    self.recorder.losses.dropped(first, last, stage, reason)
                case join.CloseOutputs():
                    self.recorder.close()
                    self._clean = True
            self._due = True

    def _emit(self, emit: join.Emit) -> None:
        self._met(emit.frame, self._name)
        started_s = time.perf_counter()
        all_known = emit.faces is not None and not emit.faces.capped
        frame = self._look.finish(finished(self._name, emit, self._cards), all_known)
        # Drawing and encoding a picture of a hundred megapixels takes longer than a stage may be silent.
        is_large = frame.picture.pixels.nbytes > LARGE_BYTES
        drawn = self._patiently(lambda: self._record(frame)) if is_large else self._record(frame)
        if self._publish:
            self._publish(frame)
        self._newest = frame
        if self._display and not self._previews:
            self._display.show(frame, drawn, self._is_live)
        if self._web:
            self._web.finished(frame, drawn, self._look.to_hide(frame, all_known), self._is_live)
        self._count(emit, frame, time.perf_counter() - started_s)

    def _record(self, frame: FinishedFrame) -> np.ndarray | None:
        """Write the frame to its outputs; return the annotated picture if anybody wants it."""
        drawn = None
        if self.recorder.draws or (self._display and not self._previews):
            drawn = self._look.draw(frame)
        self.recorder.write(frame, drawn)
        return drawn

    def _preview(self, frame: int, message: Preview) -> None:
        """Show the newest picture with the boxes and labels of the newest frame that has been analysed."""
        self._preview_taken, self._due = max(self._preview_taken, frame + 1), True
        if self._previews:
            faces = self._newest.faces if self._newest else []
            picture = FinishedFrame(self._name, frame, Picture(message.arrays[0], 0.0, None), faces)
            if self._display:
                self._display.show(picture, None, live=True)
            if self._web:
                self._web.preview(picture)

    def _count(self, emit: join.Emit, frame: FinishedFrame, drawing_s: float) -> None:
        self._counts.update(faces=len(frame.faces), missing=len(frame.missing), errors=frame.error is not None)
        said = [emit.faces, *emit.answers.values()] if emit.faces is not None else []
        spent_s = {stage: message.spent.get(stage, 0.0) for stage, message in emit.answers.items()}
        if emit.faces is not None:
            self._counts["capped"] += emit.faces.capped
            spent_s["detect"] = emit.faces.spent.get("detect", 0.0)
        spent_s["render"] = drawing_s
        self._spent_s.update(spent_s)
        for stage, seconds in spent_s.items():
            self._services[stage].add(seconds)
        self._pulse.finished(time.monotonic(), spent_s)
        longest_s = max((sum(message.spent.values()) for message in said), default=0.0)
        self._worked.append((emit.frame, longest_s + drawing_s))


def _named(payload: Picture | Faces | Attribute) -> str:
    """What stands in a record for a payload of the join: enough to tell it from another one of the same frame."""
    if isinstance(payload, Picture):
        return f"the picture at {payload.time} s"
    return f"{payload.kind} by {payload.replica}/{payload.incarnation}, try {payload.attempt}, boxes {payload.boxes}"


def _boxes(message: Faces | Attribute, count: int) -> str:
    """What answers are joined by: the hash of the boxes and their number, so that there is an answer for each."""
    return f"{message.boxes}/{count}"


def finished(source: str, emit: join.Emit, cards: dict[str, Card]) -> FinishedFrame:
    """A joined frame in the form that the outputs take: numbers become labels by the cards."""
    faces = []
    if emit.faces is not None:
        for place, (box, score) in enumerate(zip(emit.faces.rectangles, emit.faces.scores, strict=True)):
            answers = {s: answer(cards[s], message.answers[place]) for s, message in emit.answers.items()}
            faces.append(Face(tuple(box), score, answers))
    return FinishedFrame(source, emit.frame, emit.picture, faces, list(emit.missing), emit.error)


if __name__ == "__main__":
    run_stage(main)
