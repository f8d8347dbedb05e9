"""A new head fits its loss, the network under it is frozen, and the model given stays as it was."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(photographs):
    return np.concatenate([photographs, photographs[:2, ::-1]]).astype(np.float32)


@pytest.mark.parametrize(
    ("classes", "units", "activation", "loss"),
    [
        (2, 1, "sigmoid", "binary_crossentropy"),
        (5, 5, "softmax", "sparse_categorical_crossentropy"),
    ],
)
def test_output_and_loss_belong_together(
    bundled_model, classes, units, activation, loss
):
    network = tl.add_head(bundled_model, classes)
    head = network.get_layer("new_head")
    assert (head.units, head.activation.__name__, network.loss) == (
        units,
        activation,
        loss,
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_it_learns_whole_number_labels_and_changes_the_head_alone(
    bundled_model, images, classes
):
    network = tl.add_head(bundled_model, classes)
    before, labels = tl.checks.snapshot(network), np.arange(6) % classes
    first = network.evaluate(images, labels, verbose=0)[0]
    network.fit(images, labels, epochs=8, verbose=0)
    assert network.evaluate(images, labels, verbose=0)[0] < first
    tl.checks.assert_changed(before, network, only="new_head")


def test_layers_between_are_trained_too(bundled_model):
    network = tl.add_head(bundled_model, 4, hidden=[16, 8], dropout=0.5)
    names = [layer.name for layer in network.layers[-4:]]
    assert names == ["hidden_1", "hidden_2", "dropout", "new_head"]
    assert {weight.path.split("/")[0] for weight in network.trainable_weights} == {
        "hidden_1",
        "hidden_2",
        "new_head",
    }


def test_the_model_given_is_copied(bundled_model, images):
    before = [weight.numpy() for weight in bundled_model.network.weights]
    network = tl.add_head(bundled_model, 2)
    tl.unfreeze(network, from_block=1)
    network.fit(images, np.arange(6) % 2, epochs=1, verbose=0)
    assert all(
        np.array_equal(old, new)
        for old, new in zip(before, bundled_model.network.get_weights(), strict=True)
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"classes": 1}, "classes is 1; expected a whole number from 2"),
        ({"classes": True}, "classes is True"),
        ({"classes": 2.0}, "classes is 2.0"),
        ({"classes": 2, "hidden": [0]}, "hidden is 0; expected a whole number"),
        (
            {"classes": 2, "dropout": 1},
            "dropout is 1; expected a share from 0 to below 1",
        ),
    ],
)
def test_what_cannot_be_gets_a_sentence(bundled_model, arguments, sentence):
    with pytest.raises(UserInputError, match=sentence):
        tl.add_head(bundled_model, **arguments)


def test_a_keras_model_is_answered_with_the_call(bundled_model):
    with pytest.raises(
        UserInputError, match="was given Functional; expected a pretrained model"
    ):
        tl.add_head(bundled_model.network, 2)
