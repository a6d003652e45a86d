"""Faces of strangers cannot be recognised in anything that leaves render."""

from __future__ import annotations

import numpy as np
import pytest

from stages.config.schema import Detect, Haar, Pipeline, Render
from stages.view.postprocess import PostProcessor
from stages.vision.anonymize import anonymize_faces, anonymize_image
from stages.vision.detectors import make_detector
from tests.results.frames import face, flat, frame

HOW = ["pixelate", "blur"]
COLLINS = (176.0, 80.0, 110.0, 110.0)  # her face in the astronaut's portrait


def noise(width: int = 320, height: int = 240) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def found_in(pixels: np.ndarray) -> int:
    haar = make_detector(Detect(detector="haar", longest_side=512, smallest_face=0.1, haar=Haar(step=1.1)))
    return len(haar.detect(pixels).scores)


def test_no_detector_finds_what_was_pixelated(astronaut):
    assert found_in(astronaut) == 1
    assert found_in(anonymize_faces(astronaut, [COLLINS], "pixelate")) == 0


def test_a_blurred_face_is_made_of_the_same_few_colours_as_a_pixelated_one():
    pixels = noise()
    blurred, pixelated = (anonymize_faces(pixels, [(100, 80, 60, 60)], how)[65:155, 85:175] for how in reversed(HOW))
    middles = np.s_[7::15, 7::15]
    assert np.abs(blurred[middles].astype(int) - pixelated[middles]).max() <= 2


def test_of_a_face_six_blocks_across_are_left_and_the_rest_is_left_alone():
    pixels = noise()
    hidden = anonymize_faces(pixels, [(100, 80, 60, 60)], "pixelate")
    inside = hidden[65:155, 85:175]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 36
    changed = np.argwhere((hidden != pixels).any(axis=2))
    assert changed.min(axis=0).tolist() >= [65, 85] and changed.max(axis=0).tolist() <= [154, 174]


@pytest.mark.parametrize("how", HOW)
def test_what_is_left_depends_on_the_blocks_alone(how):
    """Two faces with equal means of their blocks are hidden alike: nothing finer is in the picture any more."""
    coarse = np.kron(np.random.default_rng(1).integers(60, 200, (6, 6, 1)), np.ones((15, 15, 3))).astype(np.uint8)
    fine, other = (
        coarse + ((np.indices((90, 90)).sum(axis=0)[:, :, None] + phase) % 2 * 20).astype(np.uint8) for phase in (0, 1)
    )
    hidden = [anonymize_faces(pixels, [(15, 15, 60, 60)], how).astype(int) for pixels in (fine, other)]
    assert np.abs(hidden[0] - hidden[1]).max() <= 1


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "box", [(-30, -30, 60, 60), (300, 220, 60, 60), (-500, 0, 20, 20), (10, 10, 0, 0), (-100, -100, 900, 900)]
)
def test_faces_at_and_beyond_the_edges_are_hidden_as_coarsely(how, box):
    pixels = noise()
    pixels.flags.writeable = False
    hidden = anonymize_faces(pixels, [box], how)
    assert hidden.shape == pixels.shape
    if how == "pixelate" and box[0] == -30:  # A quarter of the square is in the picture, and so are its blocks.
        assert len(np.unique(hidden[:40, :40].reshape(-1, 3), axis=0)) <= 16


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (640, 360)])
def test_a_picture_that_was_not_analysed_is_pixelated_whole(size):
    hidden = anonymize_image(noise(*size))
    longer, shorter = max(size), min(size)
    assert hidden.shape == (size[1], size[0], 3)
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= 8 * round(8 * longer / shorter)


# --- Everything that leaves render ---


def postprocessor(**render) -> PostProcessor:
    return PostProcessor(Pipeline(render=Render(**{"blur": "pixelate", **render})))


def hidden_share(before: np.ndarray, after: np.ndarray, x: int, y: int, side: int) -> float:
    region = np.s_[y : y + side, x : x + side]
    return float((before[region] != after[region]).any(axis=2).mean())


def test_the_finished_frame_itself_holds_the_hidden_picture_and_the_labels_stay():
    pixels = noise()
    finished = postprocessor().finish(frame(0, pixels, [face(100, 80, 60)]))
    assert hidden_share(pixels, finished.picture.pixels, 100, 80, 60) > 0.95
    assert finished.faces[0].answers["gender"].label == "woman"
    drawn = postprocessor().draw(finished)
    assert (drawn != finished.picture.pixels).any()


def test_a_frame_that_could_not_be_analysed_or_has_more_faces_than_are_told_is_hidden_whole():
    pixels = noise()
    for finished in (
        postprocessor().finish(frame(0, pixels, error="detect gave it up")),
        postprocessor().finish(frame(0, pixels, [face(9, 9, 20)]), all_known=False),
    ):
        assert hidden_share(pixels, finished.picture.pixels, 0, 0, 240) > 0.95


def test_a_face_that_is_missed_for_a_moment_stays_hidden():
    pixels, one = noise(), postprocessor()
    one.finish(frame(0, pixels, [face(100, 80, 60)]))
    missed = one.finish(frame(5, pixels))
    assert hidden_share(pixels, missed.picture.pixels, 100, 80, 60) > 0.95
    gone = one.finish(frame(100, pixels))
    assert np.array_equal(gone.picture.pixels, pixels)


def test_without_blur_the_picture_is_the_same_array():
    pixels = noise()
    assert postprocessor(blur="none").finish(frame(0, pixels, [face(100, 80, 60)])).picture.pixels is pixels


def test_with_blur_no_picture_is_shown_that_nobody_has_analysed():
    assert Render().shows_latest
    assert not Render(blur="pixelate").shows_latest and not Render(show="exact").shows_latest


def test_a_picture_of_a_folder_hides_its_own_faces_only():
    one = postprocessor()
    one.finish(frame(0, noise(), [face(100, 80, 60)], file="a.mp4"))
    still = one.finish(frame(1, flat(320, 240), rate=None, file="b.jpg"))
    assert np.array_equal(still.picture.pixels, flat(320, 240))
