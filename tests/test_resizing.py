"""Pictures get the network's size as asked for, and alike wherever a model is used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from test_decoding import encoded, photograph

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.features.decoding import BitDepth
from tlcourse.features.pictures import read_picture
from tlcourse.features.resizing import MODES, InputSize, prepare

SIZES = [(224, 224), (160, 224)]
SHAPES = [(300, 500), (500, 300), (60, 600), (20, 30), (256, 256)]  # (height, width)


@pytest.fixture(scope="module")
def models():
    return {mode: tl.load_pretrained_model(resize=mode) for mode in MODES}


# Against Pillow


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_modes_are_what_pillow_does(shape, size):
    image, (height, width) = Image.fromarray(photograph(*shape[::-1])), size
    squashed = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    padded = ImageOps.pad(
        image, (width, height), Image.Resampling.BICUBIC, color="white"
    )
    np.testing.assert_array_equal(tl.pictures.resize(image, size), squashed)
    np.testing.assert_array_equal(tl.pictures.resize(image, size, "pad"), padded)


@pytest.mark.parametrize("shape", SHAPES)
def test_crop_is_the_centre_224_of_a_short_side_of_256(shape):
    """As networks are tested on ImageNet: resized by one factor, and then cropped."""
    image = Image.fromarray(photograph(*shape[::-1]))
    sides = [round(side * 256 / min(shape)) for side in image.size]
    corner = [(side - 224) // 2 for side in sides]
    box = (*corner, corner[0] + 224, corner[1] + 224)
    whole = image.resize(sides, Image.Resampling.BICUBIC)
    expected = np.asarray(whole.crop(box), dtype=int)
    found = tl.pictures.resize(image, (224, 224), "crop")
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 1.5  # corners are whole pixels there


@given(
    shape=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    size=st.tuples(st.integers(75, 90), st.integers(75, 90)),
)
def test_a_plain_picture_stays_plain_and_padding_is_white(shape, size):
    colour = (10, 99, 180)
    plain = np.full((*shape, 3), colour, np.uint8)
    for mode in ("squash", "crop"):
        assert (tl.pictures.resize(plain, size, mode) == colour).all()
        assert tl.pictures.resize(plain, size, mode).shape == (*size, 3)
    padded = tl.pictures.resize(plain, size, "pad")
    is_inside = (padded == colour).all(axis=-1)
    assert (padded[~is_inside] == 255).all() and padded.shape == (*size, 3)
    scale = min(size[0] / shape[0], size[1] / shape[1])
    for axis in (0, 1):
        extent = is_inside.any(axis=1 - axis).sum()
        assert abs(extent - max(1, scale * shape[axis])) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1)])
@pytest.mark.parametrize("mode", MODES)
def test_the_narrowest_pictures_are_resized(shape, mode):
    black = np.zeros((*shape, 3), np.uint8)
    resized = tl.pictures.resize(black, (96, 80), mode)
    assert resized.shape == (96, 80, 3) and not resized.all()
    assert resized.any() == (mode == "pad")


def files():
    """Kinds of files with a left and a top, by name."""
    colours = Image.fromarray(photograph(90, 40))
    turned = Image.Exif()
    turned[0x0112] = 6
    alpha = np.dstack([photograph(90, 40), np.tile(np.uint8(range(90)), (40, 1))])
    deep = photograph(90, 40)[..., 0].astype(np.uint16) * 250
    return {
        "RGBA": encoded(Image.fromarray(alpha)),
        "grey": encoded(colours.convert("L")),
        "16 bit": encoded(Image.fromarray(deep)),
        "turned": encoded(colours, exif=turned),
        "JPEG": encoded(Image.fromarray(photograph(900, 400)), "JPEG", exif=turned),
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", files())
def test_files_of_every_kind_are_decoded_and_then_resized(kind, mode):
    content = files()[kind]
    decoded = read_picture(content)
    found = prepare(content, InputSize(48, 32, mode), "", BitDepth())
    expected = tl.pictures.resize(decoded, (48, 32), mode)
    if kind == "JPEG":  # decoded at a part of its size
        assert np.abs(found.astype(int) - expected).mean() < 1.5
    else:
        np.testing.assert_array_equal(found, expected)


# Features


@pytest.mark.parametrize("mode", MODES)
def test_features_are_those_of_the_resized_picture(models, bundled_model, mode):
    paths = tl.load_dataset("samples").test.images.paths[2:4]  # wider than high
    for _ in range(2):  # the second time from the cache, which all modes share
        features = models[mode].extract_features(paths)
        pixels = [
            prepare(p.read_bytes(), (224, 224, mode), "", BitDepth()) for p in paths
        ]
        np.testing.assert_array_equal(features, bundled_model.extract_features(pixels))
    activations = models[mode].activations(paths, None)
    np.testing.assert_array_equal(activations, pixels)
    others = [models[other].extract_features(paths) for other in MODES if other != mode]
    assert all(np.abs(features - other).max() > 0.1 for other in others)


def test_pictures_of_the_networks_size_are_taken_as_they_are(models, photographs):
    features = [model.extract_features(photographs) for model in models.values()]
    labels = [model.predict_labels(photographs) for model in models.values()]
    for other in features[1:]:
        np.testing.assert_array_equal(other, features[0])
    assert labels[0] == labels[1] == labels[2]


def test_by_default_features_are_of_the_whole_picture_and_labels_of_its_centre(
    models, bundled_model
):
    images = tl.load_dataset("samples").test.images[2:4]
    assert bundled_model.resize == "squash"
    features = bundled_model.extract_features(images)
    np.testing.assert_array_equal(features, models["squash"].extract_features(images))
    labels = bundled_model.predict_labels(images)
    assert labels == models["crop"].predict_labels(images)
    assert labels != models["squash"].predict_labels(images)


def test_augmented_copies_are_of_the_resized_picture():
    wide = photograph(80, 40)
    first, second = tl.augment(wide, size=(32, 32), resize="crop")
    np.testing.assert_array_equal(first, tl.pictures.resize(wide, (32, 32), "crop"))
    np.testing.assert_array_equal(second, first[:, ::-1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: tl.load_pretrained_model(resize="stretch"),
        lambda: tl.load_pretrained_model(resize=7),
        lambda: tl.load_pretrained_model(resize=""),
        lambda: tl.pictures.resize(photograph(9, 9), (8, 8), "stretch"),
        lambda: tl.augment(photograph(9, 9), size=(9, 9), resize="stretch"),
    ],
)
def test_another_mode_is_refused_with_the_known_ones(call):
    with pytest.raises(UserInputError, match="squash, crop, pad"):
        call()


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "CMYK", "I;16"])
def test_a_picture_of_any_kind_becomes_rgb(mode):
    colours = Image.fromarray(photograph(40, 30))
    picture = colours.convert("L").convert("I;16") if mode == "I;16" else None
    picture = picture or colours.convert(mode)
    found = tl.pictures.resize(picture, [20, 24])
    assert (found.shape, found.dtype, found.flags.writeable) == (
        (20, 24, 3),
        np.uint8,
        True,
    )
    if mode == "P":  # colours, and not positions in the palette
        expected = tl.pictures.resize(picture.convert("RGB"), (20, 24))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "picture",
    [photograph(9, 9) / 255, photograph(9, 9)[..., 0], "cat.jpg", None, np.uint8(3)],
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(UserInputError, match="expected a PIL image, or an array"):
        tl.pictures.resize(picture, (8, 8))


@pytest.mark.parametrize("size", [8, (8,), (0, 8), "88", (8, 8, 3)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(UserInputError, match="size is"):
        tl.pictures.resize(photograph(9, 9), size)


@pytest.mark.parametrize("name", ["minilm", "speech_embedding"])
def test_texts_and_recordings_are_not_resized(name):
    with pytest.raises(UserInputError, match="resize are for pictures"):
        tl.load_pretrained_model(name, resize="crop")
