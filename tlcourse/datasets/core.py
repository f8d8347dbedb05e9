"""What every data set is made of: three splits with pictures or sentences, labels and names, and a card."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import validation
from ..errors import UserInputError, printable
from ..features.pictures import Pictures
from ..files import Card

if TYPE_CHECKING:
    pass


@dataclass(repr=False)
class Split:
    """One part of a data set: pictures or sentences, each with its label.

    Attributes:
        inputs: what a network is given, pictures or sentences; `images` and `sentences` are this by its own name.
        labels: int64 (n,), positions in `class_names`.
        class_names: the classes, in the order of the labels.
        weights: float32 (n,), how much each label counts, or None where all count the same.
        groups: text (n,), who or what each row comes from (the writer's hand, the kind of cell, the review), or None.
        ratings: float32 (n,), the number that people gave and the label was made of, or None.
    """

    inputs: np.ndarray | Pictures
    labels: np.ndarray
    class_names: list[str]
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    ratings: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.labels = np.asarray(self.labels, dtype=np.int64)
        if len(self.inputs) != len(self.labels):
            raise UserInputError(
                f"{len(self.inputs)} {self.kind} came with {len(self.labels)} labels; each needs one."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<split: {len(self):,} {self.kind} of {len(self.class_names)} classes>"

    @property
    def kind(self) -> str:
        """What the rows are: "pictures" or "sentences"."""
        text = isinstance(self.inputs, np.ndarray) and self.inputs.dtype.kind in "OU"
        return "sentences" if text else "pictures"

    @property
    def images(self) -> np.ndarray | Pictures:
        """uint8 array (n, height, width) or (n, height, width, 3), or `Pictures` (files, decoded when asked for).

        Raises:
            UserInputError: the split holds sentences.
        """
        return self._inputs_of("pictures")

    @property
    def sentences(self) -> np.ndarray:
        """The texts as an array of `str`, object (n,).

        Raises:
            UserInputError: the split holds pictures.
        """
        return self._inputs_of("sentences")

    def _inputs_of(self, kind: str) -> "Any":
        if self.kind != kind:
            theirs = {"pictures": "images", "sentences": "sentences"}[self.kind]
            raise UserInputError(
                f"This split holds {self.kind}, not {kind}: ask for its .{theirs}."
            )
        return self.inputs

    @property
    def label_names(self) -> np.ndarray:
        """The labels as text, (n,)."""
        return np.asarray(self.class_names)[self.labels]

    def select(self, rows: np.ndarray | Sequence[int] | slice) -> "Split":
        """The split with only these rows: positions, a slice or a boolean mask, each with all that belongs to it."""
        try:
            rows = np.arange(len(self))[rows]
        except (IndexError, TypeError, ValueError, OverflowError) as error:
            raise UserInputError(
                f"rows is {validation.shown(rows)}; expected positions from 0 to {len(self) - 1}, a slice, or a mask "
                f"of {len(self)} bools ({error})."
            ) from error
        if np.ndim(rows) != 1:
            raise UserInputError(
                f"rows is {validation.shown(rows)}; expected a list of positions, a slice or a mask."
            )
        part = lambda values: None if values is None else values[rows]  # noqa: E731
        return Split(
            self.inputs[rows],
            self.labels[rows],
            self.class_names,
            part(self.weights),
            part(self.groups),
            part(self.ratings),
        )

    def with_classes(self, class_names: Sequence[str]) -> "Split":
        """The rows of these classes alone; labels are positions in `class_names` from then on.

        Raises:
            UserInputError: a class that there is not, or one named twice.
        """
        names = [
            str(name)
            if isinstance(name, str | float | int | np.generic)
            else validation.shown(name)
            for name in validation.elements(class_names)
        ]
        unknown = [name for name in names if name not in self.class_names]
        if (
            isinstance(class_names, str)
            or unknown
            or not names
            or len(set(names)) < len(names)
        ):
            raise UserInputError(
                f"The classes asked for are {validation.shown(class_names)}; expected a list of names out of "
                f"{', '.join(self.class_names)}, each once."
            )
        place = np.full(len(self.class_names), -1)
        place[[self.class_names.index(name) for name in names]] = np.arange(len(names))
        chosen = self.select(place[self.labels] >= 0)
        return replace(chosen, labels=place[chosen.labels], class_names=names)

    def sample(self, per_class: int, seed: int = 0) -> "Split":
        """A random part with at most `per_class` rows of each class; the same seed gives the same part.

        Raises:
            UserInputError: `per_class` is under 1.
        """
        return self.select(self.sample_rows(per_class, seed))

    def sample_rows(self, per_class: int, seed: int = 0) -> np.ndarray:
        """The rows that `sample` takes, int64 in ascending order: to take the same rows out of features.

        Raises:
            UserInputError: `per_class` is under 1.
        """
        per_class, seed = (
            validation.whole_number("per_class", per_class, 1),
            validation.seed(seed),
        )
        shuffled = np.random.default_rng(seed).permutation(len(self))
        chosen = [
            shuffled[self.labels[shuffled] == label][:per_class]
            for label in range(len(self.class_names))
        ]
        return np.sort(np.concatenate(chosen))


@dataclass
class Dataset:
    """A data set: `train`, `validation` and `test` are `Split`s that share no picture and no sentence.

    Attributes:
        name: as given to `load_dataset`, of reviews with their domain, or the folder's name.
        class_names: the classes, in the order of the labels.
        card: what is known of it: source, licence, limits. `print(dataset.card)`.
        skipped: files that were left out, each with the reason.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: list[str]
    card: Card
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def train_and_validation(self) -> Split:
        """Both together: for methods that choose by cross-validation and need no validation split of their own."""
        return _joined(self.train, self.validation)

    def with_classes(self, class_names: Sequence[str]) -> "Dataset":
        """The data set with these classes alone; labels are positions in `class_names` from then on.

        Raises:
            UserInputError: a class that there is not, or one named twice.
        """
        train, validation, test = (
            split.with_classes(class_names) for split in self.splits.values()
        )
        return Dataset(
            self.name,
            train,
            validation,
            test,
            train.class_names,
            self.card,
            self.skipped,
        )

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name} {len(split):,}" for name, split in self.splits.items()
        )
        skipped = (
            f"; {len(self.skipped)} files skipped, see .skipped" if self.skipped else ""
        )
        return f"<{printable(self.name)}: {counts} {self.train.kind} of {len(self.class_names)} classes{skipped}>"


def _joined(first: Split, second: Split) -> Split:
    both = lambda a, b: None if a is None or b is None else np.concatenate([a, b])  # noqa: E731
    inputs: np.ndarray | Pictures
    if isinstance(first.inputs, Pictures) and isinstance(second.inputs, Pictures):
        inputs = first.inputs + second.inputs
    else:
        inputs = np.concatenate([first.inputs, second.inputs])
    return Split(
        inputs,
        np.concatenate([first.labels, second.labels]),
        first.class_names,
        both(first.weights, second.weights),
        both(first.groups, second.groups),
        both(first.ratings, second.ratings),
    )


def from_arrays(
    card: Card,
    inputs: np.ndarray | Pictures,
    labels: np.ndarray,
    split: np.ndarray,
    class_names: Sequence[str],
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    ratings: np.ndarray | None = None,
) -> Dataset:
    """Cut whole arrays into a `Dataset` by `split`, an array (n,) of 0 train, 1 validation, 2 test."""
    class_names = [str(name) for name in class_names]
    whole = Split(inputs, labels, class_names, weights, groups, ratings)
    train, validation, test = (whole.select(split == part) for part in range(3))
    return Dataset(card.name, train, validation, test, class_names, card)
