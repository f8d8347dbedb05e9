"""An exported network: read from its folder, checked, and run."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from .errors import (
    DamagedFile,
    PictureError,
    UserInputError,
    convert_errors,
    printable,
)
from .export_record import AGAIN, LABELS, RECORD, VARIANTS, labels_text, read_record
from .features.compute import compute
from .features.decoding import BitDepth, read_file
from .features.engine import Engine, OnnxEngine, workers
from .features.pictures import Images, files_below
from .features.resizing import InputSize, prepare
from .files import as_path, sha256
from .files import read_file as read_bytes
from .foreign_text import csv_cell, is_formula
from .models.onnx_file import check_foreign
from .progress import progress_bar
from .training.classifiers import Classifier
from .validation import one_of, shown, whole_number

_AHEAD = 32  # pictures read ahead, for each worker


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
    resize : str
        How pictures are resized, as in training: see `load_pretrained_model`.
    bits : int or None
        Bit depth of 16-bit pictures that do not state theirs, as in training.
    """

    def __init__(self, folder: Path, variant: str, record: dict) -> None:
        self.classes_ = np.array(record["classes"])
        self._class_names = record["class_names"]
        self.folder, self.variant, self.record = folder, variant, record
        self.input_size = (record["input"]["height"], record["input"]["width"])
        self.resize: str = record["input"].get("resize", "squash")
        self._size = InputSize(*self.input_size, self.resize)
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
            self._engine, X, self._size, describe="Predicting", bits=self.bits
        )

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Predict file after file, in their order; unreadable files stop nothing."""
        predict = partial(self._predict_file, depth=BitDepth(paths, self.bits))
        if len(paths) == 1:  # it is predicted before a pool would have started
            yield predict(paths[0])
            return
        step = _AHEAD * workers()
        with ThreadPoolExecutor(workers()) as pool:
            for start in range(0, len(paths), step):
                yield from pool.map(predict, paths[start : start + step])

    def _predict_file(self, path: Path, depth: BitDepth) -> Prediction:
        try:
            pixels = prepare(read_file(path), self._size, str(path), depth)
        except PictureError as error:
            return Prediction(path, None, str(error))
        probabilities = self._engine.run(pixels[None].astype(np.float32))[0]
        return Prediction(path, probabilities, "")


def load_exported(folder: str | PathLike, variant: str = "float32") -> ExportedModel:
    """Load a network that `tl.export` or `tlcourse train` wrote.

    Nothing in the folder is run as a program: the record is JSON, and ONNX files are
    checked before they are opened. Each file must be the one that was written
    (SHA-256). `model.keras` is for Keras: `keras.saving.load_model`.

    Parameters
    ----------
    folder : path
        As given to `tl.export`.
    variant : {"float32", "int8"}

    Returns
    -------
    ExportedModel

    Raises
    ------
    UserInputError
        No export, or a variant that it does not have.
    DamagedFile
        A file is missing, cut short, altered or foreign.

    Examples
    --------
    >>> import tlcourse as tl
    >>> model = tl.load_exported("my_model")  # doctest: +SKIP
    >>> model.predict(["cat.jpg", "dog.jpg"])  # doctest: +SKIP
    array([0, 1])
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
    if (folder / LABELS).is_file():
        lines = read_bytes(folder / LABELS, error=DamagedFile).decode(
            "utf-8", "replace"
        )
        if lines != labels_text(record["class_names"]):
            raise DamagedFile(f"{folder / LABELS} differs from {RECORD}. {AGAIN}")
    path = folder / name
    if not path.is_file() or sha256(path) != record["files"][name]["sha256"]:
        raise DamagedFile(
            f"{path} is not the file that was exported: it is missing, or its SHA-256 "
            f"differs from the one in {RECORD}. {AGAIN}"
        )
    return ExportedModel(folder, variant, record)


