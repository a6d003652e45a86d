"""What render tells about one source."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from stages.delivery.joiner import Emit, Joiner
from stages.protocol.stats import DropCount
from stages.rendering.stats import RenderStats
from stages.sinks.recovery import Restored
from tests.results.frames import face, frame


def emitted(number: int, detect_s: float, age_s: float) -> Emit:
    """A frame, with what its messages say about the work on it."""
    faces = SimpleNamespace(spent={"detect": detect_s}, capped=2)
    age = SimpleNamespace(spent={"detect": detect_s, "age": age_s})
    return Emit(number, frame(number).picture, faces, {"age": age}, (), None)


def test_work_is_told_by_stage_and_by_frame_along_its_longest_path_once():
    stats = RenderStats(["age"], Restored())
    stats.finished(emitted(0, 0.5, 0.25), frame(0, faces=[face(1, 2, 3)]), drawing_s=0.125)
    stats.finished(emitted(1, 0.5, 0.25), frame(1), drawing_s=0.125)
    assert [stats.worked(), stats.worked()] == [[(0, 0.875), (1, 0.875)], []]
    report = stats.report(Joiner(("age",)))
    assert report.spent == {"age": 0.5, "detect": 1.0, "render": 0.25}
    assert (report.faces, report.capped, stats.capped) == (1, 4, 4)


def test_a_render_that_comes_back_counts_on_from_what_the_outputs_hold():
    before = Restored(counts=Counter(rendered=7, faces=5), dropped=Counter({("detect", "room"): 2}))
    stats, state = RenderStats(["age"], before), Joiner(("age",), next_frame=9)
    stats.finished(emitted(9, 0.5, 0.25), frame(9, faces=[face(1, 2, 3)]), drawing_s=0.125)
    stats.ignored()
    report = stats.report(state)
    assert (report.rendered, report.faces, report.ignored) == (7, 6, 1)
    assert report.dropped == [DropCount("detect", "room", 2)]
    assert report.captured is None  # Capture has not said yet how many there are.
