"""Pictures of 10, 12 and 14 bits in files of 16: they look as their 8-bit originals do, whoever reads them."""

import io
import json
import struct
import warnings
import zlib

import numpy as np
import pytest
from brightness_export import write_brightness_export
from PIL import Image

import tlcourse as tl
from tlcourse.datasets import examine, from_folder
from tlcourse.errors import PictureError, UserInputError
from tlcourse.exported import RECORD, load_exported
from tlcourse.features.bit_depth import BitDepth
from tlcourse.features.engines import Pixels
from tlcourse.features.features import compute
from tlcourse.features.pictures import Pictures, read_picture

SIZE = (40, 60)


@pytest.fixture(scope="module")
def greys():
    """Ten grey photographs of 8 bits, uint8 (10, 40, 60); the fourth is dark."""
    images = tl.load_dataset("samples").test.images
    small = [
        Image.fromarray(tl.pictures.resize(images[row % len(images)], SIZE))
        for row in range(10)
    ]
    found = np.stack([np.asarray(picture.convert("L")) for picture in small])
    found[:, :4, :4], found[:, -4:, -4:] = 0, 255
    found[3] = found[3] // 16
    return found


def deep(greys, bits, seed=0):
    """The same with `bits` bits in uint16, the new lower ones random."""
    noise = np.random.default_rng(seed).integers(0, 2 ** (bits - 8), greys.shape)
    return (greys.astype(np.uint16) << (bits - 8)) + noise.astype(np.uint16)


def save(folder, pictures, suffix, **options):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.{suffix}" for number in range(len(pictures))]
    for path, levels in zip(paths, pictures, strict=True):
        Image.fromarray(levels).save(path, **options)
    return paths


def pixels(images, **options):
    """What a network is given: the first channel, uint8 (n, 40, 60)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute(Pixels(SIZE), images, SIZE, dtype=np.uint8, **options)[..., 0]


# The range of the whole set


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"})],
)
def test_deep_pictures_have_the_pixels_of_their_8_bit_originals(
    greys, tmp_path, bits, suffix, options
):
    paths = save(tmp_path / "deep", deep(greys, bits), suffix, **options)
    for images in (
        paths,
        list(map(str, paths)),
        tmp_path / "deep",
        Pictures(paths),
        [Image.open(p) for p in paths],
    ):
        np.testing.assert_array_equal(pixels(images), greys)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(
            [picture[..., 0] for picture in Pictures(paths)], greys
        )


def test_features_are_close_to_those_of_the_originals(greys, tmp_path, bundled_model):
    original = bundled_model.extract_features(greys)
    with pytest.warns(UserWarning, match="12-bit"):
        found = bundled_model.extract_features(
            Pictures(save(tmp_path, deep(greys, 12), "png"))
        )
    np.testing.assert_allclose(found, original, atol=1e-5)


@pytest.mark.parametrize("bits", [10, 12])
def test_big_endian_files_are_read_alike(greys, tmp_path, bits):
    paths = [tmp_path / f"{number}.tif" for number in range(len(greys))]
    for path, levels in zip(paths, deep(greys, bits), strict=True):
        path.write_bytes(tiff(levels.astype(">u2"), order=">"))
    np.testing.assert_array_equal(pixels(paths), greys)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize(
    ("order", "channels"), [("png", 3), ("png", 4), ("<", 3), (">", 3)]
)
def test_colour_pictures_of_16_bits_a_channel_are_scaled_as_well(
    greys, tmp_path, bits, order, channels
):
    """Pillow itself keeps the upper byte of each channel, which is black below 256."""
    expected = np.stack([greys, greys[:, ::-1], greys[:, :, ::-1]], axis=-1)
    levels = deep(expected, bits)
    if channels == 4:
        levels = np.concatenate(
            [levels, np.full((*levels.shape[:-1], 1), 2**bits - 1, np.uint16)], axis=-1
        )
    paths = [tmp_path / f"{number}.img" for number in range(len(greys))]
    for path, picture in zip(paths, levels, strict=True):
        path.write_bytes(
            png(picture)
            if order == "png"
            else tiff(picture.astype(f"{order}u2"), order)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compute(Pixels(SIZE), paths, SIZE, dtype=np.uint8)
    np.testing.assert_array_equal(found, expected)


def test_rows_do_not_depend_on_the_order_nor_on_what_was_computed_before(
    greys, tmp_path, monkeypatch
):
    """A dark picture alone is scaled by its own range; the cache does not mix that up with its place in the set."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    paths = save(tmp_path / "deep", deep(greys, 12), "png")
    alone = pixels([paths[3]], name="depth")
    assert alone[0].mean() > 2 * greys[3].mean()
    for order in (slice(None), slice(None, None, -1)):
        np.testing.assert_array_equal(pixels(paths[order], name="depth"), greys[order])
    np.testing.assert_array_equal(pixels([paths[3]], name="depth"), alone)


