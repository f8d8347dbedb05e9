"""Small valid picture files of every format, and damaged copies of them: the same ones for the same seed."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

# (format, mode, options of Pillow's `save`)
KINDS = (
    *(("JPEG", mode, {}) for mode in ("L", "RGB", "CMYK")),
    ("JPEG", "RGB", {"progressive": True}),
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(
        ("WEBP", mode, options)
        for mode in ("RGB", "RGBA")
        for options in ({}, {"lossless": True})
    ),
    *(("GIF", mode, {}) for mode in ("L", "P")),
    *(("BMP", mode, {}) for mode in ("1", "L", "P", "RGB")),
    *(
        ("TIFF", mode, {})
        for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "I", "I;16", "F")
    ),
    *(
        ("TIFF", "RGB", {"compression": name})
        for name in (
            "tiff_lzw",
            "tiff_adobe_deflate",
            "packbits",
            "jpeg",
            "lzma",
            "zstd",
        )
    ),
    ("TIFF", "1", {"compression": "group4"}),
    *(
        (name, "RGB", {"save_all": True})
        for name in ("MPO", "GIF", "WEBP", "PNG", "TIFF")
    ),
)
_NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def valid_files(size: tuple[int, int] = (23, 17)) -> list[bytes]:
    """A file of each kind."""
    rng = np.random.default_rng(0)
    frames = [
        rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(2)
    ]
    found = []
    for name, mode, options in KINDS:
        images = [_in_mode(frame, mode) for frame in frames]
        if "save_all" in options:
            options = {**options, "append_images": images[1:]}
        exif = Image.Exif()
        exif[0x0112] = 6
        file = io.BytesIO()
        images[0].save(
            file,
            name,
            **options,
            **({"exif": exif} if name in ("JPEG", "PNG", "WEBP") else {}),
        )
        found.append(file.getvalue())
    return found


def _in_mode(pixels: np.ndarray, mode: str) -> Image.Image:
    kinds = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
    return Image.fromarray(
        pixels[..., 0].astype(kinds[mode]) if mode in kinds else pixels
    ).convert(mode)


def mutated_files(count: int, seed: int = 0) -> Iterator[bytes]:
    """Damaged copies: bits flipped, bytes and numbers replaced, parts removed, doubled, exchanged or cut off."""
    rng = np.random.default_rng(seed)
    files = valid_files()
    for number in range(count):
        content = bytearray(files[number % len(files)])
        for _ in range(int(rng.integers(1, 6))):
            _mutate(content, files, rng)
        yield bytes(content)


def _mutate(content: bytearray, files: list[bytes], rng: np.random.Generator) -> None:
    if not content:
        return
    # Half of all changes hit the first bytes, where the headers are.
    at = int(
        rng.integers(0, min(len(content), 120) if rng.random() < 0.5 else len(content))
    )
    length = int(rng.integers(1, 20))
    match int(rng.integers(0, 8)):
        case 0:
            content[at] ^= 1 << int(rng.integers(0, 8))
        case 1:
            content[at] = int(rng.integers(0, 256))
        case 2:
            kind = str(rng.choice(["<H", ">H", "<I", ">I"]))
            number = int(rng.choice(_NUMBERS)) % 2 ** (8 * struct.calcsize(kind))
            content[at : at + struct.calcsize(kind)] = struct.pack(kind, number)
        case 3:
            del content[at : at + length]
        case 4:
            content[at:at] = content[at : at + length] * int(rng.integers(1, 50))
        case 5:
            del content[at:]
        case 6:
            other = files[int(rng.integers(0, len(files)))]
            content[at : at + length] = other[at : at + length]
        case 7:
            content[at:at] = rng.bytes(length)
