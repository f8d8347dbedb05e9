"""What training changed: right changes pass, others fail with their own sentence."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.checks import (
    CheckError,
    assert_changed,
    assert_still_pretrained,
    moved,
    snapshot,
)
from tlcourse.errors import TLCourseError, UserInputError

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

BLOCKS = ["stem", "block1a", "block2a", "head"]
PICTURES = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")
LABELS = np.arange(8) % 2


@pytest.fixture
def base():
    pixels = keras.Input((8, 8, 3))
    maps = layers.Rescaling(1 / 255)(pixels)
    for block in BLOCKS:
        maps = layers.Conv2D(4, 3, padding="same", name=f"{block}_conv")(maps)
        maps = layers.BatchNormalization(name=f"{block}_bn")(maps)
    return keras.Model(pixels, layers.GlobalAveragePooling2D()(maps), name="small")


@pytest.fixture
def model(base):
    """The base nested as Keras' guide does it, with training=False in the call."""
    pixels = keras.Input((8, 8, 3))
    outputs = layers.Dense(2, "softmax", name="answer")(base(pixels, training=False))
    return keras.Model(pixels, outputs)


def compiled(model, rate=0.1, eager=True):
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(rate), loss, run_eagerly=eager)
    return model


def train(model):
    model.fit(PICTURES, LABELS, batch_size=4, verbose=0)


def failure(action, *arguments, kind=CheckError, **options) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    return str(caught.value)


def pretrain(base):
    """As training would: its batch norms have statistics."""
    for block in BLOCKS:
        base.get_layer(f"{block}_bn").moving_mean.assign([1, 2, 3, 4])


def test_an_error_of_a_check_is_an_assertion_and_one_of_the_courses_errors():
    assert issubclass(CheckError, AssertionError)
    assert issubclass(CheckError, TLCourseError)


def test_training_the_head_alone_passes(model):
    tl.freeze(compiled(model))
    before = snapshot(model)
    train(model)
    assert_changed(before, snapshot(model), only="answer")


HEAD = ["small/head_conv/kernel", "small/head_conv/bias"]


@pytest.mark.parametrize(
    "only",
    [["head", "your layers"], ["head_conv", "answer"], [*HEAD, "answer"], None]
    + [[*BLOCKS, "answer"][:0] or ["head", "answer"]],
)
def test_training_the_last_block_passes_by_whatever_name(base, model, only):
    tl.freeze(compiled(model))
    for layer in ("head_conv",):
        base.get_layer(layer).trainable = True
    compiled(model)
    before = snapshot(model)
    train(model)
    assert_changed(before, model, only=only)


def test_a_nested_base_can_be_named_as_a_whole_and_its_batch_norms_may_rest(model):
    tl.unfreeze(compiled(model))
    before = snapshot(model)
    train(model)
    assert_changed(before, model, only=["small", "answer"])
    assert_changed(before, model, only=[*BLOCKS, "answer"])


def test_nothing_changed_passes_if_nothing_was_meant_to(model):
    before = snapshot(model)
    model.predict(PICTURES, verbose=0)
    assert_changed(before, model, only=[])


def test_training_at_rate_0_fails(model):
    tl.freeze(compiled(model, rate=0.0))
    before = snapshot(model)
    train(model)
    text = failure(assert_changed, before, model)
    assert "Nothing changed" in text and "changed after compile()?" in text


def test_a_model_that_was_never_trained_fails(model):
    text = failure(assert_changed, snapshot(model), model)
    assert "not compiled" in text


def test_a_model_that_is_frozen_altogether_fails(model):
    for layer in (model, *model.layers):
        layer.trainable = False
    before = snapshot(compiled(model))
    assert "Every layer is frozen" in failure(assert_changed, before, model)


def test_unfreezing_without_compiling_fails_and_says_so(base, model):
    tl.freeze(compiled(model, eager=False))
    train(model)
    before = snapshot(model)
    base.get_layer("head_conv").trainable = True
    train(model)
    text = failure(assert_changed, before, model, only=["head", "your layers"])
    assert "1 layer should have changed and did not: small/head_conv." in text
    assert "2 weights were made trainable (small/head_conv/kernel" in text


def test_freezing_without_compiling_fails_and_says_so(base, model):
    tl.unfreeze(compiled(model, eager=False))
    train(model)
    before = snapshot(model)
    base.trainable = False
    train(model)
    text = failure(assert_changed, before, model, only="answer")
    assert "8 weights changed that should have stayed (only answer was meant" in text
    assert "8 weights were frozen" in text and "trained all the same" in text


