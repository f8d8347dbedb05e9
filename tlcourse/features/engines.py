"""A frozen network, compiled to run over pictures on processors: by LiteRT, or by TensorFlow where LiteRT cannot.

LiteRT (the library that runs .tflite files) does on a processor what TensorFlow does, about twice as fast. One
interpreter of one thread for each processor beats one interpreter of many threads: nothing waits for anything, and a
result does not depend on how many there are. A Keras network is converted once; the file is kept in the cache.
"""

import hashlib
import json
import queue
import re
import threading
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from ..errors import UserInputError
from ..freed_memory import clear_away, hand_back_freed_memory
from ..interrupts import ctrl_c_waits
from ..models.conversion import converted, frozen_graph
from ..silence import stderr_silenced
from ..validation import shown

if TYPE_CHECKING:
    import keras

T = TypeVar("T")

ENGINES = ("auto", "litert", "tensorflow")
MOST_INTERPRETERS = (
    4  # each holds the weights once; more processors become threads of these
)
TENSORFLOW_BATCH = 8  # small batches stay in the processor's cache: faster than large ones, and smaller


def processors() -> int:
    """How many processors this process may use; a container's share counts, not the machine it runs on."""
    import joblib

    return joblib.cpu_count()


def workers() -> int:
    """How many pictures are worked on at once."""
    return min(processors(), MOST_INTERPRETERS)


def check_engine(name: str) -> str:
    if not isinstance(name, str) or name not in ENGINES:
        raise UserInputError(
            f"There is no engine {shown(name)}. Known: {', '.join(ENGINES)}."
        )
    if name == "litert" and not has_litert():
        raise UserInputError(
            "LiteRT is not installed, or does not start here. Run: pip install ai-edge-litert, or leave engine='auto'."
        )
    return name


def is_dask(engine: str | None) -> bool:
    """Whether Dask's workers are to run a network, and not this process."""
    if engine is not None and (not isinstance(engine, str) or engine != "dask"):
        raise UserInputError(
            f"engine is {shown(engine)}; expected 'dask', or None for this process."
        )
    return engine == "dask"


@cache
def has_litert() -> bool:
    """Whether LiteRT is installed and starts: its library may be too new for the system's."""
    try:
        with ctrl_c_waits(), stderr_silenced():
            import ai_edge_litert.interpreter  # noqa: F401
    except (ImportError, OSError):
        return False
    return (
        find_spec("ai_edge_litert.schema_py_generated") is not None
    )  # large: imported only where it is needed


