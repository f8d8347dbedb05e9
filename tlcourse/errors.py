"""The errors a user can meet. Each message is a sentence: what was wrong, what was expected, what to do."""

import json
import re
import sys

# C0 and C1 control characters, ends of lines and paragraphs, marks and changes of the direction of writing, characters
# without width (but those that join letters and emoji), and halves of surrogate pairs, which stand for bytes that are
# not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def printable(text: object, lines: bool = False) -> str:
    """The text, or the path, as it can be shown anywhere: what would move a terminal's cursor or hide text is escaped.

    Parameters
    ----------
    text : object
        Anything with a `str`.
    lines : bool
        Keep line feeds and tabs: for a text of several lines, not for a name.

    Returns
    -------
    str
        The text with escapes as JSON writes them, such as `\\u001b`, so that JSON stays the same value.
    """
    return _UNPRINTABLE.sub(
        lambda sign: sign[0] if lines and sign[0] in "\n\t" else json.dumps(sign[0])[1:-1], str(text)
    )


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
        super().__init__(printable(message, lines=True))


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
