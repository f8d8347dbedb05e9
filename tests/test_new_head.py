"""A new head fits its loss, and the network under it is a frozen copy."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (2, (1, "sigmoid", "binary_crossentropy")),
        (5, (5, "softmax", "sparse_categorical_crossentropy")),
    ],
)
def test_output_and_loss_belong_together(bundled_model, classes, expected):
    network = tl.add_head(bundled_model, classes, hidden=[16, 8], dropout=0.5)
    names = [layer.name for layer in network.layers[-4:]]
    assert names == ["hidden_1", "hidden_2", "dropout", "new_head"]
    head = network.layers[-1]
    assert (head.units, head.activation.__name__, network.loss) == expected
    tl.checks.assert_loss_fits(network)
    trainable = {weight.path.split("/")[0] for weight in network.trainable_weights}
    assert trainable == {"hidden_1", "hidden_2", "new_head"}


@pytest.mark.slow
def test_fit_takes_whole_number_labels_and_changes_the_head_of_a_copy(
    bundled_model, photographs
):
    network = tl.add_head(bundled_model, 2)
    before, labels = tl.checks.snapshot(network), np.arange(4) % 2
    first = network.evaluate(photographs, labels, verbose=0)[0]
    network.fit(photographs, labels, epochs=4, verbose=0)
    assert network.evaluate(photographs, labels, verbose=0)[0] < first
    tl.checks.assert_changed(before, network, only="new_head")


@pytest.mark.parametrize(
    ("name", "value"),
    [("classes", 1), ("classes", 2.0), ("hidden", [0]), ("dropout", 1)],
)
def test_what_cannot_be_is_refused(bundled_model, name, value):
    with pytest.raises(UserInputError, match=name):
        tl.add_head(bundled_model, **{"classes": 2, name: value})
