"""An export's record of data, training and test, and the model card made from it.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import os
import platform
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import numpy as np

from .datasets.core import Dataset, Split
from .errors import printable
from .features.engine import processors
from .foreign_text import escape_markdown
from .models.recipes import RECIPES
from .training.classifiers import FineTuned
from .training.evaluation import ConfusionMatrix, interval
from .training.probe import LinearProbe

LISTED_MISTAKES = 5
FEW = 10  # test pictures of a class under which its recall says little
_TRAINING = "from_block augmentations rows settings seconds probe best_epoch"
_PACKAGES = "tlcourse keras tensorflow-cpu tensorflow onnxruntime tf2onnx pillow numpy"
_TEMPLATE = Path(__file__).with_name("model_card_template.md")


def model_card(record: dict) -> str:
    """Write the card of a record in Markdown; every name in it is escaped."""
    from jinja2 import Environment, StrictUndefined

    # Of Markdown, so not escaped as HTML but by the filter `escaped`.
    writer = Environment(  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    writer.filters["escaped"] = escape_markdown
    writer.filters["percent"] = "{:.1%}".format
    writer.filters["thousands"] = "{:,}".format

    tested = record["test"]["classes"]

    def recall(name: str) -> float:
        counts = tested[name]
        return counts["right"] / counts["pictures"] if counts["pictures"] else 2

    job = record.get("job")
    if not isinstance(job, dict) or not {"folds", "probe", "choice"} <= job.keys():
        job = {"folds": 0}  # not from `tlcourse train`
    trained = Counter(record["data"]["pictures"]["train"])
    if job["folds"]:  # the chosen network was trained on these, too
        trained.update(record["data"]["pictures"]["validation"])
    parts = {
        "by_recall": sorted(tested, key=recall),  # those without pictures last
        "few": [name for name in tested if tested[name]["pictures"] < FEW],
        "trained": dict(trained),
        "job": job,
    }
    template = writer.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(record | parts)


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
    installed = {
        part.metadata["Name"]: part.version for part in metadata.distributions()
    }
    versions = {
        name: installed[name] for name in _PACKAGES.split() if name in installed
    }
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": processors(),
        "python": platform.python_version(),
        "versions": versions,
    }
