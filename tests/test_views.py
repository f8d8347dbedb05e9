"""Views of a picture: the same shape, the same every time, and what their names say."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.features import features
from tlcourse.features.views import FLIPS, apply_view, view_names

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("views", "names"),
    [
        (1, ("as is",)),
        (2, ("as is", "left-right")),
        (np.int64(4), ("as is", "left-right", "crop 1", "crop 2")),
        (FLIPS, FLIPS),
        ("crop 12", ("crop 12",)),
        (["half-turn", "as is"], ("half-turn", "as is")),
    ],
)
def test_views_by_number_or_name(views, names):
    assert view_names(views) == names


@pytest.mark.parametrize(
    "views",
    [
        0,
        -1,
        True,
        2.0,
        None,
        (),
        ["upside down"],
        ["as is", "as is"],
        ["crop 0"],
        ["crop"],
    ],
)
def test_other_views_are_refused_with_the_known_ones(views):
    with pytest.raises(UserInputError, match="upside-down|at least one view"):
        view_names(views)


def test_flips_are_what_they_are_called():
    seen = {view: apply_view(PICTURE, view, b"") for view in FLIPS}
    assert np.array_equal(seen["as is"], PICTURE)
    assert np.array_equal(seen["left-right"], np.fliplr(PICTURE))
    assert np.array_equal(seen["upside-down"], np.flipud(PICTURE))
    assert np.array_equal(seen["half-turn"], np.rot90(PICTURE, 2))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", [(20, 30, 3), (1, 1, 3), (224, 224, 3)])
def test_a_crop_has_the_pictures_shape_and_dtype(shape, dtype):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    crop = apply_view(picture, "crop 1", b"seed")
    assert crop.shape == picture.shape and crop.dtype == picture.dtype


def test_a_crop_depends_on_its_seed_and_number_alone():
    crops = [
        apply_view(PICTURE, *how).tobytes()
        for how in (("crop 1", b"a"), ("crop 1", b"b"), ("crop 3", b"a"))
    ]
    assert len(set(crops)) == 3
    assert apply_view(PICTURE, "crop 1", b"a").tobytes() == crops[0]


def test_the_callers_picture_is_not_changed():
    before = PICTURE.copy()
    for view in (*FLIPS, "crop 1", "crop 2"):
        apply_view(PICTURE, view, b"")
    assert np.array_equal(PICTURE, before)


# --- to be looked at ---


def test_the_views_that_are_shown_are_those_that_a_network_gets():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    shown = tl.views_of(picture, ("as is", "left-right", "crop 1"), size=(20, 30))
    assert shown.shape == (3, 20, 30, 3) and shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[0], picture)
    np.testing.assert_array_equal(shown[1], picture[:, ::-1])
    assert not np.array_equal(shown[2], picture)
    np.testing.assert_array_equal(tl.views_of(picture, 1, size=(20, 30)), picture[None])


def test_the_views_of_one_picture_come_without_a_progress_bar(monkeypatch):
    monkeypatch.setattr(
        features,
        "progress_bar",
        lambda **_: pytest.fail("lesson 08 would show a hundred and twenty"),
    )
    assert tl.views_of(np.full((20, 30, 3), 9, np.uint8), 2, size=(20, 30)).shape == (
        2,
        20,
        30,
        3,
    )
