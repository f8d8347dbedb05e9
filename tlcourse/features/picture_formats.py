"""The one place where picture files are opened: in which formats, up to which size, and what is said of the others."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import PictureError

if TYPE_CHECKING:
    import PIL.Image

FORMATS = ("JPEG", "MPO", "PNG", "WebP", "GIF", "BMP", "TIFF")
_OPENERS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
)  # Pillow opens MPO, several JPEGs in one file, as JPEG
MAX_PIXELS = (
    100_000_000  # 100 megapixels: 300 MB as uint8 RGB, above any camera that people own
)
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each costs a pass over the whole picture
_MARKER = re.compile(
    rb"\xff([\x01-\xcf\xd8-\xfe])"
)  # in a JPEG's compressed data only zeros and restarts follow 0xff
_START_OF_SCAN, _END, _WITHOUT_LENGTH = 0xDA, 0xD9, (0x01, 0xD8)


def open_image(content: bytes, name: str = "the picture") -> "PIL.Image.Image":
    """A picture file's header, as a `PIL.Image.Image` whose pixels are decoded when they are asked for.

    Pillow by itself opens some forty formats, and starts another program for one of them (Ghostscript for EPS),
    whatever the file is called. Here only `FORMATS` are opened.

    Parameters
    ----------
    content
        The bytes of a file.
    name
        What an error calls the picture.

    Raises
    ------
    PictureError
        Nothing in it, more than `MAX_PIXELS`, or a progressive JPEG of more than `MAX_SCANS` scans. Pillow's own
        errors are turned into this one by `sentences`.
    """
    from PIL import Image

    if not content:
        raise PictureError(
            f"{name} cannot be read as a picture: it is empty (0 bytes). Replace or remove it."
        )
    image = Image.open(io.BytesIO(content), formats=_OPENERS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} is {width} × {height} = {width * height / 1e6:.0f} megapixels; at most "
            f"{MAX_PIXELS / 1e6:.0f} are opened. Make it smaller first."
        )
    if image.info.get("progressive") and _has_more_scans(content, MAX_SCANS):
        raise PictureError(
            f"{name} is a JPEG of more than {MAX_SCANS} scans. Save it again in a picture editor."
        )
    return image


def _has_more_scans(content: bytes, most: int) -> bool:
    """Whether a JPEG has more scans than that; previews inside its segments do not count."""
    at = scans = 0
    while scans <= most and (found := _MARKER.search(content, at)):
        marker, at = found[1][0], found.end()
        scans += marker == _START_OF_SCAN
        if marker == _END:
            break
        if marker not in _WITHOUT_LENGTH:
            at += int.from_bytes(content[at : at + 2], "big")
    return scans > most


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises while it opens or decodes a picture into a sentence.

    Raises
    ------
    PictureError
        The file is in another format, cut short, damaged or too large.
    """
    from PIL import Image

    try:
        yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name} is too large to open safely ({error}). Make it smaller first."
        ) from None
    except Exception as error:  # decoders raise almost anything on damaged bytes
        raise PictureError(
            f"{name} cannot be read as a picture: {_reason(error)}. Replace or remove it."
        ) from None


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0].rstrip(".")
    if "cannot identify" in text:
        return f"its content is in no picture format that is opened here ({', '.join(FORMATS)}), or damaged"
    if any(sign in text.lower() for sign in ("truncated", "broken data", "end of")):
        return f"it was cut short ({text})"
    return f"it is damaged, or of a kind that is not supported ({type(error).__name__}: {text})"
