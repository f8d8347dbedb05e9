"""A small network learns, begins the same with the same seed, and carries over what it is told to."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError

QUICK = {"steps": 30}


@pytest.fixture(scope="module")
def digits():
    train = tl.load_dataset("digits").train
    rows = train.sample_rows(per_class=20)
    rows = rows[train.labels[rows] < 3]
    return train.images[rows], train.labels[rows]


@pytest.fixture(scope="module")
def source(digits):
    return tl.train_network(*digits, steps=120)


def weights(network, layer):
    return network.network.get_layer(layer).get_weights()


def same(first, second, layer):
    return all(
        np.array_equal(a, b)
        for a, b in zip(weights(first, layer), weights(second, layer), strict=True)
    )


def test_it_learns_what_it_is_shown(source, digits):
    assert source.score(*digits) >= 0.9
    assert source.predict_proba(digits[0]).shape == (60, 3) and source.input_size == (
        28,
        28,
    )
    assert (
        source.record["steps"] == 120
        and repr(source) == "<small network, 28×28 pixels, 3 classes, 120 steps>"
    )


def test_the_same_seed_gives_the_same_network_whatever_was_trained_between(digits):
    first = tl.train_network(*digits, seed=3, **QUICK)
    tl.train_network(*digits, seed=4, **QUICK)
    again = tl.train_network(*digits, seed=3, **QUICK)
    assert all(
        same(first, again, layer) for layer in ("conv_1", "conv_2", "conv_3", "head")
    )


def test_another_seed_gives_another_network(digits):
    first, other = (tl.train_network(*digits, seed=seed, **QUICK) for seed in (3, 4))
    assert not same(first, other, "head")


@pytest.mark.parametrize("carried", [0, 1, 3])
def test_frozen_layers_are_those_of_the_source_and_the_others_are_trained(
    source, digits, carried
):
    target = tl.train_network(
        *digits, start=source, carried=carried, frozen=True, seed=1, **QUICK
    )
    fresh = tl.train_network(*digits, seed=1, steps=0)
    for number in (1, 2, 3):
        layer = f"conv_{number}"
        assert same(source, target, layer) == (number <= carried)
        assert not same(fresh, target, layer)


def test_carried_layers_are_trained_further_unless_they_are_frozen(source, digits):
    target = tl.train_network(*digits, start=source, carried=2, **QUICK)
    assert not same(source, target, "conv_1") and target.record["carried"] == 2


def test_the_source_stays_as_it_was(source, digits):
    before = [layer.copy() for layer in source.network.get_weights()]
    tl.train_network(*digits, start=source, **QUICK)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(before, source.network.get_weights(), strict=True)
    )


def test_text_labels_and_other_sizes_are_taken(digits):
    names = np.array(["zero", "one", "two"])[digits[1]]
    network = tl.train_network(digits[0], names, size=(20, 16), **QUICK)
    assert network.input_size == (20, 16) and set(network.predict(digits[0])) <= {
        "zero",
        "one",
        "two",
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": 3}, "start is a int; expected a network of tl.train_network"),
        ({"carried": 4}, "carried is 4; there are 3 convolutions"),
        ({"size": (20, 20), "start": "source"}, "was trained on"),
    ],
)
def test_what_cannot_be_gets_a_sentence(source, digits, options, sentence):
    options = {
        key: source if value == "source" else value for key, value in options.items()
    }
    with pytest.raises(UserInputError, match=sentence):
        tl.train_network(*digits, **options)


def test_labels_of_one_class_are_refused(digits):
    with pytest.raises(UserInputError, match="examples of at least two classes"):
        tl.train_network(digits[0], np.zeros(60, int))


def test_pictures_of_many_sizes_need_a_size(digits):
    with pytest.raises(UserInputError, match="Choose it: size="):
        tl.train_network(list(digits[0]), digits[1])
