"""Pretrained networks, each with its own input size and preprocessing inside."""

import csv
import hashlib
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from . import efficientnet_lite, engines, features
from .engines import check_engine
from .errors import DamagedFile, UserInputError, WeightsUnavailable
from .files import bundled_file, read_card
from .inputs import as_pictures
from .recipes import RECIPES, Recipe
from .tensorflow_start import import_tensorflow
from .views import AS_IS, view_names


def list_pretrained_models() -> dict[str, str]:
    """Name → one line on each network that `load_pretrained_model` knows, and whether its weights are here."""
    return {
        name: f"{recipe.size}×{recipe.size} pixels, ImageNet top-1 {recipe.top1} %, {_availability(name)}"
        for name, recipe in RECIPES.items()
    }


def _availability(name: str) -> str:
    if not RECIPES[name].application:
        return "bundled"
    return "here" if weights_file(name).is_file() else f"tlcourse fetch {name}"


def load_pretrained_model(name: str = "efficientnet_lite0", engine: str = "auto") -> "PretrainedModel":
    """Load a network that was trained on ImageNet's 1.28 million photographs in 1,000 classes.

    Args:
        name: one of `list_pretrained_models()`; the default is bundled and needs no internet. Keras downloads the
            others once and keeps them in its own cache (`KERAS_HOME`, or ~/.keras).
        engine: what runs the network over pictures: "litert", "tensorflow", or "auto": LiteRT where it is installed
            and can, as it is about twice as fast. Features agree to 1e-4 of the largest.

    Raises:
        UserInputError: unknown name or engine.
        WeightsUnavailable: the weights are neither here nor to be had, or TensorFlow is not installed.
        DamagedFile: the weights' file is not what was published, or was cut short.
    """
    if not isinstance(name, str) or name not in RECIPES:
        raise UserInputError(f"There is no pretrained model {name!r}. Known: {', '.join(RECIPES)}.")
    return PretrainedModel(name, engine)


