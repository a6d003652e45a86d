from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.answers import Age, Classes, Value
from stages.areas import Areas
from stages.frames import Face
from stages.view.overlay.draw import annotate
from stages.view.overlay.gliding import Motion
from stages.view.overlay.labels import (
    ID_COLOURS,
    LABEL_COLOURS,
    Bar,
    brief_lines,
    everything_about,
    id_colour,
    lines_about,
    tag_of,
)
from stages.view.overlay.placement import place_label_boxes
from stages.view.overlay.scene import Choice, Placed, Spot
from tests.results.frames import ANSWERS, face, flat

SIZES = [(16, 16), (1, 1), (2, 300), (300, 2), (128, 128), (640, 360), (1920, 1080)]
CROWD = [face(0.1 * n, 0.07 * n, 0.2) for n in range(12)]


def texts(of: Face, show=None) -> list[str]:
    return [line.text for line in lines_about(of, show)]


def faces_in(width: int, height: int) -> list[Face]:
    """Faces in the middle, at all edges, beyond them, and larger than the picture."""
    places = [(0.4, 0.3, 0.3), (-0.1, -0.1, 0.3), (0.9, 0.8, 0.4), (2, 2, 0.5), (-3, 0.2, 0.2), (-1, -1, 4)]
    return [face(x * width, y * height, side * height) for x, y, side in places]


def test_a_label_says_what_and_how_sure():
    assert texts(face(0, 0, 10)) == ["woman 97 %", "happy 91 %", "age 31 (25-38)"]


def test_an_attribute_of_ones_own_names_itself():
    own = face(0, 0, 10, glasses=Classes("none", 0.88, {}), beauty=Value(3.14159))
    assert texts(own)[3:] == ["glasses: none 88 %", "beauty: 3.142"]


def test_at_a_glance_a_face_has_one_line_and_a_bar_for_its_emotion():
    assert brief(face(0, 0, 10)) == [("woman 31", None), ("happy", 0.91)]
    assert brief(face(0, 0, 10), frozenset({"age"})) == [("age 31", None)]
    assert brief(face(0, 0, 10), frozenset({"gender", "age"})) == [("woman 31", None)]
    own = face(0, 0, 10, glasses=Classes("none", 0.88, {}), beauty=Value(3.14159))
    assert brief(own)[2:] == [("glasses: none", None), ("beauty: 3.142", None)]
    assert brief(Face((0, 0, 9, 9), 0.876)) == []


def brief(of: Face, show=None) -> list[tuple[str, float | None]]:
    return [(line.text, line.share if isinstance(line, Bar) else None) for line in brief_lines(of, show)]


def test_how_sure_the_detector_is_stands_only_where_everything_does():
    nameless = Face((0, 0, 9, 9), 0.876)
    assert (texts(nameless), everything(nameless)) == (["face"], ["face 88 %"])


def test_several_faces_of_a_picture_are_numbered_from_left_to_right_and_a_person_of_a_video_keeps_the_number():
    one = face(0, 0, 10)
    assert [tag_of(one, place).name for place in (1, 2)] == ["1", "2"]
    assert tag_of(one, 1, is_alone=True).name == "" and tag_of(one, None).name == ""
    assert tag_of(replace(one, id=4), 1).name == "#4"
    assert [lines[0].text for lines in (of(one, None, tag_of(one, 2)) for of in (lines_about, brief_lines))] == [
        "2  woman 97 %",
        "2  woman 31",
    ]


def test_labels_that_are_switched_off_are_not_said():
    assert texts(face(0, 0, 10), frozenset({"age"})) == ["age 31 (25-38)"]
    assert texts(face(0, 0, 10), frozenset()) == []


def test_the_range_of_a_newborn_does_not_begin_below_zero():
    assert texts(Face((0, 0, 9, 9), 1.0, {"age": Age(0.4, -0.4, 3, "0-9")})) == ["age 0 (0-3)"]


def test_a_long_label_is_shortened_but_keeps_its_confidence():
    (text,) = texts(Face((0, 0, 9, 9), 1.0, {"mood": Classes("very " * 30, 0.5, {})}))
    assert len(text) == 40 and text.endswith(" 50 %")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("faces", ["some", "none"])
