"""Build reviews.npz, sentences with human ratings, and record its checksum and its counts in CARD.md.

    python data/reviews/build.py                 # pip finds the source distribution of vaderSentiment
    python data/reviews/build.py --sdist PATH    # a source distribution that is already here
    python data/reviews/build.py --check         # build, write nothing, compare with the committed files

Needs numpy and the course itself, whose rule for neutral sentences it counts by.
"""

from __future__ import annotations

import argparse
import ast
import html
import io
import re
import sys
import tarfile
import tempfile
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]
from build_tools import (  # noqa: E402
    pip_download,
    record_files,
    require_same_arrays,
    require_sha256,
    save_arrays,
    sha256,
)

from tlcourse.datasets.bundled import NEUTRAL, REVIEW_DOMAINS  # noqa: E402

REQUIREMENT = "vaderSentiment==3.3.2"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {
    "films": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "tweets": "tweets",
}
SPLITS = ("train", "validation", "test")
SHARES = np.array([0.7, 0.1, 0.2])
FULLEST_FIRST = (
    0,
    2,
    1,
)  # where two splits are equally far from full: train before test before validation
ALIKE, ENOUGH_WORDS = (
    0.6,
    4,
)  # near duplicates: this share of their different words in common, of so many at least
CARD, BUNDLE = HERE / "CARD.md", HERE / "reviews.npz"
START, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Row:
    """One sentence. `number` is its own, or, among products, that of the review it was cut from."""

    domain: str
    number: int
    text: str
    rating: float  # mean, from -4 to 4, as published
    deviation: float  # standard deviation of the raters
    ratings: tuple[int, ...]  # of each rater

    @cached_property
    def words(self) -> tuple[str, ...]:
        return words(self.text)

    @property
    def key(self) -> str:
        """Equal for two texts that differ in case, punctuation and accents alone; of signs alone: the signs."""
        return " ".join(self.words) or self.text

    @property
    def side(self) -> str:
        return side_of(self.rating)


def side_of(rating: float) -> str:
    """The rule, in float32 as the bundle has the ratings."""
    return (
        "neutral"
        if abs(np.float32(rating)) <= NEUTRAL
        else "positive"
        if rating > 0
        else "negative"
    )


def clean(text: str) -> str:
    """The text as its author saw it: entities are characters, two apostrophes are a quotation mark, one space."""
    twice = html.unescape(html.unescape(text))  # some were encoded twice: &amp;#38;
    return " ".join(twice.replace("''", '"').split())


def words(text: str) -> tuple[str, ...]:
    """The words in small letters, without accents, apostrophes and what stands in for names and addresses."""
    plain = unicodedata.normalize(
        "NFKD", re.sub("@anonymous|http://url_removed", " ", text)
    ).casefold()
    return tuple(
        re.findall(
            "[a-z0-9]+",
            "".join(c for c in plain if not unicodedata.combining(c) and c not in "'’"),
        )
    )


# Reading


def read_rows(sdist: bytes) -> list[Row]:
    """All rows of the three domains, in the files' order. Nothing is unpacked to disk."""
    require_sha256(sdist, SDIST_SHA256, f"The source distribution of {REQUIREMENT}")
    with tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz") as outer:
        archive = outer.extractfile(ARCHIVE).read()
    rows = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as inner:
        for domain, name in FILES.items():
            raters = {
                row[0]: row[2:] for row in _table(inner, f"{name}_anonDataRatings.txt")
            }
            for key, rating, text in _table(inner, f"{name}_GroundTruth.txt"):
                deviation, ratings = raters[key]
                number = int(
                    key.split("_")[0]
                )  # "12_3" is the third sentence of the product review 12
                row = Row(
                    domain,
                    number,
                    clean(text),
                    float(rating),
                    float(deviation),
                    ast.literal_eval(f"({ratings[1:-1]})"),
                )
                rows.append(row)
    return rows


