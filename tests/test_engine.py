"""Engines compute what Keras computes; converted networks are kept, checked, remade."""

import builtins
import pickle

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tolerances import assert_agree

import tlcourse as tl
from tlcourse.errors import DamagedFile
from tlcourse.features import engine as engines
from tlcourse.models import conversion, onnx_file
from tlcourse.models.conversion import compile_network
from tlcourse.native import import_tensorflow

SIZE = (24, 24)


def make_network(seed=0, name="small"):
    """What engines fold: preprocessing, convolution, batch norm, pooling."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    pixels = keras.Input((*SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(8, 3)(x)
    x = keras.layers.BatchNormalization(moving_mean_initializer="random_normal")(x)
    x = keras.layers.ReLU()(x)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name=name)


@pytest.fixture(scope="module")
def small():
    return make_network()


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(0).uniform(0, 255, (3, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module")
def converted(small):
    """The small network by Keras' export, which takes seconds: once for all tests."""
    return conversion.from_keras(small)


@pytest.fixture
def fresh(tmp_path, monkeypatch, converted):
    """An empty cache, on disk and in memory; the small network converts at once."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(engines, "_kept", {})
    monkeypatch.setattr(conversion, "from_keras", lambda network: converted)
    return tmp_path / "tlcourse-cache"


def test_a_digest_is_that_of_the_output_whatever_layers_are_called(small):
    import keras

    def dense(activation, name):
        pixels = keras.Input((2,), name=f"input_of_{name}")
        ones = keras.initializers.Ones()
        layer = keras.layers.Dense(2, activation, kernel_initializer=ones, name=name)
        return keras.Model(pixels, layer(pixels))

    relu, renamed = dense("relu", "relu"), dense("relu", "another")
    assert conversion.digest(relu) == conversion.digest(renamed)
    assert conversion.digest(relu) != conversion.digest(dense("tanh", "tanh"))
    assert conversion.digest(small) != conversion.digest(make_network(seed=1))


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
def test_an_engine_agrees_with_keras(small, batch, fresh, engine):
    if engine == "onnx":
        runner = compile_network(small)
    else:
        runner = engines.TensorFlowEngine(small, "small")
    assert engine in runner.key and runner.output_shape == (8,)
    assert_agree(runner.run(batch), small(batch, training=False))


def test_results_do_not_depend_on_batch_and_number_of_threads(photographs, monkeypatch):
    pictures, results = np.concatenate([photographs] * 2), []
    for workers in (1, 3):
        monkeypatch.setattr("tlcourse.features.compute.workers", lambda n=workers: n)
        model = tl.load_pretrained_model()
        results.append(model.extract_features(pictures, cache=False))
    assert_agree(*results, 1e-5)
    part = conversion.extract(
        conversion.bundled_path(model.name), ["features"], model.input_size
    )
    session = engines.new_session(part.SerializeToString())
    together = session.run(None, {"pixels": pictures.astype("float32")})[0]
    assert_agree(together, results[0], 1e-5)


def unconvertible(network):
    raise RuntimeError("No converter for this operator\nand more")


def test_a_network_that_does_not_convert_runs_in_tensorflow(
    small, batch, fresh, monkeypatch
):
    monkeypatch.setattr(conversion, "from_keras", unconvertible)
    with pytest.warns(UserWarning, match="No converter.*slower"):
        runner = compile_network(small)
    assert "tensorflow" in runner.key
    assert_agree(runner.run(batch), small(batch, training=False))


def test_a_network_is_converted_once(small, batch, fresh, monkeypatch, tmp_path):
    before = compile_network(small).run(batch)
    # From a class's cache, too.
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", str(fresh.parent))
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(conversion, "from_keras", unconvertible)
    monkeypatch.setattr(engines, "_kept", {})
    after = compile_network(small)
    assert "onnxruntime" in after.key
    np.testing.assert_array_equal(after.run(batch), before)


def test_an_engine_travels_with_its_file(small, batch, fresh):
    runner = compile_network(small)
    copy = pickle.loads(pickle.dumps(runner))
    np.testing.assert_array_equal(copy.run(batch), runner.run(batch))


def tiny(nodes, constants=(), **changes):
    """An ONNX file of these operators: x (1, 4) → y."""
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"
    )
    graph = helper.make_graph(nodes, "tiny", [x], [y], list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)


def external(location):
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


ADD = helper.make_node("Add", ["x", "w"], ["y"])
BRANCH = helper.make_graph([], "branch", [], [])
FUNCTION = helper.make_function(
    "mine", "f", ["a"], ["b"], [ADD], [helper.make_opsetid("", 17)]
)
HOSTILE = {
    "weights in another file": tiny([ADD], [external("w.bin")]),
    "weights in another file ": tiny([ADD], [external("/dev/zero")]),
    "operator mine.Add": tiny(
        [helper.make_node("Add", ["x", "x"], ["y"], domain="mine")]
    ),
    "operator Loop": tiny([helper.make_node("Loop", ["", ""], ["y"], body=BRANCH)]),
    "a network inside": tiny([helper.make_node("Add", ["x"], ["y"], body=BRANCH)]),
    "operator ConstantOfShape": tiny(
        [helper.make_node("ConstantOfShape", ["x"], ["y"])]
    ),
    "asks for": tiny(
        [helper.make_node("AveragePool", ["x"], ["y"], pads=[1 << 40] * 4)]
    ),
    "no network in it": tiny([]),
    "operators of its own": tiny([ADD], functions=[FUNCTION]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_before_it_is_run(kind, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(HOSTILE[kind].SerializeToString())
    opened, really_open = [], builtins.open

    def watched(file, *arguments, **options):
        opened.append(str(file))
        return really_open(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(engines, "new_session", lambda source: pytest.fail("run"))
    with pytest.raises(DamagedFile, match=kind.strip()):
        onnx_file.check_foreign(path)
    assert not {name for name in opened if "w.bin" in name or "/dev" in name}
