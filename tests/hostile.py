"""Strategies for hypothesis: folders and files as nobody would wish for, and as people have them."""

import io
import os
import re
import unicodedata
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tlcourse.features.decoding import EXTENSIONS

FORMATS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "RGB", "RGBA", "CMYK", "I", "I;16", "F"),
    "WEBP": ("L", "RGB", "RGBA"),
}
# The longest name that file systems take is 255 bytes; the extension and a number are put behind.
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=60,
).filter(lambda name: name.strip(".") and len(name.encode()) <= 200)
CLASS_NAMES = st.one_of(
    NAMES,
    st.sampled_from(
        ["train", "test", "val", "-rf", " ", "a b", "é", "é", "CON", ".hidden"]
    ),
)

# What somebody else may call a class or a file: kind → name. Some of these no file system holds.
FOREIGN_NAMES = {
    "script": "<script>window.pwned = 1</script>",
    "image": '<img src=x onerror="window.pwned = 1">',
    "out of an attribute": '"><svg onload=window.pwned=1>',
    "out of single quotes": "' onmouseover='window.pwned = 1",
    "out of a table": "</table></details><h1>all is well</h1>",
    "out of a code element": "</code></pre><script>window.pwned = 1</script>",
    "comment": "<!-- hidden",
    "entities": "&lt;b&gt; &#106;avascript&colon; &amp;",
    "link": "[click](javascript:window.pwned=1)",
    "picture": "![](http://tracker.invalid/x.png)",
    "address": "http://tracker.invalid/x",
    "www": "www.tracker.invalid",
    "autolink": "<http://tracker.invalid/x>",
    "reference": "[x]: http://tracker.invalid",
    "footnote": "[^1]: note",
    "emphasis": "**bold** _italic_ __both__ ~~gone~~",
    "code": "a ``` b `` c ` d",
    "columns": "a | b || c",
    "escaped column": "a\\| <b>b</b> | **c**",
    "heading": "# heading",
    "list": "- item",
    "numbered list": "1. item",
    "quotation": "> quote",
    "rule": "***",
    "front matter": "---\nlicense: other\n---",
    "formula": r"$\frac{1}{2}$",
    "broken formula": r"$\frac$",
    "one dollar": "costs $5",
    "two dollars": "from $5 to $6",
    "formula with a link": r"$\href{javascript:window.pwned=1}{x}$",
    "TeX": r"\(x\) \[y\] \begin{equation}z\end{equation}",
    "underscore": "_hidden",
    "colour": "\x1b[31mred\x1b[0m",
    "terminal link": "\x1b]8;;http://tracker.invalid\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "C1 control": "\x9b31mred",
    "carriage return": "cat\rtlcourse: all is well",
    "new line": "cat\ntlcourse: all is well",
    "line separator": "cat\u2028all is well",
    "backspace": "cat\x08\x08\x08dog\x7f",
    "tab": "\tcat",
    "right to left": "gpj.\u202ecat\u202c \u2067x\u2069",
    "without width": "c\u200bat\u200e\u061c\ufeff",
    "markup of rich": "[bold]x[/bold] [link=http://tracker.invalid]y[/link] [/] :bomb:",
    "formula of a spreadsheet": '=HYPERLINK("http://tracker.invalid")',
    "command of a spreadsheet": "+1+cmd|'/C calc'!A0",
    "difference": "-2+3",
    "sum": "@SUM(1)",
    "apostrophe": "'=1",
    "wide equals sign": "＝1+1",  # noqa: RUF001
    "not UTF-8": "\udcff\udcfe",
    "long": "very " * 60,
    "placeholders": "%s {0} %(x)s",
    "scripts": "猫 แมว кот 👩‍🔬 é",
}


def name_of_cell(cell: str) -> str:
    """The name that a cell of CSV stands for, by the rule that `foreign_text.csv_cell` documents."""
    return cell[1:] if re.match(r"'+[=+\-@\t\r\n＝＋－＠]", cell) else cell  # noqa: RUF001


