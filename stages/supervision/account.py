"""The account of a run: captured = rendered + dropped, how fast, how late, and which stage was the limit. Pure.

Merges the last reports of every capture and of render.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import to_builtins
from msgspec.structs import replace

from ..protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport, StreamReport

Report = TypeVar("Report", CaptureReport, RenderReport)

BUSY = 0.6  # a stage that works less than this share of the time is not what the others wait for
HELP = {
    "detect": "a smaller --set stages.detect.longest_side=N, a larger --set stages.detect.smallest_face=SHARE, or on"
    " more cores --set stages.detect.replicas=N",
    "render": "--set render.annotated=false",
}


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What became of one source."""

    source: str
    captured: int | None  # frames read; None: its capture could not say
    rendered: int
    before: int = 0  # of the rendered ones: done when this start began, which has gone on with them
    dropped: list[DropCount] = field(default_factory=list)
    faces: int = 0
    people: int | None = None  # who have appeared, those who came back counted again; None: not known
    missing: int = 0  # answers that were given up, of faces in rendered frames
    errors: int = 0  # rendered frames that could not be analysed
    skipped: int = 0  # files that could not be read
    cut_short: int = 0  # videos that lack frames: cut off, or damaged
    failure: str | None = None  # why it ended before the others: a sentence
    # Of this start alone:
    seconds: float = 0.0
    latency_ms: dict[str, float] = field(default_factory=dict)  # "p50" and other quantiles: capture to output
    spent_s: dict[str, float] = field(default_factory=dict)  # seconds of work, by stage

    @property
    def rendered_now(self) -> int:
        """Frames that this start has rendered, as `seconds` and `spent_s` are its own."""
        return max(0, self.rendered - self.before)

    @property
    def drops(self) -> int:
        return sum(drop.count for drop in self.dropped)

    @property
    def unaccounted(self) -> int:
        """Frames that were read and neither rendered nor dropped: under way when the run was ended."""
        return 0 if self.captured is None else self.captured - self.rendered - self.drops


@dataclass(frozen=True, slots=True)
class RunAccount:
    """What became of a run."""

    sources: list[SourceAccount]
    outputs: list[str]  # as render named them
    notes: list[str]
    replicas: dict[str, int]
    refused: dict[str, int] = field(default_factory=dict)  # messages that were no good, by reason
    restarts: dict[str, int] = field(default_factory=dict)  # processes that ended and were started again, by stage

    @property
    def busy(self) -> dict[str, float]:
        """The share of the time for which each stage was at work, 1 where all its replicas always were."""
        seconds = max((source.seconds for source in self.sources), default=0.0)
        spent: dict[str, float] = {}
        for source in self.sources:
            for stage, spent_s in source.spent_s.items():
                spent[stage] = spent.get(stage, 0.0) + spent_s
        return {s: t / seconds / self.replicas.get(s, 1) for s, t in spent.items()} if seconds else {}

    def to_json(self) -> dict:
        """For summary.json."""
        return {
            "sources": [to_builtins(source) | {"unaccounted": source.unaccounted} for source in self.sources],
            "busy": {stage: round(share, 3) for stage, share in self.busy.items()},
            "replicas": self.replicas,
            "outputs": self.outputs,
            "notes": self.notes,
            "refused": self.refused,
            "restarts": self.restarts,
        }


def account(
    captures: list[CaptureReport],
    render: RenderReport | None,
    replicas: dict[str, int],
    restarts: dict[str, int] | None = None,
    failures: Mapping[str, str] | None = None,
) -> RunAccount:
    """Merge the reports; a source whose capture or render could not report is there all the same.

    `failures`: by source, why it ended before the others.
    """
    render = render or RenderReport()
    read = {report.source: report for report in captures}
    failures = failures or {}
    names = dict.fromkeys([*read, *render.sources, *failures])
    refused: Counter[str] = Counter()
    for report in (*captures, render):
        refused.update(report.refused)
    return RunAccount(
        [_source(name, read.get(name), render.sources.get(name), failures.get(name)) for name in names],
        render.outputs,
        [*(note for report in (*captures, render) for note in report.notes), *_gaps(render.streams)],
        replicas,
        dict(refused),
        restarts or {},
    )


def of_all_lives(lives: list[Report]) -> Report | None:
    """The last report of a process with the times of its earlier lives added; its counts go on by themselves.

    `lives`: the last report of each. What was done before the first life was done before this start.
    """
    match lives:
        case [*_, CaptureReport() as last]:
            return replace(last, seconds=sum(life.seconds for life in lives))
        case [*_, RenderReport() as last]:
            # Of one that had ended before the others a later life does not know.
            names = dict.fromkeys(name for life in lives for name in life.sources)
            sources = {name: _source_of_all_lives(name, lives) for name in names}
            return replace(last, sources=sources, streams=_streams_of_all_lives(lives))
    return None


