"""EfficientNet-Lite: the family of the two ImageNet networks that come with the course.

Plain networks to learn on: "inverted bottleneck" blocks of ordinary convolutions, batch normalisation and ReLU6;
4.7 million parameters in Lite0, 6.1 million in Lite2; fast on a CPU. EfficientNet-Lite is EfficientNet without what
mobile processors dislike: no squeeze-and-excite, and ReLU6 in place of swish. A larger variant has wider and more
blocks and is given larger pictures; stem and head stay as they are.

Sources: M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019 (arXiv:1905.11946); the release notes of EfficientNet-Lite (github.com/tensorflow/tpu, in
models/official/efficientnet/lite). How the weights were converted, and how well they agree with the original:
`data/weights/CARD.md`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np

from .. import cards
from ..errors import UserInputError
from ..validation import shown
from .recipes import RECIPES

if (
    TYPE_CHECKING
):  # Keras takes seconds to import, and `import tlcourse` must not wait for it
    import keras

BUNDLED_CLASSES = 1000
FEATURES = 1280
FEATURES_OUTPUT, CLASSIFIER_OUTPUT = "features", "classifier"
BATCH_NORM_EPSILON = 1e-3  # as the original

SCALING = {  # name → how many times wider and deeper than the smallest; `recipes` knows the pictures' size
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite2": (1.1, 1.2),
}

# One row a stage of the smallest. Expansion: how many times more channels a block has inside than it is given.
_STAGES = (
    # blocks, kernel size, stride of the first block, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32

_SMALLEST_SIDE = 32  # five steps of stride 2 leave one position of it

# Random starting weights as in the original. Descriptions rather than objects: one initializer object, used
# for several layers, can hand all of them the same numbers.
_CONV_START = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
_CLASSIFIER_START = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}


def EfficientNetLite(
    variant: str = "efficientnet_lite0",
    include_top: bool = True,
    weights: str | os.PathLike | None = "bundled",
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int = BUNDLED_CLASSES,
    name: str | None = None,
    input_tensor: keras.KerasTensor | None = None,
) -> keras.Model:
    """Build an EfficientNet-Lite as a functional Keras model, in the manner of `keras.applications`.

    The input is a batch of pictures ALREADY preprocessed: RGB, float32, `(pixel - 127) / 128` of pixels
    0 … 255, shape (n, height, width, 3). The network does not scale pixels itself;
    `tl.load_pretrained_model` puts that in front.

    Two things of the original's training are left out on purpose: the dropout before the classifier, and the
    random skipping of blocks (stochastic depth). Neither has weights, neither acts at prediction, and without
    them no randomness enters the features of a frozen network during `fit`.

    Args:
        variant: "efficientnet_lite0" or "efficientnet_lite2".
        include_top: end in the classifier, a softmax over `classes`. False: end in features.
        weights: "bundled" (trained on ImageNet), None (random), or the path of an .npz in the bundled file's
            layout: one array for each Keras weight, named `<layer name>/<weight name>`, float16 or float32.
        input_shape: (height, width, 3). Height and width may be None or any number from 32. None: the size that
            the bundled weights were trained at, 224 × 224 (Lite0) or 260 × 260 (Lite2).
        pooling: what follows the features where `include_top` is False. None: nothing; "avg" or "max": the
            average or the maximum over all positions.
        classes: number of classes of the classifier; 1000 where the weights are the bundled ones.
        name: name of the model; the variant's if none is given.
        input_tensor: Keras tensor to build on, such as the output of preprocessing layers; what it was
            computed from becomes the model's input. None: a new input of `input_shape`.

    Returns:
        A model with one float32 output: (n, classes) probabilities; or without the top
        (n, ⌈height / 32⌉, ⌈width / 32⌉, 1280) features, or (n, 1280) features where `pooling` is set.

    Raises:
        UserInputError: an argument cannot be used, or the .npz at the given path does not fit the network.
        DamagedFile: the bundled weights are missing, cut short or altered.
    """
    _check_variant(variant)
    size = RECIPES[variant].size
    input_shape = (
        (size, size, 3) if input_shape is None else _checked_input_shape(input_shape)
    )
    _check_pooling(pooling, include_top)
    _check_classes(classes, include_top, weights)
    path = _weights_path(variant, weights)

    from keras import Input, Model, layers, utils

    picture = (
        Input(input_shape, name="preprocessed_picture")
        if input_tensor is None
        else input_tensor
    )
    x = _conv_bn(picture, "stem", STEM_CHANNELS, kernel_size=3, strides=2)
    x = layers.ReLU(max_value=6, name="stem_relu6")(x)
    for block, kernel_size, strides, expansion, channels in block_table(variant):
        x = _inverted_bottleneck(x, block, kernel_size, strides, expansion, channels)
    x = _conv_bn(x, "head", FEATURES)
    x = layers.ReLU(max_value=6, name="head_relu6")(x)

    if include_top or pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="average_pooling")(x)
    elif pooling == "max":
        x = layers.GlobalMaxPooling2D(name="maximum_pooling")(x)
    if include_top:
        x = layers.Dense(
            classes, "softmax", kernel_initializer=_CLASSIFIER_START, name="classifier"
        )(x)

    (source,) = utils.get_source_inputs(picture)
    model = Model(source, x, name=name or variant)
    if path is not None:
        _load_weights(model, path)
    return model


def _inverted_bottleneck(
    x: keras.KerasTensor,
    block: str,
    kernel_size: int,
    strides: int,
    expansion: int,
    channels: int,
) -> keras.KerasTensor:
    """Widen with a 1 × 1 convolution, filter each channel by itself, narrow again; add the input if it fits.

    The narrow end has no activation: a ReLU there would destroy what few channels carry (Sandler et al.,
    "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018).
    """
    from keras import layers

    given = x
    channels_given = x.shape[-1]
    if expansion != 1:
        x = _conv_bn(x, f"{block}_expand", channels_given * expansion)
        x = layers.ReLU(max_value=6, name=f"{block}_expand_relu6")(x)
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=_CONV_START,
        name=f"{block}_depthwise_conv",
    )(x)
    x = _batch_norm(x, f"{block}_depthwise")
    x = layers.ReLU(max_value=6, name=f"{block}_depthwise_relu6")(x)
    x = _conv_bn(x, f"{block}_project", channels)
    if strides == 1 and channels == channels_given:
        x = layers.Add(name=f"{block}_add")([x, given])
    return x


def _conv_bn(
    x: keras.KerasTensor,
    prefix: str,
    channels: int,
    kernel_size: int = 1,
    strides: int = 1,
) -> keras.KerasTensor:
    """A convolution and its batch normalisation, named `<prefix>_conv` and `<prefix>_bn`."""
    from keras import layers

    x = layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",  # as in the original and its PyTorch port: at stride 2 only the far edges are padded
        use_bias=False,  # the batch normalisation that follows has one
        kernel_initializer=_CONV_START,
        name=f"{prefix}_conv",
    )(x)
    return _batch_norm(x, prefix)


def _batch_norm(x: keras.KerasTensor, prefix: str) -> keras.KerasTensor:
    from keras import layers

    return layers.BatchNormalization(
        momentum=0.99, epsilon=BATCH_NORM_EPSILON, name=f"{prefix}_bn"
    )(x)


def bundled_weights(variant: str) -> Path:
    """The path of a variant's bundled weights.

    Raises:
        DamagedFile: they are missing, cut short or altered.
    """
    return cards.bundled_file("weights", RECIPES[variant].files[0])


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of an .npz of weights, named `<layer name>/<weight name>`; the bundled ones are float16 and float32.

    Raises:
        UserInputError: the file is no .npz archive of arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (
        Exception
    ) as reason:  # NumPy answers damaged archives with half a dozen kinds of error
        raise UserInputError(
            f"The weights file {path} cannot be read as an .npz archive of arrays ({reason}). "
            'Give a file written with np.savez, or use weights="bundled".'
        ) from reason


def block_table(variant: str) -> list[tuple[str, int, int, int, int]]:
    """Name, kernel size, stride, expansion and channels out of each block between stem and head.

    In a larger variant all stages are wider, and all but the first and the last are deeper.
    """
    width, depth = SCALING[variant]
    rows = []
    for stage, (blocks, kernel_size, strides, expansion, channels) in enumerate(
        _STAGES, 1
    ):
        if 1 < stage < len(_STAGES):
            blocks = math.ceil(depth * blocks)
        for letter in ascii_lowercase[:blocks]:
            rows.append(
                (
                    f"block{stage}{letter}",
                    kernel_size,
                    strides,
                    expansion,
                    _rounded(width * channels),
                )
            )
            strides = 1
    return rows


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, or the next larger where that would be more than a tenth less: the original's rule."""
    nearest = int(channels + 4) // 8 * 8
    return nearest if nearest >= 0.9 * channels else nearest + 8


def block_layers(variant: str) -> dict[str, list[str]]:
    """Block name → names of its layers, from input to output, without building the network.

    Every layer's name begins with its block's name and an underscore.
    """
    layers = {"stem": ["stem_conv", "stem_bn", "stem_relu6"]}
    channels = STEM_CHANNELS
    for block, _, strides, expansion, out in block_table(variant):
        expand = ["expand_conv", "expand_bn", "expand_relu6"] if expansion != 1 else []
        end = ["add"] if strides == 1 and channels == out else []
        parts = [
            *expand,
            "depthwise_conv",
            "depthwise_bn",
            "depthwise_relu6",
            "project_conv",
            "project_bn",
            *end,
        ]
        layers[block] = [f"{block}_{part}" for part in parts]
        channels = out
    return layers | {"head": ["head_conv", "head_bn", "head_relu6"]}


def _load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Set every weight of `model` from the .npz at `path`; arrays that it has no use for are left out."""
    arrays = read_weights(path)
    for layer in model.layers:
        for weight in layer.weights:
            key = f"{layer.name}/{weight.name}"
            if key not in arrays:
                raise UserInputError(
                    f"The weights file {path} has no array named {key!r}, which the network needs. "
                    "Write one array for each weight, named <layer name>/<weight name>."
                )
            if arrays[key].shape != tuple(weight.shape):
                raise UserInputError(
                    f"In the weights file {path} the array {key!r} has the shape {arrays[key].shape}, "
                    f"but this network needs {tuple(weight.shape)}. Was it written for other `classes`?"
                )
            weight.assign(arrays[key].astype("float32"))


def _weights_path(
    variant: str, weights: str | os.PathLike | None
) -> str | os.PathLike | None:
    """The path of the .npz to load, with the bundled file's checksum compared; None for random weights."""
    if weights is None:
        return None
    if isinstance(weights, str) and weights == "bundled":
        return bundled_weights(variant)
    if isinstance(weights, str | os.PathLike) and os.path.isfile(weights):
        return weights
    raise UserInputError(
        f'weights={shown(weights)} is neither "bundled", nor None, nor the path of a file. '
        'Use "bundled" for the ImageNet weights, None for random ones, or the path of an .npz file.'
    )


def _check_variant(variant: str) -> None:
    if not isinstance(variant, str) or variant not in SCALING:
        raise UserInputError(
            f"There is no EfficientNet-Lite {shown(variant)} here. Known: {', '.join(SCALING)}."
        )


def _checked_input_shape(
    input_shape: Sequence[int | None],
) -> tuple[int | None, int | None, int]:
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    sides, channels = shape[:-1], shape[-1:]
    sides_fit = all(
        side is None or (_is_whole(side) and side >= _SMALLEST_SIDE) for side in sides
    )
    if len(shape) != 3 or channels != (3,) or not sides_fit:
        raise UserInputError(
            f"input_shape={shown(input_shape)} cannot be used: expected (height, width, 3), where height and "
            f"width are None or at least {_SMALLEST_SIDE}. Enlarge smaller pictures first; repeat the one "
            "channel of grey pictures three times."
        )
    return shape


def _check_pooling(pooling: str | None, include_top: bool) -> None:
    if pooling not in (None, "avg", "max"):
        raise UserInputError(
            f'pooling={shown(pooling)} is unknown: use None, "avg" or "max".'
        )
    if include_top and pooling is not None:
        raise UserInputError(
            f"pooling={shown(pooling)} has no effect with include_top=True, whose classifier follows average "
            "pooling. Use include_top=False to get features, or leave pooling out."
        )


def _check_classes(
    classes: int, include_top: bool, weights: str | os.PathLike | None
) -> None:
    if not _is_whole(classes) or classes < 1:
        raise UserInputError(
            f"classes={shown(classes)} cannot be used: expected a whole number from 1."
        )
    if (
        include_top
        and isinstance(weights, str)
        and weights == "bundled"
        and classes != BUNDLED_CLASSES
    ):
        raise UserInputError(
            f"classes={classes}, but the bundled classifier knows the {BUNDLED_CLASSES} classes of ImageNet. "
            "For classes of your own use include_top=False and put a new head on the features."
        )


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
