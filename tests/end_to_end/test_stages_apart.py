"""Stages that are started apart: by hand, in a second command, under somebody else's supervisor."""

from __future__ import annotations

import signal

import pytest
import yaml

from tests.end_to_end.command import Ran, eventually
from tests.end_to_end.material import FACES


def sentences(err: str) -> list[str]:
    """What a stage has said itself: libraries may chat."""
    return [line for line in err.splitlines() if line.startswith(("facepipe:", "Traceback"))]


WORKERS = ["detect", "gender", "emotion", "age"]


@pytest.mark.parametrize("workers_first", [True, False], ids=["workers first", "workers later"])
def test_the_two_ends_in_one_command_and_the_workers_in_another(place, film, shown: Ran, workers_first):
    def ends():
        return place.start(film, "--only", "capture", "render")

    def workers():
        # One of each: a second detect could come too late for this run, and would wait for the next.
        return place.start(film, "--set=stages.detect.replicas=1", "--only", *WORKERS, "--once", output="others")

    if workers_first:
        helping = workers()
        helping.until(lambda: len(place.stages()) >= 4, "the workers")
        run = ends()
    else:
        run = ends()
        run.until(lambda: "film.mp4" in run.err, "capture having opened its source")
        assert run.line_count == 0
        helping = workers()
    ran = run.end(alone=False)
    helped = helping.end()
    assert (ran.status, helped.status) == (0, 0), ran.err + helped.err
    assert ran.results == shown.results
    assert not (helped.output / "results.jsonl").exists()


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


def test_a_stage_under_somebody_elses_supervisor(place, film, shown: Ran):
    gender = place.stage("gender", "--config", "pipeline.yaml")
    others = ["capture", "detect", "emotion", "age", "render"]
    run = place.start(film, "--only", *others)
    assert run.end(alone=False).status == 0, run.err
    assert (run.output / "results.jsonl").read_bytes() == shown.results
    ended = gender.signal(signal.SIGTERM).end()
    assert (ended.status, ended.out, sentences(ended.err)) == (143, "", [])


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


def test_a_worker_with_another_card_is_refused_and_does_no_work(place, endless_film, models, tmp_path):
    card = yaml.safe_load((models / "gender.yaml").read_text())
    card.pop("golden", None)
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(card | {"file": str(models / card["file"]), "labels": ["other", "another"]}))
    run = place.start(endless_film, "--set=pace=true")
    stranger = place.stage("gender", "--config", "pipeline.yaml", f"--set=stages.gender.model={other}")
    refusal = "the gender of this run has another model card or other settings"
    run.until(lambda: f"facepipe: A worker was refused: {refusal}.\n" in run.err, "the refusal")
    eventually(lambda: f"gender is refused by capture: {refusal}" in stranger.err, "the worker saying so too")
    options = [f"--set=stages.gender.model={other}", "--only", "gender", "--once"]
    helper = place.start(endless_film, *options, output="others").end(alone=False)
    assert (helper.status, helper.complaint) == (2, f"gender is refused by capture: {refusal}.")
    run.until_lines(run.line_count + 12)
    ran = run.signal(signal.SIGINT).end(alone=False)
    assert ran.status == 130, ran.err
    assert all(set(face["gender"]["scores"]) == set(card["labels"]) for face in ran.faces) and len(ran.faces) > 4
    assert stranger.signal(signal.SIGTERM).end().status == 143


def test_two_sources_share_the_workers_and_one_ends_before_the_other(place, film, slow_film, shown: Ran, tmp_path):
    config = tmp_path / "two.yaml"
    config.write_text(f"sources: {{door: {film}, yard: {slow_film}}}\n")
    ran = place.run(None, config=config)
    assert ran.status == 0, ran.err
    door, yard = ((ran.output / name / "results.jsonl").read_bytes() for name in ("door", "yard"))
    assert door.count(b"\n") == yard.count(b"\n") == len(FACES)
    assert door == shown.results.replace(b'"source": "film.mp4"', b'"source": "door"')
    assert {source["source"]: source["rendered"] for source in ran.summary["sources"]} == {"door": 32, "yard": 32}
    assert (ran.output / "door/annotated").is_dir() and (ran.output / "yard/annotated").is_dir()
