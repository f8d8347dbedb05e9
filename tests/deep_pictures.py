"""Picture files of 16 bits per channel, which Pillow does not write: TIFF and PNG."""

import struct
import zlib

import numpy as np


def tiff(levels, order="<", photometric=None, sample_format=1):
    """An uncompressed TIFF of one strip."""
    height, width = levels.shape[:2]
    channels = 1 if levels.ndim == 2 else levels.shape[2]
    pixels = levels.tobytes()
    if photometric is None:
        photometric = 1 if channels == 1 else 2
    bits = [8 * levels.dtype.itemsize] * channels
    short = {256: [width], 257: [height], 258: bits, 259: [1], 262: [photometric]}
    short |= {277: [channels], 278: [height], 339: [sample_format] * channels}
    entries = {tag: ("H", values) for tag, values in short.items()}
    entries |= {273: ("I", [8]), 279: ("I", [len(pixels)])}
    start = 8 + len(pixels)
    after = start + 2 + 12 * len(entries) + 4
    body, extra = b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        content = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(content) > 4:
            offset, extra = after + len(extra), extra + content
            content = struct.pack(f"{order}I", offset)
        number = {"H": 3, "I": 4}[kind]
        entry = struct.pack(f"{order}HHI", tag, number, len(values))
        body += entry + content.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(entries))
    header = magic + struct.pack(f"{order}I", start)
    return header + pixels + count + body + bytes(4) + extra


def png(levels):
    height, width = levels.shape[:2]
    channels = 1 if levels.ndim == 2 else levels.shape[2]
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def deep(pixels, bits):
    """The same pictures with `bits` bits in uint16, the new lower ones random."""
    noise = np.random.default_rng(0).integers(0, 2 ** (bits - 8), pixels.shape)
    return (pixels.astype(np.uint16) << (bits - 8)) + noise.astype(np.uint16)
