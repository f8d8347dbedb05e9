"""What to know of a data set of pictures before anything is trained on it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserInputError, printable
from ..features.pictures import Pictures
from ..validation import shown
from .core import Dataset
from .same_pictures import Collection, as_collections, find_pairs

FEW = 10  # training pictures of a class; with fewer its recall is mostly chance
IMBALANCE = 3  # times as many pictures of one class as of another
LOW_CONTRAST = 16  # grey levels of 255
LISTED = 5  # classes in a line
Finding = tuple[str, str, bool]  # subject, sentence, whether it needs attention

_REASONS = {  # of `from_folder` → what they are called in a line
    "a copy of": "copied",
    "is in the classes": "in two classes",
    "too few to show": "too small",
    "no picture by its name": "no pictures by name",
    "outside the class folders": "outside the class folders",
}


@dataclass(frozen=True)
class Examination:
    """What `examine` finds; shown as a table.

    Attributes
    ----------
    name : str
        Of the data set.
    findings : list of (str, str, bool)
        Subject, sentence, and whether it needs attention.
    most_frequent : str
        The class with most training pictures.
    baseline : float
        Accuracy of always answering so on the test set, in [0, 1]; NaN without one.
    """

    name: str
    findings: list[Finding] = field(repr=False)
    most_frequent: str
    baseline: float

    def __repr__(self) -> str:
        rows = [
            f"  {'look' if attention else 'ok':6}{subject:14}{printable(sentence)}"
            for subject, sentence, attention in self.findings
        ]
        return "\n".join([f"{printable(self.name)}:", *rows])


def examine(dataset: Dataset) -> Examination:
    """Examine splits, skipped files, classes, copies across splits, and the baseline.

    Lines are added for pictures of almost one colour, and for files of 16 bits whose
    levels need fewer.

    Parameters
    ----------
    dataset : Dataset
        Of pictures, from `from_folder` or `load_dataset`.

    Raises
    ------
    UserInputError
        It is no data set, or holds sentences.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.datasets.examine(tl.load_dataset("digits").with_classes(["3", "8"])).baseline
    0.5
    """
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {shown(dataset)}; expected one of from_folder or load_dataset."
        )
    if dataset.train.kind != "pictures":
        raise UserInputError(f"{dataset.name} holds sentences; expected pictures.")
    names = dataset.class_names
    counts = {
        split: np.bincount(part.labels, minlength=len(names))
        for split, part in dataset.splits.items()
    }
    majority = int(counts["train"].argmax())
    labels = dataset.test.labels
    baseline = float(np.mean(labels == majority)) if len(labels) else float("nan")
    filled = {name: part.images for name, part in dataset.splits.items() if len(part)}
    collections = as_collections(tuple(filled.values()), tuple(filled))
    findings = [
        _splits(counts),
        _skipped(dataset.skipped),
        _few(counts["train"], names),
        _balance(np.sum(list(counts.values()), axis=0), names),
        _copies(collections),
        _baseline(names[majority], baseline),
        *_contrast(collections),
        *_depth(dataset),
    ]
    return Examination(dataset.name, findings, names[majority], baseline)


def _splits(counts: dict[str, np.ndarray]) -> Finding:
    text = ", ".join(f"{split} {count.sum():,}" for split, count in counts.items())
    empty = [split for split, count in counts.items() if not count.sum()]
    cure = ". Each class needs three different pictures or more" if empty else ""
    return "pictures", f"{text}{cure}.", bool(empty)


def _skipped(skipped: list[tuple[str, str]]) -> Finding:
    kinds = Counter(
        next((kind for words, kind in _REASONS.items() if words in why), "unreadable")
        for _, why in skipped
    )
    which = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    text = f"{len(skipped)} ({which}): see dataset.skipped." if skipped else "nothing."
    return "left out", text, bool(skipped)


def _few(counts: np.ndarray, names: list[str]) -> Finding:
    rarest = np.argsort(counts, kind="stable")[:LISTED]
    few = [f"{names[label]} {counts[label]}" for label in rarest if counts[label] < FEW]
    text = f"{counts.min()} of the rarest class, {counts.max()} of the most frequent."
    if few:
        text = f"few pictures of {', '.join(few)}: add some if you can."
    return "training set", text, bool(few)


def _balance(counts: np.ndarray, names: list[str]) -> Finding:
    most, least = int(counts.argmax()), int(counts.argmin())
    text = f"{names[most]} {counts[most]:,}, {names[least]} {counts[least]:,}."
    ratio = counts[most] / max(counts[least], 1)
    if ratio >= IMBALANCE:
        text += f" {ratio:.0f} times fewer: look at each class's recall, too."
    return "balance", text, bool(ratio >= IMBALANCE)


def _copies(collections: list[Collection]) -> Finding:
    pairs = [pair for pair, _, _ in find_pairs(collections)]
    text = "no picture is in two splits, also not resized or mirrored."
    if pairs:
        one = pairs[0]
        first = f"{one.first} of {one.first_split} = {one.second} of {one.second_split}"
        text = f"{len(pairs)} in two splits, the first {first}."
    return "copies", text, bool(pairs)


def _baseline(name: str, baseline: float) -> Finding:
    if np.isnan(baseline):
        return "baseline", "unknown: there are no test pictures.", True
    text = f"always answering {name} is right for {baseline:.1%} of the test pictures."
    return "baseline", text, False


def _contrast(collections: list[Collection]) -> Iterator[Finding]:
    flat = [
        f"{collection.label(int(row))} of {collection.name}"
        for collection in collections
        for row in np.flatnonzero(collection.summaries.contrast < LOW_CONTRAST)
    ]
    if flat:
        text = f"{len(flat):,} almost of one colour, the first {flat[0]}."
        yield "contrast", text, True


def _depth(dataset: Dataset) -> Iterator[Finding]:
    images = dataset.train.images
    bits = images.depth.bits if isinstance(images, Pictures) else None
    if bits is not None and bits < 16:
        highest = f"no level above {2**bits - 1:,}"
        text = f"files of 16 bits have {highest}: taken as {bits}-bit."
        yield "bit depth", text, True
