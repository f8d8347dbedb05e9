"""A Keras network → a LiteRT file, made by TensorFlow's converter."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..features.cache import keep
from ..files import sha256
from ..folders import cache_folder, shared_cache_folder
from ..freed_memory import clear_away, hand_back_freed_memory
from ..silence import stderr_silenced

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def converted(network: "keras.Model", key: str) -> Path | Callable[[], bytes]:
    """The network's LiteRT file: from a cache if it is there and whole, converted and put into the user's otherwise.

    Args:
        network: as for `convert`.
        key: `engines.digest(network)`.
    """
    name = f"{key[:24]}-keras-{metadata.version('keras')}.tflite"
    for folder in filter(None, (cache_folder(), shared_cache_folder())):
        if _is_whole(folder / "networks" / name):
            return folder / "networks" / name
    path = cache_folder() / "networks" / name
    beside = path.with_suffix(".sha256")
    file = convert(network)
    digest = hashlib.sha256(file).hexdigest().encode()
    if keep(path, lambda to: to.write(file), len(file)) and keep(
        beside, lambda to: to.write(digest), len(digest)
    ):
        return path
    return lambda: file  # and it is made again next time


def _is_whole(path: Path) -> bool:
    try:
        if path.with_suffix(".sha256").read_text(encoding="ascii").strip() != sha256(
            path
        ):
            return False
    except (OSError, ValueError):
        return False
    with suppress(OSError):  # a class's common one is not ours to touch
        os.utime(path)  # used now: what has not been used for longest is dropped first
    return True


def convert(network: "keras.Model", int8: bool = False) -> bytes:
    """A LiteRT file of this network: one picture, pixels float32 (1, height, width, 3) → float32 (1, …).

    Args:
        network: `keras.Model`, pixels (n, height, width, 3) → (n, …).
        int8: keep the weights of large layers as 8-bit whole numbers ("dynamic range": activations are made such
            while it runs), a quarter of the size; else float32.
    """
    import tensorflow as tf

    clear_away()
    with stderr_silenced():
        # Converting the Keras model itself would drop weights that TensorFlow does not track, and take twice as long.
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [frozen_graph(network, 1)]
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
        file = converter.convert()
    hand_back_freed_memory()
    return file


def frozen_graph(
    network: "keras.Model", batch: int | None
) -> "tf.types.experimental.ConcreteFunction":
    """The network as a TensorFlow function of batches of this size (None: of any), its weights constants in it."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    signature = tf.TensorSpec((batch, *network.input_shape[1:]), tf.float32)
    graph = tf.function(lambda pixels: network(pixels, training=False), autograph=False)
    return convert_variables_to_constants_v2(graph.get_concrete_function(signature))
