"""Checks of single arguments: each returns the value or raises a UserInputError."""

import difflib
import math
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import UserInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MOST_SEED = 2**31 - 1  # of NumPy's, scikit-learn's and Keras' generators
SHOWN = 80  # characters of a refused value in a message


def shown(value: object) -> str:
    """The repr of a refused value on one line, shortened."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a user's own class may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _refused(name: str, value: object, expected: str) -> UserInputError:
    return UserInputError(f"{name} is {shown(value)}; expected {expected}.")


def number(
    name: str,
    value: Any,
    minimum: float = 0,
    maximum: float = math.inf,
    *,
    above: bool = False,
) -> float:
    """A finite number within bounds, both included; with `above`, over `minimum`."""
    kinds = int | float | np.integer | np.floating
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    is_inside = is_number and minimum <= value <= maximum and abs(value) < 1e300
    if not is_inside or (above and value == minimum):
        start = f"above {minimum:g}" if above else f"from {minimum:g}"
        to = "" if maximum == math.inf else f" to {maximum:g}"
        raise _refused(name, value, f"a number {start}{to}")
    return float(value)


def whole_number(
    name: str, value: Any, minimum: int = 0, maximum: int | None = None
) -> int:
    """A whole number within bounds, both included; a bool is none."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < minimum or (maximum is not None and value > maximum):
        to = "" if maximum is None else f" to {maximum:,}"
        raise _refused(name, value, f"a whole number from {minimum:,}{to}")
    return int(value)


def seed(value: object) -> int:
    """A seed that NumPy, scikit-learn and Keras take."""
    return whole_number("seed", value, 0, MOST_SEED)


def size(
    value: Any, name: str = "size", minimum: int = 1, maximum: int = 10_000
) -> tuple[int, int]:
    """(height, width) in pixels, each within bounds."""
    sides = elements(value)
    try:
        height, width = (whole_number(name, side, minimum, maximum) for side in sides)
    except ValueError:  # UserInputError, or another number of them
        expected = f"(height, width) in pixels, each from {minimum} to {maximum:,}"
        raise _refused(name, value, expected) from None
    return height, width


def one_of(name: str, value: object, choices: Iterable[str]) -> str:
    """One of these names; the error suggests the most similar one."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    message = f"{name} is {shown(value)}; expected one of {', '.join(known)}."
    if isinstance(value, str) and (similar := difflib.get_close_matches(value, known)):
        message += f" Did you mean {similar[0]!r}?"
    raise UserInputError(message)


def text(name: str, value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise _refused(name, value, "a text")
    return value


def flag(name: str, value: object) -> bool:
    """True or False; strings are refused, since "False" would count as True."""
    if not isinstance(value, bool | np.bool_):
        raise _refused(name, value, "True or False")
    return bool(value)


def elements(value: Any) -> tuple:
    """The elements of what has an order; () for one text, a set or a single thing."""
    unordered = str | bytes | set | frozenset | dict
    is_ordered = np.iterable(value) and not isinstance(value, unordered)
    return tuple(value) if is_ordered else ()


def class_names(value: Any) -> list[str]:
    """Class names in the order of the labels 0, 1, …; numbers become text."""
    names = [str(n) if isinstance(n, int | np.integer) else n for n in elements(value)]
    are_texts = all(isinstance(name, str) and name.strip() for name in names)
    if not names or not are_texts:
        expected = 'a list of names in the order of the labels, ["cat", "dog"], say'
        raise _refused("class_names", value, expected)
    if len({unicodedata.normalize("NFC", name) for name in names}) < len(names):
        raise UserInputError(f"class_names holds a name twice: {shown(names)}.")
    return [str(name) for name in names]


def as_array(values: "ArrayLike", name: str) -> np.ndarray:
    """An array; ragged and masked rows are refused."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise UserInputError(f"Some of the {name} are masked. Leave these rows out.")
    try:
        return np.asarray(values)
    except Exception as error:  # ragged rows, or raised by a user's own class
        raise UserInputError(
            f"The rows of the {name} differ in length, or are no numbers or text "
            f"({shown(error)})."
        ) from error


