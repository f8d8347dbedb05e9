"""Damage to any file."""

import json
from collections.abc import Iterator
from copy import deepcopy

import numpy as np


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A damaged file: bits altered, bytes copied, left out or repeated, the end lost."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            break
        place, other = (int(number) for number in rng.integers(0, len(data), 2))
        some = data[other : other + int(rng.integers(1, 65))]
        end = place + len(some)
        number = int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**16]))
        kind = rng.integers(0, 7)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            data[place:end] = some
        elif kind == 3:
            del data[place:end]
        elif kind == 4:
            data[place:place] = some
        elif kind == 5:
            data[place : place + 4] = number.to_bytes(4, "little", signed=True)
        else:
            del data[place:]
    return bytes(data)


def mutations(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    return (mutated(content, rng) for _ in range(count))


ODD_NUMBERS = (None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"))
ODD_VALUES = (*ODD_NUMBERS, "", "\ud800", "../..", "9" * 500, [], [[]], {}, {"": 1})


def mutations_of_json(content: dict, count: int, seed: int = 0) -> Iterator[bytes]:
    """The content as JSON with one to three values left out or replaced by odd ones."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        changed = {"": deepcopy(content)}
        for _ in range(int(rng.integers(1, 4))):
            places = _places(changed)
            owner, key = places[int(rng.integers(0, len(places)))]
            if rng.random() < 0.2 and key != "":
                del owner[key]
            else:
                owner[key] = deepcopy(ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))])
        yield json.dumps(changed[""]).encode()


def _places(part: object) -> list[tuple]:
    """Every place of a value in it, as its owner and the key there."""
    if not isinstance(part, dict | list):
        return []
    pairs = list(part.items() if isinstance(part, dict) else enumerate(part))
    inside = [place for _, value in pairs for place in _places(value)]
    return [(part, key) for key, _ in pairs] + inside
