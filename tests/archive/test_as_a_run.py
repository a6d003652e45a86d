"""What parts leave once they are joined is what a run of all processes over the film leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages.archive.analysing import analyse, analyst_for
from stages.archive.film import index, parts_of
from stages.archive.joining import as_one_film, join
from stages.plan import read_pipeline
from tests.archive.archives import LONGEST_S, face_film
from tests.conftest import PROJECT

OF_A_RUN = {"run", "incarnation", "started"}  # in run.json, other ones for every run
OF_ITS_TIME = {"seconds", "latency_ms", "spent_s"}  # in summary.json
HIDING = ("render.blur=pixelate", "capture.start=0.3", "capture.fps=12")
PORTRAITS = ("render.portraits=always", "render.annotated=false", "render.blur=pixelate", "capture.fps=5")
AREAS = "zones={left: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}"


@pytest.fixture(scope="module")
def film(tmp_path_factory, astronaut) -> Path:
    return face_film(tmp_path_factory.mktemp("film") / "film.mp4", astronaut, 60)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(("render.subtitles=true", AREAS), id="subtitles"),
        pytest.param(HIDING, id="hiding", marks=pytest.mark.long),
        pytest.param(PORTRAITS, id="portraits"),
    ],
)
def test_parts_leave_what_a_run_leaves(film, tmp_path, keys):
    run, joined = tmp_path / "run", tmp_path / "joined"
    options = [f"--set={key}" for key in keys]
    command = [sys.executable, str(PROJECT / "run_pipeline.py"), str(film), "--output", str(run), "--quiet", *options]
    subprocess.run([*command, "--display", "none"], check=True, timeout=LONGEST_S)
    pipeline, folder = read_pipeline(None, keys)
    analyst = analyst_for(pipeline, folder)
    looked = index(film, pipeline)
    parts = [analyse(film, part, analyst) for part in parts_of(looked, 0.5)]
    assert len(parts) > 2
    join(film, looked, parts, pipeline, folder, joined)

    pictures = "portraits/1-0.jpg" if keys is PORTRAITS else "annotated/film.mp4"
    assert files_in(joined) == files_in(run) > {"results.jsonl", "events.jsonl", pictures}
    for name in files_in(run) - {"run.json", "summary.json"}:
        assert (joined / name).read_bytes() == (run / name).read_bytes(), name
    one, other = (without(said(folder, "run.json"), OF_A_RUN) for folder in (joined, run))
    assert one == other
    [one], [other] = (said(folder, "summary.json")["sources"] for folder in (joined, run))
    assert without(one, OF_ITS_TIME) == without(other, OF_ITS_TIME)
    assert said(joined, "summary.json")["outputs"] == said(run, "summary.json")["outputs"]


@pytest.mark.long
def test_a_film_is_joined_again_after_a_join_that_was_broken_off(film, tmp_path):
    pipeline, folder = read_pipeline(None, ["render.annotated=false"])
    looked = index(film, pipeline)
    analyst = analyst_for(pipeline, folder)
    parts = [analyse(film, part, analyst) for part in parts_of(looked, 0.5)]
    with pytest.raises(KeyboardInterrupt):
        join(film, looked, broken_off(parts), pipeline, folder, tmp_path / "out")
    assert said(tmp_path / "out", "run.json")["ended"] is None
    join(film, looked, parts, pipeline, folder, tmp_path / "out")
    join(film, looked, parts, pipeline, folder, tmp_path / "at once")
    assert said(tmp_path / "out", "run.json")["ended"] == "finished"
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == (tmp_path / "at once" / "results.jsonl").read_bytes()


def test_several_sources_are_not_one_film(tmp_path):
    pipeline, _ = read_pipeline(None, ["sources={door: 0, yard: yard.mp4}"])
    with pytest.raises(Exception, match="sources is not for the films of an archive"):
        as_one_film(pipeline, tmp_path / "film.mp4", tmp_path / "out")


def broken_off(parts: list[bytes]):
    yield parts[0]
    raise KeyboardInterrupt


def files_in(folder: Path) -> set[str]:
    inside = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in inside if not name.startswith(("logs/", "."))}


def said(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def without(told: dict, keys: set[str]) -> dict:
    return {key: value for key, value in told.items() if key not in keys}
