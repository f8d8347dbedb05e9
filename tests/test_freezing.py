"""Freezing: flags as the table says, batch norm stays, a compiled model notices."""

import numpy as np
import pytest
from small_network import BLOCKS, LABELS, PICTURES, small_base

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.models.blocks import OWN, find_blocks
from tlcourse.training.freezing import freeze, unfreeze

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402


def answer():
    return layers.Dense(2, activation="softmax", name="answer")


def flat(base):
    return keras.Model(base.inputs[0], answer()(base.outputs[0]))


def sequential(base):
    return keras.Sequential([keras.Input((8, 8, 3)), base, answer()])


def nested_twice(base):
    pixels = keras.Input((8, 8, 3))
    x = layers.RandomFlip("horizontal", seed=0)(pixels)
    inner = keras.Model(pixels, base(x, training=False), name="wrapped")
    return sequential(inner)


@pytest.fixture(params=[flat, sequential, nested_twice], ids=lambda make: make.__name__)
def model(request):
    """A small network with a head on top, in each of the ways to put it there."""
    return request.param(small_base())


def compiled(model, optimizer=None):
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    return model


def train(model):
    model.fit(PICTURES, LABELS, batch_size=4, verbose=0)


def all_layers(model):
    groups = find_blocks(model).layers.values()
    return {layer.name: layer for group in groups for layer in group if layer.weights}


def trained(model):
    """The layers that `fit` would train, as the whole model sees it."""
    inside = {id(weight) for weight in model.trainable_weights}
    found = all_layers(model).items()
    return [name for name, each in found if inside & set(map(id, each.weights))]


def moved(model, action):
    """The names of the layers whose weights an action changes."""
    layers = all_layers(model)
    before = {name: layer.get_weights() for name, layer in layers.items()}
    action(model)
    return [
        name
        for name, layer in layers.items()
        if not all(map(np.array_equal, before[name], layer.get_weights()))
    ]


# Which blocks


@pytest.mark.parametrize("argument", [2, np.int64(2), "block1a"])
def test_later_blocks_and_the_head_stay_trainable(model, argument):
    freeze(model, up_to=argument)
    assert trained(model) == ["block2a_conv", "head_conv", "answer"]


@pytest.mark.parametrize("argument", [1, "head"])
def test_unfreezing_makes_a_block_and_what_follows_trainable(model, argument):
    all_layers(model)["answer"].trainable = False
    freeze(model)
    assert trained(model) == ["answer"]
    unfreeze(model, from_block=argument)
    assert trained(model) == ["head_conv", "answer"]


def test_in_a_base_that_was_frozen_as_a_whole_the_blocks_in_front_stay_frozen():
    base = small_base()
    model = sequential(base)
    base.trainable = False
    unfreeze(model, from_block="head")
    assert trained(model) == ["head_conv", "answer"] and base.trainable


def test_in_a_network_without_known_blocks_each_layer_with_weights_is_one():
    inside = [layers.Conv2D(4, 3, name="one"), layers.BatchNormalization(name="norm")]
    base = keras.Sequential([keras.Input((8, 8, 3)), *inside, layers.Flatten()])
    assert list(find_blocks(sequential(base)).blocks) == ["one", "norm"]
    nested = keras.Sequential([base, layers.Dense(3, name="hidden"), answer()])
    freeze(nested)
    assert trained(nested) == ["hidden", "answer"]


# Batch norm


def no_gradient(model):
    """Train at learning rate 0: only what moves without a gradient can move."""
    train(compiled(model, keras.optimizers.SGD(0.0)))


STEPS = {
    "freeze": [freeze],
    "unfreeze": [unfreeze],
    "to and fro": [
        *(freeze, unfreeze, lambda model: freeze(model, up_to=1)),
        lambda model: unfreeze(model, from_block=2),
    ],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_training_at_rate_0_moves_nothing(model, steps, tmp_path):
    for step in steps:
        step(model)
    assert moved(model, no_gradient) == []
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert trained(loaded) == trained(model)
    assert moved(loaded, no_gradient) == []


def test_the_learners_own_batch_norm_is_trained():
    base = small_base()
    x = layers.BatchNormalization(name="own_bn")(base.outputs[0])
    model = keras.Model(base.inputs[0], answer()(x))
    freeze(model)
    assert moved(model, no_gradient) == ["own_bn"]


# Compile


def test_a_compiled_model_notices():
    model = compiled(flat(small_base()))
    train(model)
    freeze(model)
    assert moved(model, train) == ["answer"]
    unfreeze(model, from_block="head")
    assert moved(model, train) == ["head_conv", "answer"]


def squared(truth, predicted):
    one_hot = keras.ops.one_hot(keras.ops.squeeze(truth), 2)
    return keras.ops.mean((one_hot - predicted) ** 2)


def test_loss_metrics_and_weights_are_those_it_was_compiled_with():
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="right")]
    model = sequential(small_base())
    model.compile("sgd", squared, loss_weights=[2.0], metrics=metrics)
    expected = model.evaluate(PICTURES, LABELS, verbose=0, return_dict=True)
    freeze(model)
    result = model.evaluate(PICTURES, LABELS, verbose=0, return_dict=True)
    assert result == pytest.approx(expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.AdamW(3e-4, weight_decay=0.02, clipnorm=1.0),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    ],
    ids=["AdamW", "schedule"],
)
def test_the_optimizer_is_a_new_one_of_the_same_configuration(make):
    optimizer = make()
    model = compiled(flat(small_base()), optimizer)
    train(model)
    freeze(model)
    assert type(model.optimizer) is type(optimizer) and model.optimizer is not optimizer
    assert model.optimizer.get_config() == optimizer.get_config()
    assert int(model.optimizer.iterations) == 0


# The table


def test_the_table_counts_what_keras_counts(model):
    table = freeze(model, up_to=2)
    states = ["frozen", "frozen", "trainable", "trainable", "trainable"]
    expected = list(zip([*BLOCKS, OWN], states, strict=True))
    assert [(row.block, row.state) for row in table.rows] == expected
    assert table.parameters == model.count_params()
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert table.trainable == trainable
    assert sum(row.share for row in table.rows) == pytest.approx(100)


# What is refused


@pytest.mark.parametrize("block", ["block9", "answer", 5, 0, True, 2.0, ["stem"]])
def test_a_block_that_is_not_there_is_refused_and_nothing_changed(block):
    model = flat(small_base())
    for action in (freeze, unfreeze):
        with pytest.raises(UserInputError, match="stem, block1a, block2a, head"):
            action(model, block)
    assert len(trained(model)) == 9


def two_bases():
    pixels = keras.Input((8, 8, 3))
    both = [small_base("left")(pixels), small_base("right")(pixels)]
    return keras.Model(pixels, layers.Dense(2)(layers.Concatenate()(both)))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: "efficientnet_lite0", "A str was given"),
        (lambda: keras.Sequential([layers.Dense(2)]), "not built"),
        (lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2)]), "nothing to"),
        (two_bases, "2 pretrained networks"),
    ],
    ids=["text", "not built", "head only", "two bases"],
)
def test_what_has_no_blocks_is_refused(make, word):
    with pytest.raises(UserInputError, match=word):
        tl.freeze(make())
