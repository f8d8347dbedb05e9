"""Freezing: the flags are what the table says, batch norm stays where it is, and a compiled model notices."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.models.blocks import OWN, find_blocks
from tlcourse.training.freezing import freeze, unfreeze

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

BLOCKS = ["stem", "block1a", "block2a", "head"]
PICTURES = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")
LABELS = np.arange(8) % 2


def small_base(name="small"):
    """A network with the bundled network's names: four blocks, each of a convolution and a batch norm."""
    pixels = keras.Input((8, 8, 3))
    maps = layers.Rescaling(1 / 255)(pixels)
    for block in BLOCKS:
        maps = layers.Conv2D(4, 3, padding="same", name=f"{block}_conv")(maps)
        maps = layers.BatchNormalization(name=f"{block}_bn")(maps)
    return keras.Model(pixels, layers.GlobalAveragePooling2D()(maps), name=name)


def flat(base):
    hidden = layers.Dropout(0.1, name="head_dropout")(base.outputs[0])
    return keras.Model(
        base.inputs[0], layers.Dense(2, activation="softmax", name="answer")(hidden)
    )


def sequential(base):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            base,
            layers.Dense(2, activation="softmax", name="answer"),
        ]
    )


def nested(base):
    pixels = keras.Input((8, 8, 3))
    features = base(layers.RandomFlip("horizontal", seed=0)(pixels), training=False)
    return keras.Model(
        pixels, layers.Dense(2, activation="softmax", name="answer")(features)
    )


def nested_twice(base):
    pixels = keras.Input((8, 8, 3))
    return sequential(keras.Model(pixels, base(pixels, training=False), name="wrapped"))


@pytest.fixture(
    params=[flat, sequential, nested, nested_twice], ids=lambda build: build.__name__
)
def model(request):
    """A small network with a head on top, in each of the ways that people put it there."""
    return request.param(small_base())


def compiled(model, rate=0.1, **options):
    model.compile(
        keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", **options
    )
    return model


def train(model, epochs=1):
    model.fit(PICTURES, LABELS, epochs=epochs, batch_size=4, verbose=0)
    return model


def layer(model, name):
    parts = find_blocks(model)
    return next(
        part for group in parts.layers.values() for part in group if part.name == name
    )


def trained(model):
    """The convolutions and dense layers that `fit` would train, as the whole model sees it."""
    inside = {id(weight) for weight in model.trainable_weights}
    parts = find_blocks(model)
    return [
        part.name
        for group in parts.layers.values()
        for part in group
        if any(id(w) in inside for w in part.weights)
    ]


def moved(model, action):
    """The names of the layers whose weights an action changes."""
    parts = find_blocks(model)
    every = [part for group in parts.layers.values() for part in group if part.weights]
    before = [[weight.numpy() for weight in part.weights] for part in every]
    action(model)
    return [
        part.name
        for part, old in zip(every, before, strict=True)
        if not all(np.array_equal(a, b) for a, b in zip(old, part.weights, strict=True))
    ]


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(UserInputError) as caught:
        action(*arguments, **options)
    return str(caught.value)


# Which blocks


@pytest.mark.parametrize(
    "argument", [2, np.int64(2), "block1a"], ids=["count", "NumPy's count", "name"]
)
def test_freezing_up_to_a_block_leaves_the_later_ones_and_the_head_trainable(
    model, argument
):
    freeze(model, up_to=argument)
    assert trained(model) == ["block2a_conv", "head_conv", "answer"]


def test_freezing_without_a_block_leaves_the_head_only(model):
    freeze(model)
    assert trained(model) == ["answer"]


@pytest.mark.parametrize("argument", [1, "head"])
def test_unfreezing_from_a_block_makes_it_and_what_follows_trainable(model, argument):
    freeze(model)
    unfreeze(model, from_block=argument)
    assert trained(model) == ["head_conv", "answer"]


def test_unfreezing_leaves_earlier_blocks_as_they_are(model):
    freeze(model, up_to=1)
    layer(model, "block1a_conv").trainable = False
    unfreeze(model, from_block="head")
    assert trained(model) == ["block2a_conv", "head_conv", "answer"]


def test_unfreezing_without_a_block_makes_all_convolutions_trainable(model):
    freeze(model)
    unfreeze(model)
    assert trained(model) == [f"{block}_conv" for block in BLOCKS] + ["answer"]


def test_a_later_call_freezes_again_what_was_unfrozen(model):
    unfreeze(model)
    freeze(model, up_to="block2a")
    assert trained(model) == ["head_conv", "answer"]


def test_a_head_that_was_frozen_by_hand_becomes_trainable(model):
    layer(model, "answer").trainable = False
    freeze(model)
    assert trained(model) == ["answer"]


