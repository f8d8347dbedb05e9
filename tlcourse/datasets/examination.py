"""What to know of a data set of pictures before anything is trained on it."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserInputError, printable
from ..features.pictures import Pictures
from ..validation import shown
from .core import Dataset
from .same_pictures import Collection, as_collections, in_two

FEW = 10  # pictures of a class to learn from; with fewer its recall is mostly luck
UNEVEN = 3  # times as many pictures of one class as of another: accuracy then hides what happens to the rarer
LOW_CONTRAST = 16  # grey levels of 256: with less, a picture is almost of one colour
LISTED = 5  # names that a line holds


@dataclass(frozen=True)
class Examination:
    """What `examine` found. Shown as a table.

    Attributes:
        name: of the data set.
        findings: (subject, sentence, whether it needs a look) of each thing that was looked at.
        most_frequent: the class of which the train split has most pictures.
        baseline: share of the test pictures that always answering so would get right, in [0, 1]; NaN without any.
    """

    name: str
    findings: list[tuple[str, str, bool]] = field(repr=False)
    most_frequent: str
    baseline: float

    def __repr__(self) -> str:
        rows = [
            f"  {'look' if look else 'ok':6}{subject:14}{printable(sentence)}"
            for subject, sentence, look in self.findings
        ]
        return "\n".join([f"{printable(self.name)}:", *rows])


def examine(dataset: Dataset) -> Examination:
    """Look at the splits, at what was left out, how the classes are filled, at copies, and at what guessing gives.

    A line is added for pictures of almost one colour, and one for files of 16 bits whose levels need fewer.

    Args:
        dataset: of pictures, from `from_folder` or `load_dataset`.

    Raises:
        UserInputError: the data set holds sentences.
    """
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {shown(dataset)}; expected a data set of from_folder or load_dataset."
        )
    if dataset.train.kind != "pictures":
        raise UserInputError(
            f"{dataset.name} holds {dataset.train.kind}; examine looks at pictures."
        )
    counts = {
        split: np.bincount(part.labels, minlength=len(dataset.class_names))
        for split, part in dataset.splits.items()
    }
    place = int(counts["train"].argmax())
    test, collections = dataset.test.labels, _collections(dataset)
    baseline = float(np.mean(test == place)) if len(test) else float("nan")
    return Examination(
        dataset.name,
        [
            _about_splits(counts),
            _about_skipped(dataset.skipped),
            _about_few(counts["train"], dataset.class_names),
            _about_balance(np.sum(list(counts.values()), axis=0), dataset.class_names),
            _about_copies(collections),
            _about_guessing(dataset.class_names[place], baseline),
            *_about_contrast(collections),
            *_about_depth(dataset),
        ],
        dataset.class_names[place],
        baseline,
    )


def _about_splits(counts: dict[str, np.ndarray]) -> tuple[str, str, bool]:
    text = ", ".join(f"{split} {count.sum():,}" for split, count in counts.items())
    empty = [split for split, count in counts.items() if not count.sum()]
    if empty:
        text += f". Nothing is left for {' and '.join(empty)}: each class needs three different pictures or more"
    return "pictures", f"{text}.", bool(empty)


def _about_skipped(skipped: list[tuple[str, str]]) -> tuple[str, str, bool]:
    if not skipped:
        return "left out", "nothing.", False
    kinds = Counter(_kind(reason) for _, reason in skipped)
    which = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    files = f"{len(skipped)} files" if len(skipped) > 1 else "1 file"
    return "left out", f"{files} ({which}): see dataset.skipped.", True


def _kind(reason: str) -> str:
    """What sort of reason it is, of those that `from_folder` gives."""
    for words, kind in (
        ("a copy of", "copied"),
        ("stands under", "under two classes"),
        ("too few to show", "too small"),
        ("no picture by its name", "no pictures by name"),
        ("outside the class folders", "outside the class folders"),
    ):
        if words in reason:
            return kind
    return "unreadable"


def _about_few(learned: np.ndarray, names: list[str]) -> tuple[str, str, bool]:
    few = [
        f"{names[place]} {learned[place]}"
        for place in np.argsort(learned, kind="stable")
        if learned[place] < FEW
    ]
    if not few:
        return (
            "to learn from",
            f"{learned.min()} of the rarest class, {learned.max()} of the most frequent.",
            False,
        )
    return (
        "to learn from",
        f"fewer than {FEW} pictures of {_some(few)}: add some if you can.",
        True,
    )


def _about_balance(counts: np.ndarray, names: list[str]) -> tuple[str, str, bool]:
    most, least = int(counts.argmax()), int(counts.argmin())
    ratio = counts[most] / max(counts[least], 1)
    if counts[most] == counts[least]:
        return "balance", f"{counts[most]:,} of each class.", False
    text = f"{names[most]} {counts[most]:,}, {names[least]} {counts[least]:,}"
    if ratio < UNEVEN:
        return "balance", f"{text}.", False
    return (
        "balance",
        f"{text}, {ratio:.0f} times fewer: look at each class's recall, not at accuracy alone.",
        True,
    )


def _collections(dataset: Dataset) -> list[Collection]:
    filled = {
        name: split.images for name, split in dataset.splits.items() if len(split)
    }
    return as_collections(tuple(filled.values()), tuple(filled))


def _about_copies(collections: list[Collection]) -> tuple[str, str, bool]:
    pairs = [pair for pair, _, _ in in_two(collections)]
    if pairs:
        first = f"{pairs[0].first} of {pairs[0].first_split} = {pairs[0].second} of {pairs[0].second_split}"
        return "copies", f"{len(pairs)} in two splits, the first {first}.", True
    return (
        "copies",
        "no picture stands in two splits, resized, re-encoded or mirrored ones included.",
        False,
    )


def _about_contrast(collections: list[Collection]) -> list[tuple[str, str, bool]]:
    """A line where pictures are almost black, or almost of any one colour."""
    flat = [
        (split, row)
        for split in collections
        for row in np.flatnonzero(split.contrast < LOW_CONTRAST).tolist()
    ]
    if not flat:
        return []
    split, row = flat[0]
    first = f"{printable(str(split.label(row)))} of {split.name}"
    many = f"{len(flat):,} pictures are" if len(flat) > 1 else "1 picture is"
    return [
        (
            "contrast",
            f"{many} almost of one colour, the first {first}: were they read as they look?",
            True,
        )
    ]


def _about_depth(dataset: Dataset) -> list[tuple[str, str, bool]]:
    """A line where the levels of 16-bit files need fewer bits, and are scaled by those."""
    depths = [
        split.images.depth.bits
        for split in dataset.splits.values()
        if isinstance(split.images, Pictures)
    ]
    bits = next((depth for depth in depths if depth and depth < 16), None)
    if bits is None:
        return []
    highest = 2**bits - 1
    return [
        (
            "bit depth",
            f"files of 16 bits have no level above {highest:,}: taken as {bits}-bit.",
            True,
        )
    ]


def _about_guessing(name: str, baseline: float) -> tuple[str, str, bool]:
    if np.isnan(baseline):
        return "guessing", "cannot be judged: there are no test pictures.", True
    return (
        "guessing",
        f"always answering {name} is right for {baseline:.1%} of the test pictures.",
        False,
    )


def _some(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more classes" if more > 0 else "")
