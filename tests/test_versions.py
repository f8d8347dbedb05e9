"""What `make matrix` has found on other versions of packages stays mended."""

import sys
import warnings
from types import ModuleType

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tlcourse import datasets
from tlcourse.errors import DatasetUnavailable
from tlcourse.training.probe import train_classifier


def test_what_scikit_learn_asks_of_a_newer_scipy_is_not_the_learners_affair(
    monkeypatch,
):
    """Colab has scikit-learn 1.6 and SciPy 1.16, which warns of two options that the former still gives."""
    fit = LogisticRegression.fit

    def warning(*arguments, **options):
        message = "scipy.optimize: The `disp` and `iprint` options of the L-BFGS-B solver are deprecated"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return fit(*arguments, **options)

    monkeypatch.setattr(LogisticRegression, "fit", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            train_classifier(np.eye(6, dtype=np.float32), [0, 1, 0, 1, 0, 1])
            is not None
        )


class MadeForNewerProtobuf(ModuleType):
    """A module of tensorflow-metadata 1.21 where protobuf is 5, as TensorFlow 2.19 wants it."""

    def __getattr__(self, name):
        raise RuntimeError("Detected incompatible Protobuf Gencode/Runtime versions")


@pytest.fixture
def protobuf_too_old(monkeypatch, no_packs):
    monkeypatch.setitem(
        sys.modules, "tensorflow_metadata.proto.v0", MadeForNewerProtobuf("v0")
    )


def test_where_tensorflow_datasets_does_not_start_its_sets_are_answered_with_the_cure(
    protobuf_too_old,
):
    with pytest.raises(DatasetUnavailable, match="tensorflow-metadata<1.18"):
        datasets.load_dataset("dogs")


def test_tensorflow_datasets_starts_here():
    assert datasets.downloaded.fault() is None
