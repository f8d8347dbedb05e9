"""How closely engines have to agree."""

import numpy as np

AGREEMENT = 1e-4  # of the largest value


def assert_agree(computed, expected, tolerance=AGREEMENT):
    """The arrays differ by no more than this share of the largest value."""
    computed, expected = np.asarray(computed), np.asarray(expected)
    assert computed.shape == expected.shape
    assert np.abs(computed - expected).max() <= tolerance * np.abs(expected).max()
