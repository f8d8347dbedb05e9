"""Photographs → features: whatever holds the pictures in, one float32 row for each picture out."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np

from .errors import UserInputError
from .pictures import Pictures, list_pictures, open_picture, resize
from .progress import progress_bar

WORKERS = 2  # decoding threads: Pillow releases Python's lock while it decodes and resizes


def compute(network, images, size: tuple[int, int], batch_size: int = 8, describe: str = "Extracting features"):
    """Run a frozen Keras network over pictures, batch by batch, so that memory does not grow with their number.

    Args:
        network: `keras.Model` from float32 (n, height, width, 3) with pixels in [0, 255] to float32 (n, d).
        images: array (n, h, w), (n, h, w, 1) or (n, h, w, 3), or of one picture; uint8, or float with pixels in
            [0, 255]; a list of such arrays, of paths, or a mixture; `Pictures`; a folder (its picture files in
            sorted order); a `tf.data.Dataset` of pictures or (pictures, labels), batched or not.
        size: (height, width) that the network takes; pictures of another size are resized as a whole.
        batch_size: pictures that go through the network together. On a processor small batches are faster, because
            what a layer passes on then stays in the cache, and need less memory.

    Returns:
        float32 (n, d), rows in the order of the pictures.

    Raises:
        UserInputError: pixels already scaled to [0, 1] or [-1, 1], not finite, or a shape that is no picture.
        PictureError: a file cannot be read as a picture; the message names it.
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise UserInputError(f"batch_size is {batch_size!r}; it must be a whole number from 1.")
    pictures, total = as_pictures(images)
    run = _compiled(network)
    parts = []
    with progress_bar(total=total, desc=describe, unit=" pictures") as progress:
        for batch in _batches(pictures, size, batch_size):
            parts.append(run(batch))
            progress.update(len(batch))
    if not parts:
        raise UserInputError("There are no pictures in what was given; at least one is needed.")
    return np.concatenate(parts)


def as_pictures(images) -> tuple[Iterable, int | None]:
    """One picture after the other (paths, or checked arrays (h, w, 3)), and how many if that is known."""
    if isinstance(images, str | PathLike):
        path = Path(images).expanduser()
        paths = [path] if path.is_file() else list_pictures(path)
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


def _from_tf_data(dataset) -> Iterator[np.ndarray]:
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


def _one(picture) -> np.ndarray:
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
    low, high = float(array.min()), float(array.max())
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


def _prepare(picture, size: tuple[int, int]) -> np.ndarray:
    """One picture at the network's size: uint8, or float32 if it came with fractions of grey levels."""
    if not isinstance(picture, np.ndarray):
        return resize(open_picture(picture), size)
    if picture.shape[:2] == size:
        return picture
    if picture.dtype.kind == "f":
        picture = np.rint(picture)
    return resize(np.ascontiguousarray(picture, dtype=np.uint8), size)


def _batches(pictures: Iterable, size: tuple[int, int], batch_size: int) -> Iterator[np.ndarray]:
    """float32 batches (b, height, width, 3); the next one is decoded while the network works on this one."""
    pictures = iter(pictures)
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = []
        for _ in range(2):
            waiting.append([pool.submit(_prepare, picture, size) for picture in islice(pictures, batch_size)])
        while waiting[0]:
            batch = np.stack([job.result() for job in waiting.pop(0)]).astype(np.float32, copy=False)
            waiting.append([pool.submit(_prepare, picture, size) for picture in islice(pictures, batch_size)])
            yield batch


_engines: dict[str, object] = {}  # network's digest → the network with these weights as constants of its graph


def _compiled(network):
    """The network as a graph whose weights are constants: TensorFlow folds batch norms into convolutions there.

    Kept until a network with other weights is asked for, so that a network that was trained further is never
    answered for by its former self.
    """
    key = _digest(network)
    if key not in _engines:
        _engines.clear()
        _engines[key] = _freeze_graph(network)
    return _engines[key]


def _digest(network) -> str:
    """Digest of form and weights."""
    digest = hashlib.blake2b(network.to_json().encode(), digest_size=16)
    for weight in network.weights:
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()


def _freeze_graph(network):
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    graph = tf.function(lambda batch: network(batch, training=False), autograph=False).get_concrete_function(signature)
    frozen = convert_variables_to_constants_v2(graph)
    return lambda batch: frozen(tf.constant(batch))[0].numpy()
