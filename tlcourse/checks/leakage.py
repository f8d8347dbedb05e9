"""The same picture in two splits, and a test set that is asked more than once."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import joblib
import numpy as np

from ..datasets.core import Split
from ..datasets.same_pictures import Pair, as_collections, find_pairs
from ..errors import CheckError, UserInputError, printable
from ..features.pictures import Images
from ..progress import in_notebook
from ..training.evaluation import ConfusionMatrix
from ..validation import shown

# What identifies a split → how many classifiers it has tested in this session.
_tested: dict[str, int] = {}


class LeakageError(CheckError):
    """The same picture is in two splits: `pairs`, a list of `Pair`."""

    def __init__(self, message: str, pairs: list[Pair]) -> None:
        super().__init__(message)
        self.pairs = pairs


def assert_disjoint(
    first: Images, second: Images, names: Sequence[str] = (), show: int = 4
) -> None:
    """Assert that no picture is in two splits, nor a copy of it.

    A copy may be resized, re-encoded, brightened or mirrored. Candidates are found by a
    perceptual hash (`imagehash.phash`, 256 bits), and kept if their small grey versions
    differ hardly more than a picture differs from itself after JPEG at quality 50.

    Parameters
    ----------
    first, second : images
        Of each split, in whatever `extract_features` takes.
    names : list of str
        Of the splits, for the message; without: "the first", "the second".
    show : int
        How many pairs the message lists and the figure shows. In a notebook the figure
        is shown with the error.

    Raises
    ------
    LeakageError
        With the pairs.

    Examples
    --------
    >>> import tlcourse as tl
    >>> kanji = tl.load_dataset("kanji")
    >>> tl.checks.assert_disjoint(kanji.train.images[:50], kanji.test.images[:50])
    """
    matches = find_pairs(as_collections((first, second), tuple(names)))
    if not matches:
        return
    if in_notebook():  # a traceback cannot hold pictures
        from IPython.display import display

        from ..plots import pictures

        sides = [side for _, *both in matches[:show] for side in both]
        titles = [f"{split.name}\n{str(split.label(i))[-28:]}" for split, i in sides]
        images = [np.asarray(split.picture(index)) for split, index in sides]
        display(pictures(images, titles, columns=4 if len(matches) > 1 else 2))
    pairs = [pair for pair, _, _ in matches]
    lines = [
        f"{len(pairs)} pairs of the same picture are in two splits, so the accuracy on "
        "the test pictures is too high. Remove one of each pair, or split again so that "
        "all pictures of one thing are in one split. The first pairs:"
    ]
    for pair in pairs[:show]:
        first = printable(f"{pair.first_split}: {pair.first}")
        second = printable(f"{pair.second_split}: {pair.second}")
        lines.append(f"  {first}  =  {second}{' (mirrored)' * pair.mirrored}")
    if len(pairs) > show:
        lines.append(f"  … and {len(pairs) - show} more, in error.pairs")
    raise LeakageError("\n".join(lines), pairs)


# --- sealed test sets ---


def seal(split: Split) -> "SealedSplit":
    """Seal a split, most often `dataset.test`, so that it tests a single classifier.

    The test set is for the end, validation is for choosing. Seal it where the data are
    loaded, in a cell of its own. The split itself stays as it is.

    Raises
    ------
    UserInputError
        It is no split.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.checks.seal(tl.load_dataset("digits").test).class_names[:3]
    ['0', '1', '2']
    """
    if not isinstance(split, Split):
        raise UserInputError(
            f"{shown(split)} is no split; expected one, such as dataset.test."
        )
    return SealedSplit(split)


class SealedSplit:
    """A split that tests a single classifier. Made by `seal`.

    It has the split's `class_names` and `kind` ("pictures" or "sentences").
    """

    def __init__(self, split: Split) -> None:
        inputs = getattr(split.inputs, "paths", split.inputs)
        self._split, self._key = split, joblib.hash(inputs)
        self._answers: np.ndarray | None = None
        self.class_names, self.kind = split.class_names, split.kind

    def __len__(self) -> int:
        return len(self._split)

    def __repr__(self) -> str:
        state = "sealed" if self._answers is None else "opened"
        what = f"{len(self):,} {self.kind} of {len(self.class_names)} classes"
        times = f"; classifiers tested in this session: {self.tested}"
        return f"<{state} split: {what}{times if self.tested else ''}>"

    @property
    def tested(self) -> int:
        """How many classifiers these rows have tested in this session."""
        return _tested.get(self._key, 0)

    def open(self, classifier: Any) -> ConfusionMatrix:
        """Break the seal: test this classifier, and no other one.

        One that gives the same answers is the same, as when a cell is run again.

        Parameters
        ----------
        classifier : object or callable
            Something with `predict`, or a function: pictures (or sentences) → predicted
            labels, int (n,). Of a linear probe:
            `lambda images: probe.predict(model.extract_features(images))`.

        Returns
        -------
        ConfusionMatrix

        Raises
        ------
        CheckError
            Another classifier was tested before.
        """
        predict: Callable = getattr(classifier, "predict", classifier)
        if not callable(predict):
            raise UserInputError(
                f"{shown(classifier)} has no predict, and is no function."
            )
        answers = np.asarray(predict(self._split.inputs))
        matrix = ConfusionMatrix.of(self._split.labels, answers, self.class_names)
        if self._answers is None:
            self._answers, _tested[self._key] = answers, self.tested + 1
        elif not np.array_equal(answers, self._answers):
            differ = int(np.sum(answers != self._answers))
            raise CheckError(
                f"These {self.kind} have tested a classifier already, and this is "
                f"another one: {differ} of {len(self)} answers differ. The first result "
                "is what to report; choose by validation. If it was a mistake, begin "
                "again with tl.checks.seal(dataset.test), and report how many "
                f"classifiers were tested: so far {self.tested}."
            )
        return matrix

    def __getattr__(self, name: str) -> NoReturn:
        """Whatever else a split has is sealed."""
        if name.startswith("_") or not hasattr(self._split, name):
            raise AttributeError(f"A sealed split has no {name!r}.")
        raise CheckError(
            f"This split is sealed, so its .{name} cannot be read. It tests one "
            "classifier, at the end: .open(classifier). For everything before, take "
            "dataset.train and dataset.validation."
        )
