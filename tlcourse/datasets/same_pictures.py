"""Which pictures are one and the same: found by perceptual hash, confirmed by comparison."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import combinations, islice
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import UserInputError
from ..features.bit_depth import BitDepth
from ..features.decoding import open_image
from ..features.inputs import as_pictures, one_picture
from ..features.pictures import open_picture

if TYPE_CHECKING:
    import PIL.Image

    from ..features.inputs import Images

HASH_SIDE = 16  # a hash has 16 × 16 bits
ALIKE = 60  # bits that may differ in candidates; cropping two pixels of a solar cell's picture changes up to 80
SIDE = 64  # candidates are compared at this many pixels a side, or their own number if it is less
WORK = 512  # larger pictures are made smaller before they are compared
CROPPED = 4  # pixels: a picture that is smaller than the other by up to so many may have been cut out of it
QUALITY = (
    50  # of the JPEG that tells how much a picture may change and still be the same
)
MOST = 1000  # pairs of two splits after which the search ends
LOOKS = 4096  # small grey versions of each split kept at a time, 4 kB each
EXTREMES = (
    1,
    99,
)  # percentiles of the grey levels, between which a picture's contrast is measured
TOLERANCE = (
    0.75,
    1.4,
)  # grey levels of difference that are always allowed; times what that JPEG changes


class Pair(NamedTuple):
    """One picture in two splits: the splits' names, and in each the picture's path, or its place where it has none."""

    first_split: str
    first: str | int
    second_split: str
    second: str | int
    mirrored: bool


def shared_pictures(
    first: "Images", second: "Images", *more: "Images", names: Sequence[str] = ()
) -> list[Pair]:
    """The pictures that stand in two splits, as `assert_disjoint` finds them; nothing is raised or shown."""
    return [
        pair
        for pair, _, _ in in_two(as_collections((first, second, *more), tuple(names)))
    ]


def as_collections(collections: tuple, names: tuple[str, ...]) -> "list[Collection]":
    """Each split's pictures with their hashes, under its name or "the first", "the second", …"""
    names = (
        names
        or ("the first", "the second", "the third", "the fourth", "the fifth")[
            : len(collections)
        ]
    )
    if len(names) != len(collections):
        raise UserInputError(
            f"{len(names)} names came with {len(collections)} splits; expected one for each."
        )
    return [
        Collection(name, images)
        for name, images in zip(names, collections, strict=True)
    ]


def in_two(splits: "list[Collection]") -> list[tuple]:
    """Of every picture that stands in two splits: its `Pair`, and twice a collection and the place in it."""
    return [
        pair for one, other in combinations(splits, 2) for pair in _shared(one, other)
    ]


def same_pictures(images: "Images") -> np.ndarray:
    """Which pictures are one and the same, as `assert_disjoint` sees it: int64 (n,), the place of the first such one.

    Args:
        images: as for `assert_disjoint`.

    Raises:
        UserInputError, PictureError: as `extract_features`.
    """
    from scipy.cluster.hierarchy import DisjointSet

    split = Collection("what was given", images)
    found = DisjointSet(range(len(split.plain)))
    for place, there, mirrored in _candidates(split, split):
        if (
            place < there
            and not found.connected(place, there)
            and _is_same(split, place, split, there, mirrored)
        ):
            found.merge(place, there)
    _, first, which = np.unique(
        [found[place] for place in found], return_index=True, return_inverse=True
    )
    return first[which]


