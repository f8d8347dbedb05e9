"""The checks of lesson 08: with the right answer, and with the wrong ones that people really give."""

import keras
import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.exercises.lesson_08 import COLLEAGUES, networks_of_colleagues

LOSS = "sparse_categorical_crossentropy"


# --- 8.1 ---


@pytest.fixture(scope="module")
def colleagues(bundled_model):
    return networks_of_colleagues(bundled_model)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Ada", "gives any numbers (no activation), and the loss"),
        ("Cleo", "batch norms would move in fit"),
        ("Dora", "is as it was initialised"),
    ],
)
def test_8_1_a_colleague_has_one_mistake_which_frozen_report_names(
    colleagues, name, words
):
    warnings = tl.guards.frozen_report(colleagues[name]).warnings
    assert len(warnings) == 1 and words in warnings[0]


def test_8_1_ben_has_none(colleagues):
    assert tl.guards.frozen_report(colleagues["Ben"]).warnings == ()


def test_8_1_the_network_that_they_are_made_of_stays_as_it_is(
    bundled_model, colleagues
):
    layers = {id(layer) for layer in bundled_model.network.layers}
    assert not any(
        id(layer) in layers
        for network in colleagues.values()
        for layer in network.layers
    )


def test_8_1_right():
    assert_right(check("8.1", dict(COLLEAGUES)), "Three of four")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Ada": "nothing"}, "A guard has something to say about Ada. frozen_report"),
        (
            dict.fromkeys(COLLEAGUES, "nothing"),
            "something to say about Ada and Cleo and Dora",
        ),
        ({"Ben": "batch norm"}, "Ben may go on"),
        ({"Ben": "loss", "Ada": "nothing"}, "Ben may go on"),
        (
            {"Ada": "new head"},
            "Ada: its head is not as it was initialised any more. What",
        ),
        (
            {"Cleo": "new head", "Dora": "batch norm"},
            "Cleo: its head is not as it was initialised any more; Dora: its batch norms are frozen, all of them.",
        ),
        ({"Dora": "loss"}, "Dora: its loss expects what its last layer gives"),
        (
            {"Ada": "loss", "Dora": "nothing", "Cleo": "loss"},
            "Dora: a guard has something to say",
        ),
        ({"Ada": None, "Dora": None}, "Ada, Dora: still None"),
        (
            {"Cleo": "batchnorm"},
            "'batchnorm' is no verdict. The verdicts: 'batch norm', 'loss', 'new head', 'nothing'",
        ),
        ({"Cleo": True}, "True is no verdict"),
        (
            {"Eve": "nothing"},
            "a verdict for each of Ada, Ben, Cleo, Dora, and nothing else",
        ),
    ],
)
def test_8_1_wrong(changed, words):
    assert_wrong(check("8.1", COLLEAGUES | changed), words)


@pytest.mark.parametrize(
    "verdict",
    [
        np.array(["loss", "loss"]),
        ["loss"],
        {"loss"},
        b"loss",
        np.nan,
        "LOSS",
        "loss\x1b[31m",
        1,
    ],
)
def test_8_1_no_verdict(verdict):
    assert_wrong(check("8.1", COLLEAGUES | {"Ada": verdict}), "is no verdict")


def test_8_1_right_in_another_order():
    assert_right(
        check("8.1", {name: np.str_(COLLEAGUES[name]) for name in reversed(COLLEAGUES)})
    )


def test_8_1_odd_answers():
    shifted = dict(
        zip(COLLEAGUES, [*list(COLLEAGUES.values())[1:], "loss"], strict=True)
    )
    swapped = {verdict: name for name, verdict in COLLEAGUES.items()}
    others = [
        shifted,
        swapped,
        list(COLLEAGUES.items()),
        COLLEAGUES | {"Eve": "nothing"},
        set(COLLEAGUES),
        "Ada",
    ]
    others += [
        dict.fromkeys(COLLEAGUES, verdict)
        for verdict in ("loss", "nothing", "batch norm", "new head", True)
    ]
    assert_odd_answers_are_refused("8.1", others=others)


@pytest.mark.parametrize(
    "answer", ["Ada", ["loss", "nothing", "batch norm", "new head"], {"Ada": "loss"}, 3]
)
def test_8_1_something_else(answer):
    assert_wrong(
        check("8.1", answer),
        "Expected a dictionary with a verdict for each of Ada, Ben, Cleo, Dora",
    )


