"""What training changed, what is frozen, and whether the head was trained."""

import numpy as np
import pytest
from small_network import BLOCKS, LABELS, PICTURES, small_base

import tlcourse as tl
from tlcourse.checks import (
    CheckError,
    assert_changed,
    assert_head_trained,
    assert_still_pretrained,
    frozen_report,
    moved,
    snapshot,
)
from tlcourse.errors import UserInputError

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402


@pytest.fixture
def base():
    return small_base()


@pytest.fixture
def model(base):
    """The base nested as Keras' guide does it, with training=False in the call."""
    pixels = keras.Input((8, 8, 3))
    outputs = layers.Dense(2, "softmax", name="answer")(base(pixels, training=False))
    return keras.Model(pixels, outputs)


@pytest.fixture
def tail(bundled_model):
    """The last blocks of the bundled network with a new head: quick to train."""
    network = bundled_model.copy_network()
    head = layers.Dense(1, "sigmoid", name="answer")
    cut = network.get_layer("block6c_add").output
    return keras.Model(cut, head(network.output), name="tail")


def compiled(model, rate=0.1, eager=True):
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(rate), loss, run_eagerly=eager)
    return model


def train(model):
    model.fit(PICTURES, LABELS, batch_size=4, verbose=0)


def pretrain(base):
    """As training would: its batch norms have statistics."""
    for block in BLOCKS:
        base.get_layer(f"{block}_bn").moving_mean.assign([1, 2, 3, 4])


def failure(action, *arguments, kind=CheckError, **options) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    return str(caught.value)


# What changed


@pytest.mark.parametrize(
    "only",
    [["head", "your layers"], ["head_conv", "answer"], ["small", "answer"], None],
)
def test_training_the_last_block_passes_by_whatever_name(base, model, only):
    tl.freeze(compiled(model))
    base.get_layer("head_conv").trainable = True
    compiled(model)
    before = snapshot(model)
    train(model)
    if only and "small" in only:  # all of its layers were meant
        text = failure(assert_changed, before, model, only=only)
        assert "did not: small/block1a_conv" in text
    else:
        assert_changed(before, model, only=only)


def test_from_scratch_batch_norm_may_move_and_frozen_ones_may_rest(model):
    before = snapshot(compiled(model))
    train(model)
    assert_changed(before, model, only=[*BLOCKS, "answer"])
    tl.unfreeze(model)
    before = snapshot(model)
    train(model)
    assert_changed(before, model, only=["small", "answer"])


def test_unfreezing_without_compiling_fails_and_says_so(base, model):
    tl.freeze(compiled(model, eager=False))
    train(model)
    before = snapshot(model)
    base.get_layer("head_conv").trainable = True
    train(model)
    text = failure(assert_changed, before, model, only=["head", "your layers"])
    assert "did not: small/head_conv." in text
    assert "2 were made trainable and are not (head_conv/kernel" in text


def test_batch_norm_that_moves_fails_and_is_explained(base, model):
    pretrain(base)
    before = snapshot(compiled(model))
    train(model)
    text = failure(assert_changed, before, model, only=[*BLOCKS, "answer"])
    assert "8 weights changed" in text
    assert "small/stem_bn/moving_mean is a batch norm's running statistic" in text


def test_impossible_comparisons_get_a_sentence(base, model):
    before = snapshot(model)
    for arguments, word in (
        ((before, model, "block9"), "stem, block1a, block2a, head; 'your layers'"),
        ((model, model), "tl.checks.snapshot"),
        ((snapshot(base), model), "different weights"),
    ):
        assert word in failure(assert_changed, *arguments, kind=UserInputError)


# How far


def trained(network, rate):
    tl.unfreeze(network)
    network.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    maps = np.random.default_rng(0).uniform(0, 2, (16, 7, 7, 192)).astype("float32")
    network.fit(maps, np.arange(16) % 2, batch_size=4, verbose=0)
    return network


def test_the_default_rate_passes_and_a_hundred_times_as_much_fails(tail):
    before = snapshot(tail)
    assert_still_pretrained(before, trained(tail, 2e-4))
    assert 0 < max(moved(before, tail).values()) < 0.1
    text = failure(assert_still_pretrained, before, trained(tail, 2e-2))
    block, share = next((b, s) for b, s in moved(before, tail).items() if s > 0.25)
    assert "more than 25% of their length" in text and f"{block} {share:.0%}" in text


def test_the_share_is_that_of_the_kernels_alone(tail):
    before = snapshot(tail)
    for weight in tail.weights:
        if "_bn/" in weight.path or "answer/" in weight.path:
            weight.assign(weight + 1)
    assert set(moved(before, tail).values()) == {0}
    kernel = tail.get_layer("head_conv").kernel
    kernel.assign(kernel * 1.5)
    shares = moved(before, tail)
    assert shares.pop("head") == pytest.approx(0.5) and set(shares.values()) == {0}
    kernel.assign(np.full(kernel.shape, np.nan))
    assert "head inf" in failure(assert_still_pretrained, before, tail)


# What is frozen


def test_the_report_warns_of_pretrained_batch_norm_that_would_move(base, model):
    assert frozen_report(model).warnings == ()  # trained from scratch
    pretrain(base)
    (warning,) = frozen_report(model).warnings[:1]
    assert "4 batch norms would move in fit: stem_bn" in warning


def test_the_report_warns_of_a_base_that_says_it_is_frozen_and_is_not(base, model):
    base.trainable = False
    base.get_layer("head_conv").trainable = True
    report = frozen_report(model)
    assert "small.trainable is False, but 2 weights" in repr(report)
    counts = [np.prod(weight.shape) for weight in model.trainable_weights]
    assert report.trainable == sum(counts)
    model.trainable = False
    base.get_layer("head_conv").trainable = True
    assert "fit trains nothing" in repr(frozen_report(model))


@pytest.mark.parametrize("trainable", [True, False])
def test_the_report_warns_of_flags_changed_after_training(base, model, trainable):
    tl.freeze(compiled(model), up_to=None if trainable else 3)
    train(model)
    base.get_layer("head_conv").trainable = trainable
    warning = frozen_report(model).warnings[-1]
    assert ("made trainable" if trainable else "were frozen") in warning


# The head


def test_a_new_head_passes_on_a_frozen_network_and_fails_on_trainable_blocks(tail):
    tl.freeze(tail)
    assert_head_trained(tail)
    assert frozen_report(tail).warnings == ()
    tail.get_layer("head_conv").trainable = True
    text = failure(assert_head_trained, tail)
    assert "The head, answer, is as it was initialised" in text
    assert "1 pretrained weights" in text
    assert text in frozen_report(tail).warnings