def test_after_base_trainable_was_set_to_false_the_base_itself_counts_right():
    base = small_base()
    model = sequential(base)
    base.trainable = False
    unfreeze(model, from_block="head")
    assert len(base.trainable_weights) == 2 and len(model.trainable_weights) == 4


def test_the_flat_bundled_network_has_the_blocks_of_the_pretrained_model(
    each_bundled_model,
):
    network = each_bundled_model.network
    on_top = keras.Model(network.inputs[0], layers.Dense(2)(network.outputs[0]))
    names = {
        block: [part.name for part in group if part.weights]
        for block, group in find_blocks(on_top).blocks.items()
    }
    expected = {
        block: [name for name in group if network.get_layer(name).weights]
        for block, group in each_bundled_model.blocks.items()
    }
    assert names == expected


@pytest.mark.parametrize(
    ("application", "blocks", "first", "last"),
    [("VGG16", 5, "block1", "block5"), ("MobileNetV2", 19, "stem", "head")],
)
def test_networks_of_keras_have_blocks_without_tlcourse(
    application, blocks, first, last
):
    base = getattr(keras.applications, application)(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    found = find_blocks(
        keras.Sequential([base, layers.Flatten(), layers.Dense(2)])
    ).blocks
    assert (len(found), list(found)[0], list(found)[-1]) == (blocks, first, last)


def named(*names):
    """A flat network of batch norms with these names and a head."""
    pixels = maps = keras.Input((8, 8, 3))
    for name in names:
        maps = layers.BatchNormalization(name=name)(maps)
    return keras.Model(pixels, layers.Dense(2, name="answer")(layers.Flatten()(maps)))


def test_a_batch_norm_that_ends_a_family_belongs_to_its_last_block():
    blocks = ["conv1_bn", "conv2_block1_bn", "conv5_block3_bn"]
    assert [part.name for part in find_blocks(named(*blocks, "post_bn")).own] == [
        "answer"
    ]


def test_a_family_that_shares_a_few_names_is_frozen_whole():
    blocks = [
        "conv1_bn",
        "conv2_block1_bn",
        "conv5_block9_bn",
        "conv5_block10_bn",
        "conv5_block11_bn",
    ]
    model = named(*blocks)
    freeze(model)
    assert trained(model) == ["answer"] and list(find_blocks(model).blocks) == blocks


def own_network():
    shape = [
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, name="one"),
        layers.BatchNormalization(name="norm"),
    ]
    return keras.Sequential(
        [
            *shape,
            layers.Flatten(),
            layers.Dense(4, name="two"),
            layers.Dense(2, name="answer"),
        ]
    )


def test_in_a_network_without_known_blocks_each_layer_with_weights_is_one():
    assert list(find_blocks(own_network()).blocks) == ["one", "norm", "two"]


def test_a_network_without_known_blocks_that_is_nested_is_the_pretrained_part():
    base = keras.Sequential(
        [keras.Input((8, 8, 3)), *own_network().layers[:-1]], name="base"
    )
    model = keras.Sequential(
        [base, layers.Dense(3, name="hidden"), layers.Dense(2, name="answer")]
    )
    freeze(model)
    assert trained(model) == ["hidden", "answer"]


def test_a_layer_before_the_base_stays_trainable():
    pixels = keras.Input((8, 8, 1))
    model = keras.Model(
        pixels,
        layers.Dense(2)(small_base()(layers.Conv2D(3, 1, name="to_colour")(pixels))),
    )
    freeze(model)
    assert "to_colour" in trained(model)


# Batch norm


def no_gradient(model):
    """Train at learning rate 0: only what moves without a gradient can move."""
    train(compiled(model, rate=0.0, run_eagerly=True))


