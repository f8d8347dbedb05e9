"""The errors a user can meet: sentences that say what was wrong and what to do."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Control characters, line and paragraph separators, changes of writing direction,
# characters without width (except joiners), and unpaired surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)


def printable(text: object, lines: bool = False) -> str:
    """Text with control and invisible characters escaped as in JSON (`\\u001b`).

    With `lines`, line feeds and tabs are kept.
    """
    kept = "\n\t" if lines else ""
    return _UNPRINTABLE.sub(
        lambda match: match[0] if match[0] in kept else json.dumps(match[0])[1:-1],
        str(text),
    )


def callers_level() -> int:
    """The `stacklevel` that attributes a warning to the code calling the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("tlcourse."):
        frame, level = frame.f_back, level + 1
    return level


def how_to_install(extra: str = "cpu") -> str:
    """How to install the course; not by its name, which an index may use otherwise."""
    return (
        "In the course's folder run: make setup (or, in an environment of your own: "
        f"pip install '.[{extra}]')"
    )


class TLCourseError(Exception):
    """Anything that `tlcourse` refuses or cannot do."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, lines=True))


class UserInputError(TLCourseError, ValueError):
    """An argument cannot be used as it is: wrong shape, range, name or length."""


class PictureError(UserInputError):
    """A file cannot be read as a picture: damaged, cut short, too large, or none."""


class DamagedFile(TLCourseError):
    """A bundled or downloaded file is not the one that was published."""


class DatasetUnavailable(TLCourseError):
    """A data set is not on this machine; the message says how to get it."""


class WeightsUnavailable(TLCourseError):
    """Weights, or TensorFlow, are not on this machine; the message says what to run."""


class CheckError(TLCourseError, AssertionError):
    """An assertion of `tl.checks` failed; the message says why it matters."""


@contextmanager
def convert_errors(
    errors: type[Exception], to: type[TLCourseError], what: str, cure: str
) -> Iterator[None]:
    """Raise `to` in place of these errors: "what (reason). cure".

    The course's own pass, and a lack of memory, which is no fault of a file.
    """
    try:
        yield
    except (TLCourseError, MemoryError):
        raise
    except errors as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        first_line = reason.strip().split("\n")[0][:300]
        raise to(f"{what} ({first_line}). {cure}") from error
