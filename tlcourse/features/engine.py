"""What runs a frozen network on processors: ONNX Runtime, or TensorFlow."""

import ctypes
import gc
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..native import ctrl_c_waits, import_tensorflow, stderr_silenced
from ..validation import one_of

if TYPE_CHECKING:
    import keras
    import onnxruntime

_STARTING, _KEEPING = threading.Lock(), threading.RLock()
PRECISIONS = ("float32", "int8")
_MOST_KEPT = 2  # some 60 MB each
_kept: dict[tuple, "Engine"] = {}  # what was used last comes last


class Engine(Protocol):
    """A frozen network, ready to run."""

    batch: int  # how many inputs it takes at once
    key: str  # what determines its results; part of the feature cache's key
    output_shape: tuple  # of one input's output

    def run(self, batch: np.ndarray, /) -> np.ndarray:
        """Compute the outputs, float32 (b, …); from several threads at once."""


class OnnxEngine:
    """A network that ONNX Runtime runs, each batch on one processor.

    `source` is an ONNX file's content, or a function that makes it once it is needed.
    Several inputs are in the file's order; several `outputs` are concatenated along
    their last axis.
    """

    batch = 1

    def __init__(
        self,
        source: bytes | Callable[[], bytes],
        key: str,
        output_shape: tuple,
        outputs: Sequence[str] = (),
    ) -> None:
        self.key = f"{key}-onnxruntime-{metadata.version('onnxruntime')}"
        self.output_shape = tuple(output_shape)
        self._source, self._outputs = source, list(outputs) or None
        self._session: onnxruntime.InferenceSession | None = None

    def __getstate__(self) -> dict:
        """With the file's content, so that another machine runs the same bytes."""
        return {**self.__dict__, "_source": self._content(), "_session": None}

    def _content(self) -> bytes:
        return self._source() if callable(self._source) else self._source

    def start(self) -> "onnxruntime.InferenceSession":
        """Start the session, if it has not been started yet."""
        with _STARTING:
            self._session = self._session or new_session(self._content())
        return self._session

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        session = self._session or self.start()
        names = [each.name for each in session.get_inputs()]
        values = session.run(self._outputs, dict(zip(names, inputs, strict=True)))
        return values[0] if len(values) == 1 else np.concatenate(values, axis=-1)


def new_session(source: str | bytes) -> "onnxruntime.InferenceSession":
    """Start ONNX Runtime on a file or its content: one thread, nothing on stderr."""
    with ctrl_c_waits(), stderr_silenced():
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal errors only; the others are raised
    options.enable_cpu_mem_arena = False  # an arena would never return its memory
    return onnxruntime.InferenceSession(
        source, options, providers=["CPUExecutionProvider"]
    )


class TensorFlowEngine:
    """A Keras network as a TensorFlow graph with its present weights as constants."""

    batch = 8  # more would not stay in the processor's cache

    def __init__(self, network: "keras.Model", key: str) -> None:
        tf = import_tensorflow()
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        self.key = f"{key}-tensorflow-{metadata.version('keras')}"
        self.output_shape = tuple(network.output_shape[1:])
        signature = tf.TensorSpec(network.input_shape, network.inputs[0].dtype)
        graph = tf.function(lambda x: network(x, training=False), autograph=False)
        self._graph = convert_variables_to_constants_v2(
            graph.get_concrete_function(signature)
        )

    def run(self, batch: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        return self._graph(tf.constant(batch))[0].numpy()


class Pixels:
    """No network at all: the prepared pictures themselves, as uint8."""

    batch, key = 1, "pixels"

    def __init__(self, size: Sequence) -> None:
        self.output_shape = (*size[:2], 3)

    def run(self, batch: np.ndarray) -> np.ndarray:
        return np.rint(batch).astype(np.uint8)


def processors() -> int:
    """How many processors this process may use, as a container allows."""
    import joblib

    return joblib.cpu_count()


def workers() -> int:
    """How many batches are computed at once: `OMP_NUM_THREADS`, or each processor."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    most = int(chosen) if chosen.isdigit() else 0
    return min(processors(), most or processors())


def is_dask(engine: str | None) -> bool:
    """Whether Dask's workers are to run a network, and not this process."""
    if engine is not None:
        one_of("engine", engine, ("dask",))
    return engine == "dask"


def remembered(key: tuple, make: Callable[[], Engine]) -> Engine:
    """Return the engine that was made for this key before, or make it."""
    with _KEEPING:
        if key not in _kept:
            while len(_kept) >= _MOST_KEPT:
                del _kept[next(iter(_kept))]
            _kept[key] = make()
        _kept[key] = _kept.pop(key)
        return _kept[key]


def release_all() -> None:
    """Free the memory of the engines that are kept; each is made again when needed."""
    with _KEEPING:
        _kept.clear()
    gc.collect()
    # Arrays of a few MB are freed into the heap of glibc, which keeps hundreds of MB.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