STEPS = {
    "freeze": [freeze],
    "part": [lambda m: freeze(m, up_to=2)],
    "unfreeze": [unfreeze],
    "to and fro": [
        freeze,
        unfreeze,
        lambda m: freeze(m, up_to=1),
        lambda m: unfreeze(m, from_block=2),
    ],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_training_at_rate_0_moves_nothing(model, steps):
    for step in steps:
        step(model)
    assert moved(model, no_gradient) == []


def test_without_freezing_training_at_rate_0_moves_batch_norm(model):
    assert moved(model, no_gradient) == [f"{block}_bn" for block in BLOCKS]


def test_flipping_base_trainable_to_and_fro_moves_batch_norm_where_unfreeze_does_not():
    base = small_base()
    model = nested(base)
    unfreeze(model)
    base.trainable = False
    base.trainable = True
    assert "stem_bn" in moved(model, no_gradient)
    unfreeze(model)
    assert moved(model, no_gradient) == []


def test_after_saving_and_loading_training_at_rate_0_moves_nothing(model, tmp_path):
    unfreeze(model, from_block=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert moved(loaded, no_gradient) == []


def test_after_saving_and_loading_the_same_layers_are_trained(model, tmp_path):
    unfreeze(compiled(model), from_block=2)
    freeze(model, up_to=3)
    model.save(tmp_path / "model.keras")
    assert (
        trained(keras.models.load_model(tmp_path / "model.keras"))
        == trained(model)
        == ["head_conv", "answer"]
    )


def test_the_learners_own_batch_norm_is_trained():
    base = small_base()
    hidden = layers.BatchNormalization(name="own_bn")(base.outputs[0])
    model = keras.Model(base.inputs[0], layers.Dense(2, activation="softmax")(hidden))
    freeze(model)
    assert moved(model, no_gradient) == ["own_bn"]


def test_the_bundled_networks_batch_norm_does_not_move(photographs):
    base = tl.load_pretrained_model().network
    model = keras.Sequential([base, layers.Dense(2, activation="softmax")])
    unfreeze(model, from_block="block7a")
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", run_eagerly=True
    )
    before = [weight.numpy() for weight in model.weights]
    model.fit(photographs[:2].astype("float32"), np.array([0, 1]), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


# Compile


def test_what_is_frozen_after_training_is_trained_no_longer(model):
    train(compiled(model))
    freeze(model)
    assert moved(model, train) == ["answer"]


def test_what_is_unfrozen_after_training_is_trained(model):
    freeze(compiled(model))
    train(model)
    unfreeze(model, from_block="head")
    assert moved(model, train) == ["head_conv", "answer"]


def test_without_compiling_again_keras_does_not_notice():
    model = flat(small_base())
    freeze(compiled(model))
    train(model)
    layer(model, "head_conv").trainable = True
    assert moved(model, train) == ["answer"]


def squared(truth, answer):
    return keras.ops.mean(
        (keras.ops.one_hot(keras.ops.squeeze(truth), 2) - answer) ** 2
    )


def test_loss_metrics_and_weights_are_those_it_was_compiled_with():
    metric = keras.metrics.SparseCategoricalAccuracy(name="right")
    model = sequential(small_base())
    model.compile(
        "sgd",
        squared,
        loss_weights=[2.0],
        metrics=[metric, lambda y, p: keras.ops.max(p)],
    )
    expected = model.evaluate(PICTURES, LABELS, verbose=0, return_dict=True)
    freeze(model)
    assert model.evaluate(
        PICTURES, LABELS, verbose=0, return_dict=True
    ) == pytest.approx(expected)


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of one's own, not registered with Keras."""

    def __call__(self, step):
        return 0.1 / (keras.ops.cast(step, "float32") + 1)


class Stubborn(keras.optimizers.SGD):
    """An optimizer of one's own, not registered with Keras."""


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.AdamW(3e-4, weight_decay=0.02, clipnorm=1.0),
        lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda: Stubborn(0.03),
    ],
    ids=["AdamW", "SGD", "own"],
)
def test_the_optimizer_is_a_new_one_of_the_same_configuration(optimizer):
    model = flat(small_base())
    old = optimizer()
    model.compile(old, "sparse_categorical_crossentropy", run_eagerly=True)
    train(model)
    freeze(model)
    assert (
        type(model.optimizer) is type(old)
        and model.optimizer.get_config() == old.get_config()
    )
    assert model.optimizer is not old and int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    "schedule", [Falling(), keras.optimizers.schedules.CosineDecay(0.1, 10)]
)
def test_a_learning_rate_schedule_starts_again(schedule):
    model = flat(small_base())
    model.compile(
        keras.optimizers.Adam(schedule),
        "sparse_categorical_crossentropy",
        run_eagerly=True,
    )
    train(model)
    text = repr(freeze(model))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    assert (
        f"learning-rate schedule {type(schedule).__name__}, from its first step" in text
    )


def test_a_learning_rate_that_was_lowered_meanwhile_stays_lowered():
    model = compiled(flat(small_base()))
    model.optimizer.learning_rate = 0.001
    assert "learning rate 0.001" in repr(freeze(model))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)


def test_weights_spared_from_weight_decay_stay_spared():
    model = flat(small_base())
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    kernel = layer(model, "stem_conv").kernel
    optimizer.exclude_from_weight_decay(var_list=[kernel], var_names=["bias"])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    freeze(model)
    head = layer(model, "answer")
    assert [
        model.optimizer._use_weight_decay(w) for w in (kernel, head.bias, head.kernel)
    ] == [False, False, True]


def test_a_model_that_was_not_compiled_is_not_compiled(model):
    text = repr(freeze(model))
    assert (
        not model.compiled
        and "Compile the model that you train after this call" in text
    )


class OwnCompile(keras.Model):
    """A model whose compile takes what only it knows."""

    def compile(self, temperature):
        super().compile("sgd", "mse")


