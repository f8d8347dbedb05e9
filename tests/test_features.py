"""Whatever holds the pictures, the same pictures give the same features; what is no picture gets a sentence."""

import numpy as np
import pytest
from PIL import Image

from tlcourse.datasets import load_dataset
from tlcourse.errors import PictureError, UserInputError
from tlcourse.features import features
from tlcourse.features.engine import compile_network
from tlcourse.features.pictures import Pictures, read_picture

SIDE = 24


@pytest.fixture(scope="module")
def network():
    """A small network with everything that the engine folds: preprocessing, convolution, batch norm, pooling."""
    return make_network()


def make_network():
    from tlcourse.tensorflow_start import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(8, 3)(x)
    x = keras.layers.BatchNormalization(
        moving_mean_initializer="random_normal", name="norm"
    )(x)
    x = keras.layers.ReLU(name="active")(x)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="small")


@pytest.fixture(scope="module")
def colour():
    """uint8 (7, 24, 24, 3)"""
    return np.random.default_rng(0).integers(0, 256, (7, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(network, colour):
    return network(colour.astype("float32")).numpy()


@pytest.fixture
def folder(tmp_path, colour):
    """The seven pictures as files in the order of their names."""
    for number, picture in enumerate(colour):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    return tmp_path


def compute(network, images, **options):
    return features.compute(compile_network(network), images, (SIDE, SIDE), **options)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def tf_dataset(*parts):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])


# The same pictures in many holders


@pytest.mark.parametrize("kind", ["uint8", "int64", "float16", "float32", "float64"])
def test_an_array_of_any_type_of_number(network, colour, expected, kind):
    same(compute(network, colour.astype(kind)), expected)


def test_features_are_one_float32_row_a_picture(network, colour):
    found = compute(network, colour)
    assert found.shape == (7, 8) and found.dtype == np.float32


def test_fractions_of_grey_levels_are_kept(network, colour):
    fractions = colour * np.float32(0.9)
    same(compute(network, fractions), network(fractions).numpy())


@pytest.mark.parametrize("shape", [(7, SIDE, SIDE), (7, SIDE, SIDE, 1)])
def test_grey_pictures_are_colour_pictures_with_three_equal_channels(
    network, colour, shape
):
    grey = colour[..., :1]
    same(
        compute(network, grey.reshape(shape)),
        compute(network, np.repeat(grey, 3, axis=-1)),
    )


def test_one_colour_picture_gives_one_row(network, colour, expected):
    same(compute(network, colour[0]), expected[:1])


def test_one_grey_picture_gives_one_row(network, colour):
    same(compute(network, colour[0, ..., 0]), compute(network, colour[:1, ..., 0]))


@pytest.mark.parametrize("holder", [list, tuple])
def test_a_list_of_arrays(network, colour, expected, holder):
    same(compute(network, holder(colour)), expected)


def test_a_list_of_arrays_of_different_sizes(network):
    pictures = list(load_dataset("samples").test.images)[:3]
    one_by_one = np.concatenate([compute(network, picture) for picture in pictures])
    same(compute(network, pictures), one_by_one)


def test_an_array_of_arrays_of_different_sizes(network, colour, expected):
    ragged = np.empty(2, object)
    ragged[:] = [colour[0], np.zeros((5, 6, 3), np.uint8)]
    same(compute(network, ragged)[:1], expected[:1])


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_list_of_paths(network, folder, expected, kind):
    same(compute(network, [kind(path) for path in sorted(folder.iterdir())]), expected)


def test_an_array_of_paths(network, folder, expected):
    same(
        compute(network, np.array([str(path) for path in sorted(folder.iterdir())])),
        expected,
    )


def test_a_list_of_paths_and_arrays(network, folder, colour, expected):
    same(
        compute(network, [folder / "0.png", colour[1], str(folder / "2.png")]),
        expected[:3],
    )