class PictureEngine(Protocol):
    """What runs a network that sees.

    Attributes:
        batch: how many pictures it takes at once.
        key: what determines its results.
        output_shape: of one picture.
    """

    batch: int
    key: str
    output_shape: tuple[int, ...]

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Pixels float32 (b, height, width, 3) → float32 (b, …). May be called from several threads at once."""


class TextEngine(Protocol):
    """What runs a network that reads.

    Attributes:
        key: what determines its results.
        output_shape: of one sentence, (None, width).
    """

    key: str
    output_shape: tuple[None, int]

    def run(self, batch: np.ndarray, /) -> np.ndarray:
        """Token ids int32 (b, length) → float32 (b, length, width). May be called from several threads at once."""


class LiteRTEngine:
    """A LiteRT file with one input, such as pixels (1, height, width, 3) float32, and one output (1, …).

    A file whose input has sizes that are not fixed is given batches of any.

    Args:
        file: the file's path, or a function that makes its content; called when the first picture comes.
        key: what determines its results, but for LiteRT and its version, which are added.
        output_shape: of one picture.
    """

    batch = 1

    def __init__(
        self, file: Path | Callable[[], bytes], key: str, output_shape: tuple[int, ...]
    ) -> None:
        self.key = f"{key}-litert-{metadata.version('ai-edge-litert')}"
        self.output_shape = tuple(output_shape)
        self._file: Path | Callable[[], bytes] | None = file
        self._threads = max(1, processors() // MOST_INTERPRETERS)
        self._begin()

    def _begin(self) -> None:
        self._idle: queue.SimpleQueue[tuple] = queue.SimpleQueue()
        self._starting = threading.Lock()

    def __getstate__(self) -> dict:
        """The file's content travels, so that another machine runs the same bytes."""
        return {
            "key": self.key,
            "output_shape": self.output_shape,
            "_file": None,
            "_content": self._read(),
        }

    def __setstate__(self, state: dict) -> None:
        """A copy is run by a scheduler of threads: one thread each."""
        self.__dict__.update(state, _threads=1)
        self._begin()

    def _read(self) -> bytes:
        """The file's content; what made it is asked once."""
        with self._starting:
            file = self._file
            if callable(file):
                self._content, self._file = file(), None
                return self._content
            return self._content if file is None else Path(file).read_bytes()

    def start(self) -> None:
        """Make the first interpreter before a picture comes.

        Raises:
            RuntimeError, ValueError: LiteRT cannot run this file.
        """
        self._idle.put(self._interpreter())

    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of one input and of one output, as the file says; of several, none."""
        interpreter, *_ = ready = (
            self._idle.get_nowait() if not self._idle.empty() else self._interpreter()
        )
        self._idle.put(ready)
        sides = interpreter.get_input_details(), interpreter.get_output_details()
        first, last = (
            tuple(map(int, side[0]["shape"][1:])) if len(side) == 1 else ()
            for side in sides
        )
        return first, last

    def _interpreter(self) -> tuple:
        """One more interpreter, and the numbers of its input and output."""
        from ai_edge_litert.interpreter import Interpreter

        if callable(self._file):
            self._read()
        with self._starting, stderr_silenced():
            source = (
                {"model_content": self._content}
                if self._file is None
                else {"model_path": str(self._file)}
            )
            interpreter = Interpreter(**source, num_threads=self._threads)
            interpreter.allocate_tensors()
        return (
            interpreter,
            interpreter.get_input_details()[0]["index"],
            interpreter.get_output_details()[0]["index"],
        )

    def run(self, batch: np.ndarray) -> np.ndarray:
        """A batch of inputs → float32 (b, …). May be called from several threads at once."""
        try:
            ready = self._idle.get_nowait()
        except queue.Empty:
            ready = self._interpreter()
        interpreter, given, output = ready
        try:
            if tuple(interpreter.get_input_details()[0]["shape"]) != batch.shape:
                interpreter.resize_tensor_input(given, batch.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(given, batch)
            interpreter.invoke()
            return interpreter.get_tensor(output)
        finally:
            self._idle.put(ready)


class TensorFlowEngine:
    """A Keras network as a TensorFlow graph whose weights are constants: batch norms fold into convolutions there.

    Attributes: as `LiteRTEngine`.
    """

    batch = TENSORFLOW_BATCH

    def __init__(self, network: "keras.Model", key: str) -> None:
        self.key = f"{key}-tensorflow-{metadata.version('keras')}"
        self.output_shape = tuple(network.output_shape[1:])
        self._graph = frozen_graph(network, None)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """A batch of inputs → float32 (b, …). May be called from several threads at once."""
        import tensorflow as tf

        return self._graph(tf.constant(batch))[0].numpy()


class StatesEngine:
    """A BERT in TensorFlow as it is: to make its weights constants would take gigabytes, and gain nothing.

    Attributes: as `LiteRTEngine`.
    """

    def __init__(self, network: "keras.Model", key: str) -> None:
        import tensorflow as tf

        self.key = f"{key}-tensorflow-{metadata.version('keras')}"
        self.output_shape: tuple[None, int] = tuple(network.output_shape[1:])
        signature = tf.TensorSpec((None, None), tf.int32)
        run = tf.function(
            lambda ids: network(ids, training=False),
            autograph=False,
            input_signature=(signature,),
        )
        self._graph = run.get_concrete_function()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Token ids int32 (b, length) → float32 (b, length, width). May be called from several threads at once."""
        import tensorflow as tf

        return self._graph(tf.constant(batch)).numpy()