@pytest.mark.parametrize("style", ["compact", "plain", "full"])
def test_any_picture_can_be_drawn_on_and_is_itself_left_alone(size, faces, style):
    pixels = flat(*size)
    pixels.flags.writeable = False
    drawn = annotate(
        pixels, faces_in(*size) if faces == "some" else [], missing=["age"], error="no detector " * 20, style=style
    )
    assert drawn.shape == pixels.shape and drawn.dtype == np.uint8
    assert (pixels == 128).all() and not np.shares_memory(drawn, pixels)


def test_a_huge_picture_gets_letters_of_its_own_size():
    drawn = annotate(flat(8000, 6000), [face(3000, 2000, 1800)])
    rows = np.flatnonzero((drawn[:, 4900:] == 255).all(axis=2).any(axis=1))
    assert rows[-1] - rows[0] > 300  # two lines of text, to the right of the face


def test_a_frame_without_faces_is_the_picture(astronaut):
    assert np.array_equal(annotate(astronaut, []), astronaut)


def test_equal_frames_are_drawn_equally(astronaut):
    view = np.ascontiguousarray(astronaut[::-1])[::-1]  # not contiguous
    assert np.array_equal(annotate(astronaut, CROWD), annotate(view, CROWD))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_text_and_box_stand_out_on_any_ground(grey):
    drawn = annotate(flat(640, 360, grey), [face(200, 80, 120)])
    label_box = drawn[75:210, 324:].reshape(-1, 3).max(axis=1)
    text, ground = label_box[label_box > 230], label_box[(label_box < 100) & (label_box != grey)]
    assert len(text) > 300 and len(ground) > 3000
    assert contrast(int(text.min()), int(ground.max())) > 4.5  # what WCAG 2 asks of text
    edge = drawn[140, 195:206].astype(int)  # from left to right over the box's side
    assert np.abs(edge - grey).max() > 90
    assert (np.abs(edge - id_colour(1)).sum(axis=1) < 60).any()


def contrast(light: int, dark: int) -> float:
    """The contrast ratio of two greys as WCAG 2 defines it."""
    light_l, dark_l = (((v / 255 + 0.055) / 1.055) ** 2.4 for v in (light, dark))
    return (light_l + 0.05) / (dark_l + 0.05)


def test_all_four_sides_of_a_face_at_the_edge_are_drawn():
    drawn = annotate(flat(640, 360), [face(560, 250, 200)], show=frozenset()).astype(int)
    changed = np.abs(drawn - 128).max(axis=2) > 40
    assert changed[300, 555:565].any() and changed[300, 636:].any()
    assert changed[245:255, 600].any() and changed[356:, 600].any()


def test_a_label_box_touches_nothing_but_its_own_region():
    drawn = annotate(flat(640, 360), [face(200, 80, 120)])
    rows, columns = np.nonzero((drawn != 128).any(axis=2))
    assert rows.min() >= 76 and rows.max() < 204 and columns.min() >= 196 and columns.max() < 450


def test_label_boxes_lie_in_the_picture_and_beside_every_face_where_there_is_room():
    boxes = np.array([(100, 100, 200, 200), (100, 210, 200, 310), (500, 200, 620, 359)], float)
    placed = place_label_boxes(boxes, [OF_ONE_SIZE] * 3, 4, 640, 360)
    label_boxes = [rectangle(one, (120, 50)) for one in placed]
    assert all(x1 >= 0 and y1 >= 0 and x2 <= 640 and y2 <= 360 for x1, y1, x2, y2 in label_boxes)
    rectangles = [*map(tuple, boxes), *label_boxes]
    assert [(a, b) for a in label_boxes for b in rectangles if a is not b and overlap(a, b)] == []


OF_ONE_SIZE = [Choice((120, 50), 0.2)]


