"""The bundled network as a LiteRT file, written straight from its weights: no TensorFlow, no conversion to wait for.

A LiteRT file (.tflite) is a flatbuffer: buffers of weights, tensors, and operators in the order in which they run.
Batch normalisation in a frozen network is a factor and a shift for each channel, so the factor goes into the kernel of
the convolution before it and the shift becomes its bias; what is left are convolutions, additions and poolings.
"""

from collections.abc import Sequence

import numpy as np

from .efficientnet_lite import (
    BATCH_NORM_EPSILON,
    BLOCK_TABLE,
    BUNDLED_CLASSES,
    CLASSIFIER_OUTPUT,
    FEATURES,
    FEATURES_OUTPUT,
    read_weights,
)

SIZE = 224  # pixels, height and width
WRITER = 1  # raise it when the file computes something else than before: what came out of it is then outdated


def write_lite0(
    weights: dict[str, np.ndarray], output: str | Sequence[str] = FEATURES_OUTPUT, pooled: bool = True
) -> bytes:
    """A LiteRT file: pixels [0, 255] float32 (1, 224, 224, 3) → one float32 output.

    Args:
        weights: arrays named as in the bundled .npz (`read_weights`).
        output: "features" → (1, 1280); "classifier" → probabilities (1, 1000); or names of blocks → averages and
            maxima over all positions of each block's output, side by side (1, d).
        pooled: False, with one block's name: that block's output itself, (1, height, width, channels).
    """
    wanted = ("head",) if output in (FEATURES_OUTPUT, CLASSIFIER_OUTPUT) else tuple(output)
    graph = _Graph(weights)
    outputs = _run_blocks(graph, graph.pixels(), wanted)
    if output == FEATURES_OUTPUT:
        result = graph.average(outputs["head"])
    elif output == CLASSIFIER_OUTPUT:
        result = graph.softmax(graph.dense(graph.average(outputs["head"]), "classifier"))
    elif not pooled:
        (result,) = (outputs[block] for block in wanted)
    else:
        pools = (graph.average, graph.maximum)
        result = graph.side_by_side([pool(outputs[block]) for block in wanted for pool in pools])
    return graph.file(result)


def _run_blocks(graph: "_Graph", x: int, wanted: tuple[str, ...]) -> dict[str, int]:
    """Block name → its output's tensor, for the wanted blocks; what comes after the last of them is left out."""
    outputs = {"stem": graph.convolution(graph.preprocessed(x), "stem", strides=2, relu6=True)}
    for block, _, strides, expansion, _ in BLOCK_TABLE:
        if set(wanted) <= set(outputs):
            return outputs
        given = x = next(reversed(outputs.values()))
        if expansion != 1:
            x = graph.convolution(x, f"{block}_expand", relu6=True)
        x = graph.convolution(x, f"{block}_depthwise", strides, relu6=True, depthwise=True)
        x = graph.convolution(x, f"{block}_project")
        if graph.shapes[x] == graph.shapes[given]:
            x = graph.add(x, given)
        outputs[block] = x
    if "head" in wanted:
        outputs["head"] = graph.convolution(x, "head", relu6=True)
    return outputs


