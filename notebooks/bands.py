"""When does a lesson that was run again say the same as the stored one?

On one processor the same seed gives the same bits; on another, a picture or two out of hundreds change sides. So words
and whole numbers must agree to the letter, and what was measured must agree within a band.
"""

import re

DECIMAL = re.compile(r"([+-]?\d+\.\d+|[+-]?\d+(?= ?%))( ?%)?")
POINTS = 2.0  # percentages: so many percentage points
DECIMALS = 0.02  # other decimals: this share of their size, or this much where they are smaller than 1


class Banded(str):
    """Text that equals other text with the same words and whole numbers, and decimals within the band."""

    def __eq__(self, other) -> bool:
        return isinstance(other, str) and within_bands(self, other)

    def __ne__(self, other) -> bool:
        return not self == other

    __hash__ = None


def within_bands(stored: str, fresh: str) -> bool:
    """Whether both texts say the same."""
    found, again = list(DECIMAL.finditer(stored)), list(DECIMAL.finditer(fresh))
    if len(found) != len(again) or _words(stored) != _words(fresh):
        return False
    return all(_close(float(a[1]), float(b[1]), percent=bool(a[2])) for a, b in zip(found, again, strict=True))


def _words(text: str) -> list[str]:
    """All but the decimals; columns may be a space narrower where a number has lost a digit."""
    return DECIMAL.sub(lambda number: f"#{number[2] or ''}", text).split()


def _close(stored: float, fresh: float, percent: bool) -> bool:
    band = POINTS if percent else DECIMALS * max(1, abs(stored))
    return abs(stored - fresh) <= band + 1e-9
