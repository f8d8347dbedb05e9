"""Augmented copies: of the picture's shape, the same each time, as their names say."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.features.augment import FLIPS, augmentation_names, augmented

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("augmentations", "names"),
    [
        (1, ("as is",)),
        (2, ("as is", "left-right")),
        (np.int64(4), ("as is", "left-right", "crop 1", "crop 2")),
        (FLIPS, FLIPS),
        ("crop 12", ("crop 12",)),
        (["half-turn", "as is"], ("half-turn", "as is")),
    ],
)
def test_augmentations_by_number_or_name(augmentations, names):
    assert augmentation_names(augmentations) == names


@pytest.mark.parametrize(
    "odd",
    [
        *(0, -1, 1001, True, 2.0, None, ()),
        *(["upside down"], ["as is", "as is"], ["crop 0"], ["crop"], ["crop ²"], [[]]),
    ],
)
def test_other_augmentations_are_refused_with_the_known_ones(odd):
    with pytest.raises(UserInputError, match="upside-down"):
        augmentation_names(odd)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as is", PICTURE),
        ("left-right", np.fliplr(PICTURE)),
        ("upside-down", np.flipud(PICTURE)),
        ("half-turn", np.rot90(PICTURE, 2)),
    ],
)
def test_flips_are_what_they_are_called(name, expected):
    assert np.array_equal(augmented(PICTURE, [name], b"")[0], expected)


def test_a_crop_depends_on_the_picture_and_its_number_alone():
    crops = [
        augmented(PICTURE, [name], digest)[0].tobytes()
        for name, digest in (("crop 1", b"a"), ("crop 1", b"b"), ("crop 3", b"a"))
    ]
    assert len(set(crops)) == 3
    assert augmented(PICTURE, ["crop 2", "crop 1"], b"a")[1].tobytes() == crops[0]


def test_augment_shows_what_a_network_gets():
    copies = tl.augment(PICTURE, ("as is", "left-right", "crop 1"), size=(20, 30))
    assert copies.shape == (3, 20, 30, 3) and copies.dtype == np.uint8
    assert np.array_equal(copies[0], PICTURE)
    assert np.array_equal(copies[1], PICTURE[:, ::-1])
    assert np.array_equal(tl.augment(PICTURE, 1, size=(20, 30)), PICTURE[None])