class Pixels:
    """No network at all: the prepared pictures themselves, as uint8.

    Attributes: as `LiteRTEngine`.
    """

    batch, key = 1, "pixels"

    def __init__(self, size: tuple[int, int]) -> None:
        self.output_shape: tuple[int, ...] = (*size, 3)

    def run(self, batch: np.ndarray) -> np.ndarray:
        return np.rint(batch).astype(np.uint8)


_compiled: dict[
    tuple[str, str], Any
] = {}  # network's digest and engine asked for → the engine
_MOST_KEPT = 2  # some 60 MB each


def compile_network(network: "keras.Model", engine: str = "auto") -> "PictureEngine":
    """The engine for a Keras network with its present weights.

    The last few are kept; a network that was trained further is another network, and never answered for by its
    former self.

    Args:
        network: `keras.Model` from pixels (n, height, width, 3) to one output.
        engine: "litert", "tensorflow", or "auto": LiteRT where it is installed and can run the network.

    Raises:
        UserInputError: LiteRT was asked for and cannot run this network.
    """
    return remembered(
        (digest(network), engine), lambda key: _compile(network, key, engine)
    )


def remembered(key: tuple[str, str], make: Callable[[str], T]) -> T:
    """The engine made before for this key, or `make(key[0])`."""
    if key in _compiled:
        _compiled[key] = _compiled.pop(
            key
        )  # used now: the one that has not been used for longest is dropped first
    else:
        while len(_compiled) >= _MOST_KEPT:
            del _compiled[next(iter(_compiled))]
            hand_back_freed_memory()
        _compiled[key] = make(key[0])
    return _compiled[key]


def drop_all() -> None:
    """Let go of the engines that are kept, and of their memory; each is made again when it is needed."""
    _compiled.clear()
    clear_away()


def _compile(network: "keras.Model", key: str, engine: str) -> "PictureEngine":
    if engine == "tensorflow" or (engine == "auto" and not has_litert()):
        return TensorFlowEngine(network, key)
    try:
        compiled = LiteRTEngine(converted(network, key), key, network.output_shape[1:])
        compiled.start()  # here and now, so that what LiteRT cannot run is run by TensorFlow
        return compiled
    except Exception as error:  # the converter and the interpreter raise many kinds
        if engine == "litert":
            reason = str(error).strip().split("\n")[0][:200]
            raise UserInputError(
                f"LiteRT cannot run {network.name} ({type(error).__name__}: {reason}). Use engine='auto' or "
                "engine='tensorflow'."
            ) from error
        return TensorFlowEngine(network, key)


def digest(network: "keras.Model") -> str:
    """SHA-256 of a Keras network's form and weights.

    Names that Keras numbered as it went along, and what is frozen, do not count: neither changes what comes out.
    """
    form = json.dumps(network.get_config(), default=str)
    for position, operation in enumerate((network, *network.operations)):
        form = form.replace(f'"{operation.name}"', f'"#{position}"')
    form = re.sub(r'"trainable": (true|false)', "", form)
    return hashlib.sha256(f"{form} {digest_of(network.weights)}".encode()).hexdigest()


def digest_of(weights: Iterable) -> str:
    """SHA-256 of arrays, one after the other."""
    summary = hashlib.sha256()
    for weight in weights:
        summary.update(np.ascontiguousarray(weight).data)
    return summary.hexdigest()


def fast_digest_of(weights: Iterable) -> str:
    """Digest of large arrays that nobody forges, ten times as fast as SHA-256."""
    from xxhash import xxh3_128

    summary = xxh3_128()
    for weight in weights:
        summary.update(np.ascontiguousarray(weight).data)
    return summary.hexdigest()
