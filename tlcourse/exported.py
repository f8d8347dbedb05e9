"""An exported network: read from its folder, checked, and run."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import (
    DamagedFile,
    PictureError,
    UserInputError,
    printable,
)
from .features.bit_depth import BitDepth, is_depth
from .features.compute import compute
from .features.decoding import prepare, read_file
from .features.engine import (
    Engine,
    OnnxEngine,
    TensorFlowEngine,
    workers,
)
from .features.pictures import Images
from .files import as_path, read_json, sha256
from .models.onnx_file import check_foreign
from .training.classifiers import Classifier
from .validation import one_of

FORMAT = "tlcourse export 2"
RECORD, LABELS, CARD = "record.json", "labels.txt", "MODEL_CARD.md"
VARIANTS = {
    "float32": "model.onnx",
    "int8": "model_int8.onnx",
    "keras": "model.keras",
}
_AHEAD = 32  # pictures in work, for each worker
_AGAIN = "Copy the whole folder again."


class Prediction(NamedTuple):
    """One file's probabilities, float32 (classes,), or why there are none."""

    path: Path
    probabilities: np.ndarray | None
    error: str


class ExportedModel(Classifier):
    """A network from a folder that `tl.export` wrote. Made by `tl.load_exported`.

    `predict`, `predict_proba`, `score`, `confusion` and `report` take pictures as
    `extract_features` does.

    Attributes
    ----------
    folder : Path
        Where it is.
    variant : {"float32", "int8", "keras"}
        Which of its files is run.
    record : dict
        Its record.json: classes, data, training, accuracy, files.
    input_size : tuple of int
        (height, width) in pixels.
    bits : int or None
        Bit depth of 16-bit pictures that do not state theirs, as in training.
    """

    def __init__(self, folder: Path, variant: str, record: dict) -> None:
        self.classes_ = np.array(record["classes"])
        self._class_names = record["class_names"]
        self.folder, self.variant, self.record = folder, variant, record
        self.input_size = (record["input"]["height"], record["input"]["width"])
        self.bits: int | None = record["input"].get("bits")
        path = folder / VARIANTS[variant]
        self._engine = open_engine(path, len(self.classes_), self.input_size)

    def __repr__(self) -> str:
        height, width = self.input_size
        name = printable(self.folder.name)
        return (
            f"<{name}, {self.variant}: {height}×{width} pixels → "
            f"{len(self.classes_)} classes>"
        )

    def predict_proba(self, X: "Images") -> np.ndarray:
        """Predict each class's probability: float32 (n, classes)."""
        return compute(
            self._engine, X, self.input_size, describe="Predicting", bits=self.bits
        )

    def predict_files(self, paths: Iterable[Path]) -> Iterator[Prediction]:
        """Predict file after file, in their order; unreadable files stop nothing."""
        # Where the paths are read once only, each is a set of its own.
        known = paths if isinstance(paths, list | tuple) else []
        depth, paths = BitDepth(known, self.bits), iter(paths)
        with ThreadPoolExecutor(workers()) as pool:
            jobs = deque(
                pool.submit(self._predict_file, path, depth)
                for path in islice(paths, _AHEAD * workers())
            )
            try:
                while jobs:
                    job = jobs.popleft()
                    for path in islice(paths, 1):
                        jobs.append(pool.submit(self._predict_file, path, depth))
                    yield job.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _predict_file(self, path: Path, depth: BitDepth) -> Prediction:
        try:
            pixels = prepare(read_file(path), self.input_size, str(path), depth)
        except PictureError as error:
            return Prediction(path, None, str(error))
        probabilities = self._engine.run(pixels[None].astype(np.float32))[0]
        return Prediction(path, probabilities, "")


