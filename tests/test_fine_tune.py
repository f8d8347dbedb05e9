"""Fine-tuning: what is trained, what stays frozen, what is kept, and what is refused."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.native import import_tensorflow

import_tensorflow()
from tlcourse.training import keras_fit  # noqa: E402
from tlcourse.training.preparation import Settings  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config")

WORDS = [["bad", "awful", "boring", "worst"], ["good", "great", "lovely", "best"]]
FILLERS = ["the", "film", "was", "a", "story", "of", "it", "plot"]
TEXT = {"from_block": "layer_2", "epochs": 2, "batch_size": 16, "learning_rate": 2e-2}
PICTURES = {"from_block": "head", "epochs": 2, "batch_size": 8, "augmentations": 1}


def some_reviews(count, seed=0):
    """Sentences of different lengths, each with one word of praise or blame."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    sentences = []
    for label in labels:
        before = rng.choice(FILLERS, rng.integers(1, 4))
        after = rng.choice(FILLERS, rng.integers(5))
        sentences.append(" ".join([*before, rng.choice(WORDS[label]), *after]))
    return np.array(sentences, object), labels


@pytest.fixture(scope="module", autouse=True)
def without_tracing():
    """To trace a graph takes far longer than these trainings."""
    tf = import_tensorflow()
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def reviews():
    return some_reviews(32)


def tune(model, reviews, **options):
    return tl.fine_tune(model, *reviews, **{**TEXT, "validation": 0, **options})


@pytest.fixture(scope="module")
def tuned(small_bert, reviews):
    """Fine-tuned without validation rows: the weights of the last epoch are kept."""
    options = {"epochs": 10, "batch_size": 8, "dropout": 0}
    return tune(small_bert, reviews, class_names=["negative", "positive"], **options)


