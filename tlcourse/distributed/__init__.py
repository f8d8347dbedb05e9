"""Features on a Dask cluster (https://distributed.dask.org), bit for bit the same."""

from .cluster import connected, local_cluster
from .extraction import compute_features
from .shards import Shards, read_shards

__all__ = ["Shards", "compute_features", "connected", "local_cluster", "read_shards"]
