"""Every kind of picture file becomes uint8 RGB or a sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from tlcourse.errors import PictureError, UserInputError
from tlcourse.features import pictures


def save(path, image, **options):
    image.save(path, **options)
    return path


@pytest.fixture
def gradient():
    ramp = np.linspace(0, 255, 40, dtype=np.uint8)
    return np.stack(
        [
            np.tile(ramp, (30, 1)),
            np.tile(ramp[:30, None], (1, 40)),
            np.full((30, 40), 90, np.uint8),
        ],
        -1,
    )


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "YCbCr"])
def test_every_mode_becomes_three_channels_of_uint8(tmp_path, gradient, mode):
    image = Image.fromarray(gradient)
    if mode == "I;16":
        image = Image.fromarray(gradient[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    picture = pictures.read_picture(save(tmp_path / f"picture.{suffix}", image))
    assert picture.shape == (30, 40, 3) and picture.dtype == np.uint8


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path, gradient):
    deep = Image.fromarray(gradient[..., 0].astype(np.uint16) * 257)
    picture = pictures.read_picture(save(tmp_path / "deep.png", deep))
    np.testing.assert_allclose(picture[..., 0], gradient[..., 0], atol=1)


def test_transparency_is_laid_on_white(tmp_path):
    clear = Image.fromarray(np.zeros((4, 4, 4), np.uint8))
    assert (pictures.read_picture(save(tmp_path / "clear.png", clear)) == 255).all()


def test_exif_orientation_is_respected(tmp_path, gradient):
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned: to be rotated by 90 degrees
    path = save(
        tmp_path / "turned.jpg", Image.fromarray(gradient), exif=exif, quality=95
    )
    assert pictures.read_picture(path).shape == (40, 30, 3)


def test_bytes_read_as_the_file_does(tmp_path, gradient):
    path = save(tmp_path / "picture.png", Image.fromarray(gradient))
    np.testing.assert_array_equal(pictures.read_picture(path.read_bytes()), gradient)


def test_a_file_cut_short_is_refused_by_name(tmp_path, gradient):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    path = save(tmp_path / "half.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureError, match=r"half\.jpg.*cut short"):
        pictures.read_picture(path)


def test_text_with_a_picture_name_is_refused(tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(PictureError, match=r"letter\.jpg.*no picture format"):
        pictures.read_picture(path)


def test_a_missing_file_is_refused_with_the_starting_folder(tmp_path):
    with pytest.raises(PictureError, match="does not exist.*relative paths start at"):
        pictures.read_picture(tmp_path / "nowhere.png")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = save(tmp_path / "bomb.png", Image.new("1", (20_000, 6_000)))
    with pytest.raises(PictureError, match="120 megapixels"):
        pictures.read_picture(path)


def test_floating_point_pixels_are_refused(tmp_path):
    path = save(tmp_path / "deep.tiff", Image.fromarray(np.ones((4, 4), np.float32)))
    with pytest.raises(PictureError, match="floating-point"):
        pictures.read_picture(path)


def test_resize_keeps_the_whole_picture():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :10] = 255  # a bright left edge, which a centre crop would lose
    small = pictures.resize(picture, (50, 50))
    assert small.shape == (50, 50, 3) and (small[:, 0] > 200).all()


def test_pictures_decode_when_asked_for(tmp_path, gradient):
    path = save(tmp_path / "picture.png", Image.fromarray(gradient))
    lazy = pictures.Pictures([path, tmp_path / "not there.png"])
    np.testing.assert_array_equal(lazy[0], gradient)
    assert (
        len(lazy) == 2
        and lazy[np.array([True, False])].paths == [path]
        and lazy[::-1].paths[1] == path
    )


def test_hidden_files_are_not_listed(tmp_path, gradient):
    image = Image.fromarray(gradient)
    shown = save(tmp_path / "b.PNG", image)
    (tmp_path / ".trash").mkdir()
    save(tmp_path / ".trash" / "a.png", image)
    save(tmp_path / "._b.png", image)
    (tmp_path / "notes.txt").write_text("no picture")
    assert pictures.list_pictures(tmp_path) == [shown]


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserInputError, match="holds no pictures"):
        pictures.list_pictures(tmp_path)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:])
    assert pictures.read_picture(buffer.getvalue())[0, 0].tolist() == [255, 0, 0]
