"""One preparation serves many fine-tunings: each comes to what `fine_tune` comes to, and leaves nothing behind."""

import gc

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.training import training

SETTINGS = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "dropout": 0.2}
OTHERS = {
    "epochs": 3,
    "batch_size": 5,
    "learning_rate": 1e-2,
    "dropout": 0,
    "label_smoothing": 0.1,
}


@pytest.fixture(scope="module")
def cells():
    return tl.load_dataset("solar").train.sample(12)


@pytest.fixture(scope="module")
def others():
    split = tl.load_dataset("solar").validation.sample(6)
    return split.images, split.labels


@pytest.fixture(scope="module")
def preparation(bundled_model, cells, others):
    return tl.prepare_fine_tuning(
        bundled_model, cells.images, cells.labels, "head", validation=others
    )


@pytest.fixture(scope="module")
def result(preparation):
    """The first run; between it and its network there are many others."""
    return preparation.run(**SETTINGS)


@pytest.fixture(scope="module")
def by_fine_tune(bundled_model, cells, others):
    return tl.fine_tune(
        bundled_model, cells.images, cells.labels, "head", validation=others, **SETTINGS
    )


def weights_of(tuned):
    return {weight.path: weight.numpy() for weight in tuned.network.weights}


def trained(tuned):
    return sorted(weight.path for weight in tuned.network.trainable_weights)


def assert_same(first, second):
    ours, theirs = weights_of(first), weights_of(second)
    assert list(ours) == list(theirs)
    assert [path for path in ours if not np.array_equal(ours[path], theirs[path])] == []


def without_seconds(record):
    epochs = [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in record["epochs"]
    ]
    return {**record, "epochs": epochs, "seconds": None, "estimated_seconds": None}


def test_a_run_comes_to_what_fine_tune_comes_to_bit_for_bit(result, by_fine_tune):
    assert result.record["best_epoch"] > 0  # or nothing of the training would be seen
    assert_same(result, by_fine_tune)
    assert without_seconds(result.record) == without_seconds(by_fine_tune.record)


def test_a_run_does_not_depend_on_those_before(preparation, result):
    preparation.run(**OTHERS)
    assert_same(preparation.run(**SETTINGS), result)


def test_an_earlier_result_stays_as_it_was(preparation, by_fine_tune):
    early = preparation.run(**SETTINGS)
    preparation.run(**OTHERS)
    assert_same(early, by_fine_tune)  # its network is built only now


def test_each_result_has_a_network_of_its_own(preparation, result):
    other = preparation.run(**SETTINGS)
    other.network.get_layer("head").kernel.assign_add(np.ones((1280, 2), np.float32))
    assert not np.array_equal(
        weights_of(other)["head/kernel"], weights_of(result)["head/kernel"]
    )


def test_what_is_frozen_and_trained_is_seen_in_the_result_s_network(
    result, by_fine_tune
):
    assert (
        trained(result)
        == trained(by_fine_tune)
        == ["head/bias", "head/kernel", "head_conv/kernel"]
    )


def test_a_trial_builds_no_network(preparation, monkeypatch):
    import keras

    monkeypatch.setattr(
        keras.models, "clone_model", lambda *_: pytest.fail("a network was built")
    )
    assert 0 <= preparation.run(**SETTINGS).best["validation_accuracy"] <= 1


def test_all_settings_share_one_trace(preparation, result):
    preparation.run(**OTHERS)
    preparation.run(**OTHERS, weight_decay=0.1, seed=3, patience=1)
    assert preparation.step._run.experimental_get_tracing_count() == 1


def functions():
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


@pytest.mark.slow
def test_a_run_leaves_no_function_behind(preparation, result):
    before = functions()
    for _ in range(2):
        preparation.run(epochs=1, batch_size=12)
    assert functions() == before


@pytest.mark.slow
def test_a_preparation_that_is_dropped_leaves_no_function_behind(bundled_model, cells):
    before = functions()
    prepared = tl.prepare_fine_tuning(
        bundled_model, cells.images, cells.labels, "head", validation=0
    )
    kept = prepared.run(epochs=1)
    del prepared
    assert functions() == before and kept.record["best_epoch"] == 1