def rectangle(placed: Placed, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = placed.corner
    return left, top, left + size[0], top + size[1]


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_a_label_box_stands_beside_the_head_and_not_on_the_body():
    [beside] = place_label_boxes(np.array([(300.0, 100.0, 400.0, 200.0)]), [OF_ONE_SIZE], 4, 640, 360)
    assert rectangle(beside, (120, 50)) == (404, 100, 524, 150)
    [above] = place_label_boxes(np.array([(100.0, 100.0, 200.0, 200.0)]), [OF_ONE_SIZE], 4, 300, 360)
    assert rectangle(above, (120, 50))[3] <= 100


def test_a_face_that_fills_the_picture_still_has_its_label_box_in_it():
    [placed] = place_label_boxes(np.array([(0.0, 0.0, 639.0, 359.0)]), [OF_ONE_SIZE], 4, 640, 360)
    x, y = placed.corner
    assert 0 <= x <= 520 and 0 <= y <= 310


def test_where_the_larger_label_box_would_hide_something_the_smaller_one_is_taken():
    left, right = (10.0, 10.0, 70.0, 70.0), (110.0, 10.0, 170.0, 70.0)
    choices = [[Choice((90, 60), 0.05), Choice((30, 20), 0.2)]]
    [alone] = place_label_boxes(np.array([left]), choices, 4, 180, 100)
    beside, _ = place_label_boxes(np.array([left, right]), [*choices, []], 4, 180, 100)
    assert (alone.spot.choice, beside.spot.choice) == (0, 1)


def test_a_label_box_that_would_hide_a_face_is_not_drawn():
    small, large = (0.0, 0.0, 60.0, 60.0), (62.0, 0.0, 130.0, 60.0)
    assert place_label_boxes(np.array([small, large]), [[Choice((130, 58), 0.2)], []], 4, 130, 60) == [None, None]
    assert place_label_boxes(np.array([small]), [[Choice((50, 50), 0.2)]], 4, 60, 60) == [None]


def test_the_face_in_a_small_picture_stays_visible():
    for side in (30, 44, 60, 90):
        drawn = annotate(flat(100, 100), [face(50 - side / 2, 50 - side / 2, side)])
        inner = drawn[50 - side // 2 + 5 : 50 + side // 2 - 5, 50 - side // 2 + 5 : 50 + side // 2 - 5]
        assert (inner == 128).all(axis=2).mean() > 0.75


def test_a_label_box_stays_where_it_is_until_it_covers_something():
    face_box, size = (300.0, 100.0, 400.0, 200.0), (120, 50)

    def placed(former: Spot, *others: tuple, may_move: bool = False) -> Placed:
        boxes = np.array([face_box, *others])
        choices = [OF_ONE_SIZE, *[[] for _ in others]]
        spots, moves = [former, *[None] * len(others)], [may_move] * len(boxes)
        return place_label_boxes(boxes, choices, 4, 640, 360, former=spots, may_move=moves)[0]

    left, below, right = Spot(0, 1), Spot(0, 8), Spot(0, 0)
    assert [placed(spot).spot for spot in (left, below, right)] == [left, below, right]
    moved = placed(right, (450.0, 80.0, 550.0, 180.0))
    assert moved.spot != right and not overlap(rectangle(moved, size), (450, 80, 550, 180))
    # One that may move goes to a much better place, beside the head, but not to one that is hardly better.
    assert placed(below, may_move=True).spot == right and placed(left, may_move=True).spot == left


CROWDS = st.lists(st.tuples(st.integers(-60, 620), st.integers(-60, 340), st.integers(20, 200)), max_size=10)
SHIFTS = st.just((0.0, 0.0)) | st.tuples(st.floats(-3, 3), st.floats(-3, 3))
SPOTS = st.none() | st.builds(Spot, st.integers(0, 2), st.integers(0, 10), SHIFTS)


@given(CROWDS, st.data())
def test_no_label_box_of_any_crowd_leaves_the_picture_or_covers_another_face_or_label_box(crowd, data):
    boxes = np.array([(x, y, x + side, y + side) for x, y, side in crowd], float).reshape(-1, 4).clip(0, [639, 359] * 2)
    sizes = (150, 120), (120, 50), (80, 34)
    choices = [[Choice(sizes[0], 0.05), None if data.draw(st.booleans()) else Choice(sizes[1], 0.05)]] * len(crowd)
    choices = [[*of_face, Choice(sizes[2], 0.2)] for of_face in choices]
    former = [data.draw(SPOTS) for _ in crowd]
    may_move = [data.draw(st.booleans()) for _ in crowd]
    written = [(0, 330, 200, 360)]
    velocities = np.array([data.draw(st.tuples(*[st.integers(-300, 300)] * 2)) for _ in crowd]).reshape(-1, 2)
    motion = (
        Motion(velocities, 0.04, np.array([(300, 100, 380, 180)]), np.array([(-50, 0)]))
        if data.draw(st.booleans())
        else None
    )
    placed = place_label_boxes(boxes, choices, 4, 640, 360, written, former, may_move, motion)
    for number, found in enumerate(placed):
        if found is None:
            continue
        label_box = rectangle(found, sizes[found.spot.choice])
        assert label_box[0] >= 0 and label_box[1] >= 0 and label_box[2] <= 640 and label_box[3] <= 360
        assert not any(overlap(label_box, other) for other in written)
        assert not any(overlap(label_box, other) for other in np.delete(boxes, number, axis=0))
        written.append(label_box)
    # Asked again, nothing moves.
    spots = [found and found.spot for found in placed]
    if None not in spots:
        assert place_label_boxes(boxes, choices, 4, 640, 360, [(0, 330, 200, 360)], spots) == placed


EMOTIONS = {"angry": 0.02, "fear": 0.03, "happy": 0.1, "neutral": 0.85, "sad": 0.004}


def everything(of: Face, show=None) -> list[str]:
    lines = everything_about(of, show, tag_of(of, None))
    return [f"{line.text} {line.said}" if isinstance(line, Bar) else line.text for line in lines]


def test_in_full_style_every_emotion_that_is_not_at_0_has_a_bar_the_strongest_first():
    one = face(0, 0, 10, emotion=Classes("neutral", 0.85, EMOTIONS))
    bars = ["neutral 85 %", "happy 10 %", "fear 3 %", "angry 2 %"]
    assert everything(one) == ["face 98 %", "woman 97 %", *bars, "age 31 (25-38)"]
    assert everything(replace(one, id=4)) == ["#4  face 98 %", "woman 97 %", *bars, "age 31 (25-38)"]
    assert everything(replace(one, id=4), frozenset({"emotion"})) == ["#4  face 98 %", *bars]


def test_a_bar_is_as_long_as_its_share():
    def filled(happy: float) -> int:
        scores = {"happy": happy, "sad": 0.0, "neutral": 1 - happy}
        one = Face((60, 60, 200, 200), 0.9, {"emotion": Classes("happy", happy, scores)}, id=2)
        drawn = annotate(flat(960, 540, 0), [one], frozenset({"emotion"}), style="full")
        row = (drawn == LABEL_COLOURS["happy"]).all(axis=2).sum(axis=1).max()
        return int(row)

    assert filled(0.9) > 1.5 * filled(0.5) > 0


def test_style_none_draws_nothing_and_each_of_the_others_something_else(astronaut):
    one = [face(180, 60, 120, emotion=Classes("neutral", 0.85, EMOTIONS))]
    assert np.array_equal(annotate(astronaut, one, missing=["age"], style="none"), astronaut)
    drawn = [annotate(astronaut, one, style=style) for style in ("none", "compact", "plain", "full")]
    assert not any(np.array_equal(a, b) for a, b in combinations(drawn, 2))


def test_zones_and_lines_are_drawn_but_not_in_style_none(astronaut):
    zone, line = {"door": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}, {"way": [[0, 0.5], [1, 0.5]]}
    without = annotate(astronaut, [])
    drawn = [annotate(astronaut, [], areas=Areas.of(*areas)) for areas in ((zone, {}), ({}, line), (zone, line))]
    assert all((picture != without).any() for picture in drawn)
    assert (drawn[2] != drawn[0]).any() and (drawn[2] != drawn[1]).any()
    assert (annotate(astronaut, [], style="none", areas=Areas.of(zone, line)) == astronaut).all()


@pytest.mark.parametrize("size", SIZES)
def test_zones_and_lines_can_be_drawn_on_any_picture(size):
    areas = Areas.of({"door": [[0, 0], [1, 0], [1, 1]]}, {"way": [[1, 1], [1, 0.9]]})
    assert annotate(flat(*size), faces_in(*size), areas=areas).shape == flat(*size).shape


def test_the_arrow_of_a_line_points_in():
    upwards = annotate(flat(100, 100), [], areas=Areas.of({}, {"way": [[0.5, 1], [0.5, 0]]}))
    changed = (upwards != 128).any(axis=2)[45:55]  # Around its middle, where its name does not stand.
    assert changed[:, 54:].any() and not changed[:, :46].any()


def test_who_is_followed_has_a_colour_of_their_own():
    drawn = [annotate(flat(640, 360), [replace(face(200, 80, 120), id=n)], frozenset())[140, 195:206] for n in (1, 2)]
    assert not np.array_equal(*drawn)
    assert id_colour(1) == id_colour(1 + len(ID_COLOURS)) and len(set(ID_COLOURS)) == len(ID_COLOURS)


# Simulation of deuteranopia and protanopia in linear RGB, Machado, Oliveira and Fernandes 2009, table 1, severity 1.
SEEN_BY = {
    "most people": np.eye(3),
    "deuteranopia": [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)],
    "protanopia": [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)],
}


