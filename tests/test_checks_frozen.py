"""The report of what is frozen warns of mistakes, and a new head is recognised."""

import numpy as np
import pytest
from test_checks_changes import (  # noqa: F401
    LABELS,
    PICTURES,
    base,
    compiled,
    failure,
    model,
    pretrain,
    tail,
    train,
)

import tlcourse as tl
from tlcourse.checks import assert_head_trained, frozen_report

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402


def test_the_report_after_freeze_has_its_rows_and_no_warning(model):  # noqa: F811
    table = tl.freeze(compiled(model), up_to=2)
    report = frozen_report(model)
    assert report.rows == table.rows and report.warnings == ()


def test_the_report_changes_nothing(base, model):  # noqa: F811
    base.get_layer("stem_conv").trainable = False
    before = [layer.trainable for layer in base.layers]
    frozen_report(model)
    assert [layer.trainable for layer in base.layers] == before


def test_the_report_warns_of_pretrained_batch_norm_that_would_move(
    base,  # noqa: F811
    model,  # noqa: F811
):
    assert frozen_report(model).warnings == ()  # trained from scratch
    pretrain(base)
    assert (
        "4 batch norms would move in fit: stem_bn" in frozen_report(model).warnings[0]
    )


def test_the_report_warns_of_a_base_that_says_it_is_frozen_and_is_not(
    base,  # noqa: F811
    model,  # noqa: F811
):
    base.trainable = False
    base.get_layer("head_conv").trainable = True
    report = frozen_report(model)
    assert "small.trainable_weights is empty, but fit trains 2" in repr(report)
    counts = [np.prod(weight.shape) for weight in model.trainable_weights]
    assert report.trainable == sum(counts)
    model.trainable = False
    base.get_layer("head_conv").trainable = True
    assert "so fit trains nothing" in repr(frozen_report(model))


@pytest.mark.parametrize("trainable", [True, False])
def test_the_report_warns_of_flags_changed_after_training(
    base,  # noqa: F811
    model,  # noqa: F811
    trainable,
):
    tl.freeze(compiled(model), up_to=None if trainable else 3)
    train(model)
    base.get_layer("head_conv").trainable = trainable
    warning = frozen_report(model).warnings[-1]
    assert ("made trainable" if trainable else "were frozen") in warning


def test_flags_changed_before_the_first_fit_take_effect_without_warning(
    base,  # noqa: F811
    model,  # noqa: F811
):
    compiled(model)
    layer = base.get_layer("head_conv")
    layer.trainable, before = False, layer.kernel.numpy()
    train(model)
    assert "was changed after" not in repr(frozen_report(model))
    np.testing.assert_array_equal(layer.kernel.numpy(), before)


def test_a_custom_network_from_scratch_gets_no_warning():
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3)])
    for layer in (layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)):
        network.add(layer)
    assert frozen_report(network).warnings == ()


@pytest.mark.parametrize("top", [True, False])
def test_a_published_network_from_scratch_passes(top):
    fresh = keras.applications.MobileNetV2(
        alpha=0.35, input_shape=(32, 32, 3), weights=None, include_top=top
    )
    assert_head_trained(fresh)
    assert frozen_report(fresh).warnings == ()


# --- the head ---


def test_a_new_head_passes_on_a_frozen_network_and_fails_on_trainable_blocks(
    tail,  # noqa: F811
):
    tl.freeze(tail)
    assert_head_trained(tail)
    assert frozen_report(tail).warnings == ()
    tail.get_layer("head_conv").trainable = True
    text = failure(assert_head_trained, tail)
    assert "The head, answer, is as it was initialised" in text
    assert "1 pretrained weights" in text
    assert text in frozen_report(tail).warnings


def test_after_one_step_the_head_is_not_new_any_more(tail):  # noqa: F811
    tl.freeze(tail)
    tail.compile("sgd", "binary_crossentropy")
    tail.fit(np.ones((4, 7, 7, 192)), np.arange(4) % 2, verbose=0)
    tl.unfreeze(tail)
    assert_head_trained(tail)


def with_head(model, *arguments, **options):  # noqa: F811
    network = model.copy_network()
    head = layers.Dense(*arguments, name="other", **options)
    return keras.Model(network.input, head(network.output)), head


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_initializer": "he_normal"},
        {"kernel_initializer": "zeros"},
        {"bias_initializer": keras.initializers.Constant(-2)},
        {"use_bias": False},
    ],
)
def test_a_head_initialised_otherwise_is_new_too(bundled_model, options):
    whole, _ = with_head(bundled_model, 3, "softmax", **options)
    text = failure(assert_head_trained, whole)
    assert "The head, other, is as it was initialised" in text


def test_a_head_without_bias_that_was_trained_passes(bundled_model):
    whole, head = with_head(bundled_model, 3, "softmax", use_bias=False)
    head.kernel.assign(head.kernel * 2)
    assert_head_trained(whole)


def test_of_a_wide_head_the_last_layer_is_asked(bundled_model):
    whole = tl.add_head(bundled_model, 3, hidden=8)
    tl.unfreeze(whole)
    assert "The head, new_head," in failure(assert_head_trained, whole)


def test_asking_does_not_change_what_is_initialised_next(tail):  # noqa: F811
    keras.utils.set_random_seed(1)
    expected = np.asarray(layers.Dense(2).kernel_initializer((3, 2)))
    keras.utils.set_random_seed(1)
    failure(assert_head_trained, tail)
    following = np.asarray(layers.Dense(2).kernel_initializer((3, 2)))
    np.testing.assert_array_equal(following, expected)
