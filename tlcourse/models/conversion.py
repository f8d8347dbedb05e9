"""Keras networks → ONNX files, compared with Keras, and kept in the cache."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import TLCourseError
from ..features.cache import keep
from ..files import sha256
from ..folders import cache_folder, shared_cache_folder
from . import lite_onnx, onnx_file

if TYPE_CHECKING:
    import keras

LARGEST_DIFFERENCE = 1e-3  # between Keras and a converted network, of the largest value


def converted(
    network: "keras.Model",
    key: str,
    precision: str,
    calibration: Callable[[], Iterable[np.ndarray]] | None,
) -> Path | bytes:
    """The network's ONNX file from a cache, or converted and put into the user's."""
    name = f"{key[:24]}-{precision}-keras-{metadata.version('keras')}.onnx"
    for folder in filter(None, (cache_folder(), shared_cache_folder())):
        if _is_whole(folder / "networks" / name):
            return folder / "networks" / name
    content = to_onnx(network)
    if precision == "int8" and calibration is not None:
        content = onnx_file.quantize(content, calibration())
    path = cache_folder() / "networks" / name
    checksum = hashlib.sha256(content).hexdigest().encode()
    beside = path.with_suffix(".sha256")
    if keep(path, lambda file: file.write(content), len(content)) and keep(
        beside, lambda file: file.write(checksum), len(checksum)
    ):
        return path
    return content


def to_onnx(network: "keras.Model") -> bytes:
    """Convert a Keras network to ONNX, and compare both on one random picture.

    Raises
    ------
    TLCourseError
        They differ by more than `LARGEST_DIFFERENCE`.
    Exception
        The converter's own, of many kinds.
    """
    shape = (1, *network.input_shape[1:])
    picture = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of inputs given as a list
        expected = np.asarray(network(picture, training=False))
    for convert in (lite_onnx.from_keras, onnx_file.from_keras):
        content = convert(network)
        if content is not None:
            session = onnx_file.new_session(content)
            name = session.get_inputs()[0].name
            difference = np.abs(session.run(None, {name: picture})[0] - expected).max()
            if difference <= LARGEST_DIFFERENCE * np.abs(expected).max():
                return content
    raise TLCourseError(
        f"The converted network differs from Keras by {difference:.2g}."
    )


def _is_whole(path: Path) -> bool:
    try:
        checksum = path.with_suffix(".sha256").read_text(encoding="ascii").strip()
        if checksum != sha256(path):
            return False
    except (OSError, ValueError):
        return False
    with suppress(OSError):  # what was not used for longest is removed first
        os.utime(path)
    return True


def digest(network: "keras.Model") -> str:
    """A digest of a Keras network's configuration and weights.

    Names that Keras numbered, and what is frozen, do not count: neither changes the
    output.
    """
    config = json.dumps(network.get_config(), default=str)
    for position, operation in enumerate((network, *network.operations)):
        config = config.replace(f'"{operation.name}"', f'"#{position}"')
    config = re.sub(r'"trainable": (true|false)', "", config)
    content = f"{config} {weights_digest(network.weights)}"
    return hashlib.sha256(content.encode()).hexdigest()


def weights_digest(weights: Iterable) -> str:
    """A digest of arrays, one after the other; xxHash, ten times as fast as SHA-256."""
    from xxhash import xxh3_128

    summary = xxh3_128()
    for weight in weights:
        summary.update(np.ascontiguousarray(weight).data)
    return summary.hexdigest()