def test_a_part_of_a_set_keeps_the_range_of_the_set(greys, tmp_path):
    pictures = Pictures(save(tmp_path, deep(greys, 12), "png"))
    for part in (
        pictures[3:4],
        pictures[np.arange(10) == 3],
        (pictures[:5] + pictures[5:])[[3]],
    ):
        np.testing.assert_array_equal(pixels(part)[0], greys[3])
    with pytest.warns(UserWarning, match="12-bit"):
        np.testing.assert_array_equal(Pictures(pictures.paths)[3][..., 0], greys[3])


def test_the_range_is_said_once(greys, tmp_path):
    pictures = Pictures(save(tmp_path, deep(greys, 10), "png"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compute(Pixels(SIZE), pictures, SIZE)
        compute(Pixels(SIZE), pictures, SIZE)
    assert len(caught) == 1 and "1,023" in str(caught[0].message)


def test_of_pictures_that_use_all_16_bits_nothing_is_said(greys, tmp_path, recwarn):
    compute(Pixels(SIZE), save(tmp_path, deep(greys, 16), "png"), SIZE)
    assert not recwarn


def test_the_depth_can_be_given(greys, tmp_path, recwarn):
    paths = save(tmp_path, deep(greys[3:4], 12), "png")
    np.testing.assert_array_equal(Pictures(paths, bits=12)[0][..., 0], greys[3])
    assert not recwarn
    with pytest.raises(UserInputError, match="bits is 11"):
        Pictures(paths, bits=11)
    with pytest.raises(PictureError, match="10 bits"):
        Pictures(save(tmp_path, deep(greys[:1], 12), "png"), bits=10)[0]


def test_a_damaged_file_in_the_set_is_reported_as_itself(greys, tmp_path):
    paths = save(tmp_path, deep(greys, 12), "png")
    paths[0].write_bytes(paths[0].read_bytes()[:300])
    with pytest.raises(PictureError, match="0.png"):
        pixels(paths)
    np.testing.assert_array_equal(pixels(Pictures(paths)[1:]), greys[1:])


# Data sets, exports


@pytest.fixture
def folder(greys, tmp_path):
    """Class folders of 12-bit pictures."""
    levels = deep(np.concatenate([greys, greys[:, ::-1] // 2 + 60]), 12)
    for number, name in enumerate(("light", "mirrored")):
        save(
            tmp_path / "pictures" / name, levels[10 * number : 10 * number + 10], "png"
        )
    return tmp_path / "pictures"


def test_all_splits_of_a_folder_share_one_range_and_examine_says_it(folder, greys):
    with pytest.warns(UserWarning, match="12-bit"):
        dataset = from_folder(folder)
    for split in dataset.splits.values():
        for path, name, picture in zip(
            split.images.paths, split.label_names, split.images, strict=True
        ):
            if name == "light":
                np.testing.assert_array_equal(picture[..., 0], greys[int(path.stem)])
    findings = {
        subject: (text, look) for subject, text, look in examine(dataset).findings
    }
    assert "12-bit" in findings["bit depth"][0] and findings["bit depth"][1]


def test_an_export_scales_one_picture_as_its_training_pictures(
    greys, tmp_path, recwarn
):
    export = write_brightness_export(tmp_path / "export")
    record = json.loads((export / RECORD).read_text("utf-8"))
    paths = save(tmp_path / "deep", deep(greys, 12), "png")
    expected = load_exported(export).predict_proba(greys)
    record["input"]["bits"] = 12
    (export / RECORD).write_text(json.dumps(record), "utf-8")
    model = load_exported(export)
    assert model.bits == 12
    alone = np.concatenate([model.predict_proba(path) for path in paths])
    answers = np.stack([next(model.answers([path])).probabilities for path in paths])
    np.testing.assert_allclose(alone, expected, atol=0.02)
    np.testing.assert_allclose(answers, expected, atol=0.02)
    assert not recwarn


@pytest.mark.parametrize(
    "bits", [11, 16.0, "12", True, [12], np.array([8, 16]), np.array([[]]), object()]
)
def test_a_depth_that_is_none_is_refused_in_a_sentence(bits):
    with pytest.raises(
        UserInputError, match="bits is .* expected one of 8, 10, 12, 14, 16"
    ):
        BitDepth(bits=bits)
    with pytest.raises(UserInputError, match="bits is "):
        Pictures([], bits=bits)


def test_a_depth_may_be_a_numpy_integer():
    assert BitDepth(bits=np.uint8(12)).bits == 12


@pytest.mark.parametrize("bits", [11, 12.0, "12", -1, [12]])
def test_a_record_with_no_bit_depth_is_refused(tmp_path, bits):
    export = write_brightness_export(tmp_path / "export")
    record = json.loads((export / RECORD).read_text("utf-8"))
    record["input"]["bits"] = bits
    (export / RECORD).write_text(json.dumps(record), "utf-8")
    with pytest.raises(tl.errors.DamagedFile, match="bit depth"):
        load_exported(export)


@pytest.mark.slow
def test_what_is_trained_on_12_bit_pictures_is_exported_with_that_depth(
    folder, greys, tmp_path
):
    from tlcourse.train_folder import train_folder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = train_folder(folder, tmp_path / "made", epochs=0, say=lambda line: None)
    assert made.bits == 12
    np.testing.assert_allclose(
        made.predict_proba(folder / "light" / "3.png"),
        made.predict_proba(greys[3:4]),
        atol=1e-4,
    )


# What files say of themselves


def tiff(levels, order="<", tags=(), photometric=None, sample_format=1, bits=None):
    """An uncompressed TIFF of one strip; `tags` are more (number, value) of 16 bits."""
    channels = 1 if levels.ndim == 2 else levels.shape[2]
    bits = bits or 8 * levels.dtype.itemsize
    pixels = levels if isinstance(levels, bytes) else levels.tobytes()
    photometric = (1 if channels == 1 else 2) if photometric is None else photometric
    height, width = levels.shape[:2]
    entries = {
        **{
            256: (3, [width]),
            257: (3, [height]),
            258: (3, [bits] * channels),
            259: (3, [1]),
        },
        **{
            262: (3, [photometric]),
            273: (4, [8]),
            277: (3, [channels]),
            278: (3, [height]),
        },
        **{279: (4, [len(pixels)]), 339: (3, [sample_format] * channels)},
        **{number: (3, [value]) for number, value in tags},
    }
    body, extra = b"", b""
    start = 8 + len(pixels)
    after = start + 2 + 12 * len(entries) + 4
    for number, (kind, values) in sorted(entries.items()):
        content = struct.pack(
            f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values
        )
        if len(content) > 4:
            offset, extra = after + len(extra), extra + content
            content = struct.pack(f"{order}I", offset)
        body += struct.pack(f"{order}HHI", number, kind, len(values)) + content.ljust(
            4, b"\0"
        )
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return (
        header
        + pixels
        + struct.pack(f"{order}H", len(entries))
        + body
        + bytes(4)
        + extra
    )


def png(levels, significant=None):
    """A PNG of 16 bits a channel; `significant` is what its sBIT chunk says."""

    def chunk(kind, content):
        return (
            len(content).to_bytes(4, "big")
            + kind
            + content
            + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    channels = 1 if levels.ndim == 2 else levels.shape[2]
    header = struct.pack(
        ">IIBBBBB",
        levels.shape[1],
        levels.shape[0],
        16,
        {1: 0, 3: 2, 4: 6}[channels],
        0,
        0,
        0,
    )
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    said = chunk(b"sBIT", bytes([significant] * channels)) if significant else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + said
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_a_depth_that_tiff_states_is_that_of_the_picture(greys, recwarn):
    dark = deep(greys[3:4], 12)[0]
    for order in "<>":
        for tag in (281, 341):
            content = tiff(dark.astype(f"{order}u2"), order, tags=[(tag, 4095)])
            np.testing.assert_array_equal(read_picture(content)[..., 0], greys[3])
    assert not recwarn


def test_the_highest_level_of_one_picture_is_no_depth(greys, tmp_path):
    """Some programs write it into MaxSampleValue; a dark picture stays darker than the others all the same."""
    for number, levels in enumerate(deep(greys, 12)):
        (tmp_path / f"{number}.tif").write_bytes(
            tiff(levels, tags=[(281, int(levels.max()))])
        )
    assert pixels(tmp_path)[3].mean() == pytest.approx(greys[3].mean(), abs=1)


def test_significant_bits_of_a_png_are_the_least(greys):
    dark = deep(greys[3:4], 12)[0]
    with pytest.warns(UserWarning, match="12-bit"):
        np.testing.assert_array_equal(
            read_picture(png(dark, significant=12))[..., 0], greys[3]
        )
    whole = deep(greys[:1], 16)[
        0
    ]  # as the standard has it: scaled to 16 bits, of which 12 are significant
    np.testing.assert_array_equal(
        read_picture(png(whole, significant=12))[..., 0], greys[0]
    )


def test_packed_12_bit_tiff_is_read(greys, recwarn):
    levels = deep(greys[3:4], 12)[0]
    pairs = levels.reshape(len(levels), -1, 2).astype(np.uint32)
    packed = (pairs[..., 0] << 12 | pairs[..., 1])[..., None] >> np.array(
        [16, 8, 0]
    ) & 255
    content = tiff(_Packed(levels.shape, packed.astype(np.uint8).tobytes()), bits=12)
    np.testing.assert_array_equal(read_picture(content)[..., 0], greys[3])
    assert not recwarn


class _Packed:
    """Stands for an array whose bytes are packed."""

    ndim, dtype = 2, np.dtype(np.uint16)

    def __init__(self, shape, content):
        self.shape, self.tobytes = shape, lambda: content


def test_where_0_is_white_deep_pictures_are_turned_round(greys):
    levels = 2**16 - 1 - deep(greys[:1], 16)[0]
    np.testing.assert_array_equal(
        read_picture(tiff(levels, photometric=0))[..., 0], greys[0]
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "sample_format"), [("i2", 2), ("i4", 2), ("u4", 1)])
def test_whole_numbers_of_other_kinds_are_read_in_up_to_16_bits_and_refused_beyond(
    greys, order, kind, sample_format
):
    bits = 14 if kind == "i2" else 16
    levels = deep(greys[:1], bits)[0].astype(f"{order}{kind}")
    if (order, kind) != (">", "u4"):  # Pillow does not open these
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read_picture(tiff(levels, order, sample_format=sample_format))
        np.testing.assert_array_equal(found[..., 0], greys[0])
    levels[0, 0] = -5 if kind[0] == "i" else 3_000_000_000
    with pytest.raises(PictureError):
        read_picture(tiff(levels, order, sample_format=sample_format))


def test_a_picture_of_one_bit_is_black_and_white():
    file = io.BytesIO()
    Image.fromarray(np.eye(20, dtype=np.uint8) * 255).convert("1").save(file, "TIFF")
    assert set(np.unique(read_picture(file.getvalue()))) == {0, 255}


# Arrays


@pytest.mark.parametrize(("bits", "divisor"), [(10, 4), (12, 16), (14, 64), (16, 256)])
def test_the_advice_for_deep_arrays_gives_the_8_bit_pictures(greys, bits, divisor):
    levels = deep(greys, bits)
    with pytest.raises(UserInputError, match=rf"images // {divisor}\)"):
        pixels(levels)
    np.testing.assert_array_equal(pixels((levels // divisor).astype("uint8")), greys)
