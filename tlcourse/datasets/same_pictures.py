"""Find pictures that are the same: by perceptual hash, then by comparison."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations, combinations_with_replacement, islice
from os import PathLike
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ..errors import UserInputError
from ..features.decoding import BitDepth, open_image
from ..features.pictures import Images, as_pictures, open_picture

HASH_SIDE = 16  # a hash has 16 × 16 bits
MAX_BITS = 60  # that differ in candidates
SIDE = 64  # pixels a side at which candidates are compared
WORK = 256  # pixels a side to which large pictures are reduced first
QUALITY = 50  # of the JPEG that tells how much a picture may change and be the same
MAX_PAIRS = 1000  # of two splits, after which the search ends
ALLOWED = 0.75  # grey levels of difference
ALLOWED_OF_JPEG = 1.4  # times what that JPEG changes


class Pair(NamedTuple):
    """One picture in two splits: their names, and its path or position in each."""

    first_split: str
    first: str | int
    second_split: str
    second: str | int
    mirrored: bool


class Collection:
    """The pictures of one split, in whatever `extract_features` takes, summarised."""

    def __init__(self, name: str, images: Images) -> None:
        holder = as_pictures(images)
        self.name, self.depth = name, holder.depth
        self.pictures = [
            picture if isinstance(picture, PathLike) else np.asarray(_grey(picture))
            for picture in holder.pictures
        ]
        if not self.pictures:
            raise UserInputError(f"{name} holds no pictures; at least one is needed.")
        with ThreadPoolExecutor(2) as pool:
            rows = list(pool.map(partial(_summary, depth=self.depth), self.pictures))
        self.hashes, self.mirrored, self.thumbnails, self.noise, self.contrast = map(
            np.stack, zip(*rows, strict=True)
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def label(self, position: int) -> str | int:
        """The picture's path, or its position where it has none."""
        picture = self.pictures[position]
        return str(picture) if isinstance(picture, PathLike) else position

    def picture(self, position: int) -> np.ndarray:
        """The picture in grey, at most `WORK` pixels a side."""
        return np.asarray(_grey(self.pictures[position], self.depth))


def as_collections(splits: Sequence, names: Sequence[str]) -> list[Collection]:
    """Each split's pictures under its name; UserInputError for a wrong number of it."""
    names = names or ("the first", "the second")
    if len(names) != len(splits):
        raise UserInputError(
            f"{len(names)} names came with {len(splits)} splits; expected one for each."
        )
    return [Collection(name, split) for name, split in zip(names, splits, strict=True)]


def find_pairs(
    collections: Sequence[Collection],
) -> list[tuple[Pair, tuple[Collection, int], tuple[Collection, int]]]:
    """Each `Pair`, and twice a collection and the position in it.

    Candidates have similar perceptual hashes (`imagehash.phash`, 256 bits). They are
    the same if small grey versions hardly differ more than a picture does from its own
    JPEG of quality 50: two solar cells that look alike are two.
    """
    pairs = []
    for one, other in combinations(collections, 2):
        matches: dict[tuple[int, int], bool] = {}
        for i, j, mirrored in _matches(one, other):
            matches.setdefault((i, j), mirrored)
        for (i, j), mirrored in islice(matches.items(), MAX_PAIRS):
            pair = Pair(one.name, one.label(i), other.name, other.label(j), mirrored)
            pairs.append((pair, (one, i), (other, j)))
    return pairs


def same_pictures(images: Images) -> np.ndarray:
    """For each picture the position of the first one that is the same, int64 (n,)."""
    return same_in([Collection("images", images)])


def same_in(collections: Sequence[Collection]) -> np.ndarray:
    """As `same_pictures`, of collections one after the other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    *starts, size = np.cumsum([0, *map(len, collections)]).tolist()
    edges = [
        (i + start, j + other_start)
        for (one, start), (other, other_start) in combinations_with_replacement(
            zip(collections, starts, strict=True), 2
        )
        for i, j, _ in _matches(one, other)
    ]
    first, second = np.array(edges, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges)), (first, second)), (size, size))
    _, groups = connected_components(graph, directed=False)
    return np.unique(groups, return_index=True)[1][groups]


def _grey(picture: np.ndarray | PathLike, depth: BitDepth | None = None) -> Image.Image:
    """A picture in grey, at most `WORK` pixels a side."""
    if isinstance(picture, PathLike):
        image = open_picture(picture, (WORK, WORK), depth=depth)
    else:
        image = Image.fromarray(np.rint(picture).astype(np.uint8))
    image = image.convert("L")
    image.thumbnail((WORK, WORK))
    return image


def _summary(picture: np.ndarray | PathLike, depth: BitDepth) -> tuple:
    """Perceptual hashes of the picture and of its mirror image (packed bits), its
    thumbnail (uint8, `SIDE` × `SIDE`), by how many grey levels JPEG changes that, and
    the contrast in grey levels of 255.
    """
    import imagehash

    image, file = _grey(picture, depth), io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    plain, mirrored = (
        np.packbits(imagehash.phash(each, HASH_SIDE).hash)
        for each in (small, ImageOps.mirror(small))
    )
    thumbnail = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    encoded = open_image(file.getvalue()).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noise = _distance(np.asarray(encoded), thumbnail)
    low, high = np.percentile(np.asarray(small), (1, 99))
    return plain, mirrored, thumbnail, noise, high - low


def _matches(one: Collection, other: Collection) -> Iterator[tuple[int, int, bool]]:
    """Positions of the same picture, and whether the second one is mirrored."""
    hashes = [_plus_minus_one(bits).T for bits in (other.hashes, other.mirrored)]
    for start in range(0, len(one), 256):
        rows = _plus_minus_one(one.hashes[start : start + 256])
        for mirrored, columns in enumerate(hashes):
            similar = np.argwhere(rows @ columns >= HASH_SIDE**2 - 2 * MAX_BITS)
            for i, j in (similar + (start, 0)).tolist():
                thumbnail = other.thumbnails[j]
                if mirrored:
                    thumbnail = thumbnail[:, ::-1]
                of_jpeg = ALLOWED_OF_JPEG * max(one.noise[i], other.noise[j])
                allowed = min(ALLOWED, thumbnail.std() / 25)  # less if almost empty
                distance = _distance(one.thumbnails[i], thumbnail)
                if distance <= max(allowed, of_jpeg):
                    yield i, j, bool(mirrored)


def _plus_minus_one(hashes: np.ndarray) -> np.ndarray:
    """Bits as ±1: a product is the number of equal bits less that of unequal ones."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean squared difference once brightness and contrast were made equal."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    slope = np.cov(one.ravel(), other.ravel())[0, 1] / (one.var() + 1e-6)
    adjusted = (one - one.mean()) * np.clip(slope, 0.8, 1.25) + other.mean()
    return float(np.sqrt(np.mean((np.clip(adjusted, 0, 255) - other) ** 2)))
