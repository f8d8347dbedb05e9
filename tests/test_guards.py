"""The guards: each mistake of a learner fails with its own sentence, and what is right passes."""

import io
import sys
import types

import numpy as np
import pytest
from PIL import Image, ImageOps

import tlcourse as tl
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.guards import (
    GuardError,
    LeakageError,
    assert_changed,
    assert_disjoint,
    frozen_report,
    snapshot,
)
from tlcourse.training.freezing import freeze, unfreeze

keras = pytest.importorskip("keras")
from keras import layers  # noqa: E402

BLOCKS = ["stem", "block1a", "block2a", "head"]
PICTURES = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")
LABELS = np.arange(8) % 2


def small_base():
    pixels = keras.Input((8, 8, 3))
    maps = layers.Rescaling(1 / 255)(pixels)
    for block in BLOCKS:
        maps = layers.Conv2D(4, 3, padding="same", name=f"{block}_conv")(maps)
        maps = layers.BatchNormalization(name=f"{block}_bn")(maps)
    return keras.Model(pixels, layers.GlobalAveragePooling2D()(maps), name="small")


def on_top(base):
    """The base nested as the guide of Keras does it, with training=False in the call."""
    pixels = keras.Input((8, 8, 3))
    return keras.Model(
        pixels,
        layers.Dense(2, activation="softmax", name="answer")(
            base(pixels, training=False)
        ),
    )


@pytest.fixture
def base():
    return small_base()


@pytest.fixture
def model(base):
    return on_top(base)


def compiled(model, rate=0.1, eager=True):
    model.compile(
        keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", run_eagerly=eager
    )
    return model


def train(model):
    model.fit(PICTURES, LABELS, batch_size=4, verbose=0)


def failure(action, *arguments, kind=GuardError, **options) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    return str(caught.value)


# What changed


def test_a_guards_error_is_an_assertion_and_one_of_the_courses_errors():
    assert issubclass(GuardError, AssertionError) and issubclass(
        GuardError, TLCourseError
    )


def test_training_the_head_alone_passes(model):
    freeze(compiled(model))
    before = snapshot(model)
    train(model)
    assert_changed(before, snapshot(model), only="answer")


@pytest.mark.parametrize(
    "only",
    [["head", "your layers"], ["head_conv", "answer"], ["head_conv/kernel"], None],
)
def test_training_the_last_block_passes_by_whatever_name(model, only):
    unfreeze(freeze_first(model), from_block="head")
    before = snapshot(model)
    train(model)
    if only == ["head_conv/kernel"]:
        only = ["small/head_conv/kernel", "small/head_conv/bias", "answer"]
    assert_changed(before, model, only=only)


def freeze_first(model):
    freeze(compiled(model))
    return model


def test_a_nested_base_can_be_named_as_a_whole(model):
    unfreeze(compiled(model))
    before = snapshot(model)
    train(model)
    assert_changed(before, model, only=["small", "answer"])


def test_nothing_trained_passes_if_nothing_was_meant_to_change(model):
    before = snapshot(model)
    model.predict(PICTURES, verbose=0)
    assert_changed(before, model, only=[])


def test_training_at_rate_0_fails(model):
    freeze(compiled(model, rate=0.0))
    before = snapshot(model)
    train(model)
    sentence = failure(assert_changed, before, model)
    assert (
        "Nothing changed" in sentence
        and "Was `trainable` changed after compile()?" in sentence
    )


def test_a_model_that_was_never_trained_fails(model):
    assert "The model is not compiled, so fit cannot have trained it" in failure(
        assert_changed, snapshot(model), model
    )


def test_a_model_that_is_frozen_altogether_fails(model):
    model.trainable = False
    for layer in model.layers:
        layer.trainable = False
    before = snapshot(compiled(model))
    assert "Every layer is frozen" in failure(assert_changed, before, model)


def test_unfreezing_by_hand_without_compiling_fails_and_says_so(base, model):
    freeze(compiled(model, eager=False))
    train(model)
    before = snapshot(model)
    base.get_layer("head_conv").trainable = True
    train(model)
    sentence = failure(assert_changed, before, model, only=["head", "your layers"])
    assert "1 layer was meant to change and did not: small/head_conv." in sentence
    assert (
        "2 weights were made trainable (small/head_conv/kernel, small/head_conv/bias) and are not trained"
        in sentence
    )
    assert "without compiling again does nothing" in sentence


def test_freezing_by_hand_without_compiling_fails_and_says_so(base, model):
    unfreeze(compiled(model, eager=False))
    train(model)
    before = snapshot(model)
    base.trainable = False
    train(model)
    sentence = failure(assert_changed, before, model, only="answer")
    assert (
        "8 weights changed that were to stay (only answer was meant to change): small/stem_conv/kernel"
        in sentence
    )
    assert (
        "8 weights were frozen" in sentence
        and "and are trained all the same" in sentence
    )


