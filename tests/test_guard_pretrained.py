"""How far weights have moved, and the new head: good fine-tunings pass with a margin, ruined ones fail at once."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import GuardError, UserInputError
from tlcourse.guards import (
    assert_head_trained,
    assert_still_pretrained,
    frozen_report,
    moved,
    snapshot,
)

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

GOOD, HUNDREDFOLD = (
    2e-4,
    2e-2,
)  # learning rates: that of `fine_tune`, and a hundred times of it
PICTURES = (
    np.random.default_rng(0).uniform(0, 255, (16, 7, 7, 192)).astype("float32") / 128
)
LABELS = np.arange(16) % 2


@pytest.fixture
def tail(bundled_model):
    """The last blocks of the bundled network and a new head for two classes: quick to train."""
    network = bundled_model.copy_network()
    head = layers.Dense(1, "sigmoid", name="answer")
    return keras.Model(
        network.get_layer("block6c_add").output, head(network.output), name="tail"
    )


@pytest.fixture(scope="module")
def tuned(bundled_model):
    cells = tl.load_dataset("solar").train.sample(4)
    return tl.fine_tune(
        bundled_model,
        cells.images,
        cells.labels,
        1,
        validation=0,
        augmentations=1,
        epochs=1,
    )


def train(network, rate, epochs=2):
    tl.unfreeze(network)
    network.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    network.fit(PICTURES, LABELS, batch_size=4, epochs=epochs, verbose=0)
    return network


def failure(action, *arguments, kind=GuardError, **options) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    return str(caught.value)


# How far


def test_a_good_rate_passes_with_a_wide_margin(tail):
    before = snapshot(tail)
    assert_still_pretrained(before, train(tail, GOOD, epochs=5))
    assert 0 < max(moved(before, tail).values()) < 0.1


def test_a_hundred_times_the_rate_fails_after_four_steps(tail):
    before = snapshot(tail)
    sentence = failure(
        assert_still_pretrained, before, train(tail, HUNDREDFOLD, epochs=1)
    )
    assert (
        "moved by more than 25% of their length" in sentence
        and "learning rate that is ten times smaller" in sentence
    )


def test_the_message_names_the_blocks_and_how_far_they_are(tail):
    before = snapshot(tail)
    after = snapshot(train(tail, HUNDREDFOLD, epochs=1))
    shares = moved(before, after)
    listed = ", ".join(f"{block} {share:.0%}" for block, share in shares.items())
    assert (
        f"{len(shares)} blocks have moved by more than 25% of their length: {listed}."
        in failure(assert_still_pretrained, before, after)
    )


def test_a_limit_of_one_s_own_counts(tail):
    before, after = snapshot(tail), snapshot(train(tail, GOOD))
    assert_still_pretrained(before, after)
    assert "more than 0% of" in failure(
        assert_still_pretrained, before, after, limit=1e-5
    )


def test_the_share_is_the_length_of_the_way_by_the_length_of_the_kernels(tail):
    before = snapshot(tail)
    kernel = tail.get_layer("head_conv").kernel
    kernel.assign(kernel * 1.5)
    found = moved(before, tail)
    assert found.pop("head") == pytest.approx(0.5) and set(found.values()) == {0}


def test_biases_batch_norms_and_the_head_do_not_count(tail):
    before = snapshot(tail)
    for weight in tail.weights:
        if "_bn/" in weight.path or "answer/" in weight.path:
            weight.assign(weight + 1)
    assert set(moved(before, tail).values()) == {0}


def test_numbers_that_are_none_any_more_fail(tail):
    before = snapshot(tail)
    tail.get_layer("head_conv").kernel.assign(np.full((1, 1, 320, 1280), np.nan))
    assert "1 block has moved by more than 25% of their length: head NaN" in failure(
        assert_still_pretrained, before, tail
    )


def test_what_fine_tune_made_is_held_against_the_model(bundled_model, tuned):
    assert_still_pretrained(bundled_model, tuned)
    found = moved(bundled_model, tuned)
    assert [block for block, share in found.items() if share] == ["head"]


def test_a_network_without_pretrained_weights_has_nothing_to_lose():
    fresh = keras.applications.MobileNet(
        alpha=0.25, input_shape=(32, 32, 3), weights=None
    )
    sentence = failure(moved, snapshot(fresh), fresh, kind=UserInputError)
    assert "looks as it was initialised: there is nothing pretrained" in sentence


def test_the_same_object_twice_gets_a_sentence(tail):
    assert "cannot tell what changed" in failure(
        assert_still_pretrained, tail, tail, kind=UserInputError
    )


def test_two_networks_that_share_nothing_get_a_sentence(tail, small_bert):
    assert "no pretrained weights in common" in failure(
        moved, snapshot(tail), small_bert, kind=UserInputError
    )


def test_a_bert_s_layers_move_too(small_bert):
    before, network = snapshot(small_bert), small_bert.copy_network()
    kernel = network.get_layer("layer_2_narrow").kernel
    kernel.assign(kernel * 3)
    assert "layer_2" in failure(assert_still_pretrained, before, network)


# A new head


def test_a_new_head_on_a_frozen_network_passes(tail):
    tl.freeze(tail)
    assert_head_trained(tail)


def test_a_new_head_on_trainable_blocks_fails(tail):
    tl.freeze(tail)
    tl.unfreeze(tail, from_block="head")
    sentence = failure(assert_head_trained, tail)
    assert (
        "The head, answer, is as it was initialised, and fit would train 1 pretrained weights under it"
        in sentence
    )
    assert "Train the head first" in sentence


def test_after_one_step_the_head_is_not_new_any_more(tail):
    tl.freeze(tail)
    tail.compile("sgd", "binary_crossentropy")
    tail.fit(PICTURES[:4], LABELS[:4], verbose=0)
    tl.unfreeze(tail)
    assert_head_trained(tail)


def test_a_probe_for_a_head_passes(bundled_model):
    rng = np.random.default_rng(0)
    probe = tl.train_classifier(rng.normal(size=(20, 1280)), np.arange(20) % 2, C=1e-2)
    network = bundled_model.copy_network()
    whole = keras.Model(network.input, probe.as_head()(network.output))
    tl.unfreeze(whole)
    assert_head_trained(whole)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_initializer": "he_normal"},
        {"kernel_initializer": keras.initializers.RandomNormal(0, 0.01)},
        {"kernel_initializer": "zeros"},
        {"bias_initializer": keras.initializers.Constant(-2)},
        {"use_bias": False},
    ],
)
def test_a_head_initialised_otherwise_is_new_too(bundled_model, options):
    network = bundled_model.copy_network()
    whole = keras.Model(
        network.input,
        layers.Dense(3, "softmax", name="other", **options)(network.output),
    )
    assert "The head, other, is as it was initialised" in failure(
        assert_head_trained, whole
    )


def test_a_head_without_bias_that_was_trained_passes(bundled_model):
    network = bundled_model.copy_network()
    head = layers.Dense(3, "softmax", use_bias=False)
    whole = keras.Model(network.input, head(network.output))
    head.kernel.assign(head.kernel * 2)
    assert_head_trained(whole)


def test_of_a_wide_head_the_last_layer_is_asked(bundled_model):
    whole = tl.add_head(bundled_model, 3, hidden=8)
    tl.unfreeze(whole)
    assert "The head, new_head," in failure(assert_head_trained, whole)


def test_the_course_s_own_fine_tuned_network_passes(tuned):
    assert_head_trained(tuned)
    assert frozen_report(tuned).warnings == ()


@pytest.mark.parametrize("top", [True, False])
def test_a_network_that_is_trained_from_scratch_passes(top):
    fresh = keras.applications.MobileNetV2(
        alpha=0.35, input_shape=(32, 32, 3), weights=None, include_top=top
    )
    assert_head_trained(fresh)
    assert frozen_report(fresh).warnings == ()


def test_asking_does_not_disturb_what_is_drawn_next(tail):
    keras.utils.set_random_seed(1)
    expected = np.asarray(layers.Dense(2).kernel_initializer((3, 2)))
    keras.utils.set_random_seed(1)
    failure(assert_head_trained, tail)
    np.testing.assert_array_equal(
        np.asarray(layers.Dense(2).kernel_initializer((3, 2))), expected
    )


def test_the_report_of_what_is_frozen_warns_of_it(tail):
    assert "is as it was initialised" in frozen_report(tail).warnings[-1]
    tl.freeze(tail)
    assert frozen_report(tail).warnings == ()
