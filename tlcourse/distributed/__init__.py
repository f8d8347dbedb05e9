"""Features on a Dask cluster (https://distributed.dask.org), bit for bit the same."""

from .extraction import compute_features
from .shards import Shards, read_shards

__all__ = ["Shards", "compute_features", "read_shards"]
