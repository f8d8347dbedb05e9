"""Pictures for a browser, and the pictures of training that are nearest to one: what two of the widgets share."""

import io
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..datasets.core import Split
from ..errors import UserInputError
from ..validation import features as check_features
from .live import image

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SIDE = 96  # pixels of a picture in a widget


class Near:
    """The training pictures, each with its features: which are the nearest to another one?

    Closeness is the angle between two rows of features, as in lesson 03.

    Args:
        train: the pictures, labelled.
        features: float (n, d), of the same pictures in the same order.

    Raises:
        UserInputError: no split of pictures; another number of rows.
    """

    def __init__(self, train: Split, features: "ArrayLike") -> None:
        if not isinstance(train, Split):
            raise UserInputError(
                f"train is a {type(train).__name__}; expected a split of a data set, as solar.train."
            )
        self.train, self._directions = train, _unit(features)
        if len(train.images) != len(self._directions):
            raise UserInputError(
                f"train holds {len(train)} pictures and train_features {len(self._directions)} rows; expected one row "
                "for each picture, as train_features = model.extract_features(train.images) gives them."
            )

    @property
    def width(self) -> int:
        """How many features a picture has."""
        return self._directions.shape[1]

    def rows(self, features: "ArrayLike", count: int) -> list[tuple[int, float]]:
        """The nearest training pictures of one row of features: (row, cosine), the nearest first."""
        similarity = self._directions @ _unit(np.atleast_2d(features))[0]
        nearest = np.argsort(-similarity, kind="stable")[:count]
        return [(int(row), float(similarity[row])) for row in nearest]

    def about(self, features: "ArrayLike", count: int) -> list[dict]:
        """The same for people: each one's row, class and cosine."""
        found = self.rows(features, count)
        return [
            {"row": row, "class": self.name(row), "cosine": round(cosine, 4)}
            for row, cosine in found
        ]

    def name(self, row: int) -> str:
        return self.train.class_names[self.train.labels[row]]


def _unit(features: "ArrayLike") -> np.ndarray:
    rows = check_features(features).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class Thumbnails:
    """The pictures of a split as HTML images; each is read and made small once."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._content = lru_cache(maxsize=500)(self._encoded)

    def image(self, row: int, alt: str) -> str:
        return image(self._content(row), alt)

    def _encoded(self, row: int) -> bytes:
        return thumbnail(self._split.images[row])


def thumbnail(picture: np.ndarray, side: int = SIDE) -> bytes:
    """A small PNG of a picture, uint8 (h, w) or (h, w, 3); its proportions stay, and dots stay dots."""
    large = Image.fromarray(np.asarray(picture, np.uint8))
    scale = side / max(large.size)
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    width, height = (max(1, round(length * scale)) for length in large.size)
    small = large.resize((width, height), method)
    content = io.BytesIO()
    small.save(content, "png")
    return content.getvalue()
