"""Every engine gives what Keras gives; a converted network is kept, checked, and made again when it must be."""

import importlib
import logging

import numpy as np
import pytest

from tlcourse import freed_memory
from tlcourse.errors import UserInputError
from tlcourse.features import engines
from tlcourse.features.engines import LiteRTEngine, compile_network, digest
from tlcourse.features.pictures import resize
from tlcourse.models import backbones, conversion, published
from tlcourse.models.blocks import is_spatial, sort_into_blocks
from tlcourse.models.efficientnet_lite import SCALING, block_layers
from tlcourse.models.lite_file import bundled_lite, output_shape
from tlcourse.models.recipes import RECIPES
from tlcourse.tensorflow_start import import_tensorflow

FAMILIES = [name for name, recipe in RECIPES.items() if recipe.application]
AGREEMENT = 1e-4  # of the largest value, as the design asks


def pictures(size, count=2):
    return (
        np.random.default_rng(0).integers(0, 256, (count, *size, 3)).astype(np.float32)
    )


def bundled_engine(name, output, pooled=True):
    return LiteRTEngine(
        lambda: bundled_lite(name, output, pooled),
        "test",
        output_shape(name, output, pooled),
    )


def at_its_size(model, photographs):
    return np.stack(
        [resize(photograph, model.input_size) for photograph in photographs]
    ).astype(np.float32)


def run(engine, batch):
    return np.concatenate(
        [
            engine.run(batch[i : i + engine.batch])
            for i in range(0, len(batch), engine.batch)
        ]
    )


def assert_agree(found, expected):
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() <= AGREEMENT * np.abs(expected).max()


def make_network(seed=0, name="small"):
    """Everything that an engine folds: preprocessing, convolutions, batch norm, pooling."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    pixels = keras.Input((24, 24, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(8, 3)(x)
    x = keras.layers.BatchNormalization(moving_mean_initializer="random_normal")(x)
    x = keras.layers.ReLU()(x)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name=name)


@pytest.fixture(scope="module")
def small():
    return make_network()


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(engines, "_compiled", {})
    return tmp_path / "tlcourse-cache"


# Agreement with Keras


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """Each of Keras' networks with random weights, and what Keras says of a picture: (network, batch, features)."""
    import keras

    from tlcourse.tensorflow_start import import_tensorflow

    import_tensorflow()
    keras.utils.set_random_seed(0)
    application = RECIPES[request.param].application

    def untrained(recipe, name, weights, **options):
        return getattr(keras.applications, application)(
            weights=None, input_shape=(recipe.size, recipe.size, 3), **options
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "fetch_weights", lambda name, include_top: None)
        patch.setattr(published, "application", untrained)
        network = backbones.PretrainedModel(request.param).network
    batch = pictures(network.input_shape[1:3])
    return network, batch, network(batch, training=False).numpy()


@pytest.mark.slow
def test_litert_agrees_with_keras_for_every_family(family, monkeypatch):
    network, batch, expected = family
    monkeypatch.setattr(engines, "_compiled", {})
    assert_agree(run(compile_network(network, "litert"), batch), expected)


def test_tensorflow_agrees_with_keras(small):
    batch = pictures((24, 24), count=11)
    assert_agree(run(compile_network(small, "tensorflow"), batch), small(batch).numpy())


@pytest.mark.parametrize(
    "output", ["features", "classifier", ("head",), ("stem", "block3b", "head")]
)
def test_the_bundled_file_agrees_with_keras(each_bundled_model, photographs, output):
    model = each_bundled_model
    network = {"features": model.network, "classifier": model.classifier}.get(
        output
    ) or model.network_at(output)
    batch = at_its_size(model, photographs)
    assert output_shape(model.name, output) == network.output_shape[1:]
    assert_agree(
        run(bundled_engine(model.name, output), batch),
        network(batch, training=False).numpy(),
    )


def test_the_bundled_files_activations_agree_with_keras_at_every_block(
    each_bundled_model, photographs
):
    import keras

    model, batch = each_bundled_model, at_its_size(each_bundled_model, photographs[:1])
    outputs = [
        model.network.get_layer(layers[-1]).output for layers in model.blocks.values()
    ]
    expected = keras.Model(model.network.inputs, outputs)(batch)
    for block, activations in zip(model.blocks, expected, strict=True):
        engine = bundled_engine(model.name, (block,), pooled=False)
        found = run(engine, batch)
        assert found.shape[1:] == engine.output_shape
        assert_agree(found, activations.numpy())


