"""Fine-tuning a network that reads: only what should change changes, and a stop half-way costs one epoch."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import UserInputError
from tlcourse.features import text
from tlcourse.training.checkpoint import Checkpoint

QUICK = {"from_": "layer_2", "epochs": 16, "batch_size": 8, "learning_rate": 5e-3}
NAMES = ["negative", "positive"]


def some_reviews(count, seed=0):
    """Sentences of 2 to 8 words, half of them with a word of praise: (object (n,), int64 (n,))."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    words = [["bad", "awful", "boring", "worst"], ["good", "great", "lovely", "best"]]
    fill = ["the", "film", "was", "a", "story", "of", "it", "plot"]
    sentences = [
        " ".join(
            [
                *rng.choice(fill, rng.integers(1, 4)),
                rng.choice(words[label]),
                *rng.choice(fill, rng.integers(4)),
            ]
        )
        for label in labels
    ]
    return np.array(sentences, object), labels


@pytest.fixture(scope="module")
def reviews():
    return some_reviews(32)


@pytest.fixture(scope="module")
def result(small_bert, reviews):
    """Fine-tuned without rows held out: the last epoch's weights stay."""
    return tuned(small_bert, reviews)


@pytest.fixture(scope="module")
def before(small_bert):
    return {weight.path: weight.numpy() for weight in small_bert.network.weights}


def tuned(model, reviews, **options):
    return tl.fine_tune(model, *reviews, **{**QUICK, "validation": 0, **options})


def weights_of(result):
    return {weight.path: weight.numpy() for weight in result.network.weights}


def blocks_of(paths):
    return {"_".join(path.split("/")[0].split("_")[:2]) for path in paths}


def test_what_will_be_done_is_said_of_sentences(
    small_bert, reviews, capsys, monkeypatch
):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    tuned(small_bert, reviews, epochs=1, cache=False)
    assert "Fine-tuning on 32 sentences: 1 epoch of about " in capsys.readouterr().err


# What comes back


def test_it_learns_what_it_is_shown(result, reviews):
    assert result.score(*reviews) >= 0.9


def test_the_network_is_token_ids_in_probabilities_out(small_bert, result, reviews):
    probabilities = result.network.predict(small_bert.tokenize(reviews[0]), verbose=0)
    assert probabilities.shape == (32, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        result.predict_proba(reviews[0]), probabilities, atol=1e-4
    )


def test_without_onnx_runtime_it_predicts_the_same(result, reviews, monkeypatch):
    from tlcourse.features import engine as engines

    fast = result.predict_proba(reviews[0])
    monkeypatch.setattr(engines, "has_onnxruntime", lambda: False)
    np.testing.assert_allclose(result.predict_proba(reviews[0]), fast, atol=1e-4)


def test_it_predicts_for_one_sentence_and_for_none_that_say_anything(result):
    assert result.predict_proba("good film").shape == (1, 2)
    assert np.isfinite(result.predict_proba(["", "\ud800", "世界"])).all()


