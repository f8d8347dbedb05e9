"""How anyone's own pictures are divided into splits: by identity, so that no picture has a copy on the other side."""

from collections import Counter, defaultdict

from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures
from .cleaning import Labelled
from .same_pictures import same_pictures

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def with_all_splits(found: dict[str, Labelled], depth: BitDepth) -> dict[str, Labelled]:
    """Cut the splits that are missing out of train, class by class.

    Args:
        found: split → its pictures ordered by content; or all of them under "all".
        depth: the bit depth of all of them.
    """
    if "all" in found:
        source, wanted, found = found["all"], SHARES, {}
    else:
        source = found["train"]
        wanted = {
            split: share
            for split, share in SHARES.items()
            if split == "train" or split not in found
        }
    if len(wanted) == 1 or not source:
        return {**dict.fromkeys(wanted, source), **found}
    return {**found, **_divided(source, wanted, depth)}


def _divided(
    source: Labelled, wanted: dict[str, float], depth: BitDepth
) -> dict[str, Labelled]:
    """The pictures by split, in these shares of each class."""
    things = same_pictures(Pictures([file for file, _ in source], depth=depth)).tolist()
    things_of: dict[str, list[int]] = defaultdict(list)
    for (_, name), thing in zip(source, things, strict=True):
        things_of[name].append(thing)
    split_of: dict[
        int, str
    ] = {}  # of each thing that is shown, so also of its picture in another class
    for name in sorted(things_of):
        _divide(things_of[name], wanted, split_of)
    return {
        split: [
            entry
            for entry, thing in zip(source, things, strict=True)
            if split_of[thing] == split
        ]
        for split in wanted
    }


def _divide(
    things: list[int], wanted: dict[str, float], split_of: dict[int, str]
) -> None:
    """Give each thing that one class shows its split: the last ones test, those before validation, the rest train."""
    pictures = Counter(things)
    waiting = [thing for thing in pictures if thing not in split_of]
    sizes = _sizes(len(things), wanted)
    first, *others = wanted
    for split in reversed(others):
        size = sum(
            count for thing, count in pictures.items() if split_of.get(thing) == split
        )
        while size < sizes[split] and len(waiting) > 1:
            thing = waiting.pop()
            split_of[thing], size = split, size + pictures[thing]
    split_of.update(dict.fromkeys(waiting, first))


def _sizes(count: int, wanted: dict[str, float]) -> dict[str, int]:
    """How many of so many pictures belong to each split; at least one to each, while there are enough."""
    first, *others = wanted
    sizes = {
        split: max(round(count * wanted[split] / sum(wanted.values())), 1)
        for split in others
    }
    while sum(sizes.values()) >= count and any(sizes.values()):
        sizes[max(sizes, key=sizes.__getitem__)] -= 1
    return {first: count - sum(sizes.values()), **sizes}