def test_pictures(network, folder, expected):
    same(compute(network, Pictures(sorted(folder.iterdir()))), expected)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_folder(network, folder, expected, kind):
    same(compute(network, kind(folder)), expected)


def test_one_path_gives_one_row(network, folder, expected):
    same(compute(network, folder / "3.png"), expected[3:4])


def test_a_list_of_pillow_images(network, colour, expected):
    same(compute(network, [Image.fromarray(picture) for picture in colour]), expected)


def test_a_tensor(network, colour, expected):
    import tensorflow as tf

    same(compute(network, tf.constant(colour)), expected)


@pytest.mark.parametrize("batch", [None, 1, 3, 7])
def test_a_tf_dataset_batched_or_not(network, colour, expected, batch):
    dataset = tf_dataset(colour)
    same(compute(network, dataset.batch(batch) if batch else dataset), expected)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_tf_dataset_with_labels(network, colour, expected, batch):
    dataset = tf_dataset(colour, np.arange(7))
    same(compute(network, dataset.batch(batch) if batch else dataset), expected)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_tf_dataset_of_dictionaries(network, colour, expected, batch):
    dataset = tf_dataset({"image": colour, "label": np.arange(7)})
    same(compute(network, dataset.batch(batch) if batch else dataset), expected)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_tf_dataset_of_grey_pictures_without_channels(network, colour, batch):
    dataset = tf_dataset(colour[..., 0])
    same(
        compute(network, dataset.batch(batch) if batch else dataset),
        compute(network, colour[..., 0]),
    )


def test_a_file_and_the_array_read_from_it_give_identical_features(bundled_model):
    path = load_dataset("samples").test.images.paths[3]
    from_file, from_array = (
        bundled_model.extract_features(holder) for holder in (path, read_picture(path))
    )
    np.testing.assert_array_equal(from_file, from_array)


def test_the_bundled_networks_features_are_those_of_keras(bundled_model, photographs):
    found = bundled_model.extract_features(photographs)
    np.testing.assert_allclose(
        found,
        bundled_model.network(photographs.astype("float32")),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("side", [SIDE, 30])
def test_the_callers_array_is_not_changed(network, kind, side):
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3)).astype(kind)
    before = images.copy()
    compute(network, images)
    np.testing.assert_array_equal(images, before)


def test_a_dark_picture_among_others_is_a_picture(network, colour):
    assert len(compute(network, [colour[0], np.ones((SIDE, SIDE, 3), np.uint8)])) == 2


def test_a_black_picture_is_a_picture(network):
    assert compute(network, np.zeros((1, SIDE, SIDE, 3))).shape == (1, 8)


# The engine is never older than the network


def test_features_change_with_the_networks_weights(colour):
    network = make_network()
    before = compute(network, colour)
    network.layers[2].set_weights(
        [weight * 2 for weight in network.layers[2].get_weights()]
    )
    assert not np.allclose(compute(network, colour), before)


def test_features_change_with_the_networks_batch_norm_statistics(colour):
    network = make_network()
    before = compute(network, colour)
    network.get_layer("norm").moving_mean.assign_add(np.ones(8))
    assert not np.allclose(compute(network, colour), before)


def test_two_networks_of_one_name_and_one_set_of_weights_are_not_confused(
    network, colour
):
    import keras

    highest = keras.layers.GlobalMaxPooling2D()(network.get_layer("active").output)
    other = keras.Model(network.inputs[0], highest, name=network.name)
    compute(network, colour)
    same(compute(other, colour), other(colour.astype("float32")).numpy())


def test_the_engine_is_kept_as_long_as_the_network_stays_the_same(network, colour):
    assert compile_network(network) is compile_network(network)


# What is refused


def refusal(network, images, **options):
    with pytest.raises(UserInputError) as caught:
        compute(network, images, **options)
    return str(caught.value)


