"""Stages that are started apart: by hand, in a second command, under somebody else's supervisor."""

from __future__ import annotations

import re
import signal

import pytest
import yaml

from stages.results.run_file import RunFile
from tests.end_to_end.command import PROJECT, Ran, Running, eventually
from tests.end_to_end.material import FACES


def sentences(err: str) -> list[str]:
    """What a stage has said itself: libraries may chat."""
    return [line for line in err.splitlines() if line.startswith(("facepipe:", "Traceback"))]


WORKERS = ["detect", "gender", "emotion", "age"]


def test_the_two_ends_in_one_command_and_the_workers_later_in_another(place, film, shown: Ran):
    run = place.start(film, "--only", "capture", "render")
    run.until(lambda: "film.mp4" in run.err, "capture having opened its source")
    assert run.line_count == 0
    # One of each: a second detect could come too late for this run, and would wait for the next.
    helping = place.start(film, "--set=stages.detect.replicas=1", "--only", *WORKERS, "--once", output="others")
    ran = run.end(alone=False)
    helped = helping.end()
    assert (ran.status, helped.status) == (0, 0), ran.err + helped.err
    assert ran.results == shown.results
    assert not (helped.output / "results.jsonl").exists()


@pytest.mark.long
def test_a_second_gender_by_hand_joins_a_run_and_stays_for_the_next(place, slow_film):
    run = place.start(slow_film, "--set=pace=true").until_lines(3)
    helper = place.start(slow_film, "--only", "gender", output="helper")
    helper.until(lambda: place.stages().count("gender") == 2, "a second gender")
    run.stages()["gender"][0].kill()  # The helper goes on alone until it is back.
    assert run.end(alone=False).status == 0, run.err
    assert run.line_count == len(FACES)
    assert place.stages() == ["gender"]

    # The next run has no gender of its own and is served by the one that stayed.
    others = ["capture", "detect", "emotion", "age", "render"]
    after = place.start(slow_film, "--only", *others)
    assert after.end(alone=False).status == 0, after.err
    assert after.line_count == len(FACES)
    assert helper.signal(signal.SIGTERM).end().status == 143


def test_every_stage_can_be_started_by_hand(place, film, shown: Ran):
    options = ["--config", "pipeline.yaml", f"--set=source={film}", f"--set=render.output={place.folder / 'out'}"]
    options += ["--set=render.display=none"]
    by_hand = {
        name: place.stage(name, *options) for name in ("render", "capture", "detect", "gender", "emotion", "age")
    }
    assert by_hand["capture"].end(alone=False).status == 0, by_hand["capture"].err
    for name, stage in by_hand.items():
        if name != "capture":
            stage.signal(signal.SIGINT)
    statuses = {name: stage.end(alone=False).status for name, stage in by_hand.items()}
    assert statuses == {"capture": 0} | dict.fromkeys(("render", "detect", "gender", "emotion", "age"), 130)
    assert [sentences(stage.err) for stage in by_hand.values()] == [[]] * 6
    assert by_hand["capture"].end().results == shown.results


@pytest.mark.long
def test_a_render_by_hand_has_a_folder_of_its_own_and_goes_on_in_it_until_its_run_is_over(
    place, slow_film, calm: Ran, monkeypatch
):
    monkeypatch.setitem(place.environment, "PYTHONPATH", str(PROJECT))
    (earlier := place.folder / "out/auto").mkdir(parents=True)
    RunFile("ab12", {"source auto": ["auto", None]}, 1, "finished").write(earlier)

    def start(stage: str, *options: str) -> Running:
        return place.stage(stage, "--set=render.display=none", *options, cwd=place.folder)

    def until_lines(count: int) -> None:
        eventually(lambda: results.exists() and results.read_bytes().count(b"\n") >= count, f"{count} lines")

    results = place.folder / "out/auto-2/results.jsonl"
    workers = [start(stage) for stage in WORKERS]
    render, capture = start("render"), start("capture", f"--set=source={slow_film}", "--set=pace=true")
    until_lines(3)
    assert sentences(render.err) == ["facepipe: results go to out/auto-2"]
    render.signal(signal.SIGKILL).end(alone=False)
    render = start("render")
    until_lines(8)
    render.signal(signal.SIGKILL).end(alone=False)
    assert capture.signal(signal.SIGTERM).end(alone=False).status == 143  # What it has under way nobody takes any more.

    render, capture = start("render"), start("capture", f"--set=source={slow_film}")
    assert capture.end(alone=False).status == 0, capture.err
    for stage in (render, *workers):
        stage.signal(signal.SIGTERM)
    assert {stage.end(alone=False).status for stage in (render, *workers)} == {143}
    assert results.read_bytes() == calm.results
    assert sorted(path.name for path in (place.folder / "out").iterdir()) == ["auto", "auto-2"]


