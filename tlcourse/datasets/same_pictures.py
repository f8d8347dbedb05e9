"""Which pictures are the same: found by perceptual hash, confirmed by comparison."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import combinations, islice, product
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ..errors import UserInputError
from ..features.bit_depth import BitDepth
from ..features.decoding import open_image
from ..features.pictures import Images, as_pictures, one_picture, open_picture

Picture = np.ndarray | str | PathLike

HASH_SIDE = 16  # a hash has 16 × 16 bits
MAX_BITS = 60  # that differ in candidates; two pixels cropped from a cell change 80
SIDE = 64  # pixels a side at which candidates are compared
WORK = 512  # pixels a side to which large pictures are reduced first
CROPPED = 4  # pixels a side by which one picture may be cut out of the other
QUALITY = 50  # of the JPEG that tells how much a picture may change and be the same
MAX_PAIRS = 1000  # of two splits, after which the search ends
KEPT = 4096  # thumbnails of each split kept at a time, 4 kB each
CONTRAST = (1, 99)  # percentiles of the grey levels
ALLOWED = 0.75  # grey levels of difference
ALLOWED_OF_JPEG = 1.4  # times what that JPEG changes
NAMES = ("the first", "the second", "the third", "the fourth", "the fifth")


class Pair(NamedTuple):
    """One picture in two splits: their names, and its path or position in each."""

    first_split: str
    first: str | int
    second_split: str
    second: str | int
    mirrored: bool


def shared_pictures(
    first: Images, second: Images, *more: Images, names: Sequence[str] = ()
) -> list[Pair]:
    """The pictures that are in two splits, also resized, re-encoded or mirrored.

    Candidates have similar perceptual hashes (`imagehash.phash`, 256 bits). They are
    the same if small grey versions hardly differ more than a picture does from its own
    JPEG of quality 50: two solar cells that look alike are two.

    Parameters
    ----------
    first, second, *more
        The pictures of each split, in whatever `extract_features` takes.
    names : sequence of str
        Of the splits; default: "the first", "the second", …

    Raises
    ------
    UserInputError, PictureError
        As `extract_features`.
    """
    collections = as_collections((first, second, *more), tuple(names))
    return [pair for pair, _, _ in find_pairs(collections)]


def same_pictures(images: Images) -> np.ndarray:
    """Which pictures are the same, as `shared_pictures` compares them.

    Returns
    -------
    ndarray of shape (n,)
        int64, for each picture the position of the first one that is the same.
    """
    from scipy.cluster.hierarchy import DisjointSet

    collection = Collection("images", images)
    groups = DisjointSet(range(len(collection.hashes)))
    for i, j, mirrored in _candidates(collection, collection):
        if i < j and not groups.connected(i, j):
            if _is_same(collection, i, collection, j, mirrored):
                groups.merge(i, j)
    roots = [groups[position] for position in groups]
    _, first, inverse = np.unique(roots, return_index=True, return_inverse=True)
    return first[inverse]


def as_collections(splits: tuple, names: tuple[str, ...]) -> "list[Collection]":
    """Each split's pictures with their hashes, under its name."""
    names = names or NAMES[: len(splits)]
    if len(names) != len(splits):
        raise UserInputError(
            f"{len(names)} names came with {len(splits)} splits; expected one for each."
        )
    return [Collection(name, split) for name, split in zip(names, splits, strict=True)]


def find_pairs(collections: "list[Collection]") -> list[tuple]:
    """Each `Pair`, and twice a collection and the position in it."""
    pairs = [_shared(one, other) for one, other in combinations(collections, 2)]
    return sum(pairs, [])


class Collection:
    """Pictures with packed hashes, (n, 32), also of their mirror images, and contrast,
    (n,), in grey levels of 255; the pictures are read again when needed."""

    def __init__(self, name: str, images: Images) -> None:
        self.name = name
        if hasattr(images, "as_numpy_iterator"):  # its order may change
            images = [
                np.asarray(_reduced(_grey(picture, WORK), 2 * SIDE))
                for picture in as_pictures(images)[0]
            ]
        pictures, _, self.depth = as_pictures(images)
        if isinstance(pictures, list):
            images = pictures
        elif isinstance(images, np.ndarray) and images.dtype.kind in "OU":
            images = list(images.flat)
        self.images: Any = images
        rows: list[tuple] = []
        with ThreadPoolExecutor(2) as pool:
            waiting = iter(pictures)
            while part := list(islice(waiting, 64)):  # grey ones come as colour
                rows += pool.map(partial(_hashes, depth=self.depth), part)
        if not rows:
            raise UserInputError(f"{name} holds no pictures; at least one is needed.")
        self.hashes, self.mirrored, self.contrast = map(
            np.stack, zip(*rows, strict=True)
        )
        self.work = lru_cache(128)(self._work)
        self.thumbnail = lru_cache(KEPT)(lambda i: _Thumbnail.of(self.work(i)))

    def __len__(self) -> int:
        return len(self.hashes)

    def label(self, position: int) -> str | int:
        """The picture's path, or its position where it has none."""
        picture = self.images[position]
        return str(picture) if isinstance(picture, str | PathLike) else position

    def _work(self, position: int) -> Image.Image:
        picture = self.images[position]
        if not isinstance(picture, np.ndarray):
            picture = one_picture(picture, self.depth)
        return _reduced(_grey(picture, WORK, self.depth), WORK)


