"""Every kind of picture file becomes upright uint8 RGB, or an error; no other does.

PICTURE_MUTATIONS=10000 pytest tests/test_decoding.py -k damaged      more damaged files
"""

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mutations import mutated_files, valid_files
from PIL import Image

import tlcourse as tl
from tlcourse.datasets import examine, from_folder
from tlcourse.errors import PictureError
from tlcourse.features.decoding import BitDepth
from tlcourse.features.pictures import read_picture
from tlcourse.features.resizing import prepare

PACKAGE = Path(tl.__file__).parent
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n"
    b"0 0 40 40 rectfill\nshowpage\n%%EOF\n"
)
MUTATIONS = int(os.environ.get("PICTURE_MUTATIONS", 300))
FORMATS = "JPEG, MPO, PNG, WebP, GIF, BMP, TIFF"


def encoded(image, name="PNG", **options):
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def gradient():
    """uint8 (30, 40, 3), without any symmetry."""
    ramp = np.linspace(0, 255, 40, dtype=np.uint8)
    columns, rows = np.tile(ramp, (30, 1)), np.tile(ramp[:30, None], (1, 40))
    return np.stack([columns, rows, np.full((30, 40), 90, np.uint8)], -1)


def photograph(width, height):
    """A picture with soft forms, as photographs have them."""
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 9, height))
    waves = [np.sin(x + y), np.cos(x * y / 3), np.sin(y)]
    return (127 + 120 * np.stack(waves, -1)).astype(np.uint8)


# What is read


def test_every_format_is_read_and_turned():
    shapes = set()
    for content in valid_files():
        try:
            shapes.add(read_picture(content).shape)
        except PictureError as error:
            assert "floating-point" in str(error) or "CIELAB" in str(error)
    # The EXIF orientation of JPEG, PNG and WebP says to turn them.
    assert shapes == {(17, 23, 3), (23, 17, 3)}


@pytest.mark.parametrize(
    ("mode", "colour", "options"),
    [
        ("RGBA", (0, 0, 0, 0), {}),
        ("LA", (0, 0), {}),
        ("P", 0, {"transparency": 0}),
        ("L", 0, {"transparency": 0}),
        ("RGB", (0, 0, 0), {"transparency": (0, 0, 0)}),
    ],
)
def test_transparency_becomes_white(mode, colour, options):
    content = encoded(Image.new(mode, (4, 4), colour), **options)
    assert (read_picture(content) == 255).all()


# Resizing


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_jpeg_gives_what_decoding_all_of_it_gives(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = Image.fromarray(photograph(1600, 1000))
    content = encoded(large, "JPEG", quality=95, exif=exif)
    reduced = prepare(content, (224, 160), "", BitDepth()).astype(int)
    whole = prepare(read_picture(content), (224, 160), "", BitDepth()).astype(int)
    assert reduced.shape == whole.shape == (224, 160, 3)
    assert np.abs(reduced - whole).mean() < 1


# What is refused


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"Dear Sir or Madam", FORMATS),
        (POSTSCRIPT, FORMATS),
        (encoded(Image.new("1", (20_000, 6_000))), "100 megapixels"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "floating-point"),
        (encoded(Image.new("LAB", (4, 4)), "TIFF"), "CIELAB"),
    ],
    ids=["empty", "text", "PostScript", "bomb", "float", "CIELAB"],
)
def test_what_is_no_usable_picture_is_refused_by_name(tmp_path, content, word):
    (tmp_path / "odd.jpg").write_bytes(content)
    with pytest.raises(PictureError, match=rf"odd\.jpg.*{word}"):
        read_picture(tmp_path / "odd.jpg")


def test_a_progressive_jpeg_of_many_scans_is_refused():
    """Each scan is a few bytes, and a pass over all pixels."""
    content = encoded(Image.new("L", (64, 64), 90), "JPEG", progressive=True)
    assert read_picture(content).shape == (64, 64, 3)
    scan = content.rindex(b"\xff\xda")
    bomb = content[:scan] + content[scan:-2] * 2000 + content[-2:]
    with pytest.raises(PictureError, match="scans"):
        read_picture(bomb)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_pictures_or_errors():
    for content in mutated_files(MUTATIONS):
        try:
            picture = read_picture(content)
        except PictureError as error:
            assert str(error).startswith("the picture ")
        else:
            assert picture.dtype == np.uint8 and picture.shape[2:] == (3,)


DAMAGED = """
import re, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from mutations import mutated_files
from tlcourse.errors import PictureError
from tlcourse.features.pictures import read_picture
for content in mutated_files(int(sys.argv[1]), seed=1):
    start = time.perf_counter()
    try:
        read_picture(content)
    except PictureError:
        pass
    assert time.perf_counter() - start < 10
# Not getrusage, which counts what the parent held when it started this process.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read in /proc")
def test_damaged_files_stay_within_a_gigabyte_and_ten_seconds_each():
    paths = os.pathsep.join([str(Path(__file__).parent), str(PACKAGE.parent)])
    kilobytes = subprocess.run(
        [sys.executable, "-c", DAMAGED, str(MUTATIONS)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    ).stdout
    assert int(kilobytes) < 1_000_000


# No program is started


@pytest.mark.parametrize(
    "call",
    [
        read_picture,
        lambda path: tl.load_pretrained_model().extract_features(path.parent),
        lambda path: tl.checks.assert_disjoint(path.parent, path.parent),
        lambda path: examine(from_folder(path.parent.parent, check=False)),
    ],
    ids=["read_picture", "extract_features", "assert_disjoint", "from_folder"],
)
def test_postscript_is_refused_and_starts_no_program(tmp_path, monkeypatch, call):
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail()
    )
    for path in (tmp_path / "cat" / "drawing.jpg", tmp_path / "dog" / "drawing.jpg"):
        path.parent.mkdir()
        path.write_bytes(POSTSCRIPT + bytes(path))
    with pytest.raises(PictureError, match=FORMATS):
        call(path)


def test_pictures_are_opened_in_one_function_only():
    """What else in Pillow or Keras reads an image file is not called anywhere."""
    callers = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "PIL.Image":
                assert "open" not in {name.name for name in node.names}, file
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called.endswith(("Image.open", ".imread", ".load_img")):
                formats = [word.arg for word in node.keywords]
                callers.append((file.relative_to(PACKAGE).as_posix(), formats))
    assert callers == [("features/decoding.py", ["formats"])]
