"""A trained network → a folder that can be carried away: for Keras, for LiteRT, with labels, record and model card.

Each file is compared with the Keras network on the test pictures before it counts as done: what an export loses is
measured, not hoped.
"""

import errno
import json
import os
import platform
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from . import validation
from .datasets.core import Dataset
from .errors import TLCourseError, UserInputError, printable
from .exported import (
    CARD,
    FORMAT,
    LABELS,
    RECORD,
    VARIANTS,
    ExportedModel,
    KerasEngine,
    engine_of,
    load_exported,
)
from .features import engines, features
from .features.pictures import Pictures
from .files import as_path, sha256, unfinished_folder
from .model_card import model_card
from .models.backbones import PretrainedModel
from .models.conversion import convert
from .models.recipes import RECIPES
from .output_folder import check_output_folder
from .training.classifiers import FineTuned
from .training.evaluation import interval
from .training.probe import LinearProbe

if TYPE_CHECKING:
    import keras

MOST_DIFFERENCE = 1e-3  # of a probability, between Keras and float32 LiteRT
SUREST_MISTAKES = 10  # that the record names


def export(
    trained: FineTuned | LinearProbe,
    folder: str | PathLike,
    dataset: Dataset,
    model: PretrainedModel | None = None,
    licence: str | None = None,
    about: dict | None = None,
) -> ExportedModel:
    """Write a trained network into a new folder, and judge every file in it by the test pictures.

    Written are model.keras (pixels [0, 255] → probabilities, preprocessing inside; Keras alone loads it),
    model.tflite (the same for LiteRT, float32), model_int8.tflite (weights as 8-bit whole numbers, "dynamic range"),
    labels.txt (a class a line, in the order of the outputs), record.json (all that was measured) and MODEL_CARD.md
    (M. Mitchell and others, "Model Cards for Model Reporting", 2019), written from the record. A float32 file must
    agree with Keras to 1e-3; an int8 file whose accuracy lies below the 95 % interval of Keras' is left out, and the
    card says so. The folder is there as a whole, or not at all.

    Args:
        trained: what `fine_tune` or `train_classifier` gave.
        folder: a new one, or one that is empty.
        dataset: what it learned from; its test pictures, which took no part, are the judge.
        model: for a classifier of `train_classifier`: the pretrained model whose `extract_features` it was given.
        licence: of the pictures; None: what the data set's card says.
        about: what else the record should say, ready for JSON.

    Raises:
        UserInputError: the folder holds something, there are no test pictures, or the network is none that sees.
        TLCourseError: the folder cannot be written, or a written file disagrees with Keras. Nothing is left then.
    """
    goal = as_path(folder)
    _check(trained, dataset, licence)
    check_output_folder(goal)
    started, network = time.perf_counter(), _whole(trained, model)
    try:
        with unfinished_folder(goal) as inside:
            record = {
                **(about or {}),
                **_write(inside, network, trained, dataset, licence),
            }
            record["made"]["seconds"] = round(time.perf_counter() - started, 1)
            _write_text(
                inside / RECORD, json.dumps(record, indent=2, ensure_ascii=False)
            )
            _write_text(inside / CARD, model_card(record))
            _put(inside, goal)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise TLCourseError(
                f"Another job has written to {goal} meanwhile; nothing of it was overwritten. Choose another folder: "
                "what was computed is kept, so the same call is quick."
            ) from error
        raise TLCourseError(
            f"The export could not be written to {goal} ({error.strerror or error}). Nothing was left there. Make "
            "room, or choose another folder."
        ) from error
    return load_exported(goal)


def _check(
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    licence: str | None,
) -> None:
    """Whatever can be refused before the work is."""
    if not isinstance(trained, FineTuned | LinearProbe):
        raise UserInputError(
            f"export was given {type(trained).__name__}; expected what tl.fine_tune or "
            "tl.train_classifier gave."
        )
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {validation.shown(dataset)}; expected a data set of tl.datasets.from_folder or "
            "tl.load_dataset: its test pictures are the judge."
        )
    if licence is not None:
        validation.text("licence", licence)
    if getattr(trained, "input_size", ()) is None:
        raise UserInputError(
            "This network reads sentences; export writes networks that see. trained.model.save('name.keras') keeps "
            "it."
        )
    if not len(dataset.test):
        raise UserInputError(
            f"{dataset.name} has no test pictures, so nothing can be said of what is exported. Each class needs three "
            "different pictures or more: one to learn from, one to choose by, one to be judged by."
        )


