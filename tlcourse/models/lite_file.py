"""A bundled network as a LiteRT file, written straight from its weights: no TensorFlow, no conversion to wait for.

Batch normalisation in a frozen network is a factor and a shift for each channel, so the factor goes into the kernel of
the convolution before it and the shift becomes its bias; what is left are convolutions, additions and poolings.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np

from .efficientnet_lite import (
    BATCH_NORM_EPSILON,
    BUNDLED_CLASSES,
    CLASSIFIER_OUTPUT,
    FEATURES,
    FEATURES_OUTPUT,
    STEM_CHANNELS,
    block_table,
    bundled_weights,
    read_weights,
)
from .litert_file import Graph
from .recipes import RECIPES

WRITER = 1  # raise it when the file computes something else than before: what came out of it is then outdated


def write_lite(
    variant: str,
    weights: dict[str, np.ndarray],
    output: str | Sequence[str] = FEATURES_OUTPUT,
    pooled: bool = True,
) -> bytes:
    """A LiteRT file: pixels [0, 255] float32 (1, height, width, 3), as large as the variant wants → one float32 output.

    Args:
        variant: "efficientnet_lite0" or "efficientnet_lite2".
        weights: arrays named as in the bundled .npz (`read_weights`).
        output: "features" → (1, 1280); "classifier" → probabilities (1, 1000); or names of blocks → averages and
            maxima over all positions of each block's output, side by side (1, d).
        pooled: False, with one block's name: that block's output itself, (1, height, width, channels).
    """
    wanted = (
        ("head",) if output in (FEATURES_OUTPUT, CLASSIFIER_OUTPUT) else tuple(output)
    )
    graph, size = _Lite(weights), RECIPES[variant].size
    outputs = _run_blocks(
        graph, graph.input((1, size, size, 3), "pixels"), block_table(variant), wanted
    )
    if output == FEATURES_OUTPUT:
        result = graph.over_positions("MEAN", outputs["head"])
    elif output == CLASSIFIER_OUTPUT:
        result = graph.classified(graph.over_positions("MEAN", outputs["head"]))
    elif not pooled:
        (result,) = (outputs[block] for block in wanted)
    else:
        pools = ("MEAN", "REDUCE_MAX")
        result = graph.side_by_side(
            [
                graph.over_positions(pool, outputs[block])
                for block in wanted
                for pool in pools
            ]
        )
    return graph.file(
        result, f"{variant.replace('efficientnet_lite', 'EfficientNet-Lite')}, ImageNet"
    )


def _run_blocks(
    graph: "_Lite", x: int, table: list[tuple], wanted: tuple[str, ...]
) -> dict[str, int]:
    """Block name → its output's tensor, for the wanted blocks; what comes after the last of them is left out."""
    outputs = {
        "stem": graph.convolution(graph.preprocessed(x), "stem", strides=2, relu6=True)
    }
    for block, _, strides, expansion, _ in table:
        if set(wanted) <= set(outputs):
            return outputs
        given = x = next(reversed(outputs.values()))
        if expansion != 1:
            x = graph.convolution(x, f"{block}_expand", relu6=True)
        x = graph.convolution(
            x, f"{block}_depthwise", strides, relu6=True, depthwise=True
        )
        x = graph.convolution(x, f"{block}_project")
        if graph.shapes[x] == graph.shapes[given]:
            x = graph.add(x, given)
        outputs[block] = x
    if "head" in wanted:
        outputs["head"] = graph.convolution(x, "head", relu6=True)
    return outputs


def output_shape(
    variant: str, output: str | Sequence[str] = FEATURES_OUTPUT, pooled: bool = True
) -> tuple[int, ...]:
    """The shape of one picture's output, without the file."""
    if output in (FEATURES_OUTPUT, CLASSIFIER_OUTPUT):
        return (FEATURES,) if output == FEATURES_OUTPUT else (BUNDLED_CLASSES,)
    side = -(-RECIPES[variant].size // 2)
    sides = {"stem": (side, STEM_CHANNELS)}
    for block, _, strides, _, channels in block_table(variant):
        side = -(-side // strides)
        sides[block] = (side, channels)
    sides["head"] = (side, FEATURES)
    if pooled:
        return (sum(2 * sides[block][1] for block in output),)
    ((side, channels),) = (sides[block] for block in output)
    return (side, side, channels)


class _Lite(Graph):
    """The operators of an EfficientNet-Lite, with its weights."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self._weights = weights

    def preprocessed(self, x: int) -> int:
        """(pixel − 127) / 128, what the network was trained on."""
        x = self._operator(
            "ADD",
            [x, self._constant(np.array([-127], np.float32), "offset")],
            self.shapes[x],
        )
        return self._operator(
            "MUL",
            [x, self._constant(np.array([1 / 128], np.float32), "scale")],
            self.shapes[x],
        )

    def convolution(
        self,
        x: int,
        name: str,
        strides: int = 1,
        relu6: bool = False,
        depthwise: bool = False,
    ) -> int:
        """`<name>_conv` and `<name>_bn` as one convolution with "same" padding."""
        kernel, bias = self._without_batch_norm(name, depthwise)
        if depthwise:  # (height, width, channels, 1) → (1, height, width, channels)
            kernel, options, kind = (
                kernel[None, ..., 0],
                self._schema.DepthwiseConv2DOptionsT(),
                "DEPTHWISE_CONV_2D",
            )
            options.depthMultiplier = 1
        else:  # (height, width, in, out) → (out, height, width, in)
            kernel, options, kind = (
                kernel.transpose(3, 0, 1, 2),
                self._schema.Conv2DOptionsT(),
                "CONV_2D",
            )
        options.padding = self._schema.Padding.SAME
        options.strideH = options.strideW = strides
        activation = self._schema.ActivationFunctionType
        options.fusedActivationFunction = activation.RELU6 if relu6 else activation.NONE
        _, height, width, _ = cast(
            tuple[int, ...], self.shapes[x]
        )  # only the batch may be of any size
        inputs = [
            x,
            self._constant(kernel, f"{name}_kernel"),
            self._constant(bias, f"{name}_bias"),
        ]
        return self._operator(
            kind,
            inputs,
            (1, -(-height // strides), -(-width // strides), len(bias)),
            options,
        )

    def _without_batch_norm(
        self, name: str, depthwise: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        kernel = self._weights[f"{name}_conv/kernel"].astype(np.float64)
        gamma, beta, mean, variance = (
            self._weights[f"{name}_bn/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        per_channel = (
            factor[:, None] if depthwise else factor
        )  # kernels end in (channels, 1), or in (in, out)
        return (kernel * per_channel).astype(np.float32), (beta - mean * factor).astype(
            np.float32
        )

    def over_positions(self, kind: str, x: int) -> int:
        """The "MEAN" or "REDUCE_MAX" of each channel: (1, height, width, channels) → (1, channels)."""
        return self.reduced(kind, x, axes=(1, 2))

    def classified(self, x: int) -> int:
        kernel, bias = (
            self._weights[f"classifier/{part}"].astype(np.float32)
            for part in ("kernel", "bias")
        )
        return self.softmax(self.dense(x, kernel, bias, "classifier"))


def bundled_lite(
    variant: str, output: str | Sequence[str] = FEATURES_OUTPUT, pooled: bool = True
) -> bytes:
    """`write_lite` of the bundled weights.

    Raises:
        DamagedFile: the bundled weights are missing, cut short or altered.
    """
    return write_lite(variant, read_weights(bundled_weights(variant)), output, pooled)