def test_batch_norm_that_moves_fails_and_is_explained(base, model):
    for layer in base.layers:
        layer.trainable = not layer.name.endswith("conv")
    compiled(model, rate=0.0)
    before = snapshot(model)
    train(model)
    sentence = failure(assert_changed, before, model, only=[])
    assert "small/stem_bn/moving_mean is a batch norm's running statistic" in sentence


def pretrain(base):
    """As a training would: its batch norms remember something."""
    for block in BLOCKS:
        base.get_layer(f"{block}_bn").moving_mean.assign([1, 2, 3, 4])


def trained_with_batch_norm(base, model):
    """Everything trainable, batch norms too, as `trainable = True` leaves it; the snapshot before."""
    compiled(model)
    before = snapshot(model)
    train(model)
    return before


def test_batch_norm_that_moves_in_a_block_that_was_meant_to_change_fails_if_it_was_pretrained(
    base, model
):
    pretrain(base)
    before = trained_with_batch_norm(base, model)
    sentence = failure(assert_changed, before, model, only=[*BLOCKS, "answer"])
    assert (
        "8 weights changed that were to stay" in sentence
        and "is a batch norm's running statistic" in sentence
    )


def test_in_a_network_that_is_trained_from_scratch_batch_norm_may_move(base, model):
    before = trained_with_batch_norm(base, model)
    assert_changed(before, model, only=[*BLOCKS, "answer"])


def test_a_batch_norm_that_is_named_itself_may_move(base, model):
    pretrain(base)
    before = trained_with_batch_norm(base, model)
    assert_changed(
        before, model, only=[*BLOCKS, *(f"{block}_bn" for block in BLOCKS), "answer"]
    )


def test_batch_norm_at_rest_in_a_trained_block_passes(model):
    unfreeze(compiled(model), from_block="head")
    before = snapshot(model)
    train(model)
    assert_changed(before, model, only=[*BLOCKS, "answer"])


def test_fine_tuning_that_never_unfreezes_fails(model):
    freeze(compiled(model))
    before = snapshot(model)
    train(model)
    sentence = failure(assert_changed, before, model, only=["head", "your layers"])
    assert "small/head_conv: frozen. tl.unfreeze makes a block trainable" in sentence


def test_a_snapshot_does_not_follow_the_model(model):
    before = snapshot(compiled(model))
    old = before.weights["answer/kernel"].copy()
    train(model)
    np.testing.assert_array_equal(before.weights["answer/kernel"], old)


def test_names_are_the_same_after_saving_and_loading(model, tmp_path):
    model.save(tmp_path / "model.keras")
    assert_changed(
        snapshot(model), keras.models.load_model(tmp_path / "model.keras"), only=[]
    )


def test_every_weight_of_the_bundled_network_has_a_name_of_its_own(bundled_model):
    taken = snapshot(bundled_model)
    assert len(taken.weights) == len(bundled_model.network.weights)
    assert taken.blocks == tuple(bundled_model.blocks)


def test_a_name_that_is_not_there_gets_a_sentence(model):
    sentence = failure(
        assert_changed, snapshot(model), model, only="block9", kind=UserInputError
    )
    assert (
        "only names 'block9'" in sentence
        and "Its blocks: stem, block1a, block2a, head, your layers" in sentence
    )


def test_the_model_itself_as_before_gets_a_sentence(model):
    sentence = failure(assert_changed, model, model, kind=UserInputError)
    assert "Call tl.guards.snapshot(model) before training" in sentence


def test_two_different_models_get_a_sentence(base, model):
    assert "have different weights" in failure(
        assert_changed, snapshot(base), model, kind=UserInputError
    )


# What is frozen


def test_the_report_of_what_freeze_did_has_its_rows_and_no_warning(model):
    table = freeze(compiled(model), up_to=2)
    report = frozen_report(model)
    assert report.rows == table.rows and report.warnings == ()


def test_the_report_changes_nothing(base, model):
    base.get_layer("stem_conv").trainable = False
    before = [layer.trainable for layer in base.layers]
    frozen_report(model)
    assert [layer.trainable for layer in base.layers] == before


def test_the_report_warns_of_batch_norm_that_would_move(base, model):
    pretrain(base)
    base.trainable = False
    base.trainable = True
    assert (
        "4 batch norms would move in fit: stem_bn, block1a_bn"
        in frozen_report(model).warnings[0]
    )


def test_the_report_says_partly_of_a_frozen_block_whose_batch_norm_is_trainable(
    base, model
):
    base.get_layer("stem_conv").trainable = False
    assert [row.state for row in frozen_report(model).rows][:2] == [
        "partly",
        "trainable",
    ]