def _whole(
    trained: FineTuned | LinearProbe, model: PretrainedModel | None
) -> "keras.Model":
    """The network from pixels to probabilities, as one `keras.Model`."""
    if not isinstance(trained, LinearProbe):
        return trained.model
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            "A linear probe takes features, and an export takes pictures: give the pretrained model that made them, "
            "tl.export(classifier, folder, dataset, model=model)."
        )
    network, head = model.copy_network(), trained.as_head()
    import keras

    if network.output_shape[-1] != head.kernel.shape[0]:
        raise UserInputError(
            f"The classifier was trained on {head.kernel.shape[0]:,} features, {model.name} gives "
            f"{network.output_shape[-1]:,}. Give the model that made them; features of chosen blocks are not exported."
        )
    return keras.Model(
        network.inputs, head(network.output), name=f"{model.name}_with_probe"
    )


def _write(
    folder: Path,
    network: "keras.Model",
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    licence: str | None,
) -> dict:
    """Everything but record and card; the record."""
    size, judged = tuple(network.input_shape[1:3]), _Judge(trained, dataset)
    network.save(folder / VARIANTS["keras"])
    engines.drop_all()  # conversion needs the memory more
    keras_engine = engine_of(
        folder / VARIANTS["keras"], len(trained.classes_), size
    )  # what the file holds
    reference = judged.of(keras_engine, size)
    files, left_out = {VARIANTS["keras"]: reference}, {}
    for variant in ("float32", "int8"):
        path = folder / VARIANTS[variant]
        path.write_bytes(
            convert(cast(KerasEngine, keras_engine).network, int8=variant == "int8")
        )
        found = judged.of(engine_of(path, len(trained.classes_), size), size)
        if variant == "float32" and found.difference(reference) > MOST_DIFFERENCE:
            raise TLCourseError(
                f"The LiteRT file disagrees with Keras by {found.difference(reference):.2g} on the test pictures; "
                f"expected at most {MOST_DIFFERENCE:g}. Nothing was written; network.save('name.keras') keeps the "
                "network."
            )
        if variant == "int8" and found.accuracy < judged.interval(reference)[0]:
            left_out[path.name] = (
                f"with 8-bit weights it is right for {found.accuracy:.1%} of the test pictures instead of "
                f"{reference.accuracy:.1%}"
            )
            path.unlink()
            continue
        files[path.name] = found
    _write_text(folder / LABELS, "\n".join(map(printable, trained.class_names)) + "\n")
    return {
        "format": FORMAT,
        "class_names": trained.class_names,
        "classes": trained.classes_.tolist(),
        "input": {"height": size[0], "width": size[1], **_depth(dataset)},
        "backbone": _backbone(network.name),
        "data": _data(dataset, licence),
        "training": _training(trained),
        "test": judged.record(reference),
        "files": {
            name: _file(folder / name, found, reference)
            for name, found in files.items()
        },
        "left_out": left_out,
        "made": _made(),
    }


def _depth(dataset: Dataset) -> dict[str, int]:
    """The bit depth by which 16-bit pictures were scaled that do not state theirs; nothing where there are none."""
    depths = [
        split.images.depth.bits
        for split in dataset.splits.values()
        if isinstance(split.images, Pictures)
    ]
    return {"bits": max(depth for depth in depths if depth)} if any(depths) else {}


@dataclass(frozen=True)
class _Judgement:
    """What one file says of the test pictures: float32 (n, classes), how often that is right, and its speed."""

    probabilities: np.ndarray
    accuracy: float
    pictures_per_second: float

    def difference(self, other: "_Judgement") -> float:
        return float(np.abs(self.probabilities - other.probabilities).max())

    def agreement(self, other: "_Judgement") -> float:
        return float(
            np.mean(
                self.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)
            )
        )


