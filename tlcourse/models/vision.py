"""Pretrained networks for pictures, each with its own input size and preprocessing."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..cards import read_card
from ..errors import UserInputError
from ..features import engine as engines
from ..features.augment import AS_IS, augmentation_names
from ..features.compute import compute
from ..features.pictures import Images, as_pictures, read_picture
from ..features.resizing import InputSize
from ..native import import_tensorflow
from . import conversion, efficientnet_lite
from .blocks import check_blocks, is_spatial, sort_into_blocks
from .recipes import RECIPES
from .weights import build, imagenet_classes, preprocess

if TYPE_CHECKING:
    import keras

SIDES = (75, 2048)  # pixels; of fewer, some networks' strides leave nothing


class PretrainedModel:
    """A network pretrained on ImageNet. Made by `tl.load_pretrained_model`.

    Attributes
    ----------
    name, precision, resize : str
        As given to `load_pretrained_model`, or its default.
    recipe : Recipe
        Preprocessing, the size it was trained with, published accuracy and its source.
    input_size : tuple of int
        (height, width) in pixels, to which pictures are resized.
    """

    kind = "pictures"
    settings: dict = {}  # of `fine_tune`, where they differ from its defaults

    def __init__(
        self,
        name: str,
        precision: str = "float32",
        input_size: int | tuple[int, int] | None = None,
        resize: str | None = None,
    ) -> None:
        self.name, self.recipe = name, RECIPES[name]
        self.precision = validation.one_of("precision", precision, engines.PRECISIONS)
        size = self.recipe.size if input_size is None else input_size
        sides = (size, size) if isinstance(size, int | np.integer) else size
        self.input_size = validation.size(sides, "input_size", *SIDES)
        self.resize = resize or "squash"
        self._size = InputSize(*self.input_size, self.resize)
        self._label_size = InputSize(*self.input_size, resize or "crop")
        self.is_bundled = not self.recipe.application
        self._digests: dict[str, str] = {}  # of the Keras networks as they were built
        if self.is_bundled:
            file = conversion.bundled_path(name, precision)
            self._sha256 = read_card("weights").files[file.name]
        elif precision == "int8":
            raise UserInputError(f"{name} has no int8 file; the bundled networks have.")
        else:
            self.network  # noqa: B018 - so that missing weights are noticed at once

    def __repr__(self) -> str:
        size = "×".join(map(str, self.input_size))
        numbers = f"{self.feature_dim:,} features, {len(self.blocks)} blocks"
        return f"<{self.name}: {size} pixels → {numbers}>"

    @cached_property
    def network(self) -> "keras.Model":
        """The network, preprocessing inside: pixels (n, h, w, 3) → features (n, d)."""
        network = build(self.name, include_top=False, size=self.input_size)
        self._digests["network"] = conversion.digest(network)
        return network

    @cached_property
    def classifier(self) -> "keras.Model":
        """The network with its ImageNet classifier: pixels → (n, 1000)."""
        network = build(self.name, include_top=True, size=self.input_size)
        self._digests["classifier"] = conversion.digest(network)
        return network

    @cached_property
    def labels(self) -> list[str]:
        """The 1,000 ImageNet classes in plain English, in the order of the outputs."""
        return [row["label"] for row in imagenet_classes()]

    @property
    def feature_dim(self) -> int:
        """The number of features of a picture."""
        if self.is_bundled:
            return efficientnet_lite.FEATURES
        return self.network.output_shape[-1]

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers, from input to output."""
        if self.is_bundled:
            return efficientnet_lite.block_layers(self.name)
        layers = list(filter(is_spatial, self.network.layers))
        layers = [x for x in layers if x.name not in ("pixels", "preprocessing")]
        blocks = sort_into_blocks(layers, self.recipe)
        return {block: [x.name for x in inside] for block, inside in blocks.items()}

    def preprocess(self, images: Images) -> np.ndarray:
        """Compute the input of the network's first layer, to look at it: float32."""
        pictures, _, depth = as_pictures(images)
        pixels = [
            read_picture(each, depth) if isinstance(each, str | PathLike) else each
            for each in pictures
        ]
        if len({each.shape for each in pixels}) != 1:
            raise UserInputError(
                f"There are {len(pixels)} pictures; expected one at least, and all of "
                "one size. Resize them first: tl.pictures.resize(picture, "
                f"{self.input_size})."
            )
        return preprocess(np.stack(pixels).astype(np.float32), self.recipe.pixels)

    def copy_network(self) -> "keras.Model":
        """Copy the network: training the copy leaves `self.network` as it is."""
        import_tensorflow()
        import keras

        network = keras.models.clone_model(self.network)
        network.set_weights(self.network.get_weights())
        return network

    def extract_features(
        self,
        images: Images,
        blocks: Sequence[str] | None = None,
        cache: bool = True,
        engine: str | None = None,
        *,
        scheduler: str | None = None,
        out: str | PathLike | None = None,
    ) -> np.ndarray:
        """Extract each picture's features; those computed before come from the cache.

        After Ctrl-C the same call continues. Results above 16 MB are a `numpy.memmap`.

        Parameters
        ----------
        images
            uint8 array, float array with pixels in [0, 255], list of arrays or paths,
            folder, or `tf.data.Dataset`; of any size, `self.resize` says how they fit.
        blocks : sequence of str, optional
            Names out of `self.blocks`: average and maximum over all positions of each
            one's output, concatenated. By default the last one's average.
        cache : bool
            False: compute everything, and keep nothing.
        engine : {None, "dask"}
            "dask": a Dask cluster computes the same rows, of files, into Parquet
            shards, see `tl.distributed`; unreadable files have rows of NaN.
        scheduler, out : optional
            Of Dask: its address, by default that of the client in use; a folder for the
            shards, which all workers see under this path.

        Returns
        -------
        ndarray of shape (n, feature_dim), float32

        Raises
        ------
        UserInputError
            Unknown block, pixels scaled or preprocessed before, an unreadable file.

        Examples
        --------
        >>> import tlcourse as tl
        >>> photographs = tl.load_dataset("samples").test.images
        >>> tl.load_pretrained_model().extract_features(photographs[:2]).shape
        (2, 1280)
        """
        is_dask, size = engines.is_dask(engine), self._size
        name = self.name if validation.flag("cache", cache) else None
        if not is_dask and not (scheduler is None and out is None):
            raise UserInputError("scheduler and out are for Dask: add engine='dask'.")
        if blocks is None:
            runner = self._engine((conversion.FEATURES_OUTPUT,), lambda: self.network)
        else:
            names = check_blocks(self.name, self.blocks, blocks)
            outputs = conversion.pooled(names)
            runner = self._engine(outputs, lambda: self._part(names, True))
        if not is_dask:
            return compute(runner, images, size, name=name)
        from ..distributed import compute_features

        return compute_features(
            runner, images, size, scheduler=scheduler, out=out, cache=cache
        ).features

    def activations(
        self,
        images: Images,
        block: str | None,
        augmentations: int | Sequence[str] = (AS_IS,),
        cache: bool = True,
        engine: str | None = None,
    ) -> np.ndarray:
        """Compute a block's output for each picture: the input of the next block.

        Without a block: the prepared pixels, uint8. Parameters as for
        `extract_features`. Returns float16 (n, height, width, channels), or
        (n, augmentations, …) where there are several.
        """
        copies, size = augmentation_names(augmentations), self._size
        is_dask = engines.is_dask(engine)
        name = f"{self.name}-{block}" if validation.flag("cache", cache) else None
        if block is None:
            if is_dask:
                raise UserInputError("Dask computes a block's output: name a block.")
            pixels, describe = engines.Pixels(size), "Preparing pictures"
            return compute(pixels, images, size, copies, np.uint8, describe=describe)
        names = check_blocks(self.name, self.blocks, block)
        runner = self._engine(names, lambda: self._part(names, False))
        what = (runner, images, size, copies, np.float16)
        if not is_dask:
            return compute(*what, name=name)
        from ..distributed import compute_features

        # Complete, since training looks at every row.
        return compute_features(*what, cache=cache, complete=True).features

    def predict_labels(
        self, images: Images, top: int = 5
    ) -> list[list[tuple[str, float]]]:
        """Predict ImageNet classes with the network's own classifier.

        Parameters
        ----------
        images
            As for `extract_features`, but by default resized by "crop".
        top : int
            How many classes, the most probable first (1 to 1,000).

        Returns
        -------
        list, for each picture, of (label, probability)
        """
        top = validation.whole_number("top", top, 1, 1000)
        outputs = (conversion.CLASSIFIER_OUTPUT,)
        runner = self._engine(outputs, lambda: self.classifier)
        probabilities = compute(runner, images, self._label_size, describe="Predicting")
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [(self.labels[label], float(row[label])) for label in best]
            for row, best in zip(probabilities, order, strict=True)
        ]

    def predict_with(self, network: "keras.Model", images: Images) -> np.ndarray:
        """Predict with a network of pixels → (n, classes), such as a fine-tuned one."""
        runner = conversion.compile_network(network)
        return compute(runner, images, self._size, describe="Predicting")

    def count(self, images: Images) -> int | None:
        """The number of pictures, if it is known before they are read."""
        return as_pictures(images)[1]

    def augmentations(self, chosen: int | Sequence[str] | None) -> tuple[str, ...]:
        """The names of the augmentations that `fine_tune` uses: two by default."""
        return augmentation_names(2 if chosen is None else chosen)

    def _engine(
        self, outputs: tuple[str, ...], keras_network: Callable[[], "keras.Model"]
    ) -> engines.Engine:
        """The engine for these outputs, with the weights that the network has now."""
        is_classifier = outputs == (conversion.CLASSIFIER_OUTPUT,)
        part = "classifier" if is_classifier else "network"
        built = self.__dict__.get(part)  # by cached_property
        is_new = built is None or conversion.digest(built) == self._digests[part]
        if not self.is_bundled or not is_new:
            return conversion.compile_network(keras_network())
        key = hashlib.sha256(f"{self._sha256} {outputs}".encode()).hexdigest()
        made_of = (self.name, self.precision, outputs, self.input_size, key)
        return engines.remembered(made_of, lambda: conversion.bundled_engine(*made_of))

    def _part(self, blocks: Sequence[str], is_pooled: bool) -> "keras.Model":
        """The network up to a block, or several ones' averages and maxima."""
        import keras
        from keras.layers import Concatenate, GlobalAveragePooling2D, GlobalMaxPooling2D

        ends = [self.network.get_layer(self.blocks[block][-1]) for block in blocks]
        output = ends[0].output
        if is_pooled:
            kinds = (GlobalAveragePooling2D, GlobalMaxPooling2D)
            output = Concatenate()([kind()(x.output) for x in ends for kind in kinds])
        name = "-".join((self.name, *blocks))
        return keras.Model(self.network.inputs[0], output, name=name)