def test_a_published_network_that_is_trained_from_scratch_gets_no_warning(model):
    assert frozen_report(model).warnings == ()


def test_a_network_of_one_s_own_that_is_trained_from_scratch_gets_no_warning():
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.BatchNormalization()]
    )
    network.add(layers.Flatten())
    network.add(layers.Dense(2))
    assert frozen_report(network).warnings == ()


def test_the_report_warns_of_a_base_that_says_it_is_frozen_and_is_not(base, model):
    base.trainable = False
    base.get_layer("head_conv").trainable = True
    assert (
        "small.trainable is False and small.trainable_weights is empty, but fit trains 2"
        in repr(frozen_report(model))
    )


def test_the_report_counts_what_is_trained_in_such_a_base(base, model):
    base.trainable = False
    base.get_layer("head_conv").trainable = True
    assert frozen_report(model).trainable == sum(
        int(np.prod(w.shape)) for w in model.trainable_weights
    )


@pytest.mark.parametrize("trainable", [True, False])
def test_the_report_warns_of_flags_that_were_changed_after_compile(
    base, model, trainable
):
    freeze(compiled(model), up_to=None if trainable else 3)
    train(model)
    base.get_layer("head_conv").trainable = trainable
    warning = frozen_report(model).warnings[-1]
    assert (
        "made trainable" if trainable else "were frozen"
    ) in warning and "Call model.compile(…) again" in warning


def test_flags_changed_before_the_first_fit_take_effect_and_get_no_warning(base, model):
    compiled(model)
    freeze_by_hand = base.get_layer("head_conv")
    before = snapshot(model)
    freeze_by_hand.trainable = False
    train(model)
    assert "was changed after" not in repr(frozen_report(model))
    assert np.array_equal(
        before.weights["small/head_conv/kernel"], freeze_by_hand.kernel.numpy()
    )


# What leaked


