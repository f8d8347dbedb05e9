"""Write the ONNX files of the bundled networks, float32 and int8, and prove them.

    python data/weights/build_onnx.py

Needs what the course needs, and nothing else. The weights come from the ONNX files
that are there already; `convert.py` calls `write_float32` with those of PyTorch. The
float32 file is built by the `onnx` package, one operator for each Keras layer, and
holds the weights unchanged: large kernels in float16, cast when the file is loaded. The
int8 file is ONNX Runtime's static quantization of it. Proof: every block's output, the
features and the probabilities of the float32 file agree with Keras to 1e-4 of the
largest. Checksums go into CARD.md; tool versions, calibration and agreement into
onnx.json. Equal input and equal tools give equal bytes.
"""

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]
from build_labels import CARD_FILES  # noqa: E402
from build_tools import record_files, sha256  # noqa: E402
from calibration import OF_EACH_DATASET, OF_EACH_PHOTOGRAPH, calibration_pictures  # noqa: E402

from tlcourse.features.engine import new_session  # noqa: E402
from tlcourse.models import conversion, onnx_file  # noqa: E402
from tlcourse.models.efficientnet_lite import (  # noqa: E402
    BATCH_NORM_EPSILON,
    CLASSES,
    FEATURES,
    SCALING,
    STEM_CHANNELS,
    block_layers,
    block_table,
)
from tlcourse.models.recipes import RECIPES  # noqa: E402
from tlcourse.models.weights import build  # noqa: E402

LARGEST_DIFFERENCE = 1e-4  # of the largest value
LARGEST_FLOAT32_KERNEL = 12_000  # numbers; larger ones are kept in float16
OPSET, IR_VERSION = 17, 8  # that ONNX Runtime has known since 1.12 (2022)


