"""A run inside a program: its frames as they are finished, and nothing left of it, however it is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from stages import api
from stages.config.schema import ConfigError
from stages.errors import FacepipeError
from tests.end_to_end.command import eventually
from tests.end_to_end.material import FACES, scene, write_clip


@pytest.fixture(scope="session")
def endless_film(astronaut, tmp_path_factory) -> Path:
    """A minute at four frames a second, which outlasts what a test does meanwhile."""
    pictures = [scene(astronaut, number % len(FACES)) for number in range(240)]
    return write_clip(tmp_path_factory.mktemp("film") / "endless.mp4", pictures, rate=4)


AT_ITS_PACE = {"pace": True}


def told(frames: list[api.Frame]) -> list[str]:
    return [json.dumps(frame.to_json()) for frame in frames]


def test_the_frames_are_the_lines_of_the_results(film, shown, place):
    frames = list(api.stream(film))
    assert told(frames) == (shown / "results.jsonl").read_text().splitlines()
    assert all(frame.image is None for frame in frames)
    assert place.left() == []


def test_pictures_are_given_with_their_frames(film, photographs, place):
    frames = list(api.stream(film, images=True))
    with av.open(str(film)) as video:
        decoded = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    assert [frame.image.shape for frame in frames] == [picture.shape for picture in decoded]
    apart = [np.abs(frame.image.astype(int) - picture).mean() for frame, picture in zip(frames, decoded, strict=True)]
    assert max(apart) < 3  # Colours are converted by other coefficients.
    for frame in api.stream(photographs, images=True):
        assert [face.to_json() for face in api.analyze(frame.image)] == [face.to_json() for face in frame.faces]


def test_each_of_several_sources_is_in_order(film, photographs, place):
    sources = {"film": str(film), "album": str(photographs)}
    frames = list(api.stream(overrides={"sources": sources}))
    for name, count in (("film", len(FACES)), ("album", len(list(photographs.iterdir())))):
        assert [frame.frame for frame in frames if frame.source == name] == list(range(count))
    assert place.left() == []


def stage_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):  # It has ended since it was listed.
        return next((word for word in process.cmdline() if word.startswith("stages.")), "")
    return ""


def test_what_kills_a_process_changes_no_frame(film, shown, place):
    frames, killed = [], set()
    for frame in api.stream(film, overrides={"window": 2}):
        frames.append(frame)
        for process in place.processes():
            stage = stage_of(process)
            if stage in ("stages.gender", "stages.render") and stage not in killed and frame.frame == 3:
                killed.add(stage)
                process.kill()
    assert killed == {"stages.gender", "stages.render"}
    assert told(frames) == (shown / "results.jsonl").read_text().splitlines()


def by_break(film):
    for _ in api.stream(film, overrides=AT_ITS_PACE):
        break


def by_an_error(film):
    with pytest.raises(ZeroDivisionError), api.stream(film, overrides=AT_ITS_PACE) as frames:
        next(frames)
        raise ZeroDivisionError


def by_close(film):
    frames = api.stream(film, overrides=AT_ITS_PACE)
    next(frames)
    frames.close()
    frames.close()
    assert list(frames) == []


def by_forgetting(film):
    cycle = [api.stream(film, overrides=AT_ITS_PACE)]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()


def at_once(film):
    api.stream(film, overrides=AT_ITS_PACE).close()


@pytest.mark.parametrize("leave", [by_break, by_an_error, by_close, by_forgetting, at_once])
def test_leaving_it_ends_the_run(endless_film, place, leave):
    leave(endless_film)
    assert place.left() == []


PROGRAM = """
import sys, time
from stages import api
for frame in api.stream(sys.argv[1], overrides={"pace": True}):
    print(frame.frame, flush=True)
    if len(sys.argv) > 2:
        time.sleep(600)
"""


@pytest.mark.parametrize("where", [(), ("in the loop",)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_its_program(endless_film, place, number, where):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, endless_film, *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with program:
        assert program.stdout.readline() == b"0\n"
        os.killpg(program.pid, number) if number == signal.SIGINT else program.kill()
    eventually(lambda: place.processes() == [], "the end of all processes")
    assert number == signal.SIGKILL or place.left() == []


def test_it_runs_beside_an_event_loop_and_in_a_thread(film, place):
    async def cell() -> int:
        here = sum(1 for _ in api.stream(film))
        return here + await asyncio.to_thread(lambda: sum(1 for _ in api.stream(film)))

    assert asyncio.run(cell()) == 2 * len(FACES)
    assert place.left() == []


def test_a_run_that_is_there_is_replaced_only_where_that_is_asked_for(film, tmp_path, place):
    output = tmp_path / "out"
    first = told(list(api.stream(film, output=output)))
    before = (output / "results.jsonl").read_bytes()
    with pytest.raises(api.RunFailed, match="out holds .*replace=True") as refused:
        list(api.stream(film, output=output))
    assert refused.value.status == 2 and (output / "results.jsonl").read_bytes() == before
    again = told(list(api.stream(film, output=output, replace=True)))
    assert again == first and (output / "annotated" / "film.mp4").is_file()
    assert place.left() == []


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("missing.mp4", {}),
        ("text.mp4", {}),
        ("", {}),
        (np.zeros((8, 8, 3), np.uint8), {}),
        (b"clip.mp4", {}),
        (None, {"config": "missing.yaml"}),
        ("demo", {"detector": "harr"}),
        ("demo", {"overrides": {"windw": 3}}),
        ("demo", {"overrides": {"window": object()}}),
        ("demo", {"overrides": {"stages.gender.model": "missing.yaml"}}),
        ("demo", {"output": "text.mp4"}),
        ("demo", {"images": True, "overrides": {"render.blur": "blur"}}),
        ("missing.mp4", {"images": True}),
        ("http://127.0.0.1:9/clip.mp4", {"overrides": {"reconnect": 0}}),
    ],
)
def test_what_cannot_be_run_is_a_sentence(source, options, place):
    Path("text.mp4").write_text("a letter")
    with pytest.raises(FacepipeError) as refused:
        list(api.stream(source, **options))
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    assert place.left() == []


def test_without_a_place_for_temporary_files_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nosuch")
    with pytest.raises(api.RunFailed, match="no temporary folder can be made.*TMPDIR"):
        api.stream("demo")


def test_a_mistake_in_the_configuration_is_raised_before_anything_is_started(place):
    with pytest.raises(ConfigError, match="windw"):
        api.stream("demo", overrides={"windw": 3})
    assert place.left() == []


def test_a_run_that_fails_raises_after_the_frames_that_it_has_finished(film, tmp_path, place):
    frames = api.stream(film, output=tmp_path / "out", overrides={"pace": True, "window": 1})
    next(frames)
    (tmp_path / "out" / "results.jsonl").unlink()
    with pytest.raises(api.RunFailed) as failed:
        list(frames)
    assert failed.value.status == 1 and "results.jsonl" in str(failed.value)
    assert place.left() == []
