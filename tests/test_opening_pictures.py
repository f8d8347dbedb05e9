"""One opener for all pictures: which formats it opens, that it starts no program, and what it says of everything else.

PICTURE_MUTATIONS=10000 pytest tests/test_opening_pictures.py -k damaged      more damaged files than usually
"""

import ast
import io
import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from brightness_export import write_brightness_export
from mutations import mutated_files, valid_files
from PIL import Image, ImageCms

import tlcourse as tl
from tlcourse.datasets import examine, from_folder
from tlcourse.datasets.same_pictures import shared_pictures
from tlcourse.errors import PictureError, TLCourseError
from tlcourse.exported import load_exported
from tlcourse.features.pictures import read_picture
from tlcourse.predicting import predict_files

PACKAGE = Path(tl.__file__).parent
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n0 0 40 40 rectfill\nshowpage\n%%EOF\n"
    * 3
)
MUTATIONS = int(os.environ.get("PICTURE_MUTATIONS", 300))


# No program is started


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """A stand-in for Ghostscript; the path that it returns exists once it was started."""
    marker, programs = tmp_path / "started", tmp_path / "bin"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c"):
        program = programs / name
        program.write_text(f"#!/bin/sh\necho started >> '{marker}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.gs_binary", None
    )  # Pillow looks for it again
    return marker


