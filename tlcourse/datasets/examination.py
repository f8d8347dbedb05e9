"""What to know of a data set of pictures before anything is trained on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserInputError, printable
from ..features.pictures import Pictures
from ..validation import shown
from .core import Dataset
from .same_pictures import Collection, as_collections, find_pairs, same_in

FEW = 10  # training pictures of a class; with fewer its recall is mostly chance
IMBALANCE = 3  # times as many pictures of one class as of another
LOW_CONTRAST = 16  # grey levels of 255
LISTED = 5  # classes in a line
Finding = tuple[str, str, bool]  # subject, sentence, whether it needs attention

_REASONS = {  # of `from_folder` → what they are called in a line
    "a copy of": "copied",
    "is in the classes": "in two classes",
    "no picture by its name": "no pictures by name",
    "outside the class folders": "outside the class folders",
    "are too few": "too small",
    "": "unreadable",
}


@dataclass(frozen=True)
class Examination:
    """The result of `examine`; shown as a table.

    `findings` are (subject, sentence, whether it needs attention), `baseline` is the
    accuracy of always answering `most_frequent` on the test set; NaN without one.
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
    if not isinstance(dataset, Dataset) or dataset.train.kind != "pictures":
        raise UserInputError(
            f"dataset is {shown(dataset)}; expected one of pictures, from from_folder "
            "or load_dataset."
        )
    names, test = dataset.class_names, dataset.test
    majority = np.bincount(dataset.train.labels, minlength=len(names)).argmax()
    baseline, text = float("nan"), "unknown: there are no test pictures."
    if len(test):
        baseline = float(np.mean(test.labels == majority))
        always = f"always answering {names[majority]} is right for {baseline:.1%}"
        text = f"{always} of the test pictures."
    findings = [
        *_about_classes(dataset),
        *_about_pictures(dataset),
        ("baseline", text, not len(test)),
    ]
    return Examination(dataset.name, findings, names[majority], baseline)


def _about_classes(dataset: Dataset) -> list[Finding]:
    names, skipped = dataset.class_names, dataset.skipped
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    sentence = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    is_empty = not all(sizes.values())
    if is_empty:
        sentence += ". Each class needs three different pictures or more"

    kinds = Counter(
        next(kind for words, kind in _REASONS.items() if words in why)
        for _, why in skipped
    )
    which = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    left_out = (
        f"{len(skipped)} ({which}): see dataset.skipped."
        if which
        else "every file was used."
    )

    counts = [
        np.bincount(split.labels, minlength=len(names))
        for split in dataset.splits.values()
    ]
    train, total = counts[0], np.sum(counts, axis=0)
    rarest = np.argsort(train, kind="stable")[:LISTED]
    few = [f"{names[label]} {train[label]}" for label in rarest if train[label] < FEW]
    training_set = (
        f"{train.min()} of the rarest class, {train.max()} of the most frequent."
    )
    if few:
        training_set = f"few pictures of {', '.join(few)}: add some if you can."

    most, least = total.argmax(), total.argmin()
    balance = f"{names[most]} {total[most]:,}, {names[least]} {total[least]:,}."
    ratio = total[most] / max(total[least], 1)
    if ratio >= IMBALANCE:
        balance += f" {ratio:.0f} times fewer: look at each class's recall, too."
    return [
        ("pictures", f"{sentence}.", is_empty),
        ("left out", left_out, bool(skipped)),
        ("training set", training_set, bool(few)),
        ("balance", balance, bool(ratio >= IMBALANCE)),
    ]


def _in_two_classes(
    dataset: Dataset, collections: Sequence[Collection]
) -> list[Finding]:
    """Copies that are resized or encoded anew; equal files are left out before."""
    labels = np.concatenate([part.labels for part in dataset.splits.values()])
    originals = same_in(collections)
    differing = np.flatnonzero(labels != labels[originals])
    if not len(differing):
        return []
    first = differing[0]
    one, other = (dataset.class_names[labels[row]] for row in (originals[first], first))
    text = f"{len(differing)} in two classes, the first in {one} and in {other}."
    return [("labels", text, True)]


def _about_pictures(dataset: Dataset) -> list[Finding]:
    filled = {name: part.images for name, part in dataset.splits.items() if len(part)}
    collections = as_collections(list(filled.values()), list(filled))
    pairs = [pair for pair, _, _ in find_pairs(collections)]
    text = "no picture is in two splits, not even resized or mirrored."
    if pairs:
        one = pairs[0]
        first = f"{one.first} of {one.first_split} = {one.second} of {one.second_split}"
        text = f"{len(pairs)} in two splits, the first {first}."
    findings = [("copies", text, bool(pairs))]
    findings += _in_two_classes(dataset, collections)
    flat = [
        f"{collection.label(int(row))} of {collection.name}"
        for collection in collections
        for row in np.flatnonzero(collection.contrast < LOW_CONTRAST)
    ]
    if flat:
        text = f"{len(flat):,} of nearly a single colour, the first {flat[0]}."
        findings.append(("contrast", text, True))
    images = dataset.train.images
    bits = images.depth.bits if isinstance(images, Pictures) else None
    if bits is not None and bits < 16:
        highest = f"no level above {2**bits - 1:,}"
        text = f"files of 16 bits have {highest}: taken as {bits}-bit."
        findings.append(("bit depth", text, True))
    return findings