# --- 8.2 ---


@pytest.fixture(scope="module")
def network(bundled_model):
    copy = bundled_model.copy_network()
    head = keras.layers.Dense(10, activation="softmax", name="new_head")
    return keras.Model(
        copy.get_layer(bundled_model.blocks["block6b"][-1]).output, head(copy.output)
    )


@pytest.fixture(scope="module")
def head_as_initialised(network):
    return network.get_layer("new_head").get_weights()


@pytest.fixture
def patient(network, head_as_initialised):
    """As the lesson makes it, with two blocks less for the sake of speed."""
    network.get_layer("new_head").set_weights(head_as_initialised)
    for layer in network.layers:
        layer.trainable = True
    network.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return network


def mend(network, up_to="block6d", rate=5e-4, loss=LOSS, head=True):
    """The lesson's solution, with one thing left out or done otherwise."""
    if head:
        network.get_layer("new_head").set_weights(
            [np.full((1280, 10), 0.01), np.linspace(-0.1, 0.1, 10)]
        )
    tl.freeze(network, up_to=up_to)
    network.compile(keras.optimizers.Adam(rate), loss=loss)
    return network


def test_8_2_right(patient):
    assert_right(
        check("8.2", mend(patient)),
        "1,022,602 of its",
        "parameters are trainable, and no guard warns",
    )


def test_8_2_right_with_another_optimizer(patient):
    mend(patient).compile(
        keras.optimizers.SGD(1e-2), keras.losses.SparseCategoricalCrossentropy()
    )
    assert_right(check("8.2", patient))


def test_8_2_unfreezing_from_the_other_side_is_right_too(patient):
    mend(patient, up_to=None)
    tl.unfreeze(patient, from_block="block7a")
    assert_right(check("8.2", patient))


def test_8_2_as_it_was(patient):
    assert_wrong(check("8.2", patient), "batch norms would move in fit")


@pytest.mark.parametrize(
    ("otherwise", "words"),
    [
        ({"head": False}, "The head, new_head, is as it was initialised"),
        (
            {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
            "takes them for logits",
        ),
        (
            {"loss": "categorical_crossentropy"},
            "Its loss is categorical_crossentropy. For labels 0, 1, … 9",
        ),
        ({"loss": keras.losses.MeanSquaredError()}, "Its loss is MeanSquaredError"),
        ({"rate": 0.05}, "The rate of its Adam is 0.05"),
        ({"rate": 0.0}, "Its learning rate is 0"),
        ({"up_to": None}, "block7a and the block behind it, head, are frozen"),
        ({"up_to": "block7a"}, "block7a is frozen, and should learn"),
        ({"up_to": "block6c"}, "block6d would learn. Only block7a"),
    ],
)
def test_8_2_wrong(patient, otherwise, words):
    assert_wrong(check("8.2", mend(patient, **otherwise)), words)


def test_8_2_everything_unfrozen(patient):
    mend(patient)
    tl.unfreeze(patient)
    assert_wrong(check("8.2", patient), "block6c would learn")


def test_8_2_compiled_by_freeze_alone(patient):
    """`tl.freeze` keeps the optimizer's rate, which is the last thing left to mend."""
    mend(patient).compile(keras.optimizers.Adam(0.05), LOSS)
    tl.freeze(patient, up_to="block6d")
    assert_wrong(check("8.2", patient), "compile with the rate that was there before")


def test_8_2_the_last_layer_frozen(patient):
    mend(patient).get_layer("new_head").trainable = False
    assert_wrong(
        check("8.2", patient), "The last layer, new_head, is frozen, and should learn"
    )


def test_8_2_a_part_of_a_block_frozen(patient):
    mend(patient).get_layer("block7a_expand_conv").trainable = False
    assert_wrong(check("8.2", patient), "block7a is partly frozen")


def test_8_2_not_compiled(patient):
    mended = mend(patient)
    assert_wrong(
        check("8.2", keras.Model(mended.input, mended.output)), "It is not compiled yet"
    )


def test_8_2_another_network():
    network = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4), keras.layers.Dense(10, "softmax")]
    )
    network.compile(keras.optimizers.Adam(1e-4), LOSS)
    assert_wrong(check("8.2", network), "That is another network than `patient`")