def test_batch_norm_that_moves_fails_and_is_explained(base, model):
    for layer in base.layers:
        layer.trainable = not layer.name.endswith("conv")
    before = snapshot(compiled(model, rate=0.0))
    train(model)
    text = failure(assert_changed, before, model, only=[])
    assert "small/stem_bn/moving_mean is a batch norm's running statistic" in text


def test_pretrained_statistics_may_not_move_in_a_trained_block_unless_named(
    base, model
):
    pretrain(base)
    before = snapshot(compiled(model))
    train(model)
    text = failure(assert_changed, before, model, only=[*BLOCKS, "answer"])
    assert "8 weights changed" in text and "running statistic" in text
    norms = [f"{block}_bn" for block in BLOCKS]
    assert_changed(before, model, only=[*BLOCKS, *norms, "answer"])


def test_from_scratch_batch_norm_may_move(model):
    before = snapshot(compiled(model))
    train(model)
    assert_changed(before, model, only=[*BLOCKS, "answer"])


def test_fine_tuning_that_never_unfreezes_fails(model):
    tl.freeze(compiled(model))
    before = snapshot(model)
    train(model)
    text = failure(assert_changed, before, model, only=["head", "your layers"])
    assert "small/head_conv: frozen. tl.unfreeze makes a block trainable" in text


def test_a_snapshot_does_not_follow_the_model(model):
    before = snapshot(compiled(model)).weights["answer/kernel"].value
    old = before.copy()
    train(model)
    np.testing.assert_array_equal(before, old)


def test_names_are_the_same_after_saving_and_loading(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_changed(snapshot(model), loaded, only=[])


def test_every_weight_of_the_bundled_network_has_a_name_of_its_own(bundled_model):
    taken = snapshot(bundled_model)
    assert len(taken.weights) == len(bundled_model.network.weights)
    assert taken.blocks == tuple(bundled_model.blocks)


def test_impossible_comparisons_get_a_sentence(base, model):
    text = failure(
        assert_changed, snapshot(model), model, only="block9", kind=UserInputError
    )
    assert "stem, block1a, block2a, head, your layers" in text
    text = failure(assert_changed, model, model, kind=UserInputError)
    assert "tl.checks.snapshot(model) before training" in text
    text = failure(assert_changed, snapshot(base), model, kind=UserInputError)
    assert "different weights" in text


# --- how far ---


@pytest.fixture
def tail(bundled_model):
    """The last blocks of the bundled network with a new head: quick to train."""
    network = bundled_model.copy_network()
    head = layers.Dense(1, "sigmoid", name="answer")
    cut = network.get_layer("block6c_add").output
    return keras.Model(cut, head(network.output), name="tail")


def trained(network, rate):
    tl.unfreeze(network)
    network.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    maps = np.random.default_rng(0).uniform(0, 2, (16, 7, 7, 192)).astype("float32")
    network.fit(maps, np.arange(16) % 2, batch_size=4, verbose=0)
    return network


def test_the_default_rate_passes_and_a_hundred_times_as_much_fails(tail):
    before = snapshot(tail)
    after = snapshot(trained(tail, 2e-4))
    assert_still_pretrained(before, after)
    assert 0 < max(moved(before, after).values()) < 0.1
    assert "more than 0% of" in failure(
        assert_still_pretrained, before, after, limit=1e-5
    )
    text = failure(assert_still_pretrained, before, trained(tail, 2e-2))
    shares = moved(before, tail)
    block, share = next((b, s) for b, s in shares.items() if s > 0.25)
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
    assert "head NaN" in failure(assert_still_pretrained, before, tail)


def test_a_berts_layers_move_too(small_bert):
    before, network = snapshot(small_bert), small_bert.copy_network()
    kernel = network.get_layer("layer_2_narrow").kernel
    kernel.assign(kernel * 3)
    assert "layer_2" in failure(assert_still_pretrained, before, network)


def test_what_has_nothing_to_lose_gets_a_sentence(tail, small_bert):
    fresh = keras.applications.MobileNet(
        alpha=0.25, input_shape=(32, 32, 3), weights=None
    )
    text = failure(moved, snapshot(fresh), fresh, kind=UserInputError)
    assert "as it was initialised" in text
    text = failure(moved, snapshot(tail), small_bert, kind=UserInputError)
    assert "no pretrained weights in common" in text
