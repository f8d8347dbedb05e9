"""A pretrained network for pictures as Keras models, and its blocks."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features.pictures import as_pictures
from ..tensorflow_start import import_tensorflow
from . import efficientnet_lite
from .blocks import is_spatial, sort_into_blocks
from .conversion import digest
from .recipes import RECIPES
from .weights import build, imagenet_classes, preprocess

if TYPE_CHECKING:
    import keras

    from ..features.pictures import Images


class KerasBackbone:
    """One of `RECIPES`; its Keras networks are built when they are first asked for.

    Attributes
    ----------
    name : str
        Of the network.
    recipe : Recipe
        Input size, preprocessing, published accuracy and its source.
    input_size : tuple of int
        (height, width) in pixels.
    """

    def __init__(self, name: str) -> None:
        self.name, self.recipe = name, RECIPES[name]
        self.input_size = (self.recipe.size, self.recipe.size)
        self._digests: dict[str, str] = {}  # of the Keras networks as they were built

    def __repr__(self) -> str:
        height, width = self.input_size
        return (
            f"<{self.name}: {height}×{width} pixels → {self.feature_dim:,} features, "
            f"{len(self.blocks)} blocks>"
        )

    @property
    def is_bundled(self) -> bool:
        """Whether its weights come with the course."""
        return not self.recipe.application

    @cached_property
    def network(self) -> "keras.Model":
        """The network as a `keras.Model`, built when it is first asked for.

        Pixels [0, 255] float32 (n, height, width, 3) → features float32 (n, d).
        Preprocessing and average pooling are inside.
        """
        return self._build("network", include_top=False)

    @cached_property
    def classifier(self) -> "keras.Model":
        """The network with its ImageNet classifier: pixels → (n, 1000)."""
        return self._build("classifier", include_top=True)

    def _build(self, part: str, include_top: bool) -> "keras.Model":
        network = build(self.recipe, self.name, include_top)
        self._digests[part] = digest(network)
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
        layers = [
            layer
            for layer in self.network.layers
            if layer.name not in ("pixels", "preprocessing") and is_spatial(layer)
        ]
        return {
            block: [layer.name for layer in inside]
            for block, inside in sort_into_blocks(layers, self.recipe).items()
        }

    def preprocess(self, images: "Images") -> np.ndarray:
        """Compute the input of the network's first layer, to look at it.

        The network preprocesses by itself. `images` are an array, or a list of arrays
        of one size; not changed. Returns float32 (n, height, width, 3).
        """
        pixels = [np.asarray(picture, np.float32) for picture in as_pictures(images)[0]]
        if not pixels:
            raise UserInputError("There are no pictures; at least one is needed.")
        return preprocess(np.stack(pixels), self.recipe.pixels)

    def copy_network(self) -> "keras.Model":
        """Copy the network: training the copy leaves `self.network` as it is."""
        import_tensorflow()
        import keras

        network = keras.models.clone_model(self.network)
        network.set_weights(self.network.get_weights())
        return network

    def network_at(self, blocks: Sequence[str]) -> "keras.Model":
        """The network up to these blocks: averages and maxima of their outputs."""
        import_tensorflow()
        import keras

        parts = []
        for block in self.check_blocks(blocks):
            output = self.network.get_layer(self.blocks[block][-1]).output
            parts += [
                keras.layers.GlobalAveragePooling2D()(output),
                keras.layers.GlobalMaxPooling2D()(output),
            ]
        outputs = keras.layers.Concatenate()(parts)
        name = "-".join((self.name, *blocks))
        return keras.Model(self.network.inputs[0], outputs, name=name)

    def network_up_to(self, block: str) -> "keras.Model":
        """The network up to this block: its output, (n, height, width, channels)."""
        import_tensorflow()
        import keras

        output = self.network.get_layer(self.blocks[block][-1]).output
        return keras.Model(self.network.inputs[0], output, name=f"{self.name}-{block}")

    def is_changed(self, part: str) -> bool:
        """Whether this Keras network was built, and is not what it was then."""
        built = self.__dict__.get(part)
        if built is None:
            return False
        return digest(built) != self._digests[part]

    def check_blocks(self, blocks: str | Sequence[str]) -> tuple[str, ...]:
        """Block names, or a sentence that lists the known ones."""
        names = (blocks,) if isinstance(blocks, str) else validation.elements(blocks)
        unknown = [
            name
            for name in names
            if not isinstance(name, str) or name not in self.blocks
        ]
        if unknown or not names:
            asked, known = validation.shown(unknown or names or blocks), self.blocks
            raise UserInputError(
                f"{self.name} has no block {asked}. Its blocks: {', '.join(known)}."
            )
        return names
