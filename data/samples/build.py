"""Take the six sample photographs out of the pip package scikit-image and record their checksums in CARD.md.

    python data/samples/build.py                  # pip downloads scikit-image
    python data/samples/build.py --wheel PATH     # a wheel that is already here

Needs pillow and numpy. Any scikit-image wheel will do in which the six files are what they were in 0.26.0.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import pip_download, record_files, require_sha256  # noqa: E402

# Name in skimage/data → SHA-256 there. A PNG above LARGEST_PNG bytes becomes a JPEG, the rest stay.
PHOTOGRAPHS = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
LARGEST_PNG = 300_000
JPEG_QUALITY = 92


def stored_form(name: str, data: bytes) -> tuple[str, bytes]:
    """Return the file name and bytes under which a photograph is bundled."""
    if not name.endswith(".png") or len(data) <= LARGEST_PNG:
        return name, data
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(data)).save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return name.removesuffix(".png") + ".jpg", jpeg.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--wheel", type=Path, help="a scikit-image wheel; without it pip downloads one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or pip_download(
            "scikit-image", Path(folder), "--only-binary", ":all:"
        )
        written = []
        with zipfile.ZipFile(wheel) as archive:
            for name, expected in PHOTOGRAPHS.items():
                data = require_sha256(
                    archive.read(f"skimage/data/{name}"),
                    expected,
                    f"skimage/data/{name}",
                )
                stored_name, stored = stored_form(name, data)
                (HERE / stored_name).write_bytes(stored)
                written.append(HERE / stored_name)
    record_files(HERE / "CARD.md", written)


if __name__ == "__main__":
    main()
