"""What runs a frozen network on processors: ONNX Runtime, or TensorFlow."""

import os
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import UserInputError
from ..models.conversion import converted, digest
from ..models.onnx_file import new_session
from ..native import clear_away, hand_back_freed_memory, import_tensorflow
from ..validation import one_of, shown

if TYPE_CHECKING:
    import keras
    import onnxruntime

ENGINES = ("auto", "onnx", "tensorflow")
PRECISIONS = ("float32", "int8")
TENSORFLOW_BATCH = 8  # more would not stay in the processor's cache


class Engine(Protocol):
    """A frozen network, ready to run."""

    batch: int  # how many inputs it takes at once
    key: str  # what determines its results; part of the feature cache's key
    output_shape: tuple  # of one input's output

    def run(self, batch: np.ndarray, /) -> np.ndarray:
        """Compute the outputs, float32 (b, …); from several threads at once."""


class OnnxEngine:
    """A network that ONNX Runtime runs, each batch on one processor.

    `source` is the ONNX file, its content, or a function that makes the content when
    the first batch comes. `outputs` are concatenated along their last axis; (): the
    first. Others as `Engine`.
    """

    batch = 1

    def __init__(
        self,
        source: Path | bytes | Callable[[], bytes],
        key: str,
        output_shape: tuple,
        outputs: Sequence[str] = (),
    ) -> None:
        self.key = f"{key}-onnxruntime-{metadata.version('onnxruntime')}"
        self.output_shape = tuple(output_shape)
        self._source, self._outputs = source, tuple(outputs)
        self._session: onnxruntime.InferenceSession | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict:
        """With the file's content, so that another machine runs the same bytes."""
        return {**self.__dict__, "_source": self._read(), "_session": None, "_lock": 0}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def _read(self) -> bytes:
        if isinstance(self._source, Path):
            return self._source.read_bytes()
        return self._source() if callable(self._source) else self._source

    def start(self) -> "onnxruntime.InferenceSession":
        """Start the session, if it has not been started yet."""
        with self._lock:
            if self._session is None:
                path = isinstance(self._source, Path)
                source = str(self._source) if path else self._read()
                self._session = new_session(source)
                self._outputs = self._outputs or (self._session.get_outputs()[0].name,)
        return self._session

    def run(self, batch: np.ndarray) -> np.ndarray:
        session = self._session or self.start()
        names = list(dict.fromkeys(self._outputs))
        values = session.run(names, {session.get_inputs()[0].name: batch})
        if len(self._outputs) == 1:
            return values[0]
        by_name = dict(zip(names, values, strict=True))
        return np.concatenate([by_name[name] for name in self._outputs], axis=-1)


class TensorFlowEngine:
    """A Keras network as a TensorFlow graph with its present weights as constants."""

    batch = TENSORFLOW_BATCH

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

    def __init__(self, size: tuple[int, int]) -> None:
        self.output_shape = (*size, 3)

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


def check_engine(name: str) -> str:
    """Refuse an unknown engine."""
    return one_of("engine", name, ENGINES)


def check_precision(precision: str, engine: str) -> str:
    """Refuse a precision that is unknown, or that the engine does not have."""
    precision = one_of("precision", precision, PRECISIONS)
    if precision == "int8" and not uses_onnx(engine):
        raise UserInputError("precision='int8' needs ONNX Runtime: engine='onnx'.")
    return precision


def uses_onnx(engine: str) -> bool:
    """Whether this engine is ONNX Runtime here."""
    return engine != "tensorflow"


def is_dask(engine: str | None) -> bool:
    """Whether Dask's workers are to run a network, and not this process."""
    if engine is not None and not (isinstance(engine, str) and engine == "dask"):
        raise UserInputError(
            f"engine is {shown(engine)}; expected 'dask', or None for this process."
        )
    return engine == "dask"


_kept: dict[tuple, Engine] = {}  # what was used last comes last
_MOST_KEPT = 2  # some 60 MB each


def compile_network(network: "keras.Model", engine: str = "auto") -> Engine:
    """Make the engine for a Keras network with its present weights; few are kept.

    "auto" is ONNX Runtime, or TensorFlow where the network does not convert.

    Raises
    ------
    UserInputError
        ONNX Runtime was asked for and cannot run this network.
    """
    key = digest(network)

    def make() -> Engine:
        if not uses_onnx(engine):
            return TensorFlowEngine(network, key)
        try:
            source, shape = converted(network, key), network.output_shape[1:]
            compiled = OnnxEngine(source, f"{key}-float32", shape)
            compiled.start()
            return compiled
        except Exception as error:  # the converter and ONNX Runtime raise many kinds
            if engine == "auto":
                return TensorFlowEngine(network, key)
            reason = str(error).strip().split("\n")[0][:200]
            raise UserInputError(
                f"ONNX Runtime cannot run {network.name} ({type(error).__name__}: "
                f"{reason}). Use engine='tensorflow'."
            ) from error

    return remembered((key, engine), make)


def remembered(key: tuple, make: Callable[[], Engine]) -> Engine:
    """Return the engine that was made for this key before, or make it."""
    if key not in _kept:
        while len(_kept) >= _MOST_KEPT:
            del _kept[next(iter(_kept))]
            hand_back_freed_memory()
        _kept[key] = make()
    _kept[key] = _kept.pop(key)
    return _kept[key]


def release_all() -> None:
    """Free the memory of the engines that are kept; each is made again when needed."""
    _kept.clear()
    clear_away()
