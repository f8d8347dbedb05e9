"""Whatever holds pictures → one picture after the other, checked: paths, or arrays with pixels in [0, 255]."""

import os
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeGuard

import numpy as np

from ..errors import UserInputError
from .bit_depth import DEPTHS, BitDepth
from .pictures import Pictures, as_pixels, list_pictures, picture_path

if TYPE_CHECKING:
    import PIL.Image
    import tensorflow as tf
    from numpy.typing import ArrayLike


Images: TypeAlias = "ArrayLike | Sequence[ArrayLike | str | PathLike] | str | PathLike | Pictures | tf.data.Dataset"
"""Whatever holds pictures, see `features.compute`."""


class Checked(NamedTuple):
    """Pictures that were given, ready to be read.

    Attributes:
        pictures: one after the other: paths, or checked arrays (h, w, 3).
        total: how many, if that is known.
        depth: the bit depth of all of them together.
    """

    pictures: Iterable
    total: int | None
    depth: BitDepth


def as_pictures(images: "Images", bits: int | None = None) -> Checked:
    """One picture after the other, and how many if that is known.

    Args:
        images: as for `features.compute`.
        bits: of the levels of 16-bit files that do not state it; None: that of `Pictures`, or as many as the highest
            level of all needs.

    Raises:
        UserInputError: no pictures, or none with pixels in [0, 255].
    """
    if isinstance(images, str | PathLike):
        path = picture_path(images, "images")
        paths = (
            [path]
            if os.path.lexists(path) and not os.path.isdir(path)
            else list_pictures(path)
        )
        return Checked(paths, len(paths), BitDepth(paths, bits))
    if isinstance(images, Pictures):
        return Checked(
            images.paths,
            len(images),
            images.depth if bits is None else BitDepth(bits=bits),
        )
    if hasattr(images, "as_numpy_iterator"):
        return Checked(_from_tf_data(images), None, BitDepth(bits=bits))
    if (
        isinstance(images, np.ndarray) and images.dtype.kind in "OU"
    ):  # an array of paths, or of arrays of many sizes
        images = list(images.flat)
    if isinstance(images, list | tuple):
        given = [
            picture_path(image) if isinstance(image, str | PathLike) else image
            for image in images
        ]
        depth = BitDepth(
            [
                image
                for image in given
                if isinstance(image, PathLike) or _is_pillow(image)
            ],
            bits,
        )
        return Checked(
            (one_picture(image, depth) for image in given), len(given), depth
        )
    if _is_pillow(images):
        return as_pictures([images], bits)
    array = np.asarray(images)
    if array.dtype.kind == "O":
        raise UserInputError(
            f"Pictures were given as {type(images).__name__}; expected an array, a list of arrays or paths, a folder "
            "or a tf.data.Dataset. Of a data set give the split's pictures: dataset.train.images."
        )
    return Checked(*_from_array(array), BitDepth(bits=bits))


def one_picture(
    picture: "ArrayLike | PIL.Image.Image | str | PathLike",
    depth: BitDepth | None = None,
) -> np.ndarray | PathLike:
    """One picture, checked: a path, or an array (h, w, 3).

    Raises:
        UserInputError: no picture with pixels in [0, 255].
    """
    if isinstance(picture, str | PathLike):
        return picture_path(picture)
    if _is_pillow(picture) and picture.mode != "F":
        return as_pixels(picture, depth)
    try:
        array = np.asarray(picture)
    except ValueError:  # nested lists of different lengths
        array = np.empty(0, object)
    return _three_channels(check_pixels(array, of_many=False))


def _is_pillow(picture: object) -> "TypeGuard[PIL.Image.Image]":
    return hasattr(picture, "getexif") and hasattr(picture, "mode")


def _from_array(array: np.ndarray, is_batch: bool = False) -> tuple[Iterable, int]:
    """The pictures of an array, and how many.

    Args:
        is_batch: the first axis is known to count pictures.
    """
    if array.ndim == 2 or (
        array.ndim == 3
        and array.shape[-1] in (1, 3)
        and array.shape[1] != array.shape[-1]
    ):
        return [one_picture(array)], 1
    if array.ndim == 3 and len(array) == 3 and not is_batch:
        raise UserInputError(
            f"The array has shape {array.shape}, which is either one colour picture with its channels first or three "
            "grey pictures. Of one picture give array.transpose(1, 2, 0); of three grey ones array[..., None]."
        )
    checked = check_pixels(array)
    return (_three_channels(picture) for picture in checked), len(checked)


def _from_tf_data(dataset: "tf.data.Dataset") -> Iterator[np.ndarray]:
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError(
            "The tf.data.Dataset repeats for ever. Leave .repeat() out, or put .take(n) behind it."
        )
    is_batch = _is_batched(dataset)
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
        yield from _from_array(np.asarray(element), is_batch)[0]


def _is_batched(dataset: "tf.data.Dataset") -> bool:
    """Whether the first axis of the elements has no fixed length, as after `.batch(n)`."""
    spec = dataset.element_spec
    spec = spec[0] if isinstance(spec, tuple) else spec
    spec = spec.get("image") if isinstance(spec, dict) else spec
    shape = getattr(spec, "shape", None)
    return (
        shape is not None
        and shape.rank is not None
        and shape.rank > 2
        and shape[0] is None
        and None not in shape[1:]
    )


def check_pixels(array: np.ndarray, of_many: bool = True) -> np.ndarray:
    """Refuse arrays that are no pictures with pixels in [0, 255]; the array itself is never changed.

    Raises:
        UserInputError: a sentence that says what the array is and what was expected.
    """
    ndim = array.ndim - of_many
    if (
        array.dtype.kind not in "uif"
        or ndim not in (2, 3)
        or (ndim == 3 and array.shape[-1] not in (1, 3))
    ):
        raise UserInputError(
            f"Pictures were given as an array of shape {array.shape} and type {array.dtype}; expected numbers in "
            "shape (n, height, width, 3) for colour or (n, height, width) for grey. "
            + _remedy(array.shape[-ndim:])
        )
    if not array.size:
        raise UserInputError(
            f"The array of pictures is empty: its shape is {array.shape}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserInputError(
            "The pictures hold NaN or infinite pixels. Look at where they come from; expected 0 to 255."
        )
    low, high = (
        0.0 if array.dtype.kind == "u" else float(array.min()),
        float(array.max()),
    )
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
            f"The pixels run up to {high:.6g}; expected 0 to 255. {_remedy_for_deep(high)}"
        )
    return array


def _remedy(shape: tuple[int, ...]) -> str:
    """What to do about one picture of this shape."""
    if len(shape) == 3 and shape[0] in (1, 3):
        return "Channels come last: transpose(1, 2, 0) turns one picture, transpose(0, 2, 3, 1) an array of many."
    return (
        "array[..., :3] removes an alpha channel."
        if len(shape) == 3 and shape[-1] == 4
        else ""
    )


def _remedy_for_deep(high: float) -> str:
    bits = next((depth for depth in DEPTHS if high < 2**depth), None)
    if bits is None:
        return "Scale all pictures by one number: (images * (255 / highest)).astype('uint8')."
    return (
        f"For {bits}-bit pictures (levels up to {2**bits - 1:,}): (images // {2 ** (bits - 8)}).astype('uint8'); "
        "if your camera has more bits, divide by more: by 16 for 12, by 64 for 14, by 256 for 16."
    )


def _three_channels(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture
