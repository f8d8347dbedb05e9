"""What every data set is made of: three splits with labels, and a card."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import validation
from ..cards import Card, read_card
from ..errors import UserInputError, printable
from ..features.pictures import Pictures


@dataclass(repr=False, eq=False)
class Split:
    """One part of a data set: pictures, sentences or recordings, with labels.

    Parameters
    ----------
    inputs : ndarray or Pictures
        uint8 (n, height, width) or (n, height, width, 3); `Pictures`, files that are
        decoded when they are used; sentences, or paths of recordings, object (n,).
    labels : ndarray of shape (n,)
        int64, positions in `class_names`.
    class_names : list of str
        The classes in the order of the labels.
    weights : ndarray of shape (n,), optional
        float32 sample weights.
    groups : ndarray of shape (n,), optional
        Text: what each row comes from, such as its font or the kind of solar cell.
    ratings : ndarray of shape (n,), optional
        float32, the mean rating that a label was made of.
    kind : str
        What each row is: "pictures", "sentences" or "recordings"; by default as the
        inputs look.

    Raises
    ------
    UserInputError
        Inputs and labels differ in number.

    Examples
    --------
    >>> import tlcourse as tl
    >>> train = tl.load_dataset("digits").train
    >>> train
    <split: 5,000 pictures of 10 classes>
    >>> train.with_classes(["3", "8"]).sample(per_class=20).images.shape
    (40, 28, 28)
    """

    inputs: np.ndarray | Pictures
    labels: np.ndarray
    class_names: list[str]
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    ratings: np.ndarray | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        self.kind = self.kind or _kind_of(self.inputs)
        self.labels = np.asarray(self.labels, dtype=np.int64)
        if len(self.inputs) != len(self.labels):
            raise UserInputError(
                f"{len(self.inputs)} {self.kind} came with {len(self.labels)} labels; "
                "each needs one."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        classes = len(self.class_names)
        return f"<split: {len(self):,} {self.kind} of {classes} classes>"

    @property
    def images(self) -> np.ndarray | Pictures:
        """The inputs of a split of pictures; UserInputError if it holds others."""
        return self._inputs_of("pictures")

    @property
    def sentences(self) -> np.ndarray:
        """The inputs of a split of sentences; UserInputError if it holds others."""
        return self._inputs_of("sentences")

    @property
    def recordings(self) -> np.ndarray:
        """The paths of a split of recordings; UserInputError if it holds others."""
        return self._inputs_of("recordings")

    def _inputs_of(self, kind: str) -> Any:
        if self.kind != kind:
            own = "images" if self.kind == "pictures" else self.kind
            raise UserInputError(f"This split holds {self.kind}: ask for its .{own}.")
        return self.inputs

    @property
    def label_names(self) -> np.ndarray:
        """The labels as text, shape (n,)."""
        return np.asarray(self.class_names)[self.labels]

    def picture_name(self, row: int) -> str:
        """Class folder and file name, or the row; no absolute path."""
        if not isinstance(self.images, Pictures):
            return f"picture {row}"
        return printable("/".join(self.images.paths[row].parts[-2:]))

    def select(self, rows: np.ndarray | Sequence[int] | slice) -> "Split":
        """The split with only these rows: positions, a slice or a mask of bool."""
        try:
            positions = np.arange(len(self))[rows]
        except (IndexError, TypeError, ValueError, OverflowError):
            positions = np.array(0)
        if positions.ndim != 1:
            raise UserInputError(
                f"rows is {validation.shown(rows)}; expected positions from 0 to "
                f"{len(self) - 1}, a slice, or a mask of {len(self)} bools."
            )
        columns = {
            name: values[positions]
            for name, values in vars(self).items()
            if name not in ("class_names", "kind") and values is not None
        }
        return replace(self, **columns)

    def with_classes(self, class_names: Sequence[str]) -> "Split":
        """The rows of these classes; labels are then positions in `class_names`."""
        names, known = validation.class_names(class_names), self.class_names
        for name in names:
            validation.one_of("class_names", name, known)
        new_labels = np.full(len(known), -1)
        new_labels[[known.index(name) for name in names]] = np.arange(len(names))
        part = self.select(new_labels[self.labels] >= 0)
        return replace(part, labels=new_labels[part.labels], class_names=names)

    def sample(self, per_class: int, seed: int = 0) -> "Split":
        """At most `per_class` random rows of each class, reproducible by the seed."""
        return self.select(self.sample_rows(per_class, seed))

    def sample_rows(self, per_class: int, seed: int = 0) -> np.ndarray:
        """The rows that `sample` takes: int64, ascending; to index features with."""
        per_class = validation.whole_number("per_class", per_class, 1)
        order = np.random.default_rng(validation.seed(seed)).permutation(len(self))
        chosen = [
            order[self.labels[order] == label][:per_class]
            for label in range(len(self.class_names))
        ]
        return np.sort(np.concatenate(chosen))


def _kind_of(inputs: np.ndarray | Pictures) -> str:
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "OU":
        return "pictures"
    is_path = len(inputs) and isinstance(inputs[0], Path)
    return "recordings" if is_path else "sentences"


@dataclass(eq=False)
class Dataset:
    """A data set whose splits share no picture and no sentence.

    Parameters
    ----------
    name : str
        As given to `load_dataset`, or the folder's name.
    train, validation, test : Split
    class_names : list of str
        The classes in the order of the labels.
    card : Card
        Source, licence and limits: ``print(dataset.card)``.
    skipped : list of (str, str)
        Files that were left out, each with the reason.

    Examples
    --------
    >>> import tlcourse as tl
    >>> solar = tl.load_dataset("solar")
    >>> len(solar.train_and_validation), len(solar.test)
    (1968, 656)
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: list[str]
    card: Card
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(part):,}" for name, part in self.splits.items())
        classes = f"{self.train.kind} of {len(self.class_names)} classes"
        skipped = f"; {len(self.skipped)} files skipped, see .skipped"
        skipped = skipped if self.skipped else ""
        return f"<{printable(self.name)}: {sizes} {classes}{skipped}>"

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def bits(self) -> int | None:
        """The bit depth of 16-bit pictures that do not state theirs, if any."""
        images = [split.inputs for split in self.splits.values()]
        depths = [each.depth.bits for each in images if isinstance(each, Pictures)]
        return max(filter(None, depths), default=None)

    @property
    def train_and_validation(self) -> Split:
        """Both splits as one, for methods that cross-validate."""
        columns: dict[str, Any] = {}
        for name, first in vars(self.train).items():
            second = getattr(self.validation, name)
            if name in ("class_names", "kind"):
                columns[name] = first
            elif isinstance(first, Pictures):
                columns[name] = first + second
            elif first is not None and second is not None:
                columns[name] = np.concatenate([first, second])
        return Split(**columns)

    def with_classes(self, class_names: Sequence[str]) -> "Dataset":
        """The data set with these classes alone, as `Split.with_classes`."""
        splits: dict[str, Any] = {
            name: split.with_classes(class_names) for name, split in self.splits.items()
        }
        return replace(self, **splits, class_names=splits["train"].class_names)


def from_arrays(
    name: str,
    split: np.ndarray,
    inputs: np.ndarray | Pictures,
    labels: np.ndarray,
    class_names: Iterable,
    **columns: Any,
) -> Dataset:
    """Cut columns of a `Split` into a bundled data set: 0 train, 1 validation, 2 test."""
    names = [str(name) for name in class_names]
    whole = Split(inputs, labels, names, **columns)
    train, validation, test = (whole.select(split == part) for part in range(3))
    return Dataset(name, train, validation, test, names, read_card(name))