def load_exported(folder: str | PathLike, variant: str = "float32") -> ExportedModel:
    """Load a network that `tl.export` or `tlcourse train` wrote.

    Nothing in the folder is run as a program: the record is JSON, and ONNX and Keras
    files are checked before they are opened. Each file must be the one that was written
    (SHA-256).

    Parameters
    ----------
    folder : path
        As given to `tl.export`.
    variant : {"float32", "int8", "keras"}
        "float32" and "int8" are ONNX files; "keras" needs TensorFlow.

    Returns
    -------
    ExportedModel

    Raises
    ------
    UserInputError
        No such folder, no export, or a variant that it does not have.
    DamagedFile
        A file is missing, cut short, altered or foreign.
    WeightsUnavailable
        TensorFlow is not installed.
    """
    folder = as_path(folder)
    variant = one_of("variant", variant, VARIANTS)
    record, name = read_record(folder), VARIANTS[variant]
    if name not in record["files"]:
        why = record["left_out"].get(name, "it was not written")
        kept = [known for known, file in VARIANTS.items() if file in record["files"]]
        raise UserInputError(
            f"{folder} has no {name}: {why}. It has: {', '.join(kept)}."
        )
    path = folder / name
    if not path.is_file():
        raise DamagedFile(f"{path} is missing, though {RECORD} lists it. {_AGAIN}")
    if sha256(path) != record["files"][name]["sha256"]:
        raise DamagedFile(
            f"{path} is not the file that was exported: its SHA-256 differs from the "
            f"one in {RECORD}. It was altered or cut short. {_AGAIN}"
        )
    return ExportedModel(folder, variant, record)


def read_record(folder: Path) -> dict:
    """Read the record of an export, and check its form.

    Raises
    ------
    UserInputError
        No folder, or none that holds an export.
    DamagedFile
        The record cannot be read, or lacks something.
    """
    path = folder / RECORD
    if not path.is_file():
        what = f"holds no {RECORD}" if folder.is_dir() else "is not a folder"
        raise UserInputError(
            f"{folder} {what}; expected a folder that tl.export or `tlcourse train` "
            "wrote."
        )
    try:
        record = read_json(path, error=DamagedFile)
        fault = _fault(record)
    except (DamagedFile, ValueError) as error:
        fault = f"it cannot be read ({str(error)[:300].removeprefix(f'{path} ')})"
    except (KeyError, TypeError, AttributeError) as error:
        fault = f"something is missing in it ({type(error).__name__}: {error})"
    if fault:
        raise DamagedFile(f"{path} is not what tl.export wrote: {fault}. {_AGAIN}")
    return record


def _fault(record: dict) -> str:
    """What is wrong with a record's form, or ""; KeyError or TypeError: parts lack."""
    if record["format"] != FORMAT:
        return f"its format is {record['format']!r}, expected {FORMAT!r}"
    names, classes, size = record["class_names"], record["classes"], record["input"]
    are_lists = isinstance(names, list) and isinstance(classes, list)
    if not are_lists or not len(names) == len(classes) >= 2:
        return "it does not name each of its classes"
    kinds = {type(label) for label in classes}
    if not all(isinstance(name, str) for name in names) or len(kinds) != 1:
        return "its classes are no names"
    for side in (size["height"], size["width"]):
        if not isinstance(side, int) or not 0 < side <= 4096:
            return "its input has no size"
    if size.get("bits") is not None and not is_depth(size["bits"]):
        return "its input has no valid bit depth"
    if not all(isinstance(file["sha256"], str) for file in record["files"].values()):
        return "its files have no checksums"
    if not isinstance(record["left_out"], dict):
        return "it does not list what was left out"
    return ""


def open_engine(path: Path, classes: int, size: tuple[int, int]) -> Engine:
    """Open an exported file: pixels float32 (b, height, width, 3) → (b, classes).

    Raises
    ------
    DamagedFile
        No file of its kind, or a network of other inputs or outputs.
    WeightsUnavailable
        What runs it is not installed.
    """
    expected = ((*size, 3), (classes,))
    engine: Engine | None = None
    if path.suffix == ".keras":
        from .keras_archive import load_network

        network = load_network(path)
        sides = ([*network.inputs], [*network.outputs])
        shapes = [tuple(side[0].shape[1:]) for side in sides if len(side) == 1]
        if tuple(shapes) == expected:
            engine = TensorFlowEngine(network, path.name)
    else:
        content = check_foreign(path)
        engine = OnnxEngine(content, path.name, (classes,))
        try:
            session = engine.start()
            both = (session.get_inputs(), session.get_outputs())
            shapes = [tuple(side[0].shape[1:]) for side in both if len(side) == 1]
            black = np.zeros((1, *size, 3), np.float32)
            shapes[1:] = [engine.run(black).shape[1:]]
        except Exception as error:  # ONNX Runtime's own, a dozen kinds
            reason = str(error).strip().split("\n")[0][:200]
            raise DamagedFile(
                f"{path} cannot be run as an ONNX file ({reason}). {_AGAIN}"
            ) from None
    if engine is None or tuple(shapes) != expected:
        raise DamagedFile(
            f"{path} takes and gives {shapes}; by its record expected {expected}. The "
            f"two do not belong together. {_AGAIN}"
        )
    return engine
