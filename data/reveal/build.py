"""Take the four files of reveal.js that slides need out of its npm package, and record their checksums in CARD.md.

    python data/reveal/build.py                   # npm downloads the package
    python data/reveal/build.py --package PATH    # a package (.tgz) that is already here

The theme's line that imports web fonts is left out: the slides use the fonts of the machine they are shown on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import require_sha256, sha256  # noqa: E402

VERSION = "5.2.1"
FILES = {  # in the package → here, and the SHA-256 in the package
    "LICENSE": (
        "LICENSE.txt",
        "34014800f4126ac2525e224166f099f26628612e95c41f76d70841b63138c989",
    ),
    "dist/reveal.js": (
        "reveal.js",
        "46538b52db48724192f59bf46f5e851a18e302777c46f4a34c32709d010d6a29",
    ),
    "dist/reveal.css": (
        "reveal.css",
        "68f915a11ebf7203c0446576b7e952ff61c5dd02134a8a226ffaf62ed42136d2",
    ),
    "dist/theme/white.css": (
        "white.css",
        "97f64970ffd6c745ffab96ad26c504950f665e18fa851ac8864fc1851ce99780",
    ),
    "plugin/notes/notes.js": (
        "notes.js",
        "df1201d19d03241a2897d39c3d38768177df1cbd4bde06327b321cb83461ae89",
    ),
}
FONTS = b"@import url(./fonts/source-sans-pro/source-sans-pro.css);\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path)
    given = parser.parse_args().package
    with tempfile.TemporaryDirectory() as folder:
        package = given or _download(Path(folder))
        with tarfile.open(package) as archive:
            for name, (goal, expected) in FILES.items():
                content = require_sha256(
                    archive.extractfile(f"package/{name}").read(), expected, name
                )
                (HERE / goal).write_bytes(content.replace(FONTS, b""))
    for goal, _ in FILES.values():
        content = (HERE / goal).read_bytes()
        print(
            f"  - name: {goal}\n    sha256: {sha256(content)}\n    bytes: {len(content)}"
        )


def _download(folder: Path) -> Path:
    subprocess.run(
        ["npm", "pack", "--silent", f"reveal.js@{VERSION}"], cwd=folder, check=True
    )
    return next(folder.glob("*.tgz"))


if __name__ == "__main__":
    main()
