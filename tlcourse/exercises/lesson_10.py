"""The exercises of lesson 10, your own pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.same_pictures import shared_pictures
from .core import NotYet, exercise
from .reading import dictionary, near, number, shares, whole_number

if TYPE_CHECKING:
    from ..exported import ExportedModel
    from ..features.pictures import Pictures

WANTED, HALF_WIDTH = 0.9, 0.02  # the accuracy, and how well it is to be known
LEAST, MOST = (
    0.99,
    1.05,
)  # of the pictures needed: rounded, or a few more, but not so few that the interval is wider
FOUND, ABOVE = "defective found", "above guessing"


def _needed(half_width: float = HALF_WIDTH) -> float:
    return 1.96**2 * WANTED * (1 - WANTED) / half_width**2


@exercise(
    "10.1",
    "how many test pictures?",
    "a number of pictures",
    "The interval of n pictures is about accuracy ± 1.96 standard errors. What is the standard error of a share?",
    "It is the root of p × (1 − p) / n, here with p = 0.9. Set 1.96 times that equal to 0.02 and solve for n.",
    "1.96**2 * 0.9 * 0.1 / 0.02**2.",
)
def number_of_test_pictures(answer: "Any") -> str:
    pictures, needed = number(answer, "a number of pictures"), _needed()
    if LEAST * needed <= pictures <= MOST * needed:
        return (
            f"About {needed:.0f}. For one point instead of two it would be four times as many: precision is dear, and "
            "a test of forty pictures is a rough guess."
        )
    if abs(pictures - WANTED * (1 - WANTED) / HALF_WIDTH**2) <= 25:
        raise NotYet(
            "That is for one standard error. 95 % certainty are 1.96 of them to each side."
        )
    if abs(pictures - _needed(2 * HALF_WIDTH)) <= 25:
        raise NotYet(
            "That makes the interval four points to each side. It is to reach two points to each side."
        )
    if abs(pictures - _needed(HALF_WIDTH / 2)) <= 350:
        raise NotYet(
            "That makes the interval one point to each side; two to each side were asked for."
        )
    if pictures <= 0:
        raise NotYet(f"You gave {pictures:g}; a number of pictures is above 0.")
    half = 1.96 * np.sqrt(WANTED * (1 - WANTED) / pictures)
    raise NotYet(
        f"With {pictures:,.0f} pictures the interval reaches {100 * half:.2f} points to each side; 2 are asked for."
    )


@exercise(
    "10.2",
    "somebody else's split",
    "a whole number of pictures",
    "A smaller picture is another file and other pixels. Something in tl.guards looks at what is shown.",
    'tl.guards.assert_disjoint(theirs["train"], theirs["test"]) raises an error that holds the pairs.',
    "try: tl.guards.assert_disjoint(…) except tl.guards.LeakageError as error: len(error.pairs).",
)
def pictures_in_both(answer: "Any", theirs: "dict[str, Pictures]") -> str:
    number = whole_number(answer, "a whole number of pictures")
    pairs = len(shared_pictures(theirs["train"], theirs["test"]))
    tested = len(theirs["test"])
    if not pairs:
        raise NotYet(
            "`theirs` holds no picture twice any more. Run the cell that makes it again."
        )
    if number == pairs:
        return f"{pairs} of {tested} test pictures were seen in training. The accuracy there would be optimistic."
    if number == 0:
        raise NotYet(
            "Not one file is the same, and no pixel. But do two of them show the same cell?"
        )
    if number == tested:
        raise NotYet(
            "That is how many test pictures they have. Some of them have both copies in the test part."
        )
    if number == len(theirs["train"]):
        raise NotYet("That is how many training pictures they have.")
    if number == 2 * pairs:
        raise NotYet("Each pair is one picture in two places: count the pairs.")
    raise NotYet(
        f"You gave {number}. Ask the guard for the pairs of the training and the test part, and count them."
    )


@exercise(
    "10.3",
    "read the record",
    "a dictionary with two shares, 'defective found' and 'above guessing'",
    "The record is a dictionary of dictionaries. What do exported.record['test'] and its 'classes' hold?",
    "Of a class, 'right' of 'pictures' were found; 'accuracy' and 'baseline' are shares of all test pictures.",
    "test['classes']['defective']: right / pictures; and test['accuracy'] - test['baseline'].",
)
def numbers_of_the_record(answer: "Any", exported: "ExportedModel") -> str:
    above = dictionary(answer, (FOUND, ABOVE))[ABOVE]
    if isinstance(above, float) and above < 0:
        raise NotYet(
            f"{ABOVE!r} is below 0. Is it the accuracy less the baseline, or the other way round?"
        )
    values = shares(answer, (FOUND, ABOVE))
    test = exported.record["test"]
    defective, functional = (
        test["classes"][name] for name in ("defective", "functional")
    )
    found, above = (
        defective["right"] / defective["pictures"],
        test["accuracy"] - test["baseline"],
    )
    if near(values[FOUND], found) and near(values[ABOVE], above):
        return (
            f"{defective['right']} of {defective['pictures']} defective cells were found; the accuracy is "
            f"{100 * above:.0f} points above guessing. Which of the two matters depends on what a missed cell costs."
        )
    if near(values[FOUND], functional["right"] / functional["pictures"]) and not near(
        values[FOUND], found
    ):
        raise NotYet(f"{FOUND!r}: that is the functional cells' share.")
    if near(values[FOUND], test["accuracy"]):
        raise NotYet(
            f"{FOUND!r}: that is the accuracy over both classes. Of the defective cells alone?"
        )
    if near(values[FOUND], defective["pictures"] / test["pictures"]):
        raise NotYet(
            f"{FOUND!r}: that is how many of the cells are defective, not how many of those were found."
        )
    if near(values[ABOVE], test["accuracy"]):
        raise NotYet(
            f"{ABOVE!r}: that is the accuracy itself. Take away what always answering the same gives."
        )
    wrong = [
        name
        for name, number in ((FOUND, found), (ABOVE, above))
        if not near(values[name], number)
    ]
    raise NotYet(
        f"Not so for {' and '.join(map(repr, wrong))}: out of exported.record['test']?"
    )
