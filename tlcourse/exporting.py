"""A trained network → a folder with files for Keras and ONNX, labels, record and card.

Each file is compared with the Keras network on the test set before it counts as done.
"""

import json
import time
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import model_card, validation
from .datasets.core import Dataset, Split
from .errors import TLCourseError, UserInputError, printable
from .exported import (
    CARD,
    FORMAT,
    LABELS,
    RECORD,
    VARIANTS,
    ExportedModel,
    load_exported,
    open_engine,
)
from .features import engine as engines
from .features.compute import compute
from .features.pictures import one_picture, resize
from .files import as_path, sha256, unfinished_folder
from .folders import check_output_folder
from .litert import check_installed, write_litert
from .models import onnx_file
from .models.conversion import to_onnx
from .models.vision import PretrainedModel
from .training.classifiers import FineTuned
from .training.evaluation import ConfusionMatrix, interval
from .training.new_head import with_classifier
from .training.probe import LinearProbe

if TYPE_CHECKING:
    import keras

LARGEST_DIFFERENCE = 1e-3  # of a probability, between Keras and a float32 file
CALIBRATION_PICTURES = 96  # of the training set, always the same ones
LISTED_MISTAKES = 10
LITERT = "model.tflite"


def export(
    trained: FineTuned | LinearProbe,
    folder: str | PathLike,
    dataset: Dataset,
    model: PretrainedModel | None = None,
    licence: str | None = None,
    about: dict | None = None,
    litert: bool = False,
) -> ExportedModel:
    """Write a trained network into a new folder, each file evaluated on the test set.

    Written are model.keras (pixels [0, 255] → probabilities, preprocessing inside;
    Keras alone loads it), model.onnx (the same, float32), model_int8.onnx (8-bit
    weights and activations, calibrated on training pictures), labels.txt (a class per
    line, in the order of the outputs), record.json (all that was measured) and
    MODEL_CARD.md (M. Mitchell et al., "Model Cards for Model Reporting", 2019).

    A float32 file must agree with Keras to 1e-3; an int8 file whose accuracy lies below
    the 95 % confidence interval of Keras' is left out, and the card says so. The folder
    is written as a whole, or not at all.

    Parameters
    ----------
    trained : FineTuned or LinearProbe
        From `tl.fine_tune` or `tl.train_classifier`.
    folder : path
        A new one, or one that is empty.
    dataset : Dataset
        What it was trained on; its test set took no part.
    model : PretrainedModel, optional
        For a linear probe: the model whose `extract_features` it was trained on.
    licence : str, optional
        Of the pictures; by default what the data set's card says.
    about : dict, optional
        What else the record should hold, ready for JSON.
    litert : bool
        Also write model.tflite, by TensorFlow's converter; needs the extra "litert".

    Returns
    -------
    ExportedModel

    Raises
    ------
    UserInputError
        The folder holds something, there is no test set, or the network is for text.
    TLCourseError
        The folder cannot be written, or a file disagrees with Keras; nothing is left.
    WeightsUnavailable
        LiteRT is asked for and not installed.
    """
    path = as_path(folder)
    _check(trained, dataset, licence, about)
    if validation.flag("litert", litert):
        check_installed()
    check_output_folder(path)
    start, network = time.perf_counter(), with_classifier(trained, model)
    try:
        with unfinished_folder(path) as inside:
            record = (about or {}) | _write(inside, network, trained, dataset, litert)
            record["backbone"] = model_card.about_backbone(network.name)
            record["data"] = model_card.about_data(dataset, licence)
            record["training"] = model_card.about_training(trained)
            seconds = round(time.perf_counter() - start, 1)
            record["made"] = model_card.provenance() | {"seconds": seconds}
            text = json.dumps(record, indent=2, ensure_ascii=False)
            _write_text(inside / RECORD, text)
            _write_text(inside / CARD, model_card.model_card(record))
            inside.chmod(0o755)
            if path.is_dir():
                path.rmdir()  # empty, or this fails and nothing is lost
            inside.rename(path)
    except OSError as error:
        raise TLCourseError(
            f"The export could not be written to {path} ({error.strerror or error}). "
            "Nothing was left there, and nothing overwritten. Choose another folder."
        ) from error
    return load_exported(path)


def _check(
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    licence: str | None,
    about: dict | None,
) -> None:
    """Refuse whatever can be refused before the work."""
    if not isinstance(trained, FineTuned | LinearProbe):
        raise UserInputError(
            f"export was given {type(trained).__name__}; expected the result of "
            "tl.fine_tune or tl.train_classifier."
        )
    if getattr(trained, "input_size", ()) is None:
        raise UserInputError(
            "This network is for text; export writes networks for pictures. "
            "trained.model.save('name.keras') saves it."
        )
    validation.text("licence", "" if licence is None else licence)
    try:
        json.dumps(dict(about or {}))
    except (TypeError, ValueError) as error:
        raise UserInputError(
            f"about is {validation.shown(about)}; expected a dict for JSON ({error})."
        ) from None
    if not isinstance(dataset, Dataset) or not len(dataset.test):
        raise UserInputError(
            f"dataset is {validation.shown(dataset)}; expected one with a test set."
        )


