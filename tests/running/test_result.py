"""What a person is told at the end of a run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stages.protocol.stats import CaptureReport, DropCount, RenderReport, SourceReport
from stages.running.result import ended_early, result_lines
from stages.supervision.account import account

CAPTURE = CaptureReport(source="clip.mp4", captured=275, seconds=11.0, latency_ms_p50=71.4, latency_ms_p95=133.2)
CLIP = SourceReport(rendered=275, faces=550, people=2, spent={"detect": 5.0, "render": 2.2})
OUTPUTS = ["out/clip/results.jsonl", "out/clip/annotated/clip.mp4"]
REPLICAS = {"render": 1, "capture": 1, "detect": 1}


def told(
    *captures: CaptureReport, outputs=OUTPUTS, notes=(), pictures=(), restarts=None, verbose=False, **changes
) -> list[str]:
    reports = [CAPTURE, *captures]
    sources = {report.source: replace(CLIP, **changes) for report in reports}
    came = account(reports, RenderReport(sources=sources, outputs=outputs, notes=list(notes)), REPLICAS, restarts)
    return result_lines(came, list(pictures), str, verbose)


def test_of_a_video_there_is_a_line_of_what_was_found_one_of_the_speed_and_where_it_is():
    assert told() == [
        "275 frames, 550 faces of 2 people, or fewer if somebody came back; no frame missing.",
        "25.0 frames/s, 11.0 s.",
        "Wrote out/clip/results.jsonl and out/clip/annotated/clip.mp4.",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"people": 1}, "550 faces of 1 person;"),
        ({"people": None}, "550 faces;"),
        ({"people": 0, "faces": 1}, "1 face;"),
        ({"people": 0, "faces": 0}, "no face;"),
    ],
)
def test_how_many_people_it_is_said_where_it_is_known(changes, said):
    assert said in told(**changes)[0]


def test_of_photographs_the_faces_are_the_answer_and_nothing_is_said_of_speed():
    pictures = ["face 1 (left): woman 97 %", "face 2 (right): man 90 %"]
    wrote = "Wrote out/a/results.jsonl and out/a/annotated/a.jpg."
    outputs = ["out/a/results.jsonl", "out/a/annotated/a.jpg"]
    assert told(pictures=pictures, outputs=outputs) == [*pictures, wrote]
    assert told(pictures=pictures, outputs=outputs, verbose=True) == [*pictures, "25.0 frames/s, 11.0 s.", wrote]


def test_where_no_face_was_found_it_is_said_what_helps():
    *_, helps, wrote = told(pictures=["No face was found in cup.png."], faces=0, people=0)
    assert "--set stages.detect.longest_side=" in helps and "docs/troubleshooting.md" in helps
    assert wrote.startswith("Wrote ")
    assert any("docs/troubleshooting.md" in said for said in told(faces=0, people=0))


def test_what_is_missing_is_said_with_its_reason_in_words():
    dropped = [DropCount("detect", "queue full", 12), DropCount("detect", "late", 2), DropCount("age", "restart", 1)]
    said = told(rendered=260, dropped=dropped, missing=4, errors=1)[0]
    assert "14 frames dropped, because more came than could be analysed in time" in said
    assert "1 frame dropped, because age had to be started again" in said
    assert "4 answers missing" in said and "1 frame not analysed" in said
    assert "no frame missing" not in said
    assert "5 frames not finished" in told(rendered=270)[0]


def test_pictures_that_could_not_be_read_are_told_of_too():
    came = account([replace(CAPTURE, skipped=2)], RenderReport(sources={"clip.mp4": CLIP}), REPLICAS)
    assert "2 files not readable." in result_lines(came, ["face 1: woman 97 %"], str, False)


def test_a_capture_or_render_that_was_killed_leaves_the_number_unknown_not_0():
    came = account([], RenderReport(sources={"clip.mp4": CLIP}), REPLICAS)
    assert "an unknown number of frames not finished" in result_lines(came, [], str, False)[0]
    came = account([CAPTURE], None, REPLICAS)
    assert "275 frames not finished" in result_lines(came, [], str, False)[0]


def test_a_video_that_was_cut_off_is_not_whole():
    came = account([replace(CAPTURE, cut_short=1)], RenderReport(sources={"clip.mp4": CLIP}), REPLICAS)
    assert result_lines(came, [], str, False)[0].endswith("; 1 video cut short or damaged.")


def test_a_run_that_goes_on_is_as_fast_as_what_this_start_did():
    assert told(before=165)[1] == "10.0 frames/s, 11.0 s; 110 frames now and 165 before."
    assert told(before=275)[1] == "0 frames now and 275 before."


def test_who_was_slow_and_who_was_started_again_is_said():
    assert told(spent={"detect": 10.5})[1].endswith("; detect was the busiest stage, --verbose says what helps.")
    assert told(spent={"detect": 10.5}, verbose=True)[1].endswith("; detect was the busiest stage.")
    assert told(restarts={"age": 2})[1].endswith("; age started again 2 times.")
    assert told(restarts={"age": 1})[1].endswith("; age started again once.")


def test_several_sources_have_their_names():
    first, second, speed, _ = told(replace(CAPTURE, source="yard"))
    assert first.startswith("clip.mp4: 275 frames") and second.startswith("yard: 275 frames")
    assert speed.startswith("50.0 frames/s")


def test_notes_are_told():
    assert "a.jpg is no picture" in told(notes=["a.jpg is no picture"])


def test_many_files_are_counted():
    album = [f"out/pics/annotated/{n}.jpg" for n in range(30)]
    assert told(outputs=["out/pics/results.jsonl", *album])[-1] == (
        "Wrote out/pics/results.jsonl and 30 files in out/pics/annotated/."
    )
    several = [f"out/house/{n}/results.jsonl" for n in range(6)]
    assert told(outputs=several)[-1].endswith("out/house/2/results.jsonl and 3 others.")


def test_a_machine_that_only_reads_says_what_it_read():
    came = account([CAPTURE], None, {"capture": 1})
    assert result_lines(came, [], str, False) == ["275 frames read; what became of them is told where render runs."]


def test_of_results_in_pieces_their_folder_is_told_and_not_the_newest_alone():
    newest = [f"out/{name}/pieces/000005/{file}" for name in "ab" for file in ("results.jsonl", "annotated/clip.mp4")]
    assert told(outputs=newest)[-1] == "Wrote out/a/pieces/ and out/b/pieces/."


def test_a_video_that_a_person_has_ended_before_its_end_is_said_to_be_so():
    whole, early = replace(CAPTURE, frames=275), replace(CAPTURE, captured=36, frames=275)
    camera = replace(CAPTURE, source="door", captured=7)
    assert ended_early([early]) == "Ended early, after 36 of 275 frames"
    assert ended_early([camera, early]) == "Ended early, clip.mp4 after 36 of 275 frames"
    assert ended_early([whole]) is None and ended_early([camera]) is None