class PretrainedModel:
    """A pretrained network and what is needed to use it. Made by `load_pretrained_model`.

    Attributes:
        name, engine: as given to `load_pretrained_model`.
        recipe: input size, preprocessing, published accuracy, source.
        input_size: (height, width) in pixels.
    """

    def __init__(self, name: str, engine: str = "auto"):
        self.name = name
        self.engine = check_engine(engine)
        self.recipe = RECIPES[name]
        self.input_size = (self.recipe.size, self.recipe.size)
        if self.recipe.application:
            self.network  # noqa: B018 - here and now, so that weights that are missing are said to be missing
        else:
            weights_file(name)

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<{self.name}: {height}×{width} pixels → {self.feature_dim:,} features, {len(self.blocks)} blocks>"

    @cached_property
    def network(self):
        """`keras.Model`, pixels [0, 255] float32 (n, height, width, 3) → features float32 (n, d).

        Preprocessing and average pooling are inside. Built when first asked for: features alone do not need it.
        """
        network = _build(self.recipe, self.name, include_top=False)
        self._as_published["network"] = engines.digest(network)
        return network

    @property
    def feature_dim(self) -> int:
        """How many numbers describe one picture."""
        return self.network.output_shape[-1] if self.recipe.application else efficientnet_lite.FEATURES

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers, from the pixels to the features."""
        return _blocks(self.network, self.recipe) if self.recipe.application else efficientnet_lite.block_layers()

    @cached_property
    def classifier(self):
        """The network with its ImageNet classifier: `keras.Model`, pixels [0, 255] → probabilities (n, 1000)."""
        classifier = _build(self.recipe, self.name, include_top=True)
        self._as_published["classifier"] = engines.digest(classifier)
        return classifier

    @cached_property
    def _as_published(self) -> dict[str, str]:
        """Digests of the Keras networks that were built, before anybody could change them."""
        return {}

    @cached_property
    def labels(self) -> list[str]:
        """The 1,000 ImageNet classes in plain English, in the order of the classifier's outputs."""
        return [row["label"] for row in imagenet_classes()]

    def preprocess(self, images) -> np.ndarray:
        """What the first layer of the network proper is given for these pixels, to look at: float32 (n, h, w, 3).

        Nobody needs to call this before the network: it preprocesses by itself. The array given is not changed.

        Args:
            images: array, or list of arrays of one size, as for `extract_features`; nothing is resized.
        """
        import keras

        pixels = keras.Input((None, None, 3))
        values = np.stack([np.asarray(picture, np.float32) for picture in as_pictures(images)[0]])
        return np.asarray(keras.Model(pixels, _preprocess(pixels, self.recipe.pixels))(values))

    def extract_features(self, images, blocks: Sequence[str] | None = None, cache: bool = True) -> np.ndarray:
        """Describe each picture by what the network sees in it: float32 (n, feature_dim).

        Without `blocks`, these are the features the network's own classifier was trained on: the last block,
        averaged over all positions. With `blocks`, the output of each named block, averaged over all positions and
        its maximum over all positions, side by side: early blocks see texture, late ones objects, the average says
        how much there is of something and the maximum whether it is anywhere at all.

        What was computed for a picture before is taken from the cache on disk; `tlcourse doctor` shows its size,
        `tlcourse cache clear` empties it. After Ctrl-C the next call goes on where this one stopped. Results above
        16 MB are a `numpy.memmap`.

        Args:
            images: uint8 array, float array with pixels in [0, 255], list of arrays or paths, folder, or
                `tf.data.Dataset`; pictures of any size are resized as a whole to `input_size`.
            blocks: names out of `self.blocks`, or None.
            cache: False computes everything anew and keeps nothing.

        Raises:
            UserInputError: unknown block; pixels scaled or preprocessed before, not finite; no shape of pictures.
            PictureError: a file that cannot be read as a picture; the message names it.
        """
        if blocks is None:
            engine = self._compiled("network", efficientnet_lite.FEATURES_OUTPUT, lambda: self.network)
        else:
            names = self._block_names(blocks)
            engine = self._compiled("network", names, lambda: self.network_at(names))
        return features.compute(engine, images, self.input_size, name=self.name if cache else None)

    def activations(self, images, block: str, views: int | Sequence[str] = (AS_IS,), cache: bool = True) -> np.ndarray:
        """What a block hands to the next one, for each picture: float16 (n, height, width, channels).

        With everything up to that block frozen, training can go on from here and never run the frozen part again.

        Args:
            images, cache: as for `extract_features`.
            block: one of `self.blocks`.
            views: of each picture, see `tlcourse.views`; several give (n, views, height, width, channels).

        Raises:
            UserInputError, PictureError: as `extract_features`; also unknown views.
        """
        (block,) = self._block_names((block,))
        engine = self._compiled("network", (block,), lambda: self._network_up_to(block), pooled=False)
        chosen = view_names(views)
        return features.compute(
            engine, images, self.input_size, chosen, np.float16, name=f"{self.name}-{block}" if cache else None
        )

    def _compiled(self, part: str, output, keras_network, pooled: bool = True):
        """The engine that computes this output of the network, or of the classifier, with the weights it now has."""
        built = self.__dict__.get(part)
        changed = built is not None and engines.digest(built) != self._as_published.get(part)
        if self.recipe.application or changed or self.engine == "tensorflow" or not engines.has_litert():
            return engines.compile_network(keras_network(), self.engine)
        key = f"{self.name} {output} {pooled}"
        return engines.remembered((key, "litert"), lambda _: _bundled_engine(output, pooled))

    def _network_up_to(self, block: str):
        """The network up to this block: `keras.Model`, pixels → the block's output."""
        import keras

        output = self.network.get_layer(self.blocks[block][-1]).output
        return keras.Model(self.network.inputs[0], output, name=f"{self.name}-{block}-output")

    def _block_names(self, blocks: str | Sequence[str]) -> tuple[str, ...]:
        names = (blocks,) if isinstance(blocks, str) else tuple(blocks)
        unknown = [name for name in names if name not in self.blocks]
        if unknown or not names:
            raise UserInputError(f"{self.name} has no block {unknown or names}. Its blocks: {', '.join(self.blocks)}.")
        return names

    def network_at(self, blocks: Sequence[str]):
        """The network up to these blocks: `keras.Model`, pixels → averages and maxima of their outputs, (n, d)."""
        import keras

        blocks = self._block_names(blocks)
        pooled = {}
        for block in dict.fromkeys(blocks):  # names of our own: the same blocks are the same network next time
            output = self.network.get_layer(self.blocks[block][-1]).output
            average = keras.layers.GlobalAveragePooling2D(name=f"{block}_average")(output)
            maximum = keras.layers.GlobalMaxPooling2D(name=f"{block}_maximum")(output)
            pooled[block] = [average, maximum]
        parts = [part for block in blocks for part in pooled[block]]
        side_by_side = keras.layers.Concatenate(name="side_by_side")(parts)
        return keras.Model(self.network.inputs[0], side_by_side, name="-".join((self.name, *blocks)))

    def predict_labels(self, images, top: int = 5) -> list[list[tuple[str, float]]]:
        """What the network, as it was trained, says is in each picture.

        Args:
            images: as for `extract_features`.
            top: how many classes, the most probable first (1 to 1,000).

        Returns:
            For each picture a list of (label, probability).

        Raises:
            WeightsUnavailable: the weights of the ImageNet classifier are not here.
            UserInputError, PictureError: as `extract_features`.
        """
        if not isinstance(top, int | np.integer) or not 1 <= top <= 1000:
            raise UserInputError(f"top is {top!r}; ask for 1 to 1,000 of ImageNet's 1,000 classes.")
        engine = self._compiled("classifier", efficientnet_lite.CLASSIFIER_OUTPUT, lambda: self.classifier)
        probabilities = features.compute(engine, images, self.input_size, describe="Predicting")
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [(self.labels[label], float(row[label])) for label in best]
            for row, best in zip(probabilities, order, strict=True)
        ]


