"""What there is to be told about a run, and to each browser what it does not know yet.

A message is the length of a JSON text in four bytes, that text, and a JPEG or nothing. The methods that tell something
are for render's thread, `message` is for the server's: it encodes, and only then.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence

from ...areas import Areas
from ...frames import NO_AREAS, FinishedFrame
from ...protocol.rates import Snapshot
from .charts import ChartSamples
from .encoded import LONGEST_SIDE, TILE_SIDE, EncodedFrame
from .films import Camera, Films
from .kept import KeptPictures
from .moments import Gallery, Timeline
from .viewer import Known, Viewer

KEPT, FILM = "kept/", "film/"  # what the names of kept pictures, and of films of them, begin with
_KEPT_NAME = re.compile(rf"{KEPT}(\d{{1,19}}-\d{{1,12}})(-small)?(-blurred)?\.jpg", re.ASCII)
_FILM_NAME = re.compile(rf"{FILM}(\d{{1,19}}-\d{{1,12}})\.json", re.ASCII)


class _Source:
    """What there is of one source."""

    def __init__(self, kept: KeptPictures, films: Films):
        self.charts = ChartSamples()
        self.camera = Camera(kept, films)
        self.gallery, self.timeline = Gallery(kept), Timeline(kept, self.camera)
        self.finished: EncodedFrame | None = None  # the newest analysed picture
        self.preview: EncodedFrame | None = None  # a live source's newest, which may be newer
        self.is_live = False
        self.areas: Areas = NO_AREAS
        self.recording: dict | None = None  # what is told about a recording that is under way, or has ended

    def newest(self, blurred: bool) -> EncodedFrame | None:
        """What a browser is shown: with faces hidden, only pictures in which faces were detected."""
        return self.finished if blurred or self.preview is None else self.preview

    @property
    def kind(self) -> str | None:
        """What it consists of: a `camera`, a `video`, or `pictures`; None as long as nothing has come of it."""
        if self.finished is None:
            return None
        if self.is_live:
            return "camera"
        return "pictures" if self.finished.frame.picture.rate is None else "video"

    @property
    def known(self) -> Known:
        """What a browser has that has everything."""
        return Known(self.charts.count, self.timeline.count, self.gallery.count)

    def about(self, name: str) -> dict:
        """What changes seldom."""
        said = {"name": name, "live": self.is_live, "kind": self.kind, "labels": dict(self.charts.labels)}
        said |= {"zones": self.areas.zones, "lines": self.areas.lines} if self.areas else {}
        return said | ({"recording": self.recording} if self.recording else {})

    def since(self, known: Known) -> dict:
        """What is new to a browser."""
        new = {
            "samples": self.charts.since(known.samples),
            "events": self.timeline.since(known.events),
            "pictures": self.gallery.since(known.pictures),
        }
        return {key: items for key, items in new.items() if items}


class ViewerFeed:
    """The newest pictures and samples of all sources, and what has happened."""

    def __init__(
        self,
        sources: Sequence[str],
        stages: Mapping[str, int],
        style: str,
        blur: str,
        run: str,
        life: int,
        records: bool = False,
    ):
        """The arguments are those of `Web`."""
        self.attributes = frozenset(stages) - {"detect"}
        self._kept, self._films = KeptPictures(life), Films(life)
        self.sources = {name: _Source(self._kept, self._films) for name in sources}
        self._run = {"run": run, "stages": dict(stages), "blur": blur, "style": style, "records": records}
        self._style, self._life = style, life
        self._restarts: dict[str, int] = {}
        self._frames = 0
        self._changes = 0  # of what is told about the run
        self._lock = threading.Lock()  # around lists, which grow while they are read

    def finished(self, frame: FinishedFrame, to_anonymize: Sequence | None, live: bool) -> None:
        """A frame is in the outputs; see `Web`."""
        source = self._source(frame.source)
        with self._lock:
            before = source.kind, len(source.charts.labels), source.areas
            source.is_live, source.areas = live, frame.areas
            source.charts.finished(frame, time.monotonic())
            source.finished = self._shown(frame, to_anonymize)
            if source.kind == "pictures":
                source.gallery.finished(frame, to_anonymize, source.charts.labels)
            else:
                source.camera.take(frame, to_anonymize, source.charts.labels)
                source.timeline.seen(frame)
            self._changes += before != (source.kind, len(source.charts.labels), source.areas)

    def preview(self, frame: FinishedFrame) -> None:
        """A live source has a newer picture."""
        self._source(frame.source).preview = self._shown(frame, None)

    def happened(self, event: dict, said: str, frame: FinishedFrame) -> None:
        """Somebody did something; see `Web`."""
        with self._lock:
            self._source(frame.source).timeline.happened(event, said, frame, time.monotonic())

    def told(
        self, source: str, snapshot: Snapshot, dropped: Mapping[tuple[str, str], int], restarts: dict[str, int]
    ) -> None:
        """How the run goes; see `Web`."""
        self._restarts = restarts
        with self._lock:
            self._source(source).charts.told(snapshot, dropped, time.monotonic())

    def recorded(self, source: str, recording: dict | None) -> None:
        """A recording has begun or ended; see `Web`."""
        with self._lock:
            self._source(source).recording = recording
            self._changes += 1

    def forget(self, source: str) -> None:
        """A source does not belong to the run any more."""
        with self._lock:
            # Anew, for a thread that goes through them.
            self.sources = {name: known for name, known in self.sources.items() if name != source}
            self._changes += 1

    def is_still(self, source: str) -> bool:
        """Whether the newest picture of a source is no frame of a video or camera."""
        known = self.sources.get(source)
        return known is not None and known.kind == "pictures"

    def kept(self, name: str) -> bytes | None:
        """The JPEG of this name, such as kept/1700-9.jpg or kept/1700-9-small-blurred.jpg; None where there is none."""
        if not (asked := _KEPT_NAME.fullmatch(name)):
            return None
        return self._kept.jpeg(asked[1], is_thumbnail=bool(asked[2]), blurred=bool(asked[3]))

    def film(self, name: str) -> bytes | None:
        """The pictures of a film, as JSON, by a name such as film/1700-3.json; None where it is not here."""
        asked = _FILM_NAME.fullmatch(name)
        with self._lock:
            film = self._films.of(asked[1]) if asked else None
            return None if film is None else json.dumps(film, separators=(",", ":")).encode()

    def message(self, viewer: Viewer) -> bytes | None:
        """The next message for a browser: what it has not been sent yet; None if there is nothing."""
        said: dict = {}
        with self._lock:
            if viewer.version != (version := (self._changes, len(self.sources))):
                viewer.version = version
                said["about"] = self._about()
        name = self._next_of_all(viewer) if viewer.looks_at_all else viewer.source
        jpeg = b""
        if source := self.sources.get(name):
            jpeg = self._picture(viewer, name, source, said)
            if not viewer.looks_at_all:
                self._lists(viewer, source, said)
        if viewer.looks_at_all:
            self._happened(viewer, said)
        if not said:
            return None
        said |= {"source": name, "now": round(time.monotonic(), 3), "clock": round(time.time(), 3)}
        said |= {"life": self._life, "restarts": self._restarts}
        header = json.dumps(said, separators=(",", ":")).encode()
        return len(header).to_bytes(4, "big") + header + jpeg

    def _picture(self, viewer: Viewer, name: str, source: _Source, said: dict) -> bytes:
        """The picture that this browser has not got yet, as JPEG; nothing where there is none."""
        if (shown := viewer.choose(source.newest)) is None:
            return b""
        if viewer.saves is not None:
            show = self.attributes - viewer.saves if viewer.saves else None
            said["saved"], viewer.saves = shown.file_name, None
            return shown.saved(viewer.blurred, show, self._style)
        drawn = shown.number, viewer.blurred
        if viewer.drawn.get(name) == drawn:
            return b""
        viewer.drawn[name] = drawn
        with self._lock:
            said["picture"] = source.charts.labels.picture(shown.frame)
        return shown.jpeg(viewer.blurred, TILE_SIDE if viewer.looks_at_all else LONGEST_SIDE)

    def _next_of_all(self, viewer: Viewer) -> str | None:
        """The source after that of the last message which has a picture that this browser does not have."""
        sources = self.sources
        names = list(sources)
        last = next(reversed(viewer.drawn), None)
        after = names.index(last) + 1 if last in names else 0
        for name in names[after:] + names[:after]:
            newest = sources[name].newest(viewer.blurred)
            if newest is not None and viewer.drawn.get(name) != (newest.number, viewer.blurred):
                viewer.drawn.pop(name, None)  # So that it is the last in their order when it is sent.
                return name
        return None

    def _lists(self, viewer: Viewer, source: _Source, said: dict) -> None:
        with self._lock:
            new = source.since(viewer.known if viewer.life == self._life else Known())
            viewer.life, viewer.known = self._life, source.known
        said.update(new)
        if new:
            known = viewer.known
            said["known"] = [known.samples, known.events, known.pictures]

    def _happened(self, viewer: Viewer, said: dict) -> None:
        """The events of all sources that this browser has not got yet."""
        sources = list(self.sources.items())  # Render may add one meanwhile.
        with self._lock:
            new = {name: source.timeline.since(viewer.events.get(name, 0)) for name, source in sources}
            viewer.events = {name: source.timeline.count for name, source in sources}
        if new := {name: events for name, events in new.items() if events}:
            said["happened"] = new

    def _about(self) -> dict:
        return {"sources": [source.about(name) for name, source in list(self.sources.items())], **self._run}

    def _source(self, name: str) -> _Source:
        return self.sources.setdefault(name, _Source(self._kept, self._films))

    def _shown(self, frame: FinishedFrame, to_anonymize: Sequence | None) -> EncodedFrame:
        self._frames += 1
        return EncodedFrame(self._frames, frame, to_anonymize)
