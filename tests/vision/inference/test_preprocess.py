from __future__ import annotations

import numpy as np
import pytest

from stages.vision.inference.card import load_card
from stages.vision.inference.model import preprocess

COLOUR = {"width": 2, "height": 1, "channels": 3}
PIXELS = np.array([[[[0, 100, 255], [10, 20, 30]]]], dtype=np.uint8)  # one crop of two pixels, BGR


def numbers(write_card, **given):
    values = preprocess(load_card(write_card(input=COLOUR | given)), PIXELS)
    assert values.shape == PIXELS.shape and values.flags.c_contiguous
    return values


def test_a_range_maps_0_and_255_to_its_ends(write_card):
    values = numbers(write_card, range=[-1, 1])
    assert values.dtype == np.float32
    assert values[0, 0, 0] == pytest.approx([-1, 100 / 127.5 - 1, 1], abs=1e-6)


def test_mean_and_std_are_in_pixel_values_in_the_order_of_the_net(write_card):
    values = numbers(write_card, mean=[10, 20, 30], std=[1, 2, 4], order="rgb")
    assert values[0, 0] == pytest.approx(np.array([[245, 40, -7.5], [20, 0, -5]]), abs=1e-5)


def test_with_layout_nchw_every_channel_is_a_picture_of_its_own(write_card):
    card = {"width": 2, "height": 1, "channels": 3, "range": [0, 255], "order": "rgb", "layout": "nchw"}
    values = preprocess(load_card(write_card(input=card)), PIXELS)
    assert values.flags.c_contiguous
    assert values.tolist() == [[[[255, 30]], [[100, 20]], [[0, 10]]]]


def test_one_mean_serves_all_channels(write_card):
    assert numbers(write_card, mean=100, std=10)[0, 0, 1] == pytest.approx([-9, -8, -7], abs=1e-5)


def test_quantised_nets_get_the_pixels(write_card):
    assert np.array_equal(numbers(write_card, dtype="uint8"), PIXELS)
    assert np.array_equal(numbers(write_card, dtype="uint8", order="rgb"), PIXELS[..., ::-1])
    values = numbers(write_card, dtype="int8")
    assert values.dtype == np.int8
    assert values[0, 0].tolist() == [[-128, -28, 127], [-118, -108, -98]]


def test_crops_of_another_size_or_type_are_a_mistake_of_the_caller(write_card):
    card = load_card(write_card(input=COLOUR | {"range": [0, 1]}))
    with pytest.raises(ValueError, match=r"emotion takes crops uint8 \(N, 1, 2, 3\), not uint8 \(1, 2, 1, 3\)"):
        preprocess(card, PIXELS.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match="not float32"):
        preprocess(card, PIXELS.astype(np.float32))
