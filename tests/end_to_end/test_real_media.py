"""Real clips and photographs; they lie beside the checkout and are not part of the project."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.command import Ran, somewhere
from tests.end_to_end.material import watch

LABELS = {"box", "score", "gender", "emotion", "age"}
FOLLOWED = {"id", "smoothed"}
SELDOM = {"gender", "age"}  # asked about every third frame of a video, and about every picture
MARKS = {"landmarks", "pose", "quality"}  # of a detector that has them


def assert_labelled(ran: Ran, frames: int) -> None:
    assert ran.status == 0, ran.err
    assert [line["frame"] for line in ran.lines] == list(range(frames))
    for frame, face in [(line["frame"], face) for line in ran.lines for face in line["faces"]]:
        said = face.keys() - FOLLOWED - MARKS
        if "unsure" in said:
            continue
        if frame % 3 == 0 or "id" not in face:
            assert said == LABELS
        assert said in (LABELS, LABELS - SELDOM)
    assert not any("missing" in line or "error" in line for line in ran.lines)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("detector", ["fast", *(pytest.param(d, marks=pytest.mark.long) for d in ("haar", "dlib"))])
def test_hamilton(place, media, detector):
    ran = place.run(media / "hamilton.mp4", "--detector", detector, timeout_s=200)
    assert_labelled(ran, 275)
    assert len(ran.faces) > 100
    annotated, original = watch(ran.output / "annotated/hamilton.mp4"), watch(media / "hamilton.mp4")
    assert len(annotated.times) == 275
    assert annotated.times == pytest.approx([t - original.times[0] for t in original.times], abs=1e-3)
    assert annotated.size == (640, 360)
    assert annotated.sound_packets > 0


@pytest.fixture(scope="module")
def album(media, tmp_path_factory) -> Ran:
    """The GIFs and photographs, as one source."""
    with somewhere(tmp_path_factory.mktemp("album")) as here:
        return here.run(f"{media}/[!h]*.*")


def test_gifs_and_photographs_as_one_source(album: Ran):
    files: dict[str, list[dict]] = {}
    for line in album.lines:
        files.setdefault(line["file"], []).append(line)
    assert_labelled(album, len(album.lines))
    gifs = {"animated_hopper.gif": 4, "interactive_face_detection.gif": 15}
    assert {name: len(lines) for name, lines in files.items()} == {name: gifs.get(name, 1) for name in files}
    assert gifs.keys() <= files.keys() and len(files) == 10
    faces = {name: len(lines[0]["faces"]) for name, lines in files.items()}
    assert (faces["astronaut.png"], faces["obama.jpg"], faces["biden.jpg"]) == (1, 1, 1)
    assert faces["two_people.jpg"] == 2 and faces["solvay1927.jpg"] >= 5 and faces["group.jpg"] >= 3
    annotated = {path.name for path in (album.output / "annotated").iterdir()}
    assert annotated == {f"{name}.mp4" if name in gifs else name for name in files}


def test_labels_mean_something(album: Ran):
    """Not how good the nets are, which their cards say; only that they are plugged in the right way round."""
    faces = {line["file"]: line["faces"] for line in album.lines}
    assert faces["obama.jpg"][0]["gender"]["label"] == "man"
    assert faces["astronaut.png"][0]["gender"]["label"] == "woman"
    assert faces["astronaut.png"][0]["emotion"]["label"] == "happy"
    assert 35 < faces["obama.jpg"][0]["age"]["years"] < 70


def test_the_demo_is_the_default_where_there_is_no_camera(place):
    from stages.sources.camera import list_cameras

    if list_cameras():
        pytest.skip("there is a camera here, which is the default")
    ran = place.run(None, "--seconds", "3", detector=None).succeeded()
    assert "no camera opens, so the demo is the source; --source with a file, folder or URL chooses another." in ran.err
    assert len(ran.lines) > 10
    assert json.loads(ran.results.splitlines()[-1])["source"] == "demo"
    assert any(line["faces"] for line in ran.lines)
