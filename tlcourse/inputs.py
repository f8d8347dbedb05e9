"""Whatever holds pictures → one picture after the other, checked: paths, or arrays with pixels in [0, 255]."""

import os
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import UserInputError
from .pictures import Pictures, list_pictures

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import ArrayLike


Images: TypeAlias = "ArrayLike | Sequence[ArrayLike | str | PathLike] | str | PathLike | Pictures | tf.data.Dataset"
"""Whatever holds pictures, see `features.compute`."""


def as_pictures(images: "Images") -> tuple[Iterable, int | None]:
    """One picture after the other (paths, or checked arrays (h, w, 3)), and how many if that is known."""
    if isinstance(images, str | PathLike):
        path = Path(images).expanduser()
        paths = [path] if os.path.isfile(path) else list_pictures(path)
        return paths, len(paths)
    if isinstance(images, Pictures):
        return images.paths, len(images)
    if hasattr(images, "as_numpy_iterator"):
        return _from_tf_data(images), None
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":  # an array of paths, or of arrays of many sizes
        images = list(images.flat)
    if isinstance(images, list | tuple):
        return (image if isinstance(image, str | PathLike) else _one(image) for image in images), len(images)
    array = np.asarray(images)
    if array.dtype.kind == "O":
        raise UserInputError(
            f"Pictures were given as {type(images).__name__}; expected an array, a list of arrays or paths, a folder "
            "or a tf.data.Dataset. Of a data set give the split's pictures: dataset.train.images."
        )
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3) and array.shape[1] != array.shape[-1]):
        return [_one(array)], 1
    checked = check_pixels(array)
    return (_three_channels(picture) for picture in checked), len(checked)


def _from_tf_data(dataset: "tf.data.Dataset") -> Iterator[np.ndarray]:
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError("The tf.data.Dataset repeats for ever. Leave .repeat() out, or put .take(n) behind it.")
    for element in dataset.as_numpy_iterator():
        if isinstance(element, tuple):
            element = element[0]
        if isinstance(element, dict):
            if "image" not in element:
                raise UserInputError(
                    f"The elements of the tf.data.Dataset are dictionaries with {', '.join(map(str, element))}; "
                    'expected the pictures under "image". Choose them: dataset.map(lambda row: row["…"]).'
                )
            element = element["image"]
        yield from as_pictures(element)[0]


def _one(picture: "ArrayLike") -> np.ndarray:
    return _three_channels(check_pixels(np.asarray(picture), of_many=False))


def check_pixels(array: np.ndarray, of_many: bool = True) -> np.ndarray:
    """Refuse arrays that are no pictures with pixels in [0, 255]; the array itself is never changed.

    Raises:
        UserInputError: a sentence that says what the array is and what was expected.
    """
    ndim = array.ndim - of_many
    if array.dtype.kind not in "uif" or ndim not in (2, 3) or (ndim == 3 and array.shape[-1] not in (1, 3)):
        raise UserInputError(
            f"Pictures were given as an array of shape {array.shape} and type {array.dtype}; expected numbers in "
            "shape (n, height, width, 3) for colour or (n, height, width) for grey. array[..., :3] removes an alpha "
            "channel."
        )
    if not array.size:
        raise UserInputError(f"The array of pictures is empty: its shape is {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserInputError(
            "The pictures hold NaN or infinite pixels. Look at where they come from; expected 0 to 255."
        )
    low, high = 0.0 if array.dtype.kind == "u" else float(array.min()), float(array.max())
    if low < 0:
        raise UserInputError(
            f"The pixels run from {low:.3g} to {high:.3g}: they were preprocessed before. Give the pictures as they "
            "are, with pixels from 0 to 255; each network here brings its own preprocessing."
        )
    # One dark picture of whole numbers may well have no pixel above 1; a picture of fractions, or a whole set, has not.
    if 0 < high <= 1 and (of_many or array.dtype.kind == "f"):
        raise UserInputError(
            f"The pixels run from {low:.3g} to {high:.3g}: they were scaled to [0, 1] before. Give the pictures as "
            "they are, with pixels from 0 to 255 (images * 255 undoes the scaling); each network here brings its own "
            "preprocessing."
        )
    if high > 255:
        raise UserInputError(
            f"The pixels run up to {high:.5g}; expected 0 to 255. For 16-bit pictures: (images // 256).astype('uint8')."
        )
    return array


def _three_channels(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture
