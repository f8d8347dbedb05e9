"""An exported network: read from its folder, checked, and asked. Its LiteRT files need no TensorFlow."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import (
    DamagedFile,
    PictureError,
    UserInputError,
    WeightsUnavailable,
    printable,
)
from .features import features
from .features.bit_depth import BitDepth, is_depth
from .features.engines import LiteRTEngine, has_litert, workers
from .features.inputs import Images
from .features.pictures import prepare, read_file
from .files import as_path, read_json, sha256
from .keras_archive import load_network
from .training.classifiers import Classifier
from .validation import one_of

FORMAT = "tlcourse export 1"
RECORD, LABELS, CARD = "record.json", "labels.txt", "MODEL_CARD.md"
VARIANTS = {
    "float32": "model.tflite",
    "int8": "model_int8.tflite",
    "keras": "model.keras",
}
_AHEAD = 32  # pictures that are worked on, or wait to be fetched, for each worker


class Answer(NamedTuple):
    """What an exported network says of one file: probabilities float32 (classes,), or why it says nothing."""

    path: Path
    probabilities: np.ndarray | None
    error: str


class ExportedModel(Classifier):
    """A network from a folder that `tl.export` wrote. Made by `load_exported`.

    `predict`, `predict_proba`, `score`, `confusion` and `report` take pictures as `extract_features` does.

    Attributes:
        folder: where it lies.
        variant: "float32", "int8" or "keras": which of its files is asked.
        record: all that is known of it, as its record.json: classes, data, training, accuracy, files.
        input_size: (height, width) in pixels.
        bits: of the levels of 16-bit pictures that do not state it, as in training; None: as `pictures.Pictures` does.
    """

    def __init__(self, folder: Path, variant: str, record: dict) -> None:
        self.classes_ = np.array(record["classes"])
        self._class_names = record["class_names"]
        self.folder, self.variant, self.record = folder, variant, record
        self.input_size = (record["input"]["height"], record["input"]["width"])
        self.bits: int | None = record["input"].get("bits")
        self._engine = engine_of(
            folder / VARIANTS[variant], len(self.classes_), self.input_size
        )

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<{printable(self.folder.name)}, {self.variant}: {height}×{width} pixels → {len(self.classes_)} classes>"

    def predict_proba(self, X: "Images") -> np.ndarray:
        """Probability of each class: float32 (n, classes); pictures as for `extract_features`."""
        return features.compute(
            self._engine, X, self.input_size, describe="Predicting", bits=self.bits
        )

    def answers(self, paths: Iterable[Path]) -> Iterator[Answer]:
        """An answer for each file, in their order, one after the other; a file that cannot be read stops nothing."""
        depth = BitDepth(
            paths if isinstance(paths, list | tuple) else [], self.bits
        )  # others are read once only
        paths = iter(paths)
        waiting: deque[Future] = deque()
        with ThreadPoolExecutor(workers()) as pool:
            try:
                while waiting or (
                    waiting := self._begin(
                        pool, islice(paths, _AHEAD * workers()), depth
                    )
                ):
                    job = waiting.popleft()
                    waiting += self._begin(pool, islice(paths, 1), depth)
                    yield job.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _begin(
        self, pool: ThreadPoolExecutor, paths: Iterable[Path], depth: BitDepth
    ) -> deque[Future]:
        return deque(pool.submit(self._answer, path, depth) for path in paths)

    def _answer(self, path: Path, depth: BitDepth) -> Answer:
        try:
            pixels = prepare(read_file(path), self.input_size, str(path), depth)
        except PictureError as error:
            return Answer(path, None, str(error))
        return Answer(path, self._engine.run(pixels[None].astype(np.float32))[0], "")


def load_exported(folder: str | PathLike, variant: str = "float32") -> ExportedModel:
    """Load a network that `tl.export` or `tlcourse train` wrote.

    Nothing in the folder is run as a program: the record is JSON, LiteRT files hold numbers and known operators, and
    a Keras file is checked before Keras opens it. Each file must be the one that was written (SHA-256).

    Args:
        folder: as given to `tl.export`.
        variant: "float32" (LiteRT), "int8" (LiteRT, a quarter of the size) or "keras" (which needs TensorFlow).

    Raises:
        UserInputError: no such folder, not an export, an unknown variant, or one that this export does not have.
        DamagedFile: a file is missing, cut short, altered or foreign.
        WeightsUnavailable: what runs this variant is not installed.
    """
    folder = as_path(folder)
    variant = one_of("variant", variant, VARIANTS)
    record = read_record(folder)
    name = VARIANTS[variant]
    if name not in record["files"]:
        kept = ", ".join(
            known for known, file in VARIANTS.items() if file in record["files"]
        )
        why = record["left_out"].get(name, "it was not written")
        raise UserInputError(f"{folder} has no {name}: {why}. It has: {kept}.")
    path = folder / name
    if not path.is_file():
        raise DamagedFile(
            f"{path} is missing, though {folder / RECORD} lists it. Copy the whole folder again."
        )
    if sha256(path) != record["files"][name]["sha256"]:
        raise DamagedFile(
            f"{path} is not the file that was exported: its SHA-256 differs from the one in {folder / RECORD}. It was "
            "altered or cut short; copy the whole folder again."
        )
    return ExportedModel(folder, variant, record)


def read_record(folder: Path) -> dict:
    """The record of an export, its form checked.

    Raises:
        UserInputError: no folder, or none that holds an export.
        DamagedFile: the record cannot be read, or lacks something.
    """
    if not folder.is_dir():
        raise UserInputError(
            f"{folder} is not a folder. Expected one that tl.export or `tlcourse train` wrote."
        )
    path = folder / RECORD
    if not path.is_file():
        raise UserInputError(
            f"{folder} holds no {RECORD}; expected a folder that tl.export or `tlcourse train` wrote."
        )
    try:
        record = read_json(path, error=DamagedFile)
        fault = _fault(record)
    except (DamagedFile, ValueError) as error:
        fault = f"it cannot be read ({str(error)[:300].removeprefix(f'{path} ')})"
    except (KeyError, TypeError, AttributeError) as error:
        fault = f"something is missing in it ({type(error).__name__}: {error})"
    if fault:
        raise DamagedFile(
            f"{path} is not what tl.export wrote: {fault}. Copy the whole folder again."
        )
    return record


def _fault(record: dict) -> str:
    """What is wrong with a record's form, or "". Raises KeyError, TypeError where parts are missing altogether."""
    if record["format"] != FORMAT:
        return f"its format is {record['format']!r}, this course reads {FORMAT!r}"
    names, classes, size = record["class_names"], record["classes"], record["input"]
    if not (
        isinstance(names, list)
        and isinstance(classes, list)
        and len(names) == len(classes) >= 2
    ):
        return "it does not name each of its classes"
    if (
        not all(isinstance(name, str) for name in names)
        or len({type(label) for label in classes}) != 1
    ):
        return "its classes are no names"
    if not all(
        isinstance(size[side], int) and 0 < size[side] <= 4096
        for side in ("height", "width")
    ):
        return "its input has no size"
    if size.get("bits") is not None and not is_depth(size["bits"]):
        return "its input has no bit depth that there is"
    if not all(isinstance(file["sha256"], str) for file in record["files"].values()):
        return "its files have no checksums"
    return (
        ""
        if isinstance(record["left_out"], dict)
        else "it does not say what was left out"
    )


def engine_of(
    path: Path, classes: int, size: tuple[int, int]
) -> "KerasEngine | LiteRTEngine":
    """What runs an exported file: pixels float32 (b, height, width, 3) → probabilities float32 (b, classes).

    Raises:
        DamagedFile: no file of its kind, or a network that takes or gives something else.
        WeightsUnavailable: what runs it is not installed.
    """
    engine = KerasEngine(path) if path.suffix == ".keras" else _litert(path, classes)
    found, wanted = engine.shapes(), ((*size, 3), (classes,))
    if found != wanted:
        raise DamagedFile(
            f"{path} takes {found[0]} and gives {found[1]}; its record says {wanted[0]} and {wanted[1]}. The two do "
            "not belong together; copy the whole folder again."
        )
    if isinstance(engine, LiteRTEngine):
        _try(engine, path, size)
    return engine


def _try(engine: LiteRTEngine, path: Path, size: tuple[int, int]) -> None:
    """Run a black picture: that a weight is missing, LiteRT finds only now."""
    try:
        engine.run(np.zeros((1, *size, 3), np.float32))
    except (
        RuntimeError,
        ValueError,
        IndexError,
    ) as error:  # IndexError: it has no input, or no output
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DamagedFile:
    reason = str(error).strip().split("\n")[0][:200]
    return DamagedFile(
        f"{path} cannot be read as a LiteRT file ({reason}). Copy the whole folder again."
    )


def _litert(path: Path, classes: int) -> LiteRTEngine:
    if not has_litert():
        raise WeightsUnavailable(
            f"LiteRT, which runs {path.name}, is not installed or does not start here. Run: pip install "
            "ai-edge-litert; or take the variant keras, which needs TensorFlow."
        )
    engine = LiteRTEngine(path, path.name, (classes,))
    try:
        _check_litert(path)
        engine.start()
    except (
        RuntimeError,
        ValueError,
        IndexError,
    ) as error:  # IndexError: it has no input, or no output
        raise _unreadable(path, error) from None
    return engine


def _check_litert(path: Path) -> None:
    """Refuse a file that names no network: LiteRT would end the whole process.

    Raises:
        ValueError: there is none, or the file is no flatbuffer.
    """
    import struct

    from flatbuffers.encode import Get
    from flatbuffers.number_types import UOffsetTFlags
    from flatbuffers.table import Table

    content = path.read_bytes()
    try:
        model = Table(bytearray(content), Get(UOffsetTFlags.packer_type, content, 0))
        networks = model.Offset(
            8
        )  # the third field of "Model" in LiteRT's schema: its subgraphs
        count = model.VectorLen(networks) if networks else 0
    except (struct.error, IndexError, OverflowError, TypeError) as error:
        raise ValueError(f"it is cut short or altered: {error}") from None
    if count < 1:
        raise ValueError("it has no network in it")


class KerasEngine:
    """A .keras file; one with anything in it that no export has is refused.

    Attributes: as `LiteRTEngine`.
    """

    batch = 8

    def __init__(self, path: Path) -> None:
        self.network = load_network(path)
        sides = self.network.inputs, self.network.outputs
        if [len(side) for side in sides] != [1, 1] or any(
            side[0].shape[1:] == () for side in sides
        ):
            raise DamagedFile(
                f"{path} does not take pictures and give probabilities. Copy the whole folder again."
            )
        self.output_shape = tuple(self.network.output_shape[1:])
        self.key, self._graph = path.name, self._traced()

    def _traced(self) -> "Callable":
        import tensorflow as tf

        pixels = tf.TensorSpec((None, *self.network.input_shape[1:]), tf.float32)
        return tf.function(
            lambda batch: self.network(batch, training=False),
            autograph=False,
            input_signature=(pixels,),
        )

    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of one picture, and of its output."""
        return tuple(self.network.input_shape[1:]), self.output_shape

    def run(self, batch: np.ndarray) -> np.ndarray:
        """A batch of pixels → float32 (b, classes)."""
        return self._graph(batch).numpy()
