"""A part of a video, a share of its frames, and a run that goes round."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest

import run_pipeline
from tests.end_to_end.command import Ran
from tests.end_to_end.material import FACES, HEIGHT, WIDTH, watch, write_picture
from tests.sinks.clips import frames_in

PART = ("--start", "0:00.4", "--end", "1.2", "--fps", "12.5")  # of 25 frames a second every other one


def times_ms(ran) -> list[int]:
    return [round(1000 * line["time"]) for line in ran.lines]


def test_a_part_of_a_video_is_read_and_its_annotated_video_and_sound_are_that_part(place, film):
    ran = place.run(film, *PART).succeeded()
    assert "from 0.4 s to 1.2 s, 12.5 of each second" in ran.err
    assert times_ms(ran) == list(range(400, 1200, 80))
    assert [line["frame"] for line in ran.lines] == list(range(10))
    assert [len(line["faces"]) for line in ran.lines] == FACES[10:30:2]
    shown = watch(ran.output / "annotated/film.mp4")
    assert [round(1000 * time) for time in shown.times] == list(range(0, 800, 80))
    assert 30 <= shown.sound_packets <= 45  # 0.8 s of 48 kHz in packets of 1024


@pytest.mark.long
def test_a_part_is_the_same_after_kills_and_when_it_is_resumed_and_is_resumed_as_the_same_part_only(place, slow_film):
    part = ("--start", "1", "--end", "7.6", "--fps", "2")
    calm = place.run(slow_film, *part, output="calm")
    assert times_ms(calm) == list(range(1000, 7600, 500))
    run = place.start(slow_film, *part, "--set=pace=true").until_lines(2)
    run.stages()["capture"][0].kill()
    run.until_lines(5).stages()["render"][0].kill()
    assert run.until_lines(8).signal(signal.SIGTERM).end().status == 143
    for other, name in ((part[:4], "capture.fps"), (("--start", "2", *part[2:]), "capture.start")):
        refused = place.run(slow_film, *other, "--resume")
        assert refused.status == 2
        assert refused.complaint.startswith(f"{name} is not what the run in ")
    ran = place.run(slow_film, "--start", "0:01", "--end", "7.6", "--fps", "2", "--resume").succeeded()
    assert ran.results == calm.results
    assert frames_in(ran.output / "annotated/slow.mp4") == 14


def test_a_loop_goes_on_until_it_is_ended_over_kills_too_and_says_what_it_costs(place, film):
    run = place.start(film, "--loop", "--end", "0.4", "--set=pace=true").until_lines(14)
    run.stages()["capture"][0].kill()
    ran = run.until_lines(28).signal(signal.SIGINT).end()
    assert ran.status == 130, ran.err
    assert "read again and again until you end the run, with Q or Ctrl-C; results.jsonl grows all the time" in ran.err
    assert times_ms(ran) == [40 * number for number in range(len(ran.lines))]
    assert [len(line["faces"]) for line in ran.lines[:20]] == FACES[:10] * 2
    assert not (ran.output / "annotated").exists()
    count = len(ran.lines)
    more = place.run(film, "--loop", "--end", "0.4", "--resume", "--seconds", "1").succeeded()
    assert times_ms(more) == [40 * number for number in range(len(more.lines))]
    assert len(more.lines) > count


@pytest.mark.long
def test_a_render_that_dies_after_a_picture_of_nobody_gives_everybody_the_same_ids(place, film):
    album = place.folder / "album"
    album.mkdir()
    shutil.copy(film, album / "film.mp4")
    write_picture(album / "nobody.png", np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    part = ("--loop", "--start", "0.4", "--end", "0.8", "--set=pace=true")  # Eleven frames a round.
    calm = place.start(album, *part, output="calm").until_lines(33).signal(signal.SIGINT).end()
    crash = "--set=chaos={render: {crash_at: [11, 15], once: true}}"
    ran = place.start(album, *part, crash).until_lines(33).signal(signal.SIGINT).end()
    assert "render" in ran.err, ran.err
    assert ran.lines[10]["file"] == "nobody.png" and ran.lines[10]["faces"] == []
    assert [face["id"] for face in ran.lines[11]["faces"]] == [3]
    assert ran.results.splitlines()[:33] == calm.results.splitlines()[:33]


def test_a_part_without_a_frame_costs_nothing_of_an_earlier_run(place, film, shown: Ran):
    shutil.copytree(shown.output, place.folder / "out")
    beyond = place.run(film, "--set=pace=true", "--start", "1:00:00")
    assert beyond.status == 2
    assert beyond.complaint == "film.mp4 has no frame from 3600 s; it was read to 1.24 s."
    assert beyond.err.count("\n") == 1  # Nothing was announced that then is not.
    assert beyond.results == shown.results and sorted(beyond.output.rglob("*.mp4"))


def test_what_cannot_be_is_one_sentence_and_status_2(film, capsys):
    assert run_pipeline.main([str(film), "--fps", "many"]) == 2
    assert capsys.readouterr().err == (
        "facepipe: --fps many: capture.fps is 'many'; write a number above 0 up to 1000, or null.\n"
    )
    assert run_pipeline.main([str(film), "--start", "2", "--end", "1"]) == 2
    assert capsys.readouterr().err == "facepipe: --end 1: capture.end, 1 s, is not after capture.start, 2 s.\n"