@pytest.mark.slow
def test_saved_and_loaded_by_keras_alone_in_a_fresh_process_it_predicts_the_same(
    small_bert, result, reviews, tmp_path
):
    ids = small_bert.tokenize(reviews[0][:6])
    result.network.save(tmp_path / "reviews.keras")
    np.save(tmp_path / "ids.npy", ids)
    program = (
        "import keras, numpy as np, sys\n"
        "network = keras.models.load_model('reviews.keras', safe_mode=True)\n"
        "np.save('after.npy', network.predict(np.load('ids.npy'), verbose=0))\n"
        "assert 'tlcourse' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    expected = result.network.predict(ids, verbose=0)
    np.testing.assert_allclose(
        np.load(tmp_path / "after.npy"), expected, atol=1e-6
    )  # threads add in any order


def test_class_names_name_the_classes(small_bert, reviews):
    named = tuned(small_bert, reviews, epochs=1, class_names=NAMES)
    assert named.class_names == NAMES and "positive" in named.report(*reviews)


def test_the_record_is_ready_for_json_and_says_where_it_was_cut(result):
    record = json.loads(json.dumps(result.record))
    assert (record["from"], record["views"]) == ("layer_2", ["as is"])
    assert record["rows"] == {"learned_from": 32, "held_out": 0}


# What changes and what does not


def test_only_the_layers_behind_the_cut_change(result, before):
    after = weights_of(result)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert blocks_of(changed) == {"layer_2"}


def test_every_weight_behind_the_cut_changes(result, before):
    after = weights_of(result)
    still = {path for path in before if np.array_equal(before[path], after[path])}
    # The softmax over the keys is the same whatever is added to all of them.
    assert {path for path in still if path.startswith("layer_2")} <= {
        "layer_2_attention/key/bias"
    }


def test_the_record_names_the_changed_weights(result, before):
    after = weights_of(result)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert set(result.record["changed"]) == changed | {"head/kernel", "head/bias"}


def test_the_guards_agree(small_bert, result):
    import keras

    earlier = small_bert.copy_network()
    tuned_part = keras.Model(
        result.network.inputs,
        result.network.get_layer("average").output,
        name=earlier.name,
    )
    tl.guards.assert_changed(
        tl.guards.snapshot(earlier), tl.guards.snapshot(tuned_part), only="layer_2"
    )


def test_the_flags_say_what_was_trained(result):
    trainable = [weight.path for weight in result.network.trainable_weights]
    assert blocks_of(trainable) == {"layer_2", "head"}


def test_the_model_given_is_not_changed(small_bert, before, result):
    assert result and all(
        np.array_equal(weight.numpy(), before[weight.path])
        for weight in small_bert.network.weights
    )


@pytest.fixture(scope="module")
def whole(small_bert, reviews):
    """The whole network trained, from the token ids on."""
    return tuned(small_bert, reviews, from_=None)


def test_the_whole_network_can_be_trained(whole):
    assert blocks_of(whole.record["changed"]) >= {
        "embeddings_tokens",
        "embeddings_positions",
        "layer_1",
        "layer_2",
    }


def test_only_the_vectors_of_tokens_that_were_read_change_for_their_own_sake(
    small_bert, whole, before, reviews
):
    name = "embeddings_tokens/embeddings"
    read = np.unique(small_bert.tokenize(reviews[0]))
    moved = np.abs(weights_of(whole)[name] - before[name]).max(axis=1)
    unread = np.setdiff1d(np.arange(len(moved)), read)
    assert (
        moved[read[read != 0]].min() > 10 * moved[unread].max()
    )  # these follow the weight decay alone


@pytest.mark.parametrize("given", [2, 1, "layer_1", "layer_2", "embeddings", 3, None])
def test_a_cut_is_given_by_name_or_number(small_bert, given):
    from tlcourse.training.cut import first_block

    expected = {2: "layer_1", 1: "layer_2", "layer_1": "layer_1", "layer_2": "layer_2"}
    assert first_block(small_bert, given) == expected.get(given)


def test_at_a_learning_rate_of_0_the_answers_are_the_probe_s_less_sure(
    small_bert, reviews
):
    found = tuned(
        small_bert, reviews, epochs=1, learning_rate=0, weight_decay=0, dropout=0
    )
    features = small_bert.extract_features(reviews[0])
    probe = tl.train_classifier(features, reviews[1], common_scale=True)
    ours, theirs = (
        np.log(p[:, 1] / p[:, 0])
        for p in (found.predict_proba(reviews[0]), probe.predict_proba(features))
    )
    factor = (ours @ theirs) / (theirs @ theirs)
    assert 0 < factor < 1.01
    np.testing.assert_allclose(ours, factor * theirs, atol=0.02)
    assert set(found.record["changed"]) <= {"head/kernel", "head/bias"}


# What is held out


def test_a_share_is_held_out_of_each_class(small_bert, reviews):
    record = tuned(small_bert, reviews, epochs=1, validation=0.25).record
    assert record["rows"] == {"learned_from": 24, "held_out": 8}
    assert set(record["probe"]) == {"validation_accuracy", "validation_loss"}


def test_given_rows_judge_the_probe_as_they_would_the_classifier_on_features(
    small_bert, reviews
):
    held_out = some_reviews(10, seed=1)
    record = tuned(small_bert, reviews, epochs=1, validation=held_out).record
    assert record["rows"] == {"learned_from": 32, "held_out": 10}
    probe = tl.train_classifier(
        small_bert.extract_features(reviews[0]), reviews[1], common_scale=True
    )
    expected = probe.score(small_bert.extract_features(held_out[0]), held_out[1])
    assert record["probe"]["validation_accuracy"] == pytest.approx(expected)


# Again, and again after a stop


def test_the_same_seed_gives_the_same_network_to_the_last_bit(
    small_bert, reviews, result
):
    ours, theirs = (
        weights_of(tuned(small_bert, reviews, cache=False)),
        weights_of(result),
    )
    assert [path for path in ours if not np.array_equal(ours[path], theirs[path])] == []


@pytest.mark.slow
def test_stopped_after_an_epoch_it_goes_on_and_comes_to_the_same_network(
    small_bert, reviews, result, monkeypatch
):
    undisturbed = weights_of(result)
    write = Checkpoint.write

    def interrupted(self, state):
        write(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tuned(small_bert, reviews)
    resumed = tuned(small_bert, reviews)
    assert resumed.record["resumed_after"] == 1
    assert all(
        np.array_equal(weight, undisturbed[path])
        for path, weight in weights_of(resumed).items()
    )


def test_the_frozen_part_is_computed_once(small_bert, reviews, result, monkeypatch):
    monkeypatch.setattr(text, "batches_of_one_length", _none_of)
    tuned(small_bert, reviews, epochs=1, seed=3)


def _none_of(missing):
    assert not missing
    return iter(())


# What holds sentences


@pytest.mark.slow
def test_sentences_may_come_in_a_tf_data_dataset(small_bert, reviews, result):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(reviews[0].tolist()).batch(5)
    found = tuned(small_bert, (dataset, reviews[1]))
    assert np.array_equal(
        found.predict_proba(reviews[0]), result.predict_proba(reviews[0])
    )


def test_what_can_be_read_once_is_not_read_to_be_counted(small_bert, reviews):
    assert (
        small_bert.count(iter(reviews[0])) is None
        and small_bert.count(reviews[0]) == 32
    )


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"views": 2},
            "views is 2, but views are of pictures; a sentence is taken as it is",
        ),
        (
            {"from_": "layer_3"},
            "given as 'layer_3'.*blocks of small: embeddings, layer_1, layer_2",
        ),
        ({"from_": 0}, "how many of the last blocks \\(1 to 3\\)"),
        ({"from_": 4}, "given as 4; expected"),
        ({"validation": (["good"], [7])}, "The labels hold 7"),
        ({"validation": (["good", "bad"], [1])}, "expected one label for each"),
        ({"class_names": ["one"]}, "1 class names were given"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_computed(
    small_bert, reviews, monkeypatch, options, sentence
):
    monkeypatch.setattr(text, "_computed", lambda *_: pytest.fail("computed first"))
    with pytest.raises(UserInputError, match=sentence):
        tuned(small_bert, reviews, **options)


@pytest.mark.parametrize(
    "wrong", [["good", None], [b"good", b"bad"], [["good"], ["bad"]], None]
)
def test_what_is_no_text_is_refused(small_bert, wrong):
    with pytest.raises(UserInputError, match="[Tt]ext"):
        tuned(small_bert, (wrong, [0, 1]))


def test_labels_of_another_length_are_refused(small_bert, reviews):
    with pytest.raises(UserInputError, match="expected one label for each"):
        tuned(small_bert, (reviews[0], reviews[1][:5]))


def test_pictures_are_refused(small_bert, photographs):
    with pytest.raises(UserInputError, match="expected str"):
        tuned(small_bert, (photographs, [0, 1, 0, 1]))


# Freezing and a new head


@pytest.fixture
def network(small_bert):
    return small_bert.copy_network()


def test_the_frozen_report_speaks_of_embeddings_and_layers(network):
    report = tl.guards.frozen_report(network)
    assert [row.block for row in report.rows] == ["embeddings", "layer_1", "layer_2"]
    assert sum(row.parameters for row in report.rows) == network.count_params()


def test_a_text_model_s_report_is_its_network_s(small_bert, network):
    ours, theirs = tl.guards.frozen_report(small_bert), tl.guards.frozen_report(network)
    assert [row.parameters for row in ours.rows] == [
        row.parameters for row in theirs.rows
    ]


def test_freezing_up_to_a_layer_leaves_the_later_ones(network):
    states = {row.block: row.state for row in tl.freeze(network, up_to="layer_1").rows}
    assert states == {
        "embeddings": "frozen",
        "layer_1": "frozen",
        "layer_2": "trainable",
    }


def test_unfreezing_counts_from_the_end(network):
    tl.freeze(network)
    states = {row.block: row.state for row in tl.unfreeze(network, from_=1).rows}
    assert states == {
        "embeddings": "frozen",
        "layer_1": "frozen",
        "layer_2": "trainable",
    }


def test_a_bert_has_no_batch_norm_to_speak_of(network):
    assert "Batch norm: there is none" in repr(tl.freeze(network))


def test_a_head_of_one_s_own_is_no_block(network):
    import keras

    head = keras.layers.Dense(2, "softmax", name="mine")(network.output)
    report = tl.freeze(keras.Model(network.inputs[0], head))
    assert [row.block for row in report.rows] == [
        "embeddings",
        "layer_1",
        "layer_2",
        "your layers",
    ]


@pytest.fixture(scope="module")
def with_head(small_bert, reviews):
    """A new head on the frozen small BERT, after an epoch: the model, and its weights before that."""
    model = tl.add_head(small_bert, classes=2)
    before = tl.guards.snapshot(model)
    model.fit(small_bert.tokenize(reviews[0]), reviews[1], epochs=1, verbose=0)
    return model, before


def test_a_new_head_is_trained_on_token_ids_and_the_rest_stays(with_head):
    model, before = with_head
    tl.guards.assert_changed(before, model, only="your layers")


def test_a_new_head_leaves_the_model_as_it_was(with_head, small_bert, before):
    assert all(
        np.array_equal(weight.numpy(), before[weight.path])
        for weight in small_bert.network.weights
    )
    assert small_bert.network.trainable


# Learning curves


@pytest.fixture(scope="module")
def dataset():
    train, validation, test = (
        Split(*some_reviews(count, seed), NAMES)
        for seed, count in enumerate((40, 8, 20))
    )
    return Dataset("some reviews", train, validation, test, NAMES, card=None)


@pytest.mark.slow
def test_probe_and_fine_tuning_have_learning_curves(dataset, small_bert):
    curve = tl.learning_curve(
        dataset, (4,), ["probe", "fine-tune"], seeds=1, model=small_bert
    )
    assert {name: [point.rows for point in points] for name, points in curve.points.items()} == {
        "probe": [8], "fine-tune": [8]
    }  # fmt: skip
    assert all(
        0 <= point.mean <= 1 and min(point.seconds) > 0
        for points in curve.points.values()
        for point in points
    )


def test_a_method_of_one_s_own_is_given_the_sentences(dataset):
    class Majority:
        def __init__(self, split, seed):
            assert split.sentences.dtype == object

        def predict(self, sentences):
            return np.zeros(len(sentences), int)

    assert (
        tl.learning_curve(dataset, (2,), {"majority": Majority}, seeds=1)
        .points["majority"][0]
        .mean
        == 0.5
    )


def test_from_scratch_a_network_that_reads_is_trained(dataset, small_bert):
    assert list(
        tl.learning_curve(dataset, (2,), ["scratch"], seeds=1, model=small_bert).points
    ) == ["scratch"]


@pytest.mark.parametrize("method", ["scratch", "probe", "fine-tune"])
def test_without_a_model_that_reads_it_is_said_which(dataset, bundled_model, method):
    for model in (None, bundled_model):
        with pytest.raises(
            UserInputError, match='model=tl.load_pretrained_model\\("minilm"\\)'
        ):
            tl.learning_curve(dataset, (2,), [method], model=model)
