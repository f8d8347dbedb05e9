"""EfficientNet-Lite: the family of the two ImageNet networks that come with the course.

EfficientNet without squeeze-and-excite, and with ReLU6 in place of swish: M. Tan and
Q. V. Le, ICML 2019 (arXiv:1905.11946); release notes in github.com/tensorflow/tpu,
models/official/efficientnet/lite. Where the weights come from: `data/weights/CARD.md`.
"""

import math
from string import ascii_lowercase
from typing import TYPE_CHECKING

from ..validation import one_of
from .recipes import RECIPES

if TYPE_CHECKING:
    import keras

FEATURES = 1280
CLASSES = 1000
BATCH_NORM_EPSILON = 1e-3  # as the original
SCALING = {  # variant → width and depth, as multiples of the smallest
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite2": (1.1, 1.2),
}
STEM_CHANNELS = 32
_STAGES = (
    # blocks, kernel size, stride of the first block, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def EfficientNetLite(
    variant: str = "efficientnet_lite0",
    include_top: bool = True,
    weights: str | None = "bundled",
    pooling: str | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    input_tensor: "keras.KerasTensor | None" = None,
) -> "keras.Model":
    """Build an EfficientNet-Lite as a functional Keras model, as `keras.applications`.

    The input is a batch of preprocessed pictures: RGB, float32, `(pixel - 127) / 128`
    of pixels in [0, 255]. Dropout and stochastic depth of the original are left out.

    Parameters
    ----------
    variant : {"efficientnet_lite0", "efficientnet_lite2"}
    include_top : bool
        End in the classifier of ImageNet's 1,000 classes; False: end in features.
    weights : {"bundled", None}
        Trained on ImageNet, or random.
    pooling : {None, "avg"}
        Pooling over all positions, where `include_top` is False.
    input_shape : tuple, optional
        (height, width, 3); by default the size of the variant's training pictures.
    input_tensor : keras.KerasTensor, optional
        What to build on, such as the output of preprocessing layers.

    Returns
    -------
    keras.Model
        With one float32 output: probabilities (n, 1000); without the top features
        (n, ⌈height / 32⌉, ⌈width / 32⌉, 1280), or (n, 1280) with `pooling`.

    Raises
    ------
    DamagedFile
        The bundled weights are missing, cut short or altered.

    Examples
    --------
    >>> from tlcourse.models.efficientnet_lite import EfficientNetLite
    >>> EfficientNetLite(include_top=False, weights=None, pooling="avg").output_shape
    (None, 1280)
    """
    size = RECIPES[one_of("variant", variant, SCALING)].size
    if pooling is not None:
        one_of("pooling", pooling, () if include_top else ("avg",))
    from keras import Input, Model, initializers, layers, utils

    x = input_tensor
    if x is None:
        x = Input(input_shape or (size, size, 3), name="preprocessed_picture")
    (source,) = utils.get_source_inputs(x)
    x = _conv_bn(x, "stem", STEM_CHANNELS, kernel_size=3, strides=2)
    for block in block_table(variant):
        x = _inverted_bottleneck(x, *block)
    x = _conv_bn(x, "head", FEATURES)
    if include_top or pooling:
        x = layers.GlobalAveragePooling2D(name="average_pooling")(x)
    if include_top:
        start = initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
        classifier = {"kernel_initializer": start, "name": "classifier"}
        x = layers.Dense(CLASSES, "softmax", **classifier)(x)
    model = Model(source, x, name=variant)
    if weights == "bundled":
        from .conversion import bundled_path, read_weights

        arrays = read_weights(bundled_path(variant))
        for layer in model.layers:
            for weight in layer.weights:
                weight.assign(arrays[f"{layer.name}/{weight.name}"])
    return model


def _inverted_bottleneck(
    x: "keras.KerasTensor",
    block: str,
    kernel_size: int,
    strides: int,
    expansion: int,
    channels: int,
) -> "keras.KerasTensor":
    """Expand channels, filter each by itself, project to few; add the input if alike."""
    from keras import layers

    shortcut = x
    if expansion != 1:
        x = _conv_bn(x, f"{block}_expand", expansion * shortcut.shape[-1])
    x = _conv_bn(x, f"{block}_depthwise", None, kernel_size, strides)
    x = _conv_bn(x, f"{block}_project", channels, has_relu=False)
    if strides == 1 and channels == shortcut.shape[-1]:
        x = layers.Add(name=f"{block}_add")([x, shortcut])
    return x


def _conv_bn(
    x: "keras.KerasTensor",
    prefix: str,
    channels: int | None,
    kernel_size: int = 1,
    strides: int = 1,
    has_relu: bool = True,
) -> "keras.KerasTensor":
    """Convolution, batch normalisation, ReLU6; without `channels` each by itself."""
    from keras import initializers, layers

    start = initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
    options = {"padding": "same", "use_bias": False, "name": f"{prefix}_conv"}
    if channels is None:
        options["depthwise_initializer"] = start
        conv = layers.DepthwiseConv2D(kernel_size, strides, **options)
    else:
        options["kernel_initializer"] = start
        conv = layers.Conv2D(channels, kernel_size, strides, **options)
    norm = {"momentum": 0.99, "epsilon": BATCH_NORM_EPSILON, "name": f"{prefix}_bn"}
    x = layers.BatchNormalization(**norm)(conv(x))
    return layers.ReLU(max_value=6, name=f"{prefix}_relu6")(x) if has_relu else x


def block_table(variant: str) -> list[tuple[str, int, int, int, int]]:
    """Name, kernel size, stride, expansion and output channels of each block.

    In a larger variant all stages are wider, and all but the first and last deeper.
    """
    width, depth = SCALING[variant]
    rows = []
    for stage, (blocks, kernel_size, strides, *numbers) in enumerate(_STAGES, 1):
        expansion, channels = numbers
        if 1 < stage < len(_STAGES):
            blocks = math.ceil(depth * blocks)
        # To a multiple of 8, upwards where that would take away more than a tenth.
        wider = width * channels
        channels = int(wider + 4) // 8 * 8
        channels += 8 if channels < 0.9 * wider else 0
        for letter in ascii_lowercase[:blocks]:
            name = f"block{stage}{letter}"
            rows.append((name, kernel_size, strides, expansion, channels))
            strides = 1
    return rows


def block_layers(variant: str) -> dict[str, list[str]]:
    """Block name → names of its layers, without building the network."""
    layers = {"stem": ["stem_conv", "stem_bn", "stem_relu6"]}
    before = STEM_CHANNELS
    for block, _, strides, expansion, channels in block_table(variant):
        parts = ["expand_conv", "expand_bn", "expand_relu6"] if expansion != 1 else []
        parts += ["depthwise_conv", "depthwise_bn", "depthwise_relu6"]
        parts += ["project_conv", "project_bn"]
        parts += ["add"] if strides == 1 and channels == before else []
        layers[block] = [f"{block}_{part}" for part in parts]
        before = channels
    return layers | {"head": ["head_conv", "head_bn", "head_relu6"]}


def block_shapes(
    variant: str, size: tuple[int, int]
) -> dict[str, tuple[int, int, int]]:
    """Block name → (height, width, channels) of its output for pictures of this size."""
    height, width = (math.ceil(side / 2) for side in size)
    shapes = {"stem": (height, width, STEM_CHANNELS)}
    for block, _, strides, _, channels in block_table(variant):
        height, width = math.ceil(height / strides), math.ceil(width / strides)
        shapes[block] = (height, width, channels)
    return shapes | {"head": (height, width, FEATURES)}
