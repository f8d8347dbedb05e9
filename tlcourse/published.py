"""The published networks as Keras models: their weights' files, their preprocessing in front, their classes."""

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DamagedFile, WeightsUnavailable
from .files import bundled_file
from .recipes import RECIPES, Recipe
from .tensorflow_start import import_tensorflow

if TYPE_CHECKING:
    import keras


def imagenet_classes() -> list[dict[str, str]]:
    """ImageNet's 1,000 classes in order: rows with index, wnid (WordNet's number) and label."""
    with open(bundled_file("weights", "imagenet_labels.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weights_file(name: str, include_top: bool = False) -> Path:
    """Where the weights of a network are kept: with the course, or in Keras' cache."""
    recipe = RECIPES[name]
    if not recipe.application:
        return bundled_file("weights", recipe.files[include_top])
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home.expanduser() / "models" / recipe.files[include_top]


def fetch_weights(name: str, include_top: bool = False) -> None:
    """Download a network's weights into Keras' cache, checked by Keras' own hash; nothing if it is bundled.

    Raises:
        WeightsUnavailable: the download did not finish.
    """
    recipe = RECIPES[name]
    if recipe.application:
        import_tensorflow()
        application(recipe, name, "imagenet", include_top=include_top)


def build(recipe: Recipe, name: str, include_top: bool) -> "keras.Model":
    """The published network with its preprocessing in front, as one flat Keras model that takes pixels."""
    import_tensorflow()
    import keras

    pixels = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    prepared = preprocessing_layers(pixels, recipe.pixels)
    top = {"include_top": True} if include_top else {"include_top": False, "pooling": "avg"}
    if recipe.application:
        file = weights_file(name, include_top)
        published = application(recipe, name, file if file.is_file() else "imagenet", input_tensor=prepared, **top)
    else:
        from .efficientnet_lite import EfficientNetLite

        published = EfficientNetLite(name, input_tensor=prepared, **top)
    return keras.Model(pixels, published.outputs[0], name=f"{name}_classifier" if include_top else name)


def application(recipe: Recipe, name: str, weights: str | Path, **options: "Any") -> "keras.Model":
    """Call the network's function in `keras.applications`, its faults turned into sentences."""
    import keras

    shape = (recipe.size, recipe.size, 3)  # it is what input_tensor says, but MobileNetV2 warns where it is not said
    try:
        return getattr(keras.applications, recipe.application)(weights=weights, input_shape=shape, **options)
    except Exception as error:  # HDF5, Keras and the downloader raise a dozen kinds
        file = recipe.files[options["include_top"]]
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        command = f"tlcourse fetch {name}" + (" --with-classifier" if options["include_top"] else "")
        if weights != "imagenet":
            raise DamagedFile(
                f"The weights file {weights} cannot be loaded ({reason}): it was cut short, or belongs to another "
                f"version. Delete it and run `{command}` with internet."
            ) from error
        raise WeightsUnavailable(
            f"The weights of {name} are not on this machine: {file} was looked for in {weights_file(name).parent}, and "
            f"downloading it failed ({reason}). With internet run `{command}`; without, copy the file into that "
            "folder from a machine that has it, or use the bundled efficientnet_lite0."
        ) from error


def preprocessing_layers(pixels: "keras.KerasTensor", kind: str) -> "keras.KerasTensor":
    """Keras layers that do what `preprocess_input` of the network's family does, in the graph and without Lambda."""
    import keras

    if kind == "lite":
        return keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(pixels)
    if kind == "scaled":
        return keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(pixels)
    if kind == "caffe":
        blue_green_red = keras.ops.flip(pixels, axis=-1)
        means = [103.939, 116.779, 123.68]
        return keras.layers.Normalization(mean=means, variance=[1, 1, 1], name="preprocessing")(blue_green_red)
    return pixels


def preprocess(pixels: np.ndarray, kind: str) -> np.ndarray:
    """The same on an array, which is not changed: float32 (n, height, width, 3)."""
    import_tensorflow()
    import keras

    return np.asarray(preprocessing_layers(keras.ops.convert_to_tensor(pixels, "float32"), kind))
