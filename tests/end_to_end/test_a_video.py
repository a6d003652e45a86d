"""A video from the command to the labels."""

from __future__ import annotations

import re

import pytest
import yaml

from stages.config.schema import Detect, Haar
from stages.vision.detectors import make_detector
from tests.end_to_end.command import Ran, asked, labels
from tests.end_to_end.material import FACES, HEIGHT, PRINT, WIDTH, watch


def test_there_is_a_line_for_every_frame_in_order(shown: Ran):
    assert shown.status == 0, shown.err
    assert "Traceback" not in shown.err + shown.out
    assert [line["frame"] for line in shown.lines] == list(range(32))
    assert {line["source"] for line in shown.lines} == {"film.mp4"}
    assert [line["time"] for line in shown.lines] == pytest.approx([n / 25 for n in range(32)], abs=1e-3)
    assert {(line["width"], line["height"]) for line in shown.lines} == {(WIDTH, HEIGHT)}
    assert not any("missing" in line or "error" in line for line in shown.lines)


def test_every_face_is_found_and_has_the_labels_that_are_asked_for(shown: Ran, models):
    assert [len(line["faces"]) for line in shown.lines] == FACES
    cards = {name: yaml.safe_load((models / f"{name}.yaml").read_text()) for name in ("gender", "emotion")}
    for frame, face in [(line["frame"], face) for line in shown.lines for face in line["faces"]]:
        assert set(face) == {"id", "box", "score", "smoothed"} | asked(frame)
        # What was said of gender and age stands until they are asked again; who comes into sight in between waits.
        assert set(face["smoothed"]) == ({"gender", "emotion", "age"} if frame not in (4, 5) else {"emotion"})
        assert 0 <= face["score"] <= 1
        for stage, card in [(stage, card) for stage, card in cards.items() if stage in asked(frame)]:
            answer = face[stage]
            assert list(answer["scores"]) == card.get("keep", card["labels"])
            assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-3)
            assert answer["confidence"] == max(answer["scores"].values()) == answer["scores"][answer["label"]]
        age = face["smoothed"].get("age")
        assert age is None or 0 <= age["low"] <= age["years"] <= age["high"] <= 120


def test_boxes_lie_on_the_faces_and_go_from_left_to_right(shown: Ran):
    for line in shown.lines:
        boxes = [face["box"] for face in line["faces"]]
        assert boxes == sorted(boxes)
        # Of a print the face has its middle at (.52, .41).
        middles = [(x + w / 2, y + h / 2) for x, y, w, h in boxes]
        left, right = (line["frame"] % 8 + 0.52 * PRINT, 20 + 0.41 * PRINT), (WIDTH - 0.52 * PRINT, 20 + 0.41 * PRINT)
        for middle, expected in zip(middles, (left, right), strict=False):
            assert middle == pytest.approx(expected, abs=20)


def test_the_annotated_video_has_the_same_frames_at_the_same_times_and_the_sound(shown: Ran, film):
    original, annotated = watch(film), watch(shown.output / "annotated/film.mp4")
    assert annotated.times == pytest.approx(original.times, abs=1e-3)
    assert (annotated.size, annotated.kind) == ((WIDTH, HEIGHT), "h264 yuv420p")
    assert annotated.sound_packets == original.sound_packets > 0
    drawn = (abs(annotated.last.astype(int) - original.last) > 60).any(axis=2)
    assert 0.01 < drawn.mean() < 0.5


def test_it_says_what_it_reads_and_what_came_of_it(shown: Ran):
    assert f"facepipe: film.mp4, {WIDTH} x {HEIGHT} at 25 frames/s, detector haar → {shown.output}\n" in shown.err
    found, speed, files = shown.out.splitlines()
    assert re.fullmatch(rf"32 frames, {sum(FACES)} faces of [\w, ]+; no frame missing\.", found)
    assert re.match(r"[\d.]+ frames/s, [\d.]+ s", speed)
    assert files == f"Wrote {shown.output}/results.jsonl and {shown.output}/annotated/film.mp4."
    assert not shown.err.count("\r"), "a live line although nobody looks"


