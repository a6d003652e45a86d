"""What cannot be run is refused in one sentence, with status 2, by a launcher, by capture and by a worker.

The sentences themselves are tested where they are made, in one process: tests/test_run_pipeline.py, tests/sources,
tests/config and tests/vision.
"""

from __future__ import annotations

import pytest
import yaml

from stages.results.manifest import Manifest

EARLIER = b'{"source": "a", "frame": 0, "faces": []}\n'


@pytest.fixture
def earlier(place):
    """Results of an earlier run, which no mistake may cost."""
    path = place.folder / "out/results.jsonl"
    path.parent.mkdir()
    Manifest(path.parent).write(path, EARLIER)
    return path


def test_a_wrong_configuration_is_refused_by_the_launcher(place, film, earlier):
    (place.folder / "mine.yaml").write_text("windov: 3")
    ran = place.run(film, config=place.folder / "mine.yaml", display=None)
    assert (ran.status, ran.out, ran.err.count("\n"), ran.results) == (2, "", 1, EARLIER)
    assert ran.complaint.startswith(f"{place.folder}/mine.yaml:1: windov is not a key; write one of ")


def test_a_file_that_is_no_video_is_refused_by_capture(place, earlier):
    (place.folder / "letter.mp4").write_text("Dear diary,\n" * 40)
    ran = place.run(place.folder / "letter.mp4")
    assert (ran.status, ran.out, ran.results) == (2, "", EARLIER)
    assert ran.complaint.startswith(f"{place.folder}/letter.mp4 is not a video that can be read")


def test_a_model_that_its_card_does_not_fit_is_refused_by_its_stage(place, film, earlier, models):
    card = yaml.safe_load((models / "gender.yaml").read_text()) | {"labels": ["a", "b", "c"]}
    card.pop("golden", None)
    mine = place.folder / "gender.yaml"
    mine.write_text(yaml.safe_dump(card | {"file": str(models / card["file"])}))
    ran = place.run(film, f"--set=stages.gender.model={mine}")
    assert (ran.status, ran.out, ran.results) == (2, "", EARLIER)
    assert str(mine) in ran.complaint and "labels" in ran.complaint
