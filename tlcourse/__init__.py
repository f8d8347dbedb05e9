"""tlcourse: transfer learning on the machine you have.

    import tlcourse as tl

    model = tl.load_pretrained_model()
    features = model.extract_features(new_images)
    new_classifier = tl.train_classifier(features, new_labels)

The names below are loaded when they are first used.
"""

# ruff: noqa: F401
import os as _os
import typing as _typing
from importlib import import_module as _import_module

# Read when TensorFlow is imported: only errors are logged.
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

_NAMES = {  # public name → its module
    "load_pretrained_model": "models.load",
    "list_pretrained_models": "models.load",
    "PretrainedModel": "models.vision",
    "PretrainedTextModel": "models.text",
    "PretrainedQuestionAnswering": "models.question_answering",
    "PretrainedSpeechModel": "models.speech",
    "load_dataset": "datasets",
    "list_datasets": "datasets",
    "train_classifier": "training.probe",
    "LinearProbe": "training.probe",
    "fine_tune": "training.fine_tune",
    "FineTuned": "training.classifiers",
    "prepare_fine_tuning": "training.fine_tune",
    "Preparation": "training.preparation",
    "fit_bar": "training.fit_bar",
    "freeze": "training.freezing",
    "unfreeze": "training.freezing",
    "export": "exporting",
    "load_exported": "predict",
    "ExportedModel": "predict",
    "results": "cards",
    "grad_cam": "training.grad_cam",
    "augment": "features.augment",
    "learning_curve": "training.learning_curves",
    "LearningCurve": "training.learning_curves",
    "ConfusionMatrix": "training.evaluation",
    "check": "exercises",
}
_MODULES = {
    "datasets": "datasets",
    "pictures": "features.pictures",
    "audio": "features.audio",
    "errors": "errors",
    "show": "plots",
    "checks": "checks",
    "distributed": "distributed",
    "widgets": "widgets",
}

__all__ = [*_NAMES, *_MODULES]


if _typing.TYPE_CHECKING:  # the same names, for editors and type checkers
    from . import checks, datasets, distributed, errors, plots, widgets
    from .cards import results
    from .datasets import list_datasets, load_dataset
    from .exercises import check
    from .exporting import export
    from .features import audio, pictures
    from .features.augment import augment
    from .models.load import list_pretrained_models, load_pretrained_model
    from .models.question_answering import PretrainedQuestionAnswering
    from .models.speech import PretrainedSpeechModel
    from .models.text import PretrainedTextModel
    from .models.vision import PretrainedModel
    from .predict import ExportedModel, load_exported
    from .training.classifiers import FineTuned
    from .training.evaluation import ConfusionMatrix
    from .training.fine_tune import fine_tune, prepare_fine_tuning
    from .training.fit_bar import fit_bar
    from .training.freezing import freeze, unfreeze
    from .training.grad_cam import grad_cam
    from .training.learning_curves import LearningCurve, learning_curve
    from .training.preparation import Preparation
    from .training.probe import LinearProbe, train_classifier

    show = plots
else:

    def __getattr__(name: str) -> object:
        if name in _NAMES:
            value = getattr(_import_module(f".{_NAMES[name]}", __name__), name)
        elif name in _MODULES:
            value = _import_module(f".{_MODULES[name]}", __name__)
        else:
            raise AttributeError(
                f"tlcourse has no {name!r}. It has: {', '.join(__all__)}."
            )
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