@pytest.fixture(scope="module")
def cells():
    """Dark and bright noise: uint8 (24, 32, 32, 3), and labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    noise = rng.integers(0, 100, (24, 32, 32, 3))
    return (noise + 120 * labels[:, None, None, None]).astype(np.uint8), labels


@pytest.fixture(scope="module")
def tuned_cells(bundled_model, cells):
    return tl.fine_tune(bundled_model, *cells, validation=0.25, **PICTURES)


def weights_of(model):
    return {weight.path: weight.numpy() for weight in model.weights}


def layer_of(path):
    return path.split("/")[0]


# What comes back


@pytest.mark.parametrize(
    ("result", "data"), [("tuned", "reviews"), ("tuned_cells", "cells")]
)
def test_it_fits_its_training_set_and_predicts_like_a_classifier(request, result, data):
    tuned, (inputs, labels) = map(request.getfixturevalue, (result, data))
    assert tuned.score(inputs, labels) > 0.9
    probabilities = tuned.predict_proba(inputs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(tuned.predict(inputs), probabilities.argmax(axis=1))


def test_the_record_is_complete_and_ready_for_json(tuned_cells):
    assert set(tuned_cells.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    record = json.loads(json.dumps(tuned_cells.record))
    assert record["from_block"] == "head" and record["augmentations"] == ["as is"]
    assert record["rows"] == {"training": 18, "validation": 6}
    assert record["settings"]["epochs"] == 2 and record["resumed_after"] == 0
    assert set(record["seconds"]) == {"activations", "probe", "training"}
    assert set(record["probe"]) == {"val_accuracy", "val_loss"}
    assert set(record["moved"]) == {"head"}


# What is trained


def changed_between(before, after):
    """The layers whose weights differ; a head is not in both."""
    after = weights_of(after)
    return {
        layer_of(path)
        for path, value in before.items()
        if not np.array_equal(value, after[path])
    }


def test_only_blocks_behind_the_cut_change(small_bert, tuned):
    changed = changed_between(weights_of(small_bert.network), tuned.model)
    assert changed and all(layer.startswith("layer_2") for layer in changed)
    recorded = {layer_of(path) for path in tuned.record["changed"]}
    assert recorded == {*changed, "head"}
    assert {layer_of(w.path) for w in tuned.model.trainable_weights} == recorded


def test_batch_norm_statistics_do_not_change(bundled_model, cells):
    """A head of random features: the last block alone trains fast, at a high rate."""
    options = {**PICTURES, "epochs": 1, "validation": 0, "learning_rate": 1e-2}
    tuned = tl.fine_tune(bundled_model, *cells, **options)
    assert any("head_conv" in path for path in tuned.record["changed"])
    before, after = weights_of(bundled_model.network), weights_of(tuned.model)
    norms = [path for path in before if "moving_" in path]
    assert norms and not {*norms} & {*tuned.record["changed"]}
    for path in norms:
        np.testing.assert_array_equal(before[path], after[path])
    norm = next(layer for layer in tuned.model.layers if "bn" in layer.name)
    assert not norm.trainable


def test_the_pretrained_model_is_not_changed(small_bert, reviews):
    before, held = weights_of(small_bert.network), some_reviews(6, seed=1)
    tuned = tune(small_bert, reviews, epochs=1, from_block=None, validation=held)
    changed = {layer_of(path).split("_")[0] for path in tuned.record["changed"]}
    assert changed == {"embeddings", "layer", "head"}
    assert tuned.record["rows"] == {"training": 32, "validation": 6}
    assert not changed_between(before, small_bert.network)


# What is kept, and interruptions


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupt(monkeypatch):
    """Interrupt the training after this epoch; with None no more."""

    def after(epochs):
        def on_epoch_end(self, epoch, logs=None):
            if epoch + 1 == epochs:
                raise Interrupted

        monkeypatch.setattr(keras_fit.Progress, "on_epoch_end", on_epoch_end)

    return after


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tlcourse-cache" / "training"


@pytest.mark.parametrize(
    ("values", "best", "interrupted"),
    [
        ([(0.1, 1), (1.1, 1), (0.9, 0.1)], 2, False),
        ([(1.1, 0.9), (1.1, 0.3), (1.1, 0.5)], 2, True),  # at equal accuracy by loss
        ([(0.0, 1), (0.0, 1), (0.0, 1)], 0, True),
        ([(0.0, 1), (np.nan, np.nan), (1.1, 1)], 3, False),
    ],
)
def test_the_best_epoch_is_kept(
    small_bert, reviews, monkeypatch, own_folder, interrupt, values, best, interrupted
):
    given = keras_fit.BestEpoch.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        logs["val_accuracy"], logs["val_loss"] = values[epoch]
        given(self, epoch, logs)

    monkeypatch.setattr(keras_fit.BestEpoch, "on_epoch_end", on_epoch_end)
    if interrupted:
        interrupt(2)
        with pytest.raises(Interrupted):
            tune(small_bert, reviews, validation=0.25, epochs=3)
        interrupt(None)
    tuned = tune(small_bert, reviews, validation=0.25, epochs=3)
    assert tuned.record["best_epoch"] == best
    expected = tuned.record["probe"]
    if best:
        accuracy, loss = values[best - 1]
        expected = {"val_accuracy": accuracy, "val_loss": loss}
    assert {name: tuned.best[name] for name in expected} == expected
    assert (tuned.record["changed"] == []) == (best == 0)  # 0: the probe


@pytest.mark.parametrize("epochs", [1, 4])
def test_an_interrupted_training_goes_on(
    small_bert, reviews, own_folder, interrupt, epochs
):
    options = {"validation": 0.25, "epochs": 4}
    whole = tune(small_bert, reviews, cache=False, **options)
    interrupt(epochs)
    with pytest.raises(Interrupted):
        tune(small_bert, reviews, **options)
    interrupt(None)
    resumed = tune(small_bert, reviews, **options)
    assert resumed.record["resumed_after"] == epochs
    assert {len(values) for values in resumed.history.values()} == {4}
    for name, values in whole.history.items():  # what was done before is kept
        np.testing.assert_allclose(resumed.history[name][:epochs], values[:epochs])
    assert not list(own_folder.iterdir())  # a finished training leaves nothing


@pytest.mark.parametrize("content", [b'{"history": {"los', b"PK cut short", None])
def test_a_damaged_backup_is_not_used(
    small_bert, reviews, own_folder, interrupt, content
):
    options = {"validation": 0.25, "epochs": 2}
    interrupt(1)
    with pytest.raises(Interrupted):
        tune(small_bert, reviews, **options)
    (file,) = own_folder.iterdir()
    file.write_bytes(file.read_bytes()[:-2000] if content is None else content)
    interrupt(None)
    tuned = tune(small_bert, reviews, **options)
    assert len(tuned.history["loss"]) == 2 and not tuned.record["resumed_after"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other", [{"learning_rate": 1e-3}, {"sample_weight": np.linspace(1, 2, 32)}]
)
def test_another_training_is_not_resumed(
    small_bert, reviews, own_folder, interrupt, other
):
    interrupt(1)
    options = {"validation": 0.25, "epochs": 2}
    with pytest.raises(Interrupted):
        tune(small_bert, reviews, **options)
    interrupt(None)
    tuned = tune(small_bert, reviews, **options, **other)
    assert tuned.record["resumed_after"] == 0


KILLED = """
import os, signal, sys
from pathlib import Path
import tlcourse as tl
from tlcourse.native import import_tensorflow
import_tensorflow()
from tlcourse.training import keras_fit
def on_epoch_end(self, epoch, logs=None):
    if sys.argv[2] == "kill" and epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
