"""Reading answers: what a learner gives, as the number, dictionary or array that an exercise expects, or a sentence.

All exercises read answers here, so that NaN, infinity, True, text, masked values and objects whose own methods fail
are refused in one module.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from ..datasets import load_dataset
from ..datasets.core import Split
from ..features.pictures import Pictures
from .core import NotYet

T = TypeVar("T")

NEAR = 0.005  # accuracies that differ by less are the same: the last digits depend on the processor
LARGEST = 1e15  # no answer is larger
SHOWN = 60  # characters of an answer that a sentence quotes
_PLAIN = (bool, int, float, complex, str, bytes)


def describe(value: "Any") -> str:
    """Any object in a few printable characters: numbers and text themselves, of all else the type."""
    try:
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, np.ndarray):
            return (
                f"an array of shape {value.shape} and type {shorten(str(value.dtype))}"
            )
        return (
            shorten(repr(plain))
            if plain is None or type(plain) in _PLAIN
            else describe_type(value)
        )
    except Exception:  # a number of too many digits, an object whose __class__ fails
        return describe_type(value)


def describe_type(value: "Any") -> str:
    """ "a float": for answers whose type is wrong whatever their value is."""
    name = type_name(value)
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def type_name(value: "Any") -> str:
    """The name of an object's type, in a few printable characters."""
    return shorten(str(type.__dict__["__name__"].__get__(type(value))))


def shorten(text: str, length: int = SHOWN) -> str:
    """At most so many printable characters; the others are escaped, and a longer text is cut."""
    text = "".join(
        character if character.isprintable() else repr(character)[1:-1]
        for character in text[: length + 1]
    )
    return text if len(text) <= length else f"{text[: length - 1]}…"


def array(value: "Any", expected: str, what: str = "the answer") -> np.ndarray:
    """Numbers, or True and False, as an array of any shape.

    Parameters
    ----------
    value : array, number, list or tuple, or what has `__array__`: a tensor, a pandas column
    expected : what an answer is, to finish "expected …"
    what : what is read, to finish "For …"

    Raises
    ------
    NotYet
        It is something else, or a part of it is masked, NaN or infinite.
    """
    result = _as_array(value)
    if result is None:
        raise NotYet(f"For {what} you gave {describe(value)}; expected {expected}.")
    if not np.isfinite(result).all():
        raise NotYet(
            f"For {what} you gave NaN or infinite numbers; expected {expected}."
        )
    return result


def _as_array(value: "Any") -> np.ndarray | None:
    """The array; None if it cannot be made, or holds something else than numbers or booleans."""
    try:
        if isinstance(value, np.ma.MaskedArray):
            value = np.ma.filled(value.astype(float), np.nan)
        readable = isinstance(value, int | float | list | tuple) or hasattr(
            type(value), "__array__"
        )
        result = np.asarray(value) if readable else None
    except Exception:  # ragged lists, symbolic tensors, objects whose own methods fail
        return None
    return result if result is not None and result.dtype.kind in "buif" else None


def _scalar(value: "Any", expected: str, what: str) -> float:
    """One number that is not a bool; NaN and infinity pass."""
    result = _as_array(value)
    if result is not None and result.ndim:
        raise NotYet(
            f"For {what} you gave an array of shape {result.shape}; expected {expected}."
        )
    if result is None or result.dtype.kind == "b":
        raise NotYet(f"For {what} you gave {describe(value)}; expected {expected}.")
    return float(result)


def number(
    value: "Any", expected: str = "one number", what: str = "the answer"
) -> float:
    """One finite number: a Python or NumPy number, an array without axes, a tensor.

    Raises
    ------
    NotYet
        A bool, text, several numbers, NaN, infinity, or more than any answer can be.
    """
    result = _scalar(value, expected, what)
    if not abs(result) <= LARGEST:
        raise NotYet(f"For {what} you gave {result:g}; expected {expected}.")
    return result


def whole_number(
    value: "Any", expected: str = "a whole number", what: str = "the answer"
) -> int:
    """One whole number; 36.0 is one, too.

    Raises
    ------
    NotYet
        As `number`, or it has a fraction.
    """
    result = number(value, expected, what)
    if not result.is_integer():
        raise NotYet(f"For {what} you gave {result:.12g}; expected {expected}.")
    return int(result)


