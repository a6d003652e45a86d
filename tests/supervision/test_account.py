"""The account of a run, from what its captures and render report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stages.protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport, StreamReport
from stages.supervision.account import account, full_lines, limit_sentence, of_all_lives

CAPTURE = CaptureReport(
    source="clip.mp4", captured=275, seconds=11.0, latency_ms_p50=71.4, latency_ms_p95=133.2, skipped=0
)
CLIP = SourceReport(rendered=275, faces=550, spent={"detect": 19.8, "gender": 0.55, "render": 2.2})
RENDER = RenderReport(
    sources={"clip.mp4": CLIP},
    outputs=["out/results.jsonl", "out/annotated/clip.mp4"],
    notes=["the sound track was copied"],
)
REPLICAS = {"render": 1, "capture": 1, "detect": 2, "gender": 1}


def with_source(**changes) -> RenderReport:
    return replace(RENDER, sources={"clip.mp4": replace(CLIP, **changes)})


def test_a_run_in_which_nothing_was_lost():
    came = account([CAPTURE], RENDER, REPLICAS)
    assert full_lines(came) == [
        "source    frames  faces  dropped  frames/s  latency p50  latency p95",
        "clip.mp4     275    550        0      25.0        71 ms       133 ms",
        "clip.mp4: 275 captured = 275 rendered",
        "work per frame: detect 72.0 ms in 2 processes (90 % busy), gender 2.0 ms (5 % busy),"
        " render 8.0 ms (20 % busy)",
        "detect was the limit: a smaller --set stages.detect.longest_side=N, a larger --set"
        " stages.detect.smallest_face=SHARE, or on more cores --set stages.detect.replicas=N would help",
    ]


def test_what_was_dropped_is_told_by_stage_and_reason_and_the_account_balances():
    dropped = [DropCount("capture", "full", 12), DropCount("detect", "late", 3)]
    came = account([CAPTURE], with_source(rendered=260, dropped=dropped, missing=4, errors=1), REPLICAS)
    assert came.sources[0].unaccounted == 0
    assert full_lines(came)[2] == (
        "clip.mp4: 275 captured = 260 rendered + 12 dropped at capture (full) + 3 dropped at detect (late)"
    )


def test_frames_that_were_under_way_when_the_run_was_ended_are_not_hidden():
    came = account([CAPTURE], with_source(rendered=270), REPLICAS)
    assert full_lines(came)[2] == "clip.mp4: 275 captured = 270 rendered + 5 under way when the run was ended"


def test_a_capture_that_was_killed_leaves_the_number_unknown_not_0():
    assert full_lines(account([], RENDER, REPLICAS))[2] == "clip.mp4: an unknown number captured = 275 rendered"


def test_a_render_that_was_killed_leaves_what_its_captures_know():
    came = account([replace(CAPTURE, skipped=2)], None, REPLICAS)
    assert (came.sources[0].captured, came.sources[0].rendered, came.outputs) == (275, 0, [])
    assert came.sources[0].skipped == 2


def test_where_no_stage_is_busy_none_is_blamed():
    came = account([replace(CAPTURE, seconds=110.0)], RENDER, REPLICAS)
    assert limit_sentence(came) == "no stage was the limit: the busiest, detect, worked 9 % of the time"


def test_a_slow_attribute_stage_is_helped_by_replicas():
    came = account([CAPTURE], with_source(spent={"glasses": 10.5, "detect": 3.0}), REPLICAS)
    assert limit_sentence(came) == "glasses was the limit: --set stages.glasses.replicas=2 would help"


def test_two_sources_share_the_table_and_the_stages():
    other = replace(CAPTURE, source="yard", captured=10, latency_ms_p95=None)
    yard = SourceReport(rendered=10, spent={"detect": 2.2})
    came = account([CAPTURE, other], replace(RENDER, sources={"clip.mp4": CLIP, "yard": yard}), REPLICAS)
    assert [source.source for source in came.sources] == ["clip.mp4", "yard"]
    assert came.busy["detect"] == (19.8 + 2.2) / 11.0 / 2
    assert full_lines(came)[2] == "yard          10      0        0       0.9        71 ms            –"


counts = st.integers(0, 1000)


@given(counts, st.lists(counts, max_size=3), counts)
def test_captured_is_always_rendered_plus_dropped_plus_what_is_named_as_neither(captured, drops, rendered):
    dropped = [DropCount("detect", str(n), count) for n, count in enumerate(drops)]
    came = account([replace(CAPTURE, captured=captured)], with_source(rendered=rendered, dropped=dropped), REPLICAS)
    [told] = came.to_json()["sources"]
    assert told["captured"] == told["rendered"] + sum(d["count"] for d in told["dropped"]) + told["unaccounted"]


def test_messages_that_were_refused_are_counted_over_all_sockets():
    capture = replace(CAPTURE, refused={"a header that is not msgpack": 3})
    render = replace(RENDER, refused={"a header that is not msgpack": 4, "other": 1})
    came = account([capture], render, REPLICAS)
    assert came.to_json()["refused"] == {"a header that is not msgpack": 7, "other": 1}
    assert full_lines(came)[-1] == "8 messages refused, most of all a header that is not msgpack"


def test_the_times_of_earlier_lives_are_added_and_counts_go_on_by_themselves():
    capture = [CaptureReport(source="a", captured=40, seconds=1.5), CaptureReport(source="a", captured=60, seconds=2.0)]
    assert of_all_lives(capture) == CaptureReport(source="a", captured=60, seconds=3.5)
    before = RenderReport(sources={"a": SourceReport(rendered=40, spent={"detect": 1.0, "age": 0.5})})
    after = RenderReport(sources={"a": SourceReport(rendered=60, spent={"detect": 2.0})})
    whole = SourceReport(rendered=60, spent={"detect": 3.0, "age": 0.5})
    assert of_all_lives([before, after]).sources == {"a": whole}
    assert of_all_lives([before]) == before
    assert of_all_lives([]) is None


def test_what_a_stream_lacks_is_said_with_all_lives_of_render_together():
    lives = [
        RenderReport(streams={"live.m3u8": StreamReport(sent=sent, dropped=dropped, connected=True)})
        for sent, dropped in ((40, 0), (50, 3))
    ]
    [note] = account([], of_all_lives(lives), REPLICAS).notes
    assert note == "the stream live.m3u8 lacks 3 of 93 frames: it was away or slow"
    assert account([], lives[0], REPLICAS).notes == []


def test_a_run_that_goes_on_is_as_fast_as_what_this_start_did_and_says_what_was_done_before():
    came = account([replace(CAPTURE, captured=800, seconds=10.0)], with_source(rendered=800, before=550), REPLICAS)
    assert full_lines(came)[1].split()[:5] == ["clip.mp4", "800", "550", "0", "25.0"]
    assert full_lines(came)[2] == "clip.mp4: 800 captured = 800 rendered (550 of them before)"
    assert "detect 79.2 ms" in full_lines(came)[3]  # 19.8 s of work on 250 frames
    assert came.to_json()["sources"][0]["before"] == 550


def test_what_was_done_before_a_start_is_what_its_first_render_found():
    reports = [SourceReport(rendered=n, before=before) for n, before in ((40, 30), (60, 38), (70, 55))]
    whole = of_all_lives([RenderReport(sources={"a": report}) for report in reports]).sources["a"]
    assert (whole.rendered, whole.before) == (70, 30)


def test_a_start_that_rendered_nothing_has_no_work_per_frame():
    came = account([replace(CAPTURE, seconds=1.0)], with_source(rendered=275, before=275), REPLICAS)
    assert not any("work per frame" in line for line in full_lines(came))