def labels(values: "ArrayLike", count: int) -> np.ndarray:
    """Labels as an array (count,) of whole numbers, bool or text, all of one kind.

    Whole numbers may be stored as floats or objects. Fractions, missing labels, and
    numbers beside text are refused.
    """
    array = as_array(values, "labels")
    if array.ndim != 1 or len(array) != count:
        raise UserInputError(
            f"{count:,} rows came with labels of shape {array.shape}; expected one "
            "label for each row. One-hot labels: labels.argmax(axis=1)."
        )
    # NumPy converts numbers beside text to text, so look at the original labels.
    each = list(values) if array.dtype.kind == "U" else array.tolist()  # type: ignore[arg-type]
    kinds = [_label_type(label) for label in each]
    for row, kind in enumerate(kinds):
        if kind is None or kind != kinds[0]:
            raise UserInputError(
                "Labels must be whole numbers or text, all of one kind; the label of "
                f"row {row} is {shown(each[row])}. Leave rows without a label out."
            )
    return array.astype(kinds[0] if kinds else np.int64)


def _label_type(label: object) -> type | None:
    """The NumPy type of a label, or None where it is none."""
    if isinstance(label, str):
        return None if label.endswith("\0") else np.str_  # NumPy would cut it off
    if isinstance(label, bool | np.bool_):
        return np.bool_
    if isinstance(label, float):
        return np.int64 if label.is_integer() and abs(label) < 2**53 else None
    is_whole = isinstance(label, int | np.integer) and -(2**63) <= label < 2**63
    return np.int64 if is_whole else None


def weights(values: "ArrayLike | None", count: int) -> np.ndarray:
    """Sample weights as float64 (count,); None: ones."""
    if values is None:
        return np.ones(count)
    array = as_array(values, "sample_weight")
    is_numeric = array.shape == (count,) and array.dtype.kind in "uifb"
    is_usable = is_numeric and np.isfinite(array).all() and (array >= 0).all()
    if not is_usable or not array.any():
        raise UserInputError(
            f"sample_weight has shape {array.shape} and type {array.dtype}; expected "
            f"{count} finite numbers, none negative and not all zero."
        )
    return array.astype(np.float64)


def groups(values: "ArrayLike | None", count: int) -> np.ndarray:
    """Which rows belong together, as int64 (count,); None: each row is alone."""
    if values is None:
        return np.arange(count)
    array = as_array(values, "groups")
    if array.shape != (count,):
        raise UserInputError(
            f"{count:,} rows came with groups of shape {array.shape}; expected one "
            "number or name for each row, the same for rows that belong together."
        )
    return np.unique(array, return_inverse=True)[1]


def names_of(classes: np.ndarray, names: Any) -> list[str] | None:
    """The names of the sorted, distinct labels `classes`; None if these are names."""
    if names is None:
        return None
    names = class_names(names)
    if classes.dtype.kind == "U":
        present = classes.tolist()
        if [name for name in names if name in present] != present:
            raise UserInputError(
                f"class_names is {shown(names)}, but the labels, which are text, are "
                f"{shown(present)} in their sorted order. Leave class_names out."
            )
        return None
    if classes.min() < 0 or classes.max() >= len(names):
        raise UserInputError(
            f"The labels run from {classes.min()} to {classes.max()}, but there are "
            f"{len(names)} class_names; label 0 belongs to the first name."
        )
    return [names[int(label)] for label in classes]


def features(values: "ArrayLike") -> np.ndarray:
    """Features as a finite array of numbers (n, d), with at least one row."""
    array = as_array(values, "features")
    if array.dtype.kind not in "uif" or array.ndim != 2 or not array.size:
        raise UserInputError(
            f"features have shape {array.shape} and type {array.dtype}; expected "
            "numbers in shape (n, d), as model.extract_features(images) returns."
        )
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise UserInputError(
            f"{np.sum(~finite)} rows of the features hold NaN or infinite numbers, the "
            f"first is row {np.argmin(finite)}. Leave them out, with their labels."
        )
    return array