def share(value: "Any", what: str = "the answer") -> float:
    """An accuracy or another share in [0, 1].

    Raises
    ------
    NotYet
        Not one number, a percentage, or outside [0, 1].
    """
    result = _scalar(value, "one number between 0 and 1", what)
    if 1 < result <= 100:
        raise NotYet(
            f"For {what} you gave {result:g}. As a percentage that may be right, but shares are counted from 0 to 1 "
            "here, as score() does; the print turns them into percent."
        )
    if not 0 <= result <= 1:
        raise NotYet(
            f"For {what} you gave {result:g}; expected a share between 0 and 1."
        )
    return result


def near(one: float, other: float) -> bool:
    """Whether two shares are the same but for the last digits; NaN is near nothing."""
    return bool(abs(one - other) <= NEAR)


def dictionary(answer: "Any", names: tuple[str, ...]) -> dict[str, Any]:
    """A dictionary with these names and no others, none of whose values is None.

    Raises
    ------
    NotYet
        Something else, other names, or a value that is still None.
    """
    if not isinstance(answer, dict) or set(answer) != set(names):
        keys = (
            [describe(key) for key in list(answer)[:6]]
            if isinstance(answer, dict)
            else [describe_type(answer)]
        )
        expected = f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
        raise NotYet(
            f"You gave {', '.join(keys) or 'nothing'}; expected a dictionary with {expected}, and no other."
        )
    missing = [name for name in names if answer[name] is None]
    if missing:
        raise NotYet(f"{', '.join(map(repr, missing))} is still None.")
    return answer


def shares(answer: "Any", names: tuple[str, ...]) -> dict[str, float]:
    """A dictionary with a share under each of these names.

    Raises
    ------
    NotYet
        As `dictionary`, or values that are no shares.
    """
    values = dictionary(answer, names)
    return {name: share(values[name], f"{name!r}") for name in names}


def instance(value: "Any", kind: type[T], expected: str) -> T:
    """An answer, or what a stub hands over besides it, of this type.

    Raises
    ------
    NotYet
        It is something else.
    """
    if not isinstance(value, kind):
        raise NotYet(f"You gave {describe_type(value)}; expected {expected}.")
    return value


def rows_of_solar_train(part: "Any", per_class: int, name: str) -> tuple[int, ...]:
    """Which cells of `solar.train` a sample holds; pictures and labels are compared.

    Parameters
    ----------
    part : what the stub made with `solar.train.sample` or `solar.train.select`
    per_class : cells of each class that the exercise asks for
    name : of the variable in the stub

    Raises
    ------
    NotYet
        Not a split, other cells than those of `solar.train`, or other numbers of them.
    """
    split = instance(
        part, Split, f"in {name} a sample of solar.train, as the stub makes it"
    )
    keys, known = _keys(split), _solar_train(isinstance(split.images, Pictures))
    rows = [known.get(key, -1) for key in keys]
    if -1 in rows:
        raise NotYet(
            f"{rows.count(-1)} of the {len(rows)} cells in {name} are not cells of solar.train with their own labels. "
            "A classifier may be trained on training cells only; run the stub as it stands."
        )
    labels = load_dataset("solar").train.labels[rows]
    counts = np.bincount(labels, minlength=2).tolist()
    if counts != [per_class, per_class] or len(set(rows)) < len(rows):
        raise NotYet(
            f"{name} holds {counts[0]} and {counts[1]} cells of the two classes; expected {per_class} different cells "
            "of each, as the stub takes them."
        )
    return tuple(rows)


@lru_cache(maxsize=2)
def _solar_train(by_file: bool) -> dict[tuple[bytes, int], int]:
    split = load_dataset("solar").train
    if not by_file:
        split = replace(split, inputs=np.stack(list(split.images)))
    return {key: row for row, key in reversed(list(enumerate(_keys(split))))}


def _keys(split: Split) -> list[tuple[bytes, int]]:
    """Of each row a hash of its picture, or of the picture's file, which need not be decoded for it; and its label."""
    images = split.images
    if isinstance(images, Pictures):
        contents = [path.read_bytes() for path in images.paths]
    else:
        contents = [np.ascontiguousarray(image).tobytes() for image in images]
    hashes = [hashlib.blake2b(content).digest() for content in contents]
    return [
        (digest, int(label)) for digest, label in zip(hashes, split.labels, strict=True)
    ]
