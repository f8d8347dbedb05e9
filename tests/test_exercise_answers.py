"""Every row of an exercise's table has an answer, and no odd answer is right."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from answers import ODD
from exercise_examples import EXAMPLES, UNREADABLE, With

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable, WeightsUnavailable
from tlcourse.exercises.table import exercises, find_exercise

SLOW = ("7.",)  # MiniLM, which need not be on the machine


def marked(*values):
    slow = [pytest.mark.slow] if values[0].startswith(SLOW) else []
    return pytest.param(*values, marks=slow, id="-".join(values))


def examples_of(number):
    try:
        return EXAMPLES[number]()
    except (DatasetUnavailable, WeightsUnavailable) as absent:
        pytest.skip(str(absent))


def given(answer, context):
    """An example's answer and context."""
    answer = answer() if type(answer) is type(given) else answer
    if not isinstance(answer, With):
        return answer, context
    return answer.answer, context if answer.context is None else answer.context


ROWS = [(number, row) for number, each in exercises().items() for row in each.sentences]


@pytest.mark.parametrize(("number", "row"), [marked(*each) for each in ROWS])
def test_an_answer_is_told_what_its_row_says(number, row):
    context, answers = examples_of(number)
    answer, context = given(answers[row], context)
    reached, text = find_exercise(number).check(answer, context)
    assert reached == row, text
    verdict = tl.check(number, answer, *context)
    assert verdict.state == ("right" if row == "right" else "not yet")
    assert verdict.reason == text and 10 < len(text) < 600 and text.isprintable()


@pytest.mark.parametrize("number", [marked(number) for number in exercises()])
def test_what_cannot_be_compared_is_told_what_is_expected(number):
    own_context, answers = examples_of(number)
    for example, word in answers[UNREADABLE]:
        answer, context = given(example, own_context)
        verdict = tl.check(number, answer, *context)
        assert verdict.state == "not yet" and word in verdict.reason, verdict


def perturbed(right):
    """Answers that are nearly right, and wrong."""
    if isinstance(right, dict) and all(isinstance(v, float) for v in right.values()):
        for step in (0.9, -0.9, 0.02, np.nan):
            yield {name: value + step for name, value in right.items()}
        yield from (list(right.values()), [right], right | {"more": 0.5})
        yield from (dict.fromkeys(right, value) for value in (True, 0.0, 1.0, "0.8"))
    elif isinstance(right, int | float):
        yield from (
            1.5 * right + 0.9,
            100 * right,
            -right - 1,
            right + 0.5j,
            str(right),
        )
        yield from ([right], {"answer": right}, np.array([right]))


@pytest.mark.parametrize("number", [marked(number) for number in exercises()])
def test_no_odd_answer_is_right_and_each_gets_a_short_sentence(number):
    context, answers = examples_of(number)
    right, context = given(answers["right"], context)
    odd = {name: make() for name, make in ODD.items()}
    odd |= dict(enumerate(perturbed(right)))
    for name, answer in odd.items():
        verdict = tl.check(number, answer, *context)
        assert verdict.state == "not yet", (name, verdict)
        assert verdict.reason.isprintable() and 10 < len(verdict.reason) < 700, name


@pytest.mark.parametrize("number", ["1.1", "4.1", "11.1"])
def test_a_right_number_may_come_from_numpy_or_tensorflow(number):
    import tensorflow as tf

    context, answers = examples_of(number)
    right = answers["right"]
    for form in (np.float64, np.array, float, tf.constant):
        assert tl.check(number, form(right), *context).state == "right"


def test_a_colleague_of_8_1_has_one_mistake_which_frozen_report_names():
    from tlcourse.exercises.lessons_09_12 import networks_of_colleagues

    colleagues = networks_of_colleagues(tl.load_pretrained_model())
    words = {"Ada": "any numbers", "Cleo": "batch norms", "Dora": "initialised"}
    for name, word in words.items():
        (warning,) = tl.checks.frozen_report(colleagues[name]).warnings
        assert word in warning
    assert not tl.checks.frozen_report(colleagues["Ben"]).warnings


def test_five_neighbours_of_3_1_may_decide_a_tie_by_the_nearest():
    from exercise_examples import averages

    stamps = tl.load_dataset("stamps")
    train, test = (
        features / np.linalg.norm(features, axis=1)[:, None]
        for features in averages("head")
    )
    labels = stamps.train.labels[np.argsort(-(test @ train.T), axis=1)[:, :5]]
    votes = [Counter(row.tolist()).most_common(1)[0][0] for row in labels]
    accuracy = np.mean(votes == stamps.test.labels)
    assert tl.check("3.1", accuracy).state == "right"


def test_an_extractor_of_3_2_with_slightly_changed_pretrained_weights_is_not_random():
    network = tl.load_pretrained_model().copy_network()
    network.set_weights([1.01 * weight for weight in network.get_weights()])
    verdict = tl.check("3.2", network)
    assert verdict.state == "not yet" and "close to them" in verdict.reason


@pytest.mark.parametrize(("rate", "state"), [(0.5, "right"), (0, "not yet")])
def test_dropout_of_4_3_may_be_inside_a_nested_network_and_has_a_rate(rate, state):
    from exercise_examples import dropout_head, features

    network = dropout_head(rate)
    cells = tl.load_dataset("solar").validation.sample(per_class=30)
    network.compile(loss="binary_crossentropy")
    loss = network.evaluate(features(cells), cells.labels, verbose=0)
    history = SimpleNamespace(history={"val_loss": [0.9, loss]}, model=network)
    verdict = tl.check("4.3", history, SimpleNamespace(history={"val_loss": [0.8, 1]}))
    assert verdict.state == state, verdict
