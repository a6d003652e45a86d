"""How far a run is, how fast it goes and how long it will take, in one line that fits the terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ..names import printable
from ..protocol.stats import CaptureReport

WARM_UP_S = 1.0  # after the first frame: libraries and caches are still slow, and a mean would keep that for long
SETTLED_S = 2.0  # after the first frame: before that, how long it will take is not known
LATELY_S = 30.0  # what was longer ago says nothing about the speed of now
_BAR = 5  # columns, the shortest bar that still says something
_COLOUR = "cyan"


class Pace:
    """How fast a run goes, from the number of frames that are done at some moments.

    The speed is the mean of the last `LATELY_S`, without the time until the first frame, in which models load, and
    without the second after it.
    """

    def __init__(self):
        self._moments: deque[tuple[float, int]] = deque()  # when, and how many frames were done
        self._first_s: float | None = None  # when the first frame of this run was done

    def note(self, now_s: float, done: int) -> None:
        """`done` frames, of all sources together, are done at this moment of a clock."""
        if not self._moments or done < self._moments[-1][1]:  # The first report, or a source that begins anew.
            self._moments, self._first_s = deque([(now_s, done)]), None
            return
        if self._first_s is None and done > self._moments[-1][1]:
            self._first_s = now_s
        if self._first_s is None or self._moments[0][0] < self._first_s + WARM_UP_S:
            self._moments.clear()
        self._moments.append((now_s, done))
        while now_s - self._moments[0][0] > LATELY_S:
            self._moments.popleft()

    def frames_s(self) -> float | None:
        """Frames a second; None until the run has gone on for `SETTLED_S` after its first frame, or while it stands."""
        if self._first_s is None or self._moments[-1][0] - self._first_s < SETTLED_S:
            return None
        (since_s, before), (now_s, done) = self._moments[0], self._moments[-1]
        return (done - before) / (now_s - since_s) if done > before and now_s > since_s else None


def progress_line(
    sources: Sequence[CaptureReport], frames_s: float | None, columns: int, *, blocks: bool, colour: bool
):
    """The line, at most `columns` wide, with a bar where the number of frames is known.

    `blocks`: whether the terminal has the characters of a fine bar; `colour`: whether the bar has one.
    """
    done, frames = _totals(sources)
    return bar_line(done, frames, [*_texts(sources, frames_s)], columns, blocks=blocks, colour=colour)


def bar_line(
    done: float, total: float | None, texts: Sequence[str], columns: int, *, blocks: bool, colour: bool
) -> str:
    """A bar, where the total is known, and the first of the texts that fits beside it; as `progress_line`."""
    from tqdm.std import tqdm  # 0.1 s: by now the work is starting, and this process waits for it.

    shape = "{percentage:3.0f} % |{bar}| {text}" if total else "{text}"
    bar = len("100 % || ") + _BAR if total else 0
    text = next((text for text in texts if bar + len(text) <= columns), None)
    if text is None:  # Without room for a bar and a whole time: half of a time is a wrong one.
        return texts[-1][:columns]
    return tqdm.format_meter(
        done,
        total,
        elapsed=0.0,
        ncols=columns,
        ascii=None if blocks else " #",
        bar_format=shape,
        colour=_COLOUR if colour and total else None,
        text=text,
    )


def plain_line(sources: Sequence[CaptureReport], frames_s: float | None) -> str:
    """The same for a log or a pipe."""
    return next(_texts(sources, frames_s))


def _texts(sources: Sequence[CaptureReport], frames_s: float | None) -> Iterator[str]:
    """What is said beside the bar, the longest first."""
    done, frames = _totals(sources)
    faces = sum(source.faces for source in sources)
    count = f"{done}/{frames} frames" if frames else f"{done} frame{'s' * (done != 1)}"
    seen = f"{faces} face{'s' * (faces != 1)}"
    speed = f"{frames_s:.1f} frames/s" if frames_s else ""
    left = _left(done, frames, frames_s)
    if len(sources) > 1:
        each = "  ".join(f"{printable(source.source)} {_count(source)}" for source in sources)
        yield _joined(each, seen, speed, left)
        yield _joined(f"{len(sources)} sources", count, seen, speed, left)
    yield _joined(count, seen, speed, left)
    yield _joined(count, speed, left)
    yield _joined(count, left)
    yield left or count


def _joined(*parts: str) -> str:
    return "  ".join(filter(None, parts))


def _totals(sources: Sequence[CaptureReport]) -> tuple[int, int | None]:
    """How many frames are done, and how many there are in all; None where a source has no known end."""
    frames = [source.frames for source in sources]
    return sum(source.done for source in sources), sum(frames) if all(frames) else None


def _count(source: CaptureReport) -> str:
    return f"{source.done}/{source.frames}" if source.frames else str(source.done)


def _left(done: int, frames: int | None, frames_s: float | None) -> str:
    if frames and done >= frames:
        return "finishing"  # The video is joined, and what was written is compared.
    return f"{duration(max(1.0, (frames - done) / frames_s))} left" if frames and frames_s else ""


def duration(seconds: float) -> str:
    """Such as 8 s, 1 min 11 s, 2 h 5 min."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