def block_shapes(variant: str) -> dict[str, tuple[int, int, int]]:
    """Block name → shape of its output (height, width, channels) for one picture."""
    side = -(-RECIPES[variant].size // 2)
    shapes = {"stem": (side, side, STEM_CHANNELS)}
    for block, _, strides, _, channels in block_table(variant):
        side = -(-side // strides)
        shapes[block] = (side, side, channels)
    return shapes | {"head": (side, side, FEATURES)}


class Graph:
    """Collects the operators of an EfficientNet-Lite; `weights` as Keras has them."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.nodes, self.constants, self.outputs = [], [], []
        self._weights = weights

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        """A weight in ONNX' layout; of float16 the cast one."""
        value, axes = self._weights[name], conversion.onnx_axes(name)
        value = value.transpose(axes) if axes else value
        if value.ndim > 1 and value.size > LARGEST_FLOAT32_KERNEL:
            self.constant(name, np.ascontiguousarray(value, np.float16))
            return self.add("Cast", [name], f"{name}:float32", to=TensorProto.FLOAT)
        return self.constant(name, np.ascontiguousarray(value, np.float32))

    def add(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        node = helper.make_node(kind, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def conv_bn(self, x: str, name: str, kernel: int, strides=1, relu6=False) -> str:
        conv = f"{name}_conv"
        weight = self.weight(f"{conv}/kernel")
        depthwise = name.endswith("depthwise")
        channels = self._weights[f"{name}_bn/gamma"].size
        x = self.add(
            "Conv",
            [x, weight],
            conv,
            auto_pad="SAME_UPPER",
            kernel_shape=[kernel, kernel],
            strides=[strides, strides],
            group=channels if depthwise else 1,
        )
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        vectors = [self.weight(f"{name}_bn/{part}") for part in parts]
        x = self.add(
            "BatchNormalization",
            [x, *vectors],
            f"{name}_bn",
            epsilon=BATCH_NORM_EPSILON,
        )
        return self.add("Clip", [x, "zero", "six"], f"{name}_relu6") if relu6 else x

    def end_block(self, x: str, block: str) -> None:
        """A block's outputs: activations, channels last; averages; maxima."""
        self.add("Transpose", [x], block, perm=[0, 2, 3, 1])
        for pool, name in zip(
            ("GlobalAveragePool", "GlobalMaxPool"),
            conversion.pooled([block]),
            strict=True,
        ):
            self.add("Flatten", [self.add(pool, [x], f"{name}_kept")], name)

    def output(self, name: str, shape: tuple) -> None:
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        self.outputs.append(value)


def network(variant: str, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The whole network: pixels [0, 255] (n, height, width, 3) → all outputs."""
    graph, size = Graph(weights), RECIPES[variant].size
    for name, value in (
        ("zero", 0),
        ("six", 6),
        ("scale", 1 / 128),
        ("offset", -127 / 128),
    ):
        graph.constant(name, np.float32(value))
    x = graph.add("Transpose", ["pixels"], "channels_first", perm=[0, 3, 1, 2])
    x = graph.add("Mul", [x, "scale"], "scaled")
    x = graph.add("Add", [x, "offset"], "preprocessed")
    x = graph.conv_bn(x, "stem", 3, strides=2, relu6=True)
    graph.end_block(x, "stem")
    for block, kernel, strides, expansion, _ in block_table(variant):
        shortcut = x
        if expansion != 1:
            x = graph.conv_bn(x, f"{block}_expand", 1, relu6=True)
        x = graph.conv_bn(x, f"{block}_depthwise", kernel, strides, relu6=True)
        x = graph.conv_bn(x, f"{block}_project", 1)
        if f"{block}_add" in block_layers(variant)[block]:
            x = graph.add("Add", [x, shortcut], f"{block}_add")
        graph.end_block(x, block)
    x = graph.conv_bn(x, "head", 1, relu6=True)
    graph.end_block(x, "head")
    graph.add("Identity", ["head_average"], conversion.FEATURES_OUTPUT)
    kernel, bias = (graph.weight(f"classifier/{part}") for part in ("kernel", "bias"))
    x = graph.add("Gemm", ["head_average", kernel, bias], "logits")
    graph.add("Softmax", [x], conversion.CLASSIFIER_OUTPUT, axis=-1)

    graph.output(conversion.FEATURES_OUTPUT, (FEATURES,))
    graph.output(conversion.CLASSIFIER_OUTPUT, (CLASSES,))
    for block, shape in block_shapes(variant).items():
        graph.output(block, shape)
        for name in conversion.pooled([block]):
            graph.output(name, shape[-1:])
    pixels = helper.make_tensor_value_info(
        "pixels", TensorProto.FLOAT, ["n", size, size, 3]
    )
    made = helper.make_graph(
        graph.nodes, variant, [pixels], graph.outputs, graph.constants
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_float32(variant: str, weights: dict[str, np.ndarray], folder: Path) -> Path:
    """Write a network with these weights, named `<layer>/<weight>` as in Keras."""
    path = folder / conversion.bundled_name(variant)
    onnx.save(network(variant, weights), path)
    return path


def agreement(variant: str, path: Path, pictures: np.ndarray) -> float:
    """The largest difference from Keras, relative to each output's largest value."""
    import keras

    whole = build(variant, include_top=True)
    layers = [names[-1] for names in block_layers(variant).values()]
    names = [
        conversion.FEATURES_OUTPUT,
        conversion.CLASSIFIER_OUTPUT,
        *block_shapes(variant),
    ]
    parts = [whole.get_layer("average_pooling"), whole, *map(whole.get_layer, layers)]
    every = keras.Model(whole.inputs, [part.output for part in parts])
    expected = every(pictures.astype(np.float32), training=False)
    computed = new_session(str(path)).run(
        names, {"pixels": pictures.astype(np.float32)}
    )
    return max(
        float(np.abs(one - other).max() / np.abs(other).max())
        for one, other in zip(computed, map(np.asarray, expected), strict=True)
    )


def write_int8(variant: str, float32: Path, pictures: np.ndarray) -> Path:
    path = HERE / conversion.bundled_name(variant, "int8")
    path.write_bytes(onnx_file.quantize(float32.read_bytes(), pictures))
    return path


def similarity(paths: tuple[Path, Path], pictures: np.ndarray) -> float:
    """The mean cosine similarity between two files' features."""
    first, second = (
        new_session(str(path)).run(
            [conversion.FEATURES_OUTPUT], {"pixels": pictures.astype(np.float32)}
        )[0]
        for path in paths
    )
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(np.mean((first * second).sum(axis=1) / norms))


def main() -> None:
    made = {}
    for variant in SCALING:
        weights = conversion.read_weights(HERE / conversion.bundled_name(variant))
        float32 = write_float32(variant, weights, HERE)
        size = RECIPES[variant].size
        pictures = calibration_pictures((size, size))
        difference = agreement(variant, float32, pictures[::12])
        print(f"{variant}: differs from Keras by {difference:.1e} of the largest value")
        if difference > LARGEST_DIFFERENCE:
            raise SystemExit(f"Expected at most {LARGEST_DIFFERENCE}.")
        int8 = write_int8(variant, float32, pictures)
        made[variant] = {
            "largest_difference_from_keras": float(f"{difference:.1e}"),
            "int8_cosine_similarity": round(
                similarity((float32, int8), pictures[::4]), 4
            ),
            "calibration": {
                "pictures": len(pictures),
                "crops_of_each_sample": OF_EACH_PHOTOGRAPH,
                "of_training_sets": OF_EACH_DATASET,
                "sha256": sha256(pictures.tobytes()),
            },
            "files": {
                path.name: {
                    "bytes": path.stat().st_size,
                    "sha256": sha256(path.read_bytes()),
                }
                for path in (float32, int8)
            },
        }
    tools = ("onnx", "onnxruntime", "numpy", "pillow", "keras")
    versions = {name: metadata.version(name) for name in tools}
    record = {"versions": versions, "opset": OPSET, "networks": made}
    text = json.dumps(record, indent=2) + "\n"
    (HERE / "onnx.json").write_text(text, encoding="utf-8", newline="\n")
    record_files(HERE / "CARD.md", CARD_FILES)


if __name__ == "__main__":
    main()
