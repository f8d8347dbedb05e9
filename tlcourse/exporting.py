"""A trained network → a folder with files for Keras and ONNX, labels, record and card.

Each file is compared with the Keras network on the test set before it counts as done.
"""

import errno
import json
import threading
import time
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import export_record, validation
from .datasets.core import Dataset
from .errors import (
    TLCourseError,
    UserInputError,
    WeightsUnavailable,
    how_to_install,
    printable,
)
from .export_record import Evaluation, TestSet
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
from .features.pictures import one_picture, resize
from .files import as_path, unfinished_folder
from .folders import check_output_folder
from .model_card import model_card
from .models import onnx_file
from .models.conversion import to_onnx
from .models.vision import PretrainedModel
from .native import stderr_silenced
from .training.classifiers import FineTuned
from .training.probe import LinearProbe

if TYPE_CHECKING:
    import keras

LARGEST_DIFFERENCE = 1e-3  # of a probability, between Keras and a float32 file
CALIBRATION_PICTURES = 96  # of the training set
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
    """
    path = as_path(folder)
    _check(trained, dataset, licence, litert)
    check_output_folder(path)
    start, network = time.perf_counter(), _whole_network(trained, model)
    try:
        with unfinished_folder(path) as inside:
            record = (about or {}) | _write(inside, network, trained, dataset, litert)
            record["data"]["licence"] = licence or dataset.card.licence
            record["made"]["seconds"] = round(time.perf_counter() - start, 1)
            text = json.dumps(record, indent=2, ensure_ascii=False)
            _write_text(inside / RECORD, text)
            _write_text(inside / CARD, model_card(record))
            inside.chmod(0o755)
            if path.is_dir():
                path.rmdir()  # empty, or this fails and nothing is lost
            inside.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise TLCourseError(
                f"Another job has written to {path} meanwhile; nothing of it was "
                "overwritten. Choose another folder: the same call is quick, as what "
                "was computed is kept."
            ) from error
        raise TLCourseError(
            f"The export could not be written to {path} ({error.strerror or error}). "
            "Nothing was left there. Make room, or choose another folder."
        ) from error
    return load_exported(path)


def _check(
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    licence: str | None,
    litert: bool,
) -> None:
    """Refuse whatever can be refused before the work."""
    if not isinstance(trained, FineTuned | LinearProbe):
        raise UserInputError(
            f"export was given {type(trained).__name__}; expected the result of "
            "tl.fine_tune or tl.train_classifier."
        )
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {validation.shown(dataset)}; expected a data set of "
            "tl.datasets.from_folder or tl.load_dataset."
        )
    if licence is not None:
        validation.text("licence", licence)
    if getattr(trained, "input_size", ()) is None:
        raise UserInputError(
            "This network is for text; export writes networks for pictures. "
            "trained.model.save('name.keras') saves it."
        )
    if not len(dataset.test):
        raise UserInputError(
            f"{dataset.name} has no test set, so the export cannot be evaluated. Each "
            "class needs three different pictures or more: for training, validation "
            "and test set."
        )
    if validation.flag("litert", litert):
        try:
            import ai_edge_litert.interpreter  # noqa: F401
        except ImportError:
            raise WeightsUnavailable(
                f"LiteRT is not installed. {how_to_install('litert')}."
            ) from None


def _whole_network(
    trained: FineTuned | LinearProbe, model: PretrainedModel | None
) -> "keras.Model":
    """The network from pixels to probabilities, as one `keras.Model`."""
    if not isinstance(trained, LinearProbe):
        return trained.model
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            "A linear probe takes features, and an export takes pictures: give the "
            "pretrained model, tl.export(classifier, folder, dataset, model=model)."
        )
    network, head = model.copy_network(), trained.as_head()
    import keras

    if network.output_shape[-1] != head.kernel.shape[0]:
        raise UserInputError(
            f"The classifier was trained on {head.kernel.shape[0]:,} features, "
            f"{model.name} has {network.output_shape[-1]:,}. Give the model whose "
            "features it was trained on; features of chosen blocks are not exported."
        )
    name = f"{model.name}_with_probe"
    return keras.Model(network.inputs, head(network.output), name=name)


def _write(
    folder: Path,
    network: "keras.Model",
    trained: FineTuned | LinearProbe,
    dataset: Dataset,
    litert: bool,
) -> dict:
    """Write everything but record and card; returns the record."""
    height, width = network.input_shape[1:3]
    size, test = (height, width), TestSet(trained, dataset)

    def evaluate(path: Path) -> Evaluation:
        return test.evaluate(open_engine(path, len(trained.classes_), size), size)

    keras_file, float32, int8 = (
        folder / VARIANTS[variant] for variant in ("keras", "float32", "int8")
    )
    network.save(keras_file)
    engines.release_all()  # conversion needs the memory
    reference = evaluate(keras_file)
    files, left_out = {keras_file: reference}, {}
    float32.write_bytes(to_onnx(network))
    files[float32] = evaluate(float32)
    difference = files[float32].difference(reference)
    if difference > LARGEST_DIFFERENCE:
        raise TLCourseError(
            f"The ONNX file disagrees with Keras by {difference:.2g} on the test set; "
            f"expected at most {LARGEST_DIFFERENCE:g}. Nothing was written; "
            "network.save('name.keras') keeps the network."
        )
    pictures = _calibration_pictures(dataset, size)
    int8.write_bytes(onnx_file.quantize(float32.read_bytes(), pictures))
    quantized = evaluate(int8)
    if quantized.accuracy < test.interval(reference)[0]:
        int8.unlink()
        left_out[int8.name] = (
            f"in int8 its test accuracy is {quantized.accuracy:.1%} instead of "
            f"{reference.accuracy:.1%}"
        )
    else:
        files[int8] = quantized
    if litert:
        files[folder / LITERT] = _write_litert(folder / LITERT, network, test, size)
    names = map(printable, trained.class_names)
    _write_text(folder / LABELS, "\n".join(names) + "\n")
    return {
        "format": FORMAT,
        "class_names": trained.class_names,
        "classes": trained.classes_.tolist(),
        "input": {"height": height, "width": width, **export_record.bit_depth(dataset)},
        "backbone": export_record.backbone(network.name),
        "data": export_record.data(dataset),
        "training": export_record.training(trained),
        "test": test.record(reference),
        "files": {
            path.name: evaluation.record(path, reference)
            for path, evaluation in files.items()
        },
        "left_out": left_out,
        "made": export_record.provenance(),
    }


def _calibration_pictures(dataset: Dataset, size: tuple[int, int]) -> list[np.ndarray]:
    """Training pictures, without their labels, always the same ones."""
    images = dataset.train.images
    count = min(CALIBRATION_PICTURES, len(images))
    rows = np.random.default_rng(0).permutation(len(images))[:count]
    return [resize(np.asarray(one_picture(images[int(row)])), size) for row in rows]


def _write_litert(
    path: Path, network: "keras.Model", test: TestSet, size: tuple[int, int]
) -> Evaluation:
    """Write a LiteRT file by TensorFlow's converter, and evaluate it."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    with stderr_silenced():
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        path.write_bytes(converter.convert())
        interpreter = Interpreter(str(path), num_threads=engines.workers())
    predict, lock = interpreter.get_signature_runner(), threading.Lock()
    (name,), (output,) = predict.get_input_details(), predict.get_output_details()

    class LiteRT:
        batch, key, output_shape = 1, path.name, (len(test.names),)

        @staticmethod
        def run(batch: np.ndarray) -> np.ndarray:
            with lock:
                return predict(**{name: batch})[output]

    return test.evaluate(LiteRT(), size)


def _write_text(path: Path, text: str) -> None:
    path.write_text(printable(text, lines=True), encoding="utf-8")
