"""The nets of our own. All end in logits; softmax and temperature belong to the card."""

from __future__ import annotations

import keras
from keras import layers


def residual(input_shape: tuple[int, int, int], outputs: int, widths: tuple[int, ...], dropout: float) -> keras.Model:
    """A small residual net: (N, height, width, channels) in [-1, 1] -> logits (N, outputs).

    Plain 3 x 3 convolutions rather than separable ones: on a two-core CPU this trained 1.7 times as fast as a
    mini-Xception of a quarter of the parameters, and LiteRT takes 0.48 ms of CPU time a face of 64 x 64 against 0.64.
    """
    picture = keras.Input(input_shape, name="crop")
    x = relu(normalised(convolution(picture, widths[0], 3, strides=2)))
    for number, width in enumerate(widths[1:], start=1):
        x = block(x, width, f"block{number}")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(outputs, name="logits", dtype="float32")(x)
    return keras.Model(picture, logits)


def block(x, width: int, name: str):
    """Halve the picture: two 3 x 3 convolutions beside a pooled 1 x 1 one."""
    y = relu(normalised(convolution(x, width, 3, strides=2)))
    y = normalised(convolution(y, width, 3))
    shortcut = layers.AveragePooling2D(2, padding="same")(x)
    shortcut = normalised(convolution(shortcut, width, 1))
    return layers.ReLU(name=name)(layers.add([y, shortcut]))


def convolution(x, width: int, size: int, strides: int = 1):
    return layers.Conv2D(width, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")(
        x
    )


def normalised(x):
    return layers.BatchNormalization(momentum=0.97)(x)


def relu(x):
    return layers.ReLU()(x)


def start_from(model: keras.Model, other: keras.Model) -> int:
    """Take over the weights of a net of the same build, its last layer only where that fits; return how many arrays."""
    taken = 0
    for mine, theirs in zip(model.layers, other.layers, strict=True):
        if [w.shape for w in mine.weights] != [w.shape for w in theirs.weights]:
            if mine is model.layers[-1]:
                continue  # another task has other classes
            raise ValueError(f"{mine.name} has other shapes than {theirs.name}")
        if mine.weights:
            mine.set_weights(theirs.get_weights())
            taken += len(mine.weights)
    return taken