class _Thumbnail(NamedTuple):
    """A picture's size, its small grey version, and how much JPEG changes that."""

    size: tuple[int, int]
    pixels: np.ndarray
    jpeg_error: float

    @classmethod
    def of(cls, image: Image.Image, side: int = 0) -> "_Thumbnail":
        side = side or min(SIDE, *image.size)
        pixels = _pixels(image, side)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY)
        encoded = _pixels(open_image(file.getvalue()), side)
        return cls(image.size, pixels, _distance(encoded, pixels))

    def is_like(self, other: "_Thumbnail") -> bool:
        """Whether they differ no more than the noisier of them does from its JPEG."""
        allowed = min(ALLOWED, other.pixels.std() / 25)  # less if almost empty
        of_jpeg = ALLOWED_OF_JPEG * max(self.jpeg_error, other.jpeg_error)
        return _distance(self.pixels, other.pixels) <= max(allowed, of_jpeg)


def _grey(
    picture: Picture, at_least: int, depth: BitDepth | None = None
) -> Image.Image:
    """A picture in grey; a JPEG is decoded at a smaller size if that is enough."""
    if isinstance(picture, str | PathLike):
        return open_picture(picture, (at_least, at_least), depth=depth).convert("L")
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    if picture.dtype != np.uint8:
        picture = np.rint(picture).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(picture)).convert("L")


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """A picture of at most so many pixels a side."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    return image


def _hashes(picture: Picture, depth: BitDepth) -> tuple[np.ndarray, np.ndarray, float]:
    """Packed hashes of a picture and its mirror image, and its contrast."""
    import imagehash

    side = 4 * HASH_SIDE  # what phash reduces it to itself
    grey = _grey(picture, 2 * side, depth)
    small = grey.resize((side, side), Image.Resampling.LANCZOS)
    low, high = np.percentile(np.asarray(small), CONTRAST)
    plain, mirrored = (
        np.packbits(imagehash.phash(image, HASH_SIDE).hash)
        for image in (small, ImageOps.mirror(small))
    )
    return plain, mirrored, float(high - low)


def _shared(one: Collection, other: Collection) -> list[tuple]:
    """As `find_pairs`, of two collections; at most `MAX_PAIRS`."""
    candidates = list(_candidates(one, other))
    with ThreadPoolExecutor(2) as pool:  # read in two threads what is compared below
        for collection, positions in zip(
            (one, other), list(zip(*candidates, strict=True))[:2], strict=False
        ):
            list(pool.map(collection.thumbnail, sorted(set(positions))[:KEPT]))
    pairs: dict[tuple[int, int], tuple] = {}
    for i, j, mirrored in candidates:
        if (i, j) in pairs or not _is_same(one, i, other, j, mirrored):
            continue
        pair = Pair(one.name, one.label(i), other.name, other.label(j), mirrored)
        pairs[i, j] = pair, (one, i), (other, j)
        if len(pairs) == MAX_PAIRS:
            break
    return list(pairs.values())


def _candidates(one: Collection, other: Collection) -> Iterator[tuple[int, int, bool]]:
    """Positions whose hashes are alike, and whether the second picture is mirrored."""
    for start in range(0, len(one), 256):
        rows = _plus_minus_one(one.hashes[start : start + 256])
        for begin in range(0, len(other), 4096):
            for mirrored, hashes in ((False, other.hashes), (True, other.mirrored)):
                product = rows @ _plus_minus_one(hashes[begin : begin + 4096]).T
                for i, j in np.argwhere(product >= HASH_SIDE**2 - 2 * MAX_BITS):
                    yield start + int(i), begin + int(j), mirrored


def _plus_minus_one(hashes: np.ndarray) -> np.ndarray:
    """Bits as ±1: a product is the number of equal bits less that of unequal ones."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _is_same(
    one: Collection, i: int, other: Collection, j: int, mirrored: bool
) -> bool:
    """Compare two candidates; those of different sizes may be resized or cropped."""
    first, second = one.thumbnail(i), other.thumbnail(j)
    if first.size == second.size:
        if mirrored:
            second = second._replace(pixels=second.pixels[:, ::-1])
        return first.is_like(second)
    images = [one.work(i), other.work(j)]
    if mirrored:
        images[1] = ImageOps.mirror(images[1])
    smaller, larger = sorted(images, key=lambda image: image.width * image.height)
    aspects = [image.width / image.height for image in images]
    if abs(np.log(aspects[0] / aspects[1])) > 0.2:
        return False
    side = min(SIDE, *larger.size, *smaller.size)
    target = _Thumbnail.of(smaller, side)
    return any(
        _Thumbnail(cut.size, _pixels(cut, side), 0).is_like(target)
        for cut in _cuts(larger, smaller)
    )


def _cuts(larger: Image.Image, smaller: Image.Image) -> Iterator[Image.Image]:
    """The larger picture, and every cut that the smaller one may be."""
    yield larger
    wide, high = larger.width - smaller.width, larger.height - smaller.height
    if 0 <= wide <= CROPPED and 0 <= high <= CROPPED:
        for x, y in product(range(wide + 1), range(high + 1)):
            yield larger.crop((x, y, x + smaller.width, y + smaller.height))


def _pixels(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean squared difference once brightness, or contrast, was made equal."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    offset = np.clip(np.median(other - one), -40, 40)
    light = one > 8
    ratio = np.median(other[light] / one[light]) if light.any() else 1
    slope = np.cov(one.ravel(), other.ravel())[0, 1] / (one.var() + 1e-6)
    adjusted = (
        one + offset,
        one * np.clip(ratio, 0.8, 1.25),
        (one - one.mean()) * np.clip(slope, 0.8, 1.25) + other.mean(),
    )
    return float(
        min(np.sqrt(np.mean((np.clip(a, 0, 255) - other) ** 2)) for a in adjusted)
    )