def output_shape(output: str | Sequence[str] = FEATURES_OUTPUT, pooled: bool = True) -> tuple[int, ...]:
    """The shape of one picture's output, without the file."""
    if output in (FEATURES_OUTPUT, CLASSIFIER_OUTPUT):
        return (FEATURES,) if output == FEATURES_OUTPUT else (BUNDLED_CLASSES,)
    side, sides = SIZE // 2, {"stem": (SIZE // 2, 32)}
    for block, _, strides, _, channels in BLOCK_TABLE:
        side = -(-side // strides)
        sides[block] = (side, channels)
    sides["head"] = (side, FEATURES)
    if pooled:
        return (sum(2 * sides[block][1] for block in output),)
    ((side, channels),) = (sides[block] for block in output)
    return (side, side, channels)


class _Graph:
    """Collects tensors, weights and operators; every method adds an operator and returns its output's number."""

    def __init__(self, weights: dict[str, np.ndarray]):
        from ai_edge_litert import schema_py_generated as schema  # what the flatbuffer is made of; made by Google

        self._schema, self._weights = schema, weights
        self.shapes: list[tuple[int, ...]] = []
        self._tensors, self._operators, self._codes = [], [], {}
        self._buffers = [schema.BufferT()]  # number 0: no constant

    def pixels(self) -> int:
        return self._tensor((1, SIZE, SIZE, 3), "pixels")

    def preprocessed(self, x: int) -> int:
        """(pixel − 127) / 128, what the network was trained on."""
        x = self._operator("ADD", [x, self._constant(np.float32([-127]), "offset")], self.shapes[x])
        return self._operator("MUL", [x, self._constant(np.float32([1 / 128]), "scale")], self.shapes[x])

    def convolution(self, x: int, name: str, strides: int = 1, relu6: bool = False, depthwise: bool = False) -> int:
        """`<name>_conv` and `<name>_bn` as one convolution with "same" padding."""
        kernel, bias = self._without_batch_norm(name, depthwise)
        if depthwise:  # (height, width, channels, 1) → (1, height, width, channels)
            kernel, options, kind = kernel[None, ..., 0], self._schema.DepthwiseConv2DOptionsT(), "DEPTHWISE_CONV_2D"
            options.depthMultiplier = 1
        else:  # (height, width, in, out) → (out, height, width, in)
            kernel, options, kind = kernel.transpose(3, 0, 1, 2), self._schema.Conv2DOptionsT(), "CONV_2D"
        options.padding = self._schema.Padding.SAME
        options.strideH = options.strideW = strides
        activation = self._schema.ActivationFunctionType
        options.fusedActivationFunction = activation.RELU6 if relu6 else activation.NONE
        _, height, width, _ = self.shapes[x]
        inputs = [x, self._constant(kernel, f"{name}_kernel"), self._constant(bias, f"{name}_bias")]
        return self._operator(kind, inputs, (1, -(-height // strides), -(-width // strides), len(bias)), options)

    def _without_batch_norm(self, name: str, depthwise: bool) -> tuple[np.ndarray, np.ndarray]:
        kernel = self._weights[f"{name}_conv/kernel"].astype(np.float64)
        gamma, beta, mean, variance = (
            self._weights[f"{name}_bn/{part}"].astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        per_channel = factor[:, None] if depthwise else factor  # kernels end in (channels, 1), or in (in, out)
        return (kernel * per_channel).astype(np.float32), (beta - mean * factor).astype(np.float32)

    def add(self, x: int, y: int) -> int:
        return self._operator("ADD", [x, y], self.shapes[x])

    def average(self, x: int) -> int:
        return self._over_positions("MEAN", x)

    def maximum(self, x: int) -> int:
        return self._over_positions("REDUCE_MAX", x)

    def _over_positions(self, kind: str, x: int) -> int:
        positions = self._constant(np.int32([1, 2]), "positions")
        return self._operator(kind, [x, positions], (1, self.shapes[x][-1]), self._schema.ReducerOptionsT())

    def side_by_side(self, parts: list[int]) -> int:
        options = self._schema.ConcatenationOptionsT()
        options.axis = 1
        return self._operator("CONCATENATION", parts, (1, sum(self.shapes[part][1] for part in parts)), options)

    def dense(self, x: int, name: str) -> int:
        kernel = self._constant(self._weights[f"{name}/kernel"].astype(np.float32).T, f"{name}_kernel")
        bias = self._constant(self._weights[f"{name}/bias"].astype(np.float32), f"{name}_bias")
        options = self._schema.FullyConnectedOptionsT()
        return self._operator("FULLY_CONNECTED", [x, kernel, bias], (1, *self.shapes[bias]), options)

    def softmax(self, x: int) -> int:
        options = self._schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._operator("SOFTMAX", [x], self.shapes[x], options)

    def file(self, output: int) -> bytes:
        """The finished file, with one input, the pixels, and one output."""
        import flatbuffers

        graph, model = self._schema.SubGraphT(), self._schema.ModelT()
        graph.name, graph.tensors, graph.operators = "main", self._tensors, self._operators
        graph.inputs, graph.outputs = [0], [output]
        model.version, model.description = 3, "EfficientNet-Lite0, ImageNet"
        model.subgraphs, model.buffers, model.operatorCodes = [graph], self._buffers, []
        for kind in self._codes:
            code = self._schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(self._schema.BuiltinOperator, kind)
            code.version = 1
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 24)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _operator(self, kind: str, inputs: list[int], shape: tuple[int, ...], options=None) -> int:
        operator, output = self._schema.OperatorT(), self._tensor(shape, f"{kind}_{len(self._operators)}")
        operator.opcodeIndex = self._codes.setdefault(kind, len(self._codes))
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, type(options).__name__[:-1])
        self._operators.append(operator)
        return output

    def _constant(self, array: np.ndarray, name: str) -> int:
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self._buffers.append(buffer)
        return self._tensor(array.shape, name, array.dtype, len(self._buffers) - 1)

    def _tensor(self, shape: tuple[int, ...], name: str, dtype=np.float32, buffer: int = 0) -> int:
        kinds = {"float32": self._schema.TensorType.FLOAT32, "int32": self._schema.TensorType.INT32}
        tensor = self._schema.TensorT()
        tensor.shape, tensor.name, tensor.buffer, tensor.type = list(shape), name, buffer, kinds[np.dtype(dtype).name]
        self._tensors.append(tensor)
        self.shapes.append(tuple(shape))
        return len(self._tensors) - 1


def bundled_lite0(output: str | Sequence[str] = FEATURES_OUTPUT, pooled: bool = True) -> bytes:
    """`write_lite0` of the bundled weights.

    Raises:
        DamagedFile: the bundled weights are missing, cut short or altered.
    """
    return write_lite0(read_weights(), output, pooled)
