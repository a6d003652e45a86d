"""The architectures: each takes pixels 0 to 255 as they are and gives features; heads of logits stand on them.

Scaling is the net's own first layer, so that training, export and stages cannot differ in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from train.data import DataError, Head
from train.recipe import Recipe


def build(recipe: Recipe) -> keras.Model:
    """The net of a recipe with fresh weights: (N, side, side, channels) -> logits (N, sum of labels), head by head."""
    geometry = recipe.geometry
    picture = keras.Input((geometry.height, geometry.width, geometry.channels), name="crop")
    pixels = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaled")(picture)
    features = architecture(recipe).features(pixels, recipe.width)
    features = layers.Dropout(recipe.dropout, name="dropout", seed=recipe.seed)(features)
    return keras.Model(picture, joined([logits_of(head, features) for head in recipe.what.heads]), name=recipe.task)


def logits_of(head: Head, features):
    # In float32 also where the rest is not: losses and calibration live on small differences.
    return layers.Dense(len(head.labels), name=head.name, dtype="float32")(features)


def joined(outputs: list):
    return layers.Concatenate(name="logits", dtype="float32")(outputs) if len(outputs) > 1 else outputs[0]


def mobile(pixels, width: float):
    """Inverted residuals with squeeze and excitation (Sandler 2018, Howard 2019), for faces of 48 to 64 pixels.

    The first block is fused (Tan, Le 2021): a depthwise convolution of so few channels saves nothing.
    """
    x = stem(pixels, channels(24, width))
    x = fused(x, channels(32, width), expansion=3, strides=2)
    x = inverted(x, channels(32, width), expansion=3)
    for count, repeats in ((72, 3), (136, 3)):
        for number in range(repeats):
            x = inverted(x, channels(count, width), expansion=4, strides=2 if number == 0 else 1)
    x = swish(normalised(convolution(x, channels(320, width), 1)))
    return layers.GlobalAveragePooling2D(name="features")(x)


def residual(pixels, width: float):
    """Plain 3 x 3 convolutions in residual blocks (He 2016): the quickest to train on a CPU."""
    x = stem(pixels, channels(32, width))
    for count in (48, 80, 128):
        x = basic(x, channels(count, width))
    return layers.GlobalAveragePooling2D(name="features")(x)


def wide_resnet(pixels, width: float, depth: int = 16):
    """Wide-ResNet 16-8 (Zagoruyko, Komodakis 2016) at width 1, preactivated, with squeeze and excitation.

    The three groups stand at a half, a quarter and an eighth of the side: faces are larger than CIFAR's 32 pixels.
    """
    x = convolution(pixels, 32, 3)
    for count in (128, 256, 512):
        for number in range((depth - 4) // 6):
            x = preactivated(x, channels(count, width), strides=2 if number == 0 else 1)
    x = relu(normalised(x))
    return layers.GlobalAveragePooling2D(name="features")(x)


def mini_xception(pixels, width: float):
    """mini-Xception (Arriaga, Valdenegro-Toro, Plöger 2017): separable convolutions beside a strided 1 x 1 one."""
    x = pixels
    for _ in range(2):
        x = relu(normalised(convolution(x, channels(8, width), 3)))
    for count in (16, 32, 64, 128):
        beside = normalised(convolution(x, channels(count, width), 1, strides=2))
        y = relu(normalised(separable(x, channels(count, width))))
        y = normalised(separable(y, channels(count, width)))
        x = layers.add([layers.MaxPooling2D(3, strides=2, padding="same")(y), beside])
    return layers.GlobalAveragePooling2D(name="features")(x)


def mobilenet(pixels, width: float, blocks: int = 12):
    """MobileNet (Howard et al. 2017), if not told otherwise without its last block, which has a third of all weights.

    Made to start from weights that were learned on millions of faces, so it has the build that others trained.
    """
    x = relu6(normalised(convolution(pixels, channels(32, width), 3, strides=2)))
    shapes = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for count, strides in shapes[:blocks]:
        x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
        x = relu6(normalised(convolution(relu6(normalised(x)), channels(count, width), 1)))
    return layers.GlobalAveragePooling2D(name="features")(x)


def vgg16(pixels, width: float):
    """VGG16 as trained on ImageNet, its convolutions only; `width` has no meaning here.

    DataError where the weights are neither in Keras's cache nor to be had.
    """
    colours = pixels if pixels.shape[-1] == 3 else layers.Concatenate()([pixels] * 3)
    # What VGG16 was trained on: BGR, as here, 0 to 255 less the mean of ImageNet's pixels, about 117.
    colours = layers.Rescaling(127.5, offset=10.5, name="imagenet")(colours)
    try:
        backbone = keras.applications.VGG16(
            include_top=False, weights=VGG16_WEIGHTS, input_shape=colours.shape[1:], name=BACKBONE
        )
    except Exception as error:  # noqa: BLE001  Keras raises a bare Exception where it cannot download
        raise DataError(f"The weights of VGG16 cannot be had ({str(error)[:150]}); connect to the internet.") from error
    return layers.GlobalAveragePooling2D(name="features")(backbone(colours))


VGG16_WEIGHTS = "imagenet"
BACKBONE = "backbone"  # the name of a pretrained part, which can be frozen


@dataclass(frozen=True, slots=True)
class Architecture:
    """A line of the table of nets."""

    features: Callable  # (pixels in [-1, 1], width) -> features (N, F)
    summary: str


ARCHITECTURES = {
    "mobile": Architecture(mobile, "inverted residuals; ours, for small nets that start from nothing"),
    "residual": Architecture(residual, "plain residual blocks; quickest to train on a CPU"),
    "mini_xception": Architecture(mini_xception, "the known small net, for comparison"),
    "wide_resnet": Architecture(wide_resnet, "Wide-ResNet 16-8: a teacher, too large to ship"),
    "mobilenet": Architecture(mobilenet, "MobileNet's first twelve blocks, to start from others' weights"),
    "vgg16": Architecture(vgg16, "VGG16 from ImageNet: frozen for `frozen` epochs, then trained further"),
}


def architecture(recipe: Recipe) -> Architecture:
    if recipe.architecture not in ARCHITECTURES:
        raise DataError(f"{recipe.architecture!r} is not an architecture; write one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[recipe.architecture]


def channels(count: int, width: float) -> int:
    """A multiple of 8: the kernels of every runtime work on eight channels at a time."""
    return max(8, round(count * width / 8) * 8)


def stem(pixels, width: int):
    """Halve large pictures at once: half of the arithmetic of a small net would be spent on their full size."""
    return swish(normalised(convolution(pixels, width, 3, strides=1 if pixels.shape[1] <= 48 else 2)))


def fused(x, width: int, expansion: int, strides: int):
    y = swish(normalised(convolution(x, x.shape[-1] * expansion, 3, strides)))
    return shortcut(x, normalised(convolution(y, width, 1)))


def inverted(x, width: int, expansion: int, strides: int = 1):
    wide = x.shape[-1] * expansion
    y = swish(normalised(convolution(x, wide, 1)))
    y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
    y = excited(swish(normalised(y)), wide // 8)
    return shortcut(x, normalised(convolution(y, width, 1)))


def shortcut(x, y):
    return layers.add([x, y]) if x.shape == y.shape else y


def excited(x, squeezed: int):
    """Squeeze and excitation (Hu 2018): each channel weighed by what the whole picture says."""
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(squeezed, 1, activation="relu")(weights)
    return layers.multiply([x, layers.Conv2D(x.shape[-1], 1, activation="hard_sigmoid")(weights)])


def basic(x, width: int):
    """Halve the picture: two 3 x 3 convolutions beside a pooled 1 x 1 one."""
    y = relu(normalised(convolution(x, width, 3, strides=2)))
    y = normalised(convolution(y, width, 3))
    beside = layers.AveragePooling2D(2, padding="same")(x)
    return relu(layers.add([y, normalised(convolution(beside, width, 1))]))


def preactivated(x, width: int, strides: int):
    activated = relu(normalised(x))
    beside = x if strides == 1 and x.shape[-1] == width else convolution(activated, width, 1, strides)
    y = convolution(activated, width, 3, strides)
    y = layers.SpatialDropout2D(0.1)(relu(normalised(y)))
    y = excited(convolution(y, width, 3), width // 8)
    return layers.add([beside, y])


def convolution(x, width: int, size: int, strides: int = 1):
    return layers.Conv2D(width, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")(
        x
    )


def separable(x, width: int):
    return layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x)


def normalised(x):
    return layers.BatchNormalization(momentum=0.97)(x)


def relu(x):
    return layers.ReLU()(x)


def relu6(x):
    return layers.ReLU(max_value=6)(x)


def swish(x):
    return layers.Activation("hard_swish")(x)


def trained_net(path: Path) -> keras.Model:
    """A net that a run saved; DataError if it is none."""
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be loaded ({error}); is the run at its end?") from error


def start_from(net: keras.Model, other: keras.Model) -> int:
    """Take over the weights of a net of the same build, heads only where they fit; return how many arrays."""
    names = {layer.name for layer in net.layers if isinstance(layer, layers.Dense)}
    mine = [layer for layer in net.layers if layer.weights and layer.name not in names]
    heads = {layer.name for layer in other.layers if isinstance(layer, layers.Dense)}
    theirs = [layer for layer in other.layers if layer.weights and layer.name not in heads]
    taken = 0
    for own, given in zip(mine, theirs, strict=True):
        if [w.shape for w in own.weights] != [w.shape for w in given.weights]:
            raise ValueError(f"{own.name} has other shapes than {given.name}")
        own.set_weights(given.get_weights())
        taken += len(own.weights)
    for name in names & heads:
        if net.get_layer(name).kernel.shape == other.get_layer(name).kernel.shape:
            net.get_layer(name).set_weights(other.get_layer(name).get_weights())
            taken += 2
    return taken


def learner(net: keras.Model, heads: tuple[Head, ...], teachers: list[keras.Model]) -> keras.Model:
    """The net as it is trained: alone, or with the averaged probabilities of its teachers after its own logits.

    Teachers see the same crops as the net (Beyer et al. 2022) and learn nothing. They may have more heads.
    """
    if not teachers:
        return net
    picture = keras.Input(net.input_shape[1:], name="crop")
    answers = []
    for number, teacher in enumerate(teachers):
        teacher.trainable = False
        shown = keras.Model(teacher.input, [teacher.get_layer(head.name).output for head in heads], name=f"t{number}")
        shown.trainable = False
        seen = picture
        if teacher.input_shape[-1] != net.input_shape[-1]:
            raise DataError(f"A teacher takes {teacher.input_shape[-1]} channels, the net {net.input_shape[-1]}.")
        given = shown(seen, training=False)
        given = given if isinstance(given, list) else [given]
        answers.append(joined_probabilities(given, number))
    mean = layers.Average(dtype="float32")(answers) if len(answers) > 1 else answers[0]
    return keras.Model(picture, layers.Concatenate(name="both", dtype="float32")([net(picture), mean]))


def joined_probabilities(logits: list, number: int):
    shares = [layers.Softmax(dtype="float32")(values) for values in logits]
    return layers.Concatenate(name=f"answers{number}", dtype="float32")(shares) if len(shares) > 1 else shares[0]
