"""A Keras network → a LiteRT file, by TensorFlow's converter; the extra `litert`."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import WeightsUnavailable, how_to_install
from .features import engine as engines
from .native import stderr_silenced

if TYPE_CHECKING:
    import keras


def check_installed() -> None:
    """Raise WeightsUnavailable where LiteRT, which tries the file, is missing."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError:
        reason = f"LiteRT is not installed. {how_to_install('litert')}."
        raise WeightsUnavailable(reason) from None


def write_litert(path: Path, network: "keras.Model") -> engines.Engine:
    """Write the file; returns what runs it, one picture at a time."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    with stderr_silenced():
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        path.write_bytes(converter.convert())
        interpreter = Interpreter(str(path), num_threads=engines.workers())
    predict, lock = interpreter.get_signature_runner(), threading.Lock()
    (name,), (output,) = predict.get_input_details(), predict.get_output_details()

    class LiteRT:
        batch, key, output_shape = 1, path.name, tuple(network.output_shape[1:])

        @staticmethod
        def run(batch: np.ndarray) -> np.ndarray:
            with lock:
                return predict(**{name: batch})[output]

    return LiteRT()