def scene(seed, side=96):
    """A picture of a few coloured rectangles on a gradient, with a little grain."""
    chance = np.random.default_rng(seed)
    picture = (
        np.linspace(40, 160, side)[:, None, None]
        + np.zeros((side, side, 3))
        + chance.uniform(-30, 30, 3)
    )
    for _ in range(8):
        top, left = chance.integers(0, side - 20, 2)
        height, width = chance.integers(10, 40, 2)
        picture[top : top + height, left : left + width] = chance.uniform(0, 240, 3)
    return Image.fromarray(
        np.clip(picture + chance.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
    )


def jpeg(image, quality=60):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def brightened(image):
    return Image.fromarray(
        np.clip(np.asarray(image).astype(int) + 8, 0, 255).astype(np.uint8)
    )


COPIES = {
    "exact": lambda image: image,
    "re-encoded": jpeg,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize(
        (image.width * 2, image.height * 2), Image.Resampling.BICUBIC
    ),
    "brighter": brightened,
    "cropped": lambda image: image.crop((1, 1, image.width - 1, image.height - 1)),
    "mirrored": ImageOps.mirror,
    "mirrored and re-encoded": lambda image: jpeg(ImageOps.mirror(image)),
    "grey": lambda image: image.convert("L").convert("RGB"),
}

TRAIN = [scene(seed) for seed in range(12)]
TEST = [scene(seed) for seed in range(100, 106)]


def as_arrays(images):
    return [np.asarray(image) for image in images]


def leak(*splits, **options) -> LeakageError:
    with pytest.raises(LeakageError) as caught:
        assert_disjoint(*splits, **options)
    return caught.value


def test_different_pictures_pass():
    assert_disjoint(as_arrays(TRAIN), as_arrays(TEST))


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_found(copy):
    error = leak(as_arrays(TRAIN), as_arrays([*TEST, copy(TRAIN[5])]))
    assert [(pair.first, pair.second) for pair in error.pairs] == [(5, 6)]


def test_a_pair_says_whether_it_is_mirrored():
    error = leak(as_arrays(TRAIN), as_arrays([TRAIN[0], ImageOps.mirror(TRAIN[1])]))
    assert [pair.mirrored for pair in error.pairs] == [False, True]


@pytest.mark.parametrize("name", ["solar", "digits", "kanji"])
def test_the_bundled_sets_different_pictures_pass(name):
    dataset = tl.load_dataset(name)
    assert_disjoint(dataset.train.images[:250], dataset.test.images[:100])


@pytest.mark.parametrize("name", ["solar", "digits"])
def test_re_encoded_copies_are_found_among_pictures_that_look_alike(name):
    images = tl.load_dataset(name).test.images
    copies = [
        np.asarray(jpeg(Image.fromarray(np.asarray(images[place]))))
        for place in (3, 40)
    ]
    error = leak(list(images[:100]), copies)
    assert [(pair.first, pair.second) for pair in error.pairs] == [(3, 0), (40, 1)]


@pytest.fixture
def folders(tmp_path):
    """Two folders of pictures, one of them in both."""
    for name, images in (("train", TRAIN[:4]), ("test", [*TEST[:2], TRAIN[2]])):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            image.save(tmp_path / name / f"{name}{number}.png")
    return tmp_path / "train", tmp_path / "test"


def in_array(images):
    return np.stack(as_arrays(images))


def in_dataset(images):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(in_array(images)).batch(2)


@pytest.mark.parametrize(
    "hold",
    [
        in_array,
        as_arrays,
        lambda images: in_array(images).astype("float32"),
        lambda i: in_array(i)[..., 0],
        in_dataset,
    ],
    ids=["array", "list", "float", "grey array", "tf.data"],
)
def test_pictures_may_come_in_whatever_holds_pictures(hold):
    error = leak(
        hold(TRAIN[:4]), hold([*TEST[:3], TRAIN[2]])
    )  # of three grey ones in an array see test_features
    assert [(pair.first, pair.second) for pair in error.pairs] == [(2, 3)]


@pytest.mark.parametrize(
    "hold",
    [
        lambda path: path,
        str,
        tl.pictures.list_pictures,
        lambda path: tl.pictures.Pictures(path.iterdir()),
    ],
)
def test_pictures_in_files_are_named_by_their_paths(folders, hold):
    (pair,) = leak(*map(hold, folders)).pairs
    assert (pair.first, pair.second) == (
        str(folders[0] / "train2.png"),
        str(folders[1] / "test2.png"),
    )


def test_each_two_of_three_splits_are_compared():
    error = leak(
        as_arrays(TRAIN[:3]),
        as_arrays(TEST[:3]),
        as_arrays([TRAIN[1], TEST[1]]),
        names=["train", "valid", "test"],
    )
    assert [
        (pair.first_split, pair.first, pair.second_split, pair.second)
        for pair in error.pairs
    ] == [
        ("train", 1, "test", 0),
        ("valid", 1, "test", 1),
    ]


def test_the_message_counts_the_pairs_and_lists_the_first():
    text = str(
        leak(as_arrays(TRAIN), as_arrays(TRAIN), names=["train", "test"], show=2)
    )
    assert text.startswith(
        "12 pairs of the same picture stand in two splits of train (12), test (12)."
    )
    assert "train: 0  =  test: 0\n" in text and text.endswith(
        "… and 10 more, in error.pairs"
    )
    assert "the accuracy on the test pictures is then too high" in text


def test_the_figure_shows_the_pairs_side_by_side():
    error = leak(
        as_arrays(TRAIN), as_arrays([TRAIN[3], TRAIN[7]]), names=["train", "test"]
    )
    axes = [one for one in error.figure().axes if one.images]
    assert [one.get_title() for one in axes] == [
        "train\nnumber 3",
        "test\nnumber 0",
        "train\nnumber 7",
        "test\nnumber 1",
    ]
    first, second = (one.images[0].get_array() for one in axes[:2])
    np.testing.assert_array_equal(first, second)


def test_in_a_notebook_the_figure_is_shown_once(monkeypatch):
    shown = []
    notebook = types.ModuleType("IPython")
    notebook.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    notebook.display = types.SimpleNamespace(display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook.display)
    leak(as_arrays(TRAIN), as_arrays(TRAIN))
    assert [type(figure).__name__ for figure in shown] == ["Figure"]


def test_outside_a_notebook_no_figure_is_made(monkeypatch):
    monkeypatch.setattr(
        "tlcourse.plots.pictures", lambda *a, **k: pytest.fail("a figure was made")
    )
    leak(as_arrays(TRAIN), as_arrays(TRAIN))


def test_empty_pictures_do_not_match_pictures_with_little_on_them():
    empty, dot = np.full((64, 64), 255, np.uint8), np.full((64, 64), 255, np.uint8)
    dot[30:34, 30:34] = 0
    assert_disjoint(dot[None], empty[None])


@pytest.mark.parametrize(
    ("splits", "options", "sentence"),
    [
        ((np.ones((2, 8, 8, 3)) / 2, in_array(TEST)), {}, "scaled to [0, 1]"),
        (
            (in_array(TRAIN), in_array(TEST)),
            {"names": ["train"]},
            "1 names came with 2 splits",
        ),
        (([], in_array(TEST)), {}, "There are no pictures in the first"),
        ((in_array(TRAIN), "no such folder"), {}, "is not a folder"),
    ],
    ids=["scaled", "names", "empty", "no folder"],
)
def test_what_is_no_collection_of_pictures_gets_a_sentence(splits, options, sentence):
    assert sentence in failure(assert_disjoint, *splits, kind=UserInputError, **options)
