"""The loss fits the last layer, however the two are written, or the misfit is named."""

from functools import partial

import pytest

import tlcourse as tl
from tlcourse.checks import CheckError, assert_loss_fits, frozen_report
from tlcourse.errors import UserInputError

keras = pytest.importorskip("keras")
from keras import layers, losses  # noqa: E402


def model(
    units=3, activation="softmax", loss="sparse_categorical_crossentropy", compiled=True
):
    network = keras.Sequential(
        [keras.Input((4,)), layers.Dense(units, activation, name="answer")]
    )
    if compiled:
        network.compile("sgd", loss)
    return network


def failure(network, kind=CheckError) -> str:
    with pytest.raises(kind) as caught:
        assert_loss_fits(network)
    return str(caught.value)


SPARSE, CATEGORICAL, BINARY = (
    losses.SparseCategoricalCrossentropy,
    losses.CategoricalCrossentropy,
    losses.BinaryCrossentropy,
)
FITS = [
    (3, "softmax", "sparse_categorical_crossentropy"),
    (3, "softmax", "categorical_crossentropy"),
    (3, "softmax", losses.categorical_crossentropy),
    (3, "softmax", SPARSE()),
    (3, None, SPARSE(from_logits=True)),
    (3, None, CATEGORICAL(from_logits=True)),
    (3, None, partial(losses.categorical_crossentropy, from_logits=True)),
    (2, "softmax", "binary_crossentropy"),
    (1, "sigmoid", "binary_crossentropy"),
    (1, "sigmoid", BINARY()),
    (1, None, BINARY(from_logits=True)),
    (5, "sigmoid", "binary_crossentropy"),
    (3, "softmax", losses.CategoricalFocalCrossentropy()),
]


@pytest.mark.parametrize(("units", "activation", "loss"), FITS)
def test_what_fits_passes(units, activation, loss):
    assert_loss_fits(model(units, activation, loss))


GENERALISED = losses.CategoricalGeneralizedCrossEntropy()
OTHERS = ["mse", "hinge", losses.KLDivergence(), lambda y, p: p, GENERALISED]


@pytest.mark.parametrize("loss", OTHERS)
def test_other_losses_pass_in_silence(loss):
    assert_loss_fits(model(3, None, loss))


def test_an_activation_of_one_s_own_passes_in_silence():
    assert_loss_fits(model(3, lambda x: keras.ops.softmax(2 * x)))


TWICE = partial(losses.categorical_crossentropy, from_logits=True)
FOCAL = losses.BinaryFocalCrossentropy()
MISFITS = [
    (3, None, "sparse_categorical_crossentropy", "any numbers (no activation)"),
    (3, None, SPARSE(), "losses.SparseCategoricalCross"),
    (3, None, losses.categorical_crossentropy, "losses.CategoricalCross"),
    (1, None, "bce", "losses.BinaryCross"),
    (1, None, FOCAL, "losses.BinaryFocal"),
    (3, "relu", "categorical_crossentropy", "numbers (relu)"),
    (3, "softmax", SPARSE(from_logits=True), "Leave from_logits=True out"),
    (1, "sigmoid", BINARY(from_logits=True), "squashes them a second time"),
    (3, "softmax", TWICE, "with from_logits"),
    (1, "softmax", "binary_crossentropy", "a softmax over one"),
    (1, "sigmoid", "categorical_crossentropy", "one output for each class"),
    (1, None, SPARSE(from_logits=True), "own normalisation"),
    (3, "sigmoid", "categorical_crossentropy", "3 separate"),
    (4, "softmax", "binary_crossentropy", "right in 2 of 4"),
]


@pytest.mark.parametrize(("units", "activation", "loss", "words"), MISFITS)
def test_what_does_not_fit_is_explained(units, activation, loss, words):
    assert words in failure(model(units, activation, loss))


def test_the_message_names_the_layer():
    assert "The last layer, answer, outputs" in failure(model(3, None))


# Where the activation is


def compiled(outputs, inputs, loss="sparse_categorical_crossentropy"):
    network = keras.Model(inputs, outputs)
    network.compile("sgd", loss)
    return network


def with_activation_layer(x):
    return layers.Activation("softmax")(layers.Dense(3)(x))


def with_softmax_layer(x):
    return layers.Softmax()(layers.Dense(3)(x))


def with_operation(x):
    return keras.ops.softmax(layers.Dense(3)(x))


def with_mixed_precision_end(x):
    return layers.Activation("linear", dtype="float32")(layers.Dense(3, "softmax")(x))


def with_nested_head(x):
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, "softmax")])(x)


ENDS = [with_activation_layer, with_softmax_layer, with_operation]
ENDS += [with_mixed_precision_end, with_nested_head]


@pytest.mark.parametrize("end", ENDS)
def test_a_softmax_is_found_wherever_it_is(end):
    x = keras.Input((4,))
    assert_loss_fits(compiled(end(x), x))
    assert "(softmax)" in failure(compiled(end(x), x, SPARSE(from_logits=True)))


def test_logits_in_a_nested_head_are_found():
    x = keras.Input((4,))
    head = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dropout(0.1)])
    assert "outputs any numbers" in failure(compiled(head(x), x))


def test_a_layer_that_tells_nothing_passes():
    x = keras.Input((4,))
    assert_loss_fits(
        compiled(layers.Add()([layers.Dense(3)(x), layers.Dense(3)(x)]), x)
    )


@pytest.mark.parametrize(
    "pack", [list, lambda two: dict(zip(("first", "second"), two, strict=True))]
)
def test_each_output_is_held_against_its_own_loss(pack):
    x = keras.Input((4,))
    outputs = pack(
        [layers.Dense(3, "softmax", name="first")(x), layers.Dense(3, name="second")(x)]
    )
    network = compiled(
        outputs, x, pack(["categorical_crossentropy", "categorical_crossentropy"])
    )
    assert "The last layer, second, outputs any numbers" in failure(network)


# No false alarm


def test_a_head_by_add_head_fits(bundled_model):
    for classes in (2, 5):
        assert_loss_fits(tl.add_head(bundled_model, classes))


@pytest.mark.parametrize(
    ("classes", "loss"),
    [(5, "categorical_crossentropy"), (1000, "sparse_categorical_crossentropy")],
)
def test_a_published_network_fits(classes, loss):
    network = keras.applications.MobileNet(
        alpha=0.25, input_shape=(32, 32, 3), weights=None, classes=classes
    )
    network.compile("sgd", loss)
    assert_loss_fits(network)


def test_a_network_that_was_saved_and_loaded_is_judged_the_same(tmp_path):
    model(3, None, SPARSE(from_logits=True)).save(tmp_path / "right.keras")
    model(3, None, SPARSE()).save(tmp_path / "wrong.keras")
    assert_loss_fits(keras.models.load_model(tmp_path / "right.keras"))
    assert "outputs any numbers" in failure(
        keras.models.load_model(tmp_path / "wrong.keras")
    )


# What cannot be judged, and who else asks


def test_a_model_that_is_not_compiled_gets_a_sentence():
    assert "Call model.compile(…) first" in failure(
        model(compiled=False), kind=UserInputError
    )


def test_what_is_no_model_gets_a_sentence():
    assert "A list was given; expected a compiled keras.Model" in failure(
        [1], kind=UserInputError
    )


def test_the_report_of_what_is_frozen_warns_of_it():
    network = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(3)])
    assert frozen_report(network).warnings == ()
    network.compile("sgd", "sparse_categorical_crossentropy")
    assert "takes them for probabilities" in frozen_report(network).warnings[0]
