"""What the user passes as images → pictures one by one: paths, or checked arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from ..errors import UserInputError
from .bit_depth import DEPTHS, BitDepth
from .decoding import as_rgb, picture_errors, picture_path
from .pictures import Pictures, list_pictures

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import ArrayLike

Images: TypeAlias = (
    "ArrayLike | Sequence[ArrayLike | str | PathLike] | str | PathLike | Pictures "
    "| tf.data.Dataset"
)
"""Whatever holds pictures, see `as_pictures`."""


class Checked(NamedTuple):
    """Pictures ready to be read."""

    pictures: Iterable  # paths, or checked arrays (h, w, 3)
    total: int | None  # how many, if that is known
    depth: BitDepth  # of all of them together


def as_pictures(images: Images, bits: int | None = None) -> Checked:
    """The pictures of any holder, checked one by one as they are used.

    Parameters
    ----------
    images
        Array (n, h, w), (n, h, w, 1) or (n, h, w, 3), or of one picture; uint8, or
        float with pixels in [0, 255]; a list of such arrays, of paths, or a mixture;
        `Pictures`; a folder (its picture files in sorted order); a `tf.data.Dataset`
        of pictures or (pictures, labels), batched or not.
    bits : int, optional
        Bit depth of 16-bit files that do not state it; None: that of `Pictures`, or as
        many bits as the highest level of all needs.

    Raises
    ------
    UserInputError
        No pictures, or none with pixels in [0, 255].
    """
    if isinstance(images, str | PathLike):
        path = picture_path(images, "images")
        is_file = os.path.lexists(path) and not os.path.isdir(path)
        images = Pictures([path] if is_file else list_pictures(path), bits)
    if isinstance(images, Pictures):
        depth = images.depth if bits is None else BitDepth(bits=bits)
        return Checked(images.paths, len(images), depth)
    if hasattr(images, "as_numpy_iterator"):
        return Checked(_from_tf_data(images), None, BitDepth(bits=bits))
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":
        images = list(images.flat)  # paths, or arrays of several sizes
    if isinstance(images, list | tuple):
        parts = [
            picture_path(part) if isinstance(part, str | PathLike) else part
            for part in images
        ]
        depth = BitDepth(
            [part for part in parts if isinstance(part, PathLike | Image.Image)], bits
        )
        return Checked((one_picture(part, depth) for part in parts), len(parts), depth)
    array = np.asarray(images)
    if array.dtype.kind == "O":
        raise UserInputError(
            f"Pictures were given as {type(images).__name__}; expected an array, a "
            "list of arrays or paths, a folder or a tf.data.Dataset. Of a data set "
            "give the split's pictures: dataset.train.images."
        )
    pictures = _from_array(array)
    return Checked(pictures, len(pictures), BitDepth(bits=bits))


def one_picture(picture: Any, depth: BitDepth | None = None) -> np.ndarray | PathLike:
    """One picture, checked: a path, or an array (h, w, 3) with pixels in [0, 255]."""
    if isinstance(picture, str | PathLike):
        return picture_path(picture)
    if isinstance(picture, Image.Image) and picture.mode != "F":
        with picture_errors("the picture"):
            picture.load()
            depth = depth or BitDepth([picture])
            return np.asarray(as_rgb(picture, "the picture", depth))
    try:
        array = np.asarray(picture)
    except ValueError:  # nested lists of different lengths
        array = np.empty(0, object)
    return _three_channels(check_pixels(array, of_many=False))


def _from_array(array: np.ndarray, is_batch: bool = False) -> list[np.ndarray]:
    """The pictures of an array; in a batch the first axis counts pictures."""
    is_colour = array.shape[-1:] in ((1,), (3,)) and array.shape[1] != array.shape[-1]
    if array.ndim == 2 or (array.ndim == 3 and is_colour):
        return [_three_channels(check_pixels(array, of_many=False))]
    if array.ndim == 3 and len(array) == 3 and not is_batch:
        raise UserInputError(
            f"The array has shape {array.shape}, which is either one colour picture "
            "with its channels first or three grey pictures. Of one picture give "
            "array.transpose(1, 2, 0); of three grey ones array[..., None]."
        )
    return [_three_channels(picture) for picture in check_pixels(array)]


def _three_channels(picture: np.ndarray) -> np.ndarray:
    """A grey picture with three equal channels, without a copy of its pixels."""
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _from_tf_data(dataset: "tf.data.Dataset") -> Iterator[np.ndarray]:
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError(
            "The tf.data.Dataset repeats for ever. Leave .repeat() out, or put "
            ".take(n) behind it."
        )
    is_batch = _is_batched(dataset)
    for element in dataset.as_numpy_iterator():
        if isinstance(element, tuple):
            element = element[0]
        if isinstance(element, dict) and "image" not in element:
            raise UserInputError(
                "The elements of the tf.data.Dataset are dictionaries with "
                f"{', '.join(map(str, element))}; expected the pictures under "
                '"image". Choose them: dataset.map(lambda row: row["…"]).'
            )
        if isinstance(element, dict):
            element = element["image"]
        yield from _from_array(np.asarray(element), is_batch)


def _is_batched(dataset: "tf.data.Dataset") -> bool:
    """Whether the first axis alone has no fixed length, as after `.batch(n)`."""
    spec = dataset.element_spec
    spec = spec[0] if isinstance(spec, tuple) else spec
    spec = spec.get("image") if isinstance(spec, dict) else spec
    shape = getattr(spec, "shape", None)
    if shape is None or shape.rank is None or shape.rank < 3:
        return False
    return shape[0] is None and None not in shape[1:]


def check_pixels(array: np.ndarray, of_many: bool = True) -> np.ndarray:
    """The array itself, after checking that it holds pixels in [0, 255]."""
    ndim = array.ndim - of_many
    is_picture = ndim == 2 or (ndim == 3 and array.shape[-1] in (1, 3))
    if array.dtype.kind not in "uif" or not is_picture:
        raise UserInputError(
            f"Pictures were given as an array of shape {array.shape} and type "
            f"{array.dtype}; expected numbers in shape (n, height, width, 3) for "
            "colour or (n, height, width) for grey. "
            f"{_channels_hint(array.shape[-ndim:])}"
        )
    if not array.size:
        raise UserInputError(
            f"The array of pictures is empty: its shape is {array.shape}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserInputError(
            "The pictures hold NaN or infinite pixels; expected 0 to 255. "
            "Check where they come from."
        )
    low = 0.0 if array.dtype.kind == "u" else float(array.min())
    high = float(array.max())
    extent = f"The pixels run from {low:.3g} to {high:.3g}: they were"
    unscaled = "Pass pixels from 0 to 255; each network here preprocesses by itself."
    if low < 0:
        raise UserInputError(f"{extent} preprocessed before. {unscaled}")
    # One dark picture of whole numbers may have no pixel above 1, but not a whole set.
    if 0 < high <= 1 and (of_many or array.dtype.kind == "f"):
        raise UserInputError(
            f"{extent} scaled to [0, 1] before. {unscaled} "
            "images * 255 undoes the scaling."
        )
    if high > 255:
        raise UserInputError(
            f"The pixels run up to {high:.6g}; expected 0 to 255. {_depth_hint(high)}"
        )
    return array


def _channels_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3):
        return (
            "Channels come last: transpose(1, 2, 0) turns one picture, "
            "transpose(0, 2, 3, 1) an array of many."
        )
    is_rgba = len(shape) == 3 and shape[-1] == 4
    return "array[..., :3] removes an alpha channel." if is_rgba else ""


def _depth_hint(high: float) -> str:
    bits = next((depth for depth in DEPTHS if high < 2**depth), None)
    if bits is None:
        return (
            "Scale all pictures by one number: "
            "(images * (255 / highest)).astype('uint8')."
        )
    return (
        f"For {bits}-bit pictures (levels up to {2**bits - 1:,}): "
        f"(images // {2 ** (bits - 8)}).astype('uint8'); if your camera has more bits, "
        "divide by more: by 16 for 12, by 64 for 14, by 256 for 16."
    )
