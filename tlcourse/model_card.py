"""An export's record of data, training and test, and the model card made from it.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from .datasets.core import Dataset, Split
from .errors import printable
from .features.engine import processors
from .foreign_text import escape_markdown as escaped
from .models.recipes import RECIPES
from .training.classifiers import FineTuned
from .training.evaluation import ConfusionMatrix, interval
from .training.probe import LinearProbe

LISTED_MISTAKES = 5
FEW = 10  # test pictures of a class under which its recall says little
UNEVEN = 3  # times as many training pictures of one class as of another
_TRAINING = "from_block augmentations rows settings seconds probe best_epoch"
_PACKAGES = "tlcourse keras tensorflow-cpu tensorflow onnxruntime tf2onnx pillow numpy"

_CARD = """\
# {name}: {count} classes

Classifies pictures into {count} classes: {some_names}. The backbone is {backbone_name}
({backbone[source]}). Made with tlcourse.

## How to use it

    tlcourse predict PICTURES --model THIS_FOLDER

or, without tlcourse, any program that runs ONNX or Keras files: input RGB pixels from 0
to 255 as float32, (n, {input[height]}, {input[width]}, 3), the picture as a whole
resized to {input[width]} × {input[height]} (bicubic), nothing scaled or cropped; output
a probability for each line of labels.txt.

## How good it is

**{test[accuracy]:.1%}** of {test[pictures]:,} test pictures, which took no part in
training or model selection ({test[right]:,} right; 95 % confidence interval
{test[interval][0]:.1%} to {test[interval][1]:.1%}). Always predicting {most_frequent}
would be right for {test[baseline]:.1%}.

| Class | Training pictures | Test pictures | Recall |
|---|---|---|---|
{classes}

Confused most often: {confused}

The mistakes with the highest probability: {surest}

## Files

| File | MB | Test accuracy | Same prediction as Keras | Pictures/s ¹ |
|---|---|---|---|---|
{files}

¹ On the machine that made them ({made[system]}, {made[processors]} processors).

## Data

- Pictures: {name}: {counts}; {data[left_out]:,} files left out.
- Source: {source}.
- Licence of the pictures: {licence}.

## Training

{training}

## Limits

- It predicts one of its classes for any picture. A high probability does not mean that
  the picture shows one of them.
- The test pictures have the same source as the training pictures. Accuracy under domain
  shift (another camera, place or season) was not measured.
{limits}
- Not for judging people, nor for decisions that may hurt somebody.