def test_blocks_have_the_layers_that_the_keras_network_has(each_bundled_model):
    found = sort_into_blocks(
        each_bundled_model.network.layers, each_bundled_model.recipe
    )
    maps = {
        block: [layer.name for layer in layers if is_spatial(layer)]
        for block, layers in found.items()
    }
    first = maps.pop("stem")
    assert first[:2] == ["pixels", "preprocessing"]
    assert block_layers(each_bundled_model.name) == {"stem": first[2:], **maps}


@pytest.mark.parametrize("name", SCALING)
def test_the_bundled_file_is_the_same_every_time(name):
    assert bundled_lite(name) == bundled_lite(name)


def test_the_bundled_networks_do_not_answer_for_each_other(photographs, fresh):
    first, second = (
        backbones.load_pretrained_model(name).extract_features(photographs[:1])
        for name in SCALING
    )
    assert np.abs(first - second).max() > 0.1


# Which engine


@pytest.mark.parametrize("name", ["TensorFlow", "onnx", "", None])
def test_an_unknown_engine_is_answered_with_the_known_ones(name):
    with pytest.raises(
        UserInputError, match="There is no engine .* Known: auto, litert, tensorflow"
    ):
        backbones.load_pretrained_model(engine=name)


def test_where_litert_is_not_installed_tensorflow_does_its_work(
    small, fresh, monkeypatch
):
    monkeypatch.setattr(engines, "has_litert", lambda: False)
    assert type(compile_network(small)).__name__ == "TensorFlowEngine"


def test_where_litert_is_not_installed_asking_for_it_gets_the_command(monkeypatch):
    monkeypatch.setattr(engines, "has_litert", lambda: False)
    with pytest.raises(UserInputError, match="pip install ai-edge-litert"):
        backbones.load_pretrained_model(engine="litert")


def unconvertible(network):
    raise RuntimeError("op is neither a custom op nor a flex op\nand more")


def test_a_network_that_does_not_convert_runs_in_tensorflow(small, fresh, monkeypatch):
    monkeypatch.setattr(conversion, "convert", unconvertible)
    assert_agree(
        run(compile_network(small), pictures((24, 24))),
        small(pictures((24, 24))).numpy(),
    )


def test_a_network_that_does_not_convert_is_said_where_litert_was_asked_for(
    small, fresh, monkeypatch
):
    monkeypatch.setattr(conversion, "convert", unconvertible)
    with pytest.raises(
        UserInputError,
        match="LiteRT cannot run small .*neither a custom op nor a flex op.*'auto'",
    ):
        compile_network(small, "litert")


def test_has_litert_is_false_where_its_library_does_not_start(monkeypatch):
    monkeypatch.setitem(
        importlib.import_module("sys").modules, "ai_edge_litert.interpreter", None
    )
    engines.has_litert.cache_clear()
    try:
        assert engines.has_litert() is False
    finally:
        engines.has_litert.cache_clear()


# The kept file


def kept_file(folder):
    (path,) = (folder / "networks").glob("*.tflite")
    return path


def test_a_converted_network_is_not_converted_again(small, fresh, monkeypatch):
    first = run(compile_network(small), pictures((24, 24)))
    monkeypatch.setattr(engines, "_compiled", {})
    monkeypatch.setattr(
        conversion, "convert", lambda network: pytest.fail("converted again")
    )
    assert np.array_equal(run(compile_network(small), pictures((24, 24))), first)


def test_a_network_that_a_class_has_in_its_common_cache_is_not_converted_again(
    small, fresh, tmp_path, monkeypatch
):
    first = run(compile_network(small), pictures((24, 24)))
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", str(fresh.parent))
    monkeypatch.setattr(engines, "_compiled", {})
    monkeypatch.setattr(
        conversion, "convert", lambda network: pytest.fail("converted again")
    )
    assert np.array_equal(run(compile_network(small), pictures((24, 24))), first)


