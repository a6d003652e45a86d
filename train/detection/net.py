"""The face detector's net: three grids of cells, each with a score, a box and five points.

Full 3 x 3 convolutions where the picture is large and the channels are few, which a CPU's kernels do at nearly their
peak; depthwise separable ones below, where the weights would be many. Features go down to stride 32 and back up to 8
(Lin et al. 2017), so that the cells of small faces know what is around them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import keras
from keras import layers

from stages.vision.detectors.cells import ANSWERS, STRIDES
from train.nets import channels

# At the start hardly any cell says "face" (Lin et al. 2018): the first steps would go into unlearning them.
RARE = -4.6


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of the stem, at strides 4, 8, 16 and 32, and of the grids."""

    stem: int = 16
    four: int = 32
    eight: int = 64
    sixteen: int = 96
    thirty_two: int = 112
    grids: int = 56

    def times(self, factor: float) -> Widths:
        return Widths(*(channels(width, factor) for width in dataclasses.astuple(self)))


def build(width: float = 1.0) -> keras.Model:
    """Pictures (N, H, W, 3) RGB from 0 to 255, sides multiples of 32, to answers (N, cells, 15), the finest grid first.

    `width`: factor of all channels.
    """
    widths = Widths().times(width)
    pixels = keras.Input((None, None, 3), name="picture", dtype="float32")
    x = layers.Rescaling(1 / 128, offset=-1)(pixels)
    x = full(x, widths.stem, 2)
    x = full(x, widths.four, 2)
    x = block(x)
    x = eight = block(block(full(x, widths.eight, 2)))
    x = sixteen = block(block(separable(x, widths.sixteen, 2)))
    x = block(separable(x, widths.thirty_two, 2))
    coarse = pointwise(x, widths.grids)
    middle = separable(joined(sixteen, coarse, widths.grids), widths.grids)
    fine = separable(joined(eight, middle, widths.grids), widths.grids)
    answers = [answered(grid, stride) for grid, stride in zip((fine, middle, coarse), STRIDES, strict=True)]
    return keras.Model(pixels, layers.Concatenate(axis=1, name="answers", dtype="float32")(answers))


def full(x, width: int, strides: int = 1):
    x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return activated(x)


def pointwise(x, width: int):
    return activated(layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal")(x))


def separable(x, width: int, strides: int = 1):
    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    return pointwise(x, width)


def block(x):
    """Two thirds of a bottleneck: what is added to the features is not cut off at zero."""
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = normalised(layers.Conv2D(x.shape[-1], 1, use_bias=False, kernel_initializer="he_normal")(y))
    return layers.ReLU()(layers.add([x, y]))


def joined(fine, coarse, width: int):
    upward = layers.UpSampling2D(2, interpolation="nearest")(coarse)
    return layers.add([pointwise(fine, width), upward])


def answered(grid, stride: int):
    x = separable(separable(grid, grid.shape[-1]), grid.shape[-1])
    rare = keras.initializers.Constant([RARE] + [0.0] * (ANSWERS - 1))
    x = layers.Conv2D(ANSWERS, 1, bias_initializer=rare, name=f"stride{stride}", dtype="float32")(x)
    return layers.Reshape((-1, ANSWERS))(x)


def activated(x):
    return layers.ReLU()(normalised(x))


def normalised(x):
    return layers.BatchNormalization(momentum=0.97, epsilon=1e-3)(x)