def test_the_summary_has_the_account(shown: Ran):
    summary = shown.summary
    assert (summary["status"], summary["failure"]) == (0, None)
    assert summary["outputs"] == ["results.jsonl", "annotated/film.mp4"]
    [source] = summary["sources"]
    assert (source["captured"], source["rendered"], source["dropped"]) == (32, 32, [])
    assert source["faces"] == sum(FACES)
    assert set(summary["busy"]) == {"detect", "gender", "emotion", "age", "render"}


def test_nothing_but_the_results_is_left(shown: Ran):
    left = {path.name for path in shown.output.iterdir()}
    files = {"results.jsonl", "events.jsonl", "summary.json", "run.json", ".facepipe.manifest"}
    assert left == files | {"annotated", "logs"}
    assert [path.name for path in (shown.output / "annotated").iterdir()] == ["film.mp4"]
    logs = {path.name for path in (shown.output / "logs").iterdir()}
    assert logs >= {"capture.log", "render.log", "gender.log", "emotion.log", "age.log"}
    assert not any((shown.output / "logs" / name).read_text().count("Traceback") for name in logs)


# --- The same again ---


def test_two_of_every_worker_write_the_same_also_when_quiet_and_beside_files_of_others(shown: Ran, film, place):
    others = [place.folder / "out" / name for name in ("notes.txt", "annotated/mine.mp4", "logs/mine.log")]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    two = [f"--set=stages.{stage}.replicas=2" for stage in ("detect", "gender", "emotion", "age")]
    doubled = place.run(film, "--quiet", *two)
    assert (doubled.status, doubled.out, doubled.err) == (0, "", "")
    assert doubled.results == shown.results
    assert doubled.summary["replicas"] == {"render": 1, "capture": 1, "detect": 2, "gender": 2, "emotion": 2, "age": 2}
    assert [path.read_text() for path in others] == ["mine"] * 3


def test_one_frame_at_a_time_and_blurred_gives_the_same_and_nobody_can_be_recognised(shown: Ran, film, place):
    alone = place.run(film, "--blur", "--set=window=1", "--set=stages.detect.replicas=1").succeeded()
    assert alone.results == shown.results
    last = watch(alone.output / "annotated/film.mp4").last
    detector = make_detector(Detect(detector="haar", longest_side=640, smallest_face=0.08, haar=Haar(step=1.1)))
    assert len(detector.detect(last).scores) == 0 < len(detector.detect(watch(film).last).scores)


# --- Other detectors ---


def test_dlib_finds_the_same_faces_and_where_there_is_no_screen_one_line_says_so(shown: Ran, film, place):
    other = place.run(film, "--detector", "dlib", display=None)  # The configuration says auto.
    assert other.status == 0, other.err
    assert "detector dlib → " in other.err
    [line] = [line for line in other.err.splitlines() if "window" in line]
    assert line == "facepipe: no window: there is no screen (DISPLAY is not set); the results are written all the same"
    assert [line["frame"] for line in other.lines] == list(range(32))
    found = [(a, b) for a, b in zip(shown.lines, other.lines, strict=True) if len(a["faces"]) == len(b["faces"]) > 0]
    assert len(found) == sum(count > 0 for count in FACES)
    for mine, theirs in found:
        for one, two in zip(mine["faces"], theirs["faces"], strict=True):
            assert two["box"] == pytest.approx(one["box"], abs=0.35 * one["box"][2])
            assert labels(two) == asked(theirs["frame"]) and "landmarks" not in two


def test_the_default_detector_says_where_faces_look(place, film):
    found = place.run(film, detector=None).succeeded()
    assert f"detector fast → {found.output}\n" in found.err
    assert len(found.lines) == len(FACES)
    # The weights decide about single frames; that it works as a whole they do not.
    right = sum(len(line["faces"]) == faces for line, faces in zip(found.lines, FACES, strict=True))
    assert right >= 0.8 * len(FACES)
    assert all({"id", "box", "score", "landmarks", "pose", "quality"} <= face.keys() for face in found.faces)
    labelled = [face for face in found.faces if "emotion" in face]  # it is asked about every frame
    assert len(labelled) >= 0.8 * sum(FACES)
