"""A model card says what its record says, and warns of what the record shows."""

import copy

import pytest

from tlcourse.model_card import model_card

RECORD = {
    "format": "tlcourse export 1",
    "class_names": ["cat", "dog"],
    "classes": [0, 1],
    "input": {"height": 224, "width": 160},
    "backbone": {"name": "efficientnet_lite0", "source": "release notes", "top1": 75.1},
    "data": {
        "name": "pets",
        "source": "pets",
        "licence": "CC BY 4.0",
        "pictures": {
            "train": {"cat": 40, "dog": 30},
            "validation": {"cat": 9, "dog": 8},
            "test": {"cat": 20, "dog": 12},
        },
        "left_out": 3,
    },
    "training": {"method": "linear probe", "C": 0.1, "cross_validated": 0.9},
    "test": {
        "pictures": 32,
        "right": 28,
        "accuracy": 0.875,
        "interval": [0.7193, 0.9503],
        "most_frequent": "cat",
        "baseline": 0.625,
        "classes": {
            "cat": {"pictures": 20, "right": 19},
            "dog": {"pictures": 12, "right": 9},
        },
        "mistakes": [["dog", "cat", 3], ["cat", "dog", 1]],
        "surest_mistakes": [
            {"picture": "dog/7.jpg", "true": "dog", "said": "cat", "probability": 0.97}
        ],
    },
    "files": {
        "model.keras": {
            "bytes": 14_200_000,
            "sha256": "",
            "accuracy": 0.875,
            "agreement": 1.0,
            "pictures_per_second": 31.2,
        }
    },
    "left_out": {},
    "made": {
        "date": "2026-11-25",
        "system": "Linux x86_64",
        "processors": 2,
        "python": "3.11.7",
        "versions": {"tlcourse": "0.1.0", "keras": "3.15.1"},
    },
}


def changed(**parts):
    record = copy.deepcopy(RECORD)
    for path, value in parts.items():
        *way, last = path.split("__")
        place = record
        for part in way:
            place = place[part]
        place[last] = value
    return record


@pytest.mark.parametrize(
    "words",
    [
        "# pets: 2 classes",
        "which of 2 classes it shows: cat, dog. It began as efficientnet_lite0 (release notes)",
        "(1, 224, 160, 3), the whole picture resized to 160 × 224",
        "**87.5%** of 32 test pictures",
        "(28 right; 95 % interval 71.9% to 95.0%). Always answering cat would be right for 62.5%.",
        "| dog | 30 | 12 | 75.0% |\n| cat | 40 | 20 | 95.0% |",
        "- dog taken for cat: 3",
        "- dog/7.jpg: cat (97%), in truth dog",
        "| model.keras | 14.2 | 87.5% | 100.0% | 31 |",
        "On the machine that made them (Linux x86_64, 2 processors).",
        "- Pictures: pets: 70 train, 17 validation, 32 test; 3 files left out.",
        "- Licence of the pictures: CC BY 4.0.",
        "(logistic regression, C = 0.1)",
        "Written 2026-11-25 by tlcourse from record.json: tlcourse 0.1.0, keras 3.15.1, Python 3.11.7.",
    ],
)
def test_the_card_says(words):
    assert words in model_card(RECORD)


def test_a_fine_tuned_network_is_described_by_its_cut_and_settings():
    training = {
        "method": "fine-tuned",
        "from_block": "block7a",
        "settings": {"epochs": 10, "learning_rate": 0.0002},
    }
    card = model_card(changed(training=training))
    assert (
        "then the network from block7a on, batch norms frozen (LP-FT" in card
        and "epochs 10, learning_rate 0.0002" in card
    )


def test_a_network_from_scratch_has_no_imagenet_in_its_card():
    backbone = {"name": "small_network", "source": "trained from scratch", "top1": None}
    assert "ImageNet" not in model_card(changed(backbone=backbone))


def test_without_mistakes_there_is_no_list_of_them():
    assert "mistake" not in model_card(
        changed(test__mistakes=[], test__surest_mistakes=[])
    )


def test_few_test_pictures_of_a_class_are_warned_of():
    assert "fewer than 10" not in model_card(RECORD)
    few = changed(test__classes__dog={"pictures": 4, "right": 3})
    assert (
        "- Of dog fewer than 10 pictures were tested: what is said of them may be luck."
        in model_card(few)
    )


def test_uneven_classes_are_warned_of():
    assert "leans towards" not in model_card(RECORD)
    assert "from 40 pictures of cat and 5 of dog" in model_card(
        changed(data__pictures__train__dog=5)
    )


def test_a_class_that_was_not_tested_has_no_share():
    assert "| dog | 30 | 0 | – |" in model_card(
        changed(test__classes__dog={"pictures": 0, "right": 0})
    )


def test_of_very_many_classes_those_that_are_recognised_worst_are_listed():
    classes = {
        f"class {number}": {"pictures": 100, "right": number % 100}
        for number in range(120)
    }
    train = {name: 50 for name in classes}
    card = model_card(
        changed(
            test__classes=classes,
            data__pictures__train=train,
            class_names=list(classes),
        )
    )
    assert (
        card.count("\n| class ") == 50
        and "| class 0 | 50 | 100 | 0.0% |" in card
        and "| class 99 |" not in card
    )
    assert (
        "These are the 50 that are recognised worst, of 120; record.json has all."
        in card
    )


@pytest.mark.parametrize("name", ["a|b", "two\nlines", "  "])
def test_a_name_does_not_break_the_table(name):
    card = model_card(
        changed(
            test__classes={name: {"pictures": 20, "right": 19}},
            data__pictures__train={name: 40},
        )
    )
    (row,) = [
        line for line in card.splitlines() if line.endswith("| 40 | 20 | 95.0% |")
    ]
    assert row.replace("\\|", "").count("|") == 5
