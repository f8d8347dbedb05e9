"""An exported network: read from its folder, checked, and run."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import (
    DamagedFile,
    PictureError,
    TLCourseError,
    UserInputError,
    printable,
)
from .features.compute import compute
from .features.decoding import BitDepth, is_depth, prepare, read_file
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

    `predict`, `predict_proba`, `score` and `confusion` take pictures as
    `extract_features` does.

    Attributes
    ----------
    folder, variant
        As given to `load_exported`.
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
        (height, width), name = self.input_size, printable(self.folder.name)
        size = f"{height}×{width} pixels"
        return f"<{name}, {self.variant}: {size} → {len(self.classes_)} classes>"

    def predict_proba(self, X: "Images") -> np.ndarray:
        """Predict each class's probability: float32 (n, classes)."""
        return compute(
            self._engine, X, self.input_size, describe="Predicting", bits=self.bits
        )

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Predict file after file, in their order; unreadable files stop nothing."""
        depth, step = BitDepth(paths, self.bits), _AHEAD * workers()
        with ThreadPoolExecutor(workers()) as pool:
            for start in range(0, len(paths), step):
                some = paths[start : start + step]
                yield from pool.map(self._predict_file, some, repeat(depth))

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
        No export, or a variant that it does not have.
    DamagedFile
        A file is missing, cut short, altered or foreign.
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
    if not path.is_file() or sha256(path) != record["files"][name]["sha256"]:
        raise DamagedFile(
            f"{path} is not the file that was exported: it is missing, or its SHA-256 "
            f"differs from the one in {RECORD}. {_AGAIN}"
        )
    return ExportedModel(folder, variant, record)


def read_record(folder: Path) -> dict:
    """Read the record of an export, and check its form."""
    path = folder / RECORD
    if not path.is_file():
        raise UserInputError(
            f"{folder} holds no {RECORD}; expected a folder that tl.export or `tlcourse "
            "train` wrote."
        )
    try:
        record = read_json(path, error=DamagedFile)
        _check_form(record)
    except (TLCourseError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = "" if isinstance(error, TLCourseError) else f"{type(error).__name__}: "
        reason = f"{kind}{str(error)[:300].removeprefix(f'{path} ')}"
        raise DamagedFile(
            f"{path} is not what tl.export wrote ({reason}). {_AGAIN}"
        ) from None
    return record


def _check_form(record: dict) -> None:
    """Refuse a record without the parts that are used."""
    names, classes, size = record["class_names"], record["classes"], record["input"]
    sides, bits = (size["height"], size["width"]), size.get("bits")
    sound = {
        "format": record["format"] == FORMAT,
        "list of class_names": isinstance(names, list)
        and len(names) >= 2
        and all(isinstance(name, str) for name in names),
        "list of classes": isinstance(classes, list)
        and len(classes) == len(names)
        and len({type(label) for label in classes}) == 1,
        "size": all(isinstance(side, int) and 0 < side <= 4096 for side in sides),
        "bit depth": bits is None or is_depth(bits),
        "checksum": all(isinstance(f["sha256"], str) for f in record["files"].values()),
        "list of what was left_out": isinstance(record["left_out"], dict),
    }
    for part, is_sound in sound.items():
        if not is_sound:
            raise ValueError(f"no usable {part}")


def open_engine(path: Path, classes: int, size: tuple[int, int]) -> Engine:
    """Open an exported file: pixels float32 (b, height, width, 3) → (b, classes)."""
    is_keras = path.suffix == ".keras"
    try:
        if is_keras:
            from .keras_archive import load_network

            engine: Engine = TensorFlowEngine(load_network(path), path.name)
        else:
            engine = OnnxEngine(check_foreign(path), path.name, (classes,))
        shape = engine.run(np.zeros((1, *size, 3), np.float32)).shape
        if shape != (1, classes):
            raise ValueError(f"an output {shape}, by the record expected {classes}")
    except TLCourseError:
        raise
    except Exception as error:  # ONNX Runtime's and TensorFlow's own, a dozen kinds
        reason = str(error).strip().split("\n")[0][:200]
        raise DamagedFile(
            f"{path} cannot be run on the pictures of its record ({reason}). {_AGAIN}"
        ) from None
    return engine
