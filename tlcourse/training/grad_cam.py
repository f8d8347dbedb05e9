"""Grad-CAM: where on a picture a network finds evidence for a class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from .. import validation
from ..errors import UserInputError
from ..features.compute import compute
from ..features.engine import Pixels
from ..features.pictures import Images
from ..features.resizing import InputSize
from ..native import import_tensorflow
from .classifiers import FineTuned, positions_among

if TYPE_CHECKING:
    import keras

BATCH = 8
PREDICTED = -1  # in place of a class: the one with the highest score


def grad_cam(
    classifier: "FineTuned | keras.Model",
    images: Images,
    classes: ArrayLike | None = None,
    layer: str | None = None,
) -> np.ndarray:
    """A heat map for each picture, bright where there is evidence for a class.

    The feature map is coarse (7 × 7 in efficientnet_lite0): the heat map points at a
    region, not a pixel.

    Parameters
    ----------
    classifier : FineTuned or keras.Model
        A network from pixels to probabilities, with a Dense layer at its end.
    images
        Pictures as for `extract_features`, resized as in training; for a `keras.Model`
        by "squash", see `tl.pictures.resize`.
    classes : array_like of shape (n,) or scalar, optional
        A label as in training, or a position among the outputs of a `keras.Model`; by
        default the predicted class.
    layer : str, optional
        Whose feature map is used; by default the last that has one.

    Returns
    -------
    ndarray of shape (n, height, width), float32
        At the network's input size, the maximum of each map 1; a map without any
        evidence for the class is 0 throughout.

    Raises
    ------
    UserInputError
        A classifier of features or sentences, an unknown class or layer.

    References
    ----------
    R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017.

    Examples
    --------
    >>> import tlcourse as tl
    >>> model = tl.load_pretrained_model()
    >>> photographs = tl.load_dataset("samples").test.images[:2]
    >>> tl.grad_cam(model.classifier, photographs, 0).shape
    (2, 224, 224)
    """
    network: Any = getattr(classifier, "model", classifier)
    shape: Any = getattr(network, "input_shape", ())
    if len(shape) != 4:
        raise UserInputError(
            f"grad_cam was given a {type(classifier).__name__}; expected a network "
            "from tl.fine_tune, or of Keras, that takes pictures, not features."
        )
    _, height, width, _ = shape
    size = InputSize(height, width, getattr(classifier, "resize", "squash"))
    feature_map = _feature_map(network, layer)
    pixels = compute(
        Pixels(size), images, size, dtype=np.uint8, describe="Preparing pictures"
    )
    targets = np.full(len(pixels), PREDICTED)
    if classes is not None:
        labels = validation.as_array(classes, "classes")
        labels = np.full(len(pixels), labels) if labels.ndim == 0 else labels
        known = getattr(classifier, "classes_", np.arange(network.output_shape[-1]))
        targets = positions_among(known, labels, len(pixels))
    tf = import_tensorflow()
    import keras

    head = network.layers[-1]
    model = keras.Model(network.inputs[0], [feature_map, head.input])

    # As a graph it keeps no more activations than the gradient needs.
    @tf.function(reduce_retracing=True)
    def evidence(pixels: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pixels)  # a network that is frozen as a whole leaves no tape
            activations, embedding = model(pixels, training=False)
            # Before the softmax, whose gradient vanishes at high confidence.
            scores = embedding @ head.kernel + head.bias
            targets = tf.where(targets == PREDICTED, tf.argmax(scores, 1), targets)
            score = tf.gather(scores, targets, axis=1, batch_dims=1)
        gradient = tape.gradient(score, activations)
        weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1))

    maps: list[np.ndarray] = []
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH].astype(np.float32)
        maps += list(evidence(batch, targets[start : start + BATCH]).numpy())
    return np.stack([_resized(each, (height, width)) for each in maps])


def _feature_map(network: "keras.Model", layer: str | None) -> "keras.KerasTensor":
    """The output of the layer of that name, or of the last one with a feature map."""
    maps = {
        each.name: each.output
        for each in network.layers
        if len(each.output.shape) == 4
        and each.output.shape[1] * each.output.shape[2] > 1
    }
    if layer is None:
        return list(maps.values())[-1]
    return maps[validation.one_of("layer", layer, maps)]


def _resized(small: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the picture's size, its maximum 1."""
    image = Image.fromarray(small).resize(size[::-1], Image.Resampling.BILINEAR)
    large = np.asarray(image)
    return large / large.max() if large.max() > 0 else large