class _Judge:
    """The test pictures of a data set, and what is right about them."""

    def __init__(
        self, trained: FineTuned | LinearProbe, dataset: Dataset
    ) -> None:
        self._test, self._names = dataset.test, trained.class_names
        named = trained.classes_.dtype.kind == "U"
        labels = dataset.test.label_names if named else dataset.test.labels
        self._positions = trained.positions(labels, len(labels))
        train = dataset.train.label_names if named else dataset.train.labels
        self._train = np.bincount(
            trained.positions(train, len(train)), minlength=len(self._names)
        )

    def of(self, engine: engines.PictureEngine, size: tuple[int, int]) -> _Judgement:
        features.compute(engine, self._test.images[:1], size)  # starts it
        start = time.perf_counter()
        probabilities = features.compute(
            engine, self._test.images, size, describe="Judging"
        )
        seconds = time.perf_counter() - start
        right = float(np.mean(probabilities.argmax(axis=1) == self._positions))
        return _Judgement(probabilities, right, len(self._test) / seconds)

    def interval(self, judgement: _Judgement) -> tuple[float, float]:
        return interval(round(judgement.accuracy * len(self._test)), len(self._test))

    def record(self, judgement: _Judgement) -> dict:
        """What the model card says of the test pictures."""
        predicted, sure = (
            judgement.probabilities.argmax(axis=1),
            judgement.probabilities.max(axis=1),
        )
        most_frequent, wrong = int(self._train.argmax()), predicted != self._positions
        surest = np.flatnonzero(wrong)[np.argsort(-sure[wrong], kind="stable")][
            :SUREST_MISTAKES
        ]
        counts = (
            np.bincount(rows, minlength=len(self._names))
            for rows in (self._positions, self._positions[~wrong])
        )
        pairs = Counter(
            zip(self._positions[wrong].tolist(), predicted[wrong].tolist(), strict=True)
        )
        return {
            "pictures": len(self._test),
            "right": int(np.sum(~wrong)),
            "accuracy": judgement.accuracy,
            "interval": list(self.interval(judgement)),
            "most_frequent": self._names[most_frequent],
            "baseline": float(np.mean(self._positions == most_frequent)),
            "classes": {
                name: {"pictures": int(pictures), "right": int(right)}
                for name, pictures, right in zip(self._names, *counts, strict=True)
            },
            "mistakes": [
                [self._names[true], self._names[said], count]
                for (true, said), count in pairs.most_common(SUREST_MISTAKES)
            ],
            "surest_mistakes": [
                {
                    "picture": self._name(int(row)),
                    "true": self._names[self._positions[row]],
                    "said": self._names[predicted[row]],
                    "probability": round(float(sure[row]), 4),
                }
                for row in surest
            ],
        }

    def _name(self, row: int) -> str:
        """A picture's class folder and file, or its place: nothing of where it lies on this machine."""
        paths = getattr(self._test.images, "paths", None)
        return (
            printable(Path(*paths[row].parts[-2:]).as_posix())
            if paths
            else f"test picture {row}"
        )


def _backbone(name: str) -> dict:
    """What the network began as."""
    known = next((known for known in RECIPES if name.startswith(known)), None)
    if known is None:
        return {"name": name, "source": "trained from scratch", "top1": None}
    return {"name": known, "source": RECIPES[known].source, "top1": RECIPES[known].top1}


def _data(dataset: Dataset, licence: str | None) -> dict:
    size, source = len(dataset.class_names), dataset.card.source
    counts = {
        name: np.bincount(split.labels, minlength=size).tolist()
        for name, split in dataset.splits.items()
    }
    return {
        "name": printable(dataset.name),
        "source": printable(Path(source).name)
        if os.path.exists(source)
        else source,  # no path of this machine
        "licence": licence or dataset.card.licence,
        "pictures": {
            name: dict(zip(dataset.class_names, count, strict=True))
            for name, count in counts.items()
        },
        "left_out": len(dataset.skipped),
    }


def _training(trained: FineTuned | LinearProbe) -> dict:
    if isinstance(trained, LinearProbe):
        return {
            "method": "linear probe",
            "C": trained.C_,
            "cross_validated": trained.cross_validated_accuracy_,
        }
    kept = (
        "from_block",
        "augmentations",
        "rows",
        "settings",
        "seconds",
        "probe",
        "best_epoch",
    )
    return {
        "method": "fine-tuned",
        **{name: trained.record[name] for name in kept if name in trained.record},
    }


def _file(path: Path, found: _Judgement, reference: _Judgement) -> dict:
    return {
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "accuracy": found.accuracy,
        "agreement": found.agreement(reference),
        "largest_difference": found.difference(reference),
        "pictures_per_second": round(found.pictures_per_second, 1),
    }


def _made() -> dict:
    versions = {}
    for name in (
        "tlcourse",
        "keras",
        "tensorflow-cpu",
        "tensorflow",
        "ai-edge-litert",
        "pillow",
        "numpy",
    ):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": engines.processors(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(printable(text, lines=True), encoding="utf-8")


def _put(folder: Path, goal: Path) -> None:
    """The finished folder in its place, at once."""
    folder.chmod(0o755)
    if goal.is_dir():
        goal.rmdir()  # empty, or this fails and nothing is lost
    folder.rename(goal)
