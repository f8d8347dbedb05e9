"""Picture files → arrays, whatever the camera, scanner or drawing program that made them."""

import io
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from .errors import PictureError, UserInputError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000  # 100 megapixels: 300 MB as uint8 RGB, above any camera that people own


def read_picture(source: str | PathLike | bytes) -> np.ndarray:
    """Decode one picture to uint8 RGB, shape (height, width, 3), turned the way its EXIF orientation says.

    Greyscale, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is laid on white; of an
    animation the first frame is taken.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        PictureError: no picture, cut short, damaged, or larger than `MAX_PIXELS`.
    """
    return np.asarray(open_picture(source))


def open_picture(source: str | PathLike | bytes):
    """Like `read_picture`, as a `PIL.Image.Image` in mode RGB."""
    from PIL import Image, ImageOps

    name = "the picture" if isinstance(source, bytes) else str(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            _refuse_bomb(name, *image.size)
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image), name)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large to open safely ({error}). Make it smaller first.") from None
    except FileNotFoundError:
        raise PictureError(f"{name} does not exist. Check the path; relative paths start at {Path.cwd()}.") from None
    except (PermissionError, IsADirectoryError) as error:
        raise PictureError(f"{name} cannot be opened: {error.strerror}.") from None
    except Exception as error:  # decoders raise almost anything on damaged bytes
        raise PictureError(f"{name} cannot be read as a picture: {_reason(error)}. Replace or remove it.") from None


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0].rstrip(".")
    if "cannot identify" in text:
        return "its content is in no picture format that Pillow knows"
    if "truncated" in text or "broken data" in text or "end of" in text:
        return f"it was cut short ({text})"
    return f"it is damaged ({type(error).__name__}: {text})"


def _refuse_bomb(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} is {width} × {height} = {width * height / 1e6:.0f} megapixels; at most "
            f"{MAX_PIXELS / 1e6:.0f} are opened. Make it smaller first."
        )


def _as_rgb(image, name: str):
    from PIL import Image

    if image.mode == "F":
        raise PictureError(f"{name} holds floating-point pixels, whose range is unknown. Save it as 8-bit PNG or JPEG.")
    if image.mode.startswith("I"):  # 16-bit greyscale: keep the upper eight bits
        levels = np.asarray(image)
        image = Image.fromarray((levels.clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def resize(picture, size: tuple[int, int]) -> np.ndarray:
    """The whole picture at `size` = (height, width), bicubic with anti-aliasing; uint8 (height, width, 3).

    Nothing is cropped: a defect at the edge of a solar cell or a dog at the edge of a photograph stays in.

    Args:
        picture: `PIL.Image.Image`, or uint8 array (h, w, 3).
    """
    from PIL import Image

    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


class Pictures(Sequence):
    """A list of picture files that are decoded one by one when asked for, so that memory stays flat.

    `pictures[3]` is a uint8 array (height, width, 3); `pictures[2:5]`, `pictures[[0, 7]]` and `pictures[mask]`
    are `Pictures` again; `pictures.paths` are the files.
    """

    def __init__(self, paths: Sequence[str | PathLike]):
        self.paths = [Path(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index):
        if isinstance(index, int | np.integer):
            return read_picture(self.paths[index])
        chosen = np.arange(len(self.paths))[index]
        return Pictures([self.paths[i] for i in chosen])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (read_picture(path) for path in self.paths)

    def __repr__(self) -> str:
        return f"<{len(self)} pictures, first {self.paths[0]}>" if self.paths else "<no pictures>"


def list_pictures(folder: str | PathLike) -> list[Path]:
    """All picture files below a folder, by their extension, sorted; hidden files and folders are passed over.

    Raises:
        UserInputError: not a folder, or no picture below it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UserInputError(f"{folder} is not a folder. Relative paths start at {Path.cwd()}.")
    paths, _ = pictures_and_others(folder)
    if not paths:
        raise UserInputError(f"{folder} holds no pictures ({', '.join(sorted(EXTENSIONS))}).")
    return paths


def pictures_and_others(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files below a folder that are pictures by their extension, and the others; sorted, without hidden ones."""
    pictures, others = [], []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            (pictures if path.suffix.lower() in EXTENSIONS else others).append(path)
    return pictures, others
