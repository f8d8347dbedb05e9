"""Pictures of 10, 12 and 14 bits in files of 16 become their 8-bit originals."""

import io
import json
import warnings

import numpy as np
import pytest
from brightness_export import write_brightness_export
from deep_pictures import deep, png, tiff
from PIL import Image

import tlcourse as tl
from tlcourse.datasets import examine, from_folder
from tlcourse.errors import PictureError, UserInputError
from tlcourse.export_record import RECORD
from tlcourse.features.compute import compute
from tlcourse.features.decoding import may_be_deep
from tlcourse.features.engine import Pixels
from tlcourse.features.pictures import Pictures, read_picture
from tlcourse.predict import load_exported

SIZE = (40, 60)
same = np.testing.assert_array_equal


@pytest.fixture(scope="module")
def greys():
    """Ten grey photographs of 8 bits, uint8 (10, 40, 60); the fourth is dark."""
    images = tl.load_dataset("samples").test.images
    rows = [tl.pictures.resize(images[row % len(images)], SIZE) for row in range(10)]
    greys = np.stack([np.asarray(Image.fromarray(row).convert("L")) for row in rows])
    greys[:, :4, :4], greys[:, -4:, -4:] = 0, 255
    greys[3] //= 16
    return greys


def save(folder, pictures, suffix="png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.{suffix}" for number in range(len(pictures))]
    for path, levels in zip(paths, pictures, strict=True):
        Image.fromarray(levels).save(path, **options)
    return paths


def write(folder, contents):
    paths = [folder / f"{number}.img" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def pixels(images, **options):
    """The first channel of what a network is given: uint8 (n, 40, 60)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute(Pixels(SIZE), images, SIZE, dtype=np.uint8, **options)[..., 0]


def read(content):
    """The first channel of one picture."""
    return read_picture(content)[..., 0]


# The range of the whole set


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"})],
)
def test_deep_pictures_become_their_8_bit_originals(
    greys, tmp_path, bits, suffix, options
):
    paths = save(tmp_path / "deep", deep(greys, bits), suffix, **options)
    opened = [Image.open(path) for path in paths]
    for images in (paths, tmp_path / "deep", Pictures(paths), opened):
        same(pixels(images), greys)


@pytest.mark.parametrize("bits", [10, 14])
@pytest.mark.parametrize("kind", ["png", "<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_so_do_colours_and_both_byte_orders(greys, tmp_path, bits, kind, channels):
    """Pillow itself keeps the upper byte of each channel, which is black below 256."""
    expected = np.stack([greys, greys[:, ::-1], greys[:, :, ::-1]], axis=-1)
    levels = deep(expected, bits)
    if channels == 1:
        expected = np.repeat(expected[..., :1], 3, axis=-1)
        levels = levels[..., 0]
    if channels == 4:
        opaque = np.full((*levels.shape[:-1], 1), 2**bits - 1, np.uint16)
        levels = np.concatenate([levels, opaque], axis=-1)
    if kind == "png":
        contents = [png(one) for one in levels]
    else:
        contents = [tiff(one.astype(f"{kind}u2"), kind) for one in levels]
    paths = write(tmp_path, contents)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(compute(Pixels(SIZE), paths, SIZE, dtype=np.uint8), expected)


def test_rows_do_not_depend_on_the_order_nor_on_what_is_cached(
    greys, tmp_path, monkeypatch
):
    """A dark picture alone is scaled by its own range, also where rows are cached."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    paths = save(tmp_path / "deep", deep(greys, 12))
    alone = pixels([paths[3]], name="depth")
    assert alone[0].mean() > 2 * greys[3].mean()
    for order in (slice(None), slice(None, None, -1)):
        same(pixels(paths[order], name="depth"), greys[order])
    same(pixels([paths[3]], name="depth"), alone)


def test_a_deep_picture_beside_them_leaves_the_rows_of_8_bit_pictures_valid(
    greys, tmp_path, monkeypatch
):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    engine, computed = Pixels(SIZE), []
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda x: computed.append(len(x)) or run(x))
    paths = save(tmp_path / "8 bits", greys[:4])
    for pictures in (paths, paths + save(tmp_path / "deep", deep(greys[4:5], 12))):
        compute(engine, pictures, SIZE, dtype=np.uint8, name="depth", bits=None)
    assert sum(computed) == 5