def test_a_model_with_its_own_compile_refuses_to_be_trained_until_it_is_compiled_again():
    base = small_base()
    model = OwnCompile(base.inputs, layers.Dense(2)(base.outputs[0]))
    model.compile(temperature=2)
    assert "has a compile method of its own" in repr(freeze(model))
    with pytest.raises(ValueError, match="compile"):
        train(model)


class Unrepeatable(keras.optimizers.SGD):
    def __init__(self, secret):
        super().__init__(0.1)


def test_an_optimizer_that_cannot_be_made_anew_is_refused_before_anything_changes():
    model = flat(small_base())
    model.compile(Unrepeatable(1), "sparse_categorical_crossentropy")
    assert "The optimizer Unrepeatable cannot be made anew" in refusal(freeze, model)
    assert "stem_conv" in trained(model)


# The table


def test_the_table_has_a_row_for_each_block_and_for_the_head(model):
    rows = freeze(model, up_to=2).rows
    states = ["frozen", "frozen", "trainable", "trainable", "trainable"]
    assert [(row.block, row.state) for row in rows] == list(
        zip([*BLOCKS, OWN], states, strict=True)
    )


def test_the_table_counts_what_keras_counts(model):
    table = freeze(model, up_to=2)
    assert table.parameters == model.count_params()
    assert table.trainable == sum(
        int(np.prod(weight.shape)) for weight in model.trainable_weights
    )


def test_the_shares_are_percentages_of_all(model):
    table = freeze(model)
    assert sum(row.share for row in table.rows) == pytest.approx(100)
    assert table.rows[-1].share == pytest.approx(
        100 * table.rows[-1].parameters / table.parameters
    )


def test_the_parameters_of_the_bundled_network_add_up(each_bundled_model):
    assert (
        freeze(each_bundled_model).parameters
        == each_bundled_model.network.count_params()
    )


def test_the_text_says_what_holds_for_batch_norm_and_for_compiling():
    text = repr(freeze(compiled(flat(small_base()))))
    assert "the 4 of the pretrained part stay frozen in every block" in text
    assert "compiled again" in text and "new SGD (learning rate 0.1)" in text


def test_the_columns_of_the_text_are_aligned():
    lines = repr(freeze(flat(small_base()))).splitlines()[1:8]
    assert (
        len({len(line) for line in lines}) == 1
        and lines[0].split()[0] == "block"
        and lines[-1].startswith("all")
    )


def test_the_page_holds_what_the_text_holds_and_escapes_names():
    table = freeze(flat(small_base()))
    page = table._repr_html_()
    assert page.count("<tr>") == len(table.rows) + 2 and all(
        note.replace("'", "&#x27;") in page for note in table.notes
    )


# What is refused


@pytest.mark.parametrize(
    ("action", "options", "sentence"),
    [
        (
            freeze,
            {"up_to": "block9"},
            "has no block 'block9'. Its blocks: stem, block1a, block2a, head.",
        ),
        (unfreeze, {"from_block": "answer"}, "has no block 'answer'"),
        (freeze, {"up_to": 5}, "(1 to 4)"),
        (freeze, {"up_to": 0}, "tl.unfreeze(model)"),
        (unfreeze, {"from_block": 0}, "tl.freeze(model)"),
        (unfreeze, {"from_block": -1}, "(1 to 4)"),
        (
            freeze,
            {"up_to": True},
            "up_to is True; expected the name of a block",
        ),
        (freeze, {"up_to": 2.0}, "up_to is 2.0; expected"),
        (
            unfreeze,
            {"from_block": ["stem", "head"]},
            "from_block is ['stem', 'head']; expected",
        ),
    ],
)
def test_a_block_that_is_not_there_gets_a_sentence(action, options, sentence):
    assert sentence in refusal(action, flat(small_base()), **options)


def test_a_refusal_changes_nothing():
    model = flat(small_base())
    refusal(freeze, model, up_to=9)
    assert len(trained(model)) == 9


def two_bases():
    pixels = keras.Input((8, 8, 3))
    both = layers.Concatenate()(
        [small_base("left")(pixels), small_base("right")(pixels)]
    )
    return keras.Model(pixels, layers.Dense(2)(both))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            lambda: "efficientnet_lite0",
            "A str was given; expected a model of tl.load_pretrained_model()",
        ),
        (lambda: layers.Dense(2), "A Dense was given; expected"),
        (lambda: keras.Sequential([layers.Dense(2)]), "is not built yet"),
        (
            lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2)]),
            "nothing to freeze",
        ),
        (two_bases, "holds 2 pretrained networks. Freeze each by itself"),
    ],
    ids=["text", "layer", "not built", "head only", "two bases"],
)
def test_what_has_no_blocks_gets_a_sentence(model, sentence):
    assert sentence in refusal(freeze, model())
