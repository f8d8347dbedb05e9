"""Test pictures that judge one classifier: whoever asks them about several and takes the best has chosen by them."""

import hashlib
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..datasets.core import Split
from ..errors import GuardError, UserInputError
from ..training.evaluation import ConfusionMatrix

_judged: dict[
    str, int
] = {}  # what tells a split from others → how many classifiers it has judged in this session


def seal(split: Split) -> "SealedSplit":
    """Seal a split, so that it judges a single classifier: test pictures are for the end, validation is for choosing.

    Seal it where the data are loaded, in a cell of its own. The split itself stays as it is.

    Args:
        split: most often `dataset.test`.

    Raises:
        UserInputError: something else was given.
    """
    if not isinstance(split, Split):
        raise UserInputError(
            f"A {type(split).__name__} was given; expected a split, such as dataset.test."
        )
    return SealedSplit(split)


class SealedSplit:
    """A split that judges a single classifier. Made by `seal`.

    Attributes:
        class_names: the classes, in the order of the labels.
        kind: "pictures" or "sentences".
        looks: how many classifiers these very pictures have judged in this session, under this seal or an earlier one.
    """

    def __init__(self, split: Split) -> None:
        self._split, self._key = split, _key(split)
        self._answers: np.ndarray | None = None
        self.class_names, self.kind = split.class_names, split.kind

    def __len__(self) -> int:
        return len(self._split)

    def __repr__(self) -> str:
        times = (
            "judged 1 classifier"
            if self.looks == 1
            else f"judged {self.looks} classifiers"
        )
        state = "sealed" if self._answers is None else "opened"
        history = f"; they have {times} in this session" if self.looks else ""
        return f"<{state} split: {len(self):,} {self.kind} of {len(self.class_names)} classes{history}>"

    @property
    def looks(self) -> int:
        return _judged.get(self._key, 0)

    def open(self, classifier: "Any") -> ConfusionMatrix:
        """Break the seal: let these pictures judge this classifier, and no other one.

        The same classifier may be judged again, as when a cell is run again: what gives the same answers is the same.

        Args:
            classifier: what `tl.fine_tune` gives, or anything else with a `predict`, or a function: pictures (or
                sentences) → predicted labels, (n,), positions in `class_names` or names. Of a linear probe:
                `lambda images: probe.predict(model.extract_features(images))`.

        Returns:
            How often each class was taken for which; `.accuracy` is the share that is right.

        Raises:
            GuardError: another classifier was judged before.
            UserInputError: it gives no labels.
        """
        answers = _answers_of(classifier, self._split)
        if self._answers is not None and not np.array_equal(answers, self._answers):
            differ = int(np.sum(answers != self._answers))
            raise GuardError(
                f"These {self.kind} have judged a classifier already, and this is another one: {differ} of "
                f"{len(self)} answers differ. What they said of the first stands, and is what to report. Whoever "
                "changes something, looks again and keeps the better one chooses by luck, and the result is too good "
                "by as much: choose by validation. If the first look was a mistake, begin again with "
                "tl.guards.seal(dataset.test), and report how many classifiers these "
                f"{self.kind} have judged: so far {self.looks}."
            )
        found = ConfusionMatrix.of(self._split.labels, answers, self.class_names)
        if self._answers is None:
            self._answers = answers
            _judged[self._key] = self.looks + 1
        return found

    def __getattr__(self, name: str) -> "NoReturn":
        """Whatever else a split has is sealed."""
        if name.startswith("_") or not (
            hasattr(Split, name) or name in Split.__dataclass_fields__
        ):
            raise AttributeError(
                f"A sealed split has no {name!r}. It has: open, class_names, kind, looks."
            )
        raise GuardError(
            f"This split is sealed, so its .{name} cannot be had. It judges one classifier, at the end: "
            ".open(classifier). For everything before there are dataset.train and dataset.validation."
        )


def _key(split: Split) -> str:
    """What tells these rows from others: their labels, and their paths or contents."""
    inputs = getattr(split.inputs, "paths", split.inputs)
    content = (
        inputs.tobytes()
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind != "O"
        else str(list(inputs)).encode()
    )
    return hashlib.sha256(split.labels.tobytes() + content).hexdigest()


def _answers_of(classifier: "Any", split: Split) -> np.ndarray:
    """Predicted positions in `class_names`, int64 (n,)."""
    predict: Callable = getattr(classifier, "predict", classifier)
    if not callable(predict):
        raise UserInputError(
            f"A {type(classifier).__name__} was given; expected something with predict, or a function."
        )
    answers = np.asarray(predict(split.inputs))
    if answers.dtype.kind in "OU":
        places = {name: place for place, name in enumerate(split.class_names)}
        answers = np.array(
            [places.get(str(answer), -1) for answer in answers.ravel()]
        ).reshape(answers.shape)
    if answers.shape != split.labels.shape or answers.dtype.kind not in "uib":
        raise UserInputError(
            f"The classifier gave an array of shape {answers.shape} and type {answers.dtype} for {len(split)} "
            f"{split.kind}; expected one label each. Probabilities become labels by .argmax(axis=1)."
        )
    return answers.astype(np.int64)
