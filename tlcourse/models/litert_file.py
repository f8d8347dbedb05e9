"""A LiteRT file, written operator by operator: no TensorFlow, no conversion to wait for.

A LiteRT file (.tflite) is a flatbuffer: buffers of weights, tensors, and operators in the order in which they run.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    pass


class Graph:
    """Collects tensors, weights and operators; a method adds operators and returns their output's number.

    Attributes:
        shapes: of each tensor; None where the size is that of the batch given when the file runs.
    """

    def __init__(self) -> None:
        from ai_edge_litert import (
            schema_py_generated as schema,
        )  # what the flatbuffer is made of; made by Google

        self.shapes: list[tuple[int | None, ...]] = []
        self._schema = schema
        self._inputs: list[int] = []
        self._tensors: list[schema.TensorT] = []
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[str, int] = {}
        self._buffers = [schema.BufferT()]  # number 0: no constant

    def input(self, shape: tuple[int | None, ...], name: str) -> int:
        self._inputs.append(self._tensor(shape, name))
        return self._inputs[-1]

    def add(self, x: int, y: int) -> int:
        return self._operator("ADD", [x, y], self.shapes[x])

    def dense(self, x: int, kernel: np.ndarray, bias: np.ndarray, name: str) -> int:
        """x (…, in) times kernel (in, out), plus bias (out,)."""
        constants = [
            self._constant(kernel.T, f"{name}_kernel"),
            self._constant(bias, f"{name}_bias"),
        ]
        options = self._schema.FullyConnectedOptionsT()
        options.keepNumDims = len(self.shapes[x]) > 2
        return self._operator(
            "FULLY_CONNECTED",
            [x, *constants],
            (*self.shapes[x][:-1], len(bias)),
            options,
        )

    def softmax(self, x: int) -> int:
        options = self._schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._operator("SOFTMAX", [x], self.shapes[x], options)

    def reduced(
        self, kind: str, x: int, axes: Sequence[int], keep: bool = False
    ) -> int:
        """The "MEAN" or "REDUCE_MAX" over these axes, which are dropped, or kept with size 1."""
        options = self._schema.ReducerOptionsT()
        options.keepDims = keep
        shape = [
            1 if axis in axes else size
            for axis, size in enumerate(self.shapes[x])
            if keep or axis not in axes
        ]
        return self._operator(
            kind,
            [x, self._constant(np.array(axes, np.int32), "axes")],
            tuple(shape),
            options,
        )

    def side_by_side(self, parts: list[int]) -> int:
        """The tensors joined along their last axis."""
        options = self._schema.ConcatenationOptionsT()
        options.axis = len(self.shapes[parts[0]]) - 1
        width = sum(
            cast(int, self.shapes[part][-1]) for part in parts
        )  # only the batch may be of any size
        return self._operator(
            "CONCATENATION", parts, (*self.shapes[parts[0]][:-1], width), options
        )

    def file(self, output: int, description: str) -> bytes:
        """The finished file, with one output."""
        import flatbuffers

        graph, model = self._schema.SubGraphT(), self._schema.ModelT()
        graph.name, graph.tensors, graph.operators = (
            "main",
            self._tensors,
            self._operators,
        )
        graph.inputs, graph.outputs = self._inputs, [output]
        model.version, model.description = 3, description
        model.subgraphs, model.buffers, model.operatorCodes = [graph], self._buffers, []
        for kind in self._codes:
            code = self._schema.OperatorCodeT()
            code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
            code.deprecatedBuiltinCode = min(
                code.builtinCode, 127
            )  # one byte, from before there were so many
            code.version = 1
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(
            sum(buffer.data.nbytes for buffer in self._buffers[1:]) + (1 << 20)
        )
        builder.Finish(model.Pack(builder), b"TFL3")
        self._buffers.clear()  # three copies of the weights at once would be one too many
        return bytes(memoryview(builder.Bytes)[builder.Head() :])

    def _operator(
        self,
        kind: str,
        inputs: list[int],
        shape: tuple[int | None, ...],
        options: object = None,
    ) -> int:
        """An operator with one output; `options` are the schema's."""
        return self._operator_of_many(kind, inputs, [shape], options)[0]

    def _operator_of_many(
        self, kind: str, inputs: list[int], shapes: list[tuple], options: object = None
    ) -> list[int]:
        operator, place = self._schema.OperatorT(), len(self._operators)
        outputs = [
            self._tensor(shape, f"{kind}_{place}_{part}")
            for part, shape in enumerate(shapes)
        ]
        operator.opcodeIndex = self._codes.setdefault(kind, len(self._codes))
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(
                self._schema.BuiltinOptions, type(options).__name__[:-1]
            )
        self._operators.append(operator)
        return outputs

    def _constant(self, array: np.ndarray, name: str) -> int:
        buffer = self._schema.BufferT()
        buffer.data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._buffers.append(buffer)
        return self._tensor(array.shape, name, array.dtype, len(self._buffers) - 1)

    def _tensor(
        self,
        shape: tuple[int | None, ...],
        name: str,
        dtype: "DTypeLike" = np.float32,
        buffer: int = 0,
    ) -> int:
        kinds = {
            "float32": self._schema.TensorType.FLOAT32,
            "int32": self._schema.TensorType.INT32,
        }
        tensor = self._schema.TensorT()
        tensor.shape, tensor.name, tensor.buffer = (
            [size or 1 for size in shape],
            name,
            buffer,
        )
        tensor.shapeSignature = (
            [size or -1 for size in shape] if None in shape else None
        )
        tensor.type = kinds[np.dtype(dtype).name]
        self._tensors.append(tensor)
        self.shapes.append(tuple(shape))
        return len(self._tensors) - 1
