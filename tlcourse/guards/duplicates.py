"""The same picture in two splits: said, and shown side by side."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.same_pictures import Collection, Pair, as_collections, find_pairs
from ..errors import GuardError, printable
from ..progress import in_notebook

if TYPE_CHECKING:
    from ..features.inputs import Images
    from ..plots.figure import Figure


class LeakageError(GuardError):
    """The same picture stands in two splits.

    Attributes:
        pairs: list of `Pair`.
        figure: function without arguments that shows the first pairs side by side.
    """

    def __init__(self, message: str, pairs: "list[Pair]", figure: Callable) -> None:
        super().__init__(message)
        self.pairs, self.figure = pairs, figure


def assert_disjoint(
    first: "Images",
    second: "Images",
    *more: "Images",
    names: Sequence[str] = (),
    show: int = 4,
) -> None:
    """Assert that no picture stands in two splits, nor a copy that was resized, re-encoded, brightened or mirrored.

    Candidates are found by a perceptual hash (`imagehash.phash`, 256 bits), and kept if their small grey versions
    differ hardly more than a picture differs from itself after JPEG at quality 50: two solar cells that look alike
    are two. Only the hashes are kept in memory; candidates are read again.

    Args:
        first, second, more: the pictures of each split, in whatever `extract_features` takes. (Of a
            `tf.data.Dataset`, which cannot be read in the same order again, small grey versions are kept.)
        names: of the splits, for the message; None: "the first", "the second", …
        show: how many pairs the message lists and the figure shows. In a notebook the figure is shown with the error.

    Raises:
        LeakageError: with the pairs, and the first of them side by side.
        UserInputError, PictureError: as `extract_features`.
    """
    splits = as_collections((first, second, *more), tuple(names))
    found = find_pairs(splits)
    if not found:
        return
    figure = partial(_figure, found[:show])
    _display(figure)
    raise LeakageError(
        _about_leak(splits, found, show), [pair for pair, _, _ in found], figure
    )


def _about_leak(splits: list[Collection], found: list[tuple], show: int) -> str:
    pairs = [pair for pair, _, _ in found]
    lines = [
        printable(
            f"  {pair.first_split}: {pair.first}  =  {pair.second_split}: {pair.second}"
        )
        + " (mirrored)" * pair.mirrored
        for pair in pairs[:show]
    ]
    more = (
        [f"  … and {len(pairs) - show} more, in error.pairs"]
        if len(pairs) > show
        else []
    )
    sizes = ", ".join(f"{split.name} ({len(split)})" for split in splits)
    return "\n".join(
        [
            f"{len(pairs)} pairs of the same picture stand in two splits of {sizes}. A picture that was seen in "
            "training is remembered, not recognised: the accuracy on the test pictures is then too high and says "
            "nothing about new ones. Remove one of each pair, best from the larger split, or split again so that all "
            "pictures of one thing are in one split. The first pairs:",
            *lines,
            *more,
        ]
    )


def _figure(found: list[tuple]) -> "Figure":
    """The first pairs side by side, one pair a row of the grid."""
    from ..plots import pictures

    shown = [(split, place) for _, *places in found for split, place in places]
    titles = [
        f"{split.name}\n{printable(_short(split.label(place)))}"
        for split, place in shown
    ]
    return pictures(
        [np.asarray(split.work(place)) for split, place in shown],
        titles,
        columns=4 if len(found) > 1 else 2,
    )


def _short(label: str | int) -> str:
    return (
        f"number {label}"
        if isinstance(label, int)
        else label.replace("\\", "/").rpartition("/")[2][-28:]
    )


def _display(figure: Callable) -> None:
    """Show the figure if this runs in a notebook; a traceback cannot hold pictures."""
    if in_notebook():
        from IPython.display import display

        display(figure())