def _bundled_engine(output: str | tuple[str, ...], pooled: bool) -> engines.LiteRTEngine:
    """The bundled network in LiteRT; nothing is read or built until a picture comes that is not in the cache."""
    from .lite0_file import WRITER, bundled_lite0, output_shape

    weights = read_card("weights").files["efficientnet_lite0.npz"]
    key = hashlib.sha256(f"{weights} {WRITER} {output} {pooled}".encode()).hexdigest()
    return engines.LiteRTEngine(lambda: bundled_lite0(output, pooled), key, output_shape(output, pooled))


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
        _application(recipe, name, "imagenet", include_top=include_top)


def _build(recipe: Recipe, name: str, include_top: bool):
    """The published network with its preprocessing in front, as one flat Keras model that takes pixels."""
    import_tensorflow()
    import keras

    pixels = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    prepared = _preprocess(pixels, recipe.pixels)
    top = {"include_top": True} if include_top else {"include_top": False, "pooling": "avg"}
    if recipe.application:
        file = weights_file(name, include_top)
        published = _application(recipe, name, file if file.is_file() else "imagenet", input_tensor=prepared, **top)
    else:
        from .efficientnet_lite import EfficientNetLite0

        published = EfficientNetLite0(input_tensor=prepared, **top)
    return keras.Model(pixels, published.outputs[0], name=f"{name}_classifier" if include_top else name)


def _application(recipe: Recipe, name: str, weights, **options):
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


def _preprocess(pixels, kind: str):
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


def _blocks(network, recipe: Recipe) -> dict[str, list[str]]:
    """Sort the layers into blocks. In InceptionV3 a block's name stands on its last layer, elsewhere on its first."""
    named_at_end = recipe.application == "InceptionV3"
    blocks, waiting, current = {}, [], None
    for layer in network.layers:
        match = re.match(recipe.block, layer.name)
        outside = layer.name in ("pixels", "preprocessing") or layer.__class__.__name__.startswith("Global")
        if outside and not match:
            continue
        waiting.append(layer.name)
        if match:
            current = recipe.rename.get(match[1], match[1])
        if match or (current and not named_at_end):
            blocks.setdefault(current, []).extend(waiting)
            waiting = []
    return blocks