SEVEN_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_twelve_people_and_seven_emotions_have_colours_that_are_told_apart_also_by_colour_blind_people(eyes):
    assert len(ID_COLOURS) == 12
    assert smallest_distance(ID_COLOURS, eyes) > 16  # Okabe and Ito's seven: 17
    assert smallest_distance([LABEL_COLOURS[label] for label in SEVEN_EMOTIONS], eyes) > 24


def smallest_distance(colours: Iterable[tuple[int, int, int]], eyes: str) -> float:
    """The smallest distance of two of these colours, BGR, in CIELAB, as such eyes see them."""
    bgr = np.array(list(colours)) / 255
    linear = np.where(bgr <= 0.04045, bgr / 12.92, ((bgr + 0.055) / 1.055) ** 2.4)[:, ::-1]
    seen = np.clip(linear @ np.array(SEEN_BY[eyes]).T, 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(encoded[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    return min(np.linalg.norm(a - b) for a, b in combinations(lab, 2))


def test_what_is_smoothed_is_what_is_drawn():
    one = replace(face(0, 0, 10), smoothed={"age": Age(40.0, 30.0, 50.0, "40-49")})
    assert texts(one) == ["woman 97 %", "happy 91 %", "age 40 (30-50)"]


def test_a_frame_says_what_it_is_missing():
    drawn = annotate(flat(640, 360), [], missing=["age"])
    corner = drawn[330:, :200]
    assert (corner > 230).all(axis=2).sum() > 50 and (drawn[:320] == 128).all()


def test_what_a_frame_lacks_and_the_labels_of_a_face_above_it_can_both_be_read():
    of_face = face(10, 230, 60)
    with_notice, alone = (annotate(flat(640, 360), [of_face], missing=lacks) for lacks in (["age"], []))
    notice = annotate(flat(640, 360), [], missing=["age"])
    changed = (notice != 128).any(axis=2)
    assert np.array_equal(with_notice[changed], notice[changed])
    white = [(drawn > 230).all(axis=2).sum() for drawn in (with_notice, alone, notice)]
    assert white[0] == pytest.approx(white[1] + white[2], rel=0.1)


def test_characters_that_take_no_room_are_not_drawn_and_breaks_are_spaces():
    drawn = [
        annotate(flat(640, 360), [Face((200, 80, 120, 120), 1.0, {"emotion": Classes(label, 0.5, {})})])
        for label in ("at\u200b ea\u202ese\ufe0f", "at\u00a0ease", "at\nease")
    ]
    assert np.array_equal(drawn[0], drawn[1]) and np.array_equal(drawn[1], drawn[2])


def test_labels_outside_ascii_are_drawn_as_near_as_the_font_can():
    odd = Face((200, 80, 120, 120), 1.0, {"emotion": Classes("müde", 0.5, {})})
    plain = Face((200, 80, 120, 120), 1.0, {"emotion": Classes("mude", 0.5, {})})
    assert np.array_equal(annotate(flat(640, 360), [odd]), annotate(flat(640, 360), [plain]))


def test_an_answer_that_is_no_number_does_not_stop_the_drawing():
    nan = float("nan")
    broken = Face((200, 80, 120, 120), nan, {"age": Age(nan, nan, nan, "?"), "gender": Classes("man", nan, {})})
    assert texts(broken) == ["age nan (nan-nan)", "man nan %"]
    assert annotate(flat(640, 360), [broken]).shape == (360, 640, 3)


def test_every_label_of_the_answers_has_a_colour():
    assert {a.label for a in ANSWERS.values() if isinstance(a, Classes)} <= set(LABEL_COLOURS)