@pytest.mark.parametrize(
    ("stage", "number", "status"), [("capture", signal.SIGINT, 130), ("gender", signal.SIGTERM, 143)]
)
def test_a_signal_ends_a_stage_that_is_still_reading_its_modules_at_once_and_in_silence(place, stage, number, status):
    starting = place.stage(stage, python=("-X", "importtime"))
    eventually(lambda: re.search(r"\| +stages\n", starting.err), "the first of our modules")
    ended = starting.signal(number).end()
    assert (ended.status, "Traceback" in ended.err, sentences(ended.err)) == (status, False, [])


@pytest.mark.long
def test_a_capture_that_waits_for_the_other_stages_ends_at_the_first_signal(place, film):
    render = place.stage("render", f"--set=render.output={place.folder / 'out'}")
    capture = place.stage("capture", f"--set=source={film}")
    eventually(lambda: "still waiting for" in capture.err, "that it waits")
    assert capture.signal(signal.SIGTERM).end(alone=False).status == 143
    assert render.signal(signal.SIGINT).end(alone=False).status == 130
    assert not (place.folder / "out").exists()


def test_a_worker_with_another_card_is_refused_and_does_no_work(place, endless_film, models, tmp_path):
    card = yaml.safe_load((models / "gender.yaml").read_text())
    card.pop("golden", None)
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(card | {"file": str(models / card["file"]), "labels": ["other", "another"]}))
    run = place.start(endless_film, "--set=pace=true")
    unknown_peer = place.stage("gender", "--config", "pipeline.yaml", f"--set=stages.gender.model={other}")
    refusal = "the gender of this run has another model card or other settings"
    run.until(lambda: f"facepipe: A worker was refused: {refusal}.\n" in run.err, "the refusal")
    eventually(lambda: f"gender is refused by capture: {refusal}" in unknown_peer.err, "the worker saying so too")
    options = [f"--set=stages.gender.model={other}", "--only", "gender", "--once"]
    helper = place.start(endless_film, *options, output="others").end(alone=False)
    assert (helper.status, helper.complaint) == (2, f"gender is refused by capture: {refusal}.")
    run.until_lines(run.line_count + 12)
    ran = run.signal(signal.SIGINT).end(alone=False)
    assert ran.status == 130, ran.err
    said = [face["gender"] for face in ran.faces if "gender" in face]
    assert all(set(gender["scores"]) == set(card["labels"]) for gender in said) and len(said) > 4
    assert unknown_peer.signal(signal.SIGTERM).end().status == 143


def test_two_sources_share_the_workers_and_one_ends_before_the_other(place, film, slow_film, shown: Ran, tmp_path):
    config = tmp_path / "two.yaml"
    config.write_text(f"sources: {{door: {film}, yard: {slow_film}}}\n")
    ran = place.run(None, "--detector", "haar", config=config).succeeded()
    door, yard = ((ran.output / name / "results.jsonl").read_bytes() for name in ("door", "yard"))
    assert door.count(b"\n") == yard.count(b"\n") == len(FACES)
    assert door == shown.results.replace(b'"source": "film.mp4"', b'"source": "door"')
    assert {source["source"]: source["rendered"] for source in ran.summary["sources"]} == {"door": 32, "yard": 32}
    assert (ran.output / "door/annotated").is_dir() and (ran.output / "yard/annotated").is_dir()