class Collection:
    """A collection of pictures: one hash each, and the pictures again when they are asked for."""

    def __init__(self, name: str, images: "Images") -> None:
        self.name = name
        self.images: Any  # whatever gives a picture for a place
        if hasattr(
            images, "as_numpy_iterator"
        ):  # may come in another order the next time
            images = [
                np.asarray(_shrunk(_grey(picture, WORK), 2 * SIDE))
                for picture in as_pictures(images).pictures
            ]
        elements, _, self.depth = as_pictures(images)
        if isinstance(elements, list):
            images = elements
        self.images = (
            list(images.flat)
            if isinstance(images, np.ndarray) and images.dtype.kind in "OU"
            else images
        )
        elements, hashes = iter(elements), []
        with ThreadPoolExecutor(2) as pool:
            hash_one = partial(_hashes, depth=self.depth)
            while part := list(
                pool.map(hash_one, islice(elements, 64))
            ):  # some at a time: grey ones come as colour
                hashes += part
        if not hashes:
            raise UserInputError(
                f"There are no pictures in {name}; at least one is needed."
            )
        self.plain, self.mirrored, self.contrast = (
            np.stack(side) for side in zip(*hashes, strict=True)
        )
        self.work = lru_cache(128)(
            lambda place: _shrunk(_grey(self._picture(place), WORK, self.depth), WORK)
        )
        self.look = lru_cache(LOOKS)(lambda place: _Look.of(self.work(place)))

    def label(self, place: int) -> str | int:
        """The picture's path, or its place where it has none."""
        picture = self.images[place]
        return str(picture) if isinstance(picture, str | PathLike) else place

    def _picture(self, place: int) -> np.ndarray | PathLike:
        picture = self.images[place]
        return (
            picture
            if isinstance(picture, np.ndarray)
            else one_picture(picture, self.depth)
        )


def _grey(
    picture: np.ndarray | str | PathLike, at_least: int, depth: BitDepth | None = None
) -> "PIL.Image.Image":
    """A path or an array as a grey `PIL.Image.Image`; a large JPEG is decoded at a smaller size if that is enough."""
    from PIL import Image

    if isinstance(picture, str | PathLike):
        return open_picture(picture, (at_least, at_least), depth=depth).convert("L")
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    if picture.dtype != np.uint8:
        picture = np.rint(picture).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(picture)).convert("L")


