"""A trained network → a folder with files for Keras and ONNX, labels, record and card.

Each file is compared with the Keras network on the test set before it counts as done.
"""

import json
import time
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import model_card, validation
from .datasets.core import Dataset, Split
from .errors import TLCourseError, UserInputError, convert_errors, printable
from .export_record import CARD, FORMAT, LABELS, RECORD, RECORDED, VARIANTS, labels_text
from .features import engine as engines
from .features.compute import compute
from .features.decoding import BitDepth
from .features.pictures import one_picture
from .features.resizing import InputSize, prepare
from .files import as_path, sha256, unfinished_folder
from .folders import check_output_folder
from .litert import check_installed, write_litert
from .models import onnx_file
from .models.conversion import to_onnx
from .models.vision import PretrainedModel
from .predict import ExportedModel, load_exported, open_engine
from .training.classifiers import FineTuned
from .training.evaluation import interval
from .training.probe import LinearProbe

if TYPE_CHECKING:
    import keras

LARGEST_DIFFERENCE = 1e-3  # of a probability, between Keras and a float32 file
CALIBRATION_PICTURES = 96  # of the training set, always the same ones
KERAS, LITERT = "model.keras", "model.tflite"


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

    Examples
    --------
    >>> import tlcourse as tl
    >>> solar, model = tl.load_dataset("solar"), tl.load_pretrained_model()
    >>> features = model.extract_features(solar.train.images)  # doctest: +SKIP
    >>> probe = tl.train_classifier(features, solar.train.labels)  # doctest: +SKIP
    >>> tl.export(probe, "my_model", solar, model)  # doctest: +SKIP
    <my_model, float32: 224×224 pixels → 2 classes>
    """
    path = as_path(folder)
    _check(trained, dataset, licence, about)
    if validation.flag("litert", litert):
        check_installed()
    check_output_folder(path)
    start, network = time.perf_counter(), _whole_network(trained, model)
    what = f"The export could not be written to {path}"
    cure = "Nothing was left there, and nothing overwritten. Choose another folder."
    with (
        convert_errors(OSError, TLCourseError, what, cure),
        unfinished_folder(path) as inside,
    ):
        _, height, width, _ = network.input_shape
        made_with = trained if isinstance(trained, FineTuned) else model
        size = InputSize(height, width, getattr(made_with, "resize", "squash"))
        files = _write_files(inside, network, trained, dataset, size, litert)
        record = (about or {}) | files
        record["backbone"] = model_card.about_backbone(network.name)
        record["data"] = model_card.about_data(dataset, licence)
        record["training"] = model_card.about_training(trained)
        seconds = round(time.perf_counter() - start, 1)
        record["made"] = model_card.provenance() | {"seconds": seconds}
        _write_text(inside / RECORD, json.dumps(record, indent=2, ensure_ascii=False))
        _write_text(inside / CARD, model_card.model_card(record))
        if path.is_dir():
            path.rmdir()  # empty, or this fails and nothing is lost
        inside.rename(path)
    return load_exported(path)


def _check(
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    licence: str | None,
    about: dict | None,
) -> None:
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
    validation.text("licence", licence or "")
    if not isinstance(dataset, Dataset) or not len(dataset.test):
        raise UserInputError(
            f"dataset is {validation.shown(dataset)}; expected one with a test set."
        )
    about = {} if about is None else about
    what = f"about is {validation.shown(about)}, which JSON cannot hold"
    with convert_errors(Exception, UserInputError, what, "Expected a dict."):
        json.dumps({**about})
    if taken := RECORDED & about.keys():
        raise UserInputError(
            f"about has {', '.join(sorted(taken))}, which export itself writes into the "
            "record. Choose other names."
        )


def _whole_network(
    trained: FineTuned | LinearProbe, model: "PretrainedModel | None"
) -> "keras.Model":
    """What was trained, from pixels to probabilities, as one `keras.Model`."""
    if not isinstance(trained, LinearProbe):
        return trained.model
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            "A linear probe takes features, and an export takes pictures: give the "
            "pretrained model, tl.export(classifier, folder, dataset, model=model)."
        )
    network, head = model.copy_network(), trained.as_head()
    import keras  # not before TensorFlow was imported, without its log

    if network.output_shape[-1] != head.kernel.shape[0]:
        raise UserInputError(
            f"The classifier was trained on {head.kernel.shape[0]:,} features, "
            f"{model.name} has {network.output_shape[-1]:,}. Give its own model; "
            "features of chosen blocks are not exported."
        )
    outputs, name = head(network.output), f"{model.name}_with_probe"
    return keras.Model(network.inputs, outputs, name=name)


class _Evaluation(NamedTuple):
    """One file on the test set."""

    probabilities: np.ndarray  # (n, classes)
    pictures_per_second: float

    def difference(self, other: "_Evaluation") -> float:
        return float(np.abs(self.probabilities - other.probabilities).max())

    def accuracy(self, labels: np.ndarray) -> float:
        return float(np.mean(self.probabilities.argmax(axis=1) == labels))


def _write_files(
    folder: Path,
    network: "keras.Model",
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    input_size: InputSize,
    litert: bool,
) -> dict:
    """Write the network and its labels; returns what the record says of them."""
    size = input_size[:2]
    names, images = trained.class_names, dataset.test.images
    labels = _positions(trained, dataset.test)

    def evaluate(engine: engines.Engine) -> _Evaluation:
        compute(engine, images[:1], input_size)  # starts it
        start = time.perf_counter()
        probabilities = compute(engine, images, input_size, describe="Evaluating")
        return _Evaluation(probabilities, len(images) / (time.perf_counter() - start))

    import keras

    keras_file, *others = (folder / name for name in (KERAS, *VARIANTS.values()))
    float32, int8 = others
    files, left_out = {}, {}
    network.save(keras_file)
    engines.release_all()  # conversion needs the memory
    saved = keras.saving.load_model(keras_file, compile=False)
    files[keras_file] = exact = evaluate(engines.TensorFlowEngine(saved, KERAS))
    float32.write_bytes(to_onnx(network))
    files[float32] = evaluate(open_engine(float32, len(names), size))
    if (difference := files[float32].difference(exact)) > LARGEST_DIFFERENCE:
        raise TLCourseError(
            f"The ONNX file disagrees with Keras by {difference:.2g} on the test set; "
            "nothing was written. network.save('name.keras') keeps the network."
        )
    int8.write_bytes(
        onnx_file.quantize(
            float32.read_bytes(), _calibration_pictures(dataset.train, input_size)
        )
    )
    quantized = evaluate(open_engine(int8, len(names), size))
    accuracy = exact.accuracy(labels)
    lowest, _ = interval(round(accuracy * len(labels)), len(labels))
    if quantized.accuracy(labels) >= lowest:
        files[int8] = quantized
    else:
        int8.unlink()
        left_out[int8.name] = (
            f"in int8 its test accuracy is {quantized.accuracy(labels):.1%} instead of "
            f"{accuracy:.1%}"
        )
    if litert:
        files[folder / LITERT] = evaluate(write_litert(folder / LITERT, network))
    _write_text(folder / LABELS, labels_text(names))
    majority = np.bincount(_positions(trained, dataset.train)).argmax()
    predicted = exact.probabilities.argmax(axis=1)
    return {
        "format": FORMAT,
        "class_names": names,
        "classes": trained.classes_.tolist(),
        "input": {**input_size._asdict(), "bits": dataset.bits},
        "test": {
            **model_card.about_test(dataset.test, names, labels, exact.probabilities),
            "most_frequent": names[majority],
            "baseline": float(np.mean(labels == majority)),
        },
        "files": {
            path.name: {
                "bytes": path.stat().st_size,
                "sha256": sha256(path),
                "accuracy": one.accuracy(labels),
                "agreement": one.accuracy(predicted),
                "largest_difference": one.difference(exact),
                "pictures_per_second": round(one.pictures_per_second, 1),
            }
            for path, one in files.items()
        },
        "left_out": left_out,
    }


def _calibration_pictures(train: Split, size: InputSize) -> Iterator[np.ndarray]:
    rows = np.random.default_rng(0).permutation(len(train))[:CALIBRATION_PICTURES]
    for row in rows.tolist():
        picture = np.asarray(one_picture(train.images[row]))
        yield prepare(picture, size, "the picture", BitDepth())


def _positions(trained: FineTuned | LinearProbe, split: Split) -> np.ndarray:
    """The positions of a split's labels among the classes."""
    is_text = trained.classes_.dtype.kind == "U"
    labels = split.label_names if is_text else split.labels
    return trained.positions(labels, len(labels))


def _write_text(path: Path, text: str) -> None:
    path.write_text(printable(text, lines=True), encoding="utf-8")
