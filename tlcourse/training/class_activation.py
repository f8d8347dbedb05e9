"""Where on a picture does a network find what speaks for a class?

Grad-CAM: R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
ICCV 2017. A channel of the last grid counts by how much the class' score would rise with it; what speaks against the
class is left out.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import validation
from ..errors import UserInputError
from ..features.compute import compute
from ..features.engine import Pixels
from ..tensorflow_start import import_tensorflow
from .predictor import Predictor

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from numpy.typing import ArrayLike

    from ..features.inputs import Images

_BATCH = 8
_PREDICTED = -1  # in place of a class: the one with the highest score


def grad_cam(
    classifier: Predictor,
    images: "Images",
    classes: "ArrayLike | None" = None,
    layer: str | None = None,
) -> np.ndarray:
    """A map for each picture, bright where the network finds evidence for a class.

    The grid that it comes from is coarse (7 × 7 in efficientnet_lite0): a map points at a region, not at a pixel.

    Args:
        classifier: from `fine_tune` or `train_network`.
        images: pictures as for `extract_features`.
        classes: for which class, of the kind that was trained with, (n,) or one for all; None: the predicted one.
        layer: name of the layer whose grid is looked at; None: the last that has one.

    Returns:
        float32 (n, height, width) at the network's input size, each map's maximum 1; a map without any evidence for the
        class is 0 throughout.

    Raises:
        UserInputError: no network that takes pictures, an unknown class, a layer that is not there or has no grid.
    """
    network = getattr(classifier, "network", None)
    size: tuple[int, int] | None = getattr(classifier, "input_size", None)
    if not isinstance(classifier, Predictor) or network is None or size is None:
        raise UserInputError(
            f"grad_cam was given a {type(classifier).__name__}; expected a network from tl.fine_tune or "
            "tl.train_network that takes pictures. A linear probe sees features and not the picture."
        )
    pixels = compute(
        Pixels(size), images, size, dtype=np.uint8, describe="Preparing pictures"
    )
    scores = _Scores(network, layer)
    if classes is None:
        wanted = np.full(len(pixels), _PREDICTED)
    else:
        given = validation.as_array(classes, "classes")
        labels = np.full(len(pixels), given) if given.ndim == 0 else classes
        wanted = classifier.positions(labels, len(pixels))
    maps = [
        scores.maps(*pair)
        for pair in zip(_batches(pixels), _batches(wanted), strict=True)
    ]
    return np.stack([_enlarged(small, size) for small in np.concatenate(maps)])


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH)]


class _Scores:
    """Pictures → a layer's grid, and each class' score before the softmax: behind it a sure answer has no slope."""

    def __init__(self, network: "keras.Model", layer: str | None) -> None:
        tf = import_tensorflow()
        import keras

        head = network.layers[-1]
        self._kernel, self._bias = head.kernel, head.bias
        self._model = keras.Model(
            network.inputs[0], [_grid(network, layer), head.input]
        )
        pixels = tf.TensorSpec((None, *network.inputs[0].shape[1:]), tf.float32)
        # A graph goes back from the score to the grid alone. Without it, what all layers before it gave would be kept.
        self._graph = tf.function(
            self._evidence, input_signature=[pixels, tf.TensorSpec((None,), tf.int64)]
        )

    def maps(self, pixels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Evidence for the wanted class at each place of the grid: float32 (b, rows, columns), from 0 on."""
        return self._graph(pixels.astype(np.float32), wanted).numpy()

    def _evidence(
        self, pixels: "tf.Tensor", wanted: "tf.Tensor"
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(
                pixels
            )  # else a network that is frozen as a whole would leave no trace
            grid, described = self._model(pixels, training=False)
            scores = described @ self._kernel + self._bias
            wanted = tf.where(wanted == _PREDICTED, tf.argmax(scores, axis=1), wanted)
            score = tf.gather(scores, wanted, axis=1, batch_dims=1)
        weights = tf.reduce_mean(tape.gradient(score, grid), axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * grid, axis=-1))


def _grid(network: "keras.Model", layer: str | None) -> "keras.KerasTensor":
    """The output of the layer by that name, or of the last one that gives a grid of more than one place."""
    grids = {
        found.name: found.output
        for found in network.layers
        if _is_grid(found.output.shape)
    }
    if layer is not None and (not isinstance(layer, str) or layer not in grids):
        raise UserInputError(
            f"{network.name!r} has no layer {validation.shown(layer)} that gives a grid. The last ones that do: "
            f"{', '.join(list(grids)[-5:])}."
        )
    return grids[layer] if layer else list(grids.values())[-1]


def _is_grid(shape: tuple) -> bool:
    return len(shape) == 4 and shape[1] * shape[2] > 1


def _enlarged(small: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the picture's size, its maximum 1."""
    height, width = size
    large = np.asarray(
        Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)
    )
    return large / large.max() if large.max() > 0 else large
