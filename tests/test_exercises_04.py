"""The checks of lesson 04: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

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
        ("many", "you gave 'many'; expected a whole number"),
        (1_321_994.9, "you gave 1321994.9; expected a whole number"),
        (1_321_993.1, "expected a whole number"),
        (1_321_995, "inputs × outputs + outputs"),
        (-1_321_994, "inputs × outputs + outputs"),
        ([1_311_744, 10_250], "an array of shape (2,)"),
        ("1,321,994", "expected a whole number"),
    ],
)
def test_4_1_wrong(answer, words):
    assert_wrong(check("4.1", answer), words)


@pytest.mark.parametrize(
    "answer", [1_321_994.0, np.int64(1_321_994), np.array(1_321_994)]
)
def test_4_1_right_in_other_forms(answer):
    assert_right(check("4.1", answer))


def test_4_1_odd_answers():
    assert_odd_answers_are_refused("4.1", others=[0.8, 36, 5088, 1_321_994 + 0.5j])


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
        network.compile(
            keras.optimizers.Adam(1e-3), loss="binary_crossentropy", run_eagerly=True
        )  # no tracing: quick
    if fitted:
        network.fit(photographs, labels, epochs=1, verbose=0)
    return network


def in_block(layer):
    return layer.name.startswith("block7a") and "_bn" not in layer.name


def right_flags(layer):
    return in_block(layer) or layer.name == "new_head"


def test_4_2_right(new_network, photographs):
    network, before = new_network
    assert_right(
        check("4.2", learn(network, photographs, right_flags), before), "nothing else"
    )


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


def test_4_2_weights_that_no_training_changed(new_network):
    """Written by hand, or diverged: the weights differ from before, and the network was not trained."""
    network, before = new_network
    with_nan = np.nan
    for change, words in (
        (1.5, "has taken no step since compile"),
        (with_nan, "NaN or infinite"),
    ):
        for layer in network.layers:
            if right_flags(layer):
                layer.set_weights(
                    [weights * change + 0.01 for weights in layer.get_weights()]
                )
        assert_wrong(check("4.2", network, before), words)


def test_4_2_other_things(new_network):
    network, before = new_network
    for answer in (
        before,
        network.get_weights(),
        network.name,
        [network],
        {"network": network},
    ):
        assert_wrong(
            check("4.2", answer, before), "expected my_network, after it was trained"
        )
    for snapshot in (None, network, before.weights, [before]):
        assert_wrong(check("4.2", network, snapshot), "expected `snapshot`")
    assert_wrong(check("4.2", network), "Besides the answer came 0 of 1 arguments")


def test_4_2_odd_answers(new_network):
    assert_odd_answers_are_refused("4.2", new_network[1], others=[new_network[0]])


@pytest.fixture(scope="module")
def judged(bundled_model):
    """The probe of exercise 4.3, its accuracy on the judged cells, and a wide network that was trained a little."""
    import keras

    solar = tl.load_dataset("solar")
    learned, judged = (
        solar.train.sample(per_class=100),
        solar.validation.sample(per_class=80),
    )
    probe = tl.train_classifier(
        bundled_model.extract_features(learned.images), learned.labels
    )
    images = [tl.pictures.resize(image, (224, 224)) for image in judged.images]
    features = bundled_model.extract_features(images)
    wide = keras.Sequential(
        [
            keras.layers.Dense(1024, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    wide.compile(
        keras.optimizers.Adam(1e-3), loss="binary_crossentropy", metrics=["accuracy"]
    )
    wide.fit(
        bundled_model.extract_features(learned.images),
        learned.labels,
        epochs=10,
        verbose=0,
    )
    right = {
        "probe": probe.score(features, judged.labels),
        "wide": wide.evaluate(features, judged.labels, verbose=0)[1],
    }
    return probe, right, wide


def test_4_3_right(judged):
    probe, right, wide = judged
    assert_right(
        check("4.3", right, probe, wide),
        f"{100 * (right['wide'] - right['probe']):+.1f} points",
    )
    assert_right(
        check(
            "4.3",
            {name: np.float32(right[name]) for name in ("wide", "probe")},
            probe,
            wide,
        )
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a: a | {"wide": 1.0}, "accuracy on the training rows"),
        (lambda a: a | {"wide": 0.5}, "Do output and loss fit"),
        (lambda a: a | {"probe": a["probe"] - 0.1}, "The probe gets"),
        (
            lambda a: {"probe": a["probe"]},
            "expected a dictionary with 'probe' and 'wide'",
        ),
        (lambda a: a | {"wide": 100 * a["wide"]}, "As a percentage"),
        (lambda a: a | {"wide": a["wide"] - 0.02}, "Your network `wide` gets"),
        (lambda a: a | {"wide": a["wide"] + 0.02}, "Your network `wide` gets"),
        (lambda a: a | {"wide": None}, "'wide' is still None"),
        (lambda a: a | {"wide": float("nan")}, "expected a share"),
    ],
)
def test_4_3_wrong(judged, answer, words):
    probe, right, wide = judged
    assert_wrong(check("4.3", answer(right), probe, wide), words)


def dense(*units, output="sigmoid"):
    import keras

    layers = [
        *(keras.layers.Dense(count, "relu") for count in units[:-1]),
        keras.layers.Dense(units[-1], output),
    ]
    return keras.Sequential(layers)


def built(network, width=1280, value=None):
    network.build((None, width))
    if value is not None:
        network.set_weights(
            [np.full_like(weights, value) for weights in network.get_weights()]
        )
    return network


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: None, "`wide` is still None"),
        (lambda: 0.8, "expected the trained keras.Sequential"),
        (lambda: dense(1024, 1), "no weights yet"),
        (lambda: built(dense(1024, 1)), "Your network `wide` gets"),
        (lambda: built(dense(1024, 1), value=np.nan), "NaN"),
        (lambda: built(dense(1024, 1), width=2048), "cannot read"),
        (lambda: built(dense(1024, 2)), "units; expected [1024, 1]"),
        (lambda: built(dense(512, 1)), "units; expected [1024, 1]"),
        (lambda: built(dense(1)), "units; expected [1024, 1]"),
    ],
)
def test_4_3_another_network(judged, network, words):
    probe, right, _ = judged
    assert_wrong(check("4.3", right, probe, network()), words)


def test_4_3_without_its_context(judged):
    probe, right, wide = judged
    assert_wrong(
        check("4.3", right, probe), 'Call tl.check("4.3", your_answer, probe, wide)'
    )
    assert_wrong(check("4.3", right, wide, wide), "expected `probe`")


def test_4_3_odd_answers(judged):
    probe, right, wide = judged
    others = [
        right["wide"],
        [right],
        list(right),
        right | {"loss": 0.4},
        dict.fromkeys(right, 0.9),
        dict.fromkeys(right, True),
    ]
    others += [
        {name: value + 0.9 for name, value in right.items()},
        {"Probe": 0.8, "Wide": 0.8},
    ]
    assert_odd_answers_are_refused("4.3", probe, wide, others=others)
