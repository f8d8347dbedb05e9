"""BERT as a LiteRT file, written straight from its weights: it reads sentences without TensorFlow."""

import numpy as np

from ..features.engines import LiteRTEngine
from .bert import Shape
from .litert_file import Graph

WRITER = 1  # raise it when the file computes something else than before: what came out of it is then outdated


class BertEngine:
    """BERT up to so many layers in LiteRT; nothing is written before a sentence comes.

    Args:
        weights: layer's name → its arrays, as the layers of `bert.encoder` have them.
        shape: of the BERT.
        layers: how many of them run; 0: the embeddings alone.

    Attributes:
        key: what determines its results.
        output_shape: of one sentence, (None, width).
    """

    def __init__(
        self, weights: dict[str, list[np.ndarray]], shape: Shape, layers: int, key: str
    ) -> None:
        self._tokens, self._places = (
            weights["embeddings_tokens"][0],
            weights["embeddings_places"][0],
        )
        self._litert = LiteRTEngine(
            lambda: write_bert(weights, shape, layers), key, (shape.width,)
        )
        self.key = self._litert.key
        self.output_shape: tuple[None, int] = (None, shape.width)

    def run(self, ids: np.ndarray) -> np.ndarray:
        """Token ids int32 (b, length), none of them padding → float32 (b, length, width). From any thread."""
        return self._litert.run(self._tokens[ids] + self._places[: ids.shape[1]])


def write_bert(
    weights: dict[str, list[np.ndarray]], shape: Shape, layers: int
) -> bytes:
    """A LiteRT file: summed embeddings (n, length, width) → the tokens' states behind so many layers, the same shape.

    All sentences of a batch have the same number of tokens, so there is no padding. The embeddings are looked up
    outside, by `BertEngine`: their table is half of the weights, and would be in the file of every cut.

    Args:
        weights: layer's name → its arrays, as the layers of `bert.encoder` have them.
        layers: 0 gives the embeddings, brought to one scale.
    """
    graph = _Bert(weights, shape)
    x = graph.norm(
        graph.input((None, None, shape.width), "embeddings"), "embeddings_norm"
    )
    for number in range(1, layers + 1):
        x = graph.encoder_layer(x, f"layer_{number}")
    return graph.file(x, "BERT")


class _Bert(Graph):
    """The operators of `bert.encoder`, under the names of its layers."""

    def __init__(self, weights: dict[str, list[np.ndarray]], shape: Shape) -> None:
        super().__init__()
        self._weights, self._bert = weights, shape

    def encoder_layer(self, x: int, name: str) -> int:
        x = self.norm(
            self.add(x, self._attention(x, f"{name}_attention")),
            f"{name}_attention_norm",
        )
        wide = self._activated(self._dense(x, f"{name}_wide"))
        narrow = self._dense(wide, f"{name}_narrow")
        return self.norm(self.add(x, narrow), f"{name}_norm")

    def _dense(self, x: int, name: str) -> int:
        kernel, bias = self._weights[name]
        return self.dense(x, kernel, bias, name)

    def _attention(self, x: int, name: str) -> int:
        width, each = self._bert.width, self._bert.width // self._bert.heads
        *into, out, out_bias = self._weights[name]
        # The scores are divided by the root of a head's size; here what asks is, before there are any scores.
        factors = (np.float32(each**-0.5), 1, 1)
        query, key, value = (
            self._by_head(
                self.dense(
                    x,
                    k.reshape(width, width) * f,
                    b.reshape(width) * f,
                    f"{name}_{place}",
                )
            )
            for place, (k, b, f) in enumerate(
                zip(into[::2], into[1::2], factors, strict=True)
            )
        )
        scores = self.softmax(self._multiplied(query, key, turned=True))
        attended = self._side_by_side_again(self._multiplied(scores, value))
        return self.dense(attended, out.reshape(width, width), out_bias, f"{name}_out")

    def _by_head(self, x: int) -> int:
        """(n, length, width) → (n, heads, length, width / heads)."""
        heads, each = self._bert.heads, self._bert.width // self._bert.heads
        split, pack = self._schema.SplitOptionsT(), self._schema.PackOptionsT()
        split.numSplits = pack.valuesCount = heads
        pack.axis = 1
        axis = self._constant(np.int32(2), "axis")
        parts = self._operator_of_many(
            "SPLIT", [axis, x], [(None, None, each)] * heads, split
        )
        return self._operator("PACK", parts, (None, heads, None, each), pack)

    def _side_by_side_again(self, x: int) -> int:
        """(n, heads, length, width / heads) → (n, length, width)."""
        options = self._schema.UnpackOptionsT()
        options.axis, options.num = 1, self.shapes[x][1]
        shapes = [(None, None, self.shapes[x][-1])] * options.num
        return self.side_by_side(self._operator_of_many("UNPACK", [x], shapes, options))

    def _multiplied(self, x: int, y: int, turned: bool = False) -> int:
        options = self._schema.BatchMatMulOptionsT()
        options.adjY = turned
        shape = (*self.shapes[x][:-1], self.shapes[y][-2 if turned else -1])
        return self._operator("BATCH_MATMUL", [x, y], shape, options)

    def _activated(self, x: int) -> int:
        if self._bert.activation == "relu":
            return self._operator("RELU", [x], self.shapes[x])
        options = self._schema.GeluOptionsT()
        options.approximate = self._bert.activation != "gelu"
        return self._operator("GELU", [x], self.shapes[x], options)

    def norm(self, x: int, name: str) -> int:
        """Layer normalisation over the last axis."""
        scale, shift = self._weights[name]
        each = self.shapes[x]
        centred = self._operator(
            "SUB", [x, self.reduced("MEAN", x, (2,), keep=True)], each
        )
        variance = self.reduced(
            "MEAN", self._operator("MUL", [centred, centred], each), (2,), keep=True
        )
        variance = self.add(
            variance,
            self._constant(np.array([self._bert.epsilon], np.float32), "epsilon"),
        )
        factor = self._operator("RSQRT", [variance], self.shapes[variance])
        normed = self._operator("MUL", [centred, factor], each)
        scaled = self._operator(
            "MUL", [normed, self._constant(scale, f"{name}_scale")], each
        )
        return self.add(scaled, self._constant(shift, f"{name}_shift"))
