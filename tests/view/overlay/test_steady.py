"""Label boxes that stay where they are, whichever process draws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.areas import Areas
from stages.config.load import read_config
from stages.frames import Face, FinishedFrame
from stages.results.jsonl import line, parsed
from stages.view.overlay.layout import lay_out_faces
from stages.view.overlay.steady import SteadyLabels
from stages.view.postprocess import PostProcessor
from tests.results.frames import face, frame
from tests.view.test_replay import histories

WIDTH, HEIGHT = 320, 180


def in_a_video(frame: FinishedFrame, doubtful: list[tuple]) -> FinishedFrame:
    still = frame.picture.rate is None or frame.error is not None
    pixels = np.arange(WIDTH * HEIGHT * 3, dtype=np.uint64) * 2654435761 % 251  # No two places are alike.
    picture = replace(frame.picture, pixels=pixels.astype(np.uint8).reshape(HEIGHT, WIDTH, 3))
    return replace(frame, picture=picture, doubtful=[] if still else doubtful)


BOXES = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 160), st.just(40.0), st.just(40.0)), max_size=2)


@pytest.mark.parametrize("blur", ["none", "pixelate"])
@given(frames=histories(), data=st.data())
def test_whoever_draws_and_hides_on_after_a_kill_does_the_same(blur, frames, data):
    pipeline = read_config(f"source: demo\nrender: {{blur: {blur}}}\n", "test.yaml")
    frames = [in_a_video(one, data.draw(BOXES)) for one in frames]
    undisturbed = PostProcessor(pipeline)
    finished = [undisturbed.finish(one) for one in frames]
    cut = data.draw(st.integers(0, len(frames)))
    restarted = PostProcessor(pipeline)
    for one in finished[:cut]:
        restarted.replay(parsed(line(one)))
    for one, before in zip(frames[cut:], finished[cut:], strict=True):
        after = restarted.finish(one)
        assert line(after) == line(before)
        assert np.array_equal(restarted.draw(after), undisturbed.draw(before))


def test_a_render_that_is_started_again_hides_what_may_have_been_a_face_a_moment_ago():
    first, second = in_a_video(frame(0), [(50.0, 50.0, 40.0, 40.0)]), in_a_video(frame(1), [])
    pipeline = read_config("source: demo\nrender: {blur: pixelate}\n", "test.yaml")
    undisturbed, restarted = PostProcessor(pipeline), PostProcessor(pipeline)
    restarted.replay(parsed(line(undisturbed.finish(first))))
    hidden = [by.finish(second).picture.pixels for by in (undisturbed, restarted)]
    assert np.array_equal(*hidden) and (hidden[0][50:90, 50:90] != second.picture.pixels[50:90, 50:90]).mean() > 0.9


def walk(labels: SteadyLabels, *frames: list[Face], rate: float = 25.0, **said) -> list[tuple]:
    return [labels.update(faces, 640, 360, n / rate, **said) for n, faces in enumerate(frames)]


def person(number: int, x: float, y: float = 120, side: float = 80) -> Face:
    return replace(face(x, y, side), id=number)


def labels() -> SteadyLabels:
    return SteadyLabels("compact", Areas())


def test_a_label_box_that_had_to_go_does_not_come_back_at_once():
    alone = [person(1, 200)]
    passing = [[*alone, person(2, x)] for x in range(560, 240, -8)]  # Comes to where the label box stood.
    before, *_, after = walk(labels(), alone, *passing, alone)
    assert before[0].side != after[0].side


def test_a_label_box_glides_around_its_face_out_of_the_way_and_covers_nobody():
    labels, before, sides = SteadyLabels("compact", Areas()), None, set()
    for n in range(70):
        faces = [person(1, 200), person(2, 560 - 5 * n, side=90)]
        places = labels.update(faces, 640, 360, n / 25)
        laid_out = lay_out_faces(faces, 640, 360, former=places)
        corner, (wide, high) = laid_out[0].corner, laid_out[0].label_box.size
        x1, y1, x2, y2 = laid_out[1].box
        assert corner[0] + wide <= x1 or x2 <= corner[0] or corner[1] + high <= y1 or y2 <= corner[1]
        assert before is None or math.dist(before, corner) < 0.25 * 80
        before = corner
        sides.add(places[0].side)
    assert len(sides) > 1


WALKS = st.tuples(st.floats(0, 580), st.floats(0, 300), st.integers(-20, 20), st.integers(-8, 8), st.integers(25, 140))


@given(st.lists(WALKS, min_size=1, max_size=5), st.sampled_from(["compact", "plain", "full"]))
def test_whoever_walks_wherever_no_label_box_covers_another_face_or_label_box(walks, style):
    labels = SteadyLabels(style, Areas())
    for n in range(30):
        faces = [person(k + 1, x + right * n, y + down * n, side) for k, (x, y, right, down, side) in enumerate(walks)]
        # Everybody is out of sight now and then, at the latest beyond the picture's edge.
        faces = [one for one in faces if (one.id + n) % 11 and overlap(corners(one), (1, 1, 639, 359))]
        laid_out = lay_out_faces(faces, 640, 360, style=style, former=labels.update(faces, 640, 360, n / 25))
        placed = [of for of in laid_out if of.label_box is not None]
        boxes = [(*of.corner, *np.add(of.corner, of.label_box.size)) for of in placed]
        for of, box in zip(placed, boxes, strict=True):
            others = [one.box for one in laid_out if one is not of] + [other for other in boxes if other is not box]
            assert not any(overlap(box, other) for other in others)


def corners(face: Face) -> tuple[float, float, float, float]:
    x, y, wide, high = face.box
    return x, y, x + wide, y + high


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_letters_keep_their_size_while_a_box_trembles_and_get_another_one_when_somebody_comes_near():
    trembling = walk(labels(), *([person(1, 200, side=80 + n % 3)] for n in range(20)))
    assert len({place.capital for [place] in trembling}) == 1
    nearer = walk(labels(), *([person(1, 100, 60, side=60 + 2 * n)] for n in range(80)))
    sizes = [place.capital for [place] in nearer]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_pictures_and_faces_without_a_number_are_drawn_alone():
    assert walk(labels(), [face(200, 120, 80)]) == [()]
    assert walk(SteadyLabels("none", Areas()), [person(1, 200)]) == [()]
