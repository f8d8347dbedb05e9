"""What `tl.export` records: the evaluation of each file, data, training, versions."""

import os
import platform
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .datasets.core import Dataset
from .errors import printable
from .features import engine as engines
from .features.compute import compute
from .features.pictures import Pictures
from .files import sha256
from .models.recipes import RECIPES
from .training.classifiers import FineTuned
from .training.evaluation import interval
from .training.probe import LinearProbe

LISTED_MISTAKES = 10
_TRAINING_KEYS = (
    "from_block",
    "augmentations",
    "rows",
    "settings",
    "seconds",
    "probe",
    "best_epoch",
)
_PACKAGES = (
    "tlcourse",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "onnxruntime",
    "tf2onnx",
    "ai-edge-litert",
    "pillow",
    "numpy",
)


def bit_depth(dataset: Dataset) -> dict[str, int]:
    """The bit depth of 16-bit pictures that do not state theirs, if there are any."""
    depths = [
        split.images.depth.bits
        for split in dataset.splits.values()
        if isinstance(split.images, Pictures)
    ]
    return {"bits": max(filter(None, depths))} if any(depths) else {}


class Evaluation(NamedTuple):
    """One file on the test set: float32 (n, classes), accuracy and speed."""

    probabilities: np.ndarray
    accuracy: float
    pictures_per_second: float

    def difference(self, other: "Evaluation") -> float:
        return float(np.abs(self.probabilities - other.probabilities).max())

    def record(self, path: Path, reference: "Evaluation") -> dict:
        predicted = self.probabilities.argmax(axis=1)
        same = predicted == reference.probabilities.argmax(axis=1)
        return {
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "accuracy": self.accuracy,
            "agreement": float(np.mean(same)),
            "largest_difference": self.difference(reference),
            "pictures_per_second": round(self.pictures_per_second, 1),
        }


class TestSet:
    """A data set's test pictures, and their true classes."""

    def __init__(self, trained: FineTuned | LinearProbe, dataset: Dataset) -> None:
        self.names, self._test = trained.class_names, dataset.test
        is_text = trained.classes_.dtype.kind == "U"
        labels, train = (
            split.label_names if is_text else split.labels
            for split in (dataset.test, dataset.train)
        )
        self._true = trained.positions(labels, len(labels))
        positions = trained.positions(train, len(train))
        self._majority = int(np.bincount(positions).argmax())

    def evaluate(self, engine: engines.Engine, size: tuple[int, int]) -> Evaluation:
        compute(engine, self._test.images[:1], size)  # starts it
        start = time.perf_counter()
        probabilities = compute(engine, self._test.images, size, describe="Evaluating")
        seconds = time.perf_counter() - start
        accuracy = float(np.mean(probabilities.argmax(axis=1) == self._true))
        return Evaluation(probabilities, accuracy, len(self._test) / seconds)

    def interval(self, evaluation: Evaluation) -> tuple[float, float]:
        count = len(self._test)
        return interval(round(evaluation.accuracy * count), count)

    def record(self, evaluation: Evaluation) -> dict:
        """What the model card says of the test set."""
        predicted = evaluation.probabilities.argmax(axis=1)
        probability = evaluation.probabilities.max(axis=1)
        wrong = predicted != self._true
        surest = np.flatnonzero(wrong)[np.argsort(-probability[wrong], kind="stable")]
        pairs = Counter(zip(self._true[wrong], predicted[wrong], strict=True))
        count = len(self.names)
        tested = np.bincount(self._true, minlength=count)
        right = np.bincount(self._true[~wrong], minlength=count)
        return {
            "pictures": len(self._test),
            "right": int(np.sum(~wrong)),
            "accuracy": evaluation.accuracy,
            "interval": list(self.interval(evaluation)),
            "most_frequent": self.names[self._majority],
            "baseline": float(np.mean(self._true == self._majority)),
            "classes": {
                name: {"pictures": int(all_of_it), "right": int(some)}
                for name, all_of_it, some in zip(self.names, tested, right, strict=True)
            },
            "mistakes": [
                [self.names[true], self.names[other], times]
                for (true, other), times in pairs.most_common(LISTED_MISTAKES)
            ],
            "surest_mistakes": [
                {
                    "picture": self._picture_name(int(row)),
                    "true": self.names[self._true[row]],
                    "predicted": self.names[predicted[row]],
                    "probability": round(float(probability[row]), 4),
                }
                for row in surest[:LISTED_MISTAKES]
            ],
        }

    def _picture_name(self, row: int) -> str:
        """Class folder and file name, or the row: no path of this machine."""
        paths = getattr(self._test.images, "paths", None)
        if not paths:
            return f"test picture {row}"
        return printable(Path(*paths[row].parts[-2:]).as_posix())


def backbone(name: str) -> dict:
    known = next((known for known in RECIPES if name.startswith(known)), None)
    if known is None:
        return {"name": name, "source": "trained from scratch", "top1": None}
    return {"name": known, "source": RECIPES[known].source, "top1": RECIPES[known].top1}


def data(dataset: Dataset) -> dict:
    source, names = dataset.card.source, dataset.class_names
    if os.path.exists(source):
        source = printable(Path(source).name)  # no path of this machine
    counts = {
        name: np.bincount(split.labels, minlength=len(names)).tolist()
        for name, split in dataset.splits.items()
    }
    return {
        "name": printable(dataset.name),
        "source": source,
        "pictures": {
            split: dict(zip(names, count, strict=True))
            for split, count in counts.items()
        },
        "left_out": len(dataset.skipped),
    }


def training(trained: FineTuned | LinearProbe) -> dict:
    if isinstance(trained, LinearProbe):
        return {
            "method": "linear probe",
            "C": trained.C_,
            "cross_validated": trained.cross_validated_accuracy_,
        }
    kept = {key: trained.record[key] for key in _TRAINING_KEYS if key in trained.record}
    return {"method": "fine-tuned", **kept}


def provenance() -> dict:
    installed = {
        distribution.metadata["Name"]: distribution.version
        for distribution in metadata.distributions()
    }
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": engines.processors(),
        "python": platform.python_version(),
        "versions": {name: installed[name] for name in _PACKAGES if name in installed},
    }