def test_after_an_interruption_the_next_run_begins_anew(
    preparation, result, monkeypatch
):
    judge, calls = training.Training._judge, iter(range(3))

    def interrupted(self):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return judge(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.Training, "_judge", interrupted)
        preparation.run(**OTHERS)
    assert_same(preparation.run(**SETTINGS), result)


def test_the_best_is_the_epoch_that_was_kept(result):
    number = result.record["best_epoch"]
    assert result.best == (
        result.record["epochs"][number - 1] if number else result.record["probe"]
    )


def test_where_no_epoch_is_better_the_best_is_the_probe(preparation):
    ruined = preparation.run(epochs=1, learning_rate=1)
    assert (
        ruined.record["best_epoch"] == 0
        and ruined.best == ruined.record["probe"]
        and not ruined.record["changed"]
    )


def test_the_seed_is_the_preparation_s_unless_another_is_given(bundled_model, cells):
    prepared = tl.prepare_fine_tuning(
        bundled_model, cells.images, cells.labels, "head", seed=4
    )
    assert prepared.run(epochs=1).record["settings"]["seed"] == 4
    assert prepared.run(epochs=1, seed=5).record["settings"]["seed"] == 5


def test_nothing_is_shown_and_nothing_kept_on_disk(
    preparation, own_cache, capsys, monkeypatch
):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    before = set((own_cache / "training").glob("*"))
    preparation.run(epochs=1)
    assert (
        capsys.readouterr() == ("", "")
        and set((own_cache / "training").glob("*")) == before
    )


def test_it_says_what_is_prepared(preparation):
    said = "<efficientnet_lite0, ready to be fine-tuned from head on: 24 pictures, 12 held out>"
    assert repr(preparation) == said


@pytest.mark.slow
def test_sentences_can_be_prepared(small_bert):
    sentences, labels = ["good film", "bad plot", "lovely", "boring"] * 4, [1, 0] * 8
    settings = {"epochs": 2, "batch_size": 4}
    prepared = tl.prepare_fine_tuning(
        small_bert, sentences, labels, "layer_2", validation=0
    )
    tuned = tl.fine_tune(
        small_bert, sentences, labels, "layer_2", validation=0, **settings
    )
    found = prepared.run(**settings)
    assert_same(found, tuned)
    assert trained(found) == trained(tuned) == sorted(tuned.record["changed"])


@pytest.mark.slow
def test_settings_of_the_model_s_own_are_taken(small_bert):
    prepared = tl.prepare_fine_tuning(
        small_bert, ["good", "bad"] * 4, [1, 0] * 4, "layer_2", validation=0
    )
    assert (
        prepared.run(epochs=1).record["settings"]["learning_rate"]
        == small_bert.settings["learning_rate"]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lr": 0.1}, "fine_tune has no setting 'lr'"),
        ({"epochs": 0}, "epochs is 0; expected a whole number from 1"),
    ],
)
def test_a_run_with_what_cannot_be_used_gets_a_sentence(preparation, options, sentence):
    with pytest.raises(UserInputError, match=sentence):
        preparation.run(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": -1}, "seed is -1; expected a whole number from 0"),
        ({"from_": "block9"}, "given as 'block9'; expected its name"),
        ({"validation": 2}, "validation is 2; expected a share"),
        ({"views": "inside out"}, "views is 'inside out'"),
    ],
)
def test_what_cannot_be_prepared_gets_a_sentence(
    bundled_model, cells, options, sentence
):
    with pytest.raises(UserInputError, match=sentence):
        tl.prepare_fine_tuning(bundled_model, cells.images, cells.labels, **options)


def test_something_else_than_a_pretrained_model_gets_the_call(cells):
    with pytest.raises(
        UserInputError,
        match="was given str; expected a pretrained model: model = tl.load",
    ):
        tl.prepare_fine_tuning("efficientnet_lite0", cells.images, cells.labels)