@pytest.mark.parametrize("rate", [np.nan, -5e-4, np.inf, -np.inf])
def test_8_2_a_rate_that_is_none(patient, rate):
    mend(patient).optimizer.learning_rate = rate
    assert_wrong(check("8.2", patient), "rate")


def test_8_2_weights_that_are_no_numbers(patient):
    mend(patient).get_layer("new_head").set_weights(
        [np.full((1280, 10), np.nan), np.linspace(-0.1, 0.1, 10)]
    )
    assert_wrong(check("8.2", patient), "NaN")


def test_8_2_odd_answers(patient, bundled_model):
    others = [
        bundled_model,
        bundled_model.copy_network(),
        patient.layers,
        {"mended": patient},
        patient.name,
        [patient],
    ]
    assert_odd_answers_are_refused("8.2", others=others)


@pytest.mark.parametrize(
    ("answer", "words"), [("mended", "You gave a str"), (True, "You gave a bool")]
)
def test_8_2_something_else(answer, words):
    assert_wrong(check("8.2", answer), words)


# --- 8.3 ---


@pytest.fixture(scope="module")
def correct():
    """Which of 656 cells each of 31 classifiers gets right; they are equally good, and make some mistakes together."""
    rng = np.random.default_rng(0)
    return (rng.random(656) + 0.6 * rng.random((31, 656))) < 1.0


def flattery(correct, tested, draw):
    order = np.random.default_rng(draw).permutation(correct.shape[1])
    reported, true = (
        correct[:, cells].mean(axis=1) for cells in (order[:tested], order[tested:])
    )
    return reported[reported.argmax()] - true[reported.argmax()]


def mean_flattery(correct, tested, draws):
    return np.mean([flattery(correct, tested, draw) for draw in draws])


@pytest.mark.parametrize("draws", [range(200), range(50), range(1000, 1100)], ids=str)
def test_8_3_right(correct, draws):
    assert_right(
        check("8.3", mean_flattery(correct, 300, draws), correct),
        "points with 300 cells",
        "with 100",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda c: mean_flattery(c, 100, range(200)),
            "That is what a test of 100 cells flatters by",
        ),
        (lambda c: -mean_flattery(c, 300, range(200)), "It is negative"),
        (lambda c: 100 * mean_flattery(c, 300, range(200)), "a percentage"),
        (lambda c: flattery(c, 300, 0), "That is one split"),
        (
            lambda c: [flattery(c, 300, draw) for draw in range(20)],
            "These are 20 splits. Give their mean",
        ),
        (lambda c: c[:, :300].mean(axis=1).max(), "That is an accuracy"),
        (lambda c: 0.3, "30.0% is not it"),
        (lambda c: 0.0, "0.0% is not it"),
        (lambda c: float("nan"), "expected a share between 0 and 1"),
        (lambda c: "less", "you gave 'less'"),
        (lambda c: flattery, "expected one number between 0 and 1"),
    ],
)
def test_8_3_wrong(correct, answer, words):
    assert_wrong(check("8.3", answer(correct), correct), words)


def test_8_3_points_smaller_than_one(correct):
    """0.9 points look like a share."""
    few = correct[:2]
    points = 100 * mean_flattery(few, 300, range(200))
    assert points < 1
    assert_wrong(check("8.3", points, few), "These seem to be percentage points")


def test_8_3_without_the_answers_of_the_probes():
    for other in (
        None,
        "correct",
        0.5,
        [[1, 0], [0, 1]],
        np.full((31, 656), np.nan),
        np.ones(656, bool),
    ):
        for answer in (0.02, 0.0):
            assert_wrong(check("8.3", answer, other), "correct")


def test_8_3_odd_answers(correct):
    right = mean_flattery(correct, 300, range(200))
    assert_right(check("8.3", np.float32(right), correct.tolist()))
    others = [
        right + 0.9,
        right + 0.02,
        right - 0.02,
        2 * right,
        right / 2 - 0.001,
        -right,
        [right],
        {"flattery": right},
    ]
    assert_odd_answers_are_refused("8.3", correct, others=others)
    equal = np.repeat(correct[:1], 31, axis=0)
    equal[:, ::2] = True
    assert check("8.3", float("nan"), equal).state == "not yet"