@pytest.fixture
def postscript(tmp_path):
    """A folder of two classes, each with good pictures and PostScript that is called a JPEG."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
        (tmp_path / "pictures" / name / "drawing.jpg").write_bytes(
            POSTSCRIPT + name.encode()
        )
    return tmp_path / "pictures"


def extract(given):
    return lambda folder: tl.load_pretrained_model().extract_features(
        given(folder), cache=False
    )


def predict_files_of(folder):
    model = load_exported(write_brightness_export(folder.parent / "export"))
    answers = io.StringIO()
    assert (
        predict_files(model, [folder], answers) == (6, 2)
        and "JPEG, MPO, PNG" in answers.getvalue()
    )


def predict_by_command(folder):
    write_brightness_export(folder.parent / "export")
    command = [
        sys.executable,
        "-m",
        "tlcourse",
        "predict",
        folder,
        "--model",
        folder.parent / "export",
    ]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 1 and done.stdout.count("JPEG, MPO, PNG") == 2


def upload(folder):
    from types import SimpleNamespace

    from tlcourse.widgets.uploads import TryYourOwn

    widget = TryYourOwn.__new__(TryYourOwn)
    widget._model = SimpleNamespace(input_size=(32, 32))
    widget.look((folder / "cat" / "drawing.jpg").read_bytes(), "drawing.jpg")


def examine_all(folder):
    with pytest.warns(UserWarning, match="2 files of .* were left out"):
        dataset = from_folder(folder)
    assert [Path(file).name for file, _ in dataset.skipped] == ["drawing.jpg"] * 2
    examine(dataset)


REFUSED = {
    "read_picture of a path": lambda folder: read_picture(
        folder / "cat" / "drawing.jpg"
    ),
    "read_picture of bytes": lambda folder: read_picture(POSTSCRIPT),
    "extract_features of a path": extract(
        lambda folder: folder / "cat" / "drawing.jpg"
    ),
    "extract_features of a folder": extract(lambda folder: folder),
    "extract_features of a list": extract(
        lambda folder: [folder / "cat" / "drawing.jpg"]
    ),
    "extract_features of Pictures": extract(
        lambda folder: tl.pictures.Pictures([folder / "cat" / "drawing.jpg"])
    ),
    "shared_pictures": lambda folder: shared_pictures(folder / "cat", folder / "dog"),
    "assert_disjoint": lambda folder: tl.guards.assert_disjoint(
        folder / "cat", folder / "dog"
    ),
    "the upload widget": upload,
    "from_folder without a check": lambda folder: examine(
        from_folder(folder, check=False)
    ),
}


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_the_stand_in_is_started_where_pillow_opens_any_format(ghostscript):
    """Else the tests below would prove nothing."""
    with pytest.raises(OSError), Image.open(io.BytesIO(POSTSCRIPT)) as image:
        image.load()
    assert ghostscript.exists()


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
@pytest.mark.parametrize("way", REFUSED)
def test_postscript_is_refused_and_starts_no_program(ghostscript, postscript, way):
    with pytest.raises(PictureError, match="JPEG, MPO, PNG, WebP, GIF, BMP, TIFF"):
        REFUSED[way](postscript)
    assert not ghostscript.exists()


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
@pytest.mark.parametrize("way", [examine_all, predict_files_of, predict_by_command])
def test_postscript_among_pictures_is_left_out_and_starts_no_program(
    ghostscript, postscript, way
):
    way(postscript)
    assert not ghostscript.exists()


def test_no_other_module_opens_pictures_by_itself():
    """`open`, and what else in Pillow reads a file, is called in one function only."""
    callers = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value).rpartition(".")[2]
                if (
                    owner == "Image"
                    and node.func.attr == "open"
                    or node.func.attr in ("imread", "load_img")
                ):
                    formats = [word for word in node.keywords if word.arg == "formats"]
                    callers.setdefault(file.relative_to(PACKAGE).as_posix(), []).append(
                        bool(formats)
                    )
            elif isinstance(node, ast.ImportFrom) and node.module == "PIL.Image":
                assert "open" not in {name.name for name in node.names}, file
    assert callers == {"picture_formats.py": [True]}


# Every format that is promised


def test_a_file_of_every_format_is_read():
    with Image.open(io.BytesIO(valid_files()[-5])) as image:
        assert image.format == "MPO"
    shapes = set()
    for content in valid_files():
        try:
            shapes.add(read_picture(content).shape)
        except PictureError as error:
            assert "floating-point" in str(error) or "CIELAB" in str(error)
    assert shapes == {
        (17, 23, 3),
        (23, 17, 3),
    }  # of JPEG, PNG and WebP the EXIF orientation says to turn them


@pytest.mark.parametrize(
    "name", ["PPM", "ICO", "PCX", "TGA", "SGI", "JPEG2000", "AVIF", "PDF", "DDS", "IM"]
)
def test_another_format_is_refused_by_a_sentence_that_names_the_formats(name):
    file = io.BytesIO()
    try:
        Image.new("RGB", (32, 32), "red").save(file, name)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow does not write {name}")
    with pytest.raises(PictureError, match="JPEG, MPO, PNG, WebP, GIF, BMP, TIFF"):
        read_picture(file.getvalue())


# Limits


def test_a_progressive_jpeg_of_many_scans_is_refused():
    """A few bytes more for each scan, and a pass over all pixels: a megabyte would keep a processor for hours."""
    file = io.BytesIO()
    Image.new("L", (64, 64), 90).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    assert read_picture(content).shape == (64, 64, 3)
    scan = content.rindex(b"\xff\xda")
    bomb = content[:scan] + content[scan:-2] * 2000 + content[-2:]
    with pytest.raises(PictureError, match="scans"):
        read_picture(bomb)


def test_previews_inside_a_jpeg_are_no_scans():
    file = io.BytesIO()
    Image.new("L", (64, 64), 90).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    preview = b"\xff\xda\x00\x02" * 1000
    segment = b"\xff\xe5" + (len(preview) + 2).to_bytes(2, "big") + preview
    assert read_picture(content[:2] + segment + content[2:]).shape == (64, 64, 3)


def test_a_bomb_of_text_in_a_png_is_refused():
    import zlib

    def chunk(kind, content):
        return (
            len(content).to_bytes(4, "big")
            + kind
            + content
            + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    with pytest.raises(PictureError):
        read_picture(file.getvalue()[:33] + text + file.getvalue()[33:])


@pytest.mark.parametrize("name", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
def test_of_many_frames_only_the_first_is_decoded(name):
    frames = [Image.new("RGB", (40, 40), (number % 256, 0, 0)) for number in range(60)]
    file = io.BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:])
    content = file.getvalue()
    damaged = content[:-200] + bytes(200)  # in the last frame
    assert (
        read_picture(damaged if name in ("TIFF", "MPO") else content)[0, 0].max() <= 5
    )


@pytest.mark.slow
def test_damaged_files_stay_within_a_gigabyte_and_ten_seconds_each():
    """A process of its own, whose memory is limited."""
    program = (
        "import sys, time, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from mutations import mutated_files\n"
        "from tlcourse.errors import PictureError\n"
        "from tlcourse.measure import peak_megabytes\n"
        "from tlcourse.features.pictures import read_picture\n"
        "for content in mutated_files(int(sys.argv[1]), seed=1):\n"
        "    start = time.perf_counter()\n"
        "    try:\n"
        "        read_picture(content)\n"
        "    except PictureError:\n"
        "        pass\n"
        "    assert time.perf_counter() - start < 10\n"
        "print(peak_megabytes())\n"  # of this process alone; getrusage counts what pytest has held, too
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(PACKAGE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", program, str(MUTATIONS)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1000


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_pictures_or_sentences():
    for content in mutated_files(MUTATIONS):
        try:
            picture = read_picture(content)
        except PictureError as error:
            assert str(error).startswith("the picture ") and str(error).endswith(
                (".", ")")
            )
        else:
            assert (
                picture.dtype == np.uint8
                and picture.ndim == 3
                and picture.shape[2] == 3
            )


# Pillow's own objects go the same way as files


MODES = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "I",
    "I;16",
)


@pytest.fixture(scope="module")
def photograph():
    """A colour picture with smooth and sharp parts, 48 × 64, as `PIL.Image.Image`."""
    picture = tl.load_dataset("samples").test.images[0]
    return Image.fromarray(tl.pictures.resize(picture, (48, 64)))


def pixels_of(image):
    """What the course takes the picture for."""
    return next(iter(tl.inputs.as_pictures([image])[0]))


@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_any_mode_looks_as_it_does_converted(photograph, mode):
    image = (
        photograph.convert("L").convert(mode)
        if mode.startswith("I")
        else photograph.convert(mode)
    )
    grey = mode in ("1", "L", "LA", "I", "I;16")
    expected = np.asarray(
        photograph.convert("L").convert("RGB") if grey else photograph, int
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.asarray(pixels_of(image), int)
    assert found.shape == (48, 64, 3)
    assert np.abs(found - expected).mean() < (130 if mode == "1" else 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_file_is(photograph, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photograph.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        np.testing.assert_array_equal(
            pixels_of(image), read_picture(tmp_path / "turned.png")
        )
    assert read_picture(tmp_path / "turned.png").shape[:2] == (
        (64, 48) if orientation > 4 else (48, 64)
    )


def test_lab_colours_are_refused():
    image = Image.new("RGB", (20, 20), "red")
    lab = ImageCms.applyTransform(
        image,
        ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        ),
    )
    with pytest.raises(PictureError, match="CIELAB"):
        pixels_of(lab)


def test_a_single_image_is_one_picture(photograph):
    pictures, total, _ = tl.inputs.as_pictures(photograph.convert("P"))
    assert (
        total == 1
        and np.abs(
            np.asarray(next(iter(pictures)), int) - np.asarray(photograph, int)
        ).mean()
        < 30
    )


def test_copies_of_palette_images_are_found(photograph):
    others = [
        Image.fromarray(
            np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8)
        )
        for n in range(2)
    ]
    pairs = shared_pictures(
        [photograph.convert("P"), others[0]], [others[1], photograph]
    )
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]


# Channels first


@pytest.mark.parametrize(
    ("shape", "hint"),
    [((3, 40, 50), "transpose(1, 2, 0)"), ((4, 3, 40, 50), "transpose(0, 2, 3, 1)")],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_first_is_refused_by_a_sentence_that_says_how_to_transpose(
    shape, hint, dtype
):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    for given in (images, list(images) if len(shape) == 4 else [images]):
        with pytest.raises(TLCourseError, match="hannels") as error:
            list(tl.inputs.as_pictures(given)[0])
        assert hint in str(error.value) or given is not images


def test_three_grey_pictures_are_three_once_they_have_a_channel():
    greys = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 1), np.uint8)
    assert (
        tl.inputs.as_pictures(greys)[1]
        == 3
        == tl.inputs.as_pictures(list(greys[..., 0]))[1]
    )
