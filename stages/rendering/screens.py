"""The viewers of a run: windows on the screen, the page in the browser, subscribers to finished frames, and a broker.

Render and its sources show everything to all of them, and need not know which of them there are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..config.placement import Placement
from ..config.settings import cores
from ..frames import FinishedFrame
from ..layout import SAVED
from ..protocol.rates import Snapshot
from ..sinks.images import SavedPictures
from ..sinks.last_picture import LastPictures
from ..sinks.publish import Publication
from ..supervision.stage import ControlChannel, Settings
from ..transport.publisher import Publisher
from ..view.display import Display, open_display
from ..view.overlay.panels import numbers
from ..view.web import open_web
from ..view.web.access import is_loopback
from ..vision.tracking import Box
from .extra import Extra
from .recording import PageRecording, complete_recordings

if TYPE_CHECKING:
    from ..view.web.server import Web

_WEB_PORTS = 100  # that are tried where none was named
_NUMBERS_S = 0.5  # between two snapshots in the panel: numbers that change faster cannot be read


class Measured(Protocol):
    """A source whose numbers are shown."""

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """The frames that are not in the outputs and will not be, by stage and reason."""

    def snapshot(self, now_s: float) -> Snapshot:
        """How it goes at the moment."""


def open_screens(
    settings: Settings,
    stages: Iterable[str],
    run: str,
    incarnation: int,
    control: ControlChannel,
    remark: Callable[[str], None],
) -> Screens:
    """All that the configuration asks for; raises a `FacepipeError` that says which of them cannot be had, and why.

    `stages`: those whose labels keys switch; `run`: its name; `incarnation`: that of this render; `remark` is called
    with sentences that matter only if the run comes about.
    """
    shown, saved = settings.pipeline.render, SavedPictures(Path(settings.output) / SAVED, remark)
    is_first, say = not settings.life, control.say
    processes = Placement.of(settings.pipeline).everywhere(settings.pipeline.replicas(cores()))
    display = Extra.opened(
        "the window",
        lambda: open_display(
            shown.display,
            stages,
            saved.save,
            remark,
            shown.style,
            shown.delay,
            settings.waits,
            len(settings.read),
        ),
        is_first,
        say,
    )
    web = Extra.opened(
        "the page in the browser",
        lambda: _open_page(settings, processes, run, incarnation, control) if shown.web_port else None,
        is_first,
        say,
    )
    published = Extra.opened(
        "the publication",
        lambda: _Published(settings, incarnation, say) if settings.publish else None,
        is_first,
        say,
    )
    pictures = Extra.opened("the snapshot", lambda: _last_pictures(settings), is_first, say)
    recording = None
    if web:
        complete_recordings(Path(settings.output))
        recording = partial(PageRecording, folder=Path(settings.output), encoder=shown.encoder, web=web)
    return Screens(display, web, published, processes, pictures, recording)


def _last_pictures(settings: Settings) -> LastPictures | None:
    pipeline = settings.pipeline
    wanted = [every_s for every_s in (pipeline.mqtt.picture, pipeline.render.snapshot) if every_s is not None]
    return LastPictures(Path(settings.output), min(wanted), settings.has_folders) if wanted else None


def _open_page(
    settings: Settings, processes: dict[str, int], run: str, incarnation: int, control: ControlChannel
) -> Web:
    shown = settings.pipeline.render
    web = open_web(
        host=shown.web_host,
        ports=_ports(settings),
        token=settings.web_token,
        sources=tuple(settings.pipeline.sources),
        stages=processes,
        style=shown.style,
        blur=shown.blur,
        run=run,
        life=incarnation,
        stays=shown.display == "web" and settings.waits,
        records=shown.web_record == "always" or (shown.web_record == "local" and is_loopback(shown.web_host)),
    )
    if not settings.life:
        control.page(web.port)
        control.say(f"the page is at {web.address}")
    return web


def _ports(settings: Settings) -> range:
    """Where the page may be: at the port that was named, or else the first that is free from the usual one on."""
    shown = settings.pipeline.render
    first = settings.web_port or shown.web_port
    return range(first, first + (1 if settings.web_port or shown.web else _WEB_PORTS))


class _Published:
    """The subscribers to finished frames."""

    def __init__(self, settings: Settings, incarnation: int, say: Callable[[str], None]):
        self._publisher = Publisher(settings, say)
        quality = settings.pipeline.frames.quality if settings.publish.pixels else None
        self._publication = Publication(incarnation, quality)

    def send(self, frame: FinishedFrame) -> None:
        self._publisher.send(self._publication.parts(frame))

    def close(self) -> None:
        self._publisher.close()


class Screens:
    """All viewers of a run; without arguments there are none. One that fails is left out, and the others go on."""

    def __init__(
        self,
        display: Extra[Display] | Display | None = None,
        web: Extra[Web] | Web | None = None,
        published: Extra[_Published] | _Published | None = None,
        processes: Mapping[str, int] | None = None,  # of each worker stage
        pictures: Extra[LastPictures] | None = None,
        recording: Callable[[str], PageRecording] | None = None,  # that of a source, by its name
    ):
        self._display = display if isinstance(display, Extra) else Extra("the window", display)
        self._web = web if isinstance(web, Extra) else Extra("the page in the browser", web)
        self._published = published if isinstance(published, Extra) else Extra("the publication", published)
        self._pictures = pictures or Extra("the snapshot", None)
        self._processes, self._recording = processes or {}, recording
        self._told_s = self._told_web_s = float("-inf")  # when display and page were told how the run goes

    @property
    def has_keys(self) -> bool:
        """Whether there are windows, whose keys are to be noticed soon."""
        return bool(self._display)

    @property
    def refused(self) -> Counter[str]:
        """What was not taken from browsers, by reason."""
        return self._web.do(lambda web: web.refused, Counter())

    @property
    def notes(self) -> list[str]:
        """What was left out, and why."""
        return [extra.note for extra in self._all if extra.note]

    @property
    def _all(self) -> tuple[Extra, ...]:
        return self._web, self._display, self._published, self._pictures

    def of(self, source: str, previews: bool) -> SourceScreens:
        """What a source is shown on; `previews`: also its pictures that are not analysed yet, if anybody sees them."""
        recording = self._recording(source) if self._recording else None
        return SourceScreens(source, previews, self._display, self._web, self._published, self._pictures, recording)

    def turn(self, sources: Mapping[str, Measured], control: ControlChannel) -> None:
        """Say how the run goes, let the windows work, and do what the person at them asks for."""
        now_s = time.monotonic()
        self._display.do(lambda display: self._turn_windows(display, sources, control, now_s))
        if self._web and now_s - self._told_web_s >= _NUMBERS_S:
            self._told_web_s = now_s
            for name, source in sources.items():
                snapshot, dropped = source.snapshot(now_s), source.dropped
                self._web.do(lambda web, told=(name, snapshot, dropped): web.told(*told, control.restarts))

    def _turn_windows(
        self, display: Display, sources: Mapping[str, Measured], control: ControlChannel, now_s: float
    ) -> None:
        if display.wants_numbers and now_s - self._told_s >= _NUMBERS_S:
            self._told_s = now_s
            for name, source in sources.items():
                display.tell(name, numbers(source.snapshot(now_s), self._processes))
        display.poll()
        if display.quit_requested:
            control.quit()

    def forget(self, source: str) -> None:
        """A source does not belong to the run any more."""
        self._web.do(lambda web: web.forget(source))
        self._display.do(lambda display: display.forget(source))
        self._pictures.do(lambda pictures: pictures.forget(source))

    def finish(self) -> str:
        """Everything is written. Returns what the run still waits for, in a sentence."""
        if self._display:
            self._display.do(lambda display: display.finish())
            return "finished; the window stays open until you press Q in it"
        return "finished; the picture stays on the page as long as somebody looks at it"

    def close(self) -> None:
        """Close all of them, also when one cannot be closed."""
        with ExitStack() as opened:
            for shown in self._all:
                opened.callback(shown.close)


class SourceScreens:
    """The viewers of one source."""

    def __init__(
        self,
        source: str,
        previews: bool,
        display: Extra[Display],
        web: Extra[Web],
        published: Extra[_Published],
        pictures: Extra[LastPictures],
        recording: PageRecording | None = None,
    ):
        self._source, self._display, self._web, self._published = source, display, web, published
        self._pictures = pictures
        self._recording = Extra("the recording", recording)
        self.previews = previews and bool(display or web)  # whether any may ever be wanted

    @property
    def shows_finished(self) -> bool:
        """Whether every finished frame is shown in a window, which draws it in its own size."""
        return bool(self._display) and not self.previews

    @property
    def wants_drawn(self) -> bool:
        """Whether the annotated picture of the next finished frame is wanted."""
        is_kept = self._pictures.do(lambda pictures: pictures.wants(self._source), False)
        return is_kept or self._recording.do(lambda recording: recording.wants_drawn, False)

    @property
    def wants_previews(self) -> bool:
        """Whether anybody is shown pictures that are not analysed yet."""
        return self.previews and (bool(self._display) or self._web.do(lambda web: web.is_watched, False))

    @property
    def is_looked_at(self) -> bool:
        """Whether a person still has the last picture of a folder before them; a stream's is no still picture."""
        screens = (self._display, self._web)
        return not self.previews and any(
            extra.do(lambda screen: screen.waits_for(self._source), False) for extra in screens
        )

    @property
    def unseen(self) -> int | None:
        """The first frame that waits for its turn in the window; None where none does."""
        return self._display.do(lambda display: display.unseen(self._source)) if self.shows_finished else None

    def show(
        self,
        frame: FinishedFrame,
        drawn: np.ndarray | None,
        to_anonymize: Callable[[], list[Box] | None],
        live: bool,
    ) -> None:
        """Show a frame that is in the outputs; `drawn`: its annotated picture, uint8 (H, W, 3) BGR, if `wants_drawn`.

        `to_anonymize` says where faces may be, None for anywhere: the page hides them where a viewer wants it.
        """
        self._published.do(lambda published: published.send(frame))
        self._display.do(lambda display: display.know(frame))
        if self.shows_finished:
            self._display.do(lambda display: display.show(frame, live))
        self._web.do(lambda web: web.finished(frame, to_anonymize(), live))
        self._recording.do(lambda recording: recording.take(frame, drawn))
        if drawn is not None:
            self._pictures.do(lambda pictures: pictures.take(self._source, drawn))

    def happened(self, event: dict, said: str, frame: FinishedFrame) -> None:
        """Show an event: its line in events.jsonl, its answers in words, and the frame in which it is known."""
        self._web.do(lambda web: web.happened(event, said, frame))

    def close(self) -> None:
        """Nothing follows from this source."""
        self._recording.close()

    def preview(self, frame: FinishedFrame) -> None:
        """Show the newest picture, with the faces of the newest that has been analysed."""
        self._display.do(lambda display: display.show(frame, live=True))
        self._web.do(lambda web: web.preview(frame))
