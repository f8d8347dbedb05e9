"""Fine-tuning: only what should change changes, the same seed gives the same network, and a kill costs one epoch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.models import backbones
from tlcourse.training import checkpoint, training
from tlcourse.training.checkpoint import Checkpoint, fingerprint
from tlcourse.training.class_activation import grad_cam
from tlcourse.training.examples import Examples, split

CELLS = 12  # of each class
QUICK = {"from_": "block7a", "epochs": 2, "batch_size": 8, "views": 1}


@pytest.fixture(scope="module")
def cells():
    """Twelve whole and twelve defective solar cells at 224 × 224: (uint8 (24, 224, 224, 3), int64 (24,))."""
    from tlcourse.features.pictures import resize

    train = tl.load_dataset("solar").train
    rows = np.concatenate(
        [np.flatnonzero(train.labels == label)[:CELLS] for label in (0, 1)]
    )
    return np.stack(
        [resize(train.images[int(row)], (224, 224)) for row in rows]
    ), train.labels[rows]


@pytest.fixture(scope="module")
def result(bundled_model, cells):
    return tl.fine_tune(
        bundled_model,
        *cells,
        **QUICK,
        validation=0.25,
        class_names=["whole", "defective"],
    )


def tuned(model, cells, **options):
    return tl.fine_tune(model, *cells, **{**QUICK, **options})


def weights_of(result):
    return {weight.path: weight.numpy() for weight in result.network.weights}


def judgement(accuracy, loss):
    return {"validation_accuracy": accuracy, "validation_loss": loss}


def assert_same(first, second):
    ours, theirs = weights_of(first), weights_of(second)
    assert list(ours) == list(theirs)
    assert [path for path in ours if not np.array_equal(ours[path], theirs[path])] == []


# What comes back


def test_it_learns_what_it_is_shown(result, cells):
    assert result.score(*cells) >= 0.8


def test_the_network_is_photo_in_probabilities_out(result, cells):
    probabilities = result.network.predict(cells[0].astype(np.float32), verbose=0)
    assert probabilities.shape == (24, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(result.predict_proba(cells[0]), probabilities, atol=1e-4)


@pytest.mark.slow
def test_saved_and_loaded_by_keras_alone_in_a_fresh_process_it_predicts_the_same(
    result, cells, tmp_path
):
    result.network.save(tmp_path / "cells.keras")
    np.save(tmp_path / "pictures.npy", cells[0][:4].astype(np.float32))
    program = (
        "import keras, numpy as np, sys\n"
        "network = keras.models.load_model('cells.keras', safe_mode=True)\n"
        "np.save('after.npy', network.predict(np.load('pictures.npy'), verbose=0))\n"
        "assert 'tlcourse' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    before = result.network.predict(np.load(tmp_path / "pictures.npy"), verbose=0)
    np.testing.assert_array_equal(np.load(tmp_path / "after.npy"), before)


def test_predictions_are_labels_and_can_be_judged(result, cells):
    assert set(result.predict(cells[0])) <= {0, 1}
    assert result.confusion(*cells).counts.sum() == 24
    assert "defective" in result.report(*cells)
    assert repr(result).startswith(
        "<efficientnet_lite0_fine_tuned: 2 classes, 2 epochs, "
    )


def test_text_labels_stay_text(bundled_model, cells):
    names = np.array(["whole", "defective"])[cells[1]]
    assert set(tuned(bundled_model, (cells[0], names), epochs=1).predict(cells[0])) <= {
        "whole",
        "defective",
    }


def test_the_record_is_ready_for_json_and_complete(result):
    record = json.loads(json.dumps(result.record))
    assert record["from"] == "block7a" and record["views"] == ["as is"]
    assert record["rows"] == {"learned_from": 18, "held_out": 6}
    assert [row["epoch"] for row in record["epochs"]] == [1, 2]
    assert set(record["epochs"][0]) == {
        "epoch", "loss", "learning_rate", "validation_accuracy", "validation_loss", "seconds"
    }  # fmt: skip
    assert set(record["probe"]) == {"validation_accuracy", "validation_loss"}
    assert (
        set(record["seconds"]) == {"activations", "probe", "training"}
        and record["estimated_seconds"] > 0
    )


# The larger of the bundled networks, which takes larger pictures


@pytest.fixture(scope="module")
def larger():
    return tl.load_pretrained_model("efficientnet_lite2")


@pytest.fixture(scope="module")
def tuned_larger(larger, cells):
    return tuned(larger, cells, epochs=1, validation=0)


def test_the_larger_network_learns_behind_the_cut_alone_and_no_batch_norm(
    larger, tuned_larger
):
    assert repr(tuned_larger).startswith("<efficientnet_lite2_fine_tuned: 2 classes, ")
    before = {weight.path: weight.numpy() for weight in larger.network.weights}
    after = weights_of(tuned_larger)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed and {path.split("_")[0] for path in changed} <= {"block7a", "head"}
    assert not [path for path in changed if "_bn/" in path]


def test_the_larger_network_shows_at_its_own_size_where_the_evidence_is(
    tuned_larger, cells
):
    maps = grad_cam(tuned_larger, cells[0][:2])
    assert maps.shape == (2, 260, 260) and maps.min() >= 0 and maps.max() == 1


# What changes and what does not


@pytest.fixture(scope="module")
def without_validation(bundled_model, cells):
    return tuned(bundled_model, cells, validation=0)


def test_only_blocks_behind_the_cut_change_and_no_batch_norm(
    bundled_model, without_validation
):
    before = {weight.path: weight.numpy() for weight in bundled_model.network.weights}
    after = weights_of(without_validation)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed and {path.split("_")[0] for path in changed} <= {"block7a", "head"}
    assert not [path for path in changed if "_bn/" in path]


def test_the_record_names_the_changed_weights(bundled_model, without_validation):
    before = {weight.path: weight.numpy() for weight in bundled_model.network.weights}
    after = weights_of(without_validation)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert set(without_validation.record["changed"]) == changed | {
        "head/kernel",
        "head/bias",
    }


def test_the_flags_say_what_was_trained(without_validation):
    trainable = {
        weight.path.split("/")[0]
        for weight in without_validation.network.trainable_weights
    }
    assert trainable == {
        "block7a_expand_conv", "block7a_depthwise_conv", "block7a_project_conv", "head_conv", "head"
    }  # fmt: skip


def test_the_model_given_is_not_changed(bundled_model, cells):
    before = [weight.numpy() for weight in bundled_model.network.weights]
    flags = [layer.trainable for layer in bundled_model.network.layers]
    tuned(bundled_model, cells, epochs=1)
    assert all(
        np.array_equal(old, new)
        for old, new in zip(before, bundled_model.network.weights, strict=True)
    )
    assert [layer.trainable for layer in bundled_model.network.layers] == flags


def log_odds(probabilities):
    return np.log(probabilities[:, 1] / probabilities[:, 0])


@pytest.mark.slow
def test_the_start_is_the_probe_less_sure_and_not_a_random_head(bundled_model, cells):
    result = tuned(
        bundled_model,
        cells,
        epochs=1,
        learning_rate=0,
        weight_decay=0,
        validation=0,
        dropout=0,
    )
    features = bundled_model.extract_features(cells[0])
    probe = tl.train_classifier(features, cells[1], common_scale=True)
    ours, theirs = (
        log_odds(result.predict_proba(cells[0])),
        log_odds(probe.predict_proba(features)),
    )
    factor = (ours @ theirs) / (theirs @ theirs)
    assert 0 < factor < 1
    np.testing.assert_allclose(ours, factor * theirs, atol=0.02)
    assert result.record["changed"] == ["head/kernel", "head/bias"]


@pytest.mark.slow
def test_a_probe_that_is_not_improved_on_comes_back_as_it_was(
    bundled_model, cells, monkeypatch
):
    judged = iter([judgement(0.9, 0.1), judgement(0.5, 1.0)])
    monkeypatch.setattr(training.Training, "_judge", lambda self: next(judged))
    result = tuned(bundled_model, cells, epochs=1, validation=0.25, cache=False)
    assert (result.record["best_epoch"], result.record["changed"]) == (0, [])


@pytest.mark.parametrize("classes", [2, 5])
def test_a_tempered_head_answers_the_same_and_is_as_short_as_a_fresh_one(classes):
    import keras

    rng = np.random.default_rng(0)
    head, fresh = (keras.layers.Dense(classes, "softmax") for _ in range(2))
    for layer in (head, fresh):
        layer.build((None, 640))
    head.set_weights(
        [
            rng.normal(size=(640, classes)).astype("float32"),
            rng.normal(size=classes).astype("float32"),
        ]
    )
    rows = rng.normal(size=(50, 640)).astype("float32")
    before = head(rows).numpy()
    training.temper(head)
    after = head(rows).numpy()
    assert (
        np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
        and after.max() < before.max()
    )
    assert head.kernel.numpy().std() == pytest.approx(
        fresh.kernel.numpy().std(), rel=0.05
    )
    training.temper(head)
    np.testing.assert_allclose(head(rows).numpy(), after, rtol=1e-3)


@pytest.mark.slow
def test_the_whole_network_can_be_trained(bundled_model, cells):
    some = (cells[0][::6], cells[1][::6])
    result = tuned(
        bundled_model,
        some,
        from_=None,
        epochs=1,
        batch_size=4,
        validation=0,
        learning_rate=1e-3,
    )
    assert any(path.startswith("stem_conv") for path in result.record["changed"])
    assert not [path for path in result.record["changed"] if "_bn/" in path]


def test_with_held_out_rows_the_best_epoch_stays(bundled_model, cells, monkeypatch):
    kept = []
    judged = iter(
        judgement(*one) for one in [(0.5, 1.0), (0.9, 1.0), (0.9, 2.0), (0.7, 1.0)]
    )  # the probe, 3 epochs

    def judge(self):
        kept.append(self._values(self.variables))
        return next(judged)

    monkeypatch.setattr(training.Training, "_judge", judge)
    result = tuned(bundled_model, cells, epochs=3, validation=0.25, cache=False)
    assert result.record["best_epoch"] == 1
    head = [weight.numpy() for weight in result.network.get_layer("head").weights]
    assert all(np.array_equal(*pair) for pair in zip(head, kept[1][-2:], strict=True))


def test_training_ends_where_patience_ends(bundled_model, cells, monkeypatch):
    monkeypatch.setattr(training.Training, "_judge", lambda self: judgement(0.5, 1.0))
    result = tuned(
        bundled_model, cells, epochs=9, patience=2, validation=0.25, cache=False
    )
    assert (len(result.record["epochs"]), result.record["best_epoch"]) == (2, 0)


@pytest.mark.slow
def test_killed_after_the_last_epoch_that_patience_allows_it_trains_none_more(
    bundled_model, cells, monkeypatch
):
    monkeypatch.setattr(training.Training, "_judge", lambda self: judgement(0.5, 1.0))
    write, options = Checkpoint.write, {"epochs": 9, "patience": 2, "validation": 0.25}

    def interrupted(self, state):
        write(self, state)
        if json.loads(state["about"].tobytes())["epochs"][-1]["epoch"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned(bundled_model, cells, **options)
    resumed = tuned(bundled_model, cells, **options).record
    assert (resumed["resumed_after"], len(resumed["epochs"])) == (2, 2)


# Again, and again after a kill


def test_the_same_seed_gives_the_same_network_to_the_last_bit(
    bundled_model, cells, without_validation
):
    assert_same(without_validation, tuned(bundled_model, cells, validation=0))


def test_another_seed_gives_another_network(bundled_model, cells, without_validation):
    other = tuned(bundled_model, cells, validation=0, seed=1)
    assert not np.array_equal(
        weights_of(without_validation)["head/kernel"], weights_of(other)["head/kernel"]
    )


@pytest.mark.slow
def test_killed_after_an_epoch_it_goes_on_and_comes_to_the_same_network(
    cells, tmp_path
):
    np.savez(tmp_path / "cells.npz", images=cells[0], labels=cells[1])
    program = (
        "import os, sys, numpy as np, tlcourse as tl\n"
        "from tlcourse.training.checkpoint import Checkpoint\n"
        "data = np.load('cells.npz')\n"
        "if sys.argv[1] == 'kill':\n"
        "    whole = Checkpoint.write\n"
        "    Checkpoint.write = lambda self, state: (whole(self, state), os.kill(os.getpid(), 9))\n"
        "options = {'from_': 'block7a', 'epochs': 3, 'batch_size': 8, 'views': 2, 'validation': 0}\n"
        "result = tl.fine_tune(tl.load_pretrained_model(), data['images'], data['labels'], **options)\n"
        "print(result.record['resumed_after'])\n"
        "np.savez(sys.argv[1], *result.network.get_weights())\n"
    )

    def start(name, cache):
        paths = os.pathsep.join(
            [str(Path(tl.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        )
        environment = {
            **os.environ,
            "TLCOURSE_CACHE": str(tmp_path / cache),
            "PYTHONPATH": paths,
        }
        command = [sys.executable, "-c", program, name]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    assert start("kill", "killed").returncode == -9
    resumed, undisturbed = start("resumed", "killed"), start("undisturbed", "other")
    assert (resumed.stdout.strip(), undisturbed.stdout.strip()) == ("1", "0"), (
        resumed.stderr + undisturbed.stderr
    )
    with (
        np.load(tmp_path / "resumed.npz") as ours,
        np.load(tmp_path / "undisturbed.npz") as theirs,
    ):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert not list(
        (tmp_path / "killed" / "tlcourse-cache" / "training").iterdir()
    )  # finished: nothing to go on from


@pytest.mark.parametrize("damage", [b"", b"Dear Sir or Madam"])
def test_a_damaged_checkpoint_is_begun_anew(tmp_path, damage):
    kept = Checkpoint(tmp_path / "state.npz")
    kept.write({"a": np.arange(1000)})
    assert np.array_equal(kept.read()["a"], np.arange(1000))
    kept.path.write_bytes(damage or kept.path.read_bytes()[:-100])
    assert kept.read() is None


def test_other_labels_or_settings_are_another_training(cells):
    rows, weights = np.arange(24), np.ones(24)
    first = Examples(cells[0][:, None], rows, cells[1], weights)
    other = Examples(cells[0][:, None], rows, 1 - cells[1], weights)
    prints = {
        fingerprint([lr], [examples, None])
        for lr in (0.1, 0.2)
        for examples in (first, other)
    }
    assert len(prints) == 4


def test_training_by_other_rules_is_another_training(cells, monkeypatch):
    examples = [Examples(cells[0][:, None], np.arange(24), cells[1], np.ones(24))]
    before = fingerprint(["lr"], examples)
    monkeypatch.setattr(checkpoint, "RULES", checkpoint.RULES + 1)
    assert fingerprint(["lr"], examples) != before


def test_held_out_rows_of_other_pictures_are_another_training(cells):
    rows, ones = np.arange(24), np.ones(24)
    learned, altered = cells[0][:, None], cells[0][:, None].copy()
    altered[-1, 0, 0, 0, 0] ^= 1
    prints = {
        fingerprint(
            [],
            [
                Examples(learned, rows[:20], cells[1][:20], ones[:20]),
                Examples(other, rows, cells[1], ones),
            ],
        )
        for other in (learned, altered)
    }
    assert len(prints) == 2


# What is said


def test_what_will_be_done_is_said_before_and_each_epoch_is_a_line(
    bundled_model, cells, capsys, monkeypatch
):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    tuned(bundled_model, cells, validation=0.25, cache=False)
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if line.startswith(("Fine-tuning", "epoch"))]
    assert said[0].startswith(
        "Fine-tuning on 18 pictures, 6 are held out: 2 epochs of about "
    )
    assert [line.split(",")[0] for line in said[1:]] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_progress_can_be_turned_off(bundled_model, cells, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    tuned(bundled_model, cells, epochs=1)
    assert capsys.readouterr() == ("", "")


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"from_": "block9z"}, "given as 'block9z'; expected its name"),
        ({"from_": 0}, "given as 0; expected"),
        ({"from_": True}, "given as True; expected"),
        ({"from_": 19}, "how many of the last blocks \\(1 to 18\\)"),
        ({"epochs": 0}, "epochs is 0; expected a whole number from 1"),
        (
            {"learning_rate": "fast"},
            "learning_rate is 'fast'; expected a number from 0 to 1",
        ),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected a whole number"),
        (
            {"lr": 0.1},
            "fine_tune has no setting 'lr'. It has: epochs, batch_size, learning_rate",
        ),
        ({"views": "upside down"}, "views is 'upside down'"),
        ({"validation": 1.0}, "validation is 1.0; expected a share"),
        ({"validation": "some"}, "validation is 'some'; expected a share"),
        ({"sample_weight": [1, 2]}, "sample_weight has shape"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(bundled_model, cells, options, sentence):
    with pytest.raises(UserInputError, match=sentence):
        tuned(bundled_model, cells, **options)


def test_a_keras_model_in_place_of_a_pretrained_one_gets_the_call(bundled_model, cells):
    with pytest.raises(
        UserInputError,
        match="was given Functional; expected a pretrained model: model = tl.load",
    ):
        tuned(bundled_model.network, cells)


def test_labels_of_one_class_are_refused(bundled_model, cells):
    with pytest.raises(UserInputError, match="examples of at least two classes"):
        tuned(bundled_model, (cells[0], np.zeros(24, int)))


def test_labels_of_another_length_are_refused(bundled_model, cells):
    with pytest.raises(UserInputError, match="expected one label for each"):
        tuned(bundled_model, (cells[0], cells[1][:5]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.zeros(24, int)},
        {"labels": np.arange(23)},
        {"validation": 2},
        {"validation": (np.zeros((1, 224, 224, 3), np.uint8), [7])},
        {"sample_weight": [-1] * 24},
        {"class_names": ["whole"]},
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_computed(
    bundled_model, cells, monkeypatch, wrong
):
    monkeypatch.setattr(
        backbones, "compute", lambda *_, **__: pytest.fail("computed first")
    )
    with pytest.raises(UserInputError):
        tuned(bundled_model, (cells[0], wrong.pop("labels", cells[1])), **wrong)


def test_a_tf_data_dataset_of_another_length_than_the_labels_is_refused(
    bundled_model, cells
):
    import tensorflow as tf

    pictures = tf.data.Dataset.from_tensor_slices(cells[0][:6])
    with pytest.raises(UserInputError, match="6 rows .* expected one label for each"):
        tuned(bundled_model, (pictures, cells[1]))


def test_a_class_of_one_row_is_learned_from_and_not_held_out(cells):
    labels = np.array([0] * 10 + [1])
    learn, held_out, _ = split(labels, None, 11, 0.5, seed=0)
    assert sorted(np.bincount(learn.targets)) == [1, 5] and set(held_out.targets) == {0}
    assert not set(learn.rows) & set(held_out.rows)
