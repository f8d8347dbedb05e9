"""A model card holds what its record holds, and warns of what the record shows."""

import copy

import pytest

from tlcourse.model_card import model_card

MISTAKE = {"picture": "dog/7.jpg", "true": "dog", "predicted": "cat"}
KERAS_FILE = {"bytes": 14_200_000, "accuracy": 0.875, "agreement": 1.0}
RECORD = {
    "class_names": ["cat", "dog"],
    "input": {"height": 224, "width": 160, "resize": "squash"},
    "backbone": {"name": "efficientnet_lite0", "source": "release notes", "top1": 75.1},
    "data": {
        "name": "pets",
        "source": "my shelf",
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
        "mistakes": [["dog", "cat", 3]],
        "surest_mistakes": [{**MISTAKE, "probability": 0.97}],
    },
    "files": {"model.keras": {**KERAS_FILE, "pictures_per_second": 31.2}},
    "left_out": {},
    "made": {
        "date": "2026-11-25",
        "system": "Linux x86_64",
        "processors": 2,
        "python": "3.11.7",
        "versions": {"tlcourse": "0.1.0", "keras": "3.15.1"},
    },
}


def card(change=lambda record: None):
    record = copy.deepcopy(RECORD)
    change(record)
    return " ".join(model_card(record).split())


@pytest.mark.parametrize(
    "text",
    [
        "# pets: 2 classes",
        "(n, 224, 160, 3)",
        "**87.5%** of 32 test pictures",
        "28 right; 95 % confidence interval 71.9% to 95.0%",
        "Always predicting cat would be right for 62.5%",
        "| dog | 30 | 12 | 75.0% | | cat | 40 | 20 | 95.0% |",
        "- dog taken for cat: 3",
        "dog/7.jpg: cat (97%), in truth dog",
        "| model.keras | 14.2 | 87.5% | 100.0% | 31 |",
        "70 train, 17 validation, 32 test; 3 files left out",
        "my shelf",
        "CC BY 4.0",
        "C = 0.1",
        "top-1 accuracy 75.1 %",
        "tlcourse 0.1.0, keras 3.15.1, Python 3.11.7",
    ],
)
def test_what_was_measured_is_on_the_card(text):
    assert text in card()


def fine_tuned(record):
    settings = {"epochs": 10, "learning_rate": 1e-4}
    record["training"] = {"method": "fine-tuned", "from_block": "block6d"}
    record["training"]["settings"] = settings


def chosen(record):
    record["job"] = {"folds": 3, "probe": 0.9, "choice": "The probe is kept."}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (fine_tuned, "from block6d on, batch normalization frozen"),
        (fine_tuned, "epochs 10, learning_rate 0.0001"),
        (
            lambda r: r["test"]["classes"].update(dog={"pictures": 0, "right": 0}),
            "| dog | 30 | 0 | – |",
        ),
        (lambda r: r["test"].update(mistakes=[]), "Confused most often: none."),
        (lambda r: r["test"]["classes"]["dog"].update(pictures=9), "Fewer than 10"),
        (lambda r: r["data"]["pictures"]["train"].update(cat=400), "Class imbalance"),
        (lambda r: r["input"].update(resize="crop"), "of that 7/8 each way"),
        (lambda r: r["input"].update(resize="pad"), "white beside it"),
        (lambda r: r["left_out"].update({"a.onnx": "too bad"}), "a.onnx was left out"),
        (chosen, "Why: by 3-fold cross-validation on the"),
        (chosen, "a linear probe is right for 90.0%. The probe is kept."),
        (chosen, "| dog | 38 | 12 | 75.0% | | cat | 49 | 20 | 95.0% |"),
    ],
)
def test_what_the_record_shows_is_told(change, text):
    assert text not in card() and text in card(change)


@pytest.mark.parametrize("job", [{"id": 7}, "x", None, {"folds": 3}])
def test_a_job_of_somebody_elses_is_not_on_the_card(job):
    assert card(lambda record: record.update(job=job)) == card()
