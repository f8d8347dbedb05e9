"""The checks of lesson 04: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_right, assert_wrong, check

import tlcourse as tl


def test_4_1_right():
    assert_right(check("4.1", 1_321_994), "1,321,994")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (1280 * 1024 + 1024 * 10, "Each output has a bias besides"),
        (4, "the number of arrays"),
        (1280 * 1024 + 1024, "one of the two layers"),
        (1280 * 10 + 10, "a head of one layer"),
        (3_373_000 + 1_321_994, "the frozen network, too"),
        (2048 * 1024 + 1024 + 1024 * 10 + 10, "InceptionV3's 2,048 features"),
        (12345, "inputs × outputs + outputs"),
        ("many", "Expected a whole number"),
    ],
)
def test_4_1_wrong(answer, words):
    assert_wrong(check("4.1", answer), words)


@pytest.fixture
def new_network(bundled_model):
    """A fresh network with a head for two classes, and its snapshot."""
    network = tl.add_head(bundled_model, 2)
    return network, tl.guards.snapshot(network)


def learn(network, photographs, flags, compiled=True, fitted=True):
    """What a learner does: set flags by a rule on a layer, perhaps compile, perhaps fit."""
    import keras

    labels = np.array([0, 1, 0, 1])
    if not compiled:  # Keras looks at the flags in its first step, if it has not been told to look before
        network.fit(photographs, labels, epochs=1, verbose=0)
    for layer in network.layers:
        layer.trainable = flags(layer)
    if compiled:
        network.compile(keras.optimizers.Adam(1e-3), loss="binary_crossentropy", run_eagerly=True)  # no tracing: quick
    if fitted:
        network.fit(photographs, labels, epochs=1, verbose=0)
    return network


def in_block(layer):
    return layer.name.startswith("block7a") and "_bn" not in layer.name


def right_flags(layer):
    return in_block(layer) or layer.name == "new_head"


def test_4_2_right(new_network, photographs):
    network, before = new_network
    assert_right(check("4.2", learn(network, photographs, right_flags), before), "nothing else")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flags": right_flags, "compiled": False}, "compile"),
        ({"flags": right_flags, "fitted": False}, "Nothing changed"),
        ({"flags": lambda layer: layer.name == "new_head"}, "block7a"),
        ({"flags": lambda layer: True}, "changed"),
        ({"flags": in_block}, "new_head"),
    ],
    ids=["not compiled", "not fitted", "head alone", "everything", "block alone"],
)
def test_4_2_wrong(new_network, photographs, options, words):
    network, before = new_network
    assert_wrong(check("4.2", learn(network, photographs, **options), before), words)


@pytest.fixture(scope="module")
def judged(bundled_model):
    """The probe of exercise 4.3 and its accuracy on the judged cells."""
    solar = tl.load_dataset("solar")
    learned, judged = solar.train.sample(per_class=100), solar.validation.sample(per_class=80)
    probe = tl.train_classifier(bundled_model.extract_features(learned.images), learned.labels)
    images = [tl.pictures.resize(image, (224, 224)) for image in judged.images]
    return probe, probe.score(bundled_model.extract_features(images), judged.labels)


def test_4_3_right(judged):
    probe, accuracy = judged
    assert_right(check("4.3", {"probe": accuracy, "wide": accuracy - 0.02}, probe), "-2.0 points")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a: {"probe": a, "wide": 1.0}, "accuracy on the training rows"),
        (lambda a: {"probe": a, "wide": 0.5}, "Do output and loss fit"),
        (lambda a: {"probe": a - 0.1, "wide": a}, "The probe gets"),
        (lambda a: {"probe": a}, "expected a dictionary with 'probe' and 'wide'"),
        (lambda a: {"probe": a, "wide": 100 * a}, "As a percentage"),
    ],
)
def test_4_3_wrong(judged, answer, words):
    probe, accuracy = judged
    assert_wrong(check("4.3", answer(accuracy), probe), words)