SCALED = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (SCALED, "scaled to [0, 1] before"),
        (SCALED[0], "scaled to [0, 1] before"),
        (list(SCALED), "scaled to [0, 1] before"),
        ((SCALED > 0.5).astype(np.uint8), "scaled to [0, 1] before"),
        (SCALED * 2 - 1, "preprocessed before"),
        (SCALED * 255 - 120, "preprocessed before"),
        (np.where(SCALED > 0.99, np.nan, SCALED * 255), "NaN or infinite"),
        (np.where(SCALED > 0.99, np.inf, SCALED * 255), "NaN or infinite"),
        ((SCALED * 65535).astype(np.uint16), "For 16-bit pictures"),
        (np.zeros((2, SIDE, SIDE, 4), np.uint8), "removes an alpha"),
        ([np.zeros((SIDE, SIDE, 4), np.uint8)], "removes an alpha"),
        (
            np.zeros((2, 2, SIDE, SIDE, 3)),
            "expected numbers in shape (n, height, width, 3)",
        ),
        (np.zeros(10), "expected numbers in shape"),
        (SCALED > 0.5, "type bool"),
        (SCALED * 1j, "type complex128"),
        (np.zeros((0, SIDE, SIDE, 3), np.uint8), "is empty"),
        (np.zeros((2, 0, SIDE, 3), np.uint8), "is empty"),
        ([], "no pictures in what was given"),
        (Pictures([]), "no pictures in what was given"),
        (None, "were given as NoneType; expected an array"),
        ({"image": SCALED}, "were given as dict; expected an array"),
        (42, "expected numbers in shape"),
    ],
)
def test_what_is_no_picture_with_pixels_from_0_to_255_gets_a_sentence(
    network, images, sentence
):
    assert sentence in refusal(network, images)


def test_a_split_in_place_of_its_pictures_gets_the_way_to_them(network):
    assert "dataset.train.images" in refusal(network, load_dataset("digits").train)


@pytest.mark.parametrize("batch", [None, 2])
def test_a_tf_dataset_of_scaled_pictures_is_refused(network, batch):
    dataset = tf_dataset(SCALED)
    assert "scaled to [0, 1] before" in refusal(
        network, dataset.batch(batch) if batch else dataset
    )


def test_a_tf_dataset_that_repeats_for_ever_is_refused(network, colour):
    assert "repeats for ever" in refusal(network, tf_dataset(colour).repeat())


def test_a_tf_dataset_of_dictionaries_without_pictures_is_refused_with_its_keys(
    network, colour
):
    assert "dictionaries with photo; expected" in refusal(
        network, tf_dataset({"photo": colour})
    )


def test_a_tf_dataset_without_elements_is_refused(network, colour):
    assert "no pictures in what was given" in refusal(
        network, tf_dataset(colour).take(0)
    )


def test_a_folder_that_does_not_exist_is_refused(network, tmp_path):
    assert "nowhere is not a folder" in refusal(network, tmp_path / "nowhere")


def test_a_folder_without_pictures_is_refused(network, tmp_path):
    assert "holds no pictures" in refusal(network, tmp_path)


@pytest.mark.parametrize("content", [b"", b"Dear Sir or Madam"])
def test_an_unreadable_file_in_a_list_is_named(network, folder, content):
    (folder / "4.png").write_bytes(content)
    with pytest.raises(PictureError, match="4.png cannot be read as a picture"):
        compute(network, sorted(folder.iterdir()))


def test_a_missing_file_in_a_list_is_named(network, folder):
    with pytest.raises(PictureError, match="nowhere.png does not exist"):
        compute(network, [folder / "0.png", folder / "nowhere.png"])


def test_a_last_batch_of_three_grey_pictures_of_tf_data_is_three_pictures(network):
    """An array (3, height, width) may be a colour picture with its channels first, and is refused; a batch is not."""
    greys = np.random.default_rng(0).integers(1, 256, (7, SIDE, SIDE), np.uint8)
    import tensorflow as tf

    assert (
        len(compute(network, tf.data.Dataset.from_tensor_slices(greys).batch(4))) == 7
    )
    assert "grey pictures" in refusal(network, greys[:3])
