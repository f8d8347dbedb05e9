"""When does a lesson that was run again say the same as the stored one?

On one processor the same seed gives the same bits; on another, a picture or two out of hundreds change sides. So words
and whole numbers must agree to the letter, and what was measured must agree within a band. A network that is trained in
the lesson goes its own way from the first rounding on: its cells carry the tag trained-here, and have a wider band.
Seconds are never the same. Of a solution, the check's verdict has to be.
"""

import re

DECIMAL = re.compile(r"([+-]?\d+\.\d+|[+-]?\d+(?= ?%))( ?%| s\b)?")
VERDICT = re.compile(r"Exercise \d\.\d: (right|not yet|not attempted)")
POINTS, TRAINED_POINTS = 2.0, 12.0  # percentages: so many percentage points
DECIMALS = 0.02  # other decimals: this share of their size, or this much where they are smaller than 1


class Banded(str):
    """Text that equals other text with the same words and whole numbers, and decimals within the band."""

    def __new__(cls, text: str, tags=()):
        verdict = VERDICT.search(text) if "solution" in tags else None
        banded = super().__new__(cls, verdict[0] if verdict else text)
        banded.points = TRAINED_POINTS if "trained-here" in tags else POINTS
        return banded

    def __eq__(self, other) -> bool:
        return isinstance(other, str) and within_bands(self, other, self.points)

    def __ne__(self, other) -> bool:
        return not self == other

    __hash__ = None


def within_bands(stored: str, fresh: str, points: float = POINTS) -> bool:
    """Whether both texts say the same."""
    numbers = list(DECIMAL.finditer(stored))
    fresh_numbers = list(DECIMAL.finditer(fresh))
    if len(numbers) != len(fresh_numbers) or _words(stored) != _words(fresh):
        return False
    return all(
        _close(float(a[1]), float(b[1]), a[2], points)
        for a, b in zip(numbers, fresh_numbers, strict=True)
    )


def _words(text: str) -> list[str]:
    """All but the decimals; columns may be a space narrower where a number has lost a digit."""
    return DECIMAL.sub(lambda number: f"#{number[2] or ''}", text).split()


def _close(stored: float, fresh: float, unit: str | None, points: float) -> bool:
    if unit == " s":
        return True
    band = points if unit else DECIMALS * max(1, abs(stored))
    return abs(stored - fresh) <= band + 1e-9
