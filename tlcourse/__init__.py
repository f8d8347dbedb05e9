"""tlcourse: transfer learning on the machine you have.

    import tlcourse as tl

    model = tl.load_pretrained_model()
    features = model.extract_features(new_images)
    new_classifier = tl.train_classifier(features, new_labels)

The names below are loaded when they are first used, so that importing the package costs next to nothing.
"""

import os as _os
from importlib import import_module as _import_module

_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported: only errors are logged

__version__ = "0.1.0"

_PLACES = {
    "load_pretrained_model": "backbones",
    "list_pretrained_models": "backbones",
    "PretrainedModel": "backbones",
    "PretrainedTextModel": "text_models",
    "load_dataset": "datasets",
    "list_datasets": "datasets",
    "train_classifier": "heads",
    "LinearProbe": "linear_probe",
    "fine_tune": "finetuning",
    "FineTuned": "fine_tuned",
    "prepare_fine_tuning": "preparation",
    "Preparation": "preparation",
    "freeze": "freezing",
    "unfreeze": "freezing",
    "add_head": "new_head",
    "export": "exporting",
    "load_exported": "exported",
    "ExportedModel": "exported",
    "results": "evidence",
    "train_network": "small_networks",
    "train_text_network": "small_text_network",
    "grad_cam": "class_activation",
    "views_of": "features",
    "learning_curve": "learning_curves",
    "LearningCurve": "learning_curves",
    "Classifier": "heads",
    "ConfusionMatrix": "evaluation",
    "check": "exercises",
}
_ROOMS = {
    "datasets": "datasets",
    "pictures": "pictures",
    "errors": "errors",
    "show": "plots",
    "guards": "guards",
    "scale": "scale",
    "widgets": "widgets",
}

__all__ = [*_PLACES, *_ROOMS]


def __getattr__(name: str):
    if name in _PLACES:
        value = getattr(_import_module(f".{_PLACES[name]}", __name__), name)
    elif name in _ROOMS:
        value = _import_module(f".{_ROOMS[name]}", __name__)
    else:
        raise AttributeError(f"tlcourse has no {name!r}. It has: {', '.join(__all__)}.")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