def open_engine(path: Path, classes: int, size: tuple[int, int]) -> Engine:
    """Open an exported file: pixels float32 (b, height, width, 3) → (b, classes)."""
    what = f"{path} cannot be run on the pictures of its record"
    # ONNX Runtime raises a dozen kinds of exceptions.
    with convert_errors(Exception, DamagedFile, what, AGAIN):
        engine = OnnxEngine(check_foreign(path), path.name, (classes,))
        shape = engine.run(np.zeros((1, *size, 3), np.float32)).shape
        if shape != (1, classes):
            raise ValueError(f"an output {shape}, by the record expected {classes}")
    return engine


def predict_files(
    model: ExportedModel,
    paths: Iterable[Path],
    write: TextIO,
    form: str = "csv",
    top: int = 1,
) -> tuple[int, int]:
    """Predict picture files, and those in folders, and write a row for each.

    "csv": picture, label, probability (label_2, probability_2, … up to `top`), error.
    No cell is a formula to a spreadsheet: see `foreign_text.csv_cell`; a path begins
    with "./". "json": a list of objects with "picture", and "predictions" (each "label"
    and "probability", the most probable first) or "error". "text": a line to read.

    Returns how many pictures were predicted, and how many could not be read.
    """
    names, form = model.class_names, one_of("format", form, ("csv", "json", "text"))
    top = whole_number("top", top, 1, len(names))
    files, closed = _find_pictures(paths)
    if form == "csv":
        columns = ["label", "probability"]
        columns += [f"{name}_{n}" for n in range(2, top + 1) for name in columns]
        _write_csv(write, ["picture", *columns, "error"])
    predictions: Iterable[Prediction] = chain(closed, model.predict_files(files))
    failed, total = 0, len(closed) + len(files)
    if form != "text":  # lines on a terminal are progress enough
        predictions = progress_bar(
            predictions, total=total, desc="Predicting", unit=" pictures"
        )
    for number, (path, probabilities, error) in enumerate(predictions):
        best = []
        if probabilities is not None:
            order = np.argsort(-probabilities, kind="stable")[:top]
            best = [(names[index], float(probabilities[index])) for index in order]
        if form == "csv":
            cells = [f".{os.sep}{path}" if is_formula(str(path)) else str(path)]
            for label, probability in best:
                cells += [csv_cell(label), f"{probability:.4f}"]
            cells += [""] * (1 + 2 * top - len(cells)) + [csv_cell(error)]
            _write_csv(write, cells)
        elif form == "text":
            write.write(f"{_as_line(path, best, error)}\n")
        else:
            pairs = [{"label": n, "probability": round(p, 4)} for n, p in best]
            result = {"error": error} if error else {"predictions": pairs}
            write.write(",\n " if number else "[")
            json.dump({"picture": str(path), **result}, write)
        failed += bool(error)
    write.write("]\n" if form == "json" else "")
    return total - failed, failed


def _as_line(path: Path, best: list[tuple[str, float]], error: str) -> str:
    """Such as "cat.jpg: tabby 93.1%, tiger cat 4.0%", or why there is no prediction."""
    likely = ", ".join(f"{label} {probability:.1%}" for label, probability in best)
    is_named = error.startswith(str(path))
    return printable(error if is_named else f"{path}: {error or likely}")


def _write_csv(write: TextIO, cells: list[str]) -> None:
    if write.isatty():
        cells = [printable(cell) for cell in cells]
    # Before Python 3.13 a cell with "\r" is quoted only on request.
    quoting = csv.QUOTE_ALL if "\r" in "".join(cells) else csv.QUOTE_MINIMAL
    csv.writer(write, lineterminator="\n", quoting=quoting).writerow(cells)  # type: ignore[arg-type]


def _find_pictures(paths: Iterable[Path]) -> tuple[list[Path], list[Prediction]]:
    """The picture files, and the folders that cannot be opened."""
    files, closed = [], []
    for path in [as_path(path, "a picture") for path in paths]:
        if os.path.isdir(path):
            below = files_below(path)
            files += below.pictures
            closed += [Prediction(folder, None, why) for folder, why in below.closed]
        elif os.path.lexists(path):
            files.append(path)
        else:
            raise UserInputError(
                f"{path} does not exist. Relative paths start at {Path.cwd()}."
            )
    if not files and not closed:
        raise UserInputError(
            f"There are no pictures in {shown(list(map(str, paths)))}; expected at "
            "least one."
        )
    return files, closed
