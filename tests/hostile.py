"""Strategies for hypothesis: folders and files as people have them, and worse."""

import io
import os
import re
from contextlib import suppress
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
# File systems take 255 bytes; an extension and a number are appended.
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

# What somebody may call a class or a file: kind → name. Some fit in no file system.
FOREIGN_NAMES = {
    "script": "<script>window.pwned = 1</script>",
    "image": '<img src=x onerror="window.pwned = 1">',
    "out of an attribute": '"><svg onload=window.pwned=1>',
    "out of a table": "</table></details><h1>all is well</h1>",
    "out of a code element": "</code></pre><script>window.pwned = 1</script>",
    "comment": "<!-- hidden",
    "link": "[click](javascript:window.pwned=1)",
    "picture": "![](http://tracker.invalid/x.png)",
    "address": "http://tracker.invalid/x",
    "autolink": "<http://tracker.invalid/x>",
    "footnote": "[^1]: note",
    "emphasis": "**bold** _italic_ __both__ ~~gone~~",
    "columns": "a | b || c",
    "heading": "# heading",
    "numbered list": "1. item",
    "front matter": "---\nlicense: other\n---",
    "formula": r"$\frac{1}{2}$",
    "two dollars": "from $5 to $6",
    "formula with a link": r"$\href{javascript:window.pwned=1}{x}$",
    "TeX": r"\(x\) \[y\] \begin{equation}z\end{equation}",
    "underscore": "_hidden",
    "colour": "\x1b[31mred\x1b[0m",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "C1 control": "\x9b31mred",
    "carriage return": "cat\rtlcourse: all is well",
    "new line": "cat\ntlcourse: all is well",
    "backspace": "cat\x08\x08\x08dog\x7f",
    "tab": "\tcat",
    "right to left": "gpj.\u202ecat\u202c \u2067x\u2069",
    "without width": "c\u200bat\u200e\u061c\ufeff",
    "markup of rich": "[bold]x[/bold] [link=http://tracker.invalid]y[/link] [/] :bomb:",
    "formula of a spreadsheet": '=HYPERLINK("http://tracker.invalid")',
    "difference": "-2+3",
    "apostrophe": "'=1",
    "wide equals sign": "＝1+1",  # noqa: RUF001
    "not UTF-8": "\udcff\udcfe",
    "long": "very " * 60,
    "scripts": "猫 แมว кот 👩‍🔬 é",
}


def name_of_cell(cell: str) -> str:
    """The name that a cell of CSV stands for, as `foreign_text.csv_cell` documents."""
    return cell[1:] if re.match(r"'+[=+\-@\t\r\n＝＋－＠]", cell) else cell  # noqa: RUF001


def foreign_folder(root: Path) -> Path:
    """A data set whose classes, card and pictures have these names."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in FOREIGN_NAMES.values():
        is_utf8 = name == os.fsencode(name).decode(errors="ignore")
        if not name.strip() or not is_utf8 or len(name) > 200:
            continue
        folder = root / name.replace("/", "∕")  # noqa: RUF001
        folder.mkdir()
        for file in (folder.name[:100], 1, 2):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{file}.png", "png")
    text = "\n\n".join(filter(str.isprintable, FOREIGN_NAMES.values()))
    (root / "CARD.md").write_text(text, "utf-8")
    return root


@st.composite
def picture_bytes(draw, largest: int = 70) -> bytes:
    """A picture file of any size, mode and format."""
    form = draw(st.sampled_from(sorted(FORMATS)))
    mode = draw(st.sampled_from(FORMATS[form]))
    width, height = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    deep = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
    if mode in deep:
        image = Image.fromarray(pixels[..., 0].astype(deep[mode]))
    else:
        image = Image.fromarray(pixels).convert(mode)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


@st.composite
def spoilt_bytes(draw) -> bytes:
    """A picture file that was cut short or altered, or that never was one."""
    how = draw(st.sampled_from(["whole", "cut short", "altered", "junk", "empty"]))
    if how in ("junk", "empty"):
        return draw(st.binary(max_size=200)) if how == "junk" else b""
    content = bytearray(draw(picture_bytes()))
    if how == "cut short":
        return bytes(content[: draw(st.integers(0, len(content)))])
    for _ in range(draw(st.integers(1, 8)) if how == "altered" else 0):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


KINDS = ["file"] * 3 + ["copy", "link", "dangling link", "loop", "folder link"]
EXTENSION = st.sampled_from(
    [".jpg", ".PNG", ".tif", ".gif", ".webp", ".bmp", ".txt", ""]
)
CONTENT = st.one_of(picture_bytes(), spoilt_bytes())
FILES = st.tuples(st.sampled_from([*KINDS, "not UTF-8"]), NAMES, EXTENSION, CONTENT)
FOLDERS = st.dictionaries(CLASS_NAMES, st.lists(FILES, max_size=5), max_size=4)


def write(root: Path, folders: dict) -> None:
    """Write these folders and files; what this system cannot hold is left out."""
    written = []
    for number, (folder, files) in enumerate(folders.items()):
        for position, (kind, name, extension, content) in enumerate(files):
            path = root / folder / f"{name}{number}{position}{extension}"
            with suppress(OSError, UnicodeError):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_one(root, path, kind, content, written)
                written.append(path)


def _write_one(
    root: Path, path: Path, kind: str, content: bytes, written: list[Path]
) -> None:
    targets = {"dangling link": root / "nowhere", "loop": path, "folder link": root}
    if written:
        targets["link"] = written[0]
    if kind in targets:
        path.symlink_to(targets[kind], target_is_directory=kind == "folder link")
        return
    if kind == "copy" and written and written[-1].is_file():
        content = written[-1].read_bytes()
    if kind == "not UTF-8" and os.name == "posix":
        path = path.with_name(os.fsdecode(b"\xff\xfe" + os.fsencode(path.name)))
    path.write_bytes(content)


def visible_pictures(root: Path) -> set[Path]:
    """Picture files by extension: nothing hidden, and links to files, not to folders."""
    found = set()
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found |= {Path(place, name) for name in files if not name.startswith(".")}
    return {path for path in found if path.suffix.lower() in EXTENSIONS}


def state(root: Path) -> dict:
    """Everything below a folder, to compare before and after."""

    def content(path):
        if path.is_symlink():
            return os.readlink(path)
        return path.read_bytes() if path.is_file() else None

    return {path: content(path) for path in root.rglob("*")}
