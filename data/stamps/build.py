"""Build the stamps: 178 cut-out photographs in six classes, from a Debian package.

    python data/stamps/build.py               # apt-get downloads the package
    python data/stamps/build.py --deb PATH    # a package that is already here
    python data/stamps/build.py --check       # write nothing; compare with what is here

Needs dpkg-deb, pillow and numpy.
"""

import argparse
import csv
import gzip
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import record_files, require_sha256, sha256  # noqa: E402

PACKAGE = "tuxpaint-stamps-default"
DEB_SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"
STAMPS = "usr/share/tuxpaint/stamps"
CREDITS = f"usr/share/doc/{PACKAGE}/changelog.gz"  # who gave which pictures

# Folders of the package → class. Every picture in them was looked at.
FOLDERS = {
    "animals/birds": "bird",
    "animals/mammals": "mammal",
    "food/fruit": "fruit",
    "food/vegetables": "vegetable",
    "military/vehicles": "vehicle",
    "plants/flowers": "flower",
    "vehicles": "vehicle",
}
# Left out: drawings and paintings, toys, parts of things (and mirrored copies).
LEFT_OUT = {
    "7spoke256": "a drawn wheel",
    "chineseJunk": "a painting",
    "chuvanna_plastic_poo": "a plastic flower",
    "echidna": "a drawing",
    "edward_bear": "a toy",
    "hedgehog": "a drawing",
    "indycar": "a drawing",
    "infantry-stryker": "a drawing",
    "orca": "a drawing",
    "sedan_police": "lettering for a car",
    "walnutBoat": "a drawing",
    "wheel_tractor": "a wheel",
}
# Pictures that may show the same animal or thing: they stay in one split.
SAME_THING = [
    ("Apricot_whole", "apricot"),
    ("gnu-baby", "gnu-baby-stand"),
    ("gnu-sitting", "gnu-stand"),
    ("heron_greatblue", "heron_greatblue_flying"),
    ("orange", "sliced_orange"),
    ("pig_golden", "pig_golden2"),
]
SIDE, MARGIN = 256, 12  # pixels
QUALITY = 92
COLUMNS = ("file", "class", "group", "width", "height", "sha256")


def unpack(deb: Path | None, folder: Path) -> Path:
    """Unpack the package below `folder`; apt-get downloads it if it is not given."""
    if deb is None:
        subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=folder, check=True)
        (deb,) = folder.glob("*.deb")
    require_sha256(deb.read_bytes(), DEB_SHA256, str(deb))
    subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
    return folder


def sources(package: Path) -> dict[Path, str]:
    """The photographs of the package, each with its class."""
    found = {}
    for name, label in FOLDERS.items():
        for path in sorted((package / STAMPS / name).rglob("*.png")):
            is_copy = path.stem.endswith("_mirror")
            is_drawing = "cartoon" in path.parts or path.stem in LEFT_OUT
            if not (is_copy or is_drawing):
                found[path] = label
    return found


def on_white(path: Path) -> Image.Image:
    """The photograph on a white square, as large as fits: RGB, SIDE × SIDE pixels.

    Colours are weighted by opacity while the size changes, so that no rim appears.
    """
    with Image.open(path) as picture:
        picture = picture.convert("RGBA")
    visible = picture.getchannel("A").point(lambda opacity: 255 * (opacity > 8))
    picture = picture.crop(visible.getbbox())
    scale = (SIDE - 2 * MARGIN) / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    resized = picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (SIDE, SIDE), "white")
    corner = tuple((SIDE - side) // 2 for side in size)
    canvas.alpha_composite(resized.convert("RGBA"), corner)
    return canvas.convert("RGB")


def as_jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return content.getvalue()


def contact_sheet(pictures: list[Image.Image], side: int = 96) -> Image.Image:
    """All photographs, side by side, in the order of their classes."""
    columns = 20
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for number, picture in enumerate(pictures):
        small = picture.resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(small, (number % columns * side, number // columns * side))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deb", type=Path, help=f"{PACKAGE}_2022.06.04-1_all.deb")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    options = parser.parse_args()
    group_of = {name: group[0] for group in SAME_THING for name in group}
    with tempfile.TemporaryDirectory() as folder:
        package = unpack(options.deb, Path(folder))
        found, credits = (
            sources(package),
            gzip.decompress((package / CREDITS).read_bytes()),
        )
        pictures = sorted(
            (label, path.stem, on_white(path), Image.open(path).size)
            for path, label in found.items()
        )
    rows, contents = [], {}
    for label, name, picture, (width, height) in pictures:
        file, content = f"{label}/{name}.jpg", as_jpeg(picture)
        contents[file] = content
        group = group_of.get(name, name)
        values = (file, label, group, width, height, sha256(content))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    if len({row["sha256"] for row in rows}) != len(rows):
        raise SystemExit("A picture occurs twice.")
    if len(contents) != len(rows) or len({name for _, name, _, _ in pictures}) < len(
        rows
    ):
        raise SystemExit("Two pictures have one name.")
    if options.check:
        check(contents, rows)
        return
    for file, content in contents.items():
        (HERE / file).parent.mkdir(exist_ok=True)
        (HERE / file).write_bytes(content)
    with (HERE / "stamps.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (HERE / "CREDITS.txt").write_bytes(credits)
    sheet = contact_sheet([picture for _, _, picture, _ in pictures])
    sheet.save(HERE / "contact_sheet.jpg", quality=88)
    record_files(HERE / "CARD.md", [HERE / "stamps.csv"])
    print(f"{len(rows)} pictures, {sum(map(len, contents.values())):,} bytes")


def check(contents: dict[str, bytes], rows: list[dict]) -> None:
    """Stop where the table, or a picture visibly, differs from what is committed.

    Another libjpeg or Pillow writes other bytes, and pixels that differ by a little.
    """
    with (HERE / "stamps.csv").open(encoding="utf-8") as table:
        known = list(csv.DictReader(table))
    for old, new in zip(known, rows, strict=True):
        if any(old[name] != str(new[name]) for name in COLUMNS[:-1]):
            raise SystemExit(f"The table differs in {new['file']}.")
        if sha256((HERE / old["file"]).read_bytes()) != old["sha256"]:
            raise SystemExit(f"{old['file']} is not the file of the table.")
    committed = {path.relative_to(HERE).as_posix() for path in HERE.glob("*/*.jpg")}
    if committed != set(contents):
        raise SystemExit(f"Other pictures: {sorted(committed ^ set(contents))}.")
    for file, content in contents.items():
        with Image.open(io.BytesIO(content)) as new, Image.open(HERE / file) as old:
            if np.asarray(ImageChops.difference(new, old)).mean() > 1:
                raise SystemExit(f"{file} differs from this build.")
    print(f"{len(contents)} pictures are the same as in this build.")


if __name__ == "__main__":
    main()