def _streams_of_all_lives(lives: list[RenderReport]) -> dict[str, StreamReport]:
    whole: dict[str, StreamReport] = {}
    for address, stream in (item for life in lives for item in life.streams.items()):
        before = whole.get(address, StreamReport(sent=0, dropped=0, connected=False))
        whole[address] = replace(stream, sent=before.sent + stream.sent, dropped=before.dropped + stream.dropped)
    return whole


def _gaps(streams: dict[str, StreamReport]) -> list[str]:
    """The streams that lack frames, each in a sentence."""
    return [
        f"the stream {address} lacks {stream.dropped} of {stream.sent + stream.dropped} frames: it was away or slow"
        for address, stream in streams.items()
        if stream.dropped
    ]


def _source_of_all_lives(name: str, lives: list[RenderReport]) -> SourceReport:
    reports = [life.sources[name] for life in lives if name in life.sources]
    stages = dict.fromkeys(stage for report in reports for stage in report.spent)
    spent = {stage: sum(report.spent.get(stage, 0.0) for report in reports) for stage in stages}
    return replace(reports[-1], before=reports[0].before, spent=spent)


def _source(name: str, read: CaptureReport | None, rendered: SourceReport | None, failure: str | None) -> SourceAccount:
    # Its capture may run on another machine.
    captured = read.captured if read else rendered.captured if rendered else None
    read, rendered = read or CaptureReport(source=name, captured=0), rendered or SourceReport(rendered=0)
    latency = {"p50": read.latency_ms_p50, "p95": read.latency_ms_p95}
    return SourceAccount(
        source=name,
        captured=captured,
        rendered=rendered.rendered,
        before=rendered.before,
        dropped=rendered.dropped,
        faces=rendered.faces,
        people=rendered.people,
        missing=rendered.missing,
        errors=rendered.errors,
        skipped=read.skipped,
        cut_short=read.cut_short,
        failure=failure,
        seconds=read.seconds,
        latency_ms={quantile: ms for quantile, ms in latency.items() if ms is not None},
        spent_s=rendered.spent,
    )


# --- In full, for a person who wants to know how it went and why it took so long ---


def full_lines(account: RunAccount) -> list[str]:
    """The account as a short table and sentences; what became of frames is told where render runs."""
    if "render" not in account.replicas or not any(source.rendered for source in account.sources):
        return _refusals(account)
    said = [*_table(account.sources), *_balance(account.sources), *_work(account)]
    return [*said, *filter(None, [limit_sentence(account)]), *_refusals(account)]


def _table(sources: list[SourceAccount]) -> list[str]:
    quantiles = [q for q in ("p50", "p95") if any(q in source.latency_ms for source in sources)]
    rows = [["source", "frames", "faces", "dropped", "frames/s", *(f"latency {q}" for q in quantiles)]]
    for source in sources:
        rate = f"{source.rendered_now / source.seconds:.1f}" if source.seconds else "–"
        latency = [f"{source.latency_ms[q]:.0f} ms" if q in source.latency_ms else "–" for q in quantiles]
        rows.append([source.source, str(source.rendered), str(source.faces), str(source.drops), rate, *latency])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _balance(sources: list[SourceAccount]) -> list[str]:
    """Where frames were dropped: captured = rendered + drops by stage and reason."""
    said = []
    for source in sources:
        earlier = f" ({source.before} of them before)" if source.before else ""
        parts = [f"{source.rendered} rendered{earlier}"]
        parts += [f"{drop.count} dropped at {drop.stage} ({drop.reason})" for drop in source.dropped]
        if source.unaccounted:
            parts.append(f"{source.unaccounted} under way when the run was ended")
        captured = "an unknown number" if source.captured is None else source.captured
        said.append(f"{source.source}: {captured} captured = {' + '.join(parts)}")
    return said


def _work(account: RunAccount) -> list[str]:
    frames = sum(source.rendered_now for source in account.sources)
    if not frames:
        return []
    parts = []
    for stage, share in account.busy.items():
        spent_s = sum(source.spent_s.get(stage, 0.0) for source in account.sources)
        many = f" in {account.replicas[stage]} processes" if account.replicas.get(stage, 1) > 1 else ""
        parts.append(f"{stage} {1000 * spent_s / frames:.1f} ms{many} ({100 * share:.0f} % busy)")
    return [f"work per frame: {', '.join(parts)}"] if parts else []


def _refusals(account: RunAccount) -> list[str]:
    if not account.refused:
        return []
    count, reason = sum(account.refused.values()), max(account.refused, key=account.refused.get)
    return [f"{count} message{'s' * (count != 1)} refused, most of all {reason}"]


def limit_sentence(account: RunAccount) -> str | None:
    """Which stage the others waited for, and the option that would help; None if there is no telling."""
    if not account.busy:
        return None
    stage, share = max(account.busy.items(), key=lambda item: item[1])
    if share < BUSY:
        return f"no stage was the limit: the busiest, {stage}, worked {100 * share:.0f} % of the time"
    more = f"--set stages.{stage}.replicas={account.replicas.get(stage, 1) + 1}"
    return f"{stage} was the limit: {HELP.get(stage, more)} would help"
