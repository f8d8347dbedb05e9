"""Picture files → predictions of an exported network, as CSV or JSON."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from .errors import UserInputError, printable
from .exported import ExportedModel, Prediction
from .features.pictures import files_below
from .files import as_path
from .foreign_text import csv_cell, is_formula
from .progress import progress_bar
from .validation import one_of, shown, whole_number

Row = tuple[Path, list[tuple[str, float]], str]
"""Path, (label, probability) pairs with the most probable first, error."""


def predict_files(
    model: ExportedModel | Callable[[], ExportedModel],
    paths: Iterable[Path],
    write: TextIO,
    form: str = "csv",
    top: int = 1,
) -> tuple[int, int]:
    """Predict picture files and write the predictions as they come, in their order.

    Parameters
    ----------
    model : ExportedModel or callable
        Or a function that loads it, called when all else has been checked.
    paths : iterable of path
        Files, and folders, of which every picture below is taken.
    write : text file
        Where to. A terminal is written control characters as escapes.
    form : {"csv", "json"}
        "csv": picture, label, probability (label_2, probability_2, …), error; no cell
        is a formula to a spreadsheet: a label that begins with = + - @ has an
        apostrophe before it (see `foreign_text.csv_cell`), and a path begins with "./".
        "json": a list of objects with "picture" and "predictions" (each "label" and
        "probability", the most probable first), or "error"; all names as they are.
    top : int
        How many classes of each picture.

    Returns
    -------
    tuple of int
        How many pictures were predicted, and how many could not be read.
    """
    form, top = one_of("format", form, ("csv", "json")), whole_number("top", top, 1)
    files, closed = _files(paths)
    model = model() if callable(model) else model
    whole_number("top", top, 1, len(model.class_names))
    rows = _rows(model, files, closed, top)
    written = (
        _write_csv(rows, top, write) if form == "csv" else _write_json(rows, write)
    )
    errors = [bool(error) for *_, error in written]
    return len(errors) - sum(errors), sum(errors)


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[Prediction]]:
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


def _rows(
    model: ExportedModel, files: list[Path], closed: list[Prediction], top: int
) -> Iterator[Row]:
    names, options = model.class_names, {"desc": "Predicting", "unit": " pictures"}
    with progress_bar(total=len(files), **options) as progress:
        for path, probabilities, error in chain(closed, model.predict_files(files)):
            best: list[tuple[str, float]] = []
            if probabilities is not None:
                order = np.argsort(-probabilities, kind="stable")[:top]
                best = [(names[index], float(probabilities[index])) for index in order]
            yield path, best, error
            progress.update()


def _write_csv(rows: Iterable[Row], top: int, write: TextIO) -> Iterator[Row]:
    """Write a line for each row, and pass the rows on."""
    plain = csv.writer(write, lineterminator="\n")
    # Before Python 3.13 a cell with "\r" was not quoted.
    quoted = csv.writer(write, lineterminator="\n", quoting=csv.QUOTE_ALL)
    numbers = ["", *(f"_{number}" for number in range(2, top + 1))]
    columns = [f"{name}{n}" for n in numbers for name in ("label", "probability")]
    plain.writerow(["picture", *columns, "error"])
    for row in rows:
        path, best, error = row
        cells = [f".{os.sep}{path}" if is_formula(str(path)) else str(path)]
        for label, probability in best:
            cells += [csv_cell(label), f"{probability:.4f}"]
        cells += [""] * (1 + 2 * top - len(cells)) + [csv_cell(error)]
        if write.isatty():
            cells = [printable(cell) for cell in cells]
        writer = quoted if any("\r" in cell for cell in cells) else plain
        writer.writerow(cells)
        yield row


def _write_json(rows: Iterable[Row], write: TextIO) -> Iterator[Row]:
    """Write an object for each row, and pass the rows on."""
    separator = "["
    for row in rows:
        path, best, error = row
        predictions = [{"label": n, "probability": round(p, 4)} for n, p in best]
        result = {"error": error} if error else {"predictions": predictions}
        content = {"picture": str(path), **result}
        text = json.dumps(content, ensure_ascii=False)
        # Readable letters; with JSON's escapes where a name is not Unicode.
        write.write(
            separator + (text if printable(text) == text else json.dumps(content))
        )
        separator = ",\n "
        yield row
    write.write("]\n")
