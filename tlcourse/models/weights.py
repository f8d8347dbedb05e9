"""Weights of the pretrained networks for pictures: where they are, and Keras models."""

import csv
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..cards import bundled_file
from ..downloads import DownloadError, download
from ..errors import DamagedFile, UserInputError, WeightsUnavailable
from ..files import as_path
from ..native import import_tensorflow
from .efficientnet_lite import EfficientNetLite
from .recipes import RECIPES

if TYPE_CHECKING:
    import keras

KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"


def imagenet_classes() -> list[dict[str, str]]:
    """ImageNet's 1,000 classes in order: index, wnid (WordNet's number) and label."""
    path = bundled_file("weights", "imagenet_labels.csv")
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weights_file(name: str, include_top: bool = False) -> Path:
    """The weights of one of Keras' networks: its own file, or those of a package.

    The latter where they were extracted and Keras' own file is missing or damaged.
    """
    file, extracted = keras_file(name, include_top), extracted_file(name)
    if not include_top and extracted.is_file() and fault_of_weights(file):
        return extracted
    return file


def keras_file(name: str, include_top: bool = False) -> Path:
    """Where Keras keeps the weights of one of its networks."""
    home = as_path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "KERAS_HOME")
    return home / "models" / RECIPES[name].files[include_top]


def extracted_file(name: str) -> Path:
    """Where the weights of a base are kept that were extracted from a package."""
    return keras_file(name).with_name(f"{name}_notop.weights.h5")


def weights_address(name: str, include_top: bool = False) -> str:
    """Where Keras publishes the weights of one of its networks."""
    recipe = RECIPES[name]
    return f"{KERAS_FILES}/{recipe.address}/{recipe.files[include_top]}"


def fetch_weights(name: str, include_top: bool = False) -> None:
    """Download the weights of one of Keras' networks into its cache, and check them."""
    file, md5 = keras_file(name, include_top), RECIPES[name].md5[include_top]
    try:
        download(weights_address(name, include_top), file, md5)
    except (DownloadError, OSError) as error:
        raise WeightsUnavailable(
            f"The weights of {name} could not be downloaded to {file} ({error}). With "
            f"internet run `tlcourse fetch {name}`, or this call again; without, copy "
            "the file from a machine that has it, or use efficientnet_lite0."
        ) from error


def fault_of_weights(file: Path) -> str | None:
    """What is wrong with a file of Keras weights, as an adjective; None if nothing."""
    if not file.is_file():
        return "missing"
    import h5py

    try:
        h5py.File(file, "r").close()  # also finds what was cut short
    except OSError:
        return "no file of weights"
    recipes = RECIPES.values()
    published = {f: md5 for r in recipes for f, md5 in zip(r.files, r.md5, strict=True)}
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return "altered" if published.get(file.name) not in ("", None, md5) else None


def build(
    name: str, include_top: bool, size: tuple[int, int] | None = None
) -> "keras.Model":
    """Build a pretrained network with its preprocessing, as one flat Keras model.

    Its input is pixels (n, height, width, 3); `size` is (height, width), by default
    that of its recipe.
    """
    import_tensorflow()
    import keras

    recipe = RECIPES[name]
    own = (recipe.size, recipe.size)
    if recipe.application and include_top and (size or own) != own:
        raise UserInputError(
            f"The ImageNet classifier of {name} is used at {own} pixels only; load the "
            "network without input_size."
        )
    if recipe.application and not weights_file(name, include_top).is_file():
        fetch_weights(name, include_top)
    size = size or own
    pixels = keras.Input((*size, 3), name="pixels")
    network = (application if recipe.application else EfficientNetLite)(
        name,
        include_top=include_top,
        input_shape=(*size, 3),  # without it MobileNetV2 warns
        input_tensor=preprocessing_layers(pixels, recipe.pixels),
        pooling=None if include_top else "avg",
    )
    whole = f"{name}_classifier" if include_top else name
    return keras.Model(pixels, network.outputs[0], name=whole)


def application(name: str, include_top: bool, **options: object) -> "keras.Model":
    """Call the network's function in `keras.applications`."""
    import keras

    recipe, file = RECIPES[name], weights_file(name, include_top)
    try:
        return getattr(keras.applications, recipe.application)(
            weights=file, include_top=include_top, **options
        )
    except Exception as error:  # HDF5 and Keras raise a dozen kinds
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise DamagedFile(
            f"The weights file {file} cannot be loaded ({reason}). Delete it and, with "
            f"internet, run `tlcourse fetch {name}` or this call again."
        ) from error


def preprocessing_layers(pixels: "keras.KerasTensor", kind: str) -> "keras.KerasTensor":
    """Keras layers that do what the family's `preprocess_input` does; no Lambda."""
    from keras import layers, ops

    if kind == "lite":
        return layers.Rescaling(1 / 128, -127 / 128, name="preprocessing")(pixels)
    if kind == "scaled":
        return layers.Rescaling(1 / 127.5, -1, name="preprocessing")(pixels)
    if kind == "caffe":
        # Not Normalization: its means would become inputs of the network in ONNX.
        means = [-103.939, -116.779, -123.68]
        centred = layers.Rescaling(1.0, means, name="preprocessing")
        return centred(ops.flip(pixels, axis=-1))  # blue, green, red
    return pixels


def preprocess(pixels: np.ndarray, kind: str) -> np.ndarray:
    """Preprocess an array, which is not changed: float32 (n, height, width, 3)."""
    import_tensorflow()
    import keras

    tensor = keras.ops.convert_to_tensor(pixels, "float32")
    return np.asarray(preprocessing_layers(tensor, kind))
