"""The exercises of lesson 05, Fine-tuning."""

from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..training.classifiers import FineTuned
from .core import NotYet, exercise
from .reading import array, describe_type, near, number, share

CELLS, EPOCHS, BATCH, VIEWS = 200, 6, 32, 2
RATE, BLOCK, FEW_EPOCHS = 2e-2, "block6c", 2
RIM = 28  # of 224 rows and columns


@exercise(
    "5.1",
    "how many steps?",
    "a whole number",
    "How many full batches are in one epoch?",
    "200 // 32 counts the full batches; each epoch has as many.",
    "200 // 32 * 6.",
)
def count_of_steps(answer: "Any") -> str:
    steps, right = number(answer, "a whole number of steps"), CELLS // BATCH * EPOCHS
    if steps == right:
        return f"{right} steps changed the network. A training from scratch takes hundreds of thousands."
    if steps == CELLS // BATCH:
        raise NotYet("That is one epoch. There were six.")
    if steps in (
        -(-CELLS // BATCH) * EPOCHS,
        CELLS * EPOCHS // BATCH,
        CELLS * EPOCHS / BATCH,
    ):
        raise NotYet(
            "A batch that is not full is left out, in every epoch anew: round down before you multiply."
        )
    if steps in (right * VIEWS, CELLS * VIEWS // BATCH * EPOCHS):
        raise NotYet(
            "In an epoch each cell is seen once, in one of its augmentations, and not in both."
        )
    if steps == CELLS * EPOCHS:
        raise NotYet(
            "That many cells were seen. A step takes thirty-two of them at once."
        )
    raise NotYet(f"{steps:g} is not it. Full batches in an epoch, times epochs.")


@exercise(
    "5.2",
    "change the experiment",
    "the network that tl.fine_tune returned",
    "It is the call of the lesson with other arguments. Which ones?",
    "tl.fine_tune(model, learned.images, learned.labels, from_block='block6c', epochs=2, learning_rate=…, …).",
    "too_fast = tl.fine_tune(model, learned.images, learned.labels, from_block='block6c', augmentations=flips[:2], validation=0, "
    "epochs=2, learning_rate=2e-2, seed=0).",
)
def too_large_a_rate(answer: "Any", probe_accuracy: "Any") -> str:
    if not isinstance(answer, FineTuned):
        raise NotYet(
            f"You gave {describe_type(answer)}; expected the network that tl.fine_tune returned."
        )
    baseline = share(probe_accuracy, "probe_accuracy")
    record, settings = answer.record, answer.record["settings"]
    if record["from_block"] != BLOCK:
        first = record["from_block"] or "its pixels"
        raise NotYet(
            f"This network was trained from {first} on; the exercise asks for from_block='{BLOCK}'."
        )
    if not np.isclose(settings["learning_rate"], RATE):
        raise NotYet(
            f"Its learning rate was {settings['learning_rate']:g}. A hundred times 2e-4 is {RATE:g}."
        )
    if settings["epochs"] != FEW_EPOCHS:
        raise NotYet(
            f"It was trained for {settings['epochs']} epochs; the exercise asks for {FEW_EPOCHS}."
        )
    if record["rows"]["validation"]:
        raise NotYet(
            f"{record['rows']['validation']} cells were held out and the best epoch was kept, which hides the damage. "
            "Give validation=0, as the lesson does."
        )
    if record["rows"]["training"] != CELLS:
        raise NotYet(
            f"It was trained on {record['rows']['training']} cells and not on the {CELLS} of `learned`."
        )
    cells = load_dataset("solar").validation.sample(per_class=80)
    accuracy = answer.score(cells.images, cells.labels)
    return f"{accuracy:.1%}, the probe {baseline:.1%}: {100 * (accuracy - baseline):+.1f} points."


@exercise(
    "5.3",
    "in the cell, or at its rim?",
    "a share between 0 and 1",
    "A share is a part divided by the whole. Which of the two is easier to cut out of an array, the rim or the inside?",
    "maps_of_defects[:, 28:-28, 28:-28].sum() is the brightness inside; .sum() of the whole array is all of it.",
    "share_at_rim = 1 - maps_of_defects[:, 28:-28, 28:-28].sum() / maps_of_defects.sum().",
)
def share_at_rim(answer: "Any", maps: "Any") -> str:
    value, maps = (
        share(answer),
        array(maps, "maps of shape (n, 224, 224)", "maps_of_defects").astype(
            np.float64
        ),
    )
    if maps.ndim != 3 or min(maps.shape[1:]) <= 2 * RIM or not maps.sum() > 0:
        raise NotYet(
            f"maps_of_defects has the shape {maps.shape}; expected bright maps of shape (n, 224, 224)."
        )
    inside = maps[:, RIM:-RIM, RIM:-RIM]
    right, area = 1 - inside.sum() / maps.sum(), 1 - inside[0].size / maps[0].size
    if near(value, right):
        where = "less than" if right < area else "at least"
        return f"{right:.0%} of the brightness, on {area:.0%} of the area: {where} an even map would have there."
    if near(value, 1 - right):
        raise NotYet("That is the share inside. The rim has the rest.")
    if near(value, area):
        raise NotYet(
            "That is the rim's share of the area. Which share of the brightness lies there?"
        )
    if near(value, 1 - maps[:, RIM:, RIM:].sum() / maps.sum()):
        raise NotYet(
            "That is the rim on two sides, above and on the left. Cut on all four: [:, 28:-28, 28:-28]."
        )
    if near(value, 1 - maps[RIM:-RIM].sum() / maps.sum()) or value == 1:
        raise NotYet(
            "The first axis counts pictures; rows and columns come after it: [:, 28:-28, 28:-28]."
        )
    if near(value, 1 - inside.mean() / maps.mean()):
        raise NotYet("That compares mean brightness. For a share, divide the sums.")
    raise NotYet(
        f"{value:.0%} is not it. One minus the sum inside, divided by the sum of everything."
    )
