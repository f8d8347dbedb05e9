"""Picture files → what an exported network says of them, a line each, as CSV or JSON; `tlcourse predict` writes it."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from .errors import UserInputError, printable
from .exported import Answer, ExportedModel
from .features.pictures import files_below
from .files import as_path
from .foreign_text import csv_cell, is_formula
from .progress import progress_bar
from .validation import one_of, whole_number

FORMATS = ("csv", "json")


def predict_files(
    model: ExportedModel | Callable[[], ExportedModel],
    places: Iterable[Path],
    write: TextIO,
    form: str = "csv",
    top: int = 1,
) -> tuple[int, int]:
    """Ask a network of each picture file and write the answers as they come, in the order of the files.

    Args:
        model: from `load_exported`; or a function that loads it, which is called when all else has been checked.
        places: files, and folders, of which every picture below is taken.
        write: where to; a text file.
        form: "csv": picture, label, probability (label_2, probability_2, …), error; or "json": a list of objects with
            "picture" and "predictions" (each "label" and "probability", the most probable first), or "error". In CSV no
            cell is a formula to a spreadsheet: a label that begins with = + - @ has an apostrophe before it (see
            `foreign_text.csv_cell`), and a path begins with "./". JSON has all names as they are. A terminal is
            written control characters as escapes.
        top: how many classes of each picture.

    Returns:
        How many were answered, and how many could not be read.

    Raises:
        UserInputError: a place that is not there, no pictures, an unknown form, a `top` that there is not.
    """
    form, top = one_of("format", form, FORMATS), whole_number("top", top, 1)
    files, closed = _files(places)
    model = model() if callable(model) else model
    if top > len(model.class_names):
        raise UserInputError(
            f"top is {top}; this network has {len(model.class_names)} classes, so expected 1 to that."
        )
    rows = _rows(model, files, closed, top)
    return (_write_csv if form == "csv" else _write_json)(rows, top, write)


def _files(places: Iterable[Path]) -> tuple[list[Path], list[Answer]]:
    """The picture files, and the folders that cannot be opened."""
    files, closed = [], []
    places = [as_path(place, "a picture") for place in places]
    for place in places:
        if os.path.isdir(place):
            below = files_below(place)
            files += below.pictures
            closed += [Answer(path, None, why) for path, why in below.closed]
        elif os.path.lexists(place):
            files.append(place)
        else:
            raise UserInputError(
                f"{place} does not exist. Relative paths start at {Path.cwd()}."
            )
    if not files and not closed:
        where = ", ".join(map(str, places[:3])) or "what was given"
        raise UserInputError(
            f"There are no pictures in {where}; at least one is needed."
        )
    return files, closed


def _rows(
    model: ExportedModel, files: list[Path], closed: list[Answer], top: int
) -> Iterator[tuple]:
    """(path, [(label, probability), …], error) of each file."""
    with progress_bar(
        total=len(files), desc="Predicting", unit=" pictures"
    ) as progress:
        for path, probabilities, error in chain(closed, model.answers(files)):
            best = []
            if probabilities is not None:
                places = np.argsort(-probabilities, kind="stable")[:top]
                best = [
                    (model.class_names[place], float(probabilities[place]))
                    for place in places
                ]
            yield path, best, error
            progress.update()


def _write_csv(rows: Iterable[tuple], top: int, write: TextIO) -> tuple[int, int]:
    numbers = ["", *(f"_{place}" for place in range(2, top + 1))]
    lines = csv.writer(write, lineterminator="\n")
    quoted = csv.writer(
        write, lineterminator="\n", quoting=csv.QUOTE_ALL
    )  # before Python 3.13 the other misses "\r"
    lines.writerow(
        [
            "picture",
            *(
                f"{what}{number}"
                for number in numbers
                for what in ("label", "probability")
            ),
            "error",
        ]
    )

    def line(path: Path, best: list, error: str) -> None:
        cells = [
            cell
            for label, probability in best
            for cell in (csv_cell(label), f"{probability:.4f}")
        ]
        row = [_path(path), *cells, *[""] * (2 * top - len(cells)), csv_cell(error)]
        if write.isatty():
            row = [printable(cell) for cell in row]
        (quoted if any("\r" in cell for cell in row) else lines).writerow(row)

    return _counted(rows, line)


def _path(path: Path) -> str:
    """A path, written so that a spreadsheet takes it for no formula; it leads to the same file."""
    return f".{os.sep}{path}" if is_formula(str(path)) else str(path)


def _write_json(rows: Iterable[tuple], top: int, write: TextIO) -> tuple[int, int]:
    begun = False

    def line(path: Path, best: list, error: str) -> None:
        nonlocal begun
        found = [
            {"label": label, "probability": round(probability, 4)}
            for label, probability in best
        ]
        entry = {
            "picture": str(path),
            **({"error": error} if error else {"predictions": found}),
        }
        write.write((",\n " if begun else "[") + _json(entry))
        begun = True

    counts = _counted(rows, line)
    write.write("]\n")
    return counts


def _json(entry: dict) -> str:
    """In readable letters; a name that is not Unicode in escapes, which every reader of JSON turns back into it."""
    text = json.dumps(entry, ensure_ascii=False)
    return text if printable(text) == text else json.dumps(entry)


def _counted(
    rows: Iterable[tuple], line: Callable[[Path, list, str], None]
) -> tuple[int, int]:
    answered = failed = 0
    for path, best, error in rows:
        line(path, best, error)
        answered, failed = answered + (not error), failed + bool(error)
    return answered, failed
