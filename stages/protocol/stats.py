"""What capture and render report: while they work, for the terminal and Prometheus, and at the end, for the account.

The counts of a process that is started again go on; its times are those of its present life. No `annotations` from the
future: msgspec would evaluate the texts.
"""

from msgspec import Struct, field

from .durations import Histogram


class DropCount(Struct, frozen=True, forbid_unknown_fields=True):
    """Frames of a live source that are in no output."""

    stage: str  # whose queue or deadline it was
    reason: str
    count: int


class CaptureReport(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """One source, as its capture counts."""

    source: str
    captured: int  # frames read
    done: int = 0  # frames that render has acknowledged
    frames: int | None = None  # that there are in all, where that is known
    faces: int = 0
    seconds: float = 0.0  # from the first picture to the last acknowledgement
    fps: float = 0.0
    latency_ms_p50: float | None = None  # from reading a frame to having it in the outputs; None: no frame is finished
    latency_ms_p95: float | None = None
    added_latency_ms_p50: float | None = None  # of it what is not work on the frame's longest path
    added_latency_ms_p95: float | None = None
    skipped: int = 0  # files that could not be read
    cut_short: int = 0  # videos that lack frames
    waiting: dict[str, int] = {}  # stage -> tasks that wait for it
    awaited: list[str] = []  # stages of which no process is there
    latencies: Histogram = field(default_factory=Histogram)
    queues: dict[str, Histogram] = {}  # stage -> how long its tasks have waited
    notes: list[str] = []  # sentences for the end of the run
    refused: dict[str, int] = {}  # messages that were no good, by reason


class SourceReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source, as render counts."""

    rendered: int  # frames in the outputs
    captured: int | None = None  # frames that were read; None: capture has not said yet
    before: int = 0  # of the rendered ones: in the outputs when this life of render began
    dropped: list[DropCount] = []
    faces: int = 0  # in rendered frames
    people: int | None = (
        None  # in view long enough to be told of; somebody who comes back counts again; None: not known
    )
    missing: int = 0  # answers that were given up, of faces in rendered frames
    errors: int = 0  # rendered frames that could not be analysed
    capped: int = 0  # faces left out because a frame had too many
    ignored: int = 0  # messages from another life of capture
    spent: dict[str, float] = {}  # stage -> seconds of work
    services: dict[str, Histogram] = {}  # stage -> how long its work on a frame took


class StreamReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stream of an annotated video."""

    sent: int  # frames
    dropped: int  # frames that it lacks, because its server was away or slow
    connected: bool  # whether frames arrive at the moment


class RenderReport(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """All sources, and what was written of them."""

    sources: dict[str, SourceReport] = {}
    outputs: list[str] = []  # paths
    notes: list[str] = []
    refused: dict[str, int] = {}
    streams: dict[str, StreamReport] = {}  # by address, without passwords