Written {made[date]} by tlcourse from record.json: {versions}, Python {made[python]}.
"""


def model_card(record: dict) -> str:
    """Write the card of a record in Markdown; every name in it is escaped."""
    data, test, made = record["data"], record["test"], record["made"]
    counts = [f"{sum(n.values()):,} {split}" for split, n in data["pictures"].items()]
    confused = [
        f"{escaped(true)} taken for {escaped(predicted)}: {count}"
        for true, predicted, count in test["mistakes"]
    ]
    surest = [
        f"{escaped(one['picture'])}: {escaped(one['predicted'])} "
        f"({one['probability']:.0%}), in truth {escaped(one['true'])}"
        for one in test["surest_mistakes"]
    ]
    parts = {
        "name": escaped(data["name"]),
        "count": len(record["class_names"]),
        "some_names": _some(record["class_names"]),
        "backbone_name": escaped(record["backbone"]["name"]),
        "most_frequent": escaped(test["most_frequent"]),
        "classes": _classes(data["pictures"]["train"], test["classes"]),
        "confused": _list(confused),
        "surest": _list(surest),
        "files": _files(record),
        "counts": ", ".join(counts),
        "source": escaped(data["source"]),
        "licence": escaped(data["licence"]),
        "training": _training(record),
        "limits": _limits(record),
        "versions": ", ".join(map(" ".join, made["versions"].items())),
    }
    return _CARD.format(**(record | parts))


def _list(lines: list[str]) -> str:
    return "\n\n" + "\n".join(f"- {line}" for line in lines) if lines else "none."


def _some(names: list[str], most: int = 8) -> str:
    shown = ", ".join(map(escaped, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _classes(trained: dict[str, int], tested: dict[str, dict[str, int]]) -> str:
    """The rows of the table, the lowest recall first, untested classes last."""
    rows = []
    for name, counts in tested.items():
        of, recall = counts["pictures"], float("inf")
        if of:
            recall = counts["right"] / of
        cells = f"{escaped(name)} | {trained.get(name, 0):,} | {of:,}"
        rows.append((recall, f"| {cells} | {f'{recall:.1%}' if of else '–'} |"))
    return "\n".join(row for _, row in sorted(rows))


def _files(record: dict) -> str:
    lines = [
        f"| {name} | {file['bytes'] / 1e6:.1f} | {file['accuracy']:.1%} | "
        f"{file['agreement']:.1%} | {file['pictures_per_second']:.0f} |"
        for name, file in record["files"].items()
    ]
    for name, why in record["left_out"].items():
        lines.append(f"\n{name} was left out: {why}.")
    return "\n".join(lines)


def _training(record: dict) -> str:
    training, choice = record["training"], record.get("job", {}).get("choice", "")
    if training["method"] == "linear probe":
        text = "A linear probe: logistic regression on the frozen network's features"
        return f"{text}, C = {training['C']:g}.\n{choice}"
    first = escaped(training["from_block"] or "its first layer")
    settings = ", ".join(
        f"{name} {value:g}"
        for name, value in training["settings"].items()
        if isinstance(value, int | float)
    )
    return (
        f"A linear probe first, then fine-tuning from {first} on, batch normalisation "
        f"frozen (LP-FT, Kumar et al., ICLR 2022): {settings}.\n{choice}"
    )


def _limits(record: dict) -> str:
    tested, trained = record["test"]["classes"], record["data"]["pictures"]["train"]
    lines = []
    few = [name for name, counts in tested.items() if counts["pictures"] < FEW]
    if few:
        lines.append(
            f"Fewer than {FEW} test pictures, too few for recall: {_some(few)}."
        )
    counts = sorted((count, name) for name, count in trained.items() if count)
    (least, rare), (most, frequent) = counts[0], counts[-1]
    if most >= UNEVEN * least:
        lines.append(
            f"Class imbalance: {most:,} training pictures of {escaped(frequent)}, "
            f"{least:,} of {escaped(rare)}; predictions are biased towards the former."
        )
    if top1 := record["backbone"]["top1"]:
        lines.append(
            f"The backbone was pretrained on ImageNet (published top-1 accuracy {top1} "
            "%), whose photographs come mostly from North America and Europe and whose "
            "labels are in part wrong."
        )
    return "\n".join(f"- {line}" for line in lines)


def about_backbone(name: str) -> dict:
    """Name, source and published accuracy of the pretrained network."""
    known = next((known for known in RECIPES if name.startswith(known)), None)
    if known is None:
        return {"name": name, "source": "trained from scratch", "top1": None}
    return {"name": known, "source": RECIPES[known].source, "top1": RECIPES[known].top1}


def about_data(dataset: Dataset, licence: str | None) -> dict:
    """Name, source, licence, and how many pictures each class has."""
    source, names = dataset.card.source, dataset.class_names
    if os.path.exists(source):
        source = printable(Path(source).name)  # no path of this machine
    pictures = {}
    for split, part in dataset.splits.items():
        counts = np.bincount(part.labels, minlength=len(names)).tolist()
        pictures[split] = dict(zip(names, counts, strict=True))
    return {
        "name": printable(dataset.name),
        "source": source,
        "licence": licence or dataset.card.licence,
        "pictures": pictures,
        "left_out": len(dataset.skipped),
    }


def about_training(trained: FineTuned | LinearProbe) -> dict:
    """How it was trained."""
    if isinstance(trained, LinearProbe):
        accuracy = trained.cross_validated_accuracy_
        return {"method": "linear probe", "C": trained.C_, "cross_validated": accuracy}
    record = trained.record
    return {"method": "fine-tuned"} | {
        key: record[key] for key in _TRAINING.split() if key in record
    }


def about_test(
    test: Split, names: list[str], labels: np.ndarray, probabilities: np.ndarray
) -> dict:
    """Accuracy, mistakes and the counts of each class; `labels` index the `names`."""
    predicted, highest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    matrix = ConfusionMatrix.of(labels, predicted, names)
    right = matrix.counts.diagonal().tolist()
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-highest[wrong], kind="stable")][:LISTED_MISTAKES]
    return {
        "pictures": len(labels),
        "right": sum(right),
        "accuracy": matrix.accuracy,
        "interval": list(interval(sum(right), len(labels))),
        "classes": {
            name: {"pictures": count, "right": hits}
            for name, count, hits in zip(
                names, matrix.counts.sum(axis=1).tolist(), right, strict=True
            )
        },
        "mistakes": matrix.worst(LISTED_MISTAKES),
        "surest_mistakes": [
            {
                "picture": test.picture_name(row),
                "true": names[labels[row]],
                "predicted": names[predicted[row]],
                "probability": round(float(highest[row]), 4),
            }
            for row in surest.tolist()
        ],
    }


def provenance() -> dict:
    """When, where and with which versions the export was made."""
    found = {part.metadata["Name"]: part.version for part in metadata.distributions()}
    versions = {name: found[name] for name in _PACKAGES.split() if name in found}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": processors(),
        "python": platform.python_version(),
        "versions": versions,
    }