def foreign_folder(root: Path) -> Path:
    """A data set of which each class has one of these names, and so have its card and a picture."""
    root.mkdir(parents=True)
    for number, name in enumerate(FOREIGN_NAMES.values()):
        if (
            not name.strip()
            or name != os.fsencode(name).decode(errors="ignore")
            or len(name) > 200
        ):
            continue
        folder = root / name.replace("/", "∕")  # noqa: RUF001
        folder.mkdir()
        for copy in range(3):
            pixels = np.random.default_rng([number, copy]).integers(
                0, 256, (24, 24, 3), dtype=np.uint8
            )
            Image.fromarray(pixels).save(
                folder / f"{copy if copy else folder.name[:100]}.png", "png"
            )
    (root / "CARD.md").write_text(
        "\n\n".join(name for name in FOREIGN_NAMES.values() if name.isprintable()),
        "utf-8",
    )
    return root


@st.composite
def picture_bytes(draw, largest: int = 70) -> bytes:
    """A picture file of any size, mode and format."""
    form = draw(st.sampled_from(sorted(FORMATS)))
    mode = draw(st.sampled_from(FORMATS[form]))
    size = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    pixels = np.random.default_rng(draw(st.integers(0, 9))).integers(
        0, 256, (size[1], size[0], 3), dtype=np.uint8
    )
    image = Image.fromarray(pixels)
    if mode in ("I", "I;16", "F"):
        image = Image.fromarray(
            pixels[..., 0].astype(
                {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
            )
        )
    else:
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


@st.composite
def spoilt_bytes(draw) -> bytes:
    """A picture file that was cut short, whose bytes were altered, or that never was one."""
    how = draw(st.sampled_from(["whole", "cut short", "altered", "junk", "empty"]))
    if how in ("junk", "empty"):
        return draw(st.binary(max_size=200)) if how == "junk" else b""
    content = bytearray(draw(picture_bytes()))
    if how == "cut short":
        return bytes(content[: draw(st.integers(0, len(content)))])
    for _ in range(draw(st.integers(1, 8)) if how == "altered" else 0):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


FILES = st.tuples(
    st.sampled_from(
        [
            "file",
            "file",
            "file",
            "copy",
            "link",
            "dangling link",
            "loop",
            "folder link",
            "not UTF-8",
        ]
    ),
    NAMES,
    st.sampled_from(
        [".jpg", ".PNG", ".tif", ".gif", ".webp", ".bmp", ".jpeg", ".txt", ""]
    ),
    st.one_of(picture_bytes(), spoilt_bytes()),
)
FOLDERS = st.dictionaries(CLASS_NAMES, st.lists(FILES, max_size=5), max_size=4)


def write(root: Path, folders: dict) -> None:
    """Put these folders and files below the root; what this system cannot hold is left out."""
    written = []
    for number, (folder, files) in enumerate(folders.items()):
        place = root / folder
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        for place_in_folder, (kind, name, extension, content) in enumerate(files):
            path = place / f"{name}{number}{place_in_folder}{extension}"
            try:
                _write_one(root, path, kind, content, written)
            except (OSError, UnicodeError):
                continue
            written.append(path)


def _write_one(
    root: Path, path: Path, kind: str, content: bytes, written: list[Path]
) -> None:
    if kind == "link" and written:
        path.symlink_to(written[0])
    elif kind == "dangling link":
        path.symlink_to(root / "nowhere at all")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder link":
        path.symlink_to(root, target_is_directory=True)
    elif kind == "copy" and written and written[-1].is_file():
        path.write_bytes(written[-1].read_bytes())
    elif kind == "not UTF-8" and os.name == "posix":
        Path(
            os.fsdecode(
                os.fsencode(path.parent) + b"/\xff\xfe" + os.fsencode(path.name)
            )
        ).write_bytes(content)
    else:
        path.write_bytes(content)


def visible_pictures(root: Path) -> set[Path]:
    """What a user sees as picture files: by extension, nothing hidden, links to files included, to folders not."""
    found = set()
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found |= {Path(place, name) for name in files if not name.startswith(".")}
    return {path for path in found if path.suffix.lower() in EXTENSIONS}


def state(root: Path) -> dict:
    """Everything below a folder, to compare before and after."""
    return {
        path: os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in root.rglob("*")
    }


def is_one_class(names) -> bool:
    return len({unicodedata.normalize("NFC", name) for name in names}) < 2
