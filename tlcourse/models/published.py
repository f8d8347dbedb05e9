"""The published networks as Keras models: their weights' files, their preprocessing in front, their classes."""

import csv
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cards import bundled_file
from ..downloads import DownloadError, download
from ..errors import DamagedFile, WeightsUnavailable
from ..files import as_path
from ..tensorflow_start import check_tensorflow, import_tensorflow
from .recipes import RECIPES, Recipe

KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"  # where Keras keeps its weights

if TYPE_CHECKING:
    import keras


def imagenet_classes() -> list[dict[str, str]]:
    """ImageNet's 1,000 classes in order: rows with index, wnid (WordNet's number) and label."""
    with open(
        bundled_file("weights", "imagenet_labels.csv"), newline="", encoding="utf-8"
    ) as file:
        return list(csv.DictReader(file))


def weights_file(name: str, include_top: bool = False) -> Path:
    """Where the weights of a network are kept: with the course, or in Keras' cache."""
    recipe = RECIPES[name]
    if not recipe.application:
        return bundled_file("weights", recipe.files[include_top])
    home = as_path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "KERAS_HOME")
    return home / "models" / recipe.files[include_top]


def weights_address(name: str, include_top: bool = False) -> str:
    """Where Keras has the weights of one of its networks."""
    recipe = RECIPES[name]
    return f"{KERAS_FILES}/{recipe.address}/{recipe.files[include_top]}"


def fetch_weights(name: str, include_top: bool = False) -> None:
    """Download a network's weights into Keras' cache, checked before they are put there; nothing if it is bundled.

    Raises:
        WeightsUnavailable: they did not come, or not as Keras published them.
    """
    recipe, file = RECIPES[name], weights_file(name, include_top)
    if not recipe.application:
        return
    try:
        download(weights_address(name, include_top), file, _md5(file.name))
    except (DownloadError, OSError) as error:
        reason = (
            f"{file} could not be written: {error.strerror or error}"
            if isinstance(error, OSError)
            else error
        )
        raise WeightsUnavailable(
            f"The weights of {name} are not on this machine, and could not be downloaded: {reason}. With internet run "
            f"`{_command(name, include_top)}`; without, copy {file.name} into {file.parent} from a machine that has "
            "it, or use the bundled efficientnet_lite0."
        ) from error


def _command(name: str, include_top: bool) -> str:
    return f"tlcourse fetch {name}" + (" --with-classifier" if include_top else "")


def fault_of_weights(file: Path) -> str | None:
    """What is wrong with a file of Keras weights, as an adjective: missing, empty, cut short, altered, or no file of
    weights; None if nothing."""
    if not file.is_file():
        return "missing"
    if file.stat().st_size == 0:
        return "empty"
    import h5py

    try:
        h5py.File(file, "r").close()
    except OSError as error:  # its messages: "(file signature not found)", "(truncated file: eof = …"
        return "cut short" if "truncated" in str(error) else "no file of weights"
    expected = _md5(file.name)
    with open(file, "rb") as content:
        found = hashlib.md5(content.read(), usedforsecurity=False).hexdigest()
    return "altered" if expected and found != expected else None


def _md5(file_name: str) -> str:
    """What Keras has published of a file, or nothing."""
    pairs = (
        pair
        for recipe in RECIPES.values()
        for pair in zip(recipe.files, recipe.md5, strict=True)
    )
    return dict(pairs).get(file_name, "")


def build(recipe: Recipe, name: str, include_top: bool) -> "keras.Model":
    """The published network with its preprocessing in front, as one flat Keras model that takes pixels."""
    check_tensorflow()
    file = weights_file(name, include_top)
    if not file.is_file():
        fetch_weights(
            name, include_top
        )  # before TensorFlow starts: without internet that is said at once
    import_tensorflow()
    import keras

    pixels = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    prepared = preprocessing_layers(pixels, recipe.pixels)
    top = (
        {"include_top": True}
        if include_top
        else {"include_top": False, "pooling": "avg"}
    )
    if recipe.application:
        published = application(recipe, name, file, input_tensor=prepared, **top)
    else:
        from .efficientnet_lite import EfficientNetLite

        published = EfficientNetLite(name, input_tensor=prepared, **top)
    return keras.Model(
        pixels, published.outputs[0], name=f"{name}_classifier" if include_top else name
    )


def application(
    recipe: Recipe, name: str, weights: Path, **options: "Any"
) -> "keras.Model":
    """Call the network's function in `keras.applications`, its faults turned into sentences."""
    import keras

    shape = (
        recipe.size,
        recipe.size,
        3,
    )  # it is what input_tensor says, but MobileNetV2 warns where it is not said
    try:
        return getattr(keras.applications, recipe.application)(
            weights=weights, input_shape=shape, **options
        )
    except Exception as error:  # HDF5 and Keras raise a dozen kinds
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise DamagedFile(
            f"The weights file {weights} cannot be loaded ({reason}): it was cut short, or belongs to another "
            f"version. Delete it and run `{_command(name, options['include_top'])}` with internet."
        ) from error


def preprocessing_layers(pixels: "keras.KerasTensor", kind: str) -> "keras.KerasTensor":
    """Keras layers that do what `preprocess_input` of the network's family does, in the graph and without Lambda."""
    import keras

    if kind == "lite":
        return keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(
            pixels
        )
    if kind == "scaled":
        return keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(
            pixels
        )
    if kind == "caffe":
        blue_green_red = keras.ops.flip(pixels, axis=-1)
        means = [103.939, 116.779, 123.68]
        return keras.layers.Normalization(
            mean=means, variance=[1, 1, 1], name="preprocessing"
        )(blue_green_red)
    return pixels


def preprocess(pixels: np.ndarray, kind: str) -> np.ndarray:
    """The same on an array, which is not changed: float32 (n, height, width, 3)."""
    import_tensorflow()
    import keras

    return np.asarray(
        preprocessing_layers(keras.ops.convert_to_tensor(pixels, "float32"), kind)
    )
