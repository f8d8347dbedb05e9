"""One contract that every pretrained network passes, for pictures and for text."""

from types import SimpleNamespace

import numpy as np
import pytest
from tolerances import assert_agree

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.features.text import padded
from tlcourse.models import weights
from tlcourse.models.recipes import RECIPES
from tlcourse.models.vision import PretrainedModel
from tlcourse.native import import_tensorflow

SENTENCES = ["the film was good", "not a very good story, but long", ""]
FAMILIES = [name for name, recipe in RECIPES.items() if recipe.application]


def untrained(name):
    """One of Keras' networks with random weights: the published ones need internet."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)

    def application(name, **options):
        recipe = RECIPES[name]
        network = getattr(keras.applications, recipe.application)(
            weights=None, **options
        )
        # New batch norms would change next to nothing; random moments would amplify
        # what is rounded, as no trained network does. So they are measured.
        rng, is_norm = np.random.default_rng(0), keras.layers.BatchNormalization
        norms = [layer for layer in network.layers if isinstance(layer, is_norm)]
        for norm in norms:
            norm.momentum = 0
            for weight in norm.trainable_weights:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        pictures = rng.integers(0, 256, (2, recipe.size, recipe.size, 3))
        network(pictures.astype(np.float32), training=True)
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "fetch_weights", lambda name, include_top: None)
        patch.setattr(weights, "application", application)
        return PretrainedModel(name)


@pytest.fixture(
    scope="module",
    params=[
        "efficientnet_lite0",
        "efficientnet_lite2",
        "bert",
        *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES),
    ],
)
def case(request, small_bert_folder, photographs):
    """A network, some inputs, and the same inputs as its Keras network takes them."""
    name = request.param
    if name == "bert":
        model = tl.load_pretrained_model(small_bert_folder)
        ids = model.tokenize(SENTENCES)
        yield SimpleNamespace(model=model, inputs=SENTENCES, prepared=ids)
    else:
        is_fetched = name in FAMILIES
        model = untrained(name) if is_fetched else tl.load_pretrained_model(name)
        height, width = model.input_size
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        inputs = np.stack([tl.pictures.resize(photographs[0], (height, width)), noise])
        yield SimpleNamespace(model=model, inputs=inputs, prepared=np.float32(inputs))
        import keras

        keras.backend.clear_session()


def part(model, block):
    """The Keras network up to a block."""
    import keras

    output = model.network.get_layer(model.blocks[block][-1]).output
    return keras.Model(model.network.inputs[0], output)


def test_features_are_those_of_the_keras_network(case):
    features = case.model.extract_features(case.inputs)
    assert features.dtype == np.float32
    assert features.shape == (len(case.inputs), case.model.feature_dim)
    assert_agree(features, case.model.network(case.prepared, training=False))


def test_features_do_not_depend_on_what_is_computed_together(case):
    together = case.model.extract_features(case.inputs, cache=False)
    alone = [
        case.model.extract_features(case.inputs[i : i + 1], cache=False)[0]
        for i in range(len(case.inputs))
    ]
    assert_agree(np.stack(alone), together, 1e-5)


def test_every_layer_with_weights_is_in_one_block_and_in_order(case):
    inside = [layer for layers in case.model.blocks.values() for layer in layers]
    network = [layer.name for layer in case.model.network.layers]
    positions = [network.index(name) for name in inside]
    assert positions == sorted(set(positions))
    with_weights = {layer.name for layer in case.model.network.layers if layer.weights}
    assert with_weights - {"preprocessing"} <= set(inside)


def test_a_block_gets_nothing_but_the_output_of_the_block_before(case):
    if case.model.kind == "sentences":
        pytest.skip("each block of BERT also gets where there are tokens")
    blocks = list(case.model.blocks.values())
    for before, after in zip(blocks, blocks[1:], strict=False):
        for name in after:
            layer = case.model.network.get_layer(name)
            inputs = layer.input if isinstance(layer.input, list) else [layer.input]
            names = {tensor._keras_history.operation.name for tensor in inputs}
            assert names <= {before[-1], *after}


@pytest.mark.parametrize("position", [0, -1])
def test_activations_are_the_keras_networks_output_at_that_block(case, position):
    block = list(case.model.blocks)[position]
    activations = case.model.activations(case.inputs, block)
    expected = np.asarray(part(case.model, block)(case.prepared, training=False))
    for one, other in zip(activations, expected, strict=True):
        assert one.dtype == np.float16
        assert_agree(one, other[: len(one)], 2e-3)  # float16


def prepared(model, inputs):
    """The inputs as the Keras network takes them."""
    inputs = model.activations(inputs, None)
    is_text = isinstance(inputs, list)
    return padded(inputs) if is_text else inputs.astype("float32")


def test_without_a_block_activations_are_the_prepared_inputs(case):
    np.testing.assert_array_equal(prepared(case.model, case.inputs), case.prepared)


def test_a_copy_is_trained_without_changing_the_network(case):
    copy, before = case.model.copy_network(), case.model.network.get_weights()
    copy.trainable_weights[-1].assign_add(copy.trainable_weights[-1] * 0 + 1.0)
    for one, other in zip(case.model.network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_with_a_head_is_predicted_with(case):
    import keras

    copy = case.model.copy_network()
    copy.trainable_weights[0].assign(copy.trainable_weights[0] * 0.9)  # "fine-tuned"
    head = keras.layers.Dense(3, "softmax", name="head")
    network = keras.Model(copy.inputs, head(copy.output), name="tuned")
    expected = network(case.prepared, training=False)
    assert_agree(case.model.predict_with(network, case.inputs), expected)


@pytest.mark.parametrize("block", ["block9z", ["tail"], []])
def test_an_unknown_block_is_answered_with_the_known_ones(case, block):
    with pytest.raises(UserInputError, match=list(case.model.blocks)[-1]):
        case.model.activations(case.inputs, block)


def test_inputs_are_not_changed_and_cache_is_true_or_false(case):
    before = np.array(case.inputs)
    case.model.extract_features(case.inputs, cache=False)
    np.testing.assert_array_equal(np.array(case.inputs), before)
    with pytest.raises(UserInputError, match="cache"):
        case.model.extract_features(case.inputs, cache="False")


def test_a_network_changed_in_place_is_not_mistaken_for_its_former_self(
    small_bert_folder, photographs
):
    for model, inputs in (
        (tl.load_pretrained_model(), photographs[:1]),
        (tl.load_pretrained_model(small_bert_folder), SENTENCES),
    ):
        before = model.extract_features(inputs)
        weight = model.network.trainable_weights[-1]
        weight.assign_add(weight * 0 + 0.5)
        after = model.extract_features(inputs)
        assert np.abs(after - before).max() > 0.1
        expected = model.network(prepared(model, inputs), training=False)
        assert_agree(after, expected)
