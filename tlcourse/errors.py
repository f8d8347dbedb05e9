"""The errors a user can meet: sentences that say what was wrong and what to do."""

import json
import re
import sys

# C0 and C1 control characters, ends of lines and paragraphs, marks and changes of the
# direction of writing, characters without width (but those that join letters and
# emoji), and halves of surrogate pairs, which stand for bytes that are not UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)


def printable(text: object, lines: bool = False) -> str:
    """Text as it can be shown anywhere: what moves a cursor or hides text is escaped.

    Escapes are as JSON writes them, such as `\\u001b`; with `lines`, line feeds and
    tabs are kept.
    """
    kept = "\n\t" if lines else ""
    return _UNPRINTABLE.sub(
        lambda match: match[0] if match[0] in kept else json.dumps(match[0])[1:-1],
        str(text),
    )


def callers_level() -> int:
    """The `stacklevel` at which a warning is at the line that called the package."""
    frame, level = sys._getframe(1), 1
    inside = f"{__package__}."
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(inside):
        frame, level = frame.f_back, level + 1
    return level


def how_to_install(extra: str = "cpu") -> str:
    """What brings the course's packages.

    Never `pip install` with the course's name: an index may have another project.
    """
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
    """A bundled or fetched file is not the one that was published."""


class DatasetUnavailable(TLCourseError):
    """A data set is not on this machine; the message says what brings it."""


class WeightsUnavailable(TLCourseError):
    """Weights, or TensorFlow, are not on this machine; the message says what to run."""


class CheckError(TLCourseError, AssertionError):
    """Something is not as asserted; the message says why it matters and what to do."""