def test_whatever_pillow_takes_for_a_tiff_may_be_deep():
    from PIL.TiffImagePlugin import PREFIXES

    file = io.BytesIO()
    Image.new("L", (2, 2)).save(file, "PNG")
    deep_png = png(np.zeros((2, 2), np.uint16))
    assert all(map(may_be_deep, [*PREFIXES, deep_png]))
    assert not may_be_deep(file.getvalue())
    assert not may_be_deep(b"\xff\xd8\xff")  # JPEG


def test_a_part_of_a_set_keeps_the_range_of_the_set(greys, tmp_path):
    pictures = Pictures(save(tmp_path, deep(greys, 12)))
    parts = (
        pictures[3:4],
        pictures[np.arange(10) == 3],
        (pictures[:5] + pictures[5:])[[3]],
    )
    for part in parts:
        same(pixels(part)[0], greys[3])


# A depth that is known


def test_the_depth_can_be_given(greys, tmp_path, recwarn):
    dark = save(tmp_path, deep(greys[3:4], 12))
    same(Pictures(dark, bits=12)[0][..., 0], greys[3])
    same(Pictures(dark, bits=np.uint8(12))[0][..., 0], greys[3])
    same(pixels(dark, bits=12)[0], greys[3])
    assert not recwarn


def test_levels_above_the_given_depth_are_refused(greys, tmp_path):
    with pytest.raises(PictureError, match="10 bits"):
        Pictures(save(tmp_path, deep(greys[:1], 12)), bits=10)[0]
    for bits in (11, 16.0, "12", True, [12], np.array([8, 16]), object()):
        with pytest.raises(UserInputError, match="bits is .* 8, 10, 12, 14, 16"):
            Pictures([], bits=bits)


# Data sets, exports


@pytest.fixture
def folder(greys, tmp_path):
    """Class folders of 12-bit pictures."""
    levels = deep(np.concatenate([greys, greys[:, ::-1] // 2 + 60]), 12)
    save(tmp_path / "pictures" / "light", levels[:10])
    save(tmp_path / "pictures" / "mirrored", levels[10:])
    return tmp_path / "pictures"


def test_all_splits_of_a_folder_share_one_range_and_examine_says_it(folder, greys):
    with pytest.warns(UserWarning, match="12-bit"):
        dataset = from_folder(folder)
    for split in dataset.splits.values():
        for path, picture in zip(split.images.paths, split.images, strict=True):
            if path.parent.name == "light":
                same(picture[..., 0], greys[int(path.stem)])
    findings = {subject: text for subject, text, _ in examine(dataset).findings}
    assert "12-bit" in findings["bit depth"]


def test_an_export_scales_one_picture_as_its_training_pictures(greys, tmp_path):
    export = write_brightness_export(tmp_path / "export")
    record = json.loads((export / RECORD).read_text("utf-8"))
    record["input"]["bits"] = 12
    (export / RECORD).write_text(json.dumps(record), "utf-8")
    model = load_exported(export)
    expected = model.predict_proba(greys)
    paths = save(tmp_path / "deep", deep(greys, 12))
    for path, row in zip(paths, expected, strict=True):
        (prediction,) = model.predict_files([path])
        np.testing.assert_allclose(prediction.probabilities, row, atol=0.02)
        np.testing.assert_allclose(model.predict_proba(path)[0], row, atol=0.02)
    assert model.bits == 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_is_trained_on_12_bit_pictures_is_exported_with_that_depth(
    folder, greys, tmp_path
):
    from tlcourse.train_folder import train_folder

    made = train_folder(folder, tmp_path / "made", epochs=0, say=lambda line: None)
    from_file = made.predict_proba(folder / "light" / "3.png")
    assert made.bits == 12
    np.testing.assert_allclose(from_file, made.predict_proba(greys[3:4]), atol=1e-4)


# What files say of themselves


def test_where_0_is_white_deep_pictures_are_inverted(greys):
    levels = 2**16 - 1 - deep(greys[:1], 16)[0]
    same(read(tiff(levels, photometric=0)), greys[0])


@pytest.mark.filterwarnings("ignore:A picture of 16 bits")
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "sample_format"), [("i2", 2), ("i4", 2), ("u4", 1)])
def test_other_whole_numbers_are_read_up_to_16_bits_and_refused_beyond(
    greys, order, kind, sample_format
):
    levels = deep(greys[:1], 14 if kind == "i2" else 16)[0].astype(f"{order}{kind}")
    if (order, kind) != (">", "u4"):  # Pillow does not open these
        same(read(tiff(levels, order, sample_format=sample_format)), greys[0])
    levels[0, 0] = -5 if kind[0] == "i" else 3_000_000_000
    with pytest.raises(PictureError):
        read(tiff(levels, order, sample_format=sample_format))