def _table(archive: tarfile.TarFile, name: str) -> list[list[str]]:
    """Lines of tab-separated columns; nothing is quoted, and some files begin with a byte order mark."""
    text = archive.extractfile(f"hutto_ICWSM_2014/{name}").read().decode("utf-8-sig")
    return [line.split("\t") for line in text.split("\r\n") if line]


def without_repetitions(rows: list[Row]) -> list[int]:
    """Positions of the rows to keep: of texts that are the same to the letter, in one domain, the file's first."""
    first = {}
    for place, row in enumerate(rows):
        first.setdefault((row.domain, row.text), place)
    return list(first.values())


# Groups


class Groups:
    """Rows that belong together (union-find); a group goes by its first row."""

    def __init__(self, count: int):
        self._parent = list(range(count))
        self.joins = Counter()

    def first_of(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = row = self._parent[self._parent[row]]
        return row

    def join(self, one: int, other: int, why: str) -> None:
        low, high = sorted((self.first_of(one), self.first_of(other)))
        if low != high:
            self._parent[high] = low
            self.joins[why] += 1

    def join_equal(self, keys: list, why: str) -> None:
        """Join the rows with equal keys; None is equal to nothing."""
        first = {}
        for row, key in enumerate(keys):
            if key is not None:
                self.join(first.setdefault(key, row), row, why)


def grouped(rows: list[Row]) -> Groups:
    """Rows of one product review, of the same words, and of nearly the same words, across all domains."""
    groups = Groups(len(rows))
    groups.join_equal(
        [row.number if row.domain == "products" else None for row in rows], "review"
    )
    groups.join_equal([row.key for row in rows], "same words")
    for one, other in near_duplicates([frozenset(row.words) for row in rows]):
        groups.join(one, other, "nearly the same words")
    return groups


def near_duplicates(sets: list[frozenset[str]]) -> list[tuple[int, int]]:
    """Pairs of sets that share `ALIKE` of their union; sets of fewer than `ENOUGH_WORDS` are passed over.

    Two such sets have one of their rarest words in common, how many of the rarest following from `ALIKE` (prefix
    filtering: Chaudhuri, Ganti, Kaushik, "A primitive operator for similarity joins", ICDE 2006). Only those that do
    are compared.
    """
    frequency = Counter(word for one in sets for word in one)
    with_word = defaultdict(list)
    found = []
    for row in sorted(range(len(sets)), key=lambda row: (len(sets[row]), row)):
        one = sets[row]
        if len(one) < ENOUGH_WORDS:
            continue
        rarest = sorted(one, key=lambda word: (frequency[word], word))[
            : int((1 - ALIKE) * len(one) + 1e-9) + 1
        ]
        for other in sorted({other for word in rarest for other in with_word[word]}):
            if len(one & sets[other]) >= ALIKE * len(one | sets[other]):
                found.append((other, row))
        for word in rarest:
            with_word[word].append(row)
    return found


# Splits


def divided(rows: list[Row], group_of: list[tuple[str, int]]) -> np.ndarray:
    """The split of each row, uint8 (n,): no group in two, and each domain's three sides divided by `SHARES`.

    Groups come in order of size, then of the SHA-256 of their words, so that no random number is needed and the
    order of the files does not matter. Each goes where, for its rows, the largest part of the room is still free.
    """
    strata = sorted({(row.domain, row.side) for row in rows})
    stratum = np.array([strata.index((row.domain, row.side)) for row in rows])
    room = SHARES[:, np.newaxis] * np.bincount(stratum)
    members = defaultdict(list)
    for row, group in enumerate(group_of):
        members[group].append(row)
    digest = {
        group: sha256("\n".join(sorted(rows[row].key for row in of)).encode())
        for group, of in members.items()
    }
    taken, split = np.zeros_like(room), np.zeros(len(rows), np.uint8)
    for group in sorted(
        members, key=lambda group: (-len(members[group]), digest[group], group)
    ):
        counts = np.bincount(stratum[members[group]], minlength=len(strata))
        free = ((1 - taken / room) * counts).sum(axis=1)
        chosen = max(FULLEST_FIRST, key=lambda part: free[part])
        taken[chosen] += counts
        split[members[group]] = chosen
    return split


def build_arrays(rows: list[Row], names: list[Row]) -> dict[str, np.ndarray]:
    """The arrays of reviews.npz, rows in order of domain, split and the SHA-256 of the text.

    Args:
        names: for each row the first of its group, by which the group goes.
    """
    split = divided(rows, [(name.domain, name.number) for name in names])
    place = {domain: number for number, domain in enumerate(REVIEW_DOMAINS)}
    order = sorted(
        range(len(rows)),
        key=lambda row: (
            place[rows[row].domain],
            split[row],
            sha256(rows[row].text.encode()),
        ),
    )
    of = lambda value, dtype: np.array([value(row) for row in order], dtype)  # noqa: E731
    return {
        "text": np.frombuffer(
            "\n".join(rows[row].text for row in order).encode("utf-8"), np.uint8
        ),
        "rating": of(lambda row: rows[row].rating, np.float32),
        "deviation": of(lambda row: rows[row].deviation, np.float32),
        "raters": of(lambda row: len(rows[row].ratings), np.uint8),
        "domain": of(lambda row: place[rows[row].domain], np.uint8),
        "number": of(lambda row: rows[row].number, np.uint16),
        "group_domain": of(lambda row: place[names[row].domain], np.uint8),
        "group_number": of(lambda row: names[row].number, np.uint16),
        "split": split[order],
    }


def check_rows(rows: list[Row], arrays: dict[str, np.ndarray]) -> None:
    """Stop where a promise of the card is not kept."""
    texts = arrays["text"].tobytes().decode("utf-8").split("\n")
    if sorted(texts) != sorted(row.text for row in rows) or any(
        not text for text in texts
    ):
        raise SystemExit(
            "The texts do not come back out of the bundle as they went in."
        )
    left = [text for text in texts if html.unescape(text) != text]
    if left:
        raise SystemExit(f"HTML entities are left, in {left[0]!r}.")
    for what, keys in (
        ("words", [Row("", 0, text, 0, 0, ()).key for text in texts]),
        (
            "group",
            list(
                zip(
                    arrays["group_domain"].tolist(),
                    arrays["group_number"].tolist(),
                    strict=True,
                )
            ),
        ),
    ):
        if len(set(zip(keys, arrays["split"].tolist(), strict=True))) != len(set(keys)):
            raise SystemExit(f"The same {what} stands in two splits.")
    turned = [row.text for row in rows if side_of(np.mean(row.ratings)) != row.side]
    if turned:
        raise SystemExit(
            f"The raters' mean and the published one put a row on different sides: {turned[0]!r}."
        )


# What the card says


def measured(
    before: list[Row], kept: list[int], groups: Groups, arrays: dict[str, np.ndarray]
) -> str:
    """The card's tables and numbers, in Markdown."""
    rows, members = [before[place] for place in kept], defaultdict(list)
    for place in kept:
        members[groups.first_of(place)].append(before[place])
    notes = [
        _about_groups(list(members.values()), groups.joins),
        _about_ratings(rows),
        _about_films(before),
    ]
    tables = [
        _domains_table(before, rows, list(members.values())),
        _splits_table(arrays),
    ]
    return "\n\n".join([*tables, "\n".join(f"- {note}" for note in notes)])


def _domains_table(before: list[Row], rows: list[Row], groups: list[list[Row]]) -> str:
    columns = [
        _column(*(_rows_of(some, d) for some in (before, rows)), _parts_of(groups, d))
        for d in REVIEW_DOMAINS
    ]
    lines = [f"| What | {' | '.join(REVIEW_DOMAINS)} |", "|---|---|---|---|"]
    return "\n".join(
        lines
        + [
            f"| {head} | {' | '.join(column[head] for column in columns)} |"
            for head in columns[0]
        ]
    )


def _column(
    before: list[Row], rows: list[Row], groups: list[list[Row]]
) -> dict[str, str]:
    """What the card tells of one domain: its rows with and without repetitions, and these by group."""
    sides, raters = (
        Counter(row.side for row in rows),
        [len(row.ratings) for row in rows],
    )
    lengths = [len(row.text.split()) for row in rows]
    same_words = Counter(row.key for row in rows).values()
    share = lambda found: f"{np.mean(found):.0%}"  # noqa: E731
    counts = {
        "rows of the file": len(before),
        "the same text as an earlier row, left out": len(before) - len(rows),
        "**rows here**": len(rows),
        "… negative": sides["negative"],
        f"… neutral: rated from −{NEUTRAL} to {NEUTRAL}": sides["neutral"],
        "… positive": sides["positive"],
        "rows with fewer than 20 raters": sum(count < 20 for count in raters),
        "wordings that several rows share": sum(count > 1 for count in same_words),
        "groups": len(groups),
        "… of several rows": sum(len(group) > 1 for group in groups),
        "… the largest: rows of it": max(map(len, groups)),
    }
    return {head: f"{count:,}" for head, count in counts.items()} | {
        "raters of a row: fewest, most": f"{min(raters)}, {max(raters)}",
        "standard deviation of a row's raters: median": f"{np.median([row.deviation for row in rows]):.2f}",
        "words in a row: median, most": f"{np.median(lengths):.0f}, {max(lengths)}",
        "rows with a capital letter": share(
            [row.text != row.text.lower() for row in rows]
        ),
        "rows with a hyphen": share(["-" in row.text for row in rows]),
    }


def _about_groups(groups: list[list[Row]], joins: Counter) -> str:
    reviews = [{row.number for row in part} for part in _parts_of(groups, "products")]
    return (
        f"The products' sentences are of {len(set().union(*reviews))} reviews. Repeated and nearly repeated sentences "
        f"tie some of them together, so that {len(reviews)} groups are left: {sum(len(one) > 1 for one in reviews)} "
        f"hold several reviews, the largest {max(map(len, reviews))}. "
        f"{sum(len({row.domain for row in group}) > 1 for group in groups)} groups reach over two or three domains. "
        f"Joins made, after the reviews' own: {joins['same words']} by the same words, "
        f"{joins['nearly the same words']} more by nearly the same words."
    )


def _about_ratings(rows: list[Row]) -> str:
    gaps = {
        domain: [
            abs(np.mean(row.ratings) - row.rating) for row in _rows_of(rows, domain)
        ]
        for domain in FILES
    }
    differing = {
        domain: sum(gap > 1e-4 for gap in found) for domain, found in gaps.items()
    }
    return (
        f"The published mean is not that of the published raters for {_listed(differing)}; they differ by up to "
        f"{max(map(max, gaps.values())):.2f}. The published mean is used here; no row changes sides for it. Of the "
        f"raters who saw a side, {_against(rows, neutral=True):.0%} saw the other one than their mean in neutral rows, "
        f"{_against(rows, neutral=False):.0%} in the others."
    )


def _about_films(before: list[Row]) -> str:
    films = _rows_of(before, "films")
    cut, first, second = _turning_point(films)
    near, far = (_neighbours_alike(films, distance) for distance in (1, 1000))
    return (
        f"Of the films' first {cut:,} rows {first:.0%} are rated above 0, of the others {second:.0%} below. Two "
        f"snippets that stand next to each other share a rare word in {near:.2%} of all cases, two that stand 1,000 "
        f"rows apart in {far:.2%}."
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {domain}" for domain, count in counts.items() if count)


def _parts_of(groups: list[list[Row]], domain: str) -> list[list[Row]]:
    """Of each group that has any, its rows of this domain."""
    return [part for group in groups if (part := _rows_of(group, domain))]


def _rows_of(group: list[Row], domain: str) -> list[Row]:
    return [row for row in group if row.domain == domain]


def _against(rows: list[Row], neutral: bool) -> float:
    """The share of ratings other than 0 whose sign is not their row's."""
    signs = [
        np.sign(row.ratings) * np.sign(row.rating)
        for row in rows
        if (row.side == "neutral") == neutral
    ]
    signs = np.concatenate(signs)
    return float(np.mean(signs[signs != 0] < 0))


def _splits_table(arrays: dict[str, np.ndarray]) -> str:
    rating = arrays["rating"]
    sides = {
        "negative": rating < -NEUTRAL,
        "positive": rating > NEUTRAL,
        "neutral": np.abs(rating) <= NEUTRAL,
    }
    lines = [
        "| Domain | Split | Negative | Positive | Together | Neutral, left out |",
        "|---|---|---|---|---|---|",
    ]
    for domain, name in enumerate(REVIEW_DOMAINS):
        for part, split in enumerate(SPLITS):
            here = (arrays["domain"] == domain) & (arrays["split"] == part)
            negative, positive, neutral = (
                int((here & side).sum()) for side in sides.values()
            )
            counts = (
                f"{negative:,} | {positive:,} | {negative + positive:,} | {neutral:,}"
            )
            lines.append(f"| {name} | {split} | {counts} |")
    return "\n".join(lines)


def _turning_point(rows: list[Row]) -> tuple[int, float, float]:
    """Where the file turns from good to bad: the row, the share above 0 before it, the share below 0 from it on."""
    above = np.array([row.rating > 0 for row in rows])
    right = np.cumsum(np.append(0, above)) + np.append(np.cumsum(~above[::-1])[::-1], 0)
    cut = int(np.argmax(right))
    return (
        cut,
        float(above[:cut].mean()),
        float(np.mean([row.rating < 0 for row in rows[cut:]])),
    )


def _neighbours_alike(rows: list[Row], distance: int) -> float:
    """The share of rows that have a rare word (in 2 to 10 rows) in common with the row this far behind them."""
    sets = [frozenset(row.words) for row in rows]
    frequency = Counter(word for one in sets for word in one)
    rare = [{word for word in one if 2 <= frequency[word] <= 10} for one in sets]
    return float(
        np.mean(
            [
                bool(one & other)
                for one, other in zip(rare, rare[distance:], strict=False)
            ]
        )
    )


def card_with(text: str, card: str) -> str:
    pattern = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{START}\n{text}\n{END}", card)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sdist",
        type=Path,
        help="vaderSentiment-3.3.2.tar.gz; without it, pip downloads it",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare with the committed files",
    )
    options = parser.parse_args()
    if options.sdist:
        sdist = options.sdist.read_bytes()
    else:
        with tempfile.TemporaryDirectory() as folder:
            sdist = pip_download(
                REQUIREMENT, Path(folder), "--no-binary", "vaderSentiment"
            ).read_bytes()
    before = read_rows(sdist)
    groups, kept = grouped(before), without_repetitions(before)
    rows = [before[place] for place in kept]
    arrays = build_arrays(rows, [before[groups.first_of(place)] for place in kept])
    check_rows(rows, arrays)
    card = CARD.read_text(encoding="utf-8")
    with_counts = card_with(measured(before, kept, groups, arrays), card)
    if options.check:
        require_same_arrays(BUNDLE, **arrays)
        if with_counts != card:
            raise SystemExit(
                "The counts in CARD.md are not those of this build. Build without --check."
            )
        print("CARD.md: every count is that of this build.")
        return
    CARD.write_text(with_counts, encoding="utf-8", newline="\n")
    save_arrays(BUNDLE, **arrays)
    record_files(CARD, [BUNDLE])


if __name__ == "__main__":
    main()
