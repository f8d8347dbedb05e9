"""The errors a user can meet. Each message is a sentence: what was wrong, what was expected, what to do."""

import sys
from os import PathLike


def printable(text: str | PathLike) -> str:
    """The text, or the path, as it can be shown anywhere; a file's name need not be UTF-8, a screen's text must be."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def callers_level() -> int:
    """The `stacklevel` at which a warning stands at the line of whoever called the course."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
        frame, level = frame.f_back, level + 1
    return level


def how_to_install(extra: str = "cpu") -> str:
    """What brings the course's packages. It is never `pip install` with the course's name: an index may have another
    project of that name."""
    return f"In the course's folder run: make setup (or, in an environment of your own: pip install '.[{extra}]')"


class TLCourseError(Exception):
    """Anything that `tlcourse` refuses or cannot do. The command line prints its message without a traceback."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class UserInputError(TLCourseError, ValueError):
    """An argument cannot be used as it is: wrong shape, range, name or length."""


class PictureError(UserInputError):
    """A file cannot be read as a picture: damaged, cut short, too large, or no picture at all."""


class DamagedFile(TLCourseError):
    """A bundled or fetched file is not the one that was published: its SHA-256 differs."""


class DatasetUnavailable(TLCourseError):
    """A data set is not on this machine. The message says where it was looked for and which command brings it."""


class WeightsUnavailable(TLCourseError):
    """Pretrained weights are not on this machine, or TensorFlow is not. The message says what to run."""


class GuardError(TLCourseError, AssertionError):
    """Something is not as a guard asserts it. The message says what, why it matters and what to do."""