def _shrunk(image: "PIL.Image.Image", side: int) -> "PIL.Image.Image":
    """A picture of at most so many pixels a side."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    return image


def _hashes(
    picture: np.ndarray | str | PathLike, depth: BitDepth
) -> tuple[np.ndarray, np.ndarray, float]:
    """The packed bits of the perceptual hash of a picture and of its mirror image, and its contrast in grey levels."""
    import imagehash
    from PIL import Image, ImageOps

    side = 4 * HASH_SIDE  # what phash makes it itself
    small = _grey(picture, 2 * side, depth).resize(
        (side, side), Image.Resampling.LANCZOS
    )
    plain, mirrored = (
        imagehash.phash(view, HASH_SIDE).hash
        for view in (small, ImageOps.mirror(small))
    )
    return (
        np.packbits(plain),
        np.packbits(mirrored),
        float(np.ptp(np.percentile(np.asarray(small), EXTREMES))),
    )


class _Look(NamedTuple):
    """What a picture is compared by: its size, a small grey version, and how much JPEG changes that."""

    size: tuple[int, int]
    pixels: np.ndarray
    noise: float

    @classmethod
    def of(cls, image: "PIL.Image.Image") -> "_Look":
        side = min(SIDE, *image.size)
        pixels = _pixels(image, side)
        return cls(
            image.size, pixels, _distance(_pixels(_encoded(image), side), pixels)
        )

    def mirror(self) -> "_Look":
        return self._replace(pixels=self.pixels[:, ::-1])


def _shared(one: Collection, other: Collection) -> list[tuple]:
    """As `in_two`, of two; at most `MOST`."""
    found, seen, candidates = [], set(), list(_candidates(one, other))
    with ThreadPoolExecutor(
        2
    ) as pool:  # read in two threads what is compared below, as far as it is kept
        for split, places in (
            (one, {first for first, _, _ in candidates}),
            (other, {there for _, there, _ in candidates}),
        ):
            list(pool.map(split.look, sorted(places)[:LOOKS]))
    for place, there, mirrored in candidates:
        if (place, there) in seen:
            continue
        if _is_same(one, place, other, there, mirrored):
            seen.add((place, there))
            pair = Pair(
                one.name, one.label(place), other.name, other.label(there), mirrored
            )
            found.append((pair, (one, place), (other, there)))
        if len(found) == MOST:
            break
    return found


def _is_same(
    one: Collection, place: int, other: Collection, there: int, mirrored: bool
) -> bool:
    from PIL import ImageOps

    first, second = one.look(place), other.look(there)
    if first.size == second.size:
        return _same_look(first, second.mirror() if mirrored else second)
    picture = other.work(there)
    return _same_picture(
        one.work(place), ImageOps.mirror(picture) if mirrored else picture
    )


def _candidates(one: Collection, other: Collection) -> Iterator[tuple[int, int, bool]]:
    """Places in both whose hashes are alike, and whether the second is mirrored."""
    for start in range(0, len(one.plain), 256):
        rows = _signs(one.plain[start : start + 256])
        for begin in range(0, len(other.plain), 4096):
            for mirrored, hashes in ((False, other.plain), (True, other.mirrored)):
                product = rows @ _signs(hashes[begin : begin + 4096]).T
                for row, column in np.argwhere(product >= HASH_SIDE**2 - 2 * ALIKE):
                    yield start + int(row), begin + int(column), mirrored


def _signs(hashes: np.ndarray) -> np.ndarray:
    """Packed bits → float32 of ±1, whose product is the number of equal bits less the number of others."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _same_picture(one: "PIL.Image.Image", other: "PIL.Image.Image") -> bool:
    """Whether two grey pictures of different sizes are one that was resized, or cut out of the other."""
    larger, smaller = sorted(
        (one, other), key=lambda image: -image.width * image.height
    )
    if abs(np.log(larger.width / larger.height * smaller.height / smaller.width)) > 0.2:
        return False
    side = min(
        SIDE, *larger.size, *smaller.size
    )  # that of the smaller picture, unless one is narrow
    wanted = _pixels(smaller, side)
    noise = _distance(_pixels(_encoded(smaller), side), wanted)
    return any(
        _same_look(
            _Look(view.size, _pixels(view, side), 0), _Look(smaller.size, wanted, noise)
        )
        for view in _cuts(larger, smaller)
    )


def _same_look(one: _Look, other: _Look) -> bool:
    """Whether two pictures differ no more than the noisier of them from itself after JPEG."""
    allowed = min(
        TOLERANCE[0], other.pixels.std() / 25
    )  # of an almost empty picture less
    return _distance(one.pixels, other.pixels) <= max(
        allowed, TOLERANCE[1] * max(one.noise, other.noise)
    )


def _cuts(larger: "PIL.Image.Image", smaller: "PIL.Image.Image") -> list:
    """The larger picture, and if the other may have been cut out of it, every such cut."""
    wide, high = larger.width - smaller.width, larger.height - smaller.height
    if not (0 <= wide <= CROPPED and 0 <= high <= CROPPED and wide + high):
        return [larger]
    corners = [(x, y) for x in range(wide + 1) for y in range(high + 1)]
    return [
        larger,
        *(
            larger.crop((x, y, x + smaller.width, y + smaller.height))
            for x, y in corners
        ),
    ]


def _pixels(image: "PIL.Image.Image", side: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference in grey levels after the brightness, or the contrast, was made equal."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    added = np.clip(np.median(other - one), -40, 40)
    light = one > 8
    gain = (
        np.clip(np.median(other[light] / one[light]), 0.8, 1.25) if light.any() else 1
    )
    spread = np.clip(
        np.cov(one.ravel(), other.ravel())[0, 1] / (one.var() + 1e-6), 0.8, 1.25
    )
    views = (one + added, one * gain, (one - one.mean()) * spread + other.mean())
    return float(
        min(np.sqrt(np.mean((np.clip(view, 0, 255) - other) ** 2)) for view in views)
    )


def _encoded(image: "PIL.Image.Image") -> "PIL.Image.Image":
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return open_image(file.getvalue())
