"""Names and axes of the PyTorch port, and the course's: for `convert.py` and for the benchmark's PyTorch contestant.

Needs NumPy alone, so that it runs in the contestants' environment too.
"""

from collections.abc import Sequence

import numpy as np

# In the port batch normalisations are numbered: in a block and at the two ends.
LAYERS = {
    "_conv_stem": "stem_conv",
    "_bn0": "stem_bn",
    "_conv_head": "head_conv",
    "_bn1": "head_bn",
    "_fc": "classifier",
}
LAYERS_OF_A_BLOCK = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_bn",
    "_depthwise_conv": "depthwise_conv",
    "_bn1": "depthwise_bn",
    "_project_conv": "project_conv",
    "_bn2": "project_bn",
}
WEIGHTS_OF_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def keras_name(torch_name: str, blocks: Sequence[str]) -> str:
    """`_blocks.0._bn1.running_var` → `block1a_depthwise_bn/moving_variance`, given the course's blocks in order."""
    *block, layer, weight = torch_name.split(".")
    layer = (
        f"{blocks[int(block[1])]}_{LAYERS_OF_A_BLOCK[layer]}"
        if block
        else LAYERS[layer]
    )
    if layer.endswith("_bn"):
        return f"{layer}/{WEIGHTS_OF_BATCH_NORM[weight]}"
    return f"{layer}/{'kernel' if weight == 'weight' else weight}"


def keras_layout(name: str, array: np.ndarray) -> np.ndarray:
    """Put the axes of PyTorch's kernel of this (Keras) name into Keras' order; vectors stay as they are."""
    if name.endswith(
        "depthwise_conv/kernel"
    ):  # (channels, 1, height, width) → (height, width, channels, 1)
        return array.transpose(2, 3, 0, 1)
    if name.endswith(
        "conv/kernel"
    ):  # (out, in, height, width) → (height, width, in, out)
        return array.transpose(2, 3, 1, 0)
    return array.T  # the classifier's kernel (out, in) → (in, out)


def torch_layout(name: str, array: np.ndarray) -> np.ndarray:
    """The other way round."""
    if name.endswith("depthwise_conv/kernel"):
        return array.transpose(2, 3, 0, 1)
    if name.endswith("conv/kernel"):
        return array.transpose(3, 2, 0, 1)
    return array.T