keras_fit.Progress.on_epoch_end = on_epoch_end
model = tl.load_pretrained_model(Path(sys.argv[1]))
texts, labels = ["good film", "bad film"] * 8, [1, 0] * 8
tuned = tl.fine_tune(model, texts, labels, 1, epochs=3, validation=0.25)
print(tuned.record["resumed_after"], len(tuned.history["val_loss"]))
"""


@pytest.mark.slow
def test_a_killed_training_goes_on(small_bert_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", KILLED, str(small_bert_folder)]
    assert subprocess.run([*command, "kill"]).returncode == -signal.SIGKILL
    output = subprocess.run([*command, ""], capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["2", "3"]


# Progress


def test_each_epoch_is_a_line_on_stderr(small_bert, reviews, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    tune(small_bert, reviews, validation=0.25, epochs=2, cache=False)
    out, err = capsys.readouterr()
    assert not out and "24 sentences, 8 for validation" in err
    assert "epoch 1 of 2, loss" in err and "validation accuracy" in err
    assert "left" in err


# Many from one preparation


def test_a_run_does_what_fine_tune_does_whatever_ran_before(small_bert, reviews):
    """In a graph that is traced once: no setting may be a constant in it."""
    tf = import_tensorflow()
    tf.config.run_functions_eagerly(False)
    settings = {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "dropout": 0.1}
    preparation = tl.prepare_fine_tuning(
        small_bert, *reviews, "layer_2", validation=0.25
    )
    before = preparation.run(epochs=1, label_smoothing=0.1, weight_decay=0.1, seed=1)
    fail = lambda *_, **__: pytest.fail("done anew")  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(small_bert), "activations", fail)
        patch.setattr(keras_fit.keras.Model, "compile", fail)
        run = preparation.run(**settings)
    expected = tune(small_bert, reviews, validation=0.25, cache=False, **settings)
    tf.config.run_functions_eagerly(True)
    assert run.history == expected.history != before.history
    for left, right in zip(run.model.weights, expected.model.weights, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())


@pytest.mark.filterwarnings("ignore::UserWarning")  # of files that are no arrays
def test_held_out_rows_are_predicted_by_fine_tuning_on_the_others_and_once(
    small_bert, reviews, own_cache
):
    sentences, labels = reviews[0], np.array(["bad", "good"])[reviews[1]]
    train, held = np.arange(4, 32), np.arange(4)
    chosen = {"epochs": 2, "batch_size": 8, "learning_rate": 2e-2}
    settings = Settings(**chosen)
    preparation = tl.prepare_fine_tuning(
        small_bert, sentences, labels, "layer_2", validation=0
    )
    before = preparation.run(**chosen)
    predicted = preparation.predict_held_out(train, held, settings)
    alone = tune(small_bert, (sentences[train], labels[train]), cache=False, **chosen)
    assert predicted.tolist() == alone.predict(sentences[held]).tolist()
    weights = preparation._tail.model.get_weights()
    for ours, other in zip(weights[-2:], alone.model.get_weights()[-2:], strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-3, atol=1e-5)
    (file,) = (own_cache / "tlcourse-cache" / "training").glob("*.npy")
    with pytest.MonkeyPatch.context() as patch:
        fail = lambda *_, **__: pytest.fail("trained again")  # noqa: E731
        patch.setattr(keras_fit.keras.Model, "fit", fail)
        again = preparation.predict_held_out(train, held, settings)
        assert again.tolist() == predicted.tolist()
    file.write_bytes(b"damaged")
    anew = preparation.predict_held_out(train, held, settings)
    assert anew.tolist() == predicted.tolist()
    assert preparation.run(**chosen).history == before.history


def test_settings_kept_in_variables_do_what_those_of_keras_do(small_bert, reviews):
    import keras

    preparation = tl.prepare_fine_tuning(small_bert, *reviews, 1, validation=0)
    settings = {"dropout": 0.4, "weight_decay": 0.1, "label_smoothing": 0.2}
    settings |= {"epochs": 3, "batch_size": 8, "learning_rate": 1e-2}
    expected = preparation.run(**settings).history["loss"]
    tail = preparation._tail
    tail.reset(preparation.probe, Settings(**settings), 12)
    tail.scale_down_head()
    network, head = preparation.network, tail.model.layers[-1]
    outputs = head(keras.layers.Dropout(0.4, seed=0)(network.output))
    plain = keras.Model(network.get_layer(preparation.cut).output, outputs)
    schedule = keras.optimizers.schedules.CosineDecay(
        1e-2, 11, warmup_target=1e-2, warmup_steps=1
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    plain.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=0.2))
    batches = preparation.training.training_set(8, seed=0)
    history = plain.fit(batches, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


# Refusals


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"from_block": "layer_9"}, "layer_9"),
        ({"from_block": True}, "from_block is True"),
        ({"augmentations": 2}, "sentence"),
        ({"validation": 1.0}, "validation"),
        ({"validation": (["a"],)}, "validation is a tuple"),
        ({"validation": (["a", "b"], [0, 7])}, "7"),
        ({"class_names": ["one"]}, "class_names"),
        ({"engine": "dask"}, "The setting is .engine."),
        ({"momentum": 0.9}, "momentum"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_work(
    small_bert, reviews, monkeypatch, options, word
):
    fail = lambda *_, **__: pytest.fail("there was work")  # noqa: E731
    monkeypatch.setattr(type(small_bert), "activations", fail)
    with pytest.raises(UserInputError, match=word):
        tune(small_bert, reviews, **options)