@pytest.mark.parametrize("damage", ["cut short", "altered", "without its checksum"])
def test_a_damaged_file_is_converted_again(small, fresh, monkeypatch, damage):
    expected = run(compile_network(small), pictures((24, 24)))
    path = kept_file(fresh)
    whole = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "altered":
        path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    else:
        path.with_suffix(".sha256").unlink()
    monkeypatch.setattr(engines, "_compiled", {})
    assert np.array_equal(run(compile_network(small), pictures((24, 24))), expected)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_to_is_no_obstacle(small, fresh, monkeypatch):
    fresh.mkdir(exist_ok=True)
    (fresh / "networks").write_text("in the way")
    assert_agree(
        run(compile_network(small), pictures((24, 24))),
        small(pictures((24, 24))).numpy(),
    )


# Which network


def test_the_same_form_and_weights_have_the_same_digest_whatever_keras_called_the_layers():
    assert digest(make_network(0, "one")) == digest(make_network(0, "two"))


def test_other_weights_have_another_digest():
    assert digest(make_network(0)) != digest(make_network(1))


def test_what_is_frozen_does_not_change_the_digest():
    network = make_network()
    before = digest(network)
    network.trainable = False
    assert digest(network) == before


def test_another_form_with_the_same_weights_has_another_digest():
    import keras

    network, other = make_network(), make_network()
    changed = keras.Model(other.inputs, keras.ops.relu(other.outputs[0] - 0.5))
    assert digest(network) != digest(changed)


def test_a_network_trained_further_is_not_answered_for_by_its_former_self(fresh):
    network, batch = make_network(), pictures((24, 24))
    before = run(compile_network(network), batch)
    network.layers[2].kernel.assign(network.layers[2].kernel * 2)
    after = run(compile_network(network), batch)
    assert np.abs(after - before).max() > 0.1
    assert_agree(after, network(batch).numpy())


@pytest.mark.slow
def test_the_bundled_network_trained_further_is_not_answered_for_by_the_bundled_file(
    photographs,
):
    model = backbones.load_pretrained_model()
    before = model.extract_features(photographs[:1])
    model.network.get_layer("head_bn").beta.assign_add(np.full(1280, 0.5, np.float32))
    after = model.extract_features(photographs[:1])
    assert np.abs(after - before).max() > 0.1
    assert_agree(after, model.network(photographs[:1].astype(np.float32)).numpy())


def test_the_number_of_interpreters_does_not_change_a_bit(photographs, monkeypatch):
    model = backbones.load_pretrained_model()
    results = []
    for processors in (1, 3):
        monkeypatch.setattr(
            "tlcourse.features.features.workers", lambda count=processors: count
        )
        results.append(
            model.extract_features(np.repeat(photographs, 4, axis=0), cache=False)
        )
    assert np.array_equal(*results)


def test_what_is_in_the_cache_needs_no_interpreter(photographs, fresh, monkeypatch):
    first = backbones.load_pretrained_model().extract_features(photographs)
    monkeypatch.setattr(engines, "_compiled", {})
    monkeypatch.setattr(
        LiteRTEngine, "_interpreter", lambda self: pytest.fail("started")
    )
    assert np.array_equal(
        backbones.load_pretrained_model().extract_features(photographs), first
    )


def test_what_was_used_last_is_kept_and_the_rest_forgotten(monkeypatch):
    monkeypatch.setattr(engines, "_compiled", {})
    made = []

    def engine(name):
        return engines.remembered((name, "auto"), lambda key: made.append(key) or key)

    for name in ("a", "b", "a", "c", "a"):  # c takes b's place: a was used after it
        assert engine(name) == name
    assert made == ["a", "b", "c"]
    engine("b")
    assert made[-1] == "b"


def test_tensorflow_does_not_lecture(caplog):
    tf = import_tensorflow()
    tf.get_logger().warning(
        "5 out of the last 5 calls to f triggered tf.function retracing."
    )
    logging.getLogger("absl").warning(
        "Please consider providing the trackable_obj argument."
    )
    tf.get_logger().warning("Something else.")
    assert [record.getMessage() for record in caplog.records] == ["Something else."]


# Memory


def test_without_glibc_freed_memory_is_left_where_it_is(monkeypatch):
    def no_library(name):
        raise OSError("no such library")

    monkeypatch.setattr(freed_memory.ctypes, "CDLL", no_library)
    assert (
        freed_memory.hand_back_freed_memory() is None
        and freed_memory.clear_away() is None
    )