class _Evaluation(NamedTuple):
    """One file on the test set."""

    probabilities: np.ndarray
    pictures_per_second: float

    def difference(self, other: "_Evaluation") -> float:
        return float(np.abs(self.probabilities - other.probabilities).max())

    def share(self, labels: np.ndarray) -> float:
        """How often it predicts these positions among the classes."""
        return float(np.mean(self.probabilities.argmax(axis=1) == labels))


def _write(
    folder: Path,
    network: "keras.Model",
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    litert: bool,
) -> dict:
    """Write the network and its labels; returns what the record says of them."""
    height, width = size = network.input_shape[1:3]
    names = trained.class_names
    train, true = (_positions(trained, part) for part in (dataset.train, dataset.test))

    def evaluate(path: Path) -> _Evaluation:
        return evaluate_engine(open_engine(path, len(names), size))

    def evaluate_engine(engine: engines.Engine) -> _Evaluation:
        images = dataset.test.images
        compute(engine, images[:1], size)  # starts it
        start = time.perf_counter()
        probabilities = compute(engine, images, size, describe="Evaluating")
        return _Evaluation(probabilities, len(images) / (time.perf_counter() - start))

    keras_file, float32, int8 = (
        folder / VARIANTS[variant] for variant in ("keras", "float32", "int8")
    )
    network.save(keras_file)
    engines.release_all()  # conversion needs the memory
    reference = evaluate(keras_file)
    float32.write_bytes(to_onnx(network))
    files, left_out = {keras_file: reference, float32: evaluate(float32)}, {}
    difference = files[float32].difference(reference)
    if difference > LARGEST_DIFFERENCE:
        raise TLCourseError(
            f"The ONNX file disagrees with Keras by {difference:.2g} on the test set; "
            "nothing was written. network.save('name.keras') keeps the network."
        )
    images = dataset.train.images
    rows = np.random.default_rng(0).permutation(len(images))[:CALIBRATION_PICTURES]
    pictures = (resize(np.asarray(one_picture(images[int(row)])), size) for row in rows)
    int8.write_bytes(onnx_file.quantize(float32.read_bytes(), pictures))
    quantized, test = evaluate(int8), _about_test(dataset, names, true, reference)
    if quantized.share(true) < test["interval"][0]:
        int8.unlink()
        left_out[int8.name] = (
            f"in int8 its test accuracy is {quantized.share(true):.1%} instead of "
            f"{reference.share(true):.1%}"
        )
    else:
        files[int8] = quantized
    if litert:
        files[folder / LITERT] = evaluate_engine(write_litert(folder / LITERT, network))
    _write_text(folder / LABELS, "\n".join(map(printable, names)) + "\n")
    majority = np.bincount(train).argmax()
    baseline = float(np.mean(true == majority))
    test |= {"most_frequent": names[majority], "baseline": baseline}
    kept = reference.probabilities.argmax(axis=1)
    return {
        "format": FORMAT,
        "class_names": names,
        "classes": trained.classes_.tolist(),
        "input": {"height": height, "width": width, "bits": dataset.bits},
        "test": test,
        "files": {
            path.name: {
                "bytes": path.stat().st_size,
                "sha256": sha256(path),
                "accuracy": one.share(true),
                "agreement": one.share(kept),
                "largest_difference": one.difference(reference),
                "pictures_per_second": round(one.pictures_per_second, 1),
            }
            for path, one in files.items()
        },
        "left_out": left_out,
    }


def _positions(trained: FineTuned | LinearProbe, split: Split) -> np.ndarray:
    """The positions of a split's labels among the classes."""
    is_text = trained.classes_.dtype.kind == "U"
    labels = split.label_names if is_text else split.labels
    return trained.positions(labels, len(labels))


def _about_test(
    dataset: Dataset, names: list[str], true: np.ndarray, evaluation: _Evaluation
) -> dict:
    """What the card says of the test set; `true` are positions among the `names`."""
    probability = evaluation.probabilities.max(axis=1)
    predicted = evaluation.probabilities.argmax(axis=1)
    wrong, matrix = predicted != true, ConfusionMatrix.of(true, predicted, names)
    surest = np.flatnonzero(wrong)[np.argsort(-probability[wrong], kind="stable")]
    tested, right = (
        part.tolist() for part in (matrix.counts.sum(axis=1), matrix.counts.diagonal())
    )
    return {
        "pictures": len(true),
        "right": sum(right),
        "accuracy": matrix.accuracy,
        "interval": list(interval(sum(right), len(true))),
        "classes": {
            name: {"pictures": one, "right": other}
            for name, one, other in zip(names, tested, right, strict=True)
        },
        "mistakes": matrix.worst(LISTED_MISTAKES),
        "surest_mistakes": [
            {
                "picture": dataset.test.picture_name(int(row)),
                "true": names[true[row]],
                "predicted": names[predicted[row]],
                "probability": round(float(probability[row]), 4),
            }
            for row in surest[:LISTED_MISTAKES]
        ],
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(printable(text, lines=True), encoding="utf-8")
